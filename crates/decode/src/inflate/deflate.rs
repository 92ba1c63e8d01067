//! gzip (RFC 1952), zlib (RFC 1950) and bare deflate (RFC 1951).

use alloc::{boxed::Box, vec, vec::Vec};

use miniz_oxide::inflate::{
    TINFLStatus,
    core::{DecompressorOxide, decompress, inflate_flags},
};

use super::{all_read, broken, grown, too_large};
use crate::Problem;

/// gzip's flags (RFC 1952, section 2.3.1): a checksum of the header, extra fields, a file name, a comment.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Undoes gzip: one member.
pub(super) fn gzip(bytes: &[u8], cap: usize) -> Result<Vec<u8>, Problem> {
    let head = gzip_header(bytes).ok_or_else(|| broken(0, "no gzip header"))?;
    let (text, read) = raw(bytes, head, 0, cap)?;
    let trailer = bytes.get(read..).and_then(|rest| rest.first_chunk::<8>());
    let [a, b, c, d, e, f, g, h] =
        *trailer.ok_or_else(|| broken(bytes.len(), "the compressed body is cut short"))?;
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    if u32::from_le_bytes([a, b, c, d]) != crc32(&text) || u32::from_le_bytes([e, f, g, h]) != length {
        return Err(broken(read, "a checksum that does not fit"));
    }
    all_read(bytes, read + 8)?;
    Ok(text)
}

/// The length of the header.
fn gzip_header(bytes: &[u8]) -> Option<usize> {
    let flags = match bytes.first_chunk::<10>()? {
        [0x1f, 0x8b, 8, flags, ..] if flags & RESERVED == 0 => *flags,
        _ => return None,
    };
    let mut at = 10;
    if flags & EXTRA != 0 {
        let length = bytes.get(at..)?.first_chunk::<2>()?;
        at += 2 + usize::from(u16::from_le_bytes(*length));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            at += memchr::memchr(0, bytes.get(at..)?)? + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        at += 2;
    }
    (at <= bytes.len()).then_some(at)
}

/// Undoes `deflate`: with a zlib header if there is one.
pub(super) fn deflate(bytes: &[u8], cap: usize) -> Result<Vec<u8>, Problem> {
    let zlib = matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0);
    let flags = if zlib { inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER } else { 0 };
    let (text, read) = raw(bytes, 0, flags, cap)?;
    all_read(bytes, read)?;
    Ok(text)
}

/// Inflates what begins at `start`; gives the text and where the rest begins.
fn raw(bytes: &[u8], start: usize, flags: u32, cap: usize) -> Result<(Vec<u8>, usize), Problem> {
    let flags = flags | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::<DecompressorOxide>::default();
    let mut text = vec![0; grown(0, bytes.len(), cap)];
    let (mut read, mut written) = (start, 0);
    loop {
        let rest = bytes.get(read..).unwrap_or_default();
        let (status, taken, given) = decompress(&mut state, rest, &mut text, written, flags);
        read += taken;
        written += given;
        match status {
            _ if written > cap => return Err(too_large(read)),
            TINFLStatus::Done => {
                text.truncate(written);
                return Ok((text, read));
            }
            TINFLStatus::HasMoreOutput if text.len() > cap => return Err(too_large(read)),
            TINFLStatus::HasMoreOutput => text.resize(grown(text.len(), 0, cap), 0),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                return Err(broken(bytes.len(), "the compressed body is cut short"));
            }
            TINFLStatus::Adler32Mismatch => return Err(broken(read, "a checksum that does not fit")),
            _ => return Err(broken(read, "the compressed body is broken")),
        }
    }
}

/// CRC-32 as gzip has it (RFC 1952, section 8).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
        CRC_TABLE.get(usize::from(low)).copied().unwrap_or_default() ^ crc >> 8
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// The remainder of every byte.
static CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let (mut places, mut byte): (&mut [u32], u32) = (&mut table, 0);
    while let [place, rest @ ..] = places {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        *place = crc;
        places = rest;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_field_of_a_gzip_header_is_gone_past() {
        let head =
            |flags: u8, rest: &[u8]| gzip_header(&[&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3], rest].concat());
        assert_eq!(head(0, b""), Some(10));
        assert_eq!(head(NAME, b"a\0"), Some(12));
        assert_eq!(head(EXTRA | NAME | COMMENT | HEADER_CRC | 1, b"\x02\0xxn\0co\0cc"), Some(21));
        assert_eq!(head(EXTRA, b"\xff\xffx"), None);
        assert_eq!(head(NAME, b"a"), None);
        assert_eq!(head(0x20, b""), None);
        assert_eq!(gzip_header(b"\x1f\x8b\x08"), None);
    }
}
