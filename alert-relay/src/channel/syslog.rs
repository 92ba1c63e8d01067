//! Syslog: RFC 5424 messages over UDP (RFC 5426), TCP with octet counting (RFC 6587, 3.4.1) and TLS (RFC 5425).
//!
//! Syslog acknowledges nothing. What can be known is waited for: over TCP and TLS that the other side did not reset the
//! connection after our last byte, over UDP for a moment that nobody listens (ICMP).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UdpSocket,
};
use wire::Severity;

use super::{Channel, Delivering, Failure, Message, Receipt, cef, ocsf, tls::Dialer};
use crate::{
    clock::iso,
    config::{self, Carrier, Format},
};

/// Largest datagram: what RFC 5426, 3.2 has every receiver take on IPv6, and most on IPv4, is 1,180 and 2,048; a message
/// that would not fit is cut there.
const MAX_DATAGRAM_BYTES: usize = 8192;
/// How long a network may take to say that nobody listens.
const UNREACHABLE: Duration = Duration::from_millis(100);
/// How long a connection is kept open after the last byte, to hear of a reset.
const LINGER: Duration = Duration::from_secs(1);

/// Sends messages.
pub(super) struct Syslog {
    server: config::Syslog,
    dialer: Dialer,
}

impl Syslog {
    pub(super) fn new(server: &config::Syslog) -> Result<Self, String> {
        let dialer = Dialer::new(&server.host, server.port, server.tls.as_ref(), &[])?;
        Ok(Self { server: server.clone(), dialer })
    }

    async fn send(&self, line: &str) -> Result<Receipt, String> {
        let place = format!("{}:{}", self.server.host, self.server.port);
        if self.server.carrier == Carrier::Udp {
            let host = self.server.host.trim_start_matches('[').trim_end_matches(']');
            let addresses = tokio::net::lookup_host((host, self.server.port))
                .await
                .map_err(|e| format!("{place}: {e}"))?;
            let mut failed = format!("{place}: no address");
            for address in addresses {
                match datagram(address, whole_chars(line, MAX_DATAGRAM_BYTES)).await {
                    Ok(()) => return Ok(Receipt(format!("sent to {place} by UDP, which confirms nothing"))),
                    Err(e) => failed = format!("{place}: {e}"),
                }
            }
            return Err(failed);
        }
        let mut stream = self.dialer.dial(self.server.timeout).await?;
        let failed = |e: std::io::Error| format!("{place}: {e}");
        stream.write_all(framed(line).as_bytes()).await.map_err(failed)?;
        stream.flush().await.map_err(failed)?;
        stream.shutdown().await.map_err(failed)?;
        let mut rest = [0; 256];
        let ended = async {
            // Whatever it says is not for us.
            while stream.read(&mut rest).await? > 0 {}
            Ok::<(), std::io::Error>(())
        };
        match tokio::time::timeout(LINGER, ended).await {
            Ok(Err(e)) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(failed(e)),
            _ => Ok(Receipt(format!("handed to {place}"))),
        }
    }
}

impl Channel for Syslog {
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a> {
        Box::pin(async move {
            let line = line(&self.server, &message);
            match tokio::time::timeout(self.server.timeout, self.send(&line)).await {
                Ok(result) => result.map_err(Failure::temporary),
                Err(_) => Err(Failure::temporary(format!("not sent within {:?}", self.server.timeout))),
            }
        })
    }

    fn patience(&self) -> Duration {
        self.server.timeout
    }
}

/// Sends one datagram. That nobody takes it is heard of where the machine there says so at once.
async fn datagram(address: SocketAddr, text: &str) -> std::io::Result<()> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    socket.send(text.as_bytes()).await?;
    match tokio::time::timeout(UNREACHABLE, socket.recv(&mut [0])).await {
        Ok(Err(e)) => Err(e),
        _ => Ok(()),
    }
}

/// Octet counting: a line end within is no end.
fn framed(line: &str) -> String {
    format!("{} {line}", line.len())
}

/// The longest beginning of at most so many bytes.
fn whole_chars(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Severities of RFC 5424, 6.2.1.
const fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 6,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    }
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`. The structured data are the registered
/// `origin` of RFC 5424, 7.2. MSG begins with no byte order mark (collectors look for `CEF:` and `{` there), so that it
/// is MSG-ANY; of OCSF it is ASCII besides.
fn line(server: &config::Syslog, message: &Message<'_>) -> String {
    let letter = message.letter;
    let priority = u16::from(server.facility) * 8 + u16::from(level(letter.severity));
    let text = match server.format {
        Format::Cef => cef::line(message),
        Format::Ocsf | Format::Json => ascii(&ocsf::finding(message).to_string()),
    };
    format!(
        "<{priority}>1 {} {} alert-relay {} {} [origin software=\"modelgate-alert-relay\" swVersion=\"{}\"] {text}",
        iso(message.created_ms),
        printable(&server.hostname, 255),
        std::process::id(),
        printable(letter.report.kind.as_str(), 32),
        env!("CARGO_PKG_VERSION"),
    )
}

/// PRINTUSASCII of at most so many characters, or the NILVALUE.
fn printable(text: &str, max: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(max).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// JSON with everything beyond ASCII as `\u`.
fn ascii(json: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_octets_and_not_characters() {
        assert_eq!(framed("aé\n"), "4 aé\n");
        assert_eq!(whole_chars("aé", 2), "a");
        assert_eq!(whole_chars("aé", 3), "aé");
    }

    #[test]
    fn json_in_ascii_is_the_same_json() {
        let value = serde_json::json!({"ä": "\u{1f600} \"\\\n\u{7f}"});
        let text = ascii(&value.to_string());
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
