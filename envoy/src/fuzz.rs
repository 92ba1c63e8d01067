//! What holds for whatever the host hands over, for fuzzers and for the tests here. Panics when it does not.

use core::net::{IpAddr, SocketAddr};

use crate::{address::without_port, estate, headers, headers::HeaderMap, vms};

/// A header map that is taken gives back the bytes it was made of; lookups find the first of a name.
pub fn headers(data: &[u8]) {
    let Some(map) = HeaderMap::parse(data.to_vec()) else { return };
    let written = headers::serialise(map.iter());
    assert!(data.is_empty() || data.starts_with(&written), "not what was read: {written:?}");
    for (name, _) in map.iter().take(8) {
        let first = map.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
        assert_eq!(map.first(name), first);
    }
}

/// An address loses its port and brackets, and nothing else.
pub fn address(text: &str) {
    let bare = without_port(text);
    assert!(text.contains(bare));
    if let Ok(socket) = text.parse::<SocketAddr>() {
        let ip = bare.split('%').next().unwrap_or_default();
        assert_eq!(ip.parse::<IpAddr>(), Ok(socket.ip()), "{text}");
    }
    if text.parse::<IpAddr>().is_ok() {
        assert_eq!(bare, text);
    }
}

/// A roll of VMs, any bytes, is read as whole entries, which are written as they were.
pub fn roll(data: &[u8]) {
    let written = vms::rewritten(data);
    assert!(
        data.starts_with(&written) && data.len() - written.len() < vms::ENTRY
            || written.len() == vms::LONGEST
    );
}

/// Batches that a VM left, any bytes, are written as they were read.
pub fn estate(data: &[u8]) {
    let written = estate::rewritten(data);
    assert!(data.starts_with(&written));
}

#[cfg(test)]
mod tests {
    use super::{address, estate, headers, roll};

    #[test]
    fn what_holds_for_every_header_map_address_and_roll_holds_for_some() {
        let map = crate::headers::serialise([(&b":path"[..], &b"/"[..]), (b"x", b""), (b"x", b"\xff")]);
        for end in 0..=map.len() {
            headers(&map[..end]);
            roll(&map.repeat(3)[..end * 3]);
            estate(&map[..end]);
        }
        for text in
            ["", ":", "[", "]", "[]:1", "[::1%1]:80", "1.2.3.4:", ":80", "[::1]x", "a:b:c", "[fe80::1%7]:1"]
        {
            address(text);
        }
    }
}
