//! What a request may look like, beside what is looked for in it: how much of everything, what single fields must be.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use decode::{Found, Limits};
use policy::{ConfigError, Field, Policy};
use sha2::{Digest as _, Sha256};

use crate::{
    Guard, Head, Inspection,
    reason::{self, GuardRule},
};

/// Why a request is refused: the rule, and what its caller is told.
pub(crate) type Breach = (&'static GuardRule, String);

/// What single fields must be.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, Field, Option<Pattern>)>);

#[cfg(feature = "std")]
type Pattern = detect::Expression;
/// Without regular expressions no policy that has any is taken.
#[cfg(not(feature = "std"))]
type Pattern = core::convert::Infallible;

impl Fields {
    /// Compiles what the policy says of fields.
    ///
    /// # Errors
    /// Names the first field whose pattern cannot be used.
    pub(crate) fn new(policy: &Policy) -> Result<Self, ConfigError> {
        let fields = policy.document().input.fields.iter().map(|(pointer, field)| {
            let pattern = field.pattern.as_deref().map(pattern).transpose().map_err(|error| ConfigError {
                line: 0,
                column: 0,
                message: format!("the pattern of the field {pointer}: {error}"),
            })?;
            Ok((pointer.clone(), field.clone(), pattern))
        });
        fields.collect::<Result<_, _>>().map(Self)
    }

    /// The first field that is not what it must be.
    pub(crate) fn check(&self, body: &[u8], limits: &Limits) -> Option<Breach> {
        if self.0.is_empty() {
            return None;
        }
        let pointers: Vec<&str> = self.0.iter().map(|(pointer, ..)| pointer.as_str()).collect();
        // What is no JSON has none of the fields.
        let found = decode::look_up(body, &pointers, limits).unwrap_or_default();
        let mut found = found.into_iter();
        self.0.iter().find_map(|(pointer, field, pattern)| {
            let fault = fault(field, pattern.as_ref(), found.next().flatten().as_ref())?;
            Some((&reason::FIELD, format!("The field {pointer} {fault}.")))
        })
    }
}

#[cfg(feature = "std")]
fn pattern(text: &str) -> Result<Pattern, String> {
    detect::Expression::new(text)
}

#[cfg(not(feature = "std"))]
fn pattern(_: &str) -> Result<Pattern, String> {
    Err("this guard was built without regular expressions".into())
}

#[cfg(feature = "std")]
fn fits(pattern: &Pattern, text: &str) -> bool {
    pattern.matches(text)
}

#[cfg(not(feature = "std"))]
fn fits(pattern: &Pattern, _: &str) -> bool {
    match *pattern {}
}

/// What is wrong with a field.
fn fault(field: &Field, pattern: Option<&Pattern>, found: Option<&Found<'_>>) -> Option<String> {
    let length = match found {
        None | Some(Found::Null) => return field.required.then(|| "is missing".into()),
        Some(Found::Text(text)) => text.chars().count(),
        Some(Found::List(length)) => *length,
        Some(Found::Other) => {
            return pattern.map(|_| "is no text".into());
        }
    };
    let over =
        |limit: Option<u32>| limit.is_some_and(|limit| length > usize::try_from(limit).unwrap_or(usize::MAX));
    let under =
        |limit: Option<u32>| limit.is_some_and(|limit| length < usize::try_from(limit).unwrap_or(usize::MAX));
    if over(field.max_length) {
        return Some(format!("is longer than {}", field.max_length.unwrap_or_default()));
    }
    if under(field.min_length) {
        return Some(format!("is shorter than {}", field.min_length.unwrap_or_default()));
    }
    match (pattern, found) {
        (Some(pattern), Some(Found::Text(text))) if !fits(pattern, text) => {
            Some("does not have the form that it must have".into())
        }
        (Some(_), Some(Found::List(_))) => Some("is no text".into()),
        _ => None,
    }
}

/// Whether a request's content type is none of those that are taken.
pub(crate) fn wrong_type(guard: &Guard, head: &Head) -> Option<Breach> {
    let taken = &guard.policy.document().input.content_types;
    let value = head.content_type.as_deref().unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default().trim();
    if taken.is_empty() || taken.iter().any(|known| known.eq_ignore_ascii_case(media)) {
        return None;
    }
    let message = format!("The content type is none of those that are taken: {}.", taken.join(", "));
    Some((&reason::TYPE, message))
}

/// What a request has too many of.
pub(crate) fn too_many(guard: &Guard, inspection: &Inspection) -> Option<Breach> {
    let input = &guard.policy.document().input;
    let most = [input.max_messages, input.max_tools, input.max_images];
    let rules = [(&reason::MESSAGES, "messages"), (&reason::TOOLS, "tools"), (&reason::IMAGES, "images")];
    inspection.counts.iter().zip(most).zip(rules).find_map(|((count, most), (rule, what))| {
        let most = most.filter(|most| count > most)?;
        Some((rule, format!("The request has {count} {what}, more than the {most} that are taken.")))
    })
}

/// The digest by which a declared tool is pinned: SHA-256 of its canonical JSON, in hexadecimal digits.
#[must_use]
pub(crate) fn pin(canonical: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(canonical.as_bytes()) {
        let digit = |value: u8| char::from_digit(u32::from(value & 15), 16).unwrap_or('0');
        hex.extend([digit(byte >> 4), digit(byte)]);
    }
    hex
}

/// Names and digests of the tools that an answer to MCP's `tools/list` declares, as a policy pins them.
///
/// # Errors
/// What keeps the answer from being read.
pub fn pins(answer: &[u8]) -> Result<Vec<(String, String)>, String> {
    let tools = decode::declared_tools(answer, &Limits::default()).map_err(|problem| problem.to_string())?;
    Ok(tools.into_iter().map(|tool| (tool.name, pin(&tool.canonical))).collect())
}

/// The name of the first declared tool that is not what was pinned.
pub(crate) fn unpinned(guard: &Guard, tools: &[decode::Declared]) -> Option<String> {
    let pins = &guard.policy.document().response.pinned_tools;
    if pins.is_empty() {
        return None;
    }
    let fits = |tool: &&decode::Declared| {
        pins.get(&tool.name).is_some_and(|known| known.eq_ignore_ascii_case(&pin(&tool.canonical)))
    };
    tools.iter().find(|tool| !fits(tool)).map(|tool| tool.name.to_string())
}
