//! Data carried out by a text that something renders: markdown and HTML whose addresses load by
//! themselves, active content, terminal sequences; and text that a renderer hides from the reader.
//!
//! A text is only read where one of four bytes stands: `<`, `:`, ESC, or, for addresses without a
//! scheme, `](//`. What is in code (fences and backticks) is shown and not rendered, so it weighs
//! little. Everything is looked at once; addresses, tags and sequences have a longest length.
//!
//! The forms follow what was reported of real products: images whose address carries the conversation
//! (<https://embracethered.com/blog/posts/2023/bing-chat-data-exfiltration-poc-and-fix/>), and terminal
//! sequences in answers (<https://embracethered.com/blog/posts/2024/terminal-dillmas-prompt-injection-ansi-sequences/>).

mod address;
mod hidden;
mod host;
mod html;
mod markdown;
mod payload;
mod rules;
mod sensitive;
mod terminal;
#[cfg(test)]
pub(crate) mod tests;

use core::ops::Range;

use normalise::Marks;

pub(crate) use self::rules::RULES;
use self::rules::{Number, Weights};
use crate::{
    code::Code,
    detector::{Detector, Sink, Subject},
    role::Role,
    scratch::Buffers,
};

/// Looks for what carries data out.
#[derive(Debug)]
pub(crate) struct Exfiltration;

impl Detector for Exfiltration {
    fn scan(&self, subject: &Subject<'_>, buffers: &mut Buffers, sink: &mut Sink<'_>) {
        // Nothing shows or loads what only a reader puts together.
        if subject.is_reading {
            return;
        }
        let text = subject.text.as_bytes();
        let scan = Scan {
            text,
            marks: subject.marks(),
            role: subject.role,
            code: Code::new(text),
            decoded: &mut buffers.decoded,
            comment_end: 0,
            script_read: 0,
            hidden_read: 0,
        };
        scan.run(sink);
    }
}

const ESCAPE: u8 = 0x1b;

/// The state of one scan.
struct Scan<'a> {
    text: &'a [u8],
    marks: &'a Marks,
    role: Role,
    code: Code<'a>,
    decoded: &'a mut alloc::vec::Vec<u8>,
    /// Where the next end of a comment was seen, or the text's end.
    comment_end: usize,
    /// How far the insides of scripts were read.
    script_read: usize,
    /// How far hidden text was read.
    hidden_read: usize,
}

impl Scan<'_> {
    fn run(mut self, sink: &mut Sink<'_>) {
        let text = self.text;
        // What was judged already.
        let mut done = 0;
        let mut unclosed = html::Patience::new(text.len());
        let is_sign = |byte| matches!(byte, b'<' | b':' | ESCAPE);
        while let Some(at) = self.marks.next(text, done, is_sign) {
            done = match text.get(at) {
                Some(b'<') => self.angle(at, &mut unclosed, sink),
                Some(b':') => self.colon(at, done, sink),
                _ => self.escape(at, sink),
            };
        }
        let without_scheme = |at: &usize| window(text, *at, 4) == b"](//";
        let marks = self.marks;
        let closing = marks.iter(text, |byte| byte == b']').filter(without_scheme);
        self.code = Code::new(text);
        // An address may hold what looks like the beginning of more: each byte is read once.
        let mut done = 0;
        for at in closing {
            if at >= done {
                done = self.address(at + 2, at + 2, sink);
            }
        }
    }

    /// Reports a match with the weight it has in this role.
    fn report(&self, number: Number, weights: Weights, span: Range<usize>, sink: &mut Sink<'_>) {
        let weight = weights.of(self.role);
        if weight > 0 {
            sink.push(number as usize, weight, span);
        }
    }
}

/// The part of `text` at and behind `at`, of `most` bytes at most.
pub(crate) fn window(text: &[u8], at: usize, most: usize) -> &[u8] {
    let end = at.saturating_add(most).min(text.len());
    text.get(at..end).unwrap_or_default()
}

/// Whether a text begins with another, written in lower case, whatever its own case.
fn starts_with(text: &[u8], lower: &[u8]) -> bool {
    text.get(..lower.len()).is_some_and(|front| front.eq_ignore_ascii_case(lower))
}

/// Whether a text holds another, written in lower case, whatever its own case. For short texts.
fn contains(text: &[u8], lower: &[u8]) -> bool {
    text.windows(lower.len()).any(|window| window.eq_ignore_ascii_case(lower))
}
