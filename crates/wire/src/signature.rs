//! Signatures as [Standard Webhooks 1.0](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)
//! describes them: HMAC-SHA256 over `id.timestamp.body`, in base64 behind `v1,`.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Header with the message's id.
pub const ID_HEADER: &str = "webhook-id";
/// Header with the moment of signing, Unix time in seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with one or more signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// How far a timestamp may lie from the reader's clock, in seconds: what Standard Webhooks' own libraries allow.
pub const TOLERANCE_SECONDS: u64 = 300;

/// The shortest key in bytes; the standard asks for 24 to 64.
const MIN_KEY_BYTES: usize = 24;
/// The longest key in bytes.
const MAX_KEY_BYTES: usize = 64;

/// A signing key. Written `whsec_` and base64; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidKey {
    /// Not base64 behind the optional `whsec_`.
    NotBase64,
    /// Not between 24 and 64 bytes.
    Length {
        /// How many bytes it has.
        bytes: usize,
    },
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 => f.write_str("a signing key is base64 behind whsec_"),
            Self::Length { bytes } => {
                write!(f, "a signing key has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes, this one {bytes}")
            }
        }
    }
}

impl core::error::Error for InvalidKey {}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// A header is missing or not of its form.
    Header {
        /// Which one.
        name: &'static str,
    },
    /// The timestamp is more than [`TOLERANCE_SECONDS`] away.
    Timestamp,
    /// No signature fits any of the keys.
    Signature,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name } => write!(f, "header {name} is missing or malformed"),
            Self::Timestamp => write!(f, "the timestamp is more than {TOLERANCE_SECONDS} seconds away"),
            Self::Signature => f.write_str("no signature fits"),
        }
    }
}

impl core::error::Error for Rejected {}

impl Key {
    /// Reads `whsec_<base64>`; the prefix may be left out.
    ///
    /// # Errors
    /// When the rest is not base64 or the key too short or too long.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidKey::NotBase64)?;
        if !(MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&bytes.len()) {
            return Err(InvalidKey::Length { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// HMAC-SHA256 of a message in parts.
    fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length; the Option only spares an unwrap.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac)
    }

    /// A key for another purpose, derived from this one: HMAC-SHA256 of the purpose's name.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(&[purpose.as_bytes()]).map_or([0; 32], |mac| mac.finalize().into_bytes().into())
    }

    /// The value of [`SIGNATURE_HEADER`] for one message.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let Some(mac) = self.mac(&[head.as_bytes(), body]) else { return String::new() };
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Accepts a message that was signed with one of `keys` at most [`TOLERANCE_SECONDS`] from `now` (Unix seconds).
///
/// # Errors
/// When a header is malformed, the timestamp too far away or no signature fits; signatures are compared in constant
/// time.
pub fn verify(
    keys: &[Key],
    now: u64,
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
) -> Result<(), Rejected> {
    if id.is_empty() || id.len() > 256 || id.contains('.') {
        return Err(Rejected::Header { name: ID_HEADER });
    }
    // Digits only: what is signed is the text, and "+5" or "05" would be another text for the same moment.
    let digits = timestamp.bytes().all(|b| b.is_ascii_digit()) && !timestamp.starts_with('0');
    let at: u64 =
        timestamp.parse().ok().filter(|_| digits).ok_or(Rejected::Header { name: TIMESTAMP_HEADER })?;
    if at.abs_diff(now) > TOLERANCE_SECONDS {
        return Err(Rejected::Timestamp);
    }
    let head = format!("{id}.{timestamp}.");
    // Signatures of other versions, such as v1a, may stand beside ours. A hostile header could carry thousands of
    // ours, each an HMAC over the body.
    let ours = signatures.split_ascii_whitespace().filter_map(|signature| signature.strip_prefix("v1,"));
    for encoded in ours.take(MAX_SIGNATURES) {
        let Ok(given) = STANDARD.decode(encoded) else { continue };
        for key in keys {
            let Some(mac) = key.mac(&[head.as_bytes(), body]) else { continue };
            if mac.verify_slice(&given).is_ok() {
                return Ok(());
            }
        }
    }
    Err(Rejected::Signature)
}

/// Signatures looked at in one header; a rotation needs two.
const MAX_SIGNATURES: usize = 4;
