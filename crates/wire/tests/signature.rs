//! Signatures against published vectors and against attempts to get around them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod common;

use modelgate_wire::signature::{InvalidKey, Key, Rejected, TOLERANCE_SECONDS, verify};

/// The vector that the Standard Webhooks libraries test themselves with
/// (<https://github.com/standard-webhooks/standard-webhooks>, `libraries/`).
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: u64 = 1_614_265_330;
const BODY: &[u8] = b"{\"test\": 2432232314}";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

const OTHER_KEY: &str = "whsec_bW9kZWxnYXRlIG1vZGVsZ2F0ZSBtb2RlbGdhdGU=";

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn check(signatures: &str) -> Result<(), Rejected> {
    verify(&[key(KEY)], AT, ID, &AT.to_string(), signatures, BODY)
}

#[test]
fn signs_the_published_vector() {
    assert_eq!(key(KEY).sign(ID, AT, BODY), SIGNATURE);
    assert_eq!(key(KEY.strip_prefix("whsec_").unwrap()).sign(ID, AT, BODY), SIGNATURE);
    assert_eq!(key(&format!(" {KEY}\n")).sign(ID, AT, BODY), SIGNATURE);
}

#[test]
fn accepts_the_published_vector_only_as_it_stands() {
    assert_eq!(check(SIGNATURE), Ok(()));
    let body = b"{\"test\": 2432232315}";
    assert_eq!(verify(&[key(KEY)], AT, ID, "1614265330", SIGNATURE, body), Err(Rejected::Signature));
    assert_eq!(verify(&[key(KEY)], AT, "msg_1", "1614265330", SIGNATURE, BODY), Err(Rejected::Signature));
    assert_eq!(verify(&[key(KEY)], AT, ID, "1614265331", SIGNATURE, BODY), Err(Rejected::Signature));
    assert_eq!(verify(&[key(OTHER_KEY)], AT, ID, "1614265330", SIGNATURE, BODY), Err(Rejected::Signature));
    assert_eq!(verify(&[], AT, ID, "1614265330", SIGNATURE, BODY), Err(Rejected::Signature));
}

#[test]
fn every_changed_byte_of_a_signature_is_refused() {
    let accepted = SIGNATURE.bytes().enumerate().filter(|(at, byte)| {
        let mut changed = SIGNATURE.as_bytes().to_vec();
        changed[*at] = if *byte == b'A' { b'B' } else { b'A' };
        check(std::str::from_utf8(&changed).unwrap()).is_ok()
    });
    assert_eq!(accepted.count(), 0);
    for end in 0..SIGNATURE.len() {
        assert_eq!(check(&SIGNATURE[..end]), Err(Rejected::Signature), "cut at {end}");
    }
}

#[test]
fn looks_among_several_signatures_and_versions() {
    let others = "v1a,xxxx v2,yyyy v1,AAAA";
    assert_eq!(check(&format!("{others} {SIGNATURE}")), Ok(()));
    assert_eq!(check(&format!("{SIGNATURE} {others}")), Ok(()));
    assert_eq!(check(others), Err(Rejected::Signature));
    assert_eq!(check(""), Err(Rejected::Signature));
    // Each is an HMAC over the body: only so many are looked at.
    let flood = "v1,AAAA ".repeat(5000);
    assert_eq!(check(&format!("{flood}{SIGNATURE}")), Err(Rejected::Signature));
}

#[test]
fn either_of_two_keys_does_during_a_rotation() {
    let keys = [key(OTHER_KEY), key(KEY)];
    for signer in &keys {
        let signature = signer.sign(ID, AT, BODY);
        assert_eq!(verify(&keys, AT, ID, &AT.to_string(), &signature, BODY), Ok(()));
    }
    let third = key("whsec_dGhpcmQgdGhpcmQgdGhpcmQgdGhpcmQgdGhpcmQ=").sign(ID, AT, BODY);
    assert_eq!(verify(&keys, AT, ID, &AT.to_string(), &third, BODY), Err(Rejected::Signature));
}

#[test]
fn a_timestamp_counts_for_five_minutes_either_way() {
    let table = [
        (AT, Ok(())),
        (AT + TOLERANCE_SECONDS, Ok(())),
        (AT - TOLERANCE_SECONDS, Ok(())),
        (AT + TOLERANCE_SECONDS + 1, Err(Rejected::Timestamp)),
        (AT - TOLERANCE_SECONDS - 1, Err(Rejected::Timestamp)),
        (0, Err(Rejected::Timestamp)),
        (u64::MAX, Err(Rejected::Timestamp)),
    ];
    for (now, expected) in table {
        assert_eq!(verify(&[key(KEY)], now, ID, &AT.to_string(), SIGNATURE, BODY), expected, "{now}");
    }
}

#[test]
fn a_malformed_header_is_named() {
    for timestamp in
        ["", "x", "-1", "+1614265330", "01614265330", " 1614265330", "1e9", "99999999999999999999"]
    {
        let result = verify(&[key(KEY)], AT, ID, timestamp, SIGNATURE, BODY);
        assert_eq!(result, Err(Rejected::Header { name: "webhook-timestamp" }), "{timestamp:?}");
    }
    let long = "m".repeat(257);
    for id in ["", "a.b", long.as_str()] {
        let result = verify(&[key(KEY)], AT, id, "1614265330", SIGNATURE, BODY);
        assert_eq!(result, Err(Rejected::Header { name: "webhook-id" }), "{id:?}");
    }
}

#[test]
fn keys_have_their_form_and_length() {
    let table = [
        ("", InvalidKey::Length { bytes: 0 }),
        ("whsec_", InvalidKey::Length { bytes: 0 }),
        ("whsec_c2hvcnQ=", InvalidKey::Length { bytes: 5 }),
        ("whsec_not base64!", InvalidKey::NotBase64),
        ("whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", InvalidKey::NotBase64),
    ];
    for (text, expected) in table {
        assert_eq!(Key::parse(text), Err(expected), "{text:?}");
    }
    assert!(Key::parse(&format!("whsec_{}", "AAAA".repeat(8))).is_ok());
    assert!(Key::parse(&format!("whsec_{}==", "A".repeat(86))).is_ok(), "64 bytes");
    assert_eq!(Key::parse(&format!("whsec_{}=", "A".repeat(87))), Err(InvalidKey::Length { bytes: 65 }));
}

#[test]
fn a_key_shows_nothing_of_itself() {
    assert_eq!(format!("{:?}", key(KEY)), "Key(redacted)");
}

#[test]
fn derived_keys_differ_by_purpose() {
    // HMAC-SHA256 of the purpose, checked with Python's hmac module.
    let derived = key(KEY).derive("client-identity");
    assert_ne!(derived, key(KEY).derive("feed"));
    assert_ne!(derived, key(OTHER_KEY).derive("client-identity"));
    let hex: String = derived.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "9a74e87ed4b05fb487b43a3408bf6b3f39207a77dcadaa1d63b5f5dba0bda27a");
}
