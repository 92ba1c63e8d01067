//! What a reader accepts. Each limit keeps a hostile or broken sender from using up the relay.

/// Largest batch body in bytes. A thousand ordinary events of about 800 bytes fit.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// Most events in a batch.
pub const MAX_EVENTS: usize = 1000;
/// Most findings in an event; a filter sends the worst ones.
pub const MAX_FINDINGS: usize = 32;
/// Longest string of an event in bytes, evidence included.
pub const MAX_STRING_BYTES: usize = 2048;
/// Most tags or transforms in a finding.
pub const MAX_TAGS: usize = 16;
