//! Other readings of a text: what it says once a trick of writing is undone.
//!
//! Ordinary text costs next to nothing here: words are sampled, and only where one after another is none of the
//! commonest is a stretch looked at ([`stretches`]). A reading is made when the stretch bears the trick's mark *and* what
//! comes out is words, while what stands there is not.

mod base85;
mod codes;
mod counts;
mod joined;
mod leet;
mod mirrored;
mod pieces;
mod pig_latin;
mod repeated;
mod rotated;
mod signals;
pub(crate) mod spaced;
mod stretches;
mod typos;
mod word_order;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use crate::{
    budget::Budget,
    encoded::{View, put},
    language::{fluency, naturalness},
    marks::Marks,
    transform::Transform,
};
use counts::Counts;

/// Bytes of one stretch; what is longer is read in parts.
const LONGEST: usize = 8 * 1024;

/// A reading has to be words to this share, per mille of its characters …
const WORDS: u32 = 420;

/// … and by so much more than what stands there.
const MORE: u32 = 200;

/// Letters are in a language's order from this on, per mille, and so many bytes tell.
const NATURAL: u32 = 830;
const NATURAL_IN: usize = 256;

/// What a reading gives.
type Reading = Option<(Transform, String)>;

pub(crate) fn views(source: &str, marks: &Marks, budget: &mut Budget, out: &mut Vec<View>) {
    if let Some(text) = word_order::read(source) {
        put(Transform::WordOrder, 0..source.len(), text, budget, out);
    }
    if marks.has_any(b"+*<") {
        pieces::views(source, budget, out);
    }
    let bytes = source.as_bytes();
    let mut from = 0;
    while let Some(range) = stretches::next(bytes, marks, from) {
        from = range.end.max(from + 1);
        let range = source.ceil_char_boundary(range.start)..source.floor_char_boundary(range.end);
        if !budget.step(range.len()) {
            return;
        }
        if let Some(stretch) = source.get(range.clone()) {
            read(stretch, &range, budget, out);
        }
    }
}

/// Tries what the stretch's characters suggest; the first that reads well is kept.
fn read(stretch: &str, range: &Range<usize>, budget: &mut Budget, out: &mut Vec<View>) {
    let counts = Counts::of(stretch.as_bytes());
    let before = fluency(stretch.as_bytes());
    // Letters that follow each other as in a language are no cipher's, unless it keeps them together.
    let front = stretch.as_bytes().get(..NATURAL_IN).unwrap_or(stretch.as_bytes());
    let natural = naturalness(front) >= NATURAL;
    let reading = codes::read(stretch, &counts)
        .or_else(|| signals::morse(stretch, &counts))
        .or_else(|| signals::spelling(stretch))
        .or_else(|| spaced::read(stretch, &counts, before))
        .or_else(|| joined::read(stretch, &counts))
        .or_else(|| leet::read(stretch, &counts, before))
        .or_else(|| if natural { None } else { rotated::read(stretch, &counts, before) })
        .or_else(|| mirrored::read(stretch, before))
        .or_else(|| pig_latin::read(stretch, &counts, before))
        .or_else(|| repeated::read(stretch, before))
        .or_else(|| pieces::read(stretch, before))
        .or_else(|| base85::read(stretch, &counts))
        .or_else(|| typos::read(stretch, before));
    if let Some((transform, text)) = reading {
        put(transform, range.clone(), text, budget, out);
    }
}

/// Whether a reading is worth more than what stands there.
fn reads_better(text: &[u8], before: u32) -> bool {
    let now = fluency(text);
    now >= WORDS && now >= before + MORE
}
