//! The link in a mail that acknowledges what the mail was about: good for one message, one recipient, some days. A message
//! that stands for several incidents is named in the link, and what it stood for is read from it as it was sent: an
//! incident that joined its group later is none of the link's business.
//!
//! The seal is HMAC-SHA256 under a webhook key (see [`Key::derive`]), so a rotation of those keys ends old links when the
//! old key goes. Following the link shows a page; only its button acts, so that what looks through mail and follows
//! links acknowledges nothing.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use wire::{EventId, signature::Key};

/// How long a link is good, in seconds.
const LASTS_S: u64 = 7 * 86_400;

/// What stands in a mail's text where the recipient's own link goes. Nobody outside knows the incident's id.
pub(crate) fn placeholder(incident: &str) -> String {
    format!("modelgate-acknowledge-{incident}")
}

/// A message of a group: the group and the message's number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageName {
    /// The group.
    pub(crate) group: EventId,
    /// The message's number, from 0.
    pub(crate) sequence: u64,
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.group, self.sequence)
    }
}

impl FromStr for MessageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} names no message");
        let (group, sequence) = text.split_once('.').ok_or_else(wrong)?;
        let (group, sequence) = (group.parse().map_err(|_| wrong())?, sequence.parse().map_err(|_| wrong())?);
        Ok(Self { group, sequence })
    }
}

/// What a message stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Covers {
    /// The message.
    pub(crate) message: MessageName,
    /// The incidents that its link acknowledges, the one it is about first.
    pub(crate) incidents: Vec<EventId>,
}

/// A link's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The incident.
    pub(crate) incident: EventId,
    /// The message that stood for more than this incident.
    pub(crate) of: Option<MessageName>,
    /// Whom the mail was for.
    pub(crate) recipient: String,
    /// Unix seconds.
    pub(crate) until_s: u64,
}

impl Link {
    /// Of a mail made at this moment.
    pub(crate) fn new(incident: EventId, of: Option<MessageName>, recipient: &str, created_ms: u64) -> Self {
        Self { incident, of, recipient: recipient.to_owned(), until_s: created_ms / 1000 + LASTS_S }
    }

    /// The parts have line ends between them, and an id and a number hold none.
    fn seal(&self, key: &Key) -> String {
        let text = match self.of {
            None => format!("modelgate acknowledge\n{}\n{}\n{}", self.incident, self.until_s, self.recipient),
            // Another first line: no seal of the one kind is one of the other.
            Some(of) => format!(
                "modelgate acknowledge message\n{}\n{of}\n{}\n{}",
                self.incident, self.until_s, self.recipient
            ),
        };
        let mut seal = String::new();
        for byte in key.derive(&text) {
            // Writing to a string cannot fail.
            let _ = write!(seal, "{byte:02x}");
        }
        seal
    }

    /// The address; none without a key.
    pub(crate) fn url(&self, public_url: &str, keys: &[Key]) -> Option<String> {
        let seal = self.seal(keys.first()?);
        let of = self.of.map(|of| format!("&of={of}")).unwrap_or_default();
        Some(format!(
            "{public_url}/acknowledge/{}?until={}{of}&seal={seal}&to={}",
            self.incident,
            self.until_s,
            percent(&self.recipient)
        ))
    }

    /// Whether the seal is one of ours and still good.
    pub(crate) fn holds(&self, seal: &str, keys: &[Key], now_ms: u64) -> bool {
        let fits = keys.iter().any(|key| crate::config::Secret::new(self.seal(key)).matches(seal));
        fits && now_ms / 1000 <= self.until_s
    }
}

/// Everything but unreserved characters (RFC 3986, 2.3) as `%XX`.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_dGhlIHNlY3JldCBrZXkgb2YgdGhlIHNlY3VyaXR5IHRlYW0=";

    #[test]
    fn a_seal_is_good_for_one_incident_one_recipient_and_its_time() {
        let (key, other) = (Key::parse(KEY).unwrap(), Key::parse(OTHER).unwrap());
        let link = Link::new(EventId::new(5, [1; 10]), None, "Ops <ops@example.org>", 1_000_000);
        let url = link.url("https://x", std::slice::from_ref(&key)).unwrap();
        assert!(url.ends_with("&to=Ops%20%3Cops%40example.org%3E"), "{url}");
        let seal = url.split("seal=").nth(1).unwrap().split('&').next().unwrap();
        let both = [other.clone(), key.clone()];
        assert!(link.holds(seal, &both, 1_000_000));
        assert!(link.holds(seal, &both, link.until_s * 1000));
        assert!(!link.holds(seal, &both, link.until_s * 1000 + 1000), "too late");
        assert!(!link.holds(seal, std::slice::from_ref(&other), 1_000_000), "the key is gone");
        assert!(!link.holds("", &both, 1_000_000));
        let changed = [
            Link { incident: EventId::new(5, [2; 10]), ..link.clone() },
            Link { recipient: "ops@example.org".to_owned(), ..link.clone() },
            Link { until_s: link.until_s + 1, ..link.clone() },
            Link { of: Some(MessageName { group: link.incident, sequence: 0 }), ..link.clone() },
        ];
        assert!(changed.iter().all(|link| !link.holds(seal, &both, 1_000_000)));
        assert_eq!(link.url("https://x", &[]), None);
    }

    #[test]
    fn a_seal_for_a_message_is_good_for_that_message() {
        let key = Key::parse(KEY).unwrap();
        let keys = [key];
        let of = MessageName { group: EventId::new(7, [3; 10]), sequence: 12 };
        assert_eq!(of.to_string().parse(), Ok(of));
        for wrong in ["", ".", "x.1", "1", &format!("{}.-1", of.group), &format!("{}.1.2", of.group)] {
            assert!(wrong.parse::<MessageName>().is_err(), "{wrong}");
        }
        let link = Link::new(EventId::new(5, [1; 10]), Some(of), "a@b", 1_000_000);
        let url = link.url("https://x", &keys).unwrap();
        assert!(url.contains(&format!("&of={of}&seal=")), "{url}");
        let seal = url.split("seal=").nth(1).unwrap().split('&').next().unwrap();
        assert!(link.holds(seal, &keys, 1_000_000));
        let others = [
            None,
            Some(MessageName { sequence: 13, ..of }),
            Some(MessageName { group: link.incident, ..of }),
        ];
        for of in others {
            assert!(!Link { of, ..link.clone() }.holds(seal, &keys, 1_000_000), "{of:?}");
        }
    }
}
