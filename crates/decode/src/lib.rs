//! Bytes to what the model gets: texts with role and place, tensors with type and shape.
//!
//! [`decode`] reads a request body in one pass over the bytes, borrows every text that is written without escapes, and
//! either hands out all that the model will read or names the [`Problem`] with its byte offset. [`decode_response`] does
//! the same for an answer that came whole, [`Stream`] for one that is streamed; [`inflate()`] comes before, where a body is
//! compressed. All are total: no input makes them panic, loop or allocate beyond their limits.
//!
//! What readers behind us may see differently is refused rather than guessed: names that occur twice in an object, lone
//! surrogates, data behind the document. A byte order mark at the start is skipped, as CPython's `json` does. `NaN`, the
//! infinities and numbers beyond a double are read where a tensor can hold them, so that a check can name them, and are
//! problems elsewhere.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod collect;
mod facts;
mod fields;
mod form;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod inflate;
mod json;
mod label;
mod lane;
pub mod limits;
mod look;
mod media;
mod part;
mod problem;
mod protocol;
pub mod stream;
mod tensor;

use alloc::{vec, vec::Vec};

pub use facts::{Amount, Asked, Facts, Marks, Room};
pub use inflate::{InflateLimits, inflate};
pub use json::escaped;
pub use lane::{Channel, Lane};
pub use limits::Limits;
pub use look::{Declared, Found, declared_tools, look_up};
pub use part::{Part, Role, Writing};
pub use problem::{Problem, ProblemKind};
pub use protocol::{Protocol, protocol_of_path};
pub use stream::{Delta, Framed, Repeat, Stream};
pub use tensor::{Datatype, Tensor};

use collect::Collector;
use form::Surroundings;
use json::Content;
use media::Media;

/// A request body and what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The protocol that a policy fixes; `None` leaves it to the path, then to the content.
    pub protocol: Option<Protocol>,
    /// The request's path, query included or not.
    pub path: &'a str,
    /// The request's content type.
    pub content_type: Option<&'a str>,
    /// The length of the JSON at the start of the body, behind which binary tensors follow: the header
    /// `Inference-Header-Content-Length` of KServe's binary extension.
    pub inference_header_length: Option<usize>,
    /// The whole body.
    pub body: &'a [u8],
}

/// What a body holds.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    /// The protocol it was read as.
    pub protocol: Protocol,
    /// Its texts, in the order of the body.
    pub parts: Vec<Part<'a>>,
    /// Its numeric inputs, in the order of the body.
    pub tensors: Vec<Tensor<'a>>,
    /// What else it says.
    pub facts: Facts,
    /// Where stands what has to be known to whoever changes it.
    pub marks: Marks,
}

/// Reads a request body.
///
/// A protocol fixed by policy or path is held to its form; one guessed from the content (for Ollama and MCP, whose paths
/// prove nothing, also with the path's help) falls back to [`Protocol::Json`], where every string is a part. A body that
/// says it is plain text or a form where JSON is expected, or that reads as JSON, is read as JSON: servers that do not
/// look at the content type would, and `curl -d` calls everything a form.
///
/// # Errors
/// The first [`Problem`] met.
pub fn decode<'a>(input: &Input<'a>, limits: &Limits) -> Result<Decoded<'a>, Problem> {
    let media = media::media(input.content_type)?;
    let longest = limits.max_bytes.min(u32::MAX as usize);
    if input.body.len() > longest {
        return Err(Problem::new(ProblemKind::TooLarge, longest, "more bytes than allowed"));
    }
    let promised = protocol_of_path(input.path);
    let hint = promised.filter(|protocol| protocol.is_hint());
    let fixed = input.protocol.or(promised.filter(|protocol| !protocol.is_hint()));
    let (written, binary) = written_and_binary(input, fixed, media)?;
    if let Media::Multipart(boundary) = media {
        return match fixed {
            None => fields::multipart::read(input.body, boundary, limits),
            Some(_) => {
                Err(Problem::new(ProblemKind::UnsupportedType, 0, "a form where the path promises none"))
            }
        };
    }
    let (text, start) = text_of(written, limits)?;
    let inside = text.get(start..).unwrap_or_default();
    if inside.trim_ascii_start().is_empty() {
        return Err(Problem::new(ProblemKind::Empty, 0, "the body is empty"));
    }
    match (fixed, media) {
        (Some(Protocol::Text), _) => Ok(plain(text, start)),
        (Some(Protocol::Form), _) => fields::urlencoded::read(text, start, limits),
        (Some(protocol), _) => {
            let content = json::read(text, start, limits)?;
            form::fixed(protocol, content, limits, &Surroundings { path: input.path, binary })
        }
        (None, Media::Json) => form::sniffed(hint, json::read(text, start, limits)?, limits),
        (None, _) => match json_within(text, start, limits)? {
            Some(content) => form::sniffed(hint, content, limits),
            None if media == Media::Form => fields::urlencoded::read(text, start, limits),
            None => Ok(plain(text, start)),
        },
    }
}

/// The body up to the bytes of binary tensors, and those.
fn written_and_binary<'a>(
    input: &Input<'a>,
    fixed: Option<Protocol>,
    media: Media<'_>,
) -> Result<(&'a [u8], &'a [u8]), Problem> {
    match (input.inference_header_length, fixed) {
        (Some(length), Some(Protocol::KserveV2)) => input.body.split_at_checked(length).ok_or_else(|| {
            let end = input.body.len();
            Problem::new(ProblemKind::Form, end, "the body is shorter than its JSON is said to be")
        }),
        _ if media == Media::Octets => {
            Err(Problem::new(ProblemKind::UnsupportedType, 0, "the content type is none that is read"))
        }
        _ => Ok((input.body, &[])),
    }
}

/// Reads an answer that came whole. `input` has the path and protocol of the request, the content type and the body of
/// the answer; its texts are the model's ([`Role::Assistant`]), those of tools and documents excepted.
///
/// An answer is held to no form: what no protocol names is a part all the same, and errors and pages that are no JSON are
/// texts.
///
/// # Errors
/// The first [`Problem`] met. An empty answer is none.
pub fn decode_response<'a>(input: &Input<'a>, limits: &Limits) -> Result<Decoded<'a>, Problem> {
    let is_text = input.content_type.is_some_and(|value| value.trim_ascii_start().starts_with("text/"));
    let media =
        media::media(input.content_type).or_else(|it| if is_text { Ok(Media::Text) } else { Err(it) })?;
    let (text, start) = text_of(input.body, limits)?;
    let protocol =
        input.protocol.or_else(|| protocol_of_path(input.path)).filter(|protocol| !protocol.is_hint());
    let content = match media {
        _ if protocol == Some(Protocol::Text) || text.trim_ascii().is_empty() => None,
        Media::Json => Some(json::read(text, start, limits)?),
        _ => json_within(text, start, limits)?,
    };
    if let Some(content) = content {
        return form::answered(protocol, content, limits);
    }
    let mut decoded = plain(text, start);
    decoded.parts.retain(|part| !part.text.is_empty());
    decoded.parts.iter_mut().for_each(|part| part.role = Role::Assistant);
    Ok(decoded)
}

/// A body as text, and where it starts behind a byte order mark.
pub(crate) fn text_of<'a>(body: &'a [u8], limits: &Limits) -> Result<(&'a str, usize), Problem> {
    let longest = limits.max_bytes.min(u32::MAX as usize);
    if body.len() > longest {
        return Err(Problem::new(ProblemKind::TooLarge, longest, "more bytes than allowed"));
    }
    let text = core::str::from_utf8(body)
        .map_err(|it| Problem::new(ProblemKind::Encoding, it.valid_up_to(), "the body is not UTF-8"))?;
    Ok((text, if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }))
}

/// A body that does not say it is JSON, read as JSON if it is some: starting with a bracket or quote and without a fault of
/// syntax. Its other problems are problems all the same.
fn json_within<'a>(text: &'a str, start: usize, limits: &Limits) -> Result<Option<Content<'a>>, Problem> {
    let inside = text.get(start..).unwrap_or_default();
    if !inside.trim_ascii_start().starts_with(['{', '[', '"']) {
        return Ok(None);
    }
    match json::read(text, start, limits) {
        Ok(content) => Ok(Some(content)),
        Err(Problem { kind: ProblemKind::Syntax | ProblemKind::TrailingData, .. }) => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn plain(text: &str, start: usize) -> Decoded<'_> {
    let facts = Facts { messages: 1, ..Facts::default() };
    Decoded {
        protocol: Protocol::Text,
        parts: vec![Part::plain(text, start)],
        tensors: Vec::new(),
        facts,
        marks: Marks::default(),
    }
}

impl<'a> Collector<'a, '_> {
    fn decoded(self, protocol: Protocol) -> Decoded<'a> {
        Decoded { protocol, parts: self.parts, tensors: self.tensors, facts: self.facts, marks: self.marks }
    }
}
