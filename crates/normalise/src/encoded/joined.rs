//! Words held apart by nothing but characters that are not seen.
//!
//! Comparable text leaves invisible characters out, which mends a word that they break up, and joins words that they
//! stand between. So a text with several zero-width spaces between letters is read a second time, with spaces there.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use memchr::memmem;

use super::{View, put};
use crate::{budget::Budget, fold::is_word, transform::Transform};

/// The characters of [`is_unseen_space`] in UTF-8.
const LEADS: [&[u8]; 3] = [b"\xe2\x80\x8b", b"\xe2\x81\xa0", b"\xef\xbb\xbf"];

/// Fewer than this are left to the ordinary reading.
const FEWEST: usize = 2;

pub(super) fn views(source: &str, budget: &mut Budget, out: &mut Vec<View>) {
    let first = LEADS.iter().filter_map(|lead| memmem::find(source.as_bytes(), lead)).min();
    let Some(range) = first.and_then(|first| stretch(source, first)) else { return };
    if range.len() > budget.bytes {
        budget.exhausted = true;
        return;
    }
    let mut text = String::new();
    text.extend(
        source
            .get(range.clone())
            .unwrap_or_default()
            .chars()
            .map(|c| if is_unseen_space(c) { ' ' } else { c }),
    );
    put(Transform::Invisibles, range, text, budget, out);
}

/// From the first word to the last one that such a character touches, if there are enough of them.
fn stretch(source: &str, first: usize) -> Option<Range<usize>> {
    let mut from = first;
    let before = source.get(..first)?;
    from -= before.chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8).sum::<usize>();
    let (mut start, mut end, mut count) = (None, first, 0);
    // Where the words held together began, whether a hidden space came since the last letter, and whether any did.
    let (mut begun, mut pending, mut joined) = (None, false, false);
    for (at, c) in source.get(from..)?.char_indices() {
        if is_unseen_space(c) {
            pending |= begun.is_some();
        } else if is_word(c) {
            let begun = *begun.get_or_insert(from + at);
            if pending {
                count += 1;
                joined = true;
                start.get_or_insert(begun);
            }
            pending = false;
            if joined {
                end = from + at + c.len_utf8();
            }
        } else {
            (begun, pending, joined) = (None, false, false);
        }
    }
    (count >= FEWEST).then_some(start?..end)
}

/// Zero-width space, word joiner and zero-width no-break space: the ones that have no part in any spelling.
const fn is_unseen_space(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}
