//! The configuration file as written, before anything is checked. No `Debug`: it holds secrets in the clear.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use super::{
    duration::Written,
    targets::{RawFile, RawHttp, RawSyslog, RawWays},
};

/// The whole file. An unknown key is an error: a misspelt `api_token` must not leave the API open.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) listen: Option<String>,
    pub(super) name: Option<String>,
    pub(super) database: Option<String>,
    pub(super) database_url: Option<String>,
    pub(super) database_url_file: Option<String>,
    pub(super) database_ca_file: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) webhook_keys: Option<Vec<String>>,
    pub(super) webhook_keys_file: Option<String>,
    pub(super) allow_unsigned: Option<bool>,
    pub(super) api_token: Option<String>,
    pub(super) api_token_file: Option<String>,
    #[serde(default)]
    pub(super) tls: ServerTls,
    #[serde(default)]
    pub(super) ingest: Ingest,
    #[serde(default)]
    pub(super) log: Log,
    #[serde(default)]
    pub(super) alerts: Alerts,
    #[serde(default)]
    pub(super) mail: Mail,
    #[serde(default)]
    pub(super) smtp: Smtp,
    #[serde(default)]
    pub(super) outbox: Outbox,
    #[serde(default)]
    pub(super) retention: Retention,
    #[serde(default)]
    pub(super) automatic_decisions: Vec<AutomaticDecision>,
    #[serde(default)]
    pub(super) allow: Allow,
    #[serde(default)]
    pub(super) receivers: Vec<Receiver>,
    #[serde(default)]
    pub(super) routes: Vec<Route>,
    #[serde(default)]
    pub(super) silences: Vec<Silence>,
    #[serde(default)]
    pub(super) mute_windows: Vec<MuteWindow>,
    #[serde(default)]
    pub(super) inhibitions: Vec<Inhibition>,
    #[serde(default)]
    pub(super) conditions: Conditions,
    #[serde(default)]
    pub(super) severities: BTreeMap<String, wire::Severity>,
    #[serde(default)]
    pub(super) digest: Digest,
}

/// What decides about telling.
pub(super) struct Telling<'a> {
    pub(super) alerts: &'a Alerts,
    pub(super) routes: &'a [Route],
    pub(super) silences: &'a [Silence],
    pub(super) mute_windows: &'a [MuteWindow],
    pub(super) inhibitions: &'a [Inhibition],
    pub(super) conditions: &'a Conditions,
    pub(super) severities: &'a BTreeMap<String, wire::Severity>,
    pub(super) digest: &'a Digest,
}

/// `[[routes]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    #[serde(default, rename = "match")]
    pub(super) matchers: Vec<String>,
    pub(super) receivers: Option<Vec<String>>,
    pub(super) group_by: Option<Vec<String>>,
    pub(super) group_wait: Option<Written>,
    pub(super) group_interval: Option<Written>,
    pub(super) repeat_interval: Option<Written>,
    pub(super) escalate_after: Option<Written>,
    pub(super) escalate_to: Option<String>,
    #[serde(default)]
    pub(super) mute: Vec<String>,
    pub(super) max_per_hour: Option<u64>,
    #[serde(default, rename = "continue")]
    pub(super) continues: bool,
    #[serde(default)]
    pub(super) routes: Vec<Route>,
}

/// `[[silences]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Silence {
    #[serde(default, rename = "match")]
    pub(super) matchers: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) until: String,
    pub(super) by: String,
    pub(super) reason: String,
}

/// `[[mute_windows]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteWindow {
    pub(super) name: String,
    #[serde(default)]
    pub(super) days: Vec<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) offset: Option<String>,
}

/// `[[inhibitions]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inhibition {
    pub(super) source: Vec<String>,
    pub(super) target: Vec<String>,
    #[serde(default)]
    pub(super) equal: Vec<String>,
}

/// `[conditions]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conditions {
    pub(super) failed_authentications_per_minute: Option<u64>,
    pub(super) anomaly_score: Option<f64>,
    pub(super) rate_limit_violations_per_hour: Option<u64>,
    pub(super) suspicious_inputs_per_hour: Option<u64>,
}

/// `[digest]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Digest {
    pub(super) daily: Option<String>,
    pub(super) weekly: Option<String>,
    pub(super) receivers: Option<Vec<String>>,
}

/// `[[receivers]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receiver {
    pub(super) name: String,
    #[serde(default)]
    pub(super) email: Vec<String>,
    pub(super) send_resolved: Option<bool>,
    #[serde(default)]
    webhook: Vec<RawHttp>,
    #[serde(default)]
    slack: Vec<RawHttp>,
    #[serde(default)]
    pagerduty: Vec<RawHttp>,
    #[serde(default)]
    syslog: Vec<RawSyslog>,
    #[serde(default)]
    otlp: Vec<RawHttp>,
    #[serde(default)]
    file: Vec<RawFile>,
}

impl Receiver {
    /// Its lists beside mail.
    pub(super) fn ways(&self) -> RawWays<'_> {
        RawWays {
            webhook: &self.webhook,
            slack: &self.slack,
            pagerduty: &self.pagerduty,
            syslog: &self.syslog,
            otlp: &self.otlp,
            file: &self.file,
        }
    }
}

/// `[[automatic_decisions]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AutomaticDecision {
    pub(super) category: Option<wire::Category>,
    pub(super) min_severity: Option<wire::Severity>,
    pub(super) events: u64,
    pub(super) about: Option<String>,
    pub(super) action: String,
    pub(super) rate: Option<u32>,
    pub(super) lasts: Option<Written>,
    pub(super) factor: Option<u32>,
    pub(super) longest: Option<Written>,
    pub(super) remember: Option<Written>,
    pub(super) addresses: Option<u64>,
    pub(super) within: Option<Written>,
    pub(super) ipv4_bits: Option<u8>,
    pub(super) ipv6_bits: Option<u8>,
    #[serde(default)]
    pub(super) except: Vec<String>,
}

/// `[allow]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    #[serde(default)]
    pub(super) addresses: Vec<String>,
    #[serde(default)]
    pub(super) key_hashes: Vec<String>,
    #[serde(default)]
    pub(super) users: Vec<String>,
}

/// `[tls]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTls {
    pub(super) certificate_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) client_ca_file: Option<String>,
}

/// `[ingest]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ingest {
    pub(super) max_events_per_minute: Option<u64>,
}

/// `[log]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) path: Option<String>,
    pub(super) max_files_per_day: Option<u32>,
    pub(super) max_file_mb: Option<u64>,
    pub(super) form: Option<super::LogForm>,
    pub(super) compress: Option<bool>,
    pub(super) keep: Option<Written>,
    pub(super) chain_file: Option<String>,
}

/// `[alerts]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alerts {
    pub(super) min_severity: Option<wire::Severity>,
    pub(super) incident_window: Option<Written>,
    pub(super) reopen_window: Option<Written>,
    pub(super) raise_events: Option<u64>,
    pub(super) raise_clients: Option<u64>,
    pub(super) group_wait: Option<Written>,
    pub(super) group_interval: Option<Written>,
    pub(super) repeat_interval: Option<Written>,
    pub(super) group_by: Option<Vec<String>>,
    pub(super) receivers: Option<Vec<String>>,
    pub(super) escalate_after: Option<Written>,
    pub(super) escalate_to: Option<String>,
    pub(super) max_per_hour: Option<u64>,
    pub(super) campaign_clients: Option<u64>,
}

/// `[mail]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mail {
    pub(super) sender: Option<String>,
    pub(super) recipients: Option<Vec<String>>,
    pub(super) message_id_domain: Option<String>,
    pub(super) templates: Option<String>,
    pub(super) directory: Option<String>,
    #[serde(default)]
    pub(super) dkim: OneOrMore<Dkim>,
}

/// `[mail.dkim]`, or `[[mail.dkim]]` for several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dkim {
    pub(super) domain: Option<String>,
    pub(super) selector: String,
    pub(super) key_file: String,
}

/// A table, or a list of them. Errors keep their place, which an untagged enum would lose.
pub(super) struct OneOrMore<T>(pub(super) Vec<T>);

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table or a list of tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMore(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMore)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// `[smtp]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Smtp {
    pub(super) server: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) tls: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
    pub(super) auth: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) certificate_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) allow_plaintext: Option<bool>,
    pub(super) hello_name: Option<String>,
    pub(super) timeout: Option<Written>,
}

/// `[retention]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) events: Option<Written>,
    pub(super) incidents: Option<Written>,
    pub(super) metrics: Option<Written>,
    pub(super) audit: Option<Written>,
}

/// `[outbox]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outbox {
    pub(super) retry_min: Option<Written>,
    pub(super) retry_max: Option<Written>,
    pub(super) give_up_after: Option<Written>,
}
