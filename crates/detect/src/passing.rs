//! What stands beside a credential and says that it is none to worry about: the rest of it is masked, it is a piece of a
//! file's name, or the text calls it an example.

use core::ops::Range;

/// Bytes before and behind it in which a text calls a credential an example.
const NEAR: usize = 64;

/// Words for what is no real one.
const WORDS: &[&str] = &[
    "example",
    "examples",
    "sample",
    "dummy",
    "fake",
    "placeholder",
    "fictional",
    "revoked",
    "beispiel",
    "ejemplo",
    "exemple",
    "exemplo",
    "esempio",
    "voorbeeld",
    "пример",
    "示例",
    "例子",
];

/// Endings of files that names of hashes have.
const ENDINGS: &[&str] = &[
    "css", "gif", "gz", "html", "ico", "jpeg", "jpg", "js", "map", "mjs", "mp3", "mp4", "pdf", "png", "svg",
    "tgz", "ttf", "webp", "woff", "woff2", "zip",
];

/// Whether the rest was left out: `ghp_ab12****`, `MIIEpAIBAAKC...`.
pub(crate) fn is_masked(source: &[u8], range: &Range<usize>) -> bool {
    let behind = source.get(range.end..).unwrap_or_default();
    let behind = behind.strip_prefix(b"-").unwrap_or(behind);
    [b"**".as_slice(), b"##", b"...", "…".as_bytes(), "••".as_bytes(), b"[...", b"<redacted", b"[redacted"]
        .iter()
        .any(|mask| behind.get(..mask.len()).is_some_and(|start| start.eq_ignore_ascii_case(mask)))
}

/// Whether it is a file's name without its ending: `icon-4f0c….png`.
pub(crate) fn is_file_name(source: &[u8], range: &Range<usize>) -> bool {
    let Some(rest) = source.get(range.end..).and_then(|behind| behind.strip_prefix(b".")) else {
        return false;
    };
    let ending = rest.iter().take(6).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let ending = rest.get(..ending).unwrap_or_default();
    ENDINGS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(ending))
}

/// Whether the line calls it an example, a dummy, a fake.
pub(crate) fn is_called_example(source: &[u8], range: &Range<usize>) -> bool {
    let before = source.get(range.start.saturating_sub(NEAR)..range.start).unwrap_or_default();
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let behind = source.get(range.end..).unwrap_or_default();
    let end = behind.iter().take(NEAR).position(|byte| *byte == b'\n').unwrap_or(NEAR);
    names_example(before.get(line..).unwrap_or_default())
        || names_example(behind.get(..end).unwrap_or(behind))
}

fn names_example(text: &[u8]) -> bool {
    // A host or a mail address may well be called so, and a variable too.
    let joins = |byte: Option<&u8>| {
        byte.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'@' | b'/' | b'-' | b'_')
        })
    };
    let ends = |at: usize| {
        let dot =
            text.get(at) == Some(&b'.') && text.get(at + 1).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        dot || !joins(text.get(at))
    };
    let begins = |at: usize| !joins(at.checked_sub(1).and_then(|before| text.get(before)));
    let is_first =
        |byte: u8| WORDS.iter().any(|word| word.as_bytes().first() == Some(&byte.to_ascii_lowercase()));
    (0..text.len()).any(|at| {
        let rest = text.get(at..).unwrap_or_default();
        let named = |word: &&str| {
            let length = word.len();
            rest.get(..length).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
                && ends(at + length)
        };
        begins(at) && rest.first().is_some_and(|byte| is_first(*byte)) && WORDS.iter().any(named)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Range<usize> {
        let start = text.find("KEY").unwrap();
        start..start + 3
    }

    #[test]
    fn what_a_text_calls_an_example_is_one() {
        for text in [
            "for example KEY and so on",
            "KEY (a dummy)",
            "KEY is fake.",
            "The placeholder \"KEY\"",
            "Beispiel: KEY",
            "示例 KEY",
        ] {
            assert!(is_called_example(text.as_bytes(), &place(text)), "{text}");
        }
        for text in [
            "example\nKEY\nexample",
            "https://example.com/?k=KEY",
            "KEY@mail.example.org",
            "examples/app.env: KEY",
            "resample KEY",
            "EXAMPLE_TOKEN=KEY",
            "KEY",
        ] {
            assert!(!is_called_example(text.as_bytes(), &place(text)), "{text}");
        }
    }

    #[test]
    fn what_is_cut_short_is_masked() {
        for text in ["KEY***", "KEY-####", "KEY...", "KEY…", "KEY[REDACTED]"] {
            assert!(is_masked(text.as_bytes(), &place(text)), "{text}");
        }
        for text in ["KEY", "KEY.", "KEY\n**bold**", "KEY-"] {
            assert!(!is_masked(text.as_bytes(), &place(text)), "{text}");
        }
    }

    #[test]
    fn a_file_has_an_ending() {
        assert!(is_file_name(b"ico-KEY.png", &(4..7)));
        assert!(is_file_name(b"/static/KEY.JS?v=2", &(8..11)));
        assert!(!is_file_name(b"KEY.Then", &(0..3)) && !is_file_name(b"KEY", &(0..3)));
    }
}
