//! Names that occur twice in one object.

use alloc::{borrow::Cow, collections::BinaryHeap};

use super::{Document, NodeId};

/// Objects up to this size are compared pair by pair, larger ones sorted.
const FEW: usize = 8;

/// The first name of an object that occurred before in it, escapes undone: `"a"` and `"\u0061"` are one name.
///
/// Takes a time of O(n log n) in the object's length, whatever the names are.
pub(super) fn repeated(document: &Document<'_>, object: NodeId) -> Option<NodeId> {
    match document.count(object) {
        0 | 1 => None,
        2..=FEW => repeated_of_few(document, object),
        _ => repeated_of_many(document, object),
    }
}

fn repeated_of_few(document: &Document<'_>, object: NodeId) -> Option<NodeId> {
    let mut names: [&str; FEW] = [""; FEW];
    for (filled, (key, _)) in document.members(object).enumerate() {
        if document.is_escaped(key) {
            return repeated_of_many(document, object);
        }
        let name = document.written(key);
        if names.iter().take(filled).any(|before| *before == name) {
            return Some(key);
        }
        if let Some(place) = names.get_mut(filled) {
            *place = name;
        }
    }
    None
}

/// Sorts by a hash, since numbers sort ten times faster than names; only names whose hashes agree are compared. A heap
/// sorts slower than a slice's `sort`, and in an eighth of its code.
fn repeated_of_many(document: &Document<'_>, object: NodeId) -> Option<NodeId> {
    let hashes: BinaryHeap<(u64, NodeId)> =
        document.members(object).map(|(key, _)| (hash(document.text(key).as_bytes()), key)).collect();
    let hashes = hashes.into_sorted_vec();
    hashes.chunk_by(|(one, _), (other, _)| one == other).filter_map(|same| repeated_of(document, same)).min()
}

/// The first name that occurred before among those of one hash, in order. The hash is no secret, so a hostile object can
/// have many of them: they are sorted, too.
fn repeated_of(document: &Document<'_>, same: &[(u64, NodeId)]) -> Option<NodeId> {
    if same.len() < 2 {
        return None;
    }
    let names: BinaryHeap<(Cow<'_, str>, NodeId)> =
        same.iter().map(|(_, key)| (document.text(*key), *key)).collect();
    let names = names.into_sorted_vec();
    let pairs = names.iter().zip(names.iter().skip(1));
    pairs.filter(|((before, _), (name, _))| before == name).map(|(_, (_, key))| *key).min()
}

/// A quick hash, eight bytes at a time (the multiplier is FxHash's, from Firefox).
fn hash(name: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;
    let (words, rest) = name.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    words.fold(length, |hash, word| (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER))
}
