//! What the fuzz targets check. A body panics when something does not hold that holds for every input.

mod answering;
mod asking;
mod changed;
mod deciding;
mod detecting;
mod exchanging;
mod heading;
mod masking;
mod pinning;
mod reading;
mod seeds;
mod signing;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

pub use seeds::Seeds;

/// Something to be fuzzed.
#[derive(Debug)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Longest input that says more than a shorter one, in bytes.
    pub max_len: usize,
    /// What is done with an input.
    pub run: fn(&[u8]),
    seeds: Seeds,
}

const FIXTURES: &str = "crates/decode/tests/fixtures";
const ANSWERS: [&str; 2] = ["crates/decode/tests/answers", "crates/decode/tests/streams"];

/// Every parser of bytes from outside has one.
pub const TARGETS: &[Target] = &[
    // A request body, its path, content type and limits chosen by the first byte.
    Target {
        name: "decode",
        max_len: 8192,
        run: decode::fuzz::body,
        seeds: Seeds {
            files: &[FIXTURES],
            fronts: &[&[0], &[3], &[4], &[5], &[8], &[10], &[11], &[13], &[14], &[64], &[80], &[128], &[144]],
            made: Vec::new,
        },
    },
    // An answer, whole and streamed; protocol, limits and the size of its chunks chosen by the first two bytes.
    Target {
        name: "answer",
        max_len: 8192,
        run: decode::fuzz::answer,
        seeds: Seeds {
            files: &ANSWERS,
            fronts: &[&[0, 1], &[1, 7], &[3, 0], &[5, 3], &[6, 64], &[7, 2], &[8, 5], &[9, 200], &[11, 1]],
            made: Vec::new,
        },
    },
    // A compressed body, its encoding and limits chosen by the first byte.
    Target {
        name: "inflate",
        max_len: 8192,
        run: decode::fuzz::inflated,
        seeds: Seeds {
            files: &["crates/decode/tests/inflate"],
            fronts: &[&[0], &[1], &[2], &[3], &[4], &[5], &[128], &[131], &[134]],
            made: Vec::new,
        },
    },
    // A text, normalised and searched for what is encoded in it.
    Target { name: "normalise", max_len: 4096, run: normalise, seeds: texts(&[]) },
    // A text before the detectors, in a role that the first byte chooses.
    Target { name: "detect", max_len: 4096, run: detecting::detect, seeds: texts(&[&[0], &[3]]) },
    // A policy.
    Target {
        name: "policy",
        max_len: 8192,
        run: reading::policy,
        seeds: Seeds {
            files: &["crates/policy/examples/images.json", "crates/policy/examples/observe.json"],
            fronts: &[],
            made: reading::policies,
        },
    },
    // A whole request, its policy and path chosen by the first byte.
    Target {
        name: "exchange",
        max_len: 8192,
        run: exchanging::exchange,
        seeds: Seeds {
            files: &[FIXTURES],
            fronts: &[b"\x00\n", b"\x01\n", b"\x02\n", b"\x04\n", b"\x0c\n", b"\x10\n", b"\x16\n"],
            made: Vec::new,
        },
    },
    // A streamed answer; policy, protocol, content type and the size of its chunks chosen by the first two bytes.
    Target {
        name: "respond",
        max_len: 8192,
        run: answering::respond,
        seeds: Seeds {
            files: &ANSWERS,
            fronts: &[&[0, 1], &[4, 7], &[6, 0], &[9, 3], &[12, 64], &[15, 2], &[18, 5], &[24, 9], &[48, 11]],
            made: Vec::new,
        },
    },
    // A request in JSON, its path chosen by the first byte, some of it masked.
    Target {
        name: "mask",
        max_len: 4096,
        run: masking::mask,
        seeds: Seeds { files: &[], fronts: &[], made: || requests(&[0, 1, 3, 6, 8, 9, 10, 11]) },
    },
    // A whole answer in JSON, the request's path chosen by the first byte, some of it masked.
    Target {
        name: "whole",
        max_len: 4096,
        run: masking::whole,
        seeds: Seeds {
            files: &[ANSWERS[0]],
            fronts: &[&[0], &[1], &[6], &[8], &[9], &[10], &[11]],
            made: Vec::new,
        },
    },
    // The lines of a request's head.
    Target { name: "head", max_len: 2048, run: heading::head, seeds: Seeds::made(heading::heads) },
    // What the hosts hand over: header maps, addresses, the roll of VMs.
    Target { name: "host", max_len: 2048, run: host, seeds: Seeds::made(heading::maps) },
    // Declared tools.
    Target { name: "pins", max_len: 4096, run: pinning::pins, seeds: Seeds::made(pinning::lists) },
    // Feeds of decisions, one after the other, and who is refused by them.
    Target { name: "decisions", max_len: 4096, run: deciding::decisions, seeds: Seeds::made(reading::feeds) },
    // Slots of the ledger.
    Target { name: "ledger", max_len: 2048, run: deciding::ledger, seeds: Seeds::made(deciding::slots) },
    // What crosses to a ledger that is kept elsewhere, and back.
    Target { name: "ask", max_len: 2048, run: asking::ask, seeds: Seeds::made(asking::messages) },
    // Packed rules.
    Target { name: "packed", max_len: 4096, run: detect::fuzz::unpack, seeds: Seeds::made(packed) },
    // A batch of events.
    Target { name: "batch", max_len: 8192, run: reading::batch, seeds: Seeds::made(reading::batches) },
    // A feed of decisions.
    Target { name: "feed", max_len: 4096, run: wire::fuzz::feed, seeds: Seeds::made(reading::feeds) },
    // A signed message in lines: id, timestamp, signatures, body.
    Target {
        name: "signature",
        max_len: 2048,
        run: signing::signature,
        seeds: Seeds::made(signing::messages),
    },
    // What filters and people send to the relay: batches, decisions, cursors, tokens.
    #[cfg(feature = "relay")]
    Target { name: "relay", max_len: 4096, run: relay, seeds: Seeds::made(relayed) },
];

/// Prose, code and encoded text.
const fn texts(fronts: &'static [&'static [u8]]) -> Seeds {
    Seeds { files: &[], fronts, made: || seeds::lines(include_str!("texts.txt")) }
}

impl Target {
    /// The target of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// What a fuzzer begins with, inputs that once were a crash among it.
    ///
    /// # Errors
    /// When the fixtures cannot be read.
    pub fn seeds(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut seeds = self.seeds.read()?;
        let mut paths: Vec<PathBuf> = Vec::new();
        let crashes = seeds::root().join("crates/fuzz/crashes").join(self.name);
        if crashes.is_dir() {
            seeds::files(&crashes, &mut paths)?;
        }
        paths.sort();
        for path in paths {
            seeds.push(std::fs::read(path)?);
        }
        Ok(seeds)
    }
}

/// Seeds: requests that hold something to be masked, for each of the paths.
fn requests(paths: &[u8]) -> Vec<Vec<u8>> {
    let lines = include_str!("requests.txt").lines();
    lines.flat_map(|line| paths.iter().map(|path| [&[*path], line.as_bytes()].concat())).collect()
}

/// Seeds: the first packed bytes are never in use, so these say little; the fuzzer finds the rest.
fn packed() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 3] =
        [b"\x10\0\0\0\0\0\0\0\0\0\0\0\0", b"\xff\xff\0abcdefghijklmnop", b"\x05\0\0\x33\x1b\x08\x36"];
    texts.map(<[u8]>::to_vec).to_vec()
}

fn host(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    envoy::fuzz::headers(data);
    envoy::fuzz::roll(data);
    envoy::fuzz::estate(data);
    envoy::fuzz::address(&text);
    edge::fuzz::headers(&text);
}

#[cfg(feature = "relay")]
fn relay(data: &[u8]) {
    alert_relay::fuzz::batch(data);
    alert_relay::fuzz::decision(data);
    alert_relay::fuzz::shown(&String::from_utf8_lossy(data));
}

#[cfg(feature = "relay")]
fn relayed() -> Vec<Vec<u8>> {
    const DECISION: &[u8] =
        br#"{"scope":"cidr","value":"192.0.2.0/24","action":"throttle","rate":5,"seconds":60,"reason":"Guesses keys"}"#;
    const CURSOR: &[u8] = b"1790000000000.0190f5c2-1f6e-7abc-8def-0123456789ab";
    const TOKEN: &[u8] = b"Basic dXNlcjpwYXNzd29yZA==";
    let mut all = reading::batches();
    all.extend([
        DECISION.to_vec(),
        CURSOR.to_vec(),
        TOKEN.to_vec(),
        b"see http://evil.example/<x> a@b.example".to_vec(),
    ]);
    all
}

fn normalise(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    normalise::fuzz::normalise(&text);
    normalise::fuzz::decode(&text);
}
