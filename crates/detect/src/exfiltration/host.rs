//! What a host name tells.

use alloc::vec::Vec;

use super::{
    contains,
    payload::{self, Payload},
};

/// Whether a host is there to collect what others send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collects {
    /// Nothing says so.
    No,
    /// A word that other hosts have too.
    Maybe,
    /// It does nothing else, or says that it means harm.
    Surely,
}

/// Two words that together name a place where requests are kept for whoever set it up, or a tunnel to a
/// machine at home.
const COLLECTORS: &[(&[u8], &[u8])] = &[
    (b"web", b"hook"),
    (b"hook", b"bin"),
    (b"request", b"bin"),
    (b"request", b"catcher"),
    (b"request", b"basket"),
    (b"request", b"inspector"),
    (b"post", b"bin"),
    (b"http", b"dump"),
    (b"burp", b"collab"),
    (b"dns", b"log"),
    (b"dns", b"bin"),
    (b"oast", b""),
    (b"interactsh", b""),
    (b"canary", b"token"),
    (b"ngrok", b""),
    (b"pipedream", b""),
    (b"beeceptor", b""),
    (b"local", b"tunnel"),
    (b"trycloudflare", b""),
    (b"exfil", b""),
    (b"attacker", b""),
    (b"malicious", b""),
    (b"hacker", b""),
    (b"steal", b""),
    (b"phish", b""),
];
/// Labels that mean harm as a whole word.
const HARMFUL: &[&[u8]] = &[b"evil", b"attack", b"c2", b"leak", b"leaks", b"xss", b"badguy", b"rogue"];
/// Labels of hosts that may collect.
const DOUBTFUL: &[&[u8]] =
    &[b"collect", b"collector", b"capture", b"grabber", b"logger", b"drop", b"sink", b"catcher", b"tunnel"];

/// The name without user, port and brackets.
fn name(host: &[u8]) -> &[u8] {
    let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    if host.first() == Some(&b'[') {
        return host;
    }
    host.split(|byte| *byte == b':').next().unwrap_or_default()
}

pub(super) fn collects(host: &[u8]) -> Collects {
    let host = name(host);
    // The last label is the registry's.
    let Some(dot) = host.iter().rposition(|byte| *byte == b'.') else { return Collects::No };
    let named = host.get(..dot).unwrap_or_default();
    let named = named.get(named.len().saturating_sub(120)..).unwrap_or_default();
    // Big services take web hooks under names such as hooks.example.com; those words stand in a path.
    let pair = |(first, second): &(&[u8], &[u8])| {
        contains(named, first) && (second.is_empty() || contains(named, second))
    };
    let mut words = named.split(|byte| !byte.is_ascii_alphanumeric());
    let word = |list: &[&[u8]], word: &[u8]| list.iter().any(|known| word.eq_ignore_ascii_case(known));
    if COLLECTORS.iter().any(pair) || words.clone().any(|part| word(HARMFUL, part)) {
        Collects::Surely
    } else if words.any(|part| word(DOUBTFUL, part)) {
        Collects::Maybe
    } else {
        Collects::No
    }
}

/// Whether a host is the number of a machine on the public net. Those of private nets (RFC 1918, 6598,
/// 3927) and of the machine itself are left alone.
pub(super) fn is_public_ip(host: &[u8]) -> bool {
    let host = name(host);
    if host.first() == Some(&b'[') {
        let local = contains(host, b"[::1]")
            || contains(host, b"[fe80")
            || contains(host, b"[fd")
            || contains(host, b"[fc");
        return host.len() > 4
            && !local
            && host.iter().all(|byte| byte.is_ascii_hexdigit() || b"[]:.%".contains(byte));
    }
    let hexadecimal = host.get(..2).is_some_and(|front| front.eq_ignore_ascii_case(b"0x"));
    let whole = host.len() >= 8 && host.iter().all(u8::is_ascii_digit)
        || host.len() == 10 && hexadecimal && host.iter().skip(2).all(u8::is_ascii_hexdigit);
    if whole {
        return true;
    }
    let mut octets = [0u8; 4];
    let mut parts = host.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next().and_then(|part| core::str::from_utf8(part).ok());
        let Some(value) = part.and_then(|part| part.parse().ok()) else { return false };
        *octet = value;
    }
    let private = matches!(
        octets,
        [0 | 10 | 127, ..]
            | [192, 168, ..]
            | [172, 16..=31, ..]
            | [169, 254, ..]
            | [100, 64..=127, ..]
            | [224..=255, ..]
    );
    parts.next().is_none() && !private
}

/// Letters and digits in a label from which on it is no name; a label has 63 at most (RFC 1035).
const LONG_LABEL: usize = 36;

/// Data in the labels of a host, as it leaves by name look-ups alone.
pub(super) fn data_in_labels(host: &[u8], decoded: &mut Vec<u8>) -> Payload {
    let host = name(host);
    let mut worst = Payload::None;
    for label in host.split(|byte| *byte == b'.') {
        if label.len() >= 20 && payload::of(label, decoded) == Payload::Readable {
            return Payload::Readable;
        }
        // Hosts that are hashes by design: IPFS content ids and onion services.
        let by_design = label.starts_with(b"baf") || label.starts_with(b"k51") || host.ends_with(b".onion");
        let digits = label.iter().filter(|byte| byte.is_ascii_digit()).count();
        let plain = label.iter().all(u8::is_ascii_alphanumeric);
        if label.len() >= LONG_LABEL && plain && digits * 16 >= label.len() && !by_design {
            worst = Payload::Opaque;
        }
    }
    worst
}
