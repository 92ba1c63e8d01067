//! What the model reads: texts with their role and place.

use alloc::{borrow::Cow, boxed::Box, string::String, sync::Arc};
use core::ops::Range;

use crate::{
    fields::percent,
    json::{Document, NodeId, source},
};

/// Who speaks in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The application: OpenAI's `system` and `developer`, Anthropic's `system`.
    System,
    /// The person, or whoever calls.
    User,
    /// The model, its calls of tools included.
    Assistant,
    /// What tools declare and answer, and documents handed in: the way of indirect attacks.
    Tool,
    /// A value that is no prose: a name, an identifier, metadata.
    Field,
    /// Nobody knows: an unknown role, a field outside the protocol, any string of other JSON.
    Unknown,
}

impl Role {
    /// Its name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Field => "field",
            Self::Unknown => "unknown",
        }
    }

    /// The role that a message names. Only the exact names count: another spelling is a role we do not know.
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "user" => Self::User,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::Unknown,
        }
    }
}

/// How a text is written in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// As it is.
    Plain,
    /// As the inside of a string of JSON.
    Json,
    /// As a field of a form.
    Percent,
}

impl Writing {
    /// What stands in the body for a text.
    #[must_use]
    pub fn of(self, text: &str) -> String {
        match self {
            Self::Plain => text.into(),
            Self::Json => crate::json::escaped(text),
            Self::Percent => percent::written(text),
        }
    }
}

/// One text of a body.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Who speaks.
    pub role: Role,
    /// The text as the model gets it, escapes undone.
    pub text: Cow<'a, str>,
    /// The number of the message it belongs to, from 0. Texts of one message are read together by the model.
    pub message: Option<u32>,
    origin: Origin<'a>,
}

/// Where a part comes from.
#[derive(Clone, Debug)]
enum Origin<'a> {
    /// A body of plain text, from this byte on.
    Plain(usize),
    /// A string or name of a document.
    Node(Arc<Document<'a>>, NodeId),
    /// A text outside of any document.
    Outside(Box<Outside>),
}

/// A field of a form, an element of a binary tensor. A field whose text is not borrowed is percent-encoded.
#[derive(Clone, Debug)]
struct Outside {
    span: Range<usize>,
    place: String,
}

impl<'a> Part<'a> {
    pub(crate) fn plain(text: &'a str, start: usize) -> Self {
        let inside = text.get(start..).unwrap_or_default();
        Self { role: Role::User, text: Cow::Borrowed(inside), message: None, origin: Origin::Plain(start) }
    }

    pub(crate) fn outside(text: Cow<'a, str>, span: Range<usize>, role: Role, place: String) -> Self {
        Self { role, text, message: None, origin: Origin::Outside(Box::new(Outside { span, place })) }
    }

    /// What written bytes of this part stand for.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn undo(&self, written: &str) -> String {
        match (&self.origin, &self.text) {
            (_, Cow::Borrowed(_)) => written.into(),
            (Origin::Outside(_), _) => percent::undo(written, 0).map(Cow::into_owned).unwrap_or_default(),
            _ => crate::json::undo(written),
        }
    }

    pub(crate) fn node(
        document: &Arc<Document<'a>>,
        id: NodeId,
        text: Cow<'a, str>,
        role: Role,
        message: Option<u32>,
    ) -> Self {
        Self { role, text, message, origin: Origin::Node(Arc::clone(document), id) }
    }

    /// How texts are written where this part stands.
    #[must_use]
    pub fn writing(&self) -> Writing {
        match &self.origin {
            Origin::Node(..) => Writing::Json,
            Origin::Outside(_) if matches!(self.text, Cow::Owned(_)) => Writing::Percent,
            Origin::Plain(_) | Origin::Outside(_) => Writing::Plain,
        }
    }

    /// How a text is written where this part stands, so that it is read as that text.
    #[must_use]
    pub fn written(&self, text: &str) -> String {
        self.writing().of(text)
    }

    /// Its JSON pointer (RFC 6901), such as `/messages/1/content`; for the name of a member, the pointer to that member;
    /// of a form, the pointer there would be were it an object; empty for a body of plain text. Longer ones than [`MAX_PLACE_BYTES`](crate::limits::MAX_PLACE_BYTES) end in `…`.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::Plain(_) => String::new(),
            Origin::Node(document, id) => document.pointer(*id),
            Origin::Outside(outside) => outside.place.clone(),
        }
    }

    /// Where what holds it starts: of a string, its opening quote.
    pub(crate) fn start(&self) -> usize {
        match &self.origin {
            Origin::Node(document, id) => document.start(*id),
            _ => self.span().start,
        }
    }

    /// Where it stands in the body, without quotes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        match &self.origin {
            Origin::Plain(start) => *start..start + self.text.len(),
            Origin::Node(document, id) => document.inside_span(*id),
            Origin::Outside(outside) => outside.span.clone(),
        }
    }

    /// The bytes of the body that a byte range of `text` came from. An escape that the range touches counts whole; what
    /// lies behind the text's end maps to its end. `body` is the body that was decoded.
    #[must_use]
    pub fn body_span(&self, body: &[u8], text_range: Range<usize>) -> Range<usize> {
        let span = self.span();
        if let Cow::Owned(_) = self.text {
            let inside =
                body.get(span.clone()).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default();
            let found = match &self.origin {
                Origin::Outside(_) => percent::source(inside, &self.text, text_range),
                _ => source(inside, text_range),
            };
            return span.start + found.start..span.start + found.end;
        }
        let from = text_range.start.min(self.text.len());
        let to = text_range.end.clamp(from, self.text.len());
        if from == to {
            return span.start + from..span.start + from;
        }
        span.start + self.text.floor_char_boundary(from)..span.start + self.text.ceil_char_boundary(to)
    }
}
