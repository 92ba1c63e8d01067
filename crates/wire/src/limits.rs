//! What a reader accepts. Each limit keeps a hostile or broken sender from using up the relay.

/// Largest batch body in bytes. A thousand ordinary events of about 800 bytes fit.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// Most events in a batch.
pub const MAX_EVENTS: usize = 1000;
/// Most findings in an event; a filter sends the worst ones.
pub const MAX_FINDINGS: usize = 32;
/// Longest string of an event in bytes, evidence included.
pub const MAX_STRING_BYTES: usize = 2048;
/// Longest name in bytes: of a model, node, route, caller, request, rule or tag. Names become labels, keys of indexes
/// and parts of file names.
pub const MAX_NAME_BYTES: usize = 256;
/// Most tags or transforms in a finding.
pub const MAX_TAGS: usize = 16;
/// Longest hash of an API key, in hex digits: 256 bits.
pub const MAX_HASH_BYTES: usize = 64;
/// The last moment an event may name, Unix milliseconds: the end of the year 9999, where calendars stop.
pub const MAX_TIME_MS: u64 = 253_402_300_799_999;
/// Largest feed of decisions in bytes: that many entries whose users have the longest names.
pub const MAX_FEED_BYTES: usize = 4 << 20;
/// Most decisions in one feed; a longer list comes in several. Bounds the time in which a filter's thread does nothing
/// else.
pub const MAX_FEED_ENTRIES: usize = 5000;
