//! What the SMTP server received.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// One message.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The file's name.
    pub name: String,
    /// As it came, with `X-Envelope-From` and `X-Envelope-To` before it.
    pub raw: String,
    /// The same with quoted-printable and base64 parts decoded, to search in.
    pub text: String,
}

impl Mail {
    fn new(name: String, raw: String) -> Self {
        let text = decoded(&raw);
        Self { name, raw, text }
    }

    /// The value of a header of the message, unfolded but otherwise as it came.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.raw.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// Whom the server was told to deliver it to.
    #[must_use]
    pub fn recipients(&self) -> Vec<&str> {
        self.raw
            .lines()
            .map_while(|line| line.strip_prefix("X-Envelope-").map(|line| line.split_once(": ")))
            .flatten()
            .filter(|(key, _)| *key == "To")
            .map(|(_, value)| value)
            .collect()
    }
}

/// The messages in a folder, oldest first.
///
/// # Errors
/// When they cannot be read.
pub fn mails(folder: &Path) -> Result<Vec<Mail>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".eml") {
            names.push(name);
        }
    }
    names.sort();
    let read = |name: String| {
        let bytes = fs::read(folder.join(&name))?;
        Ok(Mail::new(name, String::from_utf8_lossy(&bytes).into_owned()))
    };
    names.into_iter().map(read).collect()
}

/// The parts of a message after their transfer encoding, one after the other. A tool for tests: it takes what
/// alert-relay sends, not all MIME.
fn decoded(raw: &str) -> String {
    let mut text = String::new();
    let mut encoding = "";
    // A part's head and body are divided by an empty line, and parts by their boundary, which begins with `--`.
    for block in raw.split("\r\n\r\n") {
        text.push_str(&match encoding {
            "quoted-printable" => unquoted(block),
            "base64" => STANDARD
                .decode(block.split("\r\n--").next().unwrap_or_default().replace(['\r', '\n'], ""))
                .map_or_else(|_| block.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
            _ => block.to_owned(),
        });
        text.push('\n');
        let named = block.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-transfer-encoding").then(|| value.trim())
        });
        encoding = named.unwrap_or(if block.contains("\r\n--") { "" } else { encoding });
    }
    text
}

/// RFC 2045, 6.7.
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'=');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "X-Envelope-From: a@x.test\r\nX-Envelope-To: b@x.test\r\nX-Envelope-To: c@x.test\r\nSubject: An\r\n \
                       alert\r\nContent-Type: multipart/alternative; boundary=Q\r\n\r\n--Q\r\nContent-Transfer-Encoding: \
                       quoted-printable\r\n\r\nevent 0193=\r\n-ab=3Dc\r\n\r\nsecond =E2=82=AC\r\n--Q\r\nContent-Transfer-Encoding: \
                       base64\r\n\r\nPGI+aGk8L2I+\r\n--Q--\r\n";

    #[test]
    fn text_is_found_through_its_transfer_encoding() {
        let mail = Mail::new("1.eml".into(), RAW.into());
        for part in ["event 0193-ab=c", "second €", "<b>hi</b>"] {
            assert!(mail.text.contains(part), "{part} in {}", mail.text);
        }
    }

    #[test]
    fn headers_are_unfolded_and_recipients_listed() {
        let mail = Mail::new("1.eml".into(), RAW.into());
        assert_eq!(mail.header("subject").as_deref(), Some("An alert"));
        assert_eq!(mail.recipients(), ["b@x.test", "c@x.test"]);
    }
}
