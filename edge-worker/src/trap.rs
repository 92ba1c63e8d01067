//! For tests alone (feature `trap`): a mistake in the guard that a request can trigger.

/// What a path or a body has to hold.
const MARK: &[u8] = b"modelgate-trap";

/// Panics if the bytes hold the mark, as a mistake in the guard would on some input.
#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn spring(bytes: &[u8]) {
    if bytes.windows(MARK.len()).any(|window| window == MARK) {
        panic!("a trap was asked for");
    }
}
