//! What holds for whatever the host hands over, for fuzzers. Panics when it does not.

use crate::headers::pairs;

/// Headers in a text are read as they were written, up to the first without a name.
pub fn headers(text: &str) {
    let mut written = Vec::new();
    for (name, value) in pairs(text) {
        assert!(!name.is_empty());
        written.extend_from_slice(name);
        written.push(b'\n');
        written.extend_from_slice(value);
        written.push(b'\n');
    }
    let read = written.strip_suffix(b"\n").unwrap_or_default();
    assert!(text.as_bytes().starts_with(read), "{text:?}");
}
