//! Adversarial suffixes: what greedy coordinate gradient (GCG, <https://arxiv.org/abs/2307.15043>) and its
//! kin append to a request. Token by token they mix pieces of words with brackets, operators and markup
//! that belong together in no language.
//!
//! The sign that tells them from code, formulas, markup and prose alike is brackets that close nothing or
//! are never closed, several close together, among ordinary words. Around such a place the other signs
//! count: runs of different symbols, symbols that glue words together, capitals inside words, lone
//! operators. What is written as code is left alone. The weights of the signs were set by hand on the
//! public GCG and DSN suffixes of JailbreakBench (<https://github.com/JailbreakBench/artifacts>) and on
//! ordinary text, code and tool results.

use alloc::vec::Vec;
use core::ops::Range;

use normalise::Marks;

use super::rules::SUFFIX;
use crate::{code::Code, compile::sort::sort_by, detector::Sink, exfiltration::window};

/// Brackets open at once that are remembered; deeper ones are data.
const DEEPEST: usize = 64;
/// Places that are judged at most this close together.
const APART: usize = 24;
/// Bytes before and behind a place in which signs count.
const BEFORE: usize = 60;
const BEHIND: usize = 110;
/// Bytes before a place in which words count.
const WORDS_BEFORE: usize = 160;
/// Ordinary words that an attack stands among, and their least share of all in percent.
const LEAST_WORDS: u32 = 6;
const LEAST_SHARE: u32 = 45;
/// Signs from which on a place is a hint, and an attack.
const HINT: u32 = 10;
const ATTACK: u32 = 12;
/// A text has its words in the opposite order if it has so many times fewer faults that way.
const MIRRORED: usize = 4;

/// Looks for the place with the most signs.
pub(super) fn scan(text: &[u8], marks: &Marks, places: &mut Vec<usize>, sink: &mut Sink<'_>) {
    faults(text, marks, false, places);
    let mut best: (u32, Range<usize>) = (0, 0..0);
    let mut next = 0;
    for (at, place) in places.iter().copied().enumerate() {
        if place < next {
            continue;
        }
        next = place + APART;
        let nearby = places.get(at.saturating_sub(BEFORE)..).unwrap_or_default();
        let (signs, span) = judge(text, place, nearby);
        if signs > best.0 {
            best = (signs, span);
        }
        if signs >= ATTACK {
            break;
        }
    }
    if best.0 >= HINT {
        let standing = places.len();
        faults(text, marks, true, places);
        if places.len() * MIRRORED < standing {
            return;
        }
    }
    let weight = match best.0 {
        ATTACK.. => 850,
        HINT.. => 300,
        _ => return,
    };
    sink.push(SUFFIX, weight, best.1);
}

/// Collects where brackets close nothing, close another kind, or are never closed, in rising order.
///
/// `mirrored` takes each bracket for its counterpart, as in a text whose words stand in the opposite order.
fn faults(text: &[u8], marks: &Marks, mirrored: bool, places: &mut Vec<usize>) {
    places.clear();
    let mut code = Code::new(text);
    let mut open: Vec<(u8, usize)> = Vec::new();
    let is_bracket = |byte| matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}');
    for at in marks.iter(text, is_bracket) {
        let byte = text.get(at).copied().unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ');
        // Smileys turn either way.
        if matches!(byte, b'(' | b')') && matches!(before, b':' | b';' | b'=' | b'-' | b'8') || code.holds(at)
        {
            continue;
        }
        let byte = if mirrored { counterpart(byte) } else { byte };
        let opening = match byte {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => {
                if open.len() == DEEPEST {
                    open.drain(..DEEPEST / 2);
                }
                open.push((byte, at));
                continue;
            }
        };
        if open.last().is_some_and(|(kind, from)| *kind != opening && is_interval(text, *from, at)) {
            open.pop();
            continue;
        }
        match open.iter().rev().take(4).position(|(kind, _)| *kind == opening) {
            Some(above) => {
                let from = open.len() - above;
                places.extend(open.drain(from..).map(|(_, place)| place));
                open.pop();
            }
            None if byte == b')' && numbers(text, at) => {}
            None => places.push(at),
        }
    }
    places.extend(open.drain(..).map(|(_, place)| place));
    sort_by(places, |a, b| a < b);
}

const fn counterpart(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b')' => b'(',
        b'[' => b']',
        b']' => b'[',
        b'{' => b'}',
        _ => b'{',
    }
}

/// Whether brackets of two kinds hold a half-open interval: `[0, 1)`.
fn is_interval(text: &[u8], from: usize, to: usize) -> bool {
    let inside = text.get(from + 1..to).unwrap_or_default();
    inside.len() <= 40
        && inside.contains(&b',')
        && text.get(from) != Some(&b'{')
        && text.get(to) != Some(&b'}')
}

/// Whether the bracket at `at` closes the number or letter of a list's item: `a)`, `12)`, `b )`.
fn numbers(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(6)..at).unwrap_or_default().trim_ascii_end();
    let item = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let ahead = before.len().checked_sub(item + 1).and_then(|at| before.get(at)).copied();
    (1..=3).contains(&item) && ahead.is_none_or(|ahead| b" \n\t.*\"'".contains(&ahead))
}

/// Counts the signs around a place. Returns them with the part of the text that has them.
fn judge(text: &[u8], place: usize, places: &[usize]) -> (u32, Range<usize>) {
    let line = |byte: &u8| *byte == b'\n';
    let far = place.saturating_sub(WORDS_BEFORE);
    let before = text.get(far..place).unwrap_or_default();
    let begin = before.iter().rposition(line).map_or(far, |at| far + at + 1);
    let behind = window(text, place, BEHIND);
    let end = place + behind.iter().position(line).unwrap_or(behind.len());
    let near = begin.max(place.saturating_sub(BEFORE))..end;
    // Most faults are in code and data, which this tells cheaply.
    if words(text.get(begin..end).unwrap_or_default()).0 < LEAST_WORDS {
        return (0, near);
    }
    let mut copy = [0; WORDS_BEFORE + BEHIND];
    let wide = without_code(text.get(begin..end).unwrap_or_default(), &mut copy);
    let (words, all) = words(wide);
    if words < LEAST_WORDS || words * 100 < all * LEAST_SHARE || is_data(wide) {
        return (0, near);
    }
    let nearby = places.iter().skip_while(|at| **at < near.start).take_while(|at| **at < near.end);
    // A run of brackets is one mistake, or two.
    let (mut faults, mut run, mut last) = (0, 0, None);
    for at in nearby.copied() {
        let between = last.and_then(|last| text.get(last..at)).unwrap_or(b" ");
        run = if between.iter().all(|byte| is_symbol(*byte)) { run + 1 } else { 1 };
        faults += u32::from(run <= 2);
        last = Some(at);
    }
    let signs = Signs::of(wide.get(near.start - begin..).unwrap_or_default());
    let kinds = u32::try_from(signs.kinds).unwrap_or(0);
    (faults.min(6) * 4 + kinds * 2 + signs.glued.min(3) + signs.capitals.min(3) + signs.lone.min(3) * 2, near)
}

/// A text in which code between backticks and addresses stand as one word each.
fn without_code<'a>(text: &[u8], copy: &'a mut [u8]) -> &'a [u8] {
    for (into, byte) in copy.iter_mut().zip(text) {
        *into = *byte;
    }
    let copy = copy.get_mut(..text.len()).unwrap_or_default();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let length = match byte {
            b'`' => rest.iter().position(|byte| *byte == b'`').map_or(0, |length| length + 2),
            b':' if rest.starts_with(b"//") => {
                1 + rest.iter().take_while(|byte| !byte.is_ascii_whitespace()).count()
            }
            _ => 0,
        };
        copy.iter_mut().skip(at).take(length).for_each(|byte| *byte = b'x');
        at += length.max(1);
    }
    copy
}

/// How many of the words are ordinary, and how many there are.
fn words(text: &[u8]) -> (u32, u32) {
    let (mut ordinary, mut all) = (0, 0);
    for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        all += 1;
        let word = word.strip_prefix(b"(").or_else(|| word.strip_prefix(b"\"")).unwrap_or(word);
        let last = word.iter().rposition(|byte| !b".,!?;:)\"'".contains(byte)).map_or(0, |last| last + 1);
        let (letters, _) = word.split_at_checked(last).unwrap_or_default();
        let small = letters.iter().skip(1).all(u8::is_ascii_lowercase);
        ordinary +=
            u32::from(letters.len() > 1 && small && letters.first().is_some_and(u8::is_ascii_alphabetic));
    }
    (ordinary, all)
}

/// Whether a text is of statements that end in semicolons, or of quoted names and values, such as JSON:
/// two quotes around a colon or comma.
fn is_data(text: &[u8]) -> bool {
    let quote = |byte: u8| byte == b'"' || byte == b'\'';
    let joint = |window: &&[u8]| match window {
        [first, b':' | b',', last, _] => quote(*first) && (quote(*last) || matches!(last, b'{' | b'[')),
        _ => false,
    };
    let spaced = |window: &&[u8]| match window {
        [first, b':' | b',', b' ', last] => quote(*first) && (quote(*last) || matches!(last, b'{' | b'[')),
        _ => false,
    };
    let statements = text.windows(2).filter(|window| window[..] == *b"; " || window[..] == *b";\n");
    statements.take(3).count() == 3
        || text.windows(4).filter(|window| joint(window) || spaced(window)).take(2).count() == 2
}

/// The lesser signs.
#[derive(Debug, Default)]
struct Signs {
    /// Different runs of symbols, 5 at most.
    kinds: usize,
    /// Words that symbols glue together.
    glued: u32,
    /// Capitals inside words.
    capitals: u32,
    /// Operators that are none.
    lone: u32,
}

impl Signs {
    fn of(text: &[u8]) -> Self {
        let mut signs = Self::default();
        let mut seen: [&[u8]; 5] = [&[]; 5];
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let run = rest.iter().take_while(|byte| is_symbol(**byte)).count();
            if run == 0 {
                at += 1;
                continue;
            }
            let symbols = rest.get(..run).unwrap_or_default();
            if run >= 2
                && !seen.contains(&symbols)
                && let Some(free) = seen.get_mut(signs.kinds)
            {
                *free = symbols;
                signs.kinds += 1;
            }
            let letter =
                |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphabetic);
            signs.glued += u32::from(run <= 4 && letter(at.checked_sub(1)) && letter(Some(at + run)));
            at += run;
        }
        for word in text.split(u8::is_ascii_whitespace).filter(|word| word.len() > 1) {
            let alone = !word.iter().any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
            signs.lone += u32::from(alone && !OPERATORS.contains(&word));
            let inside = word.windows(2).filter(|pair| matches!(pair, [b'a'..=b'z', b'A'..=b'Z'])).count();
            signs.capitals += u32::try_from(inside).unwrap_or(0);
        }
        signs
    }
}

const fn is_symbol(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'"'
            | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b';'
            | b'<'
            | b'='
            | b'>'
            | b'?'
            | b'@'
            | b'['
            | b'\\'
            | b']'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | b'~'
    )
}

/// Runs of symbols that stand alone in ordinary text and code.
const OPERATORS: &[&[u8]] = &[
    b"...", b"--", b"---", b"==", b"=>", b"->", b"**", b"//", b"&&", b"||", b"!=", b">=", b"<=", b"++",
    b"+=", b"{}", b"()", b"[]", b"##", b"###", b"####", b"===", b"<-", b"::", b":=", b"??", b"!!",
];
