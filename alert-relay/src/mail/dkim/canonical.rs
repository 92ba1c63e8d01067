//! The relaxed form of headers and bodies (RFC 6376, 3.4.2 and 3.4.4): what may change on the way does not count.

/// A header field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    /// With its folds, without the last line end.
    pub(super) value: &'a [u8],
}

/// The header fields and the body. What is no field is left out.
pub(super) fn split(message: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let (mut fields, mut rest) = (Vec::new(), message);
    while !rest.is_empty() {
        let (line, after) = line(rest);
        if line.is_empty() {
            return (fields, after);
        }
        let mut end = rest.len() - after.len();
        let mut tail = after;
        while tail.first().is_some_and(|byte| is_space(*byte)) {
            let (_, after) = self::line(tail);
            end += tail.len() - after.len();
            tail = after;
        }
        let whole = rest.get(..end).unwrap_or(rest);
        if let Some(colon) = whole.iter().position(|byte| *byte == b':')
            && let Some((name, value)) = whole.split_at_checked(colon)
        {
            let value = value.get(1..).unwrap_or_default();
            fields.push(Field { name: name.trim_ascii_end(), value: value.trim_ascii_end() });
        }
        rest = tail;
    }
    (fields, &[])
}

/// The first line without its end, and what comes after.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = text.windows(2).position(|pair| pair == b"\r\n") else { return (text, &[]) };
    let (line, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
    (line, rest.get(2..).unwrap_or_default())
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A header field with a line end.
pub(super) fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = name.to_ascii_lowercase();
    out.push(b':');
    let begin = out.len();
    let mut space = false;
    for byte in value {
        match byte {
            b'\r' | b'\n' => {}
            byte if is_space(*byte) => space = true,
            byte => {
                if space && out.len() > begin {
                    out.push(b' ');
                }
                space = false;
                out.push(*byte);
            }
        }
    }
    out.extend(b"\r\n");
    out
}

/// A body: spaces at the end of a line and empty lines at the end do not count.
pub(super) fn body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let (mut rest, mut empty) = (body, 0_usize);
    while !rest.is_empty() {
        let (line, after) = line(rest);
        rest = after;
        let begin = out.len();
        let mut space = false;
        for byte in line {
            if is_space(*byte) {
                space = true;
                continue;
            }
            if out.len() == begin {
                out.extend(b"\r\n".repeat(empty));
                empty = 0;
            }
            if space {
                out.push(b' ');
            }
            space = false;
            out.push(*byte);
        }
        if out.len() == begin { empty += 1 } else { out.extend(b"\r\n") }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6376, 3.4.5 (relaxed/relaxed).
    #[test]
    fn the_examples_of_the_rfc_come_out_as_there() {
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (fields, rest) = split(message);
        let headers: Vec<u8> = fields.iter().flat_map(|field| header(field.name, field.value)).collect();
        assert_eq!(headers, b"a:X\r\nb:Y Z\r\n");
        assert_eq!(body(rest), b" C\r\nD E\r\n");
    }

    #[test]
    fn a_body_of_nothing_is_nothing_and_lines_in_the_middle_stay() {
        let table: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"\r\n\r\n", b""),
            (b" \t\r\n", b""),
            (b"x", b"x\r\n"),
            (b"x \t", b"x\r\n"),
            (b"x\r\n \r\n\r\ny\r\n\r\n", b"x\r\n\r\n\r\ny\r\n"),
            (b"\r\nx\r\n", b"\r\nx\r\n"),
            (b"a\t \tb\r\n", b"a b\r\n"),
        ];
        for (given, wanted) in table {
            assert_eq!(body(given), wanted, "{:?}", String::from_utf8_lossy(given));
        }
    }

    #[test]
    fn a_head_without_a_body_and_lines_without_a_colon_are_read_too() {
        let (fields, body) = split(b"Subject: a\r\n b\r\nnothing\r\nTo:c");
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names, [&b"Subject"[..], b"To"]);
        assert_eq!(header(fields[0].name, fields[0].value), b"subject:a b\r\n");
        assert!(body.is_empty());
        assert_eq!(header(b"X", b" \r\n "), b"x:\r\n");
    }
}
