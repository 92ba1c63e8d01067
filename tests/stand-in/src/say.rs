//! What a test has the model say, and how it is cut: by headers, since the guard looks at bodies.

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What the `x-stand-in-*` headers say of the answer's text.
pub(crate) struct Say {
    /// `x-stand-in-say`, base64: the text, in place of the model's own.
    pub(crate) text: Option<String>,
    /// `x-stand-in-delta`: characters of each delta, in place of words.
    delta: Option<usize>,
    /// `x-stand-in-write`: bytes of each write, in place of events.
    pub(crate) write: Option<usize>,
    /// `x-stand-in-stall`: writes after which nothing more comes, and no end.
    pub(crate) stall: Option<usize>,
}

impl Say {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| value(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
        let text = value("x-stand-in-say").and_then(|text| STANDARD.decode(text).ok());
        Self {
            text: text.and_then(|text| String::from_utf8(text).ok()),
            delta: number("x-stand-in-delta"),
            write: number("x-stand-in-write"),
            stall: number("x-stand-in-stall"),
        }
    }

    /// The pieces in which a text is streamed.
    pub(crate) fn deltas<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let Some(characters) = self.delta else { return text.split_inclusive(' ').collect() };
        let mut rest = text;
        let mut deltas = Vec::new();
        while !rest.is_empty() {
            let end = rest.char_indices().nth(characters).map_or(rest.len(), |(at, _)| at);
            let (delta, behind) = rest.split_at(end);
            deltas.push(delta);
            rest = behind;
        }
        deltas
    }
}
