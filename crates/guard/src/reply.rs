//! Refusals in the caller's own protocol, so that official clients raise their proper errors.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use decode::Protocol;

use crate::Guard;

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
                500.. => "api_error",
                _ => "invalid_request_error",
            };
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":{message}}}}}"#)
        }
        // KServe's open inference protocol and TF-Serving: one field.
        Some(Protocol::KserveV2) => format!(r#"{{"error":{message}}}"#),
        _ => {
            let kind = match refusal.status {
                429 => "requests",
                500.. => "server_error",
                _ => "invalid_request_error",
            };
            format!(r#"{{"error":{{"message":{message},"type":"{kind}","param":null,"code":"{code}"}}}}"#)
        }
    }
}

impl Guard {
    /// The body of an answer to a failure that is nobody's verdict, for a caller that asked for `path`: the model is
    /// away, the guard failed. `status` is that of the answer, `code` the machine-readable reason.
    #[must_use]
    pub fn failure_body(&self, path: &str, status: u16, code: &'static str, message: &str) -> String {
        let refusal = Refusal { status, code, message: message.to_string() };
        body(self.inspector().protocol_for(path), &refusal)
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
