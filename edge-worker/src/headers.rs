//! The headers of a request as one text.
//!
//! A text crosses from JavaScript to wasm at once, a list string by string. A line feed can be in neither a name nor a
//! value (RFC 9110, section 5.5), so `name LF value LF` for each header says the same as the list.

/// The headers in a text of `name LF value LF`. What follows the last whole pair is left out.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut lines = text.split('\n');
    core::iter::from_fn(move || {
        let name = lines.next().filter(|name| !name.is_empty())?;
        Some((name.as_bytes(), lines.next()?.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, &str)> {
        pairs(text)
            .map(|(name, value)| (str::from_utf8(name).unwrap(), str::from_utf8(value).unwrap()))
            .collect()
    }

    #[test]
    fn every_header_is_read_with_its_value() {
        assert_eq!(read("a\n1\ncontent-type\ntext/plain\n"), [("a", "1"), ("content-type", "text/plain")]);
    }

    #[test]
    fn an_empty_value_does_not_shift_the_rest() {
        assert_eq!(read("a\n\nb\n2\n"), [("a", ""), ("b", "2")]);
    }

    #[test]
    fn no_header_and_half_a_header_are_no_header() {
        assert_eq!(read(""), []);
        assert_eq!(read("a"), []);
    }
}
