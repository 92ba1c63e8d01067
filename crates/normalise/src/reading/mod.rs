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
mod parted;
mod pieces;
mod pig_latin;
mod repeated;
mod rotated;
mod signals;
pub(crate) mod spaced;
mod stretches;
mod typos;
mod vowels;
mod word_order;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use crate::{
    budget::Budget,
    encoded::{View, put, regrouped},
    language::{fluency, naturalness},
    marks::Marks,
    transform::Transform,
};
use counts::Counts;
use stretches::Tally;

/// Bytes of one stretch; what is longer is read in parts.
const LONGEST: usize = 8 * 1024;

/// Bytes of a text that is read as a whole where it is strange here and there.
const SHORT: usize = 1024;

/// Shorter texts, such as names and ids, have no readings: a trick of writing needs words to show.
const SHORTEST: usize = 12;

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
    if source.len() < SHORTEST {
        return;
    }
    if let Some(text) = word_order::read(source) {
        put(Transform::WordOrder, 0..source.len(), text, budget, out);
    }
    if marks.has_any(b"+*<") {
        pieces::views(source, budget, out);
    }
    parted::views(source, budget, out);
    let bytes = source.as_bytes();
    let (mut from, mut covered, mut tally) = (0, 0, Tally::default());
    while let Some(range) = stretches::next(bytes, marks, from, &mut tally) {
        from = range.end.max(from + 1);
        covered += range.len();
        let range = source.ceil_char_boundary(range.start)..source.floor_char_boundary(range.end);
        if is_decoded(&range, out) {
            continue;
        }
        if !budget.step(range.len()) {
            return;
        }
        let end = source.floor_char_boundary(range.start + budget.try_stretch(range.len()));
        let range = range.start..end;
        if let Some(stretch) = source.get(range.clone()).filter(|stretch| !stretch.is_empty()) {
            read(stretch, &range, true, budget, out);
        }
    }
    // Strange words all over a text, with others between them.
    let all = 0..source.len();
    let whole = tally.has_slips() && covered * 5 < source.len() * 4 && source.len() <= SHORT;
    if whole
        && !is_decoded(&all, out)
        && budget.step(source.len())
        && budget.try_stretch(source.len()) == source.len()
    {
        if tally.is_odd() {
            read(source, &all, false, budget, out);
        } else if let Some((transform, text)) = typos::read(source, fluency(source.as_bytes())) {
            put(transform, all, text, budget, out);
        }
    }
}

/// Whether most of a stretch was read as a code already.
fn is_decoded(range: &Range<usize>, views: &[View]) -> bool {
    // What decodes to little else than its beginning was not base64.
    let whole = |view: &&View| view.transform != Transform::Base64 || view.text.len() * 2 > view.source.len();
    let codes = views.iter().filter(|view| view.transform.is_exact()).filter(whole);
    let common = |code: &Range<usize>| code.end.min(range.end).saturating_sub(code.start.max(range.start));
    codes.map(|view| common(&view.source)).sum::<usize>() * 2 > range.len()
}

/// Whether most of a stretch was told apart already, run by run.
fn are_joined(range: &Range<usize>, views: &[View]) -> bool {
    let joined = views.iter().filter(|view| view.transform == Transform::Joined);
    let inside = joined.filter(|view| view.source.start >= range.start && view.source.end <= range.end);
    inside.map(|view| view.source.len()).sum::<usize>() * 5 > range.len() * 3
}

/// Tries what the stretch's characters suggest; the first that reads well is kept. What is strange only `throughout` may
/// be a cipher.
fn read(stretch: &str, range: &Range<usize>, throughout: bool, budget: &mut Budget, out: &mut Vec<View>) {
    let counts = Counts::of(stretch.as_bytes());
    let before = fluency(stretch.as_bytes());
    // Letters that follow each other as in a language are no cipher's, unless it keeps them together.
    let front = stretch.as_bytes().get(..NATURAL_IN).unwrap_or(stretch.as_bytes());
    let natural = !throughout || naturalness(front) >= NATURAL;
    let reading = codes::read(stretch, &counts)
        .or_else(|| if natural { None } else { regrouped::read(stretch) })
        .or_else(|| signals::morse(stretch, &counts))
        .or_else(|| signals::spelling(stretch))
        .or_else(|| spaced::read(stretch, &counts, before))
        .or_else(|| parted::within(stretch))
        .or_else(|| if are_joined(range, out) { None } else { joined::read(stretch, &counts) })
        .or_else(|| leet::read(stretch, &counts, before))
        .or_else(|| if natural { None } else { rotated::letters(stretch, &counts, before) })
        .or_else(|| rotated::printable(stretch, &counts, before))
        .or_else(|| if throughout { mirrored::read(stretch, before) } else { None })
        .or_else(|| pig_latin::read(stretch, &counts, before))
        .or_else(|| repeated::read(stretch, before))
        .or_else(|| pieces::read(stretch, &counts, before))
        .or_else(|| base85::read(stretch, &counts));
    let reading = reading
        .or_else(|| if throughout { vowels::read(stretch, &counts, before, budget) } else { None })
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
