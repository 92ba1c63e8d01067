//! Text written backwards: all of it, or each word.

use alloc::{string::String, vec::Vec};

use super::{Reading, WORDS, reads_better};
use crate::{
    fold::is_alphanumeric,
    language::{Hash, LONGEST, fluency, words},
    transform::Transform,
};

/// So much better an order leaves no doubt.
const SURE: i32 = 4;
const UNSURE: i32 = -3;

/// Bytes of a stretch that are tried before all of it is turned.
const TRIED: usize = 256;

/// Bytes whose order is looked at.
pub(super) const ORDERED: usize = 192;

/// Words that are asked before the stretch is turned.
const FIRST: usize = 12;

pub(super) fn read(stretch: &str, before: u32) -> Reading {
    let head = stretch.get(..stretch.floor_char_boundary(TRIED)).unwrap_or_default();
    // One word in six turned round is a word, or it is no use to go on.
    let first = || words(head.as_bytes()).filter(|word| word.len() > 2).take(FIRST);
    if first().filter(|word| is_known_backwards(word)).count() * 6 < first().count() {
        return None;
    }
    // Whether the whole is turned or each word, the words come out.
    let backwards: Vec<u8> = head.bytes().rev().collect();
    if fluency(&backwards) < WORDS || !reads_better(&backwards, before) {
        return None;
    }
    let whole: String = stretch.chars().rev().collect();
    let each = words_turned(stretch);
    // What hardly tells the order keeps both.
    let text = match in_order(whole.as_bytes()) - in_order(each.as_bytes()) {
        SURE.. => whole,
        UNSURE..SURE => [whole, each].join("\n\n"),
        _ => each,
    };
    Some((Transform::Reversed, text))
}

fn is_known_backwards(word: &[u8]) -> bool {
    word.len() <= LONGEST && word.iter().rev().fold(Hash::EMPTY, |hash, letter| hash.with(*letter)).is_known()
}

/// The text with each run of characters between white space turned round, its punctuation left behind it.
fn words_turned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let core = word.trim_end_matches(|c: char| !is_alphanumeric(c));
        let lead = core.len() - core.trim_start_matches(|c: char| !is_alphanumeric(c)).len();
        out.push_str(core.get(..lead).unwrap_or_default());
        out.extend(core.get(lead..).unwrap_or_default().chars().rev());
        out.push_str(piece.get(core.len()..).unwrap_or_default());
    }
    out
}

/// Words that are followed by another much more often than they end a phrase.
const LEADING: [&[u8]; 24] = [
    b"the",
    b"a",
    b"an",
    b"your",
    b"my",
    b"all",
    b"any",
    b"these",
    b"this",
    b"of",
    b"to",
    b"in",
    b"and",
    b"with",
    b"for",
    b"from",
    b"no",
    b"every",
    b"i",
    b"is",
    b"are",
    b"new",
    b"please",
    b"previous",
];

/// Words that such a word hardly ever stands before.
const AFTER: [&[u8]; 14] = [
    b"of", b"to", b"in", b"and", b"for", b"from", b"is", b"are", b"or", b"with", b"you", b"that", b"ignore",
    b"reveal",
];

/// Words that sentences begin with and hardly ever end with; requests before all.
pub(super) const BEGINNING: [&[u8]; 37] = [
    b"ignore",
    b"forget",
    b"disregard",
    b"print",
    b"tell",
    b"reveal",
    b"show",
    b"repeat",
    b"act",
    b"what",
    b"how",
    b"please",
    b"you",
    b"write",
    b"translate",
    b"output",
    b"give",
    b"pretend",
    b"imagine",
    b"from",
    b"update",
    b"drop",
    b"override",
    b"stop",
    b"don",
    b"let",
    b"say",
    b"list",
    b"summarize",
    b"explain",
    b"respond",
    b"answer",
    b"complete",
    b"convert",
    b"hello",
    b"hi",
    b"bypass",
];

/// How much the order of the words is that of a sentence: pairs that fit less those that do not.
pub(super) fn in_order(text: &[u8]) -> i32 {
    let head = text.get(..ORDERED).unwrap_or(text).to_ascii_lowercase();
    let words: Vec<&[u8]> = words(&head).collect();
    let articles = LEADING.get(..9).unwrap_or_default();
    let mut score = 0;
    for pair in words.windows(2) {
        let [first, second] = pair else { continue };
        if articles.contains(first) && AFTER.contains(second) {
            score -= 2;
        }
        // A preposition or verb before its article.
        if AFTER.contains(first) && articles.contains(second) {
            score += 2;
        }
    }
    if words.last().is_some_and(|last| LEADING.contains(last)) {
        score -= 1;
    }
    score += words.first().map_or(0, |first| if BEGINNING.contains(first) { 2 } else { 0 });
    score -= words.last().map_or(0, |last| if BEGINNING.contains(last) { 2 } else { 0 });
    // A sentence begins with a capital and ends with a stop.
    let letter = text.iter().find(|byte| byte.is_ascii_alphanumeric());
    let last = text.iter().rev().find(|byte| !byte.is_ascii_whitespace());
    score += i32::from(letter.is_some_and(u8::is_ascii_uppercase));
    score + i32::from(last.is_some_and(|last| b".!?".contains(last)))
}
