//! The model behind the guards when it is not the stand-in.

use std::{fmt, str::FromStr};

use anyhow::{Error, Result, bail};

/// The base address of a model API: `http://127.0.0.1:11434`, `https://api.example.com/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address.
    pub host: String,
    /// 443 and 80 unless given.
    pub port: u16,
    /// What stands before `/v1`, without a slash at the end; mostly empty.
    pub prefix: String,
}

impl FromStr for Upstream {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => bail!("--upstream {text}: an address begins with http:// or https://"),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let default = if tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let Ok(port) = port.parse() else { bail!("--upstream {text}: {port} is no port") };
                (host, port)
            }
            _ => (authority, default),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(plain) {
            bail!("--upstream {text}: {authority:?} is no host");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '/');
        if !path.chars().all(plain) {
            bail!("--upstream {text}: the path may have letters, digits and . - _ ~ / only");
        }
        // The clients write /v1 themselves; SDKs are given addresses with and without it.
        let path = path.trim_end_matches('/');
        let prefix = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        Ok(Self { tls, host: host.to_owned(), port, prefix })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl Upstream {
    /// The host, and the port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_their_defaults() {
        let read = |text: &str| text.parse::<Upstream>().unwrap();
        let expected =
            Upstream { tls: true, host: "api.example.com".into(), port: 443, prefix: String::new() };
        assert_eq!(read("https://api.example.com/v1/"), expected);
        let expected = Upstream { tls: false, host: "127.0.0.1".into(), port: 11434, prefix: String::new() };
        assert_eq!(read("http://127.0.0.1:11434"), expected);
        assert_eq!(read("https://a.example/api/v1").to_string(), "https://a.example/api");
        assert_eq!(read("http://[::1]:9000").authority(), "[::1]:9000");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "api.example.com",
            "ftp://x",
            "http://",
            "http://a b",
            "http://a:x",
            "http://a/p?q",
            "http://a/\"b",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }
}
