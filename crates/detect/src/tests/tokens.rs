//! What token patterns match.

use alloc::vec;

use super::{engine, matched, tokens};
use crate::compile::Proof;

/// (pattern, text, what matches)
const MATCHES: &[(&str, &str, &str)] = &[
    ("zk-[a-z0-9]{6}", "key=zk-abc123;", "zk-abc123"),
    ("zk-[a-z0-9]{6}", "\"zk-abc123\"", "zk-abc123"),
    ("ZKIA[A-Z0-9]{8}", "id ZKIAABCD1234.", "ZKIAABCD1234"),
    ("ZK[a-f0-9]{16}", "ZK0123456789abcdef", "ZK0123456789abcdef"),
    (r"zyJ[\w-]{4,}\.zyJ[\w-]{4,}\.[\w-]*", "a zyJabcd.zyJ-efg_h.x- b", "zyJabcd.zyJ-efg_h.x-"),
    ("[0-9]{4,6}:ZZ[a-z]{3}", "12345:ZZabc", "12345:ZZabc"),
    ("-----BEGIN ZZ KEY-----", "x\n-----BEGIN ZZ KEY-----\n", "-----BEGIN ZZ KEY-----"),
    (r"zz_\(x\)", "zz_(x)", "zz_(x)"),
    ("zkp[_-][a-z]{3}[0-9]?", "zkp-abc7", "zkp-abc7"),
];

/// (pattern, text)
const LOOK_ALIKES: &[(&str, &str)] = &[
    ("zk-[a-z0-9]{6}", "zk-abc12"),
    ("zk-[a-z0-9]{6}", "zk-abc1234"),
    ("zk-[a-z0-9]{6}", "ZK-abc123"),
    ("zk-[a-z0-9]{6}", "xzk-abc123"),
    ("ZKIA[A-Z0-9]{8}", "zkiaabcd1234"),
    ("ZK[a-f0-9]{16}", "ZK0123456789abcdeg"),
    ("[0-9]{4,6}:ZZ[a-z]{3}", "1234567:ZZabc"),
    ("[0-9]{4,6}:ZZ[a-z]{3}", "123:ZZabc"),
];

#[test]
fn tokens_match_what_they_say() {
    for (pattern, text, expected) in MATCHES {
        assert_eq!(
            matched(&engine(tokens(&[pattern], Proof::default())), text),
            [*expected],
            "{pattern:?} on {text:?}"
        );
    }
}

#[test]
fn tokens_match_nothing_else() {
    for (pattern, text) in LOOK_ALIKES {
        assert!(
            matched(&engine(tokens(&[pattern], Proof::default())), text).is_empty(),
            "{pattern:?} on {text:?}"
        );
    }
}

#[test]
fn entropy_and_stopwords_leave_placeholders_alone() {
    let proof = Proof { min_entropy: 2500, checksum: None, stopwords: vec!["EXAMPLE".into()] };
    let engine = engine(tokens(&["zk-[a-zA-Z0-9]{12}"], proof));
    assert_eq!(matched(&engine, "zk-a1B2c3D4e5F6"), ["zk-a1B2c3D4e5F6"]);
    assert!(matched(&engine, "zk-xxxxxxxxxxxx").is_empty());
    assert!(matched(&engine, "zk-ExampleKey42").is_empty());
}

#[test]
fn a_token_is_found_in_an_encoded_stretch() {
    let engine = engine(tokens(&["zk-[a-z0-9]{6}"], Proof::default()));
    // "the key is zk-abc123 ok"
    assert_eq!(
        matched(&engine, "see dGhlIGtleSBpcyB6ay1hYmMxMjMgb2s= there"),
        ["dGhlIGtleSBpcyB6ay1hYmMxMjMgb2s="]
    );
}
