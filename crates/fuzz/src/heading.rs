//! Who calls: addresses, keys and tokens out of a request's headers.

use std::net::{IpAddr, SocketAddr};

use guard::{Guard, HeadFacts, Moment, NoStore};
use wire::{Client, Surface, limits};

const NOON: Moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
const HOPS: usize = 2;
const POLICY: &[u8] = br#"{"model":{"name":"fuzz"},"identity":{"trusted_hops":2,"api_key_query":"key",
    "client":["jwt_claim","api_key","address"],"jwt_claim":"sub"}}"#;
/// `X-Forwarded-For` is kept up to so many bytes, so a longer one is not checked against what it says in full.
const SHORT: usize = 1000;

thread_local! {
    static GUARD: Guard = Guard::from_json(POLICY, None, Surface::Native, "fuzz").expect("a policy");
}

/// Lines: the caller's address, the user of a verified token, the path, then headers as `name:value`. The address that is
/// told is the one the trusted proxies name, else the host's; a key is told by a hash and six characters at the most;
/// everything is short and printable; and the same head gives the same client.
pub(crate) fn head(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (address, user, path) = (text(), text(), text());
    let headers: Vec<(&[u8], &[u8])> = lines
        .map(|line| match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        })
        .collect();
    let told = client(&address, &user, &path, &headers);
    assert_eq!(told, client(&address, &user, &path, &headers));
    for text in [&told.address, &told.user].into_iter().flatten() {
        assert!(text.len() <= limits::MAX_STRING_BYTES && !text.chars().any(char::is_control), "{text:?}");
    }
    if let Some(key) = &told.key {
        assert!(key.hash.len() == 32 && key.hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(key.prefix.len() <= 18, "{} shows too much of a key", key.prefix);
    }
    let sent: Vec<&[u8]> = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"x-forwarded-for"))
        .map(|(_, value)| *value)
        .collect();
    if sent.iter().map(|value| value.len() + 1).sum::<usize>() < SHORT && address.len() < 100 {
        let named = named(&sent).or_else(|| address.parse().ok());
        let is = told.address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
        assert_eq!(is, named, "{:?}", told.address);
    }
}

/// The address that the second proxy from the right was spoken to from.
fn named(sent: &[&[u8]]) -> Option<IpAddr> {
    let all = sent.join(&b","[..]);
    let entry = all.split(|byte| *byte == b',').rev().nth(HOPS - 1)?;
    let entry = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| bare.and_then(|bare| bare.parse().ok()))
}

/// The client in the report of a refusal.
fn client(address: &str, user: &str, path: &str, headers: &[(&[u8], &[u8])]) -> Client {
    GUARD.with(|guard| {
        let facts = HeadFacts { method: "POST", path, route: "route", address: Some(address) };
        let head = guard.head(facts, headers.iter().copied()).with_user(Some(user));
        let mut exchange = guard.open(head, true, &NOON, &NoStore);
        if exchange.outcome().is_none() {
            exchange.too_large(guard, 1 << 40, &NOON);
        }
        let event = exchange.take_event().expect("a refusal is reported");
        event.client
    })
}

/// Seeds.
pub(crate) fn heads() -> Vec<Vec<u8>> {
    const HEADS: [&str; 5] = [
        "192.0.2.7\n\n/v1/chat/completions\nx-forwarded-for:203.0.113.9, 198.51.100.4, 10.0.0.1\ncontent-type:application/json",
        "2001:db8::7\nann\n/v1?key=abcdefghijklmnopqrstuvwxyz\nX-Forwarded-For: [2001:db8::1]:4711,10.0.0.1\nx-forwarded-for:x",
        "\n\n/\nauthorization:Bearer sk-0123456789012345678901234567890\nx-api-key:sk-0123456789012345678901234567890",
        "::ffff:192.0.2.1\n\n/\nupgrade:websocket\ncontent-length:12\ninference-header-content-length:5\ntraceparent:00-ab",
        "/run/envoy.sock\n\n/#?key=a&key=b\nX-Forwarded-For: 192.0.2.1:80, [::1]\ncontent-type:application/grpc+proto",
    ];
    HEADS.iter().map(|head| head.as_bytes().to_vec()).collect()
}

/// Seeds: header maps in the form of Envoy and of the edge worker, addresses, a roll of VMs.
pub(crate) fn maps() -> Vec<Vec<u8>> {
    let mut map = Vec::new();
    let pairs = [(":path", "/v1"), ("content-type", "application/json"), ("x", "")];
    map.extend_from_slice(&3_u32.to_le_bytes());
    for (name, value) in pairs {
        map.extend(
            [name.len(), value.len()].iter().flat_map(|it| u32::try_from(*it).unwrap_or(0).to_le_bytes()),
        );
    }
    for (name, value) in pairs {
        map.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    let texts = ["content-type\ntext/plain\nx\n\n", "[2001:db8::1]:80", "192.0.2.1:5312", "[fe80::1%3]:1"];
    let roll: Vec<u8> = (0..12_u64).flat_map(u64::to_le_bytes).collect();
    texts.iter().map(|text| text.as_bytes().to_vec()).chain([map, roll]).collect()
}
