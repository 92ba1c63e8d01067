//! Signing what goes out (DKIM, RFC 6376) with RSA-SHA256 and Ed25519-SHA256 (RFC 8463).
//!
//! The message is signed as it goes to the mail server, after its parts were encoded. Headers that a reader sees or that
//! machines act on are named once more than they are there, so that nobody on the way can add another one (RFC 6376,
//! 8.15). `Received`, `Return-Path` and `Sender` belong to those on the way and are not signed. There is no `l=`: what
//! comes after the body would be anybody's.

mod canonical;
mod key;

use std::{fmt, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use self::{
    canonical::{Field, split},
    key::Key,
};

/// Signed, and named once more than they are there.
const SEALED: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Cc",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
];
/// Signed as often as they are there.
const SIGNED: [&str; 4] =
    ["Auto-Submitted", "X-Auto-Response-Suppress", "X-Modelgate-Severity", "X-Modelgate-Incident"];
/// Characters of base64 on one line of the header.
const FOLD: usize = 72;
/// Longest string of a TXT record in bytes (RFC 1035, 3.3).
const MAX_TXT: usize = 255;

/// One key under one name.
pub(crate) struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} at {})", self.key.algorithm(), self.name())
    }
}

impl Signer {
    /// With the key of a file.
    ///
    /// # Errors
    /// What is wrong with one of the three.
    pub(crate) fn new(domain: &str, selector: &str, key_file: &Path) -> Result<Self, String> {
        for (key, value) in [("domain", domain), ("selector", selector)] {
            if !is_name(value) {
                return Err(format!("{key}: {value:?} is no name of DNS"));
            }
        }
        let key = Key::read(key_file).map_err(|e| format!("key_file: {e}"))?;
        Ok(Self { domain: domain.to_ascii_lowercase(), selector: selector.to_ascii_lowercase(), key })
    }

    /// Whose signature it is.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// Where in DNS the public key is.
    pub(crate) fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The line of a zone file that publishes the public key, in strings that DNS takes.
    pub(crate) fn record(&self) -> String {
        let content = self.key.record();
        // Base64 and our own words: every byte is a character.
        let strings: Vec<String> = content
            .as_bytes()
            .chunks(MAX_TXT)
            .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
            .collect();
        format!("{}. 3600 IN TXT ( {} )", self.name(), strings.join(" "))
    }

    /// The header that goes before a message which was signed then (Unix seconds).
    fn header(&self, message: &[u8], at_s: u64) -> Result<String, String> {
        let (fields, body) = split(message);
        let names = names(&fields);
        let hash = digest::digest(&digest::SHA256, &canonical::body(body));
        let mut value = format!(
            " v=1; a={}; c=relaxed/relaxed;\r\n\td={};\r\n\ts={}; t={at_s};\r\n\th={};\r\n\tbh={};\r\n\tb=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            folded(&names),
            STANDARD.encode(hash)
        );
        let signature = self.key.sign(&to_sign(&fields, &names, value.as_bytes()))?;
        for (at, part) in signature.as_bytes().chunks(FOLD).enumerate() {
            if at > 0 {
                value.push_str("\r\n\t ");
            }
            value.push_str(&String::from_utf8_lossy(part));
        }
        Ok(format!("DKIM-Signature:{value}\r\n"))
    }
}

/// The message with a signature of each key before it; none depends on another.
///
/// # Errors
/// When a key does not sign.
pub(super) fn sign(signers: &[Signer], message: Vec<u8>, at_s: u64) -> Result<Vec<u8>, String> {
    if signers.is_empty() {
        return Ok(message);
    }
    let mut signed = Vec::with_capacity(message.len() + signers.len() * 1024);
    for signer in signers {
        signed.extend(signer.header(&message, at_s).map_err(|e| format!("mail.dkim: {e}"))?.into_bytes());
    }
    signed.extend(message);
    Ok(signed)
}

/// Labels of letters, digits, `-` and `_` with dots between them (RFC 1035, 2.3.4; RFC 6376, 3.1).
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 190 && text.split('.').all(is_label)
}

/// What `h=` names, for these fields.
fn names(fields: &[Field<'_>]) -> Vec<&'static str> {
    let count = |name: &str| fields.iter().filter(|field| is(field, name)).count();
    let sealed = SEALED.iter().flat_map(|name| std::iter::repeat_n(*name, count(name) + 1));
    let signed = SIGNED.iter().flat_map(|name| std::iter::repeat_n(*name, count(name)));
    sealed.chain(signed).collect()
}

fn is(field: &Field<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name.as_bytes())
}

/// Names with colons between them, on lines of reasonable length.
fn folded(names: &[&str]) -> String {
    let (mut out, mut width) = (String::new(), 2);
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(':');
            width += 1;
        }
        if width + name.len() > FOLD {
            out.push_str("\r\n\t ");
            width = 0;
        }
        out.push_str(name);
        width += name.len();
    }
    out
}

/// What is hashed (RFC 6376, 3.7): of several fields of a name the last first, of those that are not there nothing, and
/// at the end the signature's own header without its signature.
fn to_sign(fields: &[Field<'_>], names: &[&str], own: &[u8]) -> Vec<u8> {
    let (mut out, mut taken) = (Vec::new(), vec![false; fields.len()]);
    for name in names {
        let last = fields.iter().zip(&mut taken).rev().find(|(field, taken)| !**taken && is(field, name));
        if let Some((field, taken)) = last {
            *taken = true;
            out.extend(canonical::header(field.name, field.value));
        }
    }
    let own = canonical::header(b"DKIM-Signature", own);
    out.extend(own.strip_suffix(b"\r\n").unwrap_or(&own));
    out
}

#[cfg(test)]
mod tests;
