//! Names that occur twice in one object.

use alloc::{borrow::Cow, vec::Vec};

use super::{Document, NodeId};

/// Objects up to this size are compared pair by pair, larger ones sorted.
const FEW: usize = 8;

/// The first name of an object that occurred before in it, escapes undone: `"a"` and `"\u0061"` are one name.
///
/// Takes a time of O(n log n) in the object's length, whatever the names are.
pub(super) fn repeated(document: &Document<'_>, object: NodeId) -> Option<NodeId> {
    if document.count(object) < 2 {
        return None;
    }
    if document.count(object) <= FEW {
        return repeated_of_few(document, object);
    }
    let mut names: Vec<(Cow<'_, str>, NodeId)> =
        document.members(object).map(|(key, _)| (document.text(key), key)).collect();
    names.sort_unstable();
    names
        .windows(2)
        .filter_map(|pair| match pair {
            [(before, _), (name, id)] if before == name => Some(*id),
            _ => None,
        })
        .min()
}

fn repeated_of_few(document: &Document<'_>, object: NodeId) -> Option<NodeId> {
    let mut names: [&str; FEW] = [""; FEW];
    for (filled, (key, _)) in document.members(object).enumerate() {
        if document.is_escaped(key) {
            return repeated_by_text(document, object);
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

/// As [`repeated_of_few`], for names with escapes.
fn repeated_by_text(document: &Document<'_>, object: NodeId) -> Option<NodeId> {
    let mut names: Vec<Cow<'_, str>> = Vec::with_capacity(FEW);
    for (key, _) in document.members(object) {
        let name = document.text(key);
        if names.contains(&name) {
            return Some(key);
        }
        names.push(name);
    }
    None
}
