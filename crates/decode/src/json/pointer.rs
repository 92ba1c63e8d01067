//! JSON pointers (RFC 6901) to nodes.

use alloc::string::String;
use core::fmt::Write as _;

use super::{Document, Kind, NodeId};
use crate::limits::MAX_PLACE_BYTES;

impl Document<'_> {
    /// The pointer to a value; for a name, to its member. Cut to [`MAX_PLACE_BYTES`] with `…` at the end.
    pub(crate) fn pointer(&self, target: NodeId) -> String {
        let mut pointer = String::new();
        let mut at = NodeId::ROOT;
        while at != target {
            let Some(inner) = self.step(at, target, &mut pointer) else { break };
            at = inner;
            if pointer.len() > MAX_PLACE_BYTES {
                pointer.truncate(pointer.floor_char_boundary(MAX_PLACE_BYTES - '…'.len_utf8()));
                pointer.push('…');
                break;
            }
        }
        pointer
    }

    /// Writes the step from a container to what holds the target in it.
    fn step(&self, container: NodeId, target: NodeId, pointer: &mut String) -> Option<NodeId> {
        if self.kind(container) == Kind::Object {
            let (key, value) = self.members(container).find(|(_, value)| target < self.next(*value))?;
            pointer.push('/');
            push_name(&self.text(key), pointer);
            return Some(if target == key { key } else { value });
        }
        let mut index = 0;
        for element in self.elements(container) {
            if target < self.next(element) {
                // Writing to a String cannot fail.
                let _ = write!(pointer, "/{index}");
                return Some(element);
            }
            index += if self.kind(element) == Kind::Numbers { self.count(element) } else { 1 };
        }
        None
    }
}

/// Writes a name as a step of a pointer.
pub(crate) fn push_name(name: &str, pointer: &mut String) {
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
        if pointer.len() > MAX_PLACE_BYTES {
            break;
        }
    }
}
