//! Compressed bodies, made by other implementations: zlib, zstd and Brotli's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use std::{fs, path::Path};

use modelgate_decode::{
    InflateLimits, Problem,
    ProblemKind::{self, *},
    inflate,
};

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inflate").join(name)).unwrap()
}

fn undo(encodings: &str, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    inflate(encodings, bytes, &InflateLimits::default()).map(std::borrow::Cow::into_owned)
}

/// Encoding, file.
const BODIES: &[(&str, &str)] = &[
    ("gzip", "gzip.gz"),
    ("x-gzip", "gzip.gz"),
    ("GZip", "gzip-named.gz"),
    ("deflate", "deflate.zlib"),
    ("deflate", "deflate.raw"),
    #[cfg(feature = "br")]
    ("br", "brotli.br"),
    #[cfg(feature = "zstd")]
    ("zstd", "zstd.zst"),
    #[cfg(feature = "zstd")]
    ("zstd", "zstd-stream.zst"),
    #[cfg(feature = "zstd")]
    ("gzip, zstd", "twice.gz.zst"),
    ("identity, gzip,", "gzip.gz"),
    ("", "plain.json"),
    (" Identity ", "plain.json"),
];

#[test]
fn what_others_compressed_inflates_to_what_it_was() {
    let plain = file("plain.json");
    assert!(BODIES.len() >= 8);
    for (encodings, name) in BODIES {
        let bytes = file(name);
        assert_eq!(undo(encodings, &bytes).unwrap_or_else(|it| panic!("{name}: {it}")), plain, "{name}");
    }
}

#[test]
fn a_body_may_be_as_long_as_the_cap_and_not_a_byte_longer() {
    let plain = file("plain.json");
    for (encodings, name) in BODIES.iter().filter(|(_, name)| !matches!(*name, "plain.json" | "twice.gz.zst"))
    {
        let bytes = file(name);
        let with = |max_bytes: usize| {
            let limits = InflateLimits { max_bytes, ..InflateLimits::default() };
            inflate(encodings, &bytes, &limits).map(|it| it.len()).map_err(|it| it.kind)
        };
        assert_eq!(with(plain.len()), Ok(plain.len()), "{name}");
        for less in [plain.len() - 1, 1000, 1, 0] {
            assert_eq!(with(less), Err(TooLarge), "{name} under {less}");
        }
    }
}

#[test]
fn bombs_end_at_the_cap_and_at_the_ratio() {
    let bombs: &[(&str, &str)] = &[
        ("gzip", "bomb.gz"),
        #[cfg(feature = "br")]
        ("br", "bomb.br"),
        #[cfg(feature = "zstd")]
        ("zstd", "bomb.zst"),
        #[cfg(feature = "zstd")]
        ("zstd", "bomb-stream.zst"),
    ];
    for (encodings, name) in bombs {
        let bytes = file(name);
        let with = |max_bytes: usize, max_ratio: usize| {
            let limits = InflateLimits { max_bytes, max_ratio };
            inflate(encodings, &bytes, &limits).map(|it| it.len()).map_err(|it| it.kind)
        };
        assert_eq!(with(1 << 20, 200), Err(TooLarge), "{name}");
        assert_eq!(with(1 << 20, usize::MAX), Err(TooLarge), "{name}");
        assert_eq!(with(usize::MAX, 200), Err(TooLarge), "{name}");
        assert_eq!(with(usize::MAX, usize::MAX), Ok(4 << 20), "{name}");
    }
}

#[test]
fn cut_and_lengthened_bodies_are_problems_at_every_length() {
    for (encodings, name) in BODIES.iter().filter(|(_, name)| !matches!(*name, "plain.json" | "twice.gz.zst"))
    {
        let bytes = file(name);
        for end in 0..bytes.len() {
            let problem = undo(encodings, &bytes[..end]).unwrap_err();
            assert!(problem.kind == Compression && problem.at <= end, "{name} cut at {end}: {problem}");
        }
        for more in [&b"\0"[..], b"{}", &bytes] {
            let problem = undo(encodings, &[&bytes, more].concat()).unwrap_err();
            assert_eq!((problem.kind, problem.at), (TrailingData, bytes.len()), "{name}: {problem}");
        }
    }
}

#[test]
fn turned_bits_never_give_more_than_the_cap() {
    let limits = InflateLimits { max_bytes: 10_000, max_ratio: 50 };
    let mut refused = 0;
    for (encodings, name) in BODIES {
        let bytes = file(name);
        for at in (0..bytes.len()).take(400) {
            for bit in [1, 4, 0x80] {
                let mut turned = bytes.clone();
                turned[at] ^= bit;
                match inflate(encodings, &turned, &limits) {
                    Ok(text) => assert!(text.len() <= 10_000, "{name}"),
                    Err(problem) => {
                        refused += 1;
                        assert!(problem.at <= bytes.len().max(10_000), "{name}: {problem}");
                    }
                }
            }
        }
    }
    assert!(refused > 3000, "only {refused} refused");
}

#[test]
fn what_is_no_such_encoding_is_refused_for_its_reason() {
    let gzip = file("gzip.gz");
    let turned = |at: usize| {
        let mut bytes = gzip.clone();
        let at = if at > gzip.len() { gzip.len() - (usize::MAX - at) } else { at };
        bytes[at] ^= 1;
        bytes
    };
    let table: &[(&str, Vec<u8>, ProblemKind)] = &[
        ("compress", b"x".to_vec(), UnsupportedType),
        ("gzip;q=1", gzip.clone(), UnsupportedType),
        ("gzip, gzip, gzip", gzip.clone(), UnsupportedType),
        ("gzip", b"{}".to_vec(), Compression),
        ("gzip", b"".to_vec(), Compression),
        ("deflate", b"{\"a\":1}".to_vec(), Compression),
        ("gzip", turned(2), Compression),
        ("gzip", turned(usize::MAX - 8), Compression),
        ("gzip", turned(usize::MAX - 1), Compression),
        ("gzip, gzip", gzip.clone(), Compression),
        #[cfg(feature = "br")]
        ("br", b"{\"a\":1}".to_vec(), Compression),
        #[cfg(feature = "br")]
        ("br", b"\x0f\0".to_vec(), UnsupportedType),
        #[cfg(feature = "zstd")]
        ("zstd", b"{\"a\":1}".to_vec(), Compression),
        // A frame to be skipped, and a window of 16 MiB.
        #[cfg(feature = "zstd")]
        ("zstd", b"\x50\x2a\x4d\x18\x01\0\0\0x".to_vec(), Compression),
        #[cfg(feature = "zstd")]
        ("zstd", b"\x28\xb5\x2f\xfd\0\x70\x01\0\0".to_vec(), TooLarge),
    ];
    for (encodings, bytes, kind) in table {
        let found = undo(encodings, bytes).map(|text| text.len());
        let problem = found.expect_err(encodings);
        assert_eq!(problem.kind, *kind, "{encodings}: {problem}");
    }
}
