//! Refusals in the caller's own protocol, so that official clients raise their proper errors.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use decode::Protocol;

/// The answer to a refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The value of `content-type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Every further header, names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// Why a request is refused, as far as the caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The machine-readable reason, OpenAI's `code`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// The refusal's body in the words of a protocol.
pub(crate) fn body(protocol: Option<Protocol>, refusal: &Refusal) -> String {
    let message = quoted(&refusal.message);
    let code = refusal.code;
    match protocol {
        Some(Protocol::AnthropicMessages) => {
            let kind = match refusal.status {
                413 => "request_too_large",
                429 => "rate_limit_error",
                503 => "overloaded_error",
                _ => "invalid_request_error",
            };
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":{message}}}}}"#)
        }
        // KServe's open inference protocol and TF-Serving: one field.
        Some(Protocol::KserveV2) => format!(r#"{{"error":{message}}}"#),
        _ => {
            let kind = if refusal.status == 429 { "requests" } else { "invalid_request_error" };
            format!(r#"{{"error":{{"message":{message},"type":"{kind}","param":null,"code":"{code}"}}}}"#)
        }
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
