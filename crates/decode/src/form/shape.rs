//! The dimensions of nested arrays.

use alloc::vec::Vec;

use crate::{
    json::{Document, Kind, NodeId},
    limits::MAX_DIMENSIONS,
};

/// The dimensions of a numeric array, outermost first; `None` when it is ragged, mixed or has too many of them.
pub(super) fn rectangle(document: &Document<'_>, array: NodeId) -> Option<Vec<usize>> {
    let mut shape = Vec::new();
    let mut at = array;
    loop {
        shape.push(document.count(at));
        if shape.len() > MAX_DIMENSIONS {
            return None;
        }
        match document.elements(at).next() {
            Some(first) if document.kind(first) == Kind::Array => at = first,
            _ => break,
        }
    }
    fits(document, array, &shape).then_some(shape)
}

/// Whether an array has just these dimensions.
fn fits(document: &Document<'_>, array: NodeId, shape: &[usize]) -> bool {
    let Some((length, inner)) = shape.split_first() else { return false };
    document.count(array) == *length
        && document.elements(array).all(|element| {
            let nested = document.kind(element) == Kind::Array;
            if inner.is_empty() { !nested } else { nested && fits(document, element, inner) }
        })
}
