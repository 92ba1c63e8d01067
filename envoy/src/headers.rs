//! The header map in the form in which the host hands it over.
//!
//! One buffer holds everything, and names and values are borrowed from it: a header costs no allocation, and none of
//! its bytes is taken for UTF-8. The form is that of proxy-wasm ABI 0.2.1: the number of pairs, the lengths of each
//! name and value (all `u32`, little-endian), then every name and value, each followed by a zero byte.

/// Length of the number of pairs, and of each length, in bytes.
const WORD: usize = 4;

/// Headers as the host gave them, duplicates included, pseudo headers (`:path`) among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderMap {
    bytes: Vec<u8>,
}

impl HeaderMap {
    /// Takes the host's buffer; `None` if it does not have the form described above.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let map = Self { bytes };
        let whole = map.bytes.is_empty() || map.bytes.len() >= WORD;
        (whole && map.iter().count() == map.promised()).then_some(map)
    }

    /// Names and values in the order in which they came.
    pub(crate) fn iter(&self) -> Pairs<'_> {
        let (lengths, data) = self
            .bytes
            .split_at_checked(WORD)
            .and_then(|(_, rest)| rest.split_at_checked(self.promised().checked_mul(2 * WORD)?))
            .unwrap_or_default();
        Pairs { lengths, data }
    }

    /// The first value under `name` (lower case).
    pub(crate) fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// How many pairs the buffer says it holds.
    fn promised(&self) -> usize {
        word(&self.bytes).map_or(0, |(count, _)| count)
    }
}

/// Walks a [`HeaderMap`]; ends early where the buffer is shorter than its lengths say.
pub(crate) struct Pairs<'a> {
    lengths: &'a [u8],
    data: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_length, lengths) = word(self.lengths)?;
        let (value_length, lengths) = word(lengths)?;
        let (name, data) = terminated(self.data, name_length)?;
        let (value, data) = terminated(data, value_length)?;
        (self.lengths, self.data) = (lengths, data);
        Some((name, value))
    }
}

/// Reads a little-endian `u32`.
fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<WORD>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

/// Reads `length` bytes and the zero byte behind them.
fn terminated(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    let (0, rest) = rest.split_first()? else { return None };
    Some((text, rest))
}

/// Writes the host's form; also what properties of a mock host are made of.
pub(crate) fn serialise<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut count: u32 = 0;
    let (mut lengths, mut data) = (Vec::new(), Vec::new());
    for (name, value) in pairs {
        count = count.saturating_add(1);
        for text in [name, value] {
            lengths.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            data.extend_from_slice(text);
            data.push(0);
        }
    }
    let mut bytes = Vec::with_capacity(WORD + lengths.len() + data.len());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.append(&mut lengths);
    bytes.append(&mut data);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(&[u8], &[u8]); 4] = [
        (b":path", b"/v1/x"),
        (b"x-modelgate-verdict", b"allow"),
        (b"x-raw", b"\xff\xfe\0z"),
        (b"x-modelgate-verdict", b""),
    ];

    #[test]
    fn reads_back_what_it_wrote_bytes_that_are_no_utf8_included() {
        let map = HeaderMap::parse(serialise(PAIRS)).unwrap();
        assert_eq!(map.iter().collect::<Vec<_>>(), PAIRS);
        assert_eq!(map.first(b"x-raw"), Some(&b"\xff\xfe\0z"[..]));
        assert_eq!(map.first(b"x-modelgate-verdict"), Some(&b"allow"[..]));
        assert_eq!(map.first(b"absent"), None);
    }

    #[test]
    fn an_empty_map_has_no_pairs() {
        assert_eq!(HeaderMap::parse(serialise([])).unwrap().iter().count(), 0);
        assert_eq!(HeaderMap::parse(Vec::new()).unwrap().iter().count(), 0);
    }

    #[test]
    fn a_buffer_cut_anywhere_is_refused_and_never_read_past_its_end() {
        let whole = serialise(PAIRS);
        for end in 1..whole.len() {
            assert_eq!(HeaderMap::parse(whole[..end].to_vec()), None, "cut at {end}");
        }
    }

    #[test]
    fn a_buffer_that_promises_more_than_it_holds_is_refused() {
        for count in [1, 2, u32::MAX / 8, u32::MAX] {
            let mut bytes = count.to_le_bytes().to_vec();
            assert_eq!(HeaderMap::parse(bytes.clone()), None);
            bytes.extend_from_slice(&[0xff; 64]);
            assert_eq!(HeaderMap::parse(bytes), None);
        }
    }
}
