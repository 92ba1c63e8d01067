//! Long runs of letters and digits, which may be base64 or hexadecimal.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use super::{View, base32, base58, base64, hex, joined_words, put, text};
use crate::{budget::Budget, marks::Marks, swar, transform::Transform};

/// A run at most this long is looked at closely; a longer one, an image most likely, in wider steps.
const CLOSE: usize = 1024;

pub(super) fn views(source: &str, marks: &Marks, budget: &mut Budget, out: &mut Vec<View>) {
    let bytes = source.as_bytes();
    let mut at = 0;
    while let Some(dense) = marks.next_dense(at, bytes.len()) {
        at = dense.start;
        while let Some(run) = bytes.get(..dense.end).and_then(|bytes| next_run(bytes, at)) {
            at = in_run(bytes, &run, budget, out).max(run.end);
        }
        at = at.max(dense.end);
    }
}

/// The next run of at least [`base64::SHORTEST`] symbols.
///
/// Cut into groups of eight anywhere, a text has one group that lies wholly within such a run.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let (groups, _) = rest.as_chunks::<8>();
        let group = at + 8 * groups.iter().position(|group| may_be_symbols(u64::from_le_bytes(*group)))?;
        let before = bytes.get(from..group).unwrap_or_default();
        let behind = bytes.get(group..).unwrap_or_default();
        let is_symbol = |byte: &&u8| base64::is_symbol(**byte);
        let start = group - before.iter().rev().take_while(is_symbol).count();
        let end = group + behind.iter().take_while(is_symbol).count();
        if end - start >= base64::SHORTEST {
            return Some(start..end);
        }
        at = end.max(group + 8);
    }
}

/// Whether eight bytes may all be symbols; `false` is certain. Lets `,` and `.` pass too.
#[inline(always)]
const fn may_be_symbols(eight: u64) -> bool {
    let letter = swar::between(eight | swar::splat(0x20), b'a', b'z');
    let other = swar::between(eight, b'+', b'9') | swar::between(eight, b'_', b'_');
    letter | other == swar::HIGHS
}

/// Decodes what the run holds. Returns how far it got, which may be further than the run's end.
fn in_run(bytes: &[u8], run: &Range<usize>, budget: &mut Budget, out: &mut Vec<View>) -> usize {
    if let Some(end) = whole_hex(bytes, run, budget, out) {
        return end;
    }
    if let Some(end) = whole_other(bytes, run, budget, out) {
        return end;
    }
    let step = if run.len() <= CLOSE { base64::SHORTEST } else { 4 * base64::SHORTEST };
    let mut from = run.start;
    let mut at = run.start;
    while at + base64::SHORTEST <= run.end {
        let rest = bytes.get(at..run.end).unwrap_or_default();
        // A letter put before the encoded text shifts it: each of the four phases is tried.
        let phase = (0..4).find(|phase| rest.get(*phase..).is_some_and(base64::sniff));
        let Some(phase) = phase else {
            at += step;
            continue;
        };
        let start = base64::beginning(bytes, from, at + phase);
        let (text, range, cut) = base64::decode(bytes, start, budget.bytes);
        budget.exhausted |= cut;
        from = range.end;
        at = range.end.max(at + base64::SHORTEST);
        if let Some(text) = text {
            put(Transform::Base64, range, text, budget, out);
        }
    }
    at.min(bytes.len())
}

fn whole_hex(bytes: &[u8], run: &Range<usize>, budget: &mut Budget, out: &mut Vec<View>) -> Option<usize> {
    if run.len() < hex::SHORTEST {
        return None;
    }
    let symbols = bytes.get(run.clone())?;
    if let Some((text, taken, cut)) = hex::decode_marked(symbols, budget.bytes) {
        budget.exhausted |= cut;
        put(Transform::Hex, run.start..run.start + taken, text, budget, out);
        return Some(run.start + taken);
    }
    // `0x…` is of the notation.
    let prefix = if symbols.starts_with(b"0x") || symbols.starts_with(b"0X") { 2 } else { 0 };
    let (text, digits, cut) = hex::decode(symbols.get(prefix..)?, budget.bytes)?;
    budget.exhausted |= cut;
    let range = run.start + prefix..run.start + prefix + digits;
    let end = range.end;
    put(Transform::Hex, range, text, budget, out);
    Some(end)
}

/// Base32 and binary digits, of which the whole run must be; words, of which the letters in it may be.
fn whole_other(bytes: &[u8], run: &Range<usize>, budget: &mut Budget, out: &mut Vec<View>) -> Option<usize> {
    let symbols = bytes.get(run.clone())?;
    if let Some((text, cut)) = base32::decode(symbols, budget.bytes) {
        budget.exhausted |= cut;
        let padding = bytes.get(run.end..)?.iter().take(6).take_while(|byte| **byte == b'=').count();
        put(Transform::Base32, run.start..run.end + padding, text, budget, out);
        return Some(run.end + padding);
    }
    if let Some(text) = binary(symbols) {
        put(Transform::Binary, run.clone(), text, budget, out);
        return Some(run.end);
    }
    let letters = symbols.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if base58::is_whole(symbols)
        && budget.step(base58::steps(symbols.len()))
        && let Some(text) = base58::decode(symbols)
    {
        put(Transform::Base58, run.clone(), text, budget, out);
        return Some(run.end);
    }
    if letters >= joined_words::SHORTEST && budget.step(joined_words::STEPS * letters) {
        let text = joined_words::read(symbols.get(..letters)?)?;
        put(Transform::Joined, run.start..run.start + letters, text, budget, out);
        return Some(run.start + letters);
    }
    None
}

/// The text of binary digits without gaps, eight a byte.
fn binary(digits: &[u8]) -> Option<String> {
    if digits.len() < 64 || !digits.iter().all(|digit| matches!(digit, b'0' | b'1')) {
        return None;
    }
    let (bytes, _) = digits.as_chunks::<8>();
    let bytes = bytes.iter().map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')));
    text::front(bytes.collect())
}
