//! What credentials prove by themselves: checksums, headers.

use crate::{base64, compile::tables::Checksum};

/// How a credential stands the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Its issuer made it.
    Right,
    /// It is mistyped or made up.
    Wrong,
    /// It is something else.
    Foreign,
}

/// How `token` stands the test.
pub(crate) fn prove(checksum: Checksum, token: &[u8]) -> Proof {
    let right = match checksum {
        Checksum::GithubCrc32 => github_crc32(token),
        Checksum::GitlabCrc32 => gitlab_crc32(token),
        Checksum::JwtHeader => return if jwt_header(token) { Proof::Right } else { Proof::Foreign },
    };
    if right { Proof::Right } else { Proof::Wrong }
}

/// GitLab's "routable tokens" (since 17.9): behind the last dot two base-36 digits for the length of the payload and
/// seven for the CRC-32 of all that stands before them.
fn gitlab_crc32(token: &[u8]) -> bool {
    let Some((body, given)) = token.split_last_chunk::<7>() else { return false };
    let mut rest = crc32(body);
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    given.iter().rev().all(|digit| {
        let value = rest % 36;
        rest /= 36;
        digits.get(value as usize) == Some(digit)
    }) && rest == 0
}

/// Bytes of a header that are read.
const HEADER: usize = 256;

/// Whether the part before the first dot is a JSON object that names an algorithm.
fn jwt_header(token: &[u8]) -> bool {
    let mut decoded = [0; HEADER];
    let header = base64::decode(token, &mut decoded);
    header.starts_with(b"{") && header.windows(5).any(|part| part == b"\"alg\"")
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

    #[test]
    fn a_routable_token_ends_in_the_checksum_of_all_before() {
        let body = b"glpat-bzox79Of-lPPuLFvPX8sPG86MQp1OjEKdTptCw.01.12";
        let mut rest = crc32(body);
        let mut digits = [0; 7];
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
        }
        let mut token = [body.as_slice(), &digits].concat();
        assert_eq!(prove(Checksum::GitlabCrc32, &token), Proof::Right);
        token[9] ^= 1;
        assert_eq!(prove(Checksum::GitlabCrc32, &token), Proof::Wrong);
        assert_eq!(prove(Checksum::GitlabCrc32, b"short"), Proof::Wrong);
    }

    #[test]
    fn a_web_token_names_its_algorithm() {
        // {"typ":"JWT","alg":"ES384"} and {"name":"x","size":3}
        assert_eq!(prove(Checksum::JwtHeader, b"eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzM4NCJ9.e30.x"), Proof::Right);
        assert_eq!(prove(Checksum::JwtHeader, b"eyJuYW1lIjoieCIsInNpemUiOjN9.eyJhIjoxfQ.x"), Proof::Foreign);
        assert_eq!(prove(Checksum::JwtHeader, b""), Proof::Foreign);
    }
}
