//! Bytes in fewer: canonical Huffman codes of at most twelve bits (D. A. Huffman, A Method for the Construction of
//! Minimum-Redundancy Codes, 1952), one table for each part.
//!
//! ```text
//! how many bytes there are, and how many they are squeezed to, as numbers
//! the length of each byte's code, four bits each, 128 bytes; 0 for a byte that is not there
//! the codes, the first bit highest
//! ```

use alloc::{vec, vec::Vec};

use super::{pack::Writer, unpack::Reader};

/// Bits of the longest code.
const LONGEST: u32 = 12;

/// Writes the bytes down squeezed.
pub fn squeeze(bytes: &[u8], out: &mut Writer) {
    let lengths = lengths(bytes);
    let codes = codes(&lengths);
    let mut squeezed = Vec::new();
    let (mut buffer, mut filled) = (0u32, 0);
    for byte in bytes {
        let (code, length) = codes.get(usize::from(*byte)).copied().unwrap_or_default();
        buffer |= u32::from(code) << (32 - filled - length);
        filled += length;
        while filled >= 8 {
            squeezed.extend(buffer.to_be_bytes().first());
            buffer <<= 8;
            filled -= 8;
        }
    }
    squeezed.extend(buffer.to_be_bytes().first());
    out.count(bytes.len());
    out.count(squeezed.len());
    let (pairs, _) = lengths.as_chunks::<2>();
    pairs.iter().for_each(|[low, high]| out.raw(&[low | high << 4]));
    out.raw(&squeezed);
}

/// Reads what was squeezed and appends it. `None` if these bytes are nothing squeezed.
pub fn expand(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let count = usize::try_from(reader.number()?).ok()?;
    let squeezed = reader.count()?;
    let lengths: Vec<u8> = reader.raw(128)?.iter().flat_map(|pair| [pair & 15, pair >> 4]).collect();
    let squeezed = reader.raw(squeezed)?;
    if count > squeezed.len() * 8 || lengths.iter().any(|length| u32::from(*length) > LONGEST) {
        return None;
    }
    // Each beginning of twelve bits with the byte whose code it begins with, and that code's length.
    let mut table = vec![(0u8, 0u32); 1 << LONGEST];
    for (byte, (code, length)) in (0..=255u8).zip(codes(&lengths)).filter(|(_, (_, length))| *length > 0) {
        let first = usize::from(code) << (LONGEST - length);
        table.get_mut(first..first + (1 << (LONGEST - length)))?.fill((byte, length));
    }
    let mut rest = squeezed.iter();
    let (mut buffer, mut filled) = (0u64, 0);
    for _ in 0..count {
        while filled <= 56 {
            buffer |= u64::from(rest.next().copied().unwrap_or(0)) << (56 - filled);
            filled += 8;
        }
        let (byte, length) = *table.get(usize::try_from(buffer >> (64 - LONGEST)).ok()?)?;
        if length == 0 {
            return None;
        }
        out.push(byte);
        buffer <<= length;
        filled -= length;
    }
    Some(())
}

/// The code of each byte and its length, from the lengths: in the order of lengths, then of bytes (RFC 1951, 3.2.2).
fn codes(lengths: &[u8]) -> Vec<(u16, u32)> {
    let mut codes = vec![(0, 0); lengths.len()];
    let mut next = 0u16;
    for length in 1..=LONGEST {
        next <<= 1;
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, known)| u32::from(**known) == length) {
            *code = (next, length);
            next = next.wrapping_add(1);
        }
    }
    codes
}

/// The length of each byte's code.
fn lengths(bytes: &[u8]) -> Vec<u8> {
    let mut counts = vec![0u64; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    loop {
        let lengths = unlimited(&counts);
        if lengths.iter().all(|length| u32::from(*length) <= LONGEST) {
            return lengths;
        }
        // Rare bytes as if they were less rare have shorter codes.
        counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
    }
}

/// The length of each byte's code, however long.
fn unlimited(counts: &[u64]) -> Vec<u8> {
    let mut lengths = vec![0u8; counts.len()];
    let mut trees: Vec<(u64, Vec<usize>)> = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(byte, count)| (*count, vec![byte]))
        .collect();
    if let [(_, only)] = &*trees {
        for byte in only {
            if let Some(length) = lengths.get_mut(*byte) {
                *length = 1;
            }
        }
    }
    while trees.len() > 1 {
        trees.sort_by(|a, b| b.cmp(a));
        let (Some(least), Some(second)) = (trees.pop(), trees.pop()) else { break };
        let joined = [least.1, second.1].concat();
        for byte in &joined {
            if let Some(length) = lengths.get_mut(*byte) {
                *length += 1;
            }
        }
        trees.push((least.0 + second.0, joined));
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_squeezed_comes_out_again() {
        let skewed: Vec<u8> = (0..20u8).flat_map(|byte| vec![byte; 1 << byte.min(16)]).collect();
        for bytes in [&b""[..], b"a", b"aaaaaaaa", b"ab", b"the quick brown fox", &skewed, &[0, 255, 128, 7]]
        {
            let mut writer = Writer::default();
            squeeze(bytes, &mut writer);
            let squeezed = writer.finish();
            let mut out = Vec::new();
            assert_eq!(expand(&mut Reader::new(&squeezed), &mut out), Some(()));
            assert_eq!(out, bytes);
            assert!(expand(&mut Reader::new(&squeezed[..squeezed.len() - 1]), &mut Vec::new()).is_none());
        }
        assert!(skewed.len() > 100_000, "long enough to ask for codes that are too long");
    }
}
