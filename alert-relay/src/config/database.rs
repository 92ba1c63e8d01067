//! Where events are kept: a SQLite file, or a PostgreSQL that several relays may share.

use std::{fmt, net::IpAddr, path::PathBuf};

use tokio_postgres::config::{Host, SslMode};

use super::check::Check;

/// Longest name of a relay.
const MAX_NAME_BYTES: usize = 64;

/// The database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of this relay alone.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<Postgres>),
}

/// A PostgreSQL server.
#[derive(Clone)]
pub struct Postgres {
    /// Host, user, password, database and options.
    pub config: tokio_postgres::Config,
    /// Certificate authority to trust beside the public ones, PEM.
    pub ca: Option<Vec<u8>>,
    /// This relay's name among those that share the database. What it has logged stands under it.
    pub relay: String,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({self})")
    }
}

/// Without user and password.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = self.config.get_ports().get(at).or(self.config.get_ports().first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{} as relay {}", self.config.get_dbname().unwrap_or_default(), self.relay)
    }
}

impl Check<'_> {
    /// The server if one is named, else the file.
    pub(super) fn database(
        &mut self,
        file: PathBuf,
        url: Option<String>,
        url_file: Option<&str>,
        ca_file: Option<&str>,
        name: Option<String>,
    ) -> Option<Database> {
        let relay = self.relay_name(name)?;
        let url = self.source.secret(&["DATABASE_URL"], url, url_file, "database_url", &mut self.errors);
        let Some(url) = url else { return Some(Database::Sqlite(file)) };
        let known = ["postgres://", "postgresql://"];
        if !known.iter().any(|scheme| url.expose().starts_with(scheme)) {
            // Not quoted: it holds a password.
            self.errors.push("database_url: it does not begin with postgres:// or postgresql://".to_owned());
            return None;
        }
        let mut config = match url.expose().parse::<tokio_postgres::Config>() {
            Ok(config) if !config.get_hosts().is_empty() => config,
            Ok(_) => {
                self.errors.push("database_url: it names no host".to_owned());
                return None;
            }
            Err(e) => {
                self.errors.push(format!("database_url: {e}"));
                return None;
            }
        };
        if !config.get_hosts().iter().all(is_local) {
            match config.get_ssl_mode() {
                SslMode::Disable => self.warnings.push(
                    "database_url: sslmode=disable sends events and password to another machine in the clear"
                        .to_owned(),
                ),
                // There is no opportunistic mode: a downgrade attack would go unnoticed.
                _ => drop(config.ssl_mode(SslMode::Require)),
            }
        }
        let ca = self.ca(ca_file);
        Some(Database::Postgres(Box::new(Postgres { config, ca, relay })))
    }

    fn relay_name(&mut self, name: Option<String>) -> Option<String> {
        let name = self.source.var("RELAY_NAME").or(name).unwrap_or_else(host_name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(plain) {
            self.errors.push(format!(
                "name: {name:?} is not 1 to {MAX_NAME_BYTES} letters, digits, dots, dashes and underscores"
            ));
            return None;
        }
        Some(name)
    }

    fn ca(&mut self, file: Option<&str>) -> Option<Vec<u8>> {
        let path = match (self.source.var("DATABASE_CA_FILE"), file) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(path)) => self.source.beside_file(path),
            (None, None) => return None,
        };
        std::fs::read(&path)
            .map_err(|e| self.errors.push(format!("database_ca_file: cannot read {}: {e}", path.display())))
            .ok()
    }
}

/// The machine's name, as far as it is one a relay may have.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.trim().chars().filter(plain).take(MAX_NAME_BYTES).collect();
    if name.is_empty() { "relay".to_owned() } else { name }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}
