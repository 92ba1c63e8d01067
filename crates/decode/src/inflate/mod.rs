//! Compressed bodies: gzip, deflate and, each behind a feature of its name, Brotli and Zstandard.
//!
//! Every output is capped before it is made: a bomb ends at the cap. What readers behind us may see differently is a
//! problem: a second gzip member or frame, bytes behind the end, a checksum that does not fit.

#[cfg(feature = "br")]
mod brotli;
mod deflate;
#[cfg(feature = "zstd")]
mod zstd;

use alloc::{borrow::Cow, vec::Vec};

pub(crate) use deflate::crc32;

use crate::{Problem, ProblemKind, limits::MAX_BYTES};

/// How many encodings a body may have one over the other. More serve nobody but who hides something.
pub const MAX_ENCODINGS: usize = 2;
/// How many times its own size a body may grow (the default of Apache's `DeflateInflateRatioLimit`; JSON made of one
/// sentence stays under 100).
pub const MAX_RATIO: usize = 200;
/// Bodies up to this size may grow by any ratio: there is no harm in them.
pub const HARMLESS_BYTES: usize = 64 << 10;

/// What a compressed body may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Longest body in bytes once inflated, also between two encodings.
    pub max_bytes: usize,
    /// How many times its own size it may grow, see [`MAX_RATIO`].
    pub max_ratio: usize,
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self { max_bytes: MAX_BYTES, max_ratio: MAX_RATIO }
    }
}

/// An encoding that can be undone.
#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
    #[cfg(feature = "br")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// Undoes a `Content-Encoding` (RFC 9110, section 8.4): one encoding or, in the order in which they were applied, two.
///
/// `deflate` is the zlib format, as the RFC has it, or bare deflate, as some clients do. What is not encoded at all is
/// given back as it is.
///
/// # Errors
/// [`ProblemKind::UnsupportedType`] for an encoding that is not known or too many of them, [`ProblemKind::TooLarge`] for
/// what exceeds the limits, [`ProblemKind::TrailingData`] for bytes behind the end, [`ProblemKind::Compression`] for what
/// is cut or broken. Places are those in the bytes that the failing encoding was given.
pub fn inflate<'b>(
    encodings: &str,
    bytes: &'b [u8],
    limits: &InflateLimits,
) -> Result<Cow<'b, [u8]>, Problem> {
    let unsupported = |detail| Problem::new(ProblemKind::UnsupportedType, 0, detail);
    let names = encodings.split(',').map(str::trim);
    let applied: Vec<&str> =
        names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")).collect();
    if applied.len() > MAX_ENCODINGS {
        return Err(unsupported("more encodings than allowed"));
    }
    let mut body = Cow::Borrowed(bytes);
    for name in applied.into_iter().rev() {
        let encoding =
            encoding(name).ok_or_else(|| unsupported("the content encoding is none that is read"))?;
        let cap = limits.max_bytes.min(body.len().saturating_mul(limits.max_ratio).max(HARMLESS_BYTES));
        body = Cow::Owned(undo(encoding, &body, cap)?);
    }
    Ok(body)
}

fn encoding(name: &str) -> Option<Encoding> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("gzip") || is("x-gzip") {
        return Some(Encoding::Gzip);
    }
    if is("deflate") {
        return Some(Encoding::Deflate);
    }
    #[cfg(feature = "br")]
    if is("br") {
        return Some(Encoding::Brotli);
    }
    #[cfg(feature = "zstd")]
    if is("zstd") {
        return Some(Encoding::Zstd);
    }
    None
}

fn undo(encoding: Encoding, bytes: &[u8], cap: usize) -> Result<Vec<u8>, Problem> {
    match encoding {
        Encoding::Gzip => deflate::gzip(bytes, cap),
        Encoding::Deflate => deflate::deflate(bytes, cap),
        #[cfg(feature = "br")]
        Encoding::Brotli => brotli::brotli(bytes, cap),
        #[cfg(feature = "zstd")]
        Encoding::Zstd => zstd::zstd(bytes, cap),
    }
}

fn broken(at: usize, detail: &'static str) -> Problem {
    Problem::new(ProblemKind::Compression, at, detail)
}

fn too_large(at: usize) -> Problem {
    Problem::new(ProblemKind::TooLarge, at, "the body inflates to more bytes than allowed")
}

/// Nothing may follow what was read.
fn all_read(bytes: &[u8], read: usize) -> Result<(), Problem> {
    if read >= bytes.len() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::TrailingData, read, "data behind the compressed body"))
}

/// Appends `count` bytes from `from` on, which may be some that it appends.
#[cfg(feature = "br")]
fn repeat(text: &mut Vec<u8>, from: usize, count: usize) {
    let mut left = count;
    while left > 0 {
        let there = text.len().saturating_sub(from).min(left);
        if there == 0 {
            return;
        }
        text.extend_from_within(from..from + there);
        left -= there;
    }
}

/// The size of the buffer to begin with, and after it was full. One byte more than the cap shows that it is exceeded.
fn grown(buffer: usize, compressed: usize, cap: usize) -> usize {
    buffer.max(compressed.saturating_mul(2)).max(512).saturating_mul(2).min(cap.saturating_add(1))
}
