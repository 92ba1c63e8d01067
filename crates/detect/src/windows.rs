//! A text that comes in pieces, cut into windows that overlap.
//!
//! Where the windows lie depends on the text alone, never on the pieces it came in.

use alloc::string::String;

/// The least bytes that two windows share.
const LEAST_OVERLAP: usize = 64;
/// Bytes before a boundary in which a better one is looked for, between two words.
const SEARCH: usize = 128;

/// The part of a text that has not been gone past yet: no more than a window and a character.
#[derive(Debug)]
pub struct Windows {
    size: usize,
    overlap: usize,
    /// How much longer a window may get so as not to end within a word.
    run: usize,
    /// Where the window ends, or not far before.
    end: usize,
    /// What was received from the beginning of the next window on.
    buffer: String,
    /// Where that begins in the whole text.
    start: usize,
}

impl Windows {
    /// Windows of `size` bytes of which two share `overlap`; they end where words do if they can, so both vary by some
    /// dozen bytes. Sizes that are too small are made larger: 64 in common, and 256 more than twice as much in all.
    #[must_use]
    pub const fn new(size: usize, overlap: usize) -> Self {
        let overlap = if overlap < LEAST_OVERLAP { LEAST_OVERLAP } else { overlap };
        let least = overlap.saturating_mul(2).saturating_add(2 * SEARCH);
        let size = if size < least { least } else { size };
        Self { size, overlap, run: 0, end: size, buffer: String::new(), start: 0 }
    }

    /// The same, but a window that would end within a run of signs without a space, such as a token or an address, waits
    /// for the run's end, for at most `run` bytes.
    #[must_use]
    pub const fn with_runs(size: usize, overlap: usize, run: usize) -> Self {
        let mut windows = Self::new(size, overlap);
        windows.run = run;
        windows
    }

    /// Takes of a piece what completes a window. `true`: there is one, look at it and [`Self::advance`]. `false`: all of
    /// the piece is taken.
    pub fn fill(&mut self, rest: &mut &str) -> bool {
        loop {
            // One character more than a window, so that it is known to end within the text.
            let room = (self.end + 1).saturating_sub(self.buffer.len());
            let (taken, behind) = rest.split_at_checked(rest.ceil_char_boundary(room)).unwrap_or((rest, ""));
            self.buffer.push_str(taken);
            *rest = behind;
            if self.buffer.len() <= self.end {
                return false;
            }
            if self.end >= self.size + self.run || between_words(&self.buffer, self.end).is_some() {
                return true;
            }
            self.end += SEARCH;
        }
    }

    /// What is held. The window is its beginning, or all of it when nothing more will come.
    #[must_use]
    pub fn held(&self) -> &str {
        &self.buffer
    }

    /// Where the held text begins in the whole text.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Where in the held text the window ends, and where the next one begins.
    #[must_use]
    pub fn cut(&self) -> (usize, usize) {
        let end = boundary(&self.buffer, self.end);
        (end, boundary(&self.buffer, end.saturating_sub(self.overlap)))
    }

    /// Goes on to a place in the held text, the beginning of the next window.
    pub fn advance(&mut self, next: usize) {
        let next = self.buffer.floor_char_boundary(next);
        self.start += next;
        self.end = self.size;
        self.buffer.drain(..next);
    }
}

/// The best place for a boundary at `at` or not far before it: before white space, else between two characters of which
/// neither is an ASCII letter or digit, else between any two.
fn boundary(text: &str, at: usize) -> usize {
    between_words(text, at).unwrap_or_else(|| text.floor_char_boundary(at))
}

fn between_words(text: &str, at: usize) -> Option<usize> {
    let at = text.floor_char_boundary(at);
    let from = text.floor_char_boundary(at.saturating_sub(SEARCH));
    let places = text.get(from..).unwrap_or_default().char_indices();
    let places = places.map(|(place, c)| (from + place, c)).take_while(|(place, _)| *place <= at);
    let mut best = None;
    let mut before = 'a';
    for (place, c) in places {
        let quality = match c {
            _ if place == 0 => 0,
            _ if c.is_ascii_whitespace() => 2,
            _ if !c.is_ascii_alphanumeric() && !before.is_ascii_alphanumeric() => 1,
            _ => 0,
        };
        before = c;
        if quality > 0 && best.is_none_or(|(known, _)| quality >= known) {
            best = Some((quality, place));
        }
    }
    best.map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use super::*;

    /// The windows of a text, given in pieces of so many bytes.
    fn cut(text: &str, mut windows: Windows, size: usize) -> Vec<String> {
        let (mut out, mut left) = (Vec::new(), text);
        while !left.is_empty() {
            let (mut piece, behind) = left.split_at(left.ceil_char_boundary(size));
            left = behind;
            while windows.fill(&mut piece) {
                let (end, next) = windows.cut();
                out.push(windows.held()[..end].into());
                windows.advance(next);
            }
        }
        out.push(windows.held().into());
        out
    }

    #[test]
    fn a_window_waits_for_the_end_of_a_run_but_not_for_ever() {
        let token = "Ab1".repeat(300);
        let text = format!(
            "{}token {token} and {} more {}",
            "la ".repeat(160),
            "Xy2".repeat(2000),
            "la ".repeat(300)
        );
        let all = cut(&text, Windows::with_runs(512, 128, 4096), 10_000);
        assert!(all.iter().any(|window| window.contains(&token)));
        assert!(all.iter().all(|window| window.len() <= 512 + 4096 + SEARCH));
        for size in [1, 7, 128, 513] {
            assert_eq!(cut(&text, Windows::with_runs(512, 128, 4096), size), all, "in pieces of {size}");
        }
        assert!(cut(&text, Windows::new(512, 128), 100).iter().all(|window| window.len() <= 512));
    }

    #[test]
    fn two_windows_share_what_they_were_told_to() {
        let text = "the birds sing in the valley, 日本語の文章 ".repeat(60);
        let mut windows = Windows::new(600, 160);
        let mut rest = text.as_str();
        let mut seen = 0;
        while windows.fill(&mut rest) {
            let (end, next) = windows.cut();
            assert!((160..=160 + 2 * SEARCH).contains(&(end - next)), "{end} {next}");
            assert!(text[windows.start()..].starts_with(windows.held()));
            windows.advance(next);
            seen += 1;
        }
        assert!(seen > 3);
    }
}
