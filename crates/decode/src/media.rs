//! Content types.

use crate::{Problem, ProblemKind};

/// What a content type says about a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media<'a> {
    /// `application/json`, `text/json`, or a type ending in `+json`.
    Json,
    /// `text/plain`.
    Text,
    /// There is no content type.
    Missing,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data` with its boundary.
    Multipart(&'a str),
    /// `application/octet-stream`, which only a tensor may be.
    Octets,
}

/// Reads a content type; only types and character sets that this crate reads are accepted.
pub(crate) fn media(content_type: Option<&str>) -> Result<Media<'_>, Problem> {
    let Some(value) = content_type.map(str::trim).filter(|value| !value.is_empty()) else {
        return Ok(Media::Missing);
    };
    let mut fields = value.split(';');
    let essence = fields.next().unwrap_or_default().trim();
    if !fields.clone().all(|field| is_utf8(field.trim())) {
        return Err(unsupported("the character set is not UTF-8"));
    }
    let is = |known: &str| essence.eq_ignore_ascii_case(known);
    // What nearly every request says is asked first.
    if is("application/json") {
        Ok(Media::Json)
    } else if is("text/plain") {
        Ok(Media::Text)
    } else if is("application/x-www-form-urlencoded") {
        Ok(Media::Form)
    } else if is("multipart/form-data") {
        boundary(fields).map(Media::Multipart)
    } else if is("application/octet-stream") {
        Ok(Media::Octets)
    } else if is_json(essence) {
        Ok(Media::Json)
    } else {
        Err(unsupported("the content type is none that is read"))
    }
}

/// The boundary of a multipart body: 1 to 70 characters, none of which takes part in the framing (RFC 2046, 5.1.1).
fn boundary<'a>(fields: impl Iterator<Item = &'a str>) -> Result<&'a str, Problem> {
    let mut boundaries = fields
        .filter_map(|field| field.trim().split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim());
    let (value, other) = (boundaries.next().unwrap_or_default(), boundaries.next());
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    if other.is_none() && (1..=70).contains(&value.len()) && value.bytes().all(known) {
        Ok(value)
    } else {
        Err(unsupported("a multipart body without one right boundary"))
    }
}

fn unsupported(detail: &'static str) -> Problem {
    Problem::new(ProblemKind::UnsupportedType, 0, detail)
}

fn is_json(essence: &str) -> bool {
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    if !token(kind) || !token(subtype) {
        return false;
    }
    let suffix = subtype.rsplit_once('+').map(|(_, suffix)| suffix);
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
        || (subtype.eq_ignore_ascii_case("json")
            && (kind.eq_ignore_ascii_case("application") || kind.eq_ignore_ascii_case("text")))
}

/// Whether a parameter is no `charset`, or one that UTF-8 covers.
fn is_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return true };
    if !name.trim().eq_ignore_ascii_case("charset") {
        return true;
    }
    let value = value.trim().trim_matches('"');
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_json_and_plain_text_in_utf8_only() {
        let json = [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/vnd.api+json",
            "text/json; charset=us-ascii",
            " application/json ; boundary=x",
        ];
        for value in json {
            assert_eq!(media(Some(value)), Ok(Media::Json), "{value}");
        }
        assert_eq!(media(Some("text/plain;charset=utf8")), Ok(Media::Text));
        assert_eq!(media(Some("application/x-www-form-urlencoded")), Ok(Media::Form));
        assert_eq!(media(Some("multipart/form-data; boundary=x")), Ok(Media::Multipart("x")));
        assert_eq!(media(Some("Multipart/Form-Data; Boundary=\"a b\"")), Ok(Media::Multipart("a b")));
        assert_eq!(media(Some("application/octet-stream")), Ok(Media::Octets));
        assert_eq!(media(None), Ok(Media::Missing));
        assert_eq!(media(Some("  ")), Ok(Media::Missing));
        let others = [
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-7",
            "text/plain; charset=iso-8859-1",
            "application/x-www-form-urlencoded; charset=latin1",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=x; boundary=y",
            "multipart/form-data; boundary=<x>",
            "multipart/mixed; boundary=x",
            "application/json, text/plain",
            "json",
            "application/jsonp",
            "image/json",
        ];
        for value in others {
            assert_eq!(
                media(Some(value)).map_err(|it| it.kind),
                Err(ProblemKind::UnsupportedType),
                "{value}"
            );
        }
    }
}
