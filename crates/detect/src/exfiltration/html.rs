//! HTML in a text: tags that load or run something, and comments.

use core::ops::Range;

use memchr::{memchr, memmem};

use super::{
    Scan, Weights,
    address::Address,
    contains, hidden,
    markdown::{self, Carrier},
    rules::Number,
    starts_with, window,
};
use crate::detector::Sink;

/// Bytes of one tag or comment that are read.
const LONGEST: usize = 4096;
/// Bytes of a script that are looked at.
const LONGEST_SCRIPT: usize = 2048;
/// Attributes of one tag that are read.
const ATTRIBUTES: usize = 64;

/// Bytes that may be read in search of the end of tags that have none.
#[derive(Debug)]
pub(super) struct Patience(usize);

impl Patience {
    pub(super) const fn new(length: usize) -> Self {
        Self(length.saturating_mul(4))
    }
}

impl Scan<'_> {
    /// Judges what an angle bracket may open. Returns where to go on.
    pub(super) fn angle(&mut self, at: usize, patience: &mut Patience, sink: &mut Sink<'_>) -> usize {
        let rest = window(self.text, at, LONGEST);
        if rest.starts_with(b"<!--") {
            if self.comment_end < at + 4 {
                let behind = self.text.get(at + 4..).unwrap_or_default();
                self.comment_end = memmem::find(behind, b"-->").map_or(self.text.len(), |step| at + 4 + step);
            }
            let end = self.comment_end + 3;
            if end > self.text.len() {
                return at + 4;
            }
            self.comment(at..end, sink);
            return end;
        }
        if !rest.get(1).is_some_and(u8::is_ascii_alphabetic) {
            return at + 1;
        }
        let Some(length) = tag_end(rest, patience) else { return at + 1 };
        let tag = rest.get(..length).unwrap_or_default();
        let name = tag.get(1..).unwrap_or_default();
        let named = name.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        match name.get(named) {
            // Of an autolink the scheme has its own reader; `List<String>` is no tag that does anything.
            Some(b':' | b'@') => return at + 1,
            _ => self.tag(at, tag, name.get(..named).unwrap_or_default(), sink),
        }
        at + length
    }

    fn comment(&mut self, span: Range<usize>, sink: &mut Sink<'_>) {
        if self.code.holds(span.start) {
            return;
        }
        let inside = self.text.get(span.start + 4..span.end - 3).unwrap_or_default();
        let weights = match hidden::told(inside) {
            hidden::Told::Model => Weights(0, 600, 500),
            hidden::Told::Somebody => Weights(0, 350, 300),
            hidden::Told::Nobody => return,
        };
        self.report(Number::HiddenComment, weights, span, sink);
    }

    fn tag(&mut self, at: usize, tag: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        let shown = self.code.holds(at);
        let span = at..at + tag.len();
        let mut unseen = false;
        for attribute in attributes(tag, 1 + name.len()) {
            unseen |= hidden::unseen(attribute.name, attribute.value);
            self.attribute(at, name, &attribute, shown, sink);
        }
        if unseen && span.start >= self.hidden_read {
            let inside = window(self.text, span.end, hidden::LONGEST);
            let inside =
                inside.get(..memmem::find(inside, b"</").unwrap_or(inside.len())).unwrap_or_default();
            self.hidden_read = span.end + inside.len();
            let weights = match hidden::told(inside) {
                hidden::Told::Model => Weights(0, 650, 550),
                hidden::Told::Somebody => Weights(0, 400, 350),
                hidden::Told::Nobody => Weights(0, 0, 0),
            };
            self.report(Number::HiddenStyle, weights, span.start..span.end + inside.len(), sink);
        }
        if name.eq_ignore_ascii_case(b"script") {
            self.script(span, tag, shown, sink);
        } else if !shown {
            self.frame(span, tag, name, sink);
        }
    }

    fn attribute(
        &mut self,
        at: usize,
        tag: &[u8],
        attribute: &Attribute<'_>,
        shown: bool,
        sink: &mut Sink<'_>,
    ) {
        let Attribute { name, value, offset } = *attribute;
        let span = at + offset..at + offset + value.len();
        let handler = starts_with(name, b"on") && name.len() > 4 && name.iter().all(u8::is_ascii_alphabetic);
        // `onClick={…}` is a component's source.
        if handler && !value.starts_with(b"{") && value.iter().any(|byte| matches!(byte, b'(' | b'=' | b'`'))
        {
            let forced = [
                &b"onerror"[..],
                b"onload",
                b"ontoggle",
                b"onstart",
                b"onbegin",
                b"onfocus",
                b"onanimationstart",
            ]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
            let weights = match (shown, forced || sends(value)) {
                (true, _) => Weights(0, 0, 0),
                (false, true) => Weights(880, 600, 0),
                (false, false) => Weights(600, 200, 0),
            };
            return self.report(Number::Handler, weights, span, sink);
        }
        if name.eq_ignore_ascii_case(b"srcdoc") && !shown && value.contains(&b'<') {
            return self.report(Number::Frame, Weights(850, 500, 0), span, sink);
        }
        if markdown::runs_code(value) && !shown && is_address(name) {
            return self.report(Number::Url, Weights(900, 500, 0), span, sink);
        }
        if starts_with(name, b"xmlns") {
            return;
        }
        self.addresses(tag, attribute, at + offset, sink);
    }

    /// Judges every address in an attribute: `srcset`, `style` and `content` hold theirs among other things.
    fn addresses(&mut self, tag: &[u8], attribute: &Attribute<'_>, at: usize, sink: &mut Sink<'_>) {
        let clicked = [&b"a"[..], b"area", b"form", b"button", b"base"]
            .iter()
            .any(|known| tag.eq_ignore_ascii_case(known))
            || [&b"formaction"[..], b"cite", b"ping"]
                .iter()
                .any(|known| attribute.name.eq_ignore_ascii_case(known));
        let carrier = if clicked { Carrier::Link } else { Carrier::Image };
        let value = attribute.value;
        let mut from = 0;
        while let Some(step) = memmem::find(value.get(from..).unwrap_or_default(), b"//") {
            let slashes = from + step;
            let before = value.get(..slashes).unwrap_or_default();
            let schemed = before.last() == Some(&b':');
            from = slashes + 2;
            if !(schemed || before.is_empty() && is_address(attribute.name)) {
                continue;
            }
            let letters = if schemed {
                1 + before.iter().rev().skip(1).take(10).take_while(|byte| byte.is_ascii_alphabetic()).count()
            } else {
                0
            };
            let (address, length) = Address::read(value.get(from..).unwrap_or_default());
            self.judge(&address, carrier, at + slashes - letters..at + from + length, sink);
            from += length;
        }
    }

    fn script(&mut self, span: Range<usize>, tag: &[u8], shown: bool, sink: &mut Sink<'_>) {
        if span.start < self.script_read {
            return;
        }
        let inside = window(self.text, span.end, LONGEST_SCRIPT);
        let close = memmem::find(inside, b"</script").or_else(|| memmem::find(inside, b"</SCRIPT"));
        let body = inside.get(..close.unwrap_or(inside.len())).unwrap_or_default();
        let loads = contains(tag, b"src");
        self.script_read = span.end + body.len();
        // A word about the tag is no script.
        if !loads && (close.is_none() || body.trim_ascii().is_empty())
            || contains(tag, b"application/ld+json")
        {
            return;
        }
        let sends = sends(body);
        let weights = match (shown, self.is_page(), sends) {
            (true, ..) => Weights(0, 0, 0),
            (false, true, false) => Weights(400, 100, 0),
            (false, true, true) => Weights(600, 250, 0),
            (false, false, false) => Weights(850, 350, 0),
            (false, false, true) => Weights(930, 600, 0),
        };
        self.report(Number::Script, weights, span.start..span.end + body.len(), sink);
    }

    fn frame(&self, span: Range<usize>, tag: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let away = contains(tag, b"//");
        let page = self.is_page();
        let weights = match () {
            () if is(b"meta") && contains(tag, b"refresh") && contains(tag, b"url=") => Weights(850, 400, 0),
            () if is(b"base") && away => Weights(600, 150, 0),
            () if page => return,
            () if (is(b"iframe") || is(b"frame") || is(b"object") || is(b"embed")) && away => {
                Weights(600, 200, 0)
            }
            () if is(b"form") && away && contains(tag, b"action") => Weights(600, 200, 0),
            () => return,
        };
        self.report(Number::Frame, weights, span, sink);
    }

    /// Whether the text as a whole is a page: then somebody asked for one, or fetched one.
    fn is_page(&self) -> bool {
        let front = window(self.text, 0, 256).trim_ascii_start();
        starts_with(front, b"<!doctype") || starts_with(front, b"<html") || starts_with(front, b"<?xml")
    }
}

/// The length of a tag, its closing bracket included. One without an end costs patience; then brackets in
/// quotes end a tag too.
fn tag_end(rest: &[u8], patience: &mut Patience) -> Option<usize> {
    let mut quote = None;
    if patience.0 >= rest.len() {
        for (at, byte) in rest.iter().enumerate() {
            match (byte, quote) {
                (b'"' | b'\'', None) if rest.get(at - 1) == Some(&b'=') => quote = Some(*byte),
                (_, Some(open)) if *byte == open => quote = None,
                (b'>', None) => return Some(at + 1),
                (b'<', None) if at > 0 => return None,
                _ => {}
            }
        }
        patience.0 -= rest.len();
    }
    let end = memchr(b'>', window(rest, 1, 512))? + 2;
    Some(end)
}

/// An attribute of a tag.
#[derive(Clone, Copy)]
struct Attribute<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// Where the value begins in the tag.
    offset: usize,
}

/// The attributes that have a value, from `from` on (WHATWG HTML 13.1.2.3, read leniently).
fn attributes(tag: &[u8], from: usize) -> impl Iterator<Item = Attribute<'_>> {
    let mut at = from;
    core::iter::from_fn(move || {
        loop {
            let skip = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b',');
            at += tag.get(at..)?.iter().take_while(|byte| skip(byte)).count();
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'/');
            let named = tag.get(at..)?.iter().take_while(|byte| !ends(byte)).count();
            let name = tag.get(at..at + named)?;
            if named == 0 && tag.get(at) != Some(&b'=') {
                return None;
            }
            at += named;
            at += tag.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if tag.get(at) != Some(&b'=') {
                if name.eq_ignore_ascii_case(b"hidden") {
                    return Some(Attribute { name, value: &[], offset: at });
                }
                continue;
            }
            at += 1;
            at += tag.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = tag.get(at..)?;
            let (offset, length) = match rest.first()? {
                quote @ (b'"' | b'\'') => {
                    let length = rest.iter().skip(1).take_while(|byte| *byte != quote).count();
                    (at + 1, length)
                }
                _ => {
                    (at, rest.iter().take_while(|byte| !byte.is_ascii_whitespace() && **byte != b'>').count())
                }
            };
            at = offset + length;
            return Some(Attribute { name, value: tag.get(offset..offset + length)?, offset });
        }
    })
    .take(ATTRIBUTES)
}

/// Whether an attribute holds an address.
fn is_address(name: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"src",
        b"href",
        b"action",
        b"formaction",
        b"data",
        b"background",
        b"xlink:href",
        b"poster",
        b"srcset",
        b"content",
        b"lowsrc",
        b"dynsrc",
        b"values",
        b"from",
        b"to",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a script reads what it should not, sends something away, or runs what it builds.
fn sends(script: &[u8]) -> bool {
    const SINKS: &[&[u8]] = &[
        b"document.cookie",
        b"localstorage",
        b"sessionstorage",
        b"fetch(",
        b"xmlhttprequest",
        b"sendbeacon",
        b"eval(",
        b"location=",
        b"location =",
        b"location.href=",
        b"location.href =",
        b"new image",
        b".src=",
        b".src =",
        b"atob(",
        b"import(",
        b"alert(",
        b"fromcharcode",
        b"websocket(",
    ];
    SINKS.iter().any(|sink| contains(script, sink))
}
