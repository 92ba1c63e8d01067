//! Numbers, correctly rounded.

use crate::{Problem, ProblemKind, limits::MAX_NUMBER_BYTES};

/// One number as read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    /// Its value, rounded to the nearest double, ties to even.
    pub(crate) value: f64,
    /// Where it ends.
    pub(crate) end: usize,
    /// Whether it is written with a fraction or an exponent, or is not finite.
    pub(crate) fraction: bool,
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// The largest integer below which a double holds every one.
const EXACT_INTEGER: u64 = 1 << 53;
/// Digits that always fit a `u64`.
const SAFE_DIGITS: usize = 19;

/// Whether a number, or one of the words for a value that is none, may start with this byte.
pub(crate) fn starts(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'N' | b'I')
}

/// Reads the number at `start`. `NaN`, `Infinity`, `-Infinity` and numbers too large for a double come back as values
/// that are not finite: whether they may stand there is not for this function to say.
pub(crate) fn number(text: &str, start: usize) -> Result<Number, Problem> {
    let bytes = text.as_bytes();
    let negative = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    match bytes.get(first) {
        Some(b'0'..=b'9') => {}
        Some(b'N') if !negative => return word(bytes, start, b"NaN", f64::NAN),
        Some(b'I') => {
            let value = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
            return word(bytes, first, b"Infinity", value);
        }
        Some(_) => return Err(Problem::new(ProblemKind::Syntax, first, "a number without digits")),
        None => return Err(Problem::new(ProblemKind::Syntax, first, "the body ends within a number")),
    }
    let mut digits = Digits::default();
    let mut at = digits.take(bytes, first);
    if bytes.get(first) == Some(&b'0') && at > first + 1 {
        return Err(Problem::new(ProblemKind::Syntax, first + 1, "a number with a leading zero"));
    }
    let mut fraction = false;
    let mut exponent = 0_i32;
    if bytes.get(at) == Some(&b'.') {
        fraction = true;
        let end = digits.take(bytes, at + 1);
        let places = end - at - 1;
        needs_digits(bytes, at + 1, places)?;
        exponent = -i32::try_from(places).unwrap_or(i32::MAX);
        at = end;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        fraction = true;
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        let from = at + 1 + usize::from(signed);
        let mut power = Digits::default();
        let end = power.take(bytes, from);
        needs_digits(bytes, from, end - from)?;
        // Beyond the exact powers the exponent only has to stay out of their range.
        let size = if power.count > 4 { 99_999 } else { i32::try_from(power.value).unwrap_or(99_999) };
        let size = if bytes.get(at + 1) == Some(&b'-') { -size } else { size };
        exponent = exponent.saturating_add(size);
        at = end;
    }
    if at - start > MAX_NUMBER_BYTES {
        return Err(Problem::new(ProblemKind::NumberRange, start, "a number of too many digits"));
    }
    let value = match digits.exact(exponent) {
        Some(value) if negative => -value,
        Some(value) => value,
        None => text.get(start..at).and_then(|token| token.parse().ok()).unwrap_or(f64::NAN),
    };
    Ok(Number { value, end: at, fraction: fraction || !value.is_finite() })
}

/// One of the words for what is no number.
fn word(bytes: &[u8], at: usize, word: &[u8], value: f64) -> Result<Number, Problem> {
    if bytes.get(at..).is_some_and(|rest| rest.starts_with(word)) {
        Ok(Number { value, end: at + word.len(), fraction: true })
    } else {
        Err(Problem::new(ProblemKind::Syntax, at, "a value that JSON does not have"))
    }
}

fn needs_digits(bytes: &[u8], at: usize, found: usize) -> Result<(), Problem> {
    match found {
        0 if at >= bytes.len() => Err(Problem::new(ProblemKind::Syntax, at, "the body ends within a number")),
        0 => Err(Problem::new(ProblemKind::Syntax, at, "a number without digits")),
        _ => Ok(()),
    }
}

/// Decimal digits as they come in.
#[derive(Default)]
struct Digits {
    value: u64,
    count: usize,
}

impl Digits {
    /// Takes the digits from `at` on and gives the place behind them.
    fn take(&mut self, bytes: &[u8], at: usize) -> usize {
        let mut end = at;
        while let Some(byte @ b'0'..=b'9') = bytes.get(end) {
            self.value = self.value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            end += 1;
        }
        self.count += end - at;
        end
    }

    /// The value times a power of ten when one exact multiplication or division gives it, correctly rounded
    /// (Clinger 1990, "How to read floating point numbers accurately").
    fn exact(&self, exponent: i32) -> Option<f64> {
        if self.count > SAFE_DIGITS || self.value > EXACT_INTEGER {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "no more than 2^53, which a double holds")]
        let value = self.value as f64;
        let power = EXACT_POWERS.get(usize::try_from(exponent.unsigned_abs()).ok()?)?;
        Some(if exponent < 0 { value / power } else { value * power })
    }
}
