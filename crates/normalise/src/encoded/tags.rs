//! Text spelt in tag characters (U+E0020 to U+E007E), which models read and people do not see.

use alloc::{string::String, vec::Vec};

use memchr::memmem;

use super::{View, put};
use crate::{budget::Budget, invisible::tagged, transform::Transform};

/// The first two bytes of every tag character in UTF-8.
const LEAD: &[u8] = b"\xf3\xa0";

/// A waving black flag before tag characters makes the flag of a region; its code has at most six.
const FLAG: char = '\u{1f3f4}';
const REGION: usize = 6;

/// Fewer hidden characters, flags apart, say nothing.
const SHORTEST: usize = 3;

pub(super) fn views(source: &str, budget: &mut Budget, out: &mut Vec<View>) {
    let Some(first) = memmem::find(source.as_bytes(), LEAD) else { return };
    let from =
        source.get(..first).and_then(|before| before.char_indices().next_back()).map_or(0, |(at, _)| at);
    let mut text = String::new();
    let (mut start, mut end) = (first, first);
    // How many tag characters the flag before them may still take.
    let mut region = 0;
    for (at, c) in source.get(from..).unwrap_or_default().char_indices() {
        let Some(hidden) = tagged(c) else {
            region = if c == FLAG { REGION } else { 0 };
            continue;
        };
        if region > 0 {
            region -= 1;
            continue;
        }
        if text.len() == budget.bytes {
            budget.exhausted = true;
            break;
        }
        if text.is_empty() {
            start = from + at;
        }
        text.push(hidden);
        end = from + at + c.len_utf8();
    }
    if text.len() >= SHORTEST {
        put(Transform::Tags, start..end, text, budget, out);
    }
}
