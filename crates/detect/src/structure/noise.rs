//! Text that is nobody's: letters in no language's order, as hands on a keyboard or a generator make them, characters at
//! random, and long stretches of random letters and digits that decode to nothing. All of it fills a model's window, hides
//! what it says, or tries what a model does with tokens it never learnt.
//!
//! Every kilobyte is told by a sample of its letters first: where neighbouring letters are a language's, nothing more is
//! looked at.

use normalise::{fluency, naturalness};

use super::rules::{BLOB, LETTERS, NOISE};
use crate::{base64, detector::Sink, entropy};

/// Bytes judged together.
const WINDOW: usize = 1024;
/// Bytes of a window that decide whether it is looked at.
const SAMPLE: usize = 160;
/// Less is a name, a key, a joke.
const SHORTEST: usize = 192;

/// Pairs of letters that are frequent in a language, per mille: languages have some 920 and hardly ever less than 600,
/// letters drawn at random and fingers on a keyboard 220 to 350.
const STRANGE: u32 = 430;
/// What a sample may have of them and be looked at: few pairs tell roughly.
const ODD: u32 = 600;

/// Bytes without white space that are a blob; keys, signatures and tokens are shorter.
const LONG: usize = 768;
/// Thousandths of a bit a byte: base64 of compressed or encrypted data has 5,900 or more, hexadecimal digits 4,000.
const RANDOM: u16 = 5_300;

/// `is_read` says that the text reads as words once a trick of writing is undone.
pub(super) fn scan(text: &[u8], is_read: bool, sink: &mut Sink<'_>) {
    if text.len() < SHORTEST {
        return;
    }
    let mut start = 0;
    while start < text.len() {
        let end = if text.len() - start < WINDOW + SHORTEST { text.len() } else { start + WINDOW };
        match text.get(start..end).and_then(|window| judge(window, text, start)) {
            Some((LETTERS, _)) if is_read => {}
            Some((rule, weight)) => return sink.push(rule, weight, start..end),
            None => {}
        }
        start = end;
    }
}

fn judge(window: &[u8], text: &[u8], start: usize) -> Option<(usize, u16)> {
    let sample = window.get(..SAMPLE).unwrap_or(window);
    if naturalness(sample) >= ODD {
        return None;
    }
    let counts = Counts::of(window);
    if counts.foreign * 50 > window.len() || naturalness(window) >= STRANGE {
        return None;
    }
    let written = window.len() - counts.spaces;
    if counts.lower * 5 >= written * 4 && counts.distinct >= 10 && counts.pairs() && fluency(window) < 150 {
        return Some((LETTERS, 300));
    }
    let is_random = || entropy::reaches(window.iter().copied(), RANDOM);
    if counts.signs * 7 >= written && counts.letters() * 4 >= written && is_random() {
        return Some((NOISE, 300));
    }
    let is_blob = counts.spaces == 0 && counts.signs * 12 <= written && window.len() >= LONG;
    (is_blob && is_random() && !is_known_data(text, start)).then_some((BLOB, 250))
}

/// What a window is made of.
#[derive(Default)]
struct Counts {
    lower: usize,
    upper: usize,
    spaces: usize,
    signs: usize,
    /// Bytes that are not ASCII.
    foreign: usize,
    /// Different letters, in small ones.
    distinct: u32,
    /// The longest word of letters.
    longest: usize,
}

impl Counts {
    fn of(window: &[u8]) -> Self {
        let mut counts = Self::default();
        let (mut seen, mut word) = (0u32, 0);
        for byte in window {
            word = if byte.is_ascii_alphabetic() { word + 1 } else { 0 };
            counts.longest = counts.longest.max(word);
            match byte {
                b'a'..=b'z' => {
                    counts.lower += 1;
                    seen |= 1 << (byte - b'a');
                }
                b'A'..=b'Z' => counts.upper += 1,
                b'0'..=b'9' => {}
                b' ' | b'\t' | b'\r' | b'\n' => counts.spaces += 1,
                0x80.. => counts.foreign += 1,
                _ => counts.signs += 1,
            }
        }
        counts.distinct = seen.count_ones();
        counts
    }

    const fn letters(&self) -> usize {
        self.lower + self.upper
    }

    /// Whether its words are long enough to have pairs of letters that tell.
    const fn pairs(&self) -> bool {
        self.longest >= 4
    }
}

/// Bytes that are decoded to see what is in a blob.
const DECODED: usize = 96;

/// Whether a blob is what data is: text in base64, a picture, a document or an archive by its first bytes, or what stands
/// behind `base64,`.
fn is_known_data(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let behind_space = before.iter().rev().take(1 << 16).position(|byte| byte.is_ascii_whitespace());
    let begin = behind_space.map_or(at.saturating_sub(1 << 16), |back| at - back);
    let word = text.get(begin..).unwrap_or_default();
    let head = word.get(..128).unwrap_or(word);
    if head.windows(7).any(|part| part == b"base64,") || head.windows(5).any(|part| part == b"data:") {
        return true;
    }
    let quoted = word.iter().take(64).rposition(|byte| matches!(byte, b'"' | b'\'' | b'=' | b':' | b'('));
    let body = quoted.and_then(|quote| word.get(quote + 1..)).unwrap_or(word);
    let mut room = [0; DECODED];
    let decoded = base64::decode(body, &mut room);
    let printable = decoded.iter().filter(|byte| matches!(byte, b'\t' | b'\r' | b'\n' | 0x20..=0x7e)).count();
    MAGIC.iter().any(|magic| decoded.starts_with(magic)) || printable * 10 >= decoded.len() * 9
}

/// How files begin: PNG, JPEG, GIF, RIFF, PDF, ZIP, gzip, Zstandard, bzip2, xz, 7z, Ogg, MP3, WOFF, DER, wasm, BMP, TIFF,
/// MP4's box.
const MAGIC: &[&[u8]] = &[
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"%PDF",
    b"PK",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"OggS",
    b"ID3",
    b"wOF",
    b"\x30\x82",
    b"\x30\x81",
    b"\0asm",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0",
];
