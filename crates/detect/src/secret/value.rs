//! What looks random, and what only stands for it.

use crate::base64;

/// Shorter values are no credential.
pub(super) const SHORTEST: usize = 6;
/// Longer ones are data.
pub(super) const LONGEST: usize = 512;

/// Whether a byte belongs to a value.
pub(super) const fn is_part(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'\''
                | b'`'
                | b'<'
                | b'>'
                | b','
                | b';'
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
                | b'='
                | b':'
                | b'\\'
        )
}

/// Where a value begins behind a sign, and whether in quotation marks.
pub(super) fn start(bytes: &[u8], sign: usize) -> Option<(usize, bool)> {
    let rest = bytes.get(sign + 1..)?;
    // ::, ==, =>, :=, `: "`, `: |` and a line break, as in YAML; an escaped quotation mark.
    let skipped = rest
        .iter()
        .take(8)
        .take_while(|byte| {
            matches!(byte, b':' | b'=' | b'>' | b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b'{')
        })
        .count();
    let quoted = rest.get(..skipped)?.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    (skipped < 8).then_some((sign + 1 + skipped, quoted))
}

/// Where it ends: with up to three equals signs if they are the padding of base 64, and with a colon or
/// bar between two parts.
pub(super) fn end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = rest.iter().take(LONGEST).take_while(|byte| is_part(**byte)).count();
    let padding = rest.iter().skip(length).take(3).take_while(|byte| **byte == b'=').count();
    let closes = rest.get(length + padding).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    start + length + if length > 3 && closes { padding } else { 0 }
}

/// Where the credential begins behind the name of an authorisation scheme (RFC 9110, 11.4).
pub(super) fn scheme(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let word = bytes.get(start..end)?;
    let known = [
        "bearer",
        "basic",
        "token",
        "apikey",
        "api-key",
        "key",
        "bot",
        "jwt",
        "splunk",
        "sso-key",
        "genie",
        "genieKey",
        "discogs",
        "klaviyo-api-key",
    ];
    let is_known = known.iter().any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()));
    (is_known && bytes.get(end) == Some(&b' ') && bytes.get(end + 1).is_some_and(|byte| is_part(*byte)))
        .then_some(end + 1)
}

/// The alphabets of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    Hex,
    /// Letters and digits.
    Alnum,
    /// With `_` and `-`.
    Url,
    /// With `+`, `/`, `.`, `|`, `~` and `=` as well.
    Any,
    /// 8-4-4-4-12.
    Uuid,
}

/// A value, and what is known of its characters.
pub(super) struct Value<'a> {
    pub(super) bytes: &'a [u8],
    quoted: bool,
    digits: usize,
    lower: usize,
    upper: usize,
    signs: usize,
    /// Changes between digits and letters, and from small to capital letters.
    changes: usize,
    distinct: usize,
}

impl<'a> Value<'a> {
    pub(super) fn of(bytes: &'a [u8], quoted: bool) -> Self {
        let mut value =
            Self { bytes, quoted, digits: 0, lower: 0, upper: 0, signs: 0, changes: 0, distinct: 0 };
        let mut seen = [0u64; 4];
        let mut last = b' ';
        for byte in bytes {
            if let Some(word) = seen.get_mut(usize::from(byte / 64)) {
                value.distinct += usize::from(*word >> (byte % 64) & 1 == 0);
                *word |= 1 << (byte % 64);
            }
            let kind = match byte {
                b'0'..=b'9' => {
                    value.digits += 1;
                    b'9'
                }
                b'a'..=b'z' => {
                    value.lower += 1;
                    b'a'
                }
                b'A'..=b'Z' => {
                    value.upper += 1;
                    b'A'
                }
                _ => {
                    value.signs += 1;
                    continue;
                }
            };
            // A capital that begins a word is one change, not two.
            let changes = last != b' ' && kind != last && !(last == b'A' && kind == b'a');
            value.changes += usize::from(changes);
            last = kind;
        }
        value
    }

    pub(super) fn is_of(&self, alphabet: Alphabet) -> bool {
        let all = |allowed: fn(&u8) -> bool| self.bytes.iter().all(allowed);
        match alphabet {
            Alphabet::Hex => all(u8::is_ascii_hexdigit),
            Alphabet::Alnum => all(u8::is_ascii_alphanumeric),
            Alphabet::Url => all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
            Alphabet::Any => all(|byte| byte.is_ascii_alphanumeric() || b"_-+/.|~=$".contains(byte)),
            Alphabet::Uuid => self.is_uuid(),
        }
    }

    fn is_uuid(&self) -> bool {
        self.bytes.len() == 36
            && self.bytes.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    }

    /// Whether its characters look drawn by lot. Words, dates, versions and paths do not: their digits
    /// stand together and their capitals begin words.
    pub(super) fn is_random(&self) -> bool {
        let length = self.bytes.len();
        let letters = self.lower + self.upper;
        let plain =
            self.bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-+/.|~=!@#$%^&*".contains(byte));
        if !plain || length < 14 || letters < 2 || self.digits < 2 || self.distinct < 8 {
            return false;
        }
        let path = self.bytes.starts_with(b"/")
            || self.bytes.starts_with(b".")
            || self.bytes.windows(2).any(|two| matches!(two, b"//" | b"./" | b".."));
        let dots = self.bytes.iter().filter(|byte| **byte == b'.').count();
        let signs = self.signs <= length / 6 + 2;
        !path
            && signs
            && (dots < 2 || length > 60)
            && self.digits * 14 >= length
            && self.changes * 5 >= length - self.signs
    }

    /// The same for a name that says little.
    pub(super) fn is_very_random(&self) -> bool {
        let length = self.bytes.len();
        self.is_random()
            && length >= 24
            && self.signs * 12 <= length
            && self.digits * 10 >= length
            && self.distinct >= 11
            && !self.is_uuid()
    }

    /// Whether it may be a password: of two kinds of characters at least, and no reference to one.
    pub(super) fn is_password(&self) -> bool {
        let length = self.bytes.len();
        if !(SHORTEST..=128).contains(&length) || self.distinct < 5 {
            return false;
        }
        let refers = self.bytes.starts_with(b"$")
            || self.bytes.starts_with(b"%")
            || self.bytes.starts_with(b"@")
            || self.bytes.starts_with(b"#")
            || self.bytes.starts_with(b"/")
            || self.bytes.starts_with(b"&")
            || self.bytes.starts_with(b"-")
            || self.bytes.ends_with(b"...")
            || self.bytes.contains(&b'|') && self.signs > 2;
        // user.password, os.environ, request-body: words joined by signs.
        let joins = self.bytes.iter().filter(|byte| matches!(byte, b'.' | b'_' | b'-' | b'/')).count();
        let joined = self.digits == 0 && self.signs == joins;
        let letters = self.lower + self.upper;
        let mixed = self.digits > 0 && letters > 0
            || self.signs > 0 && letters > 1
            || self.quoted && self.changes >= 3;
        let codelike =
            self.bytes.windows(2).any(|two| matches!(two, b"->" | b"()" | b"&&" | b"||" | b"**" | b"\\n"));
        !refers && !joined && !codelike && mixed && self.signs * 2 <= length
    }

    /// Whether it may be a password in base 64, as Kubernetes keeps them.
    pub(super) fn is_base64(&self) -> bool {
        let ends = self.bytes.len().is_multiple_of(4);
        let padded = self.bytes.ends_with(b"=");
        self.bytes.len() >= 8
            && ends
            && (padded || self.changes >= 3)
            && self
                .bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
    }
}

/// Whether a value is something else than a credential, whatever its name: the address of an account on a chain
/// (EIP-55), a file with its path, a certificate or public key in base64.
pub(super) fn is_foreign(bytes: &[u8]) -> bool {
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let address = bytes.len() == 42 && bytes.strip_prefix(b"0x").is_some_and(is_hex);
    let ending = bytes.iter().rev().take(5).position(|byte| *byte == b'.').unwrap_or(0);
    let file = ending >= 2
        && bytes.contains(&b'/')
        && bytes.get(bytes.len() - ending..).is_some_and(|end| end.iter().all(u8::is_ascii_lowercase));
    // "-----BEGIN C…" and "-----BEGIN PUBLIC".
    let open = bytes.starts_with(b"LS0tLS1CRUdJTiBD") || bytes.starts_with(b"LS0tLS1CRUdJTiBQVUJ");
    address || file || open
}

/// What stands for a credential in documentation and templates, in small letters and sorted.
pub(super) const STAND_INS: &[&str] = &[
    "****",
    "-here",
    "....",
    ".com",
    ".html",
    ".jpg",
    ".js",
    ".png",
    "0000000",
    "1111111",
    "1234-1234",
    "1234567",
    "123abc",
    "7654321",
    "9876543",
    "_here",
    "_pass",
    "abc123",
    "abcdef1",
    "abcdefg",
    "admin123",
    "api-key",
    "api_key",
    "apikey",
    "arn",
    "asdf",
    "change-me",
    "change_it",
    "change_me",
    "changeit",
    "changeme",
    "config",
    "const",
    "deadbeef",
    "demo",
    "dummy",
    "eby8vdm02xno",
    "encrypted",
    "env.",
    "environ",
    "example",
    "fake",
    "fixme",
    "foo_",
    "foobar",
    "generated",
    "getenv",
    "goes",
    "hidden",
    "http",
    "hunter2",
    "insert",
    "letmein",
    "localhost",
    "lorem",
    "md5",
    "mock",
    "my-",
    "my_",
    "mykey",
    "mypass",
    "mypassword",
    "mytoken",
    "newpass",
    "none",
    "null",
    "oldpass",
    "p4ssw0rd",
    "p@ssw0rd",
    "p@ssword",
    "pa$$w0rd",
    "pa$$word",
    "pass123",
    "pass_",
    "passw0rd",
    "passwd",
    "password",
    "placeholder",
    "process.env",
    "qwerty",
    "redacted",
    "replace",
    "required",
    "root123",
    "sample",
    "secret",
    "sha1-",
    "sha256",
    "sha512",
    "snapshot",
    "somepass",
    "string",
    "test",
    "todo",
    "token",
    "undefined",
    "user123",
    "username",
    "uuid",
    "vault",
    "www.",
    "xxxx",
    "your",
];

/// The pairs of bytes that they begin with, hashed to a bit each.
const STAND_IN_STARTS: [u64; 64] = {
    let (mut starts, mut rest) = ([0; 64], STAND_INS);
    while let [word, others @ ..] = rest {
        if let [first, second, ..] = word.as_bytes() {
            let (place, bit) = start_of(*first, *second);
            let (_, from) = starts.split_at_mut(place);
            if let [word, ..] = from {
                *word |= 1 << bit;
            }
        }
        rest = others;
    }
    starts
};

/// The place and the bit of two bytes, the case of letters aside.
const fn start_of(first: u8, second: u8) -> (usize, u32) {
    let (first, second) = ((first | 0x20) as u32, (second | 0x20) as u32);
    let hash = (first * 41 + second) * 0x9e5;
    ((hash >> 6 & 63) as usize, hash & 63)
}

/// Whether a value stands for another, or counts up.
pub(super) fn is_placeholder(bytes: &[u8]) -> bool {
    // A short word turns up in a long value by chance.
    let least = if bytes.len() <= 48 { 0 } else { 6 };
    let stands_in = bytes.array_windows().enumerate().any(|(at, [first, second])| {
        let (place, bit) = start_of(*first, *second);
        if STAND_IN_STARTS.get(place).is_none_or(|word| word >> bit & 1 == 0) {
            return false;
        }
        let head = first.to_ascii_lowercase();
        let rest = bytes.get(at..).unwrap_or_default();
        let from = STAND_INS.partition_point(|word| word.as_bytes().first() < Some(&head));
        let mut candidates =
            STAND_INS.iter().skip(from).take_while(|word| word.as_bytes().first() == Some(&head));
        candidates.any(|word| {
            word.len() >= least
                && rest.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
        })
    });
    // The header of a JSON Web Token without the rest.
    let header = bytes.starts_with(b"eyJ") && bytes.len() < 40;
    let next = |a: u8, b: u8| a.is_ascii_alphanumeric() && (b == a.wrapping_add(1) || a == b);
    let most = run_of(bytes, next);
    header || stands_in || most >= 6 && bytes.len() < 24 || most >= 9
}

/// The longest run of bytes that each follow from the one before.
fn run_of(bytes: &[u8], follows: fn(u8, u8) -> bool) -> usize {
    let (mut most, mut run) = (1, 1);
    for pair in bytes.windows(2) {
        run = if matches!(pair, [a, b] if follows(*a, *b)) { run + 1 } else { 1 };
        most = most.max(run);
    }
    most
}

/// Whether it is `user:password` in base 64 (RFC 7617), and the password no stand-in.
pub(super) fn is_basic(bytes: &[u8]) -> bool {
    let mut decoded = [0u8; 96];
    let decoded = base64::decode(bytes, &mut decoded);
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else { return false };
    let password = decoded.get(colon + 1..).unwrap_or_default();
    let user = decoded.get(..colon).unwrap_or_default();
    decoded.iter().all(|byte| matches!(byte, 0x20..=0x7e))
        && (password.len() >= 4 || user.len() >= 12)
        && !is_placeholder(password)
        && !matches!(password, b"pass" | b"password" | b"open sesame")
}
