//! Event ids against RFC 9562.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod common;

use std::collections::HashSet;

use common::Random;
use modelgate_wire::{EventId, InvalidEventId};

/// The example of RFC 9562, appendix A.6: its time, its `rand_a` and its `rand_b`.
const EXAMPLE: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

#[test]
fn builds_the_example_of_the_rfc() {
    let random = (0xcc3_u128 << 62) | 0x18c4_dc0c_0c07_398f;
    let bytes: [u8; 16] = random.to_be_bytes();
    let entropy: [u8; 10] = bytes[6..].try_into().unwrap();
    let id = EventId::new(1_645_557_742_000, entropy);
    assert_eq!(id.to_string(), EXAMPLE);
    assert_eq!(id.unix_ms(), 1_645_557_742_000);
    assert_eq!(EXAMPLE.parse(), Ok(id));
    assert_eq!(EXAMPLE.to_uppercase().parse(), Ok(id));
    assert_eq!(format!("{id:?}"), EXAMPLE);
}

#[test]
fn version_and_variant_are_set_whatever_the_entropy() {
    for byte in 0..=255 {
        let id = EventId::new(u64::MAX, [byte; 10]);
        let bytes = id.to_bytes();
        assert_eq!(bytes[..6], [0xff; 6]);
        assert_eq!(bytes[6] >> 4, 7, "version");
        assert_eq!(bytes[8] >> 6, 0b10, "variant");
        assert_eq!(EventId::from_bytes(bytes), Ok(id));
    }
    assert_eq!(EventId::new(0, [0; 10]).to_string(), "00000000-0000-7000-8000-000000000000");
}

#[test]
fn seventy_four_bits_of_entropy_count() {
    let mut ids = HashSet::new();
    for bit in 0..80 {
        let entropy: [u8; 10] = (1_u128 << bit).to_be_bytes()[6..].try_into().unwrap();
        ids.insert(EventId::new(0, entropy));
    }
    // 74 different ones, and the one without any: six bits of the eighty are left over.
    assert_eq!(ids.len(), 75);
}

#[test]
fn ids_sort_by_time() {
    let mut random = Random(3);
    let mut before = EventId::new(0, [0xff; 10]);
    for ms in 1..1000 {
        let id = EventId::new(ms, [u8::try_from(random.below(256)).unwrap(); 10]);
        assert!(id > before && id.to_string() > before.to_string());
        before = id;
    }
}

#[test]
fn other_texts_are_refused() {
    let others = [
        "",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-58c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-d8c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e2 79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398\u{e9}",
        "ｆ17f22e2-79b0-7cc3-98c4-dc0c0c0739",
    ];
    assert!(others.len() >= 12);
    for text in others {
        assert_eq!(text.parse::<EventId>(), Err(InvalidEventId), "{text:?}");
    }
    assert_eq!(EventId::from_bytes([0; 16]), Err(InvalidEventId));
    assert_eq!(EventId::from_bytes([0xff; 16]), Err(InvalidEventId));
}
