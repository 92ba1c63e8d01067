//! Raw configuration and environment to [`Config`].

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use wire::{Severity, signature::Key};

use crate::route::Policy;

use super::{
    Alerts, Config, ConfigErrors, Database, Ingest, Log, LogForm, Outbox, ServerTls, Source, Transport,
    duration::Written,
    raw::{self, Raw},
};

/// Most files of the incident log in one day: model names come from outside.
const MAX_LOG_FILES_PER_DAY: u32 = 200;

/// The SQLite file.
const DATABASE: &str = "data/alert-relay.sqlite";

/// The directory of the incident log.
const LOGS: &str = "logs";

/// How long files of the incident log are kept.
const LOG_KEPT: Duration = Duration::from_secs(365 * 86_400);

/// Events a minute that one sender may bring: ten thousand a second is more than a proxy has to report.
const MAX_EVENTS_PER_MINUTE: u64 = 600_000;

/// Checks everything, collecting all errors.
pub(super) fn checked(source: &Source<'_>) -> Result<Config, ConfigErrors> {
    let raw = source.raw()?;
    let mut check = Check { source, errors: Vec::new(), warnings: Vec::new() };
    let config = check.config(raw);
    match config {
        Some(config) if check.errors.is_empty() => Ok(Config { warnings: check.warnings, ..config }),
        _ => Err(ConfigErrors(check.errors)),
    }
}

/// The check under way.
pub(super) struct Check<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Check<'_> {
    fn config(&mut self, raw: Raw) -> Option<Config> {
        let listen = self.listen(raw.listen.as_deref());
        let file = self.path("RELAY_DATABASE", raw.database.as_deref(), DATABASE);
        let database = self.database(
            file.clone(),
            raw.database_url,
            raw.database_url_file.as_deref(),
            raw.database_ca_file.as_deref(),
            raw.name,
        );
        if matches!(database, Some(Database::Sqlite(_))) {
            self.not_elsewhere(("database", "RELAY_DATABASE"), &file, DATABASE);
        }
        let webhook_keys = self.webhook_keys(
            raw.webhook_keys,
            raw.webhook_keys_file.as_deref(),
            raw.allow_unsigned.unwrap_or(false),
            listen,
        );
        let api_token = self.source.secret(
            &["RELAY_API_TOKEN"],
            raw.api_token,
            raw.api_token_file.as_deref(),
            "api_token",
            &mut self.errors,
        );
        if let Some(listen) = listen
            && !listen.ip().is_loopback()
            && api_token.is_none()
        {
            self.errors.push(format!(
                "listen: {listen} can be reached from other machines, so api_token (or RELAY_API_TOKEN) is needed"
            ));
        }
        let log = self.log(&raw.log);
        let tls = self.server_tls(raw.tls);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let public_url = self.public_url(raw.public_url, scheme, listen);
        let ingest = Ingest {
            max_events_per_minute: raw.ingest.max_events_per_minute.unwrap_or(MAX_EVENTS_PER_MINUTE),
        };
        let smtp = self.smtp(raw.smtp);
        let mail = self.mail(&raw.mail, smtp.is_some(), raw.receivers.is_empty());
        let recipients = mail.as_ref().map_or(&[][..], |mail| &mail.recipients);
        let receivers = self.receivers(recipients, &raw.receivers);
        let transport = match smtp {
            Some(smtp) => Transport::Smtp(smtp),
            None => Transport::Files(raw.mail.directory.as_deref().map_or_else(
                || file.parent().unwrap_or(Path::new("")).join("mail-out"),
                |directory| self.source.beside_file(directory),
            )),
        };
        let telling = raw::Telling {
            alerts: &raw.alerts,
            routes: &raw.routes,
            silences: &raw.silences,
            mute_windows: &raw.mute_windows,
            inhibitions: &raw.inhibitions,
            conditions: &raw.conditions,
            severities: &raw.severities,
            digest: &raw.digest,
        };
        let policy = self.policy(&telling, &receivers);
        let outbox = self.outbox(&raw.outbox);
        let retention = self.retention(&raw.retention);
        Some(Config {
            listen: listen?,
            database: database?,
            public_url: public_url?,
            webhook_keys,
            api_token,
            tls,
            ingest,
            log,
            alerts: Alerts {
                automatic_decisions: self.automatic_decisions(&raw.automatic_decisions),
                allowed: self.allowed(&raw.allow),
                ..alerts(&raw.alerts, policy)
            },
            mail: mail?,
            receivers,
            transport,
            outbox,
            retention,
            warnings: Vec::new(),
        })
    }

    /// A path from a variable (as it stands), or from the file or the default (beside the file).
    fn path(&self, name: &str, value: Option<&str>, default: &str) -> PathBuf {
        match self.source.var(name) {
            Some(path) => PathBuf::from(path),
            None => self.source.beside_file(value.unwrap_or(default)),
        }
    }

    /// That nothing is where earlier relays had it by default, in the working directory: one that began beside the file with
    /// nothing would seem to have lost all.
    fn not_elsewhere(&mut self, (key, name): (&str, &str), path: &Path, default: &str) {
        if path == self.source.beside_file(default) && Path::new(default).exists() && !path.exists() {
            self.errors.push(format!(
                "{key}: {default} is there in the working directory, but it is looked for beside the configuration, at {}: \
                 move it there, or set {key} or {name}",
                path.display()
            ));
        }
    }

    fn listen(&mut self, value: Option<&str>) -> Option<SocketAddr> {
        let (key, text) = match self.source.var("RELAY_LISTEN") {
            Some(text) => ("RELAY_LISTEN", text),
            None => ("listen", value.unwrap_or("127.0.0.1:9600").to_owned()),
        };
        match text.parse() {
            Ok(listen) => Some(listen),
            Err(_) => {
                self.errors
                    .push(format!("{key}: {text:?} is no address with a port, such as 127.0.0.1:9600"));
                None
            }
        }
    }

    fn server_tls(&mut self, raw: raw::ServerTls) -> Option<ServerTls> {
        let file = |path: Option<String>| path.map(|path| self.source.beside_file(&path));
        let (certificate, key, client_ca) =
            (file(raw.certificate_file), file(raw.key_file), file(raw.client_ca_file));
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(ServerTls { certificate, key, client_ca }),
            (None, None) if client_ca.is_none() => None,
            _ => {
                self.errors.push("tls: certificate_file and key_file are both needed".to_owned());
                None
            }
        }
    }

    fn public_url(
        &mut self,
        value: Option<String>,
        scheme: &str,
        listen: Option<SocketAddr>,
    ) -> Option<String> {
        let url = match self.source.var("RELAY_PUBLIC_URL").or(value) {
            Some(url) => url,
            None => format!("{scheme}://{}", listen?),
        };
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '?' | '#');
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/') || !rest.chars().all(plain)) {
            self.errors.push(format!("public_url: {url:?} is no http(s) address without query"));
            return None;
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    fn webhook_keys(
        &mut self,
        value: Option<Vec<String>>,
        file: Option<&str>,
        allow_unsigned: bool,
        listen: Option<SocketAddr>,
    ) -> Vec<Key> {
        let value = value.map(|keys| keys.join(","));
        let before = self.errors.len();
        let text =
            self.source.secret(&["MODELGATE_WEBHOOK_KEY"], value, file, "webhook_keys", &mut self.errors);
        let mut keys = Vec::new();
        let parts = text.iter().flat_map(|text| text.expose().split([',', '\n', ' ']));
        for (at, part) in parts.map(str::trim).filter(|part| !part.is_empty()).enumerate() {
            match Key::parse(part) {
                Ok(key) => keys.push(key),
                Err(e) => self.errors.push(format!("webhook_keys: key {}: {e}", at + 1)),
            }
        }
        if keys.len() > 2 {
            self.errors.push(format!("webhook_keys: {} keys; a rotation needs two at most", keys.len()));
        }
        if keys.is_empty() && self.errors.len() == before {
            match listen {
                Some(listen) if allow_unsigned && listen.ip().is_loopback() => self
                    .warnings
                    .push("batches are accepted unsigned (allow_unsigned): for experiments only".to_owned()),
                _ => self.errors.push(
                    "webhook_keys: no key; set webhook_keys, webhook_keys_file or MODELGATE_WEBHOOK_KEY (on a \
                     loopback address, allow_unsigned = true does without)"
                        .to_owned(),
                ),
            }
        }
        keys
    }

    fn log(&mut self, raw: &raw::Log) -> Log {
        let (megabytes, keep) = (raw.max_file_mb.unwrap_or(100), written(raw.keep, LOG_KEPT));
        if !(1..=1 << 20).contains(&megabytes) {
            self.errors.push("log.max_file_mb: from 1 to 1048576".to_owned());
        }
        if !keep.is_zero() && keep < Duration::from_secs(86_400) {
            self.errors.push("log.keep: a day or longer, or 0 for ever".to_owned());
        }
        let path = self.path("SECURITY_LOG_PATH", raw.path.as_deref(), LOGS);
        self.not_elsewhere(("log.path", "SECURITY_LOG_PATH"), &path, LOGS);
        Log {
            path,
            max_files_per_day: usize::try_from(raw.max_files_per_day.unwrap_or(MAX_LOG_FILES_PER_DAY))
                .unwrap_or(usize::MAX),
            max_file_bytes: megabytes.saturating_mul(1_000_000),
            form: raw.form.unwrap_or(LogForm::Text),
            compress: raw.compress.unwrap_or(true),
            keep: (!keep.is_zero()).then_some(keep),
            chain_file: raw.chain_file.as_deref().map(|path| self.source.beside_file(path)),
        }
    }

    fn outbox(&mut self, raw: &raw::Outbox) -> Outbox {
        let outbox = Outbox {
            retry_min: written(raw.retry_min, Duration::from_secs(2)),
            retry_max: written(raw.retry_max, Duration::from_secs(300)),
            give_up_after: written(raw.give_up_after, Duration::from_secs(3 * 86_400)),
        };
        if outbox.retry_min < Duration::from_millis(10) || outbox.retry_min > outbox.retry_max {
            self.errors.push("outbox.retry_min: at least 10ms and not above outbox.retry_max".to_owned());
        }
        outbox
    }
}

fn alerts(raw: &raw::Alerts, policy: Policy) -> Alerts {
    Alerts {
        policy: Arc::new(policy),
        min_severity: raw.min_severity.unwrap_or(Severity::Medium),
        incident_window: written(raw.incident_window, Duration::from_secs(3600)),
        group_wait: written(raw.group_wait, Duration::from_secs(5)),
        group_interval: written(raw.group_interval, Duration::from_secs(300)),
        reopen_window: written(raw.reopen_window, Duration::from_secs(86_400)),
        raise_events: raw.raise_events.unwrap_or(100).max(2),
        raise_clients: raw.raise_clients.unwrap_or(10).max(2),
        automatic_decisions: Vec::new(),
        allowed: Arc::from([]),
    }
}

pub(super) fn written(value: Option<Written>, default: Duration) -> Duration {
    value.map_or(default, |Written(duration)| duration)
}
