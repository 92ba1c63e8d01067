//! `multipart/form-data` (RFC 7578, in the framing of RFC 2046): fields and files between boundary lines.
//!
//! Readers differ in what they take for a boundary, so only the standard's own framing is read: lines end in CR LF,
//! nothing stands before the first boundary or behind the last. A file that is no text is a problem, never passed over.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Fields, place, role_of, verbatim};
use crate::{
    Decoded, Limits, Problem, ProblemKind, Protocol, Role,
    form::{self, Surroundings},
    json, label,
    media::{self, Media},
};

/// Most bytes of the headers of one field.
const MAX_HEADER_BYTES: usize = 4096;
/// Most headers of one field; three are defined.
const MAX_HEADERS: usize = 16;

/// What the headers of a field say.
#[derive(Default)]
struct Head<'a> {
    name: Option<(&'a str, usize)>,
    filename: Option<(&'a str, usize)>,
    content_type: Option<(&'a str, usize)>,
}

/// Reads a form whose fields stand between lines of `--{boundary}`.
pub(crate) fn read<'a>(body: &'a [u8], boundary: &str, limits: &Limits) -> Result<Decoded<'a>, Problem> {
    let delimiter: Vec<u8> = [b"--", boundary.as_bytes()].concat();
    if !body.starts_with(&delimiter) {
        return Err(framing(0, "the body does not begin with its boundary"));
    }
    let finder = memchr::memmem::Finder::new(&delimiter);
    let form = Form { body, text: core::str::from_utf8(body).ok() };
    let mut fields = Fields::new(limits);
    let mut at = delimiter.len();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if let Some(behind) = rest.strip_prefix(b"--") {
            return match behind.iter().position(|byte| !byte.is_ascii_whitespace()) {
                None if fields.facts.messages == 0 => {
                    Err(Problem::new(ProblemKind::Empty, 0, "a form without fields"))
                }
                None => Ok(fields.decoded()),
                Some(extra) => Err(Problem::new(
                    ProblemKind::TrailingData,
                    at + 2 + extra,
                    "data behind the last boundary",
                )),
            };
        }
        if !rest.starts_with(b"\r\n") {
            return Err(framing(at, "a boundary is not followed by CR LF"));
        }
        let start = at + 2;
        let found = finder.find(body.get(start..).unwrap_or_default());
        let next =
            start + found.ok_or_else(|| framing(body.len(), "the form ends without its last boundary"))?;
        let end = next.checked_sub(2).filter(|end| *end >= start && body.get(*end..next) == Some(b"\r\n"));
        let end = end.ok_or_else(|| framing(next, "a boundary does not begin a line"))?;
        fields.count(start)?;
        form.field(&mut fields, start, end)?;
        at = next + delimiter.len();
    }
}

fn framing(at: usize, detail: &'static str) -> Problem {
    Problem::new(ProblemKind::Form, at, detail)
}

/// The body of a form.
struct Form<'a> {
    body: &'a [u8],
    /// The body as text; where there is none, some field is a problem.
    text: Option<&'a str>,
}

impl<'a> Form<'a> {
    /// Reads one field, headers and content.
    fn field(&self, fields: &mut Fields<'a, '_>, start: usize, end: usize) -> Result<(), Problem> {
        let inside = self.body.get(start..end).unwrap_or_default();
        let searched = inside.get(..MAX_HEADER_BYTES + 4).unwrap_or(inside);
        let head_length = memchr::memmem::find(searched, b"\r\n\r\n")
            .ok_or_else(|| framing(start, "a field without the end of its headers"))?;
        let head = headers(inside.get(..head_length).unwrap_or_default(), start)?;
        let content = start + head_length + 4..end;
        let (name, name_at) = head.name.ok_or_else(|| framing(start, "a field without a name"))?;
        let mut named = Vec::new();
        if !label::is_name(name) {
            named.push(verbatim(name, name_at, Role::Field, place(name)));
        }
        if let Some((filename, filename_at)) = head.filename {
            named.push(verbatim(filename, filename_at, Role::Field, place(name)));
            fields.facts.files = fields.facts.files.saturating_add(1);
        }
        // The file's name may stand before the field's.
        if let [first, second] = &mut *named
            && first.span().start > second.span().start
        {
            core::mem::swap(first, second);
        }
        named.into_iter().try_for_each(|part| fields.push(part))?;
        self.content(fields, &head, content)
    }

    /// Takes the content of a field as what it says it is.
    fn content(&self, fields: &mut Fields<'a, '_>, head: &Head<'a>, at: Range<usize>) -> Result<(), Problem> {
        let content = self.body.get(at.clone()).unwrap_or_default();
        let file = head.filename.is_some();
        let declared = head.content_type.map(|(value, _)| value);
        let binary = |at| Problem::new(ProblemKind::UnsupportedType, at, "a file that is no text");
        let text = core::str::from_utf8(content).map_err(|error| {
            let at = at.start + error.valid_up_to();
            if file {
                binary(at)
            } else {
                Problem::new(ProblemKind::Encoding, at, "a field that is not UTF-8")
            }
        })?;
        if !declared.is_none_or(is_text) || (file && content.contains(&0)) {
            return Err(binary(at.start));
        }
        let name = head.name.map_or("", |(name, _)| name);
        if matches!(declared.map(|value| media::media(Some(value))), Some(Ok(Media::Json))) {
            return self.document(fields, at);
        }
        let role = if file { Role::Tool } else { role_of(name) };
        fields.setting(name, text);
        fields.push(verbatim(text, at.start, role, place(name)))
    }

    /// Reads a field of JSON; places lead into its own document, spans into the body.
    fn document(&self, fields: &mut Fields<'a, '_>, at: Range<usize>) -> Result<(), Problem> {
        let Some(text) = self.text.and_then(|text| text.get(..at.end)) else { return Ok(()) };
        let content = json::read(text, at.start, fields.limits)?;
        let decoded = form::fixed(Protocol::Json, content, fields.limits, &Surroundings::default())?;
        decoded.parts.into_iter().try_for_each(|part| fields.push(part))?;
        if fields.tensors.len() + decoded.tensors.len() > fields.limits.max_tensors {
            return Err(Problem::new(ProblemKind::TooMany, at.start, "more tensors than allowed"));
        }
        fields.tensors.extend(decoded.tensors);
        Ok(())
    }
}

/// Whether a content type is one of text. Types that say nothing are judged by the bytes.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            &*essence,
            "application/json"
                | "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/x-ndjson"
                | "application/jsonl"
                | "application/csv"
                | "application/javascript"
                | "application/octet-stream"
        )
}

/// Reads the headers of a field.
fn headers(bytes: &[u8], at: usize) -> Result<Head<'_>, Problem> {
    let text = core::str::from_utf8(bytes).map_err(|error| {
        Problem::new(ProblemKind::Encoding, at + error.valid_up_to(), "a field's header is not UTF-8")
    })?;
    let (mut head, mut line_at, mut disposed) = (Head::default(), at, false);
    for (number, line) in text.split("\r\n").enumerate() {
        if number >= MAX_HEADERS {
            return Err(Problem::new(ProblemKind::TooMany, line_at, "more headers than allowed"));
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| framing(line_at, "a field's header without a colon"))?;
        let value_at = line_at + name.len() + 1;
        if line.contains(['\r', '\n', '\0']) {
            return Err(framing(line_at, "a control character within a field's header"));
        }
        if name.eq_ignore_ascii_case("content-disposition") {
            once(!disposed, line_at)?;
            disposed = true;
            disposition(value, value_at, &mut head)?;
        } else if name.eq_ignore_ascii_case("content-type") {
            once(head.content_type.is_none(), line_at)?;
            head.content_type = Some((value.trim(), value_at));
        } else if name.eq_ignore_ascii_case("content-transfer-encoding")
            && !["7bit", "8bit", "binary"].iter().any(|known| value.trim().eq_ignore_ascii_case(known))
        {
            return Err(Problem::new(
                ProblemKind::UnsupportedType,
                line_at,
                "a field in a transfer encoding",
            ));
        }
        line_at += line.len() + 2;
    }
    Ok(head)
}

fn once(first: bool, at: usize) -> Result<(), Problem> {
    let twice = Problem::new(ProblemKind::DuplicateKey, at, "a header or parameter that occurs twice");
    if first { Ok(()) } else { Err(twice) }
}

/// Reads `form-data; name="…"; filename="…"`.
fn disposition<'a>(value: &'a str, at: usize, head: &mut Head<'a>) -> Result<(), Problem> {
    let bad = |at| framing(at, "a field's disposition cannot be read");
    let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(bad(at));
    }
    let place = |rest: &str| at + (value.len() - rest.len());
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Ok(());
        }
        let here = place(rest);
        let (name, after) = rest.split_once('=').ok_or_else(|| bad(here))?;
        let (found, found_at) = if let Some(inside) = after.strip_prefix('"') {
            let end = closing_quote(inside).ok_or_else(|| bad(here))?;
            rest = inside.get(end + 1..).unwrap_or_default();
            (inside.get(..end).unwrap_or_default(), place(inside))
        } else {
            let end = after.find(';').unwrap_or(after.len());
            rest = after.get(end..).unwrap_or_default();
            (after.get(..end).unwrap_or_default().trim(), place(after))
        };
        let slot = match name.trim() {
            name if name.eq_ignore_ascii_case("name") => &mut head.name,
            name if name.eq_ignore_ascii_case("filename") || name.eq_ignore_ascii_case("filename*") => {
                &mut head.filename
            }
            _ => continue,
        };
        once(slot.is_none(), here)?;
        *slot = Some((found, found_at));
    }
}

/// Where a quoted string ends; a backslash takes the next character along.
fn closing_quote(inside: &str) -> Option<usize> {
    let mut escaped = false;
    inside.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
