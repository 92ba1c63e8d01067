//! Many-shot jailbreaks: dozens of invented turns, in which a model answers everything, before the real
//! question (<https://www.anthropic.com/research/many-shot-jailbreaking>).

use normalise::Marks;

use super::rules::MANY_SHOT;
use crate::detector::Sink;

/// Names of who asks and who answers; with them, how much a pair counts. Questions and answers are also
/// what lists of frequent questions are made of.
const ASKS: &[(&[u8], u32)] =
    &[(b"user", 2), (b"human", 2), (b"person", 1), (b"question", 1), (b"q", 1), (b"h", 2), (b"input", 1)];
const ANSWERS: &[(&[u8], u32)] = &[
    (b"assistant", 2),
    (b"ai", 2),
    (b"bot", 2),
    (b"chatbot", 2),
    (b"model", 2),
    (b"gpt", 2),
    (b"chatgpt", 2),
    (b"claude", 2),
    (b"answer", 1),
    (b"a", 1),
    (b"output", 1),
];

pub(super) fn scan(text: &[u8], marks: &Marks, sink: &mut Sink<'_>) {
    let (mut pairs, mut asked) = (0u32, 0);
    let (mut first, mut last) = (None, 0);
    for at in marks.iter(text, |byte| byte == b':') {
        let before = text.get(at.saturating_sub(20)..at).unwrap_or_default();
        let before = before.strip_suffix(b"**").or_else(|| before.strip_suffix(b"]")).unwrap_or(before);
        let letters = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (front, name) = before.split_at_checked(before.len() - letters).unwrap_or_default();
        // A turn begins a line, whatever decorates it.
        let front = front.strip_suffix(b"**").or_else(|| front.strip_suffix(b"[")).unwrap_or(front);
        let begins = front.is_empty() && at <= 20
            || front.last().is_some_and(|byte| matches!(byte, b'\n' | b'#' | b'>' | b'|'))
            || front.ends_with(b"\n ")
            || front.ends_with(b"# ");
        if !begins {
            continue;
        }
        let among = |names: &[(&[u8], u32)]| {
            names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, counts)| *counts)
        };
        if let Some(counts) = among(ASKS) {
            asked = counts;
            first.get_or_insert(at - letters);
        } else if let Some(counts) = among(ANSWERS).filter(|_| asked > 0) {
            pairs += counts.min(asked);
            asked = 0;
            last = at;
        }
    }
    let weight = match pairs / 2 {
        96.. => 850,
        48.. => 700,
        24.. => 500,
        _ => return,
    };
    sink.push(MANY_SHOT, weight, first.unwrap_or(0)..last);
}
