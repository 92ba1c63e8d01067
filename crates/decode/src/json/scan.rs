//! Finding the end of a string's plain stretch: the one loop that sees every byte of a prompt.

/// Bytes looked at in one step: two SSE2 or simd128 registers.
const BLOCK: usize = 32;

/// Whether a byte ends a plain stretch: a quote, a backslash, or a control character, which JSON forbids in a string.
fn stops(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// Eight bytes of which each is that byte.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Where the first byte that [`stops`] stands among eight, if one does.
///
/// Borrows can only spoil places behind a true hit, so the lowest mark is right (Bit Twiddling Hacks, "Determine if a
/// word has a byte less than n").
fn stop_of_eight(bytes: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(bytes);
    let zero = |word: u64| word.wrapping_sub(eight(1)) & !word;
    let control = word.wrapping_sub(eight(0x20)) & !word;
    let marks = (zero(word ^ eight(b'"')) | zero(word ^ eight(b'\\')) | control) & eight(0x80);
    (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
}

/// How many bytes from the start are plain text of a string.
pub(crate) fn plain(bytes: &[u8]) -> usize {
    // Most names and many values end within the first block.
    if let Some(at) = bytes.get(..BLOCK).and_then(stop_within) {
        return at;
    }
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let clean = blocks.iter().take_while(|block| is_plain(block)).count();
    let tail = blocks.get(clean).map_or(rest, |block| block.as_slice());
    clean * BLOCK + stop_within(tail).unwrap_or(tail.len())
}

/// Whether no byte of a block [`stops`].
///
/// Folded over bytes, not over bools: so the compiler compares whole vectors, natively and in wasm (20 and 11 GB/s
/// where bools give 2.3 and 1.4).
fn is_plain(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(0, |hits, &byte| {
        hits | u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20)
    }) == 0
}

/// Where the first byte that [`stops`] stands, eight bytes at a time.
fn stop_within(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let found =
        words.iter().enumerate().find_map(|(index, word)| stop_of_eight(*word).map(|at| index * 8 + at));
    found.or_else(|| rest.iter().position(|byte| stops(*byte)).map(|at| words.len() * 8 + at))
}

#[cfg(test)]
mod tests {
    use super::plain;
    use alloc::vec;

    #[test]
    fn stops_at_every_offset_before_each_special_byte_and_only_there() {
        for length in 0..100 {
            for at in 0..length {
                for special in (0..0x20).chain([b'"', b'\\']) {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = special;
                    assert_eq!(plain(&bytes), at, "{special:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn runs_over_everything_else() {
        for byte in (0x20..=0xff).filter(|byte| *byte != b'"' && *byte != b'\\') {
            assert_eq!(plain(&[byte; 70]), 70, "{byte:#x}");
        }
    }
}
