//! The binary tensor data extension of the Open Inference Protocol (Triton, "Binary Tensor Data Extension"): raw bytes
//! behind the JSON, one stretch for each input that says how many are its own.

use alloc::vec::Vec;

use crate::{Datatype, Part, Problem, ProblemKind, Tensor};

/// The bytes behind the JSON, taken from the front.
pub(super) struct Binary<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What was read from them.
    pub(super) parts: Vec<Part<'a>>,
    pub(super) tensors: Vec<Tensor<'a>>,
}

/// The bytes of one input.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) bytes: &'a [u8],
    /// Where they start in the body.
    pub(super) at: usize,
}

impl<'a> Binary<'a> {
    /// `at` is where the bytes start in the body.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, parts: Vec::new(), tensors: Vec::new() }
    }

    pub(super) fn take(&mut self, size: usize) -> Result<Chunk<'a>, Problem> {
        let (bytes, rest) = self.bytes.split_at_checked(size).ok_or_else(|| {
            let end = self.at + self.bytes.len();
            Problem::new(ProblemKind::Shape, end, "the body ends within an input's binary data")
        })?;
        let chunk = Chunk { bytes, at: self.at };
        self.bytes = rest;
        self.at += size;
        Ok(chunk)
    }

    /// Nothing may be left that belongs to no input.
    pub(super) fn end(&self) -> Result<(), Problem> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(Problem::new(ProblemKind::TrailingData, self.at, "binary data that belongs to no input"))
    }
}

impl<'a> Chunk<'a> {
    /// Its numbers; `None` when a number is cut, or the type has none.
    pub(super) fn numbers(&self, datatype: Datatype) -> Option<Vec<f64>> {
        match datatype {
            Datatype::Bool => self.bytes.iter().map(|byte| (*byte < 2).then(|| f64::from(*byte))).collect(),
            Datatype::Uint(8) => self.each(|[byte]| f64::from(byte)),
            Datatype::Int(8) => self.each(|bytes| f64::from(i8::from_le_bytes(bytes))),
            Datatype::Uint(16) => self.each(|bytes| f64::from(u16::from_le_bytes(bytes))),
            Datatype::Int(16) => self.each(|bytes| f64::from(i16::from_le_bytes(bytes))),
            Datatype::Uint(32) => self.each(|bytes| f64::from(u32::from_le_bytes(bytes))),
            Datatype::Int(32) => self.each(|bytes| f64::from(i32::from_le_bytes(bytes))),
            #[expect(clippy::cast_precision_loss, reason = "a tensor's values are doubles")]
            Datatype::Uint(64) => self.each(|bytes| u64::from_le_bytes(bytes) as f64),
            #[expect(clippy::cast_precision_loss, reason = "a tensor's values are doubles")]
            Datatype::Int(64) => self.each(|bytes| i64::from_le_bytes(bytes) as f64),
            Datatype::Float(16) => self.each(|bytes| half(u16::from_le_bytes(bytes))),
            Datatype::Float(32) => self.each(|bytes| f64::from(f32::from_le_bytes(bytes))),
            Datatype::Float(64) => self.each(f64::from_le_bytes),
            Datatype::Bfloat16 => {
                self.each(|bytes| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)))
            }
            Datatype::Uint(_) | Datatype::Int(_) | Datatype::Float(_) | Datatype::Bytes => None,
        }
    }

    fn each<const N: usize>(&self, number: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (numbers, rest) = self.bytes.as_chunks::<N>();
        rest.is_empty().then(|| numbers.iter().map(|bytes| number(*bytes)).collect())
    }

    /// Its texts and where they start: each is written behind its length in four bytes.
    pub(super) fn texts(&self, count: usize) -> Result<Vec<(&'a str, usize)>, Problem> {
        let bad = |at| Problem::new(ProblemKind::Shape, at, "an input's `shape` does not fit its `data`");
        let (mut texts, mut rest, mut at) = (Vec::new(), self.bytes, self.at);
        for _ in 0..count {
            let (length, behind) = rest.split_first_chunk::<4>().ok_or_else(|| bad(at))?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (text, behind) = behind.split_at_checked(length).ok_or_else(|| bad(at))?;
            let text = core::str::from_utf8(text).map_err(|error| {
                Problem::new(
                    ProblemKind::Encoding,
                    at + 4 + error.valid_up_to(),
                    "an element that is not UTF-8",
                )
            })?;
            texts.push((text, at + 4));
            at += 4 + length;
            rest = behind;
        }
        if rest.is_empty() { Ok(texts) } else { Err(bad(at)) }
    }
}

/// The value of an IEEE 754 binary16: exact in a double.
fn half(bits: u16) -> f64 {
    // 2^-24, the smallest of its values.
    const STEP: f64 = 1.0 / 16_777_216.0;
    let (exponent, mantissa) = (bits >> 10 & 0x1f, f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => mantissa * STEP,
        0x1f if bits & 0x3ff == 0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1024.0 + mantissa) * STEP * f64::from(1_u32 << (exponent - 1)),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_read_exactly() {
        let table = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 6.103_515_625e-5),
            (0x3555, 0.333_251_953_125),
            (0x7c00, f64::INFINITY),
            (0x8000, -0.0),
        ];
        for (bits, value) in table {
            assert_eq!(half(bits).to_bits(), f64::to_bits(value), "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
