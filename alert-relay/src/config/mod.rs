//! The configuration: a TOML file, overridden by the environment, checked once into [`Config`].
//!
//! Everything behind this module is in its final form: paths joined, defaults filled in, secrets read from their
//! files, and whatever would leave the relay open or mute refused with all the reasons at once.

mod check;
mod database;
mod decisions;
mod duration;
mod mail;
mod policy;
mod raw;
mod receivers;
mod retention;
mod secret;
mod source;
mod targets;

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use check::written;
pub use database::{Database, Postgres};
pub use receivers::{Channel, Receiver, Target};
pub use secret::Secret;
pub use source::Source;
pub use targets::{Carrier, Endpoint, Format, Settings, Syslog, Trust, Way};

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the HTTP server listens.
    pub listen: SocketAddr,
    /// Where events are kept.
    pub database: Database,
    /// The address people reach the relay under, without a slash at its end; links in mails start with it.
    pub public_url: String,
    /// Keys a batch may be signed with; empty only with `allow_unsigned` on loopback.
    pub webhook_keys: Vec<wire::signature::Key>,
    /// The token that reads need, if any.
    pub api_token: Option<Secret>,
    /// TLS of the HTTP server, if it has it.
    pub tls: Option<ServerTls>,
    /// What senders may do.
    pub ingest: Ingest,
    /// The incident log.
    pub log: Log,
    /// When somebody is told.
    pub alerts: Alerts,
    /// What a mail says of itself, and who gets it.
    pub mail: Mail,
    /// Who is told; the first is told of what no other is named for.
    pub receivers: Vec<Receiver>,
    /// How mails leave.
    pub transport: Transport,
    /// How long the outbox tries.
    pub outbox: Outbox,
    /// How long what is kept.
    pub retention: Retention,
    /// What the operator should know at start.
    pub warnings: Vec<String>,
}

/// TLS of the HTTP server: PEM files, read anew when they change.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority whose clients need not sign, if there is one.
    pub client_ca: Option<PathBuf>,
}

/// What senders may do.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// Events a minute for each sender, 0 for no limit.
    pub max_events_per_minute: u64,
}

/// The incident log.
#[derive(Clone, Debug)]
pub struct Log {
    /// The directory of `security_{model}_{date}.log`.
    pub path: PathBuf,
    /// Most files of one day; further models share `security_other_{date}.log`.
    pub max_files_per_day: usize,
    /// A file of so many bytes is put aside.
    pub max_file_bytes: u64,
    /// The form of its lines.
    pub form: LogForm,
    /// Whether files that nobody writes to any more are compressed.
    pub compress: bool,
    /// How long files are kept; none for ever.
    pub keep: Option<Duration>,
    /// The state of the chain that seals lines, if there is one.
    pub chain_file: Option<PathBuf>,
}

/// The form of the log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// `timestamp - level - message`.
    Text,
    /// An object of JSON.
    Json,
}

/// When somebody is told.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Incidents below this are not mailed.
    pub min_severity: wire::Severity,
    /// An incident ends when no event of its group came for so long.
    pub incident_window: Duration,
    /// How long the first mail waits for further events. Critical ones do not wait.
    pub group_wait: Duration,
    /// Least time between two mails of an incident.
    pub group_interval: Duration,
    /// An incident that is over is opened again by an event within so long.
    pub reopen_window: Duration,
    /// Events after which an incident is a step more severe.
    pub raise_events: u64,
    /// Callers of one campaign after which its incidents are.
    pub raise_clients: u64,
    /// Who is told, when, and when not.
    pub policy: Arc<crate::route::Policy>,
    /// Decisions about callers that incidents bring by themselves.
    pub automatic_decisions: Vec<crate::automatic::AutomaticDecision>,
    /// Callers that nobody decides against.
    pub allowed: Arc<[wire::Subject]>,
}

/// What a mail says of itself, and who gets it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The `From` address.
    pub sender: lettre::message::Mailbox,
    /// One envelope each.
    pub recipients: Vec<lettre::message::Mailbox>,
    /// The right side of every `Message-ID`.
    pub message_id_domain: String,
    /// The operator's own form of mails about incidents.
    pub(crate) templates: Option<Arc<crate::alert::template::Templates>>,
    /// Who signs, each with a key of its own.
    pub(crate) dkim: Arc<[crate::mail::dkim::Signer]>,
}

/// How mails leave.
#[derive(Clone, Debug)]
pub enum Transport {
    /// To a mail server.
    Smtp(Smtp),
    /// Each as an `.eml` file in this directory.
    Files(PathBuf),
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Host name or address.
    pub server: String,
    /// TCP port.
    pub port: u16,
    /// Encryption.
    pub tls: Tls,
    /// Certificate authority to trust beside the public ones, PEM.
    pub ca: Option<Vec<u8>>,
    /// A certificate to show, and its key, PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// User name, and password or token.
    pub credentials: Option<(String, Secret)>,
    /// How to log in.
    pub auth: SmtpAuth,
    /// Where the token is read anew for each mail.
    pub token_file: Option<PathBuf>,
    /// The name given in `EHLO`; the host's own if absent.
    pub hello_name: Option<String>,
    /// Longest time one mail may take.
    pub timeout: Duration,
}

/// How to log in at a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpAuth {
    /// What the server offers of the two.
    PlainOrLogin,
    /// RFC 4616.
    Plain,
    /// For servers that know nothing else.
    Login,
    /// A bearer token of OAuth 2.
    Xoauth2,
}

/// Encryption on the way to the mail server. There is no opportunistic mode: a downgrade attack would go unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None: for a server on the same machine.
    None,
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

impl Tls {
    /// The word used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

/// How long what is kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Events.
    pub events: Duration,
    /// Incidents after their last event, and the mails about them.
    pub incidents: Duration,
    /// Counts by rule and minute.
    pub metrics: Duration,
    /// Who changed what.
    pub audit: Duration,
}

impl Retention {
    pub(crate) fn of(&self, class: crate::store::Class) -> Duration {
        use crate::store::Class;
        match class {
            Class::Events => self.events,
            Class::Incidents | Class::Mails => self.incidents,
            Class::Metrics => self.metrics,
            Class::Audit => self.audit,
        }
    }
}

/// How long the outbox tries.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The wait after the first failure; it doubles with each.
    pub retry_min: Duration,
    /// The longest wait.
    pub retry_max: Duration,
    /// After so long a mail is parked.
    pub give_up_after: Duration,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(error)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads and checks the file, if one is named, and the environment, which wins.
    ///
    /// # Errors
    /// All that is wrong at once, each naming its key or variable.
    pub fn load(source: &Source<'_>) -> Result<Self, ConfigErrors> {
        check::checked(source)
    }
}
