//! What a filter reports of one exchange.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{Category, EventId, Score, Severity, VERSION, Verdict};

/// Where the guard runs that made the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Surface {
    /// The proxy-wasm filter.
    Envoy,
    /// The edge worker.
    Edge,
    /// The core called natively (`modelgate` on the command line, tests).
    Native,
}

impl Surface {
    /// The word used in logs, mails and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Edge => "edge",
            Self::Native => "native",
        }
    }
}

/// What the event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Something was found in a request or a response.
    Detection,
    /// A caller went over a limit.
    RateLimit,
    /// The guard itself: events dropped, reloaded, bypassed, an answer by the host before the guard's.
    Guard,
    /// A kind that this reader does not know.
    #[serde(other)]
    Other,
}

/// Which way what was judged was going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the model to the caller.
    Response,
    /// From the caller to the model. A direction that this reader does not know is read as this one, too.
    #[default]
    #[serde(other)]
    Request,
}

impl Direction {
    /// The word used in logs, mails and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }

    /// Whether it need not be written: older readers know no other.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    const fn is_request(&self) -> bool {
        matches!(self, Self::Request)
    }
}

/// One report. Text of a prompt is in it only as [`Finding::evidence`], which is off unless the policy asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The version of this format, [`VERSION`].
    pub v: u16,
    /// Unique id; sending an event twice is harmless.
    pub id: EventId,
    /// When the guard decided, Unix time in milliseconds.
    pub time_ms: u64,
    /// What it is about.
    pub kind: EventKind,
    /// The guarded model's name, as the policy gives it.
    pub model: String,
    /// Which way it was going: places and spans of the findings are those of the request's body, or of the answer's.
    #[serde(default, skip_serializing_if = "Direction::is_request")]
    pub direction: Direction,
    /// Where the guard runs.
    pub surface: Surface,
    /// The proxy or isolate that runs it (host-given, may be empty).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// The route's name (host-given, may be empty).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub route: String,
    /// Who called.
    #[serde(default)]
    pub client: Client,
    /// What was asked.
    #[serde(default)]
    pub request: Request,
    /// What the guard did.
    pub verdict: Verdict,
    /// The combined score of the findings.
    pub score: Score,
    /// The worst severity among the findings.
    pub severity: Severity,
    /// What was found, worst first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What the policy in the shadow of the live one made of it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
}

/// The judgement of a policy that is tried and not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// What it would have done.
    pub verdict: Verdict,
    /// The combined score of the findings that count for it.
    pub score: Score,
}

impl Event {
    /// Whether the event must leave at once instead of waiting for the next batch.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.severity == Severity::Critical
    }

    /// Whether this crate can read all that the event's version promises.
    #[must_use]
    pub const fn is_known_version(&self) -> bool {
        self.v >= 1 && self.v <= VERSION
    }
}

/// Who called. Each field is what the host vouches for, never what the caller claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address without its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The API key, hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyIdentity>,
    /// The user, where the host authenticated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// An API key that can be recognised but not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyIdentity {
    /// A keyed hash, 32 hex digits.
    pub hash: String,
    /// The first characters, for people.
    pub prefix: String,
}

/// Facts of the request; none of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `x-request-id`, if the request had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `traceparent`, if the request had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// HTTP method.
    #[serde(default)]
    pub method: String,
    /// Path without the query.
    #[serde(default)]
    pub path: String,
    /// The protocol the body was read as, such as `openai_chat`; empty if it was not read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Length of the body in bytes, as far as it was seen.
    #[serde(default)]
    pub bytes: u64,
    /// Number of parts (messages, fields, tensors) read from it.
    #[serde(default)]
    pub parts: u32,
    /// The status the guard answered with, if it answered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id, such as `injection.override.ignore-previous`.
    pub rule: String,
    /// What kind of thing it is.
    pub category: Category,
    /// How bad it is.
    pub severity: Severity,
    /// The weight of this finding alone.
    pub score: Score,
    /// One line for a person: what the rule looks for. Never text of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// OWASP Top 10 for LLM applications, such as `LLM01:2025`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owasp: Vec<String>,
    /// MITRE ATLAS techniques, such as `AML.T0051.000`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub atlas: Vec<String>,
    /// Where it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The transforms undone before the rule matched, outermost first, such as `base64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<String>,
    /// A redacted snippet, if the policy allows evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Where in the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// A JSON pointer (RFC 6901) to the part; empty for the whole body.
    pub place: String,
    /// Byte range in the body as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// A half-open byte range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}
