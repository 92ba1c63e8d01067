//! What a receiver has beside mail addresses: where its messages go, and how.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use wire::signature::Key;

use super::{Channel, Secret, check::Check, duration::Written};

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// Longest time one delivery may take, unless set.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest name of a target in bytes.
const MAX_LABEL: usize = 200;
/// "Log audit" of RFC 5424, 6.2.1.
const FACILITY: u8 = 13;

/// One target of a channel other than mail.
#[derive(Clone, Debug)]
pub struct Way {
    /// The channel.
    pub channel: Channel,
    /// What the outbox calls it; no other target of the channel is called so.
    pub label: String,
    /// Where and how.
    pub settings: Settings,
}

/// Where and how, by channel.
#[derive(Clone, Debug)]
pub enum Settings {
    /// A Standard Webhook.
    Webhook {
        /// Where.
        endpoint: Endpoint,
        /// What messages are signed with.
        key: Key,
    },
    /// A Slack-compatible incoming webhook.
    Slack(Endpoint),
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// Where.
        endpoint: Endpoint,
        /// The integration's key.
        routing_key: Secret,
    },
    /// A syslog collector.
    Syslog(Syslog),
    /// An OpenTelemetry collector.
    Otlp(Endpoint),
    /// A file.
    File {
        /// Appended to.
        path: PathBuf,
        /// The form of its lines.
        format: Format,
    },
}

/// Whom to trust on the other side, and as whom to show oneself.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A certificate authority beside the public ones, PEM.
    pub ca: Option<Vec<u8>>,
    /// Certificate chain and key, PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
}

/// An address to post to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query: with Slack and others who knows it may post.
    pub path: Secret,
    /// HTTPS; none is HTTP.
    pub tls: Option<Trust>,
    /// The value of the `Authorization` header.
    pub authorization: Option<Secret>,
    /// Longest time one delivery may take.
    pub timeout: Duration,
}

/// How syslog travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// RFC 5426.
    Udp,
    /// RFC 6587, octet counting.
    Tcp,
    /// RFC 5425.
    Tls,
}

/// A syslog collector.
#[derive(Clone, Debug)]
pub struct Syslog {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How it travels.
    pub carrier: Carrier,
    /// For TLS.
    pub tls: Option<Trust>,
    /// What the message is written in.
    pub format: Format,
    /// 0 to 23.
    pub facility: u8,
    /// This machine's name.
    pub hostname: String,
    /// Longest time one delivery may take.
    pub timeout: Duration,
}

/// What a message is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// ArcSight's Common Event Format.
    Cef,
    /// An OCSF Detection Finding as JSON.
    Ocsf,
    /// The relay's own JSON.
    Json,
}

/// Raw: `[[receivers.webhook]]`, `slack`, `pagerduty` and `otlp`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttp {
    name: Option<String>,
    url: Option<String>,
    url_file: Option<String>,
    key: Option<String>,
    key_file: Option<String>,
    routing_key: Option<String>,
    routing_key_file: Option<String>,
    authorization: Option<String>,
    authorization_file: Option<String>,
    ca_file: Option<String>,
    allow_plaintext: Option<bool>,
    timeout: Option<Written>,
}

/// Raw: `[[receivers.syslog]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSyslog {
    name: Option<String>,
    server: String,
    format: Option<Format>,
    facility: Option<u8>,
    hostname: Option<String>,
    ca_file: Option<String>,
    certificate_file: Option<String>,
    key_file: Option<String>,
    allow_plaintext: Option<bool>,
    timeout: Option<Written>,
}

/// Raw: `[[receivers.file]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    name: Option<String>,
    path: String,
    format: Option<Format>,
}

/// All lists of a receiver.
#[derive(Default)]
pub(super) struct RawWays<'a> {
    pub(super) webhook: &'a [RawHttp],
    pub(super) slack: &'a [RawHttp],
    pub(super) pagerduty: &'a [RawHttp],
    pub(super) syslog: &'a [RawSyslog],
    pub(super) otlp: &'a [RawHttp],
    pub(super) file: &'a [RawFile],
}

/// Scheme, host, port if given, and the rest from the first `/`.
struct Split<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

/// No user, no fragment; nothing but graphic ASCII.
fn split(url: &str) -> Option<Split<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at)?;
    let bare = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match authority.get(bare..)?.rfind(':') {
        Some(colon) => {
            let (host, port) = authority.split_at_checked(bare + colon)?;
            (host, Some(port.strip_prefix(':')?.parse().ok().filter(|port| *port > 0)?))
        }
        None => (authority, None),
    };
    let host_is_plain = !host.is_empty()
        && match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
            None => host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
        };
    let path_is_plain = path.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c));
    (host_is_plain && path_is_plain).then_some(Split { scheme, host, port, path })
}

/// Whether what goes to this host stays on the machine.
pub(super) fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Check<'_> {
    /// Every target of a receiver. `place` is what errors begin with.
    pub(super) fn ways(&mut self, place: &str, raw: &RawWays<'_>) -> Vec<Way> {
        let mut ways = Vec::new();
        let http = [
            (Channel::Webhook, raw.webhook),
            (Channel::Slack, raw.slack),
            (Channel::PagerDuty, raw.pagerduty),
            (Channel::Otlp, raw.otlp),
        ];
        for (channel, list) in http {
            for (at, raw) in list.iter().enumerate() {
                let place = format!("{place}.{}[{at}]", channel.as_str());
                ways.extend(self.http(&place, channel, raw));
            }
        }
        for (at, raw) in raw.syslog.iter().enumerate() {
            ways.extend(self.syslog(&format!("{place}.syslog[{at}]"), raw));
        }
        for (at, raw) in raw.file.iter().enumerate() {
            let path = self.source.beside_file(&raw.path);
            let label = self.label(&format!("{place}.file[{at}]"), raw.name.as_deref(), raw.path.clone());
            let format = raw.format.unwrap_or(Format::Json);
            ways.push(Way { channel: Channel::File, label, settings: Settings::File { path, format } });
        }
        ways
    }

    /// No two targets of a channel may have one name: by it the outbox finds them again.
    pub(super) fn labels_differ(&mut self, ways: &[&Way]) {
        for (at, way) in ways.iter().enumerate() {
            let taken = |other: &&&Way| other.channel == way.channel && other.label == way.label;
            if ways.iter().take(at).any(|other| taken(&other)) {
                self.errors.push(format!(
                    "receivers: two {} targets are called {:?}; give one a name of its own",
                    way.channel.as_str(),
                    way.label
                ));
            }
        }
    }

    fn label(&mut self, place: &str, name: Option<&str>, otherwise: String) -> String {
        let label = name.map_or(otherwise, str::to_owned);
        if label.is_empty() || label.len() > MAX_LABEL || label.chars().any(char::is_control) {
            self.errors.push(format!("{place}.name: 1 to {MAX_LABEL} bytes without control characters"));
        }
        label
    }

    fn http(&mut self, place: &str, channel: Channel, raw: &RawHttp) -> Option<Way> {
        let default = (channel == Channel::PagerDuty && raw.url_file.is_none()).then(|| PAGERDUTY.to_owned());
        let url = self.optional(place, "url", raw.url.clone().or(default), raw.url_file.as_deref());
        let key = self.optional(place, "key", raw.key.clone(), raw.key_file.as_deref());
        let routing = (raw.routing_key.clone(), raw.routing_key_file.as_deref());
        let routing_key = self.optional(place, "routing_key", routing.0, routing.1);
        let given = (raw.authorization.clone(), raw.authorization_file.as_deref());
        let authorization = self.optional(place, "authorization", given.0, given.1);
        let needed = [
            ("key", key.is_some(), channel == Channel::Webhook),
            ("routing_key", routing_key.is_some(), channel == Channel::PagerDuty),
        ];
        for (setting, given, wanted) in needed {
            if given != wanted {
                let word = if wanted { "is needed" } else { "is not for this channel" };
                self.errors.push(format!("{place}.{setting}: {word}"));
            }
        }
        let Some(url) = url else {
            self.errors.push(format!("{place}.url: is needed"));
            return None;
        };
        let timeout = self.timeout(place, raw.timeout);
        let trust = Trust { ca: self.pem(place, "ca_file", raw.ca_file.as_deref()), identity: None };
        let plaintext = raw.allow_plaintext.unwrap_or(false);
        let mut endpoint = self.endpoint(place, &url, trust, plaintext)?;
        (endpoint.authorization, endpoint.timeout) = (authorization, timeout);
        // The address may be a secret; a piece of its hash tells two of them apart.
        let hash = Sha256::digest(url.expose().as_bytes());
        let mark: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let label = self.label(place, raw.name.as_deref(), format!("{}#{mark}", endpoint.host));
        let settings = match (channel, key, routing_key) {
            (Channel::Webhook, Some(key), _) => match Key::parse(key.expose()) {
                Ok(key) => Settings::Webhook { endpoint, key },
                Err(e) => {
                    self.errors.push(format!("{place}.key: {e}"));
                    return None;
                }
            },
            (Channel::PagerDuty, _, Some(routing_key)) => Settings::PagerDuty { endpoint, routing_key },
            (Channel::Slack, ..) => Settings::Slack(endpoint),
            (Channel::Otlp, ..) => Settings::Otlp(endpoint),
            _ => return None,
        };
        Some(Way { channel, label, settings })
    }

    fn endpoint(&mut self, place: &str, url: &Secret, trust: Trust, plaintext: bool) -> Option<Endpoint> {
        // Not quoted: it may be a secret.
        let split = split(url.expose()).filter(|split| matches!(split.scheme, "http" | "https"));
        let Some(split) = split else {
            self.errors.push(format!("{place}.url: it is no http(s) address"));
            return None;
        };
        let secure = split.scheme == "https";
        if !secure {
            self.in_the_clear(place, "url", split.host, plaintext);
        }
        Some(Endpoint {
            host: split.host.to_owned(),
            port: split.port.unwrap_or(if secure { 443 } else { 80 }),
            path: Secret::new(if split.path.is_empty() { "/" } else { split.path }),
            tls: secure.then_some(trust),
            authorization: None,
            timeout: TIMEOUT,
        })
    }

    fn syslog(&mut self, place: &str, raw: &RawSyslog) -> Option<Way> {
        let split = split(&raw.server).filter(|split| split.path.is_empty());
        let carrier = split.as_ref().and_then(|split| match split.scheme {
            "udp" => Some((Carrier::Udp, 514)),
            "tcp" => Some((Carrier::Tcp, 601)),
            "tls" => Some((Carrier::Tls, 6514)),
            _ => None,
        });
        let (Some(split), Some((carrier, usual))) = (split, carrier) else {
            self.errors
                .push(format!("{place}.server: {:?} is no udp://, tcp:// or tls://host:port", raw.server));
            return None;
        };
        if carrier != Carrier::Tls {
            self.in_the_clear(place, "server", split.host, raw.allow_plaintext.unwrap_or(false));
        }
        let ca = self.pem(place, "ca_file", raw.ca_file.as_deref());
        let identity = self.identity(place, raw.certificate_file.as_deref(), raw.key_file.as_deref());
        let facility = raw.facility.unwrap_or(FACILITY);
        if facility > 23 {
            self.errors.push(format!("{place}.facility: from 0 to 23"));
        }
        let label = self.label(place, raw.name.as_deref(), raw.server.clone());
        let server = Syslog {
            host: split.host.to_owned(),
            port: split.port.unwrap_or(usual),
            carrier,
            tls: (carrier == Carrier::Tls).then_some(Trust { ca, identity }),
            format: raw.format.unwrap_or(Format::Cef),
            facility,
            hostname: raw.hostname.clone().unwrap_or_else(super::database::host_name),
            timeout: self.timeout(place, raw.timeout),
        };
        Some(Way { channel: Channel::Syslog, label, settings: Settings::Syslog(server) })
    }

    fn in_the_clear(&mut self, place: &str, setting: &str, host: &str, allowed: bool) {
        if is_local(host) {
            return;
        }
        let says = format!("{place}.{setting}: alerts would go to {host} in the clear");
        match allowed {
            true => self.warnings.push(says.replace("would go", "go")),
            false => self.errors.push(format!("{says}; use TLS, or set allow_plaintext = true")),
        }
    }

    fn timeout(&mut self, place: &str, value: Option<Written>) -> Duration {
        let timeout = value.map_or(TIMEOUT, |Written(timeout)| timeout);
        if timeout < Duration::from_millis(10) || timeout > Duration::from_secs(600) {
            self.errors.push(format!("{place}.timeout: from 10ms to 10m"));
        }
        timeout
    }

    fn optional(
        &mut self,
        place: &str,
        setting: &str,
        value: Option<String>,
        file: Option<&str>,
    ) -> Option<Secret> {
        self.source.secret(&[], value, file, &format!("{place}.{setting}"), &mut self.errors)
    }

    /// A file that must be there.
    pub(super) fn pem(&mut self, place: &str, setting: &str, file: Option<&str>) -> Option<Vec<u8>> {
        let path = self.source.beside_file(file?);
        std::fs::read(&path)
            .map_err(|e| self.errors.push(format!("{place}.{setting}: cannot read {}: {e}", path.display())))
            .ok()
    }

    /// A client's certificate and key: both or none.
    pub(super) fn identity(
        &mut self,
        place: &str,
        certificate: Option<&str>,
        key: Option<&str>,
    ) -> Option<(Vec<u8>, Secret)> {
        if certificate.is_some() != key.is_some() {
            self.errors.push(format!("{place}: certificate_file and key_file are both needed"));
        }
        let certificate = self.pem(place, "certificate_file", certificate)?;
        let key = self.optional(place, "key", None, key)?;
        Some((certificate, key))
    }
}
