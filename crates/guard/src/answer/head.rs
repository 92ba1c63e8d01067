//! What the guard takes from an answer's headers, and what it makes of them.

use alloc::string::String;

use decode::Protocol;

use crate::head::{join, number};

/// An answer's head: bounded, printable copies of what the guard needs.
#[derive(Debug, Default)]
pub struct AnswerHead {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_length: Option<u64>,
}

impl AnswerHead {
    /// Takes what the guard needs from status and headers. Names may be in any case.
    pub fn new<'h>(status: u16, headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>) -> Self {
        let mut head = Self { status, ..Self::default() };
        for (name, value) in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            match name.len() {
                12 if is("content-type") => join(&mut head.content_type, value),
                16 if is("content-encoding") => join(&mut head.content_encoding, value),
                14 if is("content-length") => head.content_length = number(value),
                _ => {}
            }
        }
        head
    }

    /// Whether a body may follow (RFC 9110, section 6.4.1).
    pub(crate) fn has_body(&self, method: &str) -> bool {
        method != "HEAD"
            && self.status >= 200
            && !matches!(self.status, 204 | 304)
            && self.content_length != Some(0)
    }

    /// Whether the body is compressed.
    pub(crate) fn is_encoded(&self) -> bool {
        let encodings = self.content_encoding.as_deref().unwrap_or_default();
        encodings.split(',').any(|encoding| !matches!(encoding.trim(), "" | "identity"))
    }

    /// How the body is to be looked at, for a caller that spoke `protocol` and asked for a stream or not.
    pub(crate) fn form(&self, protocol: Option<Protocol>, streams: bool) -> Form {
        let value = self.content_type.as_deref().unwrap_or_default();
        let media = value.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, name) = media.split_once('/').unwrap_or((&media, ""));
        match (kind, name) {
            // Numbers, and nothing that anybody reads.
            _ if protocol == Some(Protocol::OpenAiEmbeddings) => Form::None,
            ("image" | "audio" | "video" | "font", _) => Form::None,
            ("application", "octet-stream") if protocol == Some(Protocol::KserveV2) => Form::None,
            (
                "application",
                "x-ndjson" | "ndjson" | "jsonl" | "x-jsonlines" | "stream+json" | "vnd.amazon.eventstream",
            )
            | ("text", "event-stream") => Form::Stream(protocol.unwrap_or(Protocol::Json)),
            // Gemini's streams without `alt=sse` are one array.
            ("application", "json") if streams && protocol == Some(Protocol::Gemini) => {
                Form::Stream(Protocol::Gemini)
            }
            ("", _) | ("application", "json") | ("text", "json") => Form::Whole,
            ("application", name) if name.ends_with("+json") => Form::Whole,
            ("text", _) | ("application", "xml" | "xhtml+xml" | "javascript") => Form::Stream(Protocol::Text),
            _ => Form::Unknown,
        }
    }
}

/// How a body is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Not at all: there is no text in it.
    None,
    /// While it comes in.
    Stream(Protocol),
    /// When it is complete.
    Whole,
    /// It cannot be.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_tells_how_an_answer_is_looked_at() {
        use Protocol::{AnthropicMessages, Gemini, Json, KserveV2, OpenAiChat, OpenAiEmbeddings, Text};
        let table = [
            ("text/event-stream", Some(OpenAiChat), true, Form::Stream(OpenAiChat)),
            ("Text/Event-Stream; charset=utf-8", None, false, Form::Stream(Json)),
            ("application/json", Some(OpenAiChat), true, Form::Whole),
            ("application/json; charset=UTF-8", Some(Gemini), true, Form::Stream(Gemini)),
            ("application/json", Some(Gemini), false, Form::Whole),
            ("application/problem+json", None, false, Form::Whole),
            ("application/x-ndjson", None, true, Form::Stream(Json)),
            ("text/html", Some(AnthropicMessages), false, Form::Stream(Text)),
            ("", Some(AnthropicMessages), false, Form::Whole),
            ("audio/mpeg", None, false, Form::None),
            ("application/json", Some(OpenAiEmbeddings), false, Form::None),
            ("application/octet-stream", Some(KserveV2), false, Form::None),
            ("application/octet-stream", None, false, Form::Unknown),
        ];
        for (media, protocol, streams, expected) in table {
            let head = AnswerHead::new(200, [(&b"Content-Type"[..], media.as_bytes())]);
            assert_eq!(head.form(protocol, streams), expected, "{media}");
        }
    }

    #[test]
    fn some_answers_have_no_body() {
        let length =
            |length: &'static str| AnswerHead::new(200, [(&b"content-length"[..], length.as_bytes())]);
        assert!(length("12").has_body("POST") && AnswerHead::new(404, []).has_body("GET"));
        assert!(!length("12").has_body("HEAD") && !length("0").has_body("GET"));
        assert!(!AnswerHead::new(204, []).has_body("POST") && !AnswerHead::new(304, []).has_body("GET"));
    }

    #[test]
    fn identity_is_no_encoding() {
        let encoded =
            |value: &'static str| AnswerHead::new(200, [(&b"content-encoding"[..], value.as_bytes())]);
        assert!(encoded("gzip").is_encoded() && encoded("identity, br").is_encoded());
        assert!(!encoded("identity").is_encoded() && !AnswerHead::new(200, []).is_encoded());
    }
}
