//! Random bytes of the operating system.

use wire::EventId;

/// Random bytes. Should the system have none, the clock's nanoseconds stand in: what they are used for here (ids that
/// must not meet, jitter) needs no secrecy.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(now.as_nanos().to_le_bytes().into_iter().cycle()) {
            *to = from;
        }
    }
    bytes
}

/// A new UUIDv7.
pub(crate) fn uuid(now_ms: u64) -> EventId {
    EventId::new(now_ms, bytes())
}

/// A number below `bound`; 0 if that is 0.
pub(crate) fn below(bound: u64) -> u64 {
    u64::from_le_bytes(bytes()).checked_rem(bound).unwrap_or(0)
}
