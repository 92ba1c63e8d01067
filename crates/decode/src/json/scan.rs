//! Finding the end of a string's plain stretch: the one loop that sees every byte of a prompt.

/// Bytes looked at in one step. Two SSE2 or simd128 registers: the compiler turns the fold over a block into vector
/// comparisons, natively and in wasm, and into plain code on a machine that has none.
const BLOCK: usize = 32;

/// Whether a byte ends a plain stretch: a quote, a backslash, or a control character, which JSON forbids in a string.
fn stops(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// How many bytes from the start are plain text of a string.
pub(crate) fn plain(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let clean =
        blocks.iter().take_while(|block| !block.iter().fold(false, |hit, &byte| hit | stops(byte))).count();
    let done = clean * BLOCK;
    let tail = blocks.get(clean).map_or(rest, |block| block.as_slice());
    done + tail.iter().take_while(|&&byte| !stops(byte)).count()
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
