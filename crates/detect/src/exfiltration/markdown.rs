//! Where in a markdown text an address stands, and schemes that run code.

use memchr::memmem;

use super::{Scan, Weights, rules::Number, starts_with, window};
use crate::detector::Sink;

/// Who loads an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// The renderer, without asking.
    Image,
    /// A person, by a click.
    Link,
    /// A person who copies it, or a renderer that makes links of what looks like one.
    Bare,
}

impl Carrier {
    /// One of three, by who loads.
    pub(super) fn pick<T>(self, image: T, link: T, bare: T) -> T {
        match self {
            Self::Image => image,
            Self::Link => link,
            Self::Bare => bare,
        }
    }
}

/// Bytes of a link's text that are looked back over.
const LONGEST_LINK_TEXT: usize = 200;
/// Schemes whose addresses are looked at.
const SCHEMES: &[&[u8]] = &[b"https", b"http", b"wss", b"ws", b"ftp"];

impl Scan<'_> {
    /// Judges what a colon may be part of. Returns where to go on.
    pub(super) fn colon(&mut self, at: usize, done: usize, sink: &mut Sink<'_>) -> usize {
        let begun = self.text.get(done..at).unwrap_or_default();
        let letters = begun.iter().rev().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let start = at - letters;
        let scheme = self.text.get(start..at).unwrap_or_default();
        if window(self.text, at + 1, 2) == b"//" {
            if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                return self.address(at + 1, start, sink);
            }
        } else if self
            .text
            .get(..start)
            .is_some_and(|before| before.ends_with(b"](") || before.ends_with(b"](<"))
            && runs_code(window(self.text, start, 256))
            && !self.code.holds(at)
        {
            self.report(Number::Url, Weights(900, 850, 0), start..at + 1, sink);
        }
        at + 1
    }

    /// Who loads the address that begins at `start`.
    pub(super) fn carrier(&self, start: usize) -> Carrier {
        let before = self.text.get(start.saturating_sub(LONGEST_LINK_TEXT)..start).unwrap_or_default();
        let trimmed = before.strip_suffix(b"<").unwrap_or(before);
        if let Some(text) = trimmed.strip_suffix(b"](") {
            return match opening_bracket(text) {
                Some(at) if at > 0 && text.get(at - 1) == Some(&b'!') => Carrier::Image,
                _ => Carrier::Link,
            };
        }
        let unquoted = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
        if unquoted.len() >= 4 && starts_with(unquoted.get(unquoted.len() - 4..).unwrap_or_default(), b"url(")
        {
            return Carrier::Image;
        }
        if is_definition(before) {
            let shown = memmem::find(self.text, b"![").is_some();
            return if shown { Carrier::Image } else { Carrier::Link };
        }
        if before.ends_with(b"<") { Carrier::Link } else { Carrier::Bare }
    }
}

/// Where the bracket opens that is closed behind a text.
fn opening_bracket(text: &[u8]) -> Option<usize> {
    let mut depth = 0u32;
    for (at, byte) in text.iter().enumerate().rev() {
        match byte {
            b']' => depth += 1,
            b'[' if depth == 0 => return Some(at),
            b'[' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a text ends with what begins a link reference definition (CommonMark 4.7): `[label]: `.
fn is_definition(before: &[u8]) -> bool {
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line = before.get(line..).unwrap_or_default().trim_ascii();
    let line = line.strip_suffix(b"<").unwrap_or(line).trim_ascii_end();
    line.starts_with(b"[") && line.ends_with(b"]:")
}

/// Whether an address runs as a program where it is opened: `javascript:`, `vbscript:`, or a `data:`
/// document. What does nothing, such as `javascript:void(0)`, is left alone.
pub(super) fn runs_code(address: &[u8]) -> bool {
    let mut plain = [0u8; 64];
    let mut length = 0;
    // Browsers leave out white space and control characters (WHATWG URL, 4.4).
    for byte in address.iter().filter(|byte| **byte > b' ') {
        let Some(into) = plain.get_mut(length) else { break };
        *into = byte.to_ascii_lowercase();
        length += 1;
    }
    let plain = plain.get(..length).unwrap_or_default();
    if let Some(code) = plain.strip_prefix(b"javascript:") {
        let idle =
            [&b"void"[..], b";", b"history.", b"return", b"window.print", b"print", b"//", b")", b"\"", b"'"];
        return !code.is_empty() && !idle.iter().any(|idle| code.starts_with(idle));
    }
    plain.starts_with(b"vbscript:")
        || plain.starts_with(b"data:text/html")
        || plain.starts_with(b"data:application/xhtml")
        || plain.starts_with(b"data:image/svg+xml")
            && (plain.contains(&b'<') || super::contains(plain, b"base64"))
            && super::contains(address, b"script")
}
