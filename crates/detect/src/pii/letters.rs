//! Identity numbers with letters in them, and their check letters.

use super::{
    check::{day, digit, luhn, number, weighted},
    context::{Context, Hints},
    crypto, rules,
    text::{byte, byte_before, word_end},
    vehicle, words,
};
use crate::detector::Sink;

/// The longest of them: eighteen, and two groups joined.
const MOST: usize = 20;

/// A word in capitals with its digits as values; letters are 10 to 35, as in ISO 7064.
struct Word {
    bytes: [u8; MOST],
    values: [u8; MOST],
    len: usize,
}

impl Word {
    fn push(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            let (Some(place), Some(value)) = (self.bytes.get_mut(self.len), self.values.get_mut(self.len))
            else {
                return false;
            };
            *place = byte.to_ascii_uppercase();
            *value = if byte.is_ascii_digit() { byte - b'0' } else { place.saturating_sub(b'A') + 10 };
            self.len += 1;
        }
        true
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn values(&self) -> &[u8] {
        self.values.get(..self.len).unwrap_or_default()
    }

    /// Whether it is of this form: `A` a letter, `9` a digit, `*` either.
    fn is(&self, form: &[u8]) -> bool {
        self.len == form.len()
            && self.bytes().iter().zip(form).all(|(byte, form)| match form {
                b'A' => byte.is_ascii_alphabetic(),
                b'9' => byte.is_ascii_digit(),
                _ => true,
            })
    }
}

/// A kind: its rule, its form, its check, the weight without a word that names it, those words.
type Kind = (usize, &'static [u8], fn(&[u8], &[u8]) -> bool, u16, Hints);

const KINDS: &[Kind] = &[
    (rules::ES_DNI, b"99999999A", dni, 830, words::ES | words::ID),
    (rules::ES_DNI, b"A9999999A", nie, 830, words::ES | words::ID),
    (rules::IT_CF, b"AAAAAA99A99A999A", codice_fiscale, 920, words::IT),
    (rules::IN_PAN, b"AAAAA9999A", pan, 600, words::IN_PAN | words::TAX | words::ID),
    (rules::MX_CURP, b"AAAA999999AAAAAA*9", curp, 920, words::MX | words::ID),
    (rules::MX_RFC, b"AAAA999999***", rfc, 600, words::MX | words::TAX),
    (rules::TW_ID, b"A999999999", taiwanese, 0, words::TW | words::ID),
    (rules::SG_NRIC, b"A9999999A", singaporean, 600, words::SG | words::ID),
    (rules::GB_NINO, b"AA999999A", nino, 600, words::GB_NINO),
    (rules::IE_PPS, b"9999999A", pps, 0, words::NAMED),
    (rules::IE_PPS, b"9999999AA", pps, 0, words::NAMED),
    (rules::CN_ID, b"99999999999999999A", chinese, 920, words::CN),
    (rules::FR_NIR, b"999999A99999999", corsican, 860, words::FR),
    (rules::DE_CARD, b"A********9", identity_card, 0, words::DE),
    (rules::FI_HETU, b"999999A999*", |_, values| hetu(values), 830, words::FI | words::ID),
    (rules::CL_RUT, b"99999999A", rut, 0, words::CL),
    (rules::CL_RUT, b"9999999A", rut, 0, words::CL),
];

/// Reports the word from `start` to `end` if it is such a number. `true` if it was one.
pub(super) fn look(
    bytes: &[u8],
    start: usize,
    end: usize,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> bool {
    let whole = bytes.get(start..end).unwrap_or_default();
    if matches!(byte_before(bytes, start), b'_' | b'/' | b'=' | b'&' | b'%') || byte(bytes, end) == b'_' {
        return false;
    }
    if whole.len() > MOST {
        return crypto::look(whole, start, context, sink);
    }
    let mut word = Word { bytes: [0; MOST], values: [0; MOST], len: 0 };
    if whole.len() < 6 || !word.push(whole) {
        return false;
    }
    for (rule, form, check, alone, names) in KINDS {
        if !word.is(form) || !check(word.bytes(), word.values()) {
            continue;
        }
        let hints = context.hints(start, end);
        let weight = if hints & names != 0 { 900 } else { *alone };
        if weight > 0 {
            sink.push(*rule, weight, start..end);
            return weight >= 800;
        }
    }
    vehicle::vin(&word.bytes, whole, start, context, sink)
}

/// A number written in two words: `131052-308T`, `12345678-Z`, `A123456(7)`, `QQ 12 34 56 C`.
pub(super) fn joined(
    bytes: &[u8],
    start: usize,
    end: usize,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> Option<usize> {
    let first = bytes.get(start..end)?;
    let sign = byte(bytes, end);
    if !matches!(sign, b'-' | b'+' | b'(') || byte_before(bytes, start) == b'_' {
        return None;
    }
    let mut word = Word { bytes: [0; MOST], values: [0; MOST], len: 0 };
    let behind = word_end(bytes, end + 1);
    let second = bytes.get(end + 1..behind)?;
    if !word.push(first) || !word.push(second) || matches!(byte(bytes, behind), b'-' | b'_') {
        return None;
    }
    let found = match sign {
        b'-' | b'+' if first.len() == 6 && word.is(b"999999999*") && second.len() == 4 => {
            // The sign stands for the century and not in the sum.
            let mut values = [0; 11];
            let from = word.values();
            for (place, value) in
                values.iter_mut().zip(from.iter().take(6).chain([&0]).chain(from.iter().skip(6)))
            {
                *place = *value;
            }
            if !hetu(&values) {
                return None;
            }
            let named = context.hints(start, behind) & words::FI != 0;
            // A third of the check characters are digits, as telephone numbers have them.
            let proven = !byte(second, 3).is_ascii_digit();
            (named || proven).then_some((rules::FI_HETU, if named { 900 } else { 830 }))
        }
        b'-' if word.is(b"99999999A") && dni(word.bytes(), word.values()) => Some((rules::ES_DNI, 850)),
        b'(' if byte(bytes, behind) == b')'
            && byte(bytes, behind + 1) != b'_'
            && word.is(b"A999999*")
            && hong_kong(word.values()) =>
        {
            Some((rules::HK_ID, 860))
        }
        _ => None,
    };
    let (rule, weight) = found?;
    sink.push(rule, weight, start..behind);
    Some(behind)
}

/// `QQ 12 34 56 C`, whose first digits begin at `start`.
pub(super) fn spaced_nino(bytes: &[u8], start: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let from = start.checked_sub(3)?;
    let text = bytes.get(from..from + 13)?;
    let mut word = Word { bytes: [0; MOST], values: [0; MOST], len: 0 };
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 2 | 5 | 8 | 11) {
            if *byte != b' ' {
                return None;
            }
        } else if !byte.is_ascii_alphanumeric() || !word.push(&[*byte]) {
            return None;
        }
    }
    let apart =
        !byte_before(bytes, from).is_ascii_alphanumeric() && !byte(bytes, from + 13).is_ascii_alphanumeric();
    (apart && word.is(b"AA999999A") && nino(word.bytes(), word.values())).then(|| {
        sink.push(rules::GB_NINO, 900, from..from + 13);
        from + 13
    })
}

/// Ministerio del Interior: the remainder by 23 in this order.
const DNI: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn dni(bytes: &[u8], values: &[u8]) -> bool {
    usize::try_from(number(values, 0, 8) % 23).ok().and_then(|at| DNI.get(at)) == bytes.last()
}

fn nie(bytes: &[u8], values: &[u8]) -> bool {
    let Some(lead) = bytes.first().filter(|lead| matches!(lead, b'X'..=b'Z')) else { return false };
    let number = u64::from(lead - b'X') * 10_000_000 + number(values, 1, 7);
    usize::try_from(number % 23).ok().and_then(|at| DNI.get(at)) == bytes.last()
}

/// DM 23 December 1976: odd places by this table, even ones as they are, modulus 26.
fn codice_fiscale(bytes: &[u8], _: &[u8]) -> bool {
    const ODD: [u8; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((check, body)) = bytes.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            let value = if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') };
            u32::from(if at % 2 == 0 { ODD.get(usize::from(value)).copied().unwrap_or(0) } else { value })
        })
        .sum();
    sum % 26 == u32::from(check.saturating_sub(b'A'))
        && matches!(bytes.get(8), Some(b'A'..=b'E' | b'H' | b'L' | b'M' | b'P' | b'R'..=b'T'))
}

/// The fourth letter is the kind of holder.
fn pan(bytes: &[u8], _: &[u8]) -> bool {
    matches!(bytes.get(3), Some(b'A' | b'B' | b'C' | b'F' | b'G' | b'H' | b'J' | b'L' | b'P' | b'T'))
}

/// RENAPO: date, sex, state, and a check digit over weights 18 to 2, with Ñ between N and O.
fn curp(bytes: &[u8], values: &[u8]) -> bool {
    let sum: u32 = values
        .iter()
        .zip(2..=18u32)
        .zip((2..=18).rev())
        .map(|((value, _), weight)| (u32::from(*value) + u32::from(*value > 23)) * weight)
        .sum();
    matches!(bytes.get(10), Some(b'H' | b'M' | b'X'))
        && day(number(values, 6, 2), number(values, 8, 2))
        && (10 - sum % 10) % 10 == digit(values, 17)
}

fn rfc(_: &[u8], values: &[u8]) -> bool {
    day(number(values, 6, 2), number(values, 8, 2))
}

/// The letter is two digits, in an order of its own.
fn taiwanese(bytes: &[u8], values: &[u8]) -> bool {
    const ORDER: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(lead) = bytes.first().and_then(|lead| ORDER.iter().position(|known| known == lead)) else {
        return false;
    };
    let lead = u32::try_from(lead).unwrap_or(0) + 10;
    let rest = values.get(1..).unwrap_or_default();
    matches!(digit(values, 1), 1 | 2 | 8 | 9)
        && (lead / 10 + lead % 10 * 9 + weighted(rest, &[8, 7, 6, 5, 4, 3, 2, 1, 1])).is_multiple_of(10)
}

/// Weights 2765432, other letters for those born before and after 2000, and for foreigners.
fn singaporean(bytes: &[u8], values: &[u8]) -> bool {
    let sum = weighted(values.get(1..).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, more): (&[u8; 11], u32) = match bytes.first() {
        Some(b'S') => (b"JZIHGFEDCBA", 0),
        Some(b'T') => (b"JZIHGFEDCBA", 4),
        Some(b'F') => (b"XWUTRQPNMLK", 0),
        Some(b'G') => (b"XWUTRQPNMLK", 4),
        Some(b'M') => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    letters.get(((sum + more) % 11) as usize) == bytes.last()
}

/// HMRC NIM39110: prefixes that are never used, and suffixes A to D.
fn nino(bytes: &[u8], _: &[u8]) -> bool {
    let [first, second, .., last] = bytes else { return false };
    let never = |byte: &u8| matches!(byte, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    !never(first)
        && !never(second)
        && *second != b'O'
        && !matches!(&[*first, *second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && matches!(last, b'A'..=b'D')
}

/// Weights 8 to 2, and 9 for a second letter; the remainder by 23 as a letter, W for 0.
fn pps(bytes: &[u8], values: &[u8]) -> bool {
    let second = bytes.get(8).map_or(0, |byte| u32::from(byte.saturating_sub(b'A')) + 1);
    let sum = weighted(values, &[8, 7, 6, 5, 4, 3, 2]) + 9 * if second == 23 { 0 } else { second };
    let letter = if sum.is_multiple_of(23) { b'W' } else { b'@' + u8::try_from(sum % 23).unwrap_or(0) };
    bytes.get(7) == Some(&letter)
}

/// The resident number whose check is X.
fn chinese(bytes: &[u8], values: &[u8]) -> bool {
    let sum = weighted(values, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    bytes.ends_with(b"X")
        && sum % 11 == 2
        && matches!(number(values, 6, 2), 18..=20)
        && day(number(values, 10, 2), number(values, 12, 2))
}

/// Corsica's departments 2A and 2B count as 19 and 18.
fn corsican(bytes: &[u8], values: &[u8]) -> bool {
    let mut digits = [0u8; 15];
    digits.iter_mut().zip(values).for_each(|(place, value)| *place = *value);
    let department = match (bytes.get(5), bytes.get(6)) {
        (Some(b'2'), Some(b'A')) => 9,
        (Some(b'2'), Some(b'B')) => 8,
        _ => return false,
    };
    if let Some([tens, ones]) = digits.get_mut(5..7).and_then(|pair| pair.first_chunk_mut()) {
        (*tens, *ones) = (1, department);
    }
    number(&digits, 13, 2) == 97 - number(&digits, 0, 13) % 97
}

/// ICAO 9303: weights 7 3 1.
fn identity_card(bytes: &[u8], values: &[u8]) -> bool {
    let sum = weighted(values, &[7, 3, 1, 7, 3, 1, 7, 3, 1]);
    let known = |byte: &u8| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte);
    bytes.iter().all(known)
        && matches!(
            bytes.first(),
            Some(
                b'C' | b'F' | b'G' | b'H' | b'J' | b'K' | b'L' | b'M' | b'N' | b'P' | b'R' | b'T' | b'V'
                    ..=b'Z'
            )
        )
        && sum % 10 == digit(values, 9)
}

/// Date, a sign for the century, a number from 2 on; the remainder by 31 in this order.
fn hetu(values: &[u8]) -> bool {
    const ORDER: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let body = number(values, 0, 6) * 1000 + number(values, 7, 3);
    let given = values.get(10).map(|value| if *value < 10 { b'0' + value } else { b'A' + value - 10 });
    day(number(values, 2, 2), number(values, 0, 2))
        && number(values, 7, 3) > 1
        && usize::try_from(body % 31).ok().and_then(|at| ORDER.get(at).copied()) == given
}

/// The number whose check is K: 10 by modulus 11.
fn rut(bytes: &[u8], values: &[u8]) -> bool {
    let Some((_, body)) = values.split_last() else { return false };
    let sum: u32 =
        body.iter().rev().zip([2u32, 3, 4, 5, 6, 7].iter().cycle()).map(|(d, w)| u32::from(*d) * w).sum();
    bytes.ends_with(b"K") && sum % 11 == 1
}

/// One letter (a space before it counts 36), six digits, modulus 11, A for 10.
fn hong_kong(values: &[u8]) -> bool {
    let sum = 36 * 9 + weighted(values, &[8, 7, 6, 5, 4, 3, 2, 1]);
    sum.is_multiple_of(11)
}

/// Whether a number of a mobile device (3GPP TS 23.003): fifteen digits with Luhn's check.
pub(super) fn is_device(values: &[u8]) -> bool {
    values.len() == 15 && luhn(values)
}
