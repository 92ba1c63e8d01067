//! Signed webhooks as [Standard Webhooks 1.0](https://www.standardwebhooks.com) describes them.

use std::time::Duration;

use serde_json::json;
use wire::signature::{ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::{Channel, Delivering, Message, http::Poster};
use crate::{
    clock::{iso, now_ms},
    config::Endpoint,
};

/// Posts signed JSON.
pub(super) struct Webhook {
    poster: Poster,
    key: Key,
}

impl Webhook {
    pub(super) fn new(endpoint: &Endpoint, key: Key) -> Result<Self, String> {
        Ok(Self { poster: Poster::new(endpoint)?, key })
    }
}

impl Channel for Webhook {
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a> {
        Box::pin(async move {
            let (id, body) = (id(&message), body(&message));
            let at = now_ms() / 1000;
            let signature = self.key.sign(&id, at, body.as_bytes());
            let headers =
                [(ID_HEADER, id), (TIMESTAMP_HEADER, at.to_string()), (SIGNATURE_HEADER, signature)];
            self.poster.deliver(&headers, body).await
        })
    }

    fn patience(&self) -> Duration {
        self.poster.timeout()
    }
}

/// The same however often it is sent: what the other side tells repetitions by. Graphic ASCII without a dot's company,
/// as the signature joins its parts with dots.
fn id(message: &Message<'_>) -> String {
    let local = message.letter.message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    local.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// `type`, `timestamp`, `data`, as the standard recommends.
fn body(message: &Message<'_>) -> String {
    let letter = message.letter;
    json!({
        "type": letter.report.kind.as_str(),
        "timestamp": iso(message.created_ms),
        "data": {
            "incident": letter.incident,
            "thread": letter.thread,
            "severity": letter.severity.as_str(),
            "subject": letter.subject,
            "report": letter.report,
        },
    })
    .to_string()
}
