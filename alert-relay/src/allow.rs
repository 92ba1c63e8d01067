//! Callers that nobody decides against, and what of addresses and ranges has something in common.

use std::net::IpAddr;

use wire::{Event, Subject};

/// Whether something is about both: the same, or addresses in common.
pub(crate) fn meets(one: &Subject, other: &Subject) -> bool {
    match (Network::of(one), Network::of(other)) {
        (Some(one), Some(other)) => one.meets(other),
        _ => one == other,
    }
}

/// The addresses that share their first bits with one.
#[derive(Clone, Copy)]
struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    fn of(subject: &Subject) -> Option<Self> {
        match *subject {
            Subject::Address(first) => Some(Self { first, bits: if first.is_ipv4() { 32 } else { 128 } }),
            // IPv4 in IPv6's clothes, as addresses are undressed.
            Subject::Range(first, bits @ 96..) if first.to_canonical().is_ipv4() && first.is_ipv6() => {
                Some(Self { first: first.to_canonical(), bits: bits - 96 })
            }
            Subject::Range(first, bits) => Some(Self { first, bits }),
            Subject::Key(_) | Subject::User(_) => None,
        }
    }

    fn meets(self, other: Self) -> bool {
        let bits = self.bits.min(other.bits);
        match (self.first, other.first) {
            (IpAddr::V4(one), IpAddr::V4(other)) => mask_v4(one.to_bits() ^ other.to_bits(), bits) == 0,
            (IpAddr::V6(one), IpAddr::V6(other)) => mask_v6(one.to_bits() ^ other.to_bits(), bits) == 0,
            _ => false,
        }
    }
}

/// The range of so many bits that an address is in.
pub(crate) fn range_of(address: IpAddr, bits_v4: u8, bits_v6: u8) -> Subject {
    match address {
        IpAddr::V4(address) => {
            Subject::Range(IpAddr::V4(mask_v4(address.to_bits(), bits_v4).into()), bits_v4)
        }
        IpAddr::V6(address) => {
            Subject::Range(IpAddr::V6(mask_v6(address.to_bits(), bits_v6).into()), bits_v6)
        }
    }
}

/// The first bits.
fn mask_v4(address: u32, bits: u8) -> u32 {
    address & u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0)
}

fn mask_v6(address: u128, bits: u8) -> u128 {
    address & u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0)
}

/// Everything about the caller of an event that could be decided about: address, key, user.
pub(crate) fn subjects_of(event: &Event) -> Vec<Subject> {
    let client = &event.client;
    let address = address_of(event).map(Subject::Address);
    let key = client.key.as_ref().and_then(|key| Subject::parse("key_hash", &key.hash));
    let user = client.user.as_deref().and_then(|user| Subject::parse("user", user));
    [address, key, user].into_iter().flatten().collect()
}

/// The caller's address.
pub(crate) fn address_of(event: &Event) -> Option<IpAddr> {
    let address: IpAddr = event.client.address.as_deref()?.parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        ["cidr", "address", "key_hash", "user"]
            .into_iter()
            .find_map(|scope| Subject::parse(scope, text))
            .unwrap()
    }

    #[test]
    fn addresses_and_ranges_meet_where_they_have_addresses_in_common() {
        for (one, other, expected) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.0/24", "192.0.0.0/16", true),
            ("192.0.2.0/24", "192.0.2.128/25", true),
            ("192.0.2.0/25", "192.0.2.128/25", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("::ffff:192.0.2.0/120", "192.0.2.7", true),
            ("::ffff:192.0.2.0/120", "192.0.3.7", false),
            ("00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff", true),
            ("00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeefe", false),
            ("ann", "ann", true),
            ("ann", "192.0.2.1", false),
        ] {
            assert_eq!(meets(&subject(one), &subject(other)), expected, "{one} {other}");
            assert_eq!(meets(&subject(other), &subject(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_range_begins_with_its_first_address() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("255.255.255.255", "255.255.255.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            let range = range_of(address.parse().unwrap(), 24, 64);
            assert_eq!(range.value(), expected);
            assert_eq!(Subject::parse("cidr", &range.value()), Some(range));
        }
        assert_eq!(range_of("192.0.2.77".parse().unwrap(), 0, 0).value(), "0.0.0.0/0");
        assert_eq!(range_of("192.0.2.77".parse().unwrap(), 32, 0).value(), "192.0.2.77/32");
    }
}
