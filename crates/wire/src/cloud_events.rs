//! Events in envelopes of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md),
//! one or a batch, as JSON: for what stands between a filter and the relay and speaks only that.

use alloc::{borrow::Cow, format, string::String, vec, vec::Vec};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Batch, BatchError, DecodedBatch, EventError,
    batch::{bounded, read_event, read_id},
    check::shown,
    limits,
};

/// The `type` of an envelope that holds an event.
pub const CLOUD_EVENT_TYPE: &str = "modelgate.event";
/// The media type of one envelope.
pub const CLOUD_EVENT: &str = "application/cloudevents+json";
/// The media type of a list of envelopes.
pub const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";

/// An envelope, as far as it concerns us; extensions are nobody's business here.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Batch {
    /// Reads one envelope or a list of them within [`limits`]. Bad ones are answered one by one, the good ones are kept.
    ///
    /// # Errors
    /// When the body as a whole is neither; see [`BatchError`].
    pub fn decode_cloud_events(body: &[u8]) -> Result<DecodedBatch, BatchError> {
        if body.len() > limits::MAX_BATCH_BYTES {
            return Err(BatchError::TooLarge { bytes: body.len() });
        }
        let malformed = |e: serde_json::Error| BatchError::Malformed { reason: bounded(&e) };
        let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let envelopes: Vec<&RawValue> = match is_list {
            true => serde_json::from_slice(body).map_err(malformed)?,
            false => vec![serde_json::from_slice(body).map_err(malformed)?],
        };
        if envelopes.len() > limits::MAX_EVENTS {
            return Err(BatchError::TooManyEvents { events: envelopes.len() });
        }
        let mut decoded = DecodedBatch { dropped: 0, events: Vec::new(), rejected: Vec::new() };
        for (index, envelope) in envelopes.into_iter().enumerate() {
            match open(envelope.get()) {
                Ok(data) => match read_event(data.get()) {
                    Ok(event) => decoded.events.push(event),
                    Err(reason) => {
                        let reason = format!("data: {reason}");
                        decoded.rejected.push(EventError { index, id: read_id(data.get()), reason });
                    }
                },
                Err(reason) => decoded.rejected.push(EventError { index, id: None, reason }),
            }
        }
        Ok(decoded)
    }
}

/// What an envelope holds.
fn open(text: &str) -> Result<&RawValue, String> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| bounded(&e))?;
    if envelope.specversion != "1.0" {
        return Err(format!("specversion: {} is not 1.0", shown(&envelope.specversion)));
    }
    for (name, value) in [("id", &envelope.id), ("source", &envelope.source)] {
        if value.is_empty() {
            return Err(format!("{name}: is empty"));
        }
    }
    if envelope.kind != CLOUD_EVENT_TYPE {
        return Err(format!("type: {} is not {CLOUD_EVENT_TYPE}", shown(&envelope.kind)));
    }
    envelope.data.ok_or_else(|| "data: is missing".into())
}
