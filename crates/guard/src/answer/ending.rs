//! How a stream ends that was cut: in the words of its protocol, so that clients know what happened.

use alloc::{format, string::String, vec::Vec};

use decode::{Framed, Protocol};

use crate::reply::{Refusal, body, quoted};

/// What an ending has to fit to.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    pub(super) protocol: Protocol,
    pub(super) framed: Framed,
    /// The model, as the stream named it.
    pub(super) model: &'a str,
    /// The answers that had begun.
    pub(super) choices: &'a [u32],
    /// The id of the JSON-RPC request, as it is written.
    pub(super) rpc_id: Option<&'a str>,
    /// The last byte before that is no white space.
    pub(super) last: Option<u8>,
    pub(super) unix_ms: u64,
}

/// What a caller is told.
pub(super) const MESSAGE: &str = "The answer was withheld by the content policy.";

/// The refusal that says so.
pub(super) fn refusal() -> Refusal {
    Refusal { status: 400, code: "content_filter", message: MESSAGE.into() }
}

impl Cut<'_> {
    /// The bytes that end the stream.
    pub(super) fn ending(&self) -> Vec<u8> {
        let event = self.event();
        match self.framed {
            Framed::Plain => Vec::new(),
            Framed::Values => format!("{event}\n").into_bytes(),
            Framed::Array => {
                let before = match self.last {
                    Some(b'[' | b',') => "",
                    Some(_) => ",\n",
                    None => "[",
                };
                format!("{before}{event}\n]\n").into_bytes()
            }
            Framed::Messages => decode::stream::exception("validationException", event.as_bytes()),
            Framed::Events => self.server_sent(&event).into_bytes(),
        }
    }

    fn server_sent(&self, event: &str) -> String {
        match self.protocol {
            Protocol::OpenAiChat | Protocol::OpenAiCompletions => {
                format!("data: {event}\n\ndata: [DONE]\n\n")
            }
            Protocol::OpenAiResponses => format!("event: response.incomplete\ndata: {event}\n\n"),
            Protocol::Gemini => format!("data: {event}\n\n"),
            Protocol::Mcp => format!("event: message\ndata: {event}\n\n"),
            _ => format!("event: error\ndata: {event}\n\n"),
        }
    }

    /// The last event's JSON.
    fn event(&self) -> String {
        let model = quoted(self.model);
        let seconds = self.unix_ms / 1000;
        match self.protocol {
            Protocol::OpenAiChat => {
                let choices = self.each(|index| {
                    format!(
                        r#"{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"content_filter"}}"#
                    )
                });
                format!(
                    r#"{{"id":"chatcmpl-modelgate","object":"chat.completion.chunk","created":{seconds},"model":{model},"choices":[{choices}]}}"#
                )
            }
            Protocol::OpenAiCompletions => {
                let choices = self.each(|index| {
                    format!(
                        r#"{{"index":{index},"text":"","logprobs":null,"finish_reason":"content_filter"}}"#
                    )
                });
                format!(
                    r#"{{"id":"cmpl-modelgate","object":"text_completion","created":{seconds},"model":{model},"choices":[{choices}]}}"#
                )
            }
            Protocol::OpenAiResponses => format!(
                r#"{{"type":"response.incomplete","response":{{"id":"resp_modelgate","object":"response","created_at":{seconds},"status":"incomplete","error":null,"incomplete_details":{{"reason":"content_filter"}},"model":{model},"output":[]}}}}"#
            ),
            Protocol::Gemini => {
                let candidates = self.each(|index| {
                    format!(r#"{{"content":{{"parts":[],"role":"model"}},"finishReason":"SAFETY","index":{index}}}"#)
                });
                format!(r#"{{"candidates":[{candidates}],"modelVersion":{model}}}"#)
            }
            Protocol::Ollama => format!(
                r#"{{"model":{model},"message":{{"role":"assistant","content":""}},"response":"","done":true,"done_reason":"content_filter"}}"#
            ),
            _ => body(Some(self.protocol), &refusal(), self.rpc_id),
        }
    }

    /// One text for each answer that had begun, or for the first.
    fn each(&self, one: impl Fn(u32) -> String) -> String {
        let choices = if self.choices.is_empty() { &[0][..] } else { self.choices };
        choices.iter().map(|index| one(*index)).collect::<Vec<_>>().join(",")
    }
}
