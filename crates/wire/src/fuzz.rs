//! Bodies for fuzzing, run by the tests too. Each holds a reader to what it promises, for any bytes.

use crate::{Batch, DecisionFeed, DecodedBatch, EventId, Subject, limits, signature};

/// What was read can be written and read again, is within the limits, and nothing is lost on the way.
///
/// # Panics
/// When a promise is broken.
pub fn batch(data: &[u8]) {
    for decoded in [Batch::decode(data), Batch::decode_cloud_events(data)].into_iter().flatten() {
        decoded_batch(decoded);
    }
}

fn decoded_batch(DecodedBatch { dropped, events, rejected }: DecodedBatch) {
    assert!(events.len() + rejected.len() <= limits::MAX_EVENTS, "more events than allowed");
    for pair in rejected.windows(2) {
        let [first, second] = pair else { continue };
        assert!(first.index < second.index, "the rejected are in order");
    }
    for error in &rejected {
        assert!(error.reason.len() <= 2048, "a reason is short: {}", error.reason.len());
        assert!(!error.reason.chars().any(char::is_control), "a reason is one line: {}", error.reason);
    }
    let batch = Batch::new(dropped, events.clone());
    assert_eq!(batch.events, events, "what was accepted fits as it is");
    // Escapes may be longer than what they came from, so that a body near the limit can be beyond it when rewritten.
    let json = batch.to_json();
    if json.len() <= limits::MAX_BATCH_BYTES {
        let again = Batch::decode(&json);
        assert!(again.is_ok_and(|again| {
            again.events == events && again.rejected.is_empty() && again.dropped == dropped
        }));
    }
}

/// Only the text that [`signature::Key::sign`] made is accepted.
///
/// # Panics
/// When another is.
pub fn signature(data: &[u8]) {
    let Some((head, body)) = data.split_at_checked(data.len() / 2) else { return };
    let Ok(header) = core::str::from_utf8(head) else { return };
    let Ok(key) = signature::Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") else { return };
    let expected = key.sign("msg_1", 1_614_265_330, body);
    let accepted = signature::verify(&[key], 1_614_265_330, "msg_1", "1614265330", header, body).is_ok();
    let given = header.split_ascii_whitespace().filter(|s| s.starts_with("v1,")).take(4);
    assert_eq!(accepted, given.into_iter().any(|s| s == expected), "{header:?}");
}

/// An id that was read is written as the same text, in lower case, and comes back from its bytes.
///
/// # Panics
/// When it does not.
pub fn id(data: &[u8]) {
    use alloc::string::ToString as _;
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Ok(id) = text.parse::<EventId>() else { return };
    assert_eq!(id.to_string(), text.to_ascii_lowercase());
    assert_eq!(EventId::from_bytes(id.to_bytes()), Ok(id));
    assert!(id.unix_ms() < 1 << 48);
    let before = EventId::new(id.unix_ms().saturating_sub(1), [0; 10]);
    assert!(before <= id, "ids sort by time");
}

/// A feed that was read is written and read again as the same one, within the limits.
///
/// # Panics
/// When it is not.
pub fn feed(data: &[u8]) {
    let Ok(feed) = DecisionFeed::decode(data) else { return };
    assert!(feed.entries.len() + feed.rejected <= limits::MAX_FEED_ENTRIES, "more decisions than allowed");
    for decision in &feed.entries {
        let subject = &decision.subject;
        assert_eq!(Subject::parse(subject.scope(), &subject.value()).as_ref(), Some(subject));
    }
    let json = feed.to_json();
    if json.len() <= limits::MAX_FEED_BYTES {
        assert_eq!(DecisionFeed::decode(&json), Ok(DecisionFeed { rejected: 0, ..feed }));
    }
}
