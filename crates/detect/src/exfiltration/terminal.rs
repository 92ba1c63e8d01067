//! Terminal sequences (ECMA-48; xterm's control sequences,
//! <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>).
//!
//! No answer needs one; colours alone do no harm and are part of what programs print. What moves, hides, asks, or reaches the clipboard is not
//! part of any answer, and serves in tool results to show a reader something else than the model reads.

use memchr::memchr2;

use super::{Scan, Weights, rules::Number, window};
use crate::detector::Sink;

/// Bytes of one sequence that are read.
const LONGEST: usize = 2048;

impl Scan<'_> {
    /// Judges the sequence at `at`. Returns its end.
    pub(super) fn escape(&mut self, at: usize, sink: &mut Sink<'_>) -> usize {
        let body = window(self.text, at + 1, LONGEST);
        let (length, number, weights) = match body {
            [b'[', rest @ ..] => {
                let (length, number, weights) = control(rest);
                (length + 1, number, weights)
            }
            [b']', rest @ ..] => {
                let (length, number, weights) = command(rest);
                (length + 1, number, weights)
            }
            [b'P' | b'_' | b'^' | b'X', ..] => (string_end(body), Number::Device, Weights(850, 600, 300)),
            [b'c', ..] => (1, Number::Control, Weights(850, 300, 100)),
            // Single shifts, key pad modes, character sets: no harm alone.
            _ => return at + 1,
        };
        self.report(number, weights, at..at + 1 + length, sink);
        at + 1 + length
    }
}

/// A control sequence behind `ESC [`: its length and what it is.
fn control(rest: &[u8]) -> (usize, Number, Weights) {
    let length = rest.iter().take(64).take_while(|byte| (0x20..=0x3f).contains(*byte)).count();
    let parameters = rest.get(..length).unwrap_or_default();
    let last = rest.get(length).copied().unwrap_or(0);
    let (number, weights) = match (last, parameters) {
        (b'm', _) if conceals(parameters) => (Number::Conceal, Weights(850, 600, 300)),
        (b'm', _) => (Number::Colour, Weights(450, 0, 0)),
        (b'~', b"200" | b"201") => (Number::Paste, Weights(950, 900, 700)),
        // Device attributes, status and window reports: the terminal types the answer.
        (b'c' | b'n', _) | (b't', [b'1'..=b'2', ..]) => (Number::Report, Weights(850, 700, 250)),
        (b'K', _) => (Number::Control, Weights(650, 0, 0)),
        (b'@'..=b'~', _) => (Number::Control, Weights(850, 250, 0)),
        _ => (Number::Control, Weights(0, 0, 0)),
    };
    (length + usize::from(length < rest.len()), number, weights)
}

/// Whether colours make the text behind them unseen: concealed, or a colour on itself.
fn conceals(parameters: &[u8]) -> bool {
    let (mut front, mut back) = (None, None);
    let mut values = parameters.split(|byte| matches!(byte, b';' | b':'));
    while let Some(value) = values.next() {
        let value = core::str::from_utf8(value).ok().and_then(|value| value.parse::<u16>().ok()).unwrap_or(0);
        match value {
            8 => return true,
            30..=37 => front = Some(value - 30),
            90..=97 => front = Some(value - 82),
            40..=47 => back = Some(value - 40),
            100..=107 => back = Some(value - 92),
            // The palette and true colours take arguments, which are no attributes of their own.
            38 | 48 => {
                let arguments = if values.next() == Some(b"5") { 1 } else { 3 };
                for _ in 0..arguments {
                    values.next();
                }
            }
            _ => {}
        }
    }
    front.is_some() && front == back
}

/// An operating-system command behind `ESC ]`: its length and what it is.
fn command(rest: &[u8]) -> (usize, Number, Weights) {
    let length = string_end(rest);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, weights) = match rest.get(..digits).unwrap_or_default() {
        b"52" => (Number::Clipboard, Weights(950, 950, 850)),
        b"8" => (Number::Hyperlink, Weights(800, 400, 100)),
        b"0" | b"1" | b"2" => (Number::Title, Weights(850, 250, 0)),
        b"" => (Number::Device, Weights(400, 200, 0)),
        _ => (Number::Device, Weights(850, 450, 200)),
    };
    (length, number, weights)
}

/// Where a string ends: behind BEL or ST.
fn string_end(rest: &[u8]) -> usize {
    match memchr2(0x07, super::ESCAPE, rest) {
        Some(at) if rest.get(at..at + 2) == Some(b"\x1b\\") => at + 2,
        Some(at) if rest.get(at) == Some(&0x07) => at + 1,
        Some(at) => at,
        None => rest.len().min(64),
    }
}
