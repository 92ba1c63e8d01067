//! Prompt echo: an answer that repeats the application's own prompt.
//!
//! Of the prompt a print is kept: hashes of its runs of [`RUN`] words, thinned by winnowing (Schleimer,
//! Wilkerson, Aiken: Winnowing, SIGMOD 2003) where it is long, so that its size is bounded and nobody
//! reads the prompt from it. An answer's runs are looked up there, and what matters is how long a stretch
//! of the prompt comes back, and how much of it in all: applications put texts into their prompts that
//! answers may quote. Case, punctuation, spacing and look-alike letters make no difference, and encoded
//! stretches are looked into.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, ops::Range};

use normalise::{Budget, Normalised, views_marked};

use crate::{
    compile::sort::sort_by,
    engine::Engine,
    finding::{Category, Finding, Rule, Severity},
    role::{Role, Roles},
    scratch::{Layer, Scratch},
};

/// Words that are hashed together: fewer stand in many texts.
const RUN: usize = 6;
/// Hashes kept of one prompt.
const MOST: usize = 4096;
/// Bits of the filter before them, as a power of two.
const FILTER_BITS: u32 = 15;

/// Lengths are counted in half words: a character of a script without spaces counts one, a word two.
const WORD: usize = 2;
/// Words that a prompt needs to be worth keeping.
const SHORTEST_PROMPT: usize = 12 * WORD;
/// Words of a stretch that counts towards the share of the prompt that came back.
const STRETCH: usize = 9 * WORD;

/// The rule that echoes are reported by.
pub const RULE: Rule = Rule {
    id: "exfiltration.echo.system-prompt",
    summary: "Answer that repeats the application's own prompt",
    category: Category::Exfiltration,
    severity: Severity::High,
    weight: 900,
    paranoia: 1,
    roles: Roles::of(&[Role::Assistant]),
    owasp: &["LLM07:2025", "LLM08:2026"],
    atlas: &["AML.T0056"],
};

/// What is remembered of a prompt: at most 20 KiB, whatever its length.
#[derive(Clone, PartialEq, Eq)]
pub struct PromptPrint {
    /// Sorted.
    hashes: Vec<u32>,
    /// A bit for each hash, by its high bits.
    filter: Vec<u64>,
    /// One in so many consecutive runs is kept at least.
    window: usize,
    /// The length of the prompt in half words.
    length: usize,
}

impl PromptPrint {
    /// Whether nothing is looked for: the prompt is too short to be a secret, or the pack is off.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Takes out what stands in another text too. Whoever says parts of the prompt, such as the user in
    /// this conversation, may hear them again.
    pub fn forget(&mut self, text: &str) {
        let mut normalised = Normalised::default();
        normalised.set(text);
        let said: Vec<u32> = Shingles::of(normalised.bytes()).map(|shingle| shingle.hash).collect();
        let mut gone: Vec<u32> = said.into_iter().filter(|hash| self.holds(*hash)).collect();
        sort_by(&mut gone, |a, b| a < b);
        self.hashes.retain(|hash| gone.binary_search(hash).is_err());
        self.fill();
    }

    fn of(text: &str) -> Self {
        let mut normalised = Normalised::default();
        normalised.set(text);
        let (mut runs, mut length) = (0usize, 0);
        for shingle in Shingles::of(normalised.bytes()) {
            runs += 1;
            length = shingle.end_length;
        }
        let window = (2 * runs).div_ceil(MOST).max(1);
        let window = if runs <= MOST { 1 } else { window };
        let mut print = Self { hashes: Vec::new(), filter: Vec::new(), window, length };
        if length >= SHORTEST_PROMPT {
            print.hashes = winnow(Shingles::of(normalised.bytes()).map(|shingle| shingle.hash), window);
        }
        print.fill();
        print
    }

    fn fill(&mut self) {
        self.filter.clear();
        self.filter.resize(1 << (FILTER_BITS - 6), 0);
        for hash in &self.hashes {
            let bit = hash >> (32 - FILTER_BITS);
            if let Some(word) = self.filter.get_mut(bit as usize / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    fn holds(&self, hash: u32) -> bool {
        let bit = hash >> (32 - FILTER_BITS);
        self.filter.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 != 0)
            && self.hashes.binary_search(&hash).is_ok()
    }
}

impl fmt::Debug for PromptPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromptPrint").field("hashes", &self.hashes.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes the print of an application's prompt, for [`Self::scan_echo`]. Empty, and never found, if the
    /// prompt has fewer than 12 words or the exfiltration pack is off.
    #[must_use]
    pub fn prompt_print(&self, system_text: &str) -> PromptPrint {
        PromptPrint::of(if self.options().packs.exfiltration { system_text } else { "" })
    }

    /// Judges whether an answer repeats a prompt. Give it whole answers, or windows of a stream that
    /// overlap by some hundred words, which is what it takes to tell.
    ///
    /// The weight grows with what came back: 900 for half of the prompt, 20 words that are three tenths of
    /// it, 40 that are a tenth, or 100 words in a row; 600 and more, not enough to act on alone, for 20 words
    /// of a long prompt, which may be a passage meant to be quoted.
    #[must_use]
    pub fn scan_echo(&self, print: &PromptPrint, answer: &str, scratch: &mut Scratch) -> Option<Finding> {
        if print.is_empty() {
            return None;
        }
        let mut budget = Budget::new(self.options().decode_bytes, Budget::VIEWS);
        scratch.layers.clear();
        let (mut next, mut layer) = (0, Layer::default());
        loop {
            let text = if next == 0 { answer } else { &layer.text };
            scratch.normalised.set(text);
            if let Some((weight, range)) = judge(print, scratch.normalised.bytes()) {
                let span = scratch.normalised.source_range(range);
                let span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end);
                let span = layer.span.clone().unwrap_or(span);
                let transforms = layer.transforms;
                return Some(Finding { rule: Arc::new(RULE), weight, span, transforms });
            }
            if layer.transforms.len() < usize::from(self.options().decode_depth) {
                views_marked(text, scratch.normalised.marks(), &mut budget, &mut scratch.views);
                scratch.layers.extend(scratch.views.drain(..).map(|view| layer.within(view)));
            }
            layer = scratch.layers.get_mut(next).map(core::mem::take)?;
            next += 1;
        }
    }
}

/// How much of a prompt stands in a comparable text: the weight of that, and the longest stretch.
fn judge(print: &PromptPrint, text: &[u8]) -> Option<(u16, Range<usize>)> {
    let mut all = 0;
    let mut longest: (usize, Range<usize>) = (0, 0..0);
    let mut open: Option<Stretch> = None;
    for (at, shingle) in Shingles::of(text).enumerate().filter(|(_, shingle)| print.holds(shingle.hash)) {
        match &mut open {
            Some(stretch) if at - stretch.last <= print.window => {
                stretch.last = at;
                stretch.range.end = shingle.range.end;
                stretch.length = shingle.end_length - stretch.before;
            }
            _ => {
                let before = shingle.start_length;
                let (range, length) = (shingle.range, shingle.end_length - before);
                close(open.replace(Stretch { last: at, range, before, length }), &mut all, &mut longest);
            }
        }
    }
    close(open, &mut all, &mut longest);
    let share = |length: usize, percent: usize| length * 100 >= print.length * percent;
    let (run, range) = longest;
    let weight = match run / WORD {
        100.. => 900,
        10.. if share(all, 50) => 900,
        20.. if share(run, 30) => 900,
        40.. if share(run, 10) => 900,
        40.. => 700,
        20.. => 600,
        _ => return None,
    };
    Some((weight, range))
}

/// A stretch of a text that is of the prompt.
struct Stretch {
    /// The number of its last run.
    last: usize,
    range: Range<usize>,
    /// Half words before it.
    before: usize,
    /// Its own.
    length: usize,
}

fn close(stretch: Option<Stretch>, all: &mut usize, longest: &mut (usize, Range<usize>)) {
    let Some(stretch) = stretch else { return };
    if stretch.length >= STRETCH {
        *all += stretch.length;
    }
    if stretch.length > longest.0 {
        *longest = (stretch.length, stretch.range);
    }
}

/// Keeps the least hash of each window of so many, sorted, each once.
fn winnow(hashes: impl Iterator<Item = u32>, window: usize) -> Vec<u32> {
    let hashes: Vec<u32> = hashes.collect();
    let mut kept: Vec<u32> = Vec::new();
    let mut last = None;
    for (at, part) in hashes.windows(window.min(hashes.len()).max(1)).enumerate() {
        // The rightmost of equals, so that neighbours agree.
        let least = part.iter().enumerate().rev().min_by_key(|(_, hash)| **hash);
        if let Some((step, hash)) = least
            && last.replace(at + step) != Some(at + step)
            && kept.len() < MOST
        {
            kept.push(*hash);
        }
    }
    sort_by(&mut kept, |a, b| a < b);
    kept.dedup();
    kept
}

/// A run of [`RUN`] words.
struct Shingle {
    hash: u32,
    range: Range<usize>,
    /// Half words before its first word, and up to the end of its last.
    start_length: usize,
    end_length: usize,
}

/// A word of a comparable text.
#[derive(Clone, Copy, Default)]
struct Word {
    hash: u64,
    start: usize,
    /// Half words before it.
    length: usize,
}

/// The runs of words of a comparable text, one for each word from the sixth on.
struct Shingles<'a> {
    text: &'a [u8],
    at: usize,
    length: usize,
    recent: [Word; RUN],
    seen: usize,
}

impl<'a> Shingles<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, length: 0, recent: [Word::default(); RUN], seen: 0 }
    }

    /// The end of the word that begins at the reader's place, and what it counts.
    fn word(&self) -> (usize, usize) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if let Some(length) = lone(rest) {
            return (self.at + length, 1);
        }
        let mut length = 0;
        while let Some(behind) = rest.get(length..).filter(|behind| behind.first().is_some_and(is_letter)) {
            if lone(behind).is_some() {
                break;
            }
            length += 1;
        }
        (self.at + length, WORD)
    }
}

impl Iterator for Shingles<'_> {
    type Item = Shingle;

    fn next(&mut self) -> Option<Shingle> {
        loop {
            self.at += self.text.get(self.at..)?.iter().position(is_letter)?;
            let (end, counts) = self.word();
            // FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
            let word = self.text.get(self.at..end).unwrap_or_default();
            let hash = word.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            self.recent.rotate_left(1);
            if let Some(last) = self.recent.last_mut() {
                *last = Word { hash, start: self.at, length: self.length };
            }
            self.length += counts;
            self.seen += 1;
            self.at = end;
            if self.seen >= RUN {
                let joined = self.recent.iter().fold(0u64, |joined, word| {
                    (joined.rotate_left(23) ^ word.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                });
                let first = self.recent.first().copied().unwrap_or_default();
                return Some(Shingle {
                    hash: (joined >> 32) as u32,
                    range: first.start..end,
                    start_length: first.length,
                    end_length: self.length,
                });
            }
        }
    }
}

/// Whether a byte of a comparable text belongs to a letter or a digit.
const fn is_letter(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte >= 0x80
}

/// The length of a character that is a word by itself: of a script that puts no spaces between words
/// (Han, kana, Hangul, Thai, Lao, Burmese, Khmer).
fn lone(text: &[u8]) -> Option<usize> {
    match text {
        [0xe3..=0xed, ..] | [0xe0, 0xb8..=0xbb, ..] | [0xe1, 0x80..=0x82 | 0x9e | 0x9f, ..] => {
            Some(3.min(text.len()))
        }
        [0xf0, 0xa0..=0xb1, ..] => Some(4.min(text.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
