//! Refusals in the caller's own protocol, so that official clients raise their proper errors.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use decode::Protocol;

use crate::{Guard, settle::Ruling};

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

/// The refusal's body in the words of a protocol; `rpc_id` is the id of the JSON-RPC request, as it is written.
pub(crate) fn body(protocol: Option<Protocol>, refusal: &Refusal, rpc_id: Option<&str>) -> String {
    let message = quoted(&refusal.message);
    let Refusal { status, code, .. } = *refusal;
    match protocol {
        Some(Protocol::AnthropicMessages) => {
            let kind = match status {
                413 => "request_too_large",
                429 => "rate_limit_error",
                500.. => "api_error",
                _ => "invalid_request_error",
            };
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":{message}}}}}"#)
        }
        // KServe's open inference protocol, TF-Serving, Ollama: one field.
        Some(Protocol::KserveV2 | Protocol::Ollama) => format!(r#"{{"error":{message}}}"#),
        Some(Protocol::BedrockConverse) => format!(r#"{{"message":{message}}}"#),
        Some(Protocol::Gemini) => {
            let name = google_status(status);
            format!(r#"{{"error":{{"code":{status},"message":{message},"status":"{name}"}}}}"#)
        }
        Some(Protocol::Mcp) => {
            let number = if code == "invalid_json" { RPC_PARSE_ERROR } else { RPC_REFUSED };
            let id = rpc_id.unwrap_or("null");
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{number},"message":{message},"data":{{"reason":"{code}"}}}}}}"#
            )
        }
        _ => {
            let kind = match status {
                429 => "requests",
                500.. => "server_error",
                _ => "invalid_request_error",
            };
            format!(r#"{{"error":{{"message":{message},"type":"{kind}","param":null,"code":"{code}"}}}}"#)
        }
    }
}

/// "Invalid JSON was received by the server" (JSON-RPC 2.0, section 5.1).
const RPC_PARSE_ERROR: i32 = -32_700;
/// The first of the codes that JSON-RPC leaves to servers (section 5.1).
const RPC_REFUSED: i32 = -32_000;

/// The status of a refusal. JSON-RPC answers in its own envelope, and clients read that only from an answer that says
/// 200; without an id to answer to, the transport has to say it.
pub(crate) fn status(ruling: &Ruling<'_>) -> u16 {
    match (ruling.protocol, ruling.rpc_id) {
        (Some(Protocol::Mcp), Some(_)) => 200,
        _ => ruling.refusal.status,
    }
}

/// The header by which AWS's clients tell errors apart (`restJson1`: "Operation error serialization").
pub(crate) fn error_type(protocol: Option<Protocol>, status: u16) -> Option<(&'static str, String)> {
    let name = match status {
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    };
    (protocol == Some(Protocol::BedrockConverse)).then(|| ("x-amzn-errortype", name.to_string()))
}

/// The name of a status in Google's APIs (google.rpc.Code).
const fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

impl Guard {
    /// The body of an answer to a failure that is nobody's verdict, for a caller that asked for `path`: the model is
    /// away, the guard failed. `status` is that of the answer, `code` the machine-readable reason.
    #[must_use]
    pub fn failure_body(&self, path: &str, status: u16, code: &'static str, message: &str) -> String {
        let refusal = Refusal { status, code, message: message.to_string() };
        body(self.inspector().protocol_for(path), &refusal, None)
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
