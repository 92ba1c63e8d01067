//! Content types.

use crate::{Problem, ProblemKind};

/// What a content type says about a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`, `text/json`, or a type ending in `+json`.
    Json,
    /// `text/plain`.
    Text,
    /// There is no content type.
    Missing,
}

/// Reads a content type; only types and character sets that this crate reads are accepted.
pub(crate) fn media(content_type: Option<&str>) -> Result<Media, Problem> {
    let Some(value) = content_type.map(str::trim).filter(|value| !value.is_empty()) else {
        return Ok(Media::Missing);
    };
    let mut fields = value.split(';');
    let essence = fields.next().unwrap_or_default().trim();
    if !fields.all(|field| is_utf8(field.trim())) {
        return Err(unsupported("the character set is not UTF-8"));
    }
    if essence.eq_ignore_ascii_case("text/plain") {
        Ok(Media::Text)
    } else if is_json(essence) {
        Ok(Media::Json)
    } else {
        Err(unsupported("the content type is neither JSON nor plain text"))
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
        assert_eq!(media(None), Ok(Media::Missing));
        assert_eq!(media(Some("  ")), Ok(Media::Missing));
        let others = [
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-7",
            "text/plain; charset=iso-8859-1",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
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
