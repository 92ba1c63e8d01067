//! What the guard takes from a request's headers.

use alloc::string::String;

use policy::Identity;

use crate::{Guard, identity::Claims};

/// What the host knows of a request, apart from its headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadFacts<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path, with or without the query.
    pub path: &'a str,
    /// The route's name, if the host has names for routes.
    pub route: &'a str,
    /// The caller's address without its port, as the host vouches for it.
    pub address: Option<&'a str>,
}

/// A request's head: bounded, printable copies of what the guard needs.
#[derive(Debug)]
pub struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) route: String,
    pub(crate) address: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_length: Option<u64>,
    /// The length of the JSON in front of binary tensors; what is no number is longer than any body.
    pub(crate) inference_header_length: Option<usize>,
    pub(crate) claims: Claims,
    pub(crate) request_id: Option<String>,
    pub(crate) traceparent: Option<String>,
    /// Whether an `upgrade` to a WebSocket is asked for, or one over HTTP/2 (RFC 8441).
    websocket: bool,
}

/// Longest text kept of a method or a content header.
pub(crate) const MAX_SHORT: usize = 128;
/// Longest text kept of a path or a route; longer ones are cut, the request itself is not changed.
const MAX_PATH: usize = 1024;

impl Head {
    /// Takes what the guard needs from the headers where the policy's `identity` has its defaults; see [`Guard::head`].
    pub fn new<'h>(facts: HeadFacts<'_>, headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>) -> Self {
        Self::read(&Identity::default(), facts, headers)
    }

    fn read<'h>(
        identity: &Identity,
        facts: HeadFacts<'_>,
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Self {
        let path = facts.path.split_once(['?', '#']).map_or(facts.path, |(path, _)| path);
        let mut head = Self {
            method: printable(facts.method.as_bytes(), MAX_SHORT),
            path: printable(path.as_bytes(), MAX_PATH),
            route: route_name(facts.route.as_bytes()),
            address: facts.address.map(|address| printable(address.as_bytes(), MAX_SHORT)),
            content_type: None,
            content_encoding: None,
            content_length: None,
            inference_header_length: None,
            claims: Claims::default(),
            request_id: None,
            traceparent: None,
            websocket: false,
        };
        for (name, value) in headers {
            head.take(name, value);
            head.claims.header(identity, name, value);
        }
        head.claims.query(identity, facts.path);
        head
    }

    fn take(&mut self, name: &[u8], value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            12 if is("content-type") => join(&mut self.content_type, value),
            16 if is("content-encoding") => join(&mut self.content_encoding, value),
            14 if is("content-length") => self.content_length = number(value),
            31 if is("inference-header-content-length") => {
                let length = core::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
                let again = self.inference_header_length.is_some();
                self.inference_header_length = Some(length.filter(|_| !again).unwrap_or(usize::MAX));
            }
            12 if is("x-request-id") => self.request_id = Some(printable(value, MAX_SHORT)),
            7 if is("upgrade") => self.websocket |= names_websocket(value),
            9 if is(":protocol") => self.websocket |= names_websocket(value),
            11 if is("traceparent") => self.traceparent = Some(printable(value, MAX_SHORT)),
            _ => {}
        }
    }

    /// Whether what follows is no body but a tunnel: a WebSocket's handshake (a `GET`, RFC 6455, section 4.1; over HTTP/2
    /// a `CONNECT`) or any other `CONNECT`. An `upgrade` in a request of another method means nothing.
    pub(crate) fn opens_tunnel(&self) -> bool {
        self.method == "CONNECT" || (self.websocket && self.method == "GET")
    }

    /// Whether the body is a gRPC stream, by its content type.
    pub(crate) fn is_grpc(&self) -> bool {
        let kind = self.content_type.as_deref().unwrap_or_default();
        let rest = kind.get(..GRPC.len()).filter(|start| start.eq_ignore_ascii_case(GRPC));
        let end = kind.as_bytes().get(GRPC.len());
        rest.is_some() && end.is_none_or(|byte| matches!(byte, b'+' | b';' | b' ' | b',' | b'-'))
    }

    /// Names the user of a token that the host has verified. Never what a request claims by itself.
    #[must_use]
    pub fn with_user(mut self, user: Option<&str>) -> Self {
        self.claims.user =
            user.map(|user| printable(user.as_bytes(), MAX_PATH)).filter(|user| !user.is_empty());
        self
    }
}

impl Guard {
    /// Takes what the guard needs from the headers. Names may be in any case; a header that comes twice is read as the
    /// two values joined by `, `, as the Fetch standard joins them, so that no surface sees only one of them.
    pub fn head<'h>(
        &self,
        facts: HeadFacts<'_>,
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Head {
        Head::read(&self.policy().document().identity, facts, headers)
    }
}

/// A route's name as events carry it.
#[must_use]
pub fn route_name(name: &[u8]) -> String {
    printable(name, MAX_PATH)
}

/// The content type of gRPC; `+proto` and the like may follow, and `-web` for browsers.
const GRPC: &str = "application/grpc";

/// Whether a list of protocols has a WebSocket in it.
fn names_websocket(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|name| name.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Whether a header belongs to Modelgate alone: removed from what callers and upstreams send.
#[must_use]
pub fn is_own_header(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"x-modelgate-";
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// A header's value as a number.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok())
}

pub(crate) fn join(slot: &mut Option<String>, value: &[u8]) {
    let value = printable(value, MAX_SHORT);
    match slot {
        Some(first) => {
            first.push_str(", ");
            first.push_str(&value);
        }
        None => *slot = Some(value),
    }
}

/// At most `max` bytes of a text, control characters and bytes that are no UTF-8 replaced by U+FFFD.
pub(crate) fn printable(bytes: &[u8], max: usize) -> String {
    let mut text = String::with_capacity(bytes.len().min(max));
    // Nearly all of them are plain.
    if let Ok(plain) = core::str::from_utf8(bytes)
        && plain.len() <= max
        && plain.bytes().fold(true, |plain, byte| plain & (b' '..0x7f).contains(&byte))
    {
        text.push_str(plain);
        return text;
    }
    for chunk in bytes.utf8_chunks() {
        let broken = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for character in chunk.valid().chars().chain(broken) {
            let character = if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
            if text.len() + character.len_utf8() > max {
                return text;
            }
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)]) -> Head {
        let facts = HeadFacts { method: "POST", path: "/v1/chat/completions?a=b", ..HeadFacts::default() };
        Head::new(facts, headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    #[test]
    fn names_are_read_in_any_case_and_the_query_is_left_out() {
        let head = head(&[("Content-Type", "application/json"), ("CONTENT-LENGTH", "12")]);
        assert_eq!(head.path, "/v1/chat/completions");
        assert_eq!(head.content_type.as_deref(), Some("application/json"));
        assert_eq!(head.content_length, Some(12));
    }

    #[test]
    fn a_header_that_comes_twice_is_joined() {
        let head = head(&[("content-type", "application/json"), ("content-type", "text/plain")]);
        assert_eq!(head.content_type.as_deref(), Some("application/json, text/plain"));
    }

    #[test]
    fn a_tunnel_is_known_by_method_and_protocol() {
        let opens = |method, headers: &[(&str, &str)]| {
            let facts = HeadFacts { method, path: "/", ..HeadFacts::default() };
            let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            Head::new(facts, headers).opens_tunnel()
        };
        assert!(opens("GET", &[("Upgrade", "h2c, WebSocket")]));
        assert!(opens("CONNECT", &[(":protocol", "websocket")]));
        assert!(opens("CONNECT", &[]));
        assert!(!opens("GET", &[("upgrade", "h2c")]));
        assert!(!opens("POST", &[("upgrade", "websocket")]), "its body is read");
    }

    #[test]
    fn a_grpc_stream_is_known_by_its_type() {
        for kind in [
            "application/grpc",
            "Application/gRPC+proto",
            "application/grpc; x=y",
            "application/grpc-web+proto",
        ] {
            assert!(head(&[("content-type", kind)]).is_grpc(), "{kind}");
        }
        for kind in
            ["application/json", "application/grpcx", "application/grp", "text/plain, application/grpc"]
        {
            assert!(!head(&[("content-type", kind)]).is_grpc(), "{kind}");
        }
    }

    #[test]
    fn text_from_outside_is_bounded_and_printable() {
        assert_eq!(printable(b"a\r\nb\xffc", 100), "a\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!(printable("ééé".as_bytes(), 5), "éé");
    }
}
