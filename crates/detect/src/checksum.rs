//! Checksums that credentials carry.

use crate::compile::tables::Checksum;

/// Whether the checksum within `token` is right.
pub(crate) fn holds(checksum: Checksum, token: &[u8]) -> bool {
    match checksum {
        Checksum::GithubCrc32 => github_crc32(token),
    }
}

/// The form that GitHub published in "Behind GitHub's new authentication token formats" (2021), which
/// npm uses as well: behind the last underscore 30 random characters, then their CRC-32 in base 62 with
/// leading zeros, six digits.
fn github_crc32(token: &[u8]) -> bool {
    let start = token.iter().rposition(|byte| *byte == b'_').map_or(0, |at| at + 1);
    let body = token.get(start..).unwrap_or_default();
    let Some((random, given)) = body.split_last_chunk::<6>() else { return false };
    let mut rest = crc32(random);
    given.iter().rev().all(|digit| {
        let value = rest % 62;
        rest /= 62;
        base62(value) == Some(*digit)
    }) && rest == 0
}

fn base62(value: u32) -> Option<u8> {
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".get(value as usize).copied()
}

/// CRC-32 as in IEEE 802.3, bit by bit: tokens are short, and a table would be longer.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_gives_the_check_value_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_token_with_its_checksum_holds_and_any_other_does_not() {
        let random = b"aBcDeFgHiJkLmNoPqRsTuVwXyZ0123";
        let mut rest = crc32(random);
        let mut digits = [0; 6];
        for digit in digits.iter_mut().rev() {
            *digit = base62(rest % 62).unwrap();
            rest /= 62;
        }
        let mut token = [b"ghp_".as_slice(), random, &digits].concat();
        assert!(github_crc32(&token));
        token[10] ^= 1;
        assert!(!github_crc32(&token));
        assert!(!github_crc32(b"ghp_short"));
    }
}
