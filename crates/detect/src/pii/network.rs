//! Addresses of machines that people sit at: IPv4, IPv6, network cards.
//!
//! Which address it is decides: private, loopback, link-local and documentation ranges (RFC 6890,
//! RFC 5737, RFC 3849) and the resolvers that everybody uses tell of nobody.

use super::{
    Setting,
    context::Context,
    rules,
    text::{byte, byte_before, word_end},
    words,
};
use crate::detector::Sink;

/// An address with a word beside it that says whose it is.
const NAMED: u16 = 850;
/// One in a text about something else: a configuration, a log.
const ALONE: u16 = 500;
/// One that belongs to nobody.
const NOBODY: u16 = 250;

/// Reports an address that begins with the word from `start` to `end`; returns where it ends.
pub(super) fn look(
    bytes: &[u8],
    start: usize,
    end: usize,
    setting: Setting,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> Option<usize> {
    match byte(bytes, end) {
        b'.' => v4(bytes, start, setting, context, sink),
        b':' | b'-' => colons(bytes, start, setting, context, sink),
        _ if byte_before(bytes, start) == b':' => colons(bytes, start, setting, context, sink),
        _ => None,
    }
}

fn v4(
    bytes: &[u8],
    start: usize,
    setting: Setting,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> Option<usize> {
    let (octets, end) = octets(bytes, start)?;
    let version = matches!(byte_before(bytes, start), b'v' | b'V' | b'.' | b'_' | b'-' | b'=')
        || matches!(byte(bytes, end), b'-' | b'_')
        || byte(bytes, end) == b'.' && byte(bytes, end + 1).is_ascii_alphanumeric();
    if version || octets == [0; 4] {
        return Some(end);
    }
    let hints = context.hints(start, end);
    // A prefix length makes it a network.
    let network = byte(bytes, end) == b'/' && byte(bytes, end + 1).is_ascii_digit();
    let weight = match () {
        () if network || is_nobodys(octets) => NOBODY,
        () if hints & (words::IP | words::ADDRESS) != 0 => NAMED,
        () => ALONE,
    };
    sink.push(rules::IP, setting.contact(weight), start..end);
    Some(end)
}

/// Four numbers up to 255 without leading zeros.
fn octets(bytes: &[u8], start: usize) -> Option<([u8; 4], usize)> {
    let (mut octets, mut at) = ([0; 4], start);
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            if byte(bytes, at) != b'.' {
                return None;
            }
            at += 1;
        }
        let end = word_end(bytes, at);
        let digits = bytes.get(at..end).filter(|digits| digits.len() < 4)?;
        let plain = matches!(digits, [b'0'] | [b'1'..=b'9'] | [b'1'..=b'9', _] | [b'1'..=b'9', _, _]);
        let value = digits.iter().try_fold(0u32, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'))
        })?;
        *octet = u8::try_from(value).ok().filter(|_| plain)?;
        at = end;
    }
    Some((octets, at))
}

const fn is_nobodys(octets: [u8; 4]) -> bool {
    matches!(
        octets,
        [0 | 10 | 127 | 224.., ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [1, 1, 1, 1]
            | [1, 0, 0, _]
            | [1, 2, 3, _]
            | [8, 8, 8 | 4, 8 | 4]
            | [9, 9, 9, 9]
            | [208, 67, 220 | 222, _]
            | [5, 6, 7, 8]
            | [123, 45, 67, _]
    ) || octets[0] == octets[1] && octets[1] == octets[2]
        // Four small numbers are a version, a section or a date more often than an address.
        || octets[0] < 20 && octets[1] < 20 && octets[2] < 20 && octets[3] < 20
}

/// Eight groups of IPv6 or six of a network card, with the digit at `start` in any of them.
fn colons(
    bytes: &[u8],
    start: usize,
    setting: Setting,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> Option<usize> {
    let reach = bytes.get(start.saturating_sub(39)..start)?;
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-' | b'.');
    let is_part = |byte: &u8| is_part(byte) && *byte != b'.';
    let from = start - reach.iter().rev().take_while(|byte| is_part(byte)).count();
    let rest = bytes.get(from..)?;
    let length = rest.iter().take(46).take_while(|byte| is_part(byte)).count();
    let whole = rest.get(..length)?;
    let trailing = whole.iter().rev().take_while(|byte| matches!(byte, b':' | b'-')).count();
    let ends_open = whole.ends_with(b"::");
    let whole = whole.get(..length - if ends_open { trailing.saturating_sub(2) } else { trailing })?;
    let end = from + whole.len();
    if byte_before(bytes, from).is_ascii_alphanumeric() || byte(bytes, end).is_ascii_alphanumeric() {
        return None;
    }
    if is_card(whole) {
        if !matches!(whole, [b'0', b'0', _, b'0', b'0', ..]) {
            let weight = if context.hints(from, end) & words::MAC != 0 { 600 } else { 500 };
            sink.push(rules::MAC, weight, from..end);
        }
        return Some(end);
    }
    let Some(first) = v6(whole) else {
        // A long row of colons would be read again from each of its digits.
        return (whole.iter().filter(|byte| **byte == b':').count() > 3).then_some(end.max(start + 1));
    };
    let hints = context.hints(from, end);
    let weight = match first {
        // ::1, documentation, unique local, link local, multicast.
        0 | 0x2001
            if whole.len() < 6 || whole.get(5..8).is_some_and(|next| next.eq_ignore_ascii_case(b"db8")) =>
        {
            NOBODY
        }
        0xfc00..=0xfdff | 0xfe80..=0xfebf | 0xff00.. => NOBODY,
        _ if hints & (words::IP | words::ADDRESS) != 0 => NAMED,
        _ => ALONE,
    };
    sink.push(rules::IP, setting.contact(weight), from..end);
    Some(end)
}

/// Six pairs of hexadecimal digits with the same sign between them.
fn is_card(whole: &[u8]) -> bool {
    let sign = byte(whole, 2);
    whole.len() == 17
        && matches!(sign, b':' | b'-')
        && whole.iter().enumerate().all(
            |(at, byte)| {
                if at % 3 == 2 { *byte == sign } else { byte.is_ascii_hexdigit() }
            },
        )
}

/// RFC 4291, 2.2: the first group, if it is an address. Eight groups, or fewer with `::` once; one with
/// few groups and no letter is a time.
fn v6(whole: &[u8]) -> Option<u32> {
    let (mut groups, mut gaps, mut letters, mut first) = (0, 0, false, None);
    for group in whole.split(|byte| *byte == b':') {
        if group.is_empty() {
            gaps += 1;
        } else {
            groups += 1;
            letters |= group.iter().any(u8::is_ascii_alphabetic);
        }
        if group.len() > 4 || !group.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        first.get_or_insert_with(|| {
            group.iter().fold(0, |value, digit| value * 16 + char::from(*digit).to_digit(16).unwrap_or(0))
        });
    }
    let double = whole.windows(2).filter(|pair| *pair == b"::").count();
    let edge = whole.starts_with(b"::") || whole.ends_with(b"::");
    let compressed =
        double == 1 && gaps == 1 + usize::from(edge) && (3..8).contains(&groups) && (letters || groups > 3);
    (double == 0 && gaps == 0 && groups == 8 || compressed).then_some(first).flatten()
}
