//! Addresses of wallets: Bitcoin's and Ethereum's.

use super::{context::Context, rules, words};
use crate::detector::Sink;

/// Reports the word as a wallet's address.
pub(super) fn look(word: &[u8], start: usize, context: &mut Context<'_>, sink: &mut Sink<'_>) -> bool {
    let end = start + word.len();
    let mut named = || context.hints(start, end) & (words::CRYPTO) != 0;
    let weight = match word {
        [b'b' | b'B', b'c' | b'C', b'1', ..] if bech32(word) => 850,
        [b'0', b'x', hex @ ..] if hex.len() == 40 && hex.iter().all(u8::is_ascii_hexdigit) => {
            let zeros = hex.iter().filter(|digit| **digit == b'0').count();
            if zeros > 12 {
                return false;
            }
            if named() { 820 } else { 450 }
        }
        // Base58Check; its checksum needs SHA-256, so it is taken by its name.
        [b'1' | b'3', ..] if (26..=35).contains(&word.len()) && is_base58(word) && named() => 820,
        _ => return false,
    };
    sink.push(rules::CRYPTO, weight, start..end);
    true
}

fn is_base58(word: &[u8]) -> bool {
    let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    letters > 8
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l'))
}

/// BIP 173 and BIP 350: a checksum over GF(32), 1 for Bech32 and 0x2bc830a3 for Bech32m.
fn bech32(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    if !(14..=74).contains(&word.len()) {
        return false;
    }
    let step = |check: u32, value: u32| {
        let top = check >> 25;
        let shifted = (check & 0x1ff_ffff) << 5 ^ value;
        GENERATOR.iter().enumerate().fold(shifted, |check, (bit, generator)| {
            if top >> bit & 1 == 1 { check ^ generator } else { check }
        })
    };
    let prefix = [3u32, 3, 0, u32::from(b'b') & 31, u32::from(b'c') & 31];
    let mut check = prefix.into_iter().fold(1, step);
    for byte in word.iter().skip(3) {
        let Some(value) = ALPHABET.iter().position(|known| *known == byte.to_ascii_lowercase()) else {
            return false;
        };
        check = step(check, u32::try_from(value).unwrap_or(0));
    }
    matches!(check, 1 | 0x2bc8_30a3)
}
