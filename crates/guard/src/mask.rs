//! Replacing what must not be read.

use alloc::{string::String, vec::Vec};
use core::{cmp::Reverse, ops::Range};

use decode::escaped;

/// What stands in an answer in place of what was masked.
pub(crate) const REDACTED: &str = "[redacted]";

/// A value of the request that the model got a placeholder for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) placeholder: String,
    pub(crate) value: String,
}

impl core::fmt::Debug for Restored {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Restored").field("placeholder", &self.placeholder).finish_non_exhaustive()
    }
}

impl Restored {
    /// The value as it stands in a text; the arguments of a call are JSON themselves.
    pub(crate) fn written(&self, in_json: bool) -> String {
        if in_json { escaped(&self.value) } else { self.value.clone() }
    }
}

/// A body with stretches of it replaced; `None` if there are none. Of those that overlap, the first is replaced with all
/// that they cover.
pub(crate) fn replace(body: &[u8], mut edits: Vec<(Range<usize>, String)>) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|(range, _)| (range.start, Reverse(range.end)));
    let mut changed = Vec::with_capacity(body.len());
    let mut at = 0;
    for (range, with) in edits {
        if range.start >= at {
            changed.extend_from_slice(body.get(at..range.start).unwrap_or_default());
            changed.extend_from_slice(with.as_bytes());
        }
        at = at.max(range.end);
    }
    changed.extend_from_slice(body.get(at..).unwrap_or_default());
    Some(changed)
}

/// What follows a match that belongs to it and may lie behind the text that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    None,
    /// What goes on without a space: tokens and addresses may be longer than what is looked at together.
    Run,
    /// A key in PEM form, up to the line that ends it (RFC 7468, section 2).
    Key,
}

/// Bytes of a key that is not ended; one of 16,384 bits has 12,700.
const MAX_KEY: usize = 16 << 10;

/// What has to be masked of a match of `rule` in `text`, and what may have to be behind the text.
pub(crate) fn extent(rule: &str, text: &str, span: Range<usize>) -> (Range<usize>, Rest) {
    if rule.starts_with("secret.key.") {
        return match key_end(text.get(span.start..).unwrap_or_default()) {
            Some(end) => (span.start..span.start + end, Rest::None),
            None => (span.start..text.len(), Rest::Key),
        };
    }
    let rest = if span.end == text.len() { Rest::Run } else { Rest::None };
    (span, rest)
}

/// The same for a match that was known before and reaches up to `at` in `text`, `length` bytes of it masked so far.
pub(crate) fn goes_on(rest: Rest, text: &str, at: usize, length: usize) -> (usize, Rest) {
    let behind = text.get(at..).unwrap_or_default();
    let end = match rest {
        Rest::None => Some(at),
        // The line that ends it may have begun before.
        Rest::Key => key_end(text).or_else(|| (length > MAX_KEY).then_some(at)),
        Rest::Run => {
            let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')');
            behind.find(is_end).map(|run| at + run)
        }
    };
    end.map_or((text.len(), rest), |end| (end.max(at), Rest::None))
}

/// Where the line ends that closes a key.
fn key_end(text: &str) -> Option<usize> {
    const END: &str = "-----END";
    const DASHES: &str = "-----";
    let label = text.find(END)? + END.len();
    let dashes = text.get(label..)?.find(DASHES)?;
    Some(label + dashes + DASHES.len())
}
