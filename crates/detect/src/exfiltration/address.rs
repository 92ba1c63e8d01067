//! Addresses: where one ends, who loads it, and what it carries.

use core::ops::Range;

use super::{
    Scan, Weights,
    host::{self, Collects},
    markdown::Carrier,
    payload::{self, Payload},
    rules::Number,
    sensitive::{self, Telling},
    starts_with, window,
};
use crate::detector::Sink;

/// Bytes of one address that are read; browsers take 2,000 in practice, and more of it is a payload in
/// any case.
pub(super) const LONGEST: usize = 4096;
const NOTHING: Weights = Weights(0, 0, 0);
/// Bytes of a slot in a template.
const LONGEST_SLOT: usize = 80;
/// Words in a query from which on it carries sentences rather than what somebody looks for.
const WORDS: usize = 8;
/// Words in a query that no search has.
const MANY_WORDS: usize = 14;

/// An address without its scheme.
pub(super) struct Address<'a> {
    pub(super) host: &'a [u8],
    path: &'a [u8],
    query: &'a [u8],
    /// The most telling slot.
    slot: Telling,
    /// Whether a telling slot is in the host.
    slot_in_host: bool,
}

impl<'a> Address<'a> {
    /// Reads an address from its host on. Returns it with its length.
    pub(super) fn read(rest: &'a [u8]) -> (Self, usize) {
        let rest = window(rest, 0, LONGEST);
        let (mut at, mut depth, mut slot) = (0, 0u32, Telling::No);
        let mut host_end = None;
        let mut slot_in_host = false;
        while let Some(byte) = rest.get(at) {
            match byte {
                b'{' | b'[' | b'<' | b'%' => {
                    if let Some((length, telling)) = slot_at(rest, at) {
                        slot = slot.max(telling);
                        slot_in_host |= host_end.is_none() && telling == Telling::Strong;
                        at += length;
                        continue;
                    }
                    if matches!(byte, b'<' | b'[') && !(at == 0 && *byte == b'[') {
                        break;
                    }
                }
                b'(' => depth += 1,
                b')' if depth == 0 => break,
                b')' => depth -= 1,
                b']' if host_end.is_none() && rest.first() == Some(&b'[') => {}
                b'"' | b'\'' | b'`' | b'>' | b']' | b'\\' | b'|' | 0..=b' ' | 0x7f => break,
                b'/' | b'?' | b'#' => {
                    host_end.get_or_insert(at);
                }
                _ => {}
            }
            at += 1;
        }
        let whole = rest.get(..at).unwrap_or_default();
        let (host, behind) = whole.split_at_checked(host_end.unwrap_or(at)).unwrap_or((whole, b""));
        let question = behind.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(behind.len());
        let (path, query) = behind.split_at_checked(question).unwrap_or((behind, b""));
        (Self { host, path, query, slot, slot_in_host }, at)
    }

    /// The parameters of the query, as name and value.
    fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.query
            .split(|byte| matches!(byte, b'?' | b'#' | b'&' | b';'))
            .filter(|pair| !pair.is_empty())
            .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
                None => (&[][..], pair),
            })
    }
}

/// The slot of a template at `at`: its length and how telling its name is.
fn slot_at(rest: &[u8], at: usize) -> Option<(usize, Telling)> {
    let here = window(rest, at, LONGEST_SLOT);
    let (open, close): (&[u8], &[u8]) = match here {
        [b'{', b'{', ..] => (b"{{", b"}}"),
        [b'{', b'%', ..] => (b"{%", b"%}"),
        [b'{', ..] => (b"{", b"}"),
        [b'[', ..] => (b"[", b"]"),
        [b'<', next, ..] if next.is_ascii_alphabetic() => (b"<", b">"),
        [b'%', b'7', b'b' | b'B', ..] => (b"%7b", b"%7d"),
        _ => return None,
    };
    // `<br>` behind an address is a tag; what fills a place in one stands behind a delimiter.
    let before = at.checked_sub(1).and_then(|before| rest.get(before)).copied();
    if open == b"<" && !matches!(before, Some(b'=' | b'/' | b'&' | b'?' | b'-' | b'_' | b'.' | b':')) {
        return None;
    }
    let inside = here.get(open.len()..)?;
    let length = inside.windows(close.len()).position(|part| part.eq_ignore_ascii_case(close))?;
    let name = inside.get(..length)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-.'$+|()".contains(byte) || *byte >= 0x80;
    let named =
        name.iter().any(u8::is_ascii_alphabetic) && name.iter().all(|byte| plain(byte) || *byte == b'%');
    (named || open == b"{{").then(|| (open.len() + length + close.len(), sensitive::slot(name)))
}

impl Scan<'_> {
    /// Judges the address behind `//` at `slashes`, whose scheme begins at `start`. Returns its end.
    pub(super) fn address(&mut self, slashes: usize, start: usize, sink: &mut Sink<'_>) -> usize {
        let from = slashes + 2;
        let (address, length) = Address::read(self.text.get(from..).unwrap_or_default());
        let carrier = self.carrier(start);
        self.judge(&address, carrier, start..from + length, sink);
        from + length
    }

    /// Reports what an address carries.
    pub(super) fn judge(
        &mut self,
        address: &Address<'_>,
        carrier: Carrier,
        span: Range<usize>,
        sink: &mut Sink<'_>,
    ) {
        if address.host.is_empty() {
            return;
        }
        // What an answer shows as code, nobody loads. What a document shows as code, a model may write.
        let shown = self.code.holds(span.start);
        let carrier = if shown { Carrier::Bare } else { carrier };
        let loads = carrier == Carrier::Image;
        let slot = address.parameters().fold(address.slot, |slot, (_, value)| slot.max(capitals(value)));
        if slot == Telling::Strong {
            match carrier {
                Carrier::Image => {
                    self.report(Number::ImagePlaceholder, Weights(900, 900, 850), span.clone(), sink);
                }
                Carrier::Link => {
                    self.report(Number::LinkPlaceholder, Weights(850, 800, 450), span.clone(), sink)
                }
                Carrier::Bare => {
                    self.report(Number::LinkPlaceholder, Weights(300, 450, 150), span.clone(), sink)
                }
            }
            if address.slot_in_host {
                self.report(Number::Label, Weights(600, 600, 300), span.clone(), sink);
            }
        }
        if slot == Telling::Weak && loads {
            self.report(Number::ImagePlaceholder, Weights(600, 300, 0), span.clone(), sink);
        }
        self.judge_host(address, carrier, &span, sink);
        if carrier == Carrier::Bare && !matches!(self.role, crate::role::Role::Assistant) {
            return;
        }
        self.judge_payload(address, carrier, &span, sink);
        let (mut strong, mut weak) = (0u32, 0u32);
        for (name, _) in address.parameters().filter(|(_, value)| !value.is_empty()) {
            match sensitive::parameter(name) {
                Telling::Strong => strong += 1,
                Telling::Weak => weak += 1,
                Telling::No => {}
            }
        }
        // One detail about a person is in many an address; several are a record.
        match (strong, weak, loads) {
            (1.., _, true) => self.report(Number::ImageParameter, Weights(850, 700, 350), span, sink),
            (0, 3.., true) => self.report(Number::ImageParameter, Weights(850, 400, 0), span, sink),
            (0, 1.., true) => self.report(Number::ImageParameter, Weights(300, 200, 0), span, sink),
            (1.., _, false) => self.report(Number::LinkParameter, Weights(400, 250, 0), span, sink),
            _ => {}
        }
    }

    fn judge_payload(
        &mut self,
        address: &Address<'_>,
        carrier: Carrier,
        span: &Range<usize>,
        sink: &mut Sink<'_>,
    ) {
        let number = carrier.pick(Number::ImagePayload, Number::LinkPayload, Number::LinkPayload);
        for segment in address.path.split(|byte| *byte == b'/') {
            if payload::of(segment, self.decoded) == Payload::Readable {
                let weights = carrier.pick(Weights(850, 700, 300), Weights(500, 350, 0), Weights(250, 0, 0));
                self.report(number, weights, span.clone(), sink);
            }
        }
        for (name, value) in address.parameters() {
            let weights = match payload::of(value, self.decoded) {
                Payload::Readable => {
                    carrier.pick(Weights(900, 850, 500), Weights(600, 450, 100), Weights(300, 0, 0))
                }
                Payload::Record => carrier.pick(Weights(850, 600, 100), Weights(150, 0, 0), NOTHING),
                Payload::Opaque if !signs(name) => {
                    carrier.pick(Weights(350, 150, 0), Weights(100, 0, 0), NOTHING)
                }
                Payload::Opaque | Payload::None => NOTHING,
            };
            self.report(number, weights, span.clone(), sink);
            let weights = match payload::words(value, self.decoded) {
                MANY_WORDS.. => carrier.pick(Weights(850, 700, 300), Weights(300, 150, 0), NOTHING),
                WORDS.. => carrier.pick(Weights(600, 450, 100), Weights(150, 0, 0), NOTHING),
                _ => NOTHING,
            };
            let number = carrier.pick(Number::ImageText, Number::LinkText, Number::LinkText);
            self.report(number, weights, span.clone(), sink);
        }
    }

    fn judge_host(
        &mut self,
        address: &Address<'_>,
        carrier: Carrier,
        span: &Range<usize>,
        sink: &mut Sink<'_>,
    ) {
        let queried = address.query.contains(&b'=');
        if host::is_public_ip(address.host) {
            let weights = match carrier {
                Carrier::Image if queried => Weights(850, 700, 250),
                Carrier::Image => Weights(500, 300, 0),
                Carrier::Link => Weights(300, 150, 0),
                Carrier::Bare => Weights(100, 0, 0),
            };
            self.report(Number::RawIp, weights, span.clone(), sink);
        }
        let (image, link, bare) = match host::collects(address.host) {
            Collects::Surely => (Weights(900, 850, 400), Weights(700, 550, 150), Weights(400, 250, 0)),
            Collects::Maybe => (Weights(500, 350, 0), Weights(300, 150, 0), NOTHING),
            Collects::No => (NOTHING, NOTHING, NOTHING),
        };
        self.report(Number::Collector, carrier.pick(image, link, bare), span.clone(), sink);
        let weights = match host::data_in_labels(address.host, self.decoded) {
            Payload::Readable => {
                carrier.pick(Weights(900, 850, 500), Weights(850, 700, 300), Weights(700, 600, 250))
            }
            Payload::Opaque => carrier.pick(Weights(600, 350, 0), Weights(400, 200, 0), Weights(200, 0, 0)),
            Payload::Record | Payload::None => NOTHING,
        };
        self.report(Number::Label, weights, span.clone(), sink);
    }
}

/// How telling a value is that stands in capitals for what belongs there, such as `CONVERSATION_HISTORY`.
fn capitals(value: &[u8]) -> Telling {
    let plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_-.+".contains(byte);
    if value.len() >= 4 && value.len() <= LONGEST_SLOT && value.iter().all(plain) {
        sensitive::slot(value)
    } else {
        Telling::No
    }
}

/// Whether a parameter of that name proves who may load an address, which takes an opaque value.
fn signs(name: &[u8]) -> bool {
    const PROOFS: &[&[u8]] = &[
        b"sig", b"x-amz-", b"x-goog-", b"token", b"hash", b"jwt", b"key", b"s", b"hmac", b"policy", b"oh",
        b"se",
    ];
    PROOFS.iter().any(|proof| starts_with(name, proof))
}
