//! The private keys: read from PEM, never shown; and the public part as DNS has it.

use std::{io::Read as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    digest,
    rand::SystemRandom,
    rsa,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

/// Largest key file in bytes; an RSA key of 8192 bits takes 6.5 KB.
const MAX_FILE: u64 = 64 * 1024;
/// Largest RSA modulus in bytes: verifiers need not take more than 2048 bits (RFC 8301, 3.2), most take 4096, and
/// a record of more hardly fits into DNS.
const MAX_MODULUS: usize = 512;
/// The object identifier rsaEncryption with its NULL (RFC 8017, A.1), as `AlgorithmIdentifier` in DER.
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A private key of one of the two kinds.
pub(super) enum Key {
    Rsa(Box<rsa::KeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// Reads a file of PEM, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// What is wrong with it, without anything of its content.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let cannot = |e: std::io::Error| format!("cannot read {shown}: {e}");
        let mut pem = Vec::new();
        let file = std::fs::File::open(path).map_err(cannot)?;
        file.take(MAX_FILE + 1).read_to_end(&mut pem).map_err(cannot)?;
        if pem.len() as u64 > MAX_FILE {
            return Err(format!("{shown} is larger than {MAX_FILE} bytes, so it is no key"));
        }
        Self::parse(&pem).map_err(|says| format!("{shown} {says}"))
    }

    /// From PEM.
    pub(super) fn parse(pem: &[u8]) -> Result<Self, String> {
        let has = |word: &[u8]| pem.windows(word.len()).any(|window| window == word);
        if pem.trim_ascii().is_empty() {
            return Err("is empty".to_owned());
        }
        if has(b"ENCRYPTED") {
            return Err(
                "is encrypted, and nobody is there to type the password; decrypt it (openssl pkey -in …) \
                        and let only the relay read the file"
                    .to_owned(),
            );
        }
        match PrivateKeyDer::from_pem_slice(pem) {
            Ok(PrivateKeyDer::Pkcs1(der)) => Self::rsa(rsa::KeyPair::from_der(der.secret_pkcs1_der())),
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                let der = der.secret_pkcs8_der();
                // The public key is left out by most tools, and worked out here.
                match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Ok(key) => Ok(Self::Ed25519(key)),
                    Err(_) => Self::rsa(rsa::KeyPair::from_pkcs8(der)),
                }
            }
            Ok(_) => {
                Err("is a key for elliptic curves other than Ed25519; DKIM knows RSA and Ed25519".to_owned())
            }
            Err(_) if has(b"PUBLIC KEY") || has(b"CERTIFICATE") => {
                Err("is a public key or a certificate; the private key is needed".to_owned())
            }
            Err(_) => Err("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)".to_owned()),
        }
    }

    fn rsa(key: Result<rsa::KeyPair, ring::error::KeyRejected>) -> Result<Self, String> {
        // The library's word for moduli below 2048 bits.
        let key = key.map_err(|e| match e.to_string().as_str() {
            "TooSmall" => "is an RSA key of less than 2048 bits, which is not enough (RFC 8301)".to_owned(),
            word => format!("is neither an RSA nor an Ed25519 key that can be used ({word})"),
        })?;
        if key.public().modulus_len() > MAX_MODULUS {
            return Err("is an RSA key of more than 4096 bits, which many receivers do not check".to_owned());
        }
        Ok(Self::Rsa(Box::new(key)))
    }

    /// The tag `a=`.
    pub(super) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// The signature in base64. Ed25519 signs the hash (RFC 8463, 3).
    pub(super) fn sign(&self, data: &[u8]) -> Result<String, String> {
        match self {
            Self::Rsa(key) => {
                let mut out = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut out)
                    .map_err(|_| "the RSA key does not sign".to_owned())?;
                Ok(STANDARD.encode(out))
            }
            Self::Ed25519(key) => {
                let hash = digest::digest(&digest::SHA256, data);
                Ok(STANDARD.encode(key.sign(hash.as_ref())))
            }
        }
    }

    /// The content of the TXT record.
    pub(super) fn record(&self) -> String {
        match self {
            Self::Rsa(key) => {
                let mut bits = vec![0];
                bits.extend(key.public().as_ref());
                let content = [RSA_ENCRYPTION.to_vec(), der(0x03, &bits)].concat();
                format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(der(0x30, &content)))
            }
            Self::Ed25519(key) => {
                format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(key.public_key().as_ref()))
            }
        }
    }
}

/// A value of DER with its tag and length (X.690, 8.1.3).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length = length.get(length.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
    match length {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // At most the eight bytes of a length.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend(long);
        }
    }
    out.extend(content);
    out
}
