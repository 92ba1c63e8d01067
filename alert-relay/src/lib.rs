//! `alert-relay`: takes signed events from the filters, keeps them, and tells the security team.
//!
//! ```text
//! POST /v1/events ─▶ ingest ─▶ store (one writer, group commit) ─▶ 202
//!                                 │ same transaction: incident
//!                                 ├─▶ logfile   security_{model}_{date}.log
//!                                 └─▶ outbox ─▶ mail (SMTP or .eml files)
//! ```
//!
//! 202 is answered only after the commit. Everything that must happen because of an event (its log line, the mail of
//! its incident) is derived from what was committed, and made up for after a crash.

mod acknowledge;
mod alert;
mod allow;
mod api;
pub mod automatic;
mod channel;
mod clock;
pub mod config;
mod entropy;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod incident;
mod ingest;
mod keeping;
mod life;
mod logfile;
mod mail;
pub mod maintenance;
mod manager;
mod metrics;
mod notice;
mod outbox;
mod patience;
mod quota;
pub mod route;
mod server;
mod store;
mod telling;
mod tending;
#[cfg(test)]
mod testing;
mod tls;
mod trial;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    thread,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use self::{
    config::Config,
    metrics::Metrics,
    quota::Quotas,
    store::{Place, Store},
};

pub use life::run;
pub use trial::test_alert;

/// A relay at work.
pub struct Relay {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    dispatcher: JoinHandle<()>,
    keeping: JoinHandle<()>,
    tending: JoinHandle<()>,
    store: Store,
    log: JoinHandle<thread::Result<()>>,
}

/// What outlasts a configuration that is read anew: what was counted, and what each sender brought.
#[derive(Default)]
pub(crate) struct Kept {
    metrics: Arc<Metrics>,
    quotas: Arc<Quotas>,
}

impl Relay {
    /// Opens the store, repairs the log and begins to serve.
    ///
    /// # Errors
    /// What could not be opened, written or bound.
    pub async fn start(config: Config) -> Result<Self, String> {
        let socket = server::bind(config.listen)?;
        Self::start_on(config, socket, &Kept::default()).await
    }

    /// The same on a socket that is there already, with what was kept of an earlier life.
    ///
    /// # Errors
    /// What could not be opened or written.
    pub(crate) async fn start_on(
        config: Config,
        socket: std::net::TcpListener,
        kept: &Kept,
    ) -> Result<Self, String> {
        for warning in &config.warnings {
            notice::warning!("configuration: {warning}");
        }
        let config = Arc::new(config);
        let metrics = Arc::clone(&kept.metrics);
        kept.quotas.set(config.ingest.max_events_per_minute);
        let wake = Arc::new(Notify::new());
        let channels = channel::Channels::new(&config)?;
        let tls = config.tls.clone().map(tls::Acceptor::new).transpose()?.map(Arc::new);
        let listener = server::listener(socket)?;
        let address =
            listener.local_addr().map_err(|e| format!("the listening socket has no address: {e}"))?;
        let (store, log) = open(&config, &metrics, &wake).await?;
        let (stop, stopped) = watch::channel(false);
        let dispatcher =
            outbox::Dispatcher::new(Arc::clone(&config), store.clone(), channels, Arc::clone(&metrics), wake);
        let keeping = tokio::spawn(keeping::run(Arc::clone(&config), store.clone(), stopped.clone()));
        let tending = tokio::spawn(tending::run(Arc::clone(&config), store.clone(), stopped.clone()));
        let shared = api::Shared::new(
            Arc::clone(&config),
            store.clone(),
            Arc::clone(&metrics),
            Arc::clone(&kept.quotas),
        );
        let router = api::router(shared);
        announce(&config, address);
        Ok(Self {
            address,
            server: tokio::spawn(server::serve(listener, tls, router, metrics, stopped.clone())),
            dispatcher: tokio::spawn(dispatcher.run(stopped.clone())),
            keeping,
            tending,
            stop,
            store,
            log: tokio::task::spawn_blocking(move || log.join()),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a part of it has ended that nobody has asked to, which only a fault in the relay itself can bring
    /// about; which one. The log's thread ends with the store's.
    pub(crate) async fn broken(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.server => "the server",
            _ = &mut self.dispatcher => "the outbox",
            _ = &mut self.keeping => "retention",
            _ = &mut self.tending => "what tends the incidents",
            _ = &mut self.log => "the store or the log",
        }
    }

    /// Takes no more requests, finishes those under way, stores and logs what is queued, and ends.
    pub async fn shut_down(self) {
        let _ = self.stop.send(true);
        let _ = self.server.await;
        let _ = self.dispatcher.await;
        let _ = self.keeping.await;
        let _ = self.tending.await;
        self.store.stop().await;
        drop(self.store);
        let _ = self.log.await;
        notice::info!("relay: ended");
    }
}

/// Opens the store and repairs the log, away from the threads that serve: both wait for disk and database.
async fn open(
    config: &Arc<Config>,
    metrics: &Arc<Metrics>,
    wake: &Arc<Notify>,
) -> Result<(Store, thread::JoinHandle<()>), String> {
    let (config, metrics, wake) = (Arc::clone(config), Arc::clone(metrics), Arc::clone(wake));
    let opening = tokio::task::spawn_blocking(move || {
        let place = Place::from(&config.database);
        let pipe = logfile::Pipe::new();
        let logged = Arc::new(AtomicU64::new(0));
        let (store, started) = Store::open(
            place.clone(),
            config.alerts.clone(),
            config.retention.events,
            Arc::clone(&metrics),
            pipe.sender(),
            Arc::clone(&logged),
            wake,
        )?;
        let log = logfile::start(&config.log, place, pipe, started, logged, metrics)?;
        Ok((store, log))
    });
    opening.await.map_err(|e| format!("the store could not be opened: {e}"))?
}

fn announce(config: &Config, address: SocketAddr) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    notice::info!(
        "relay: listening on {scheme}://{address}, database {}, log in {}",
        Place::from(&config.database),
        config.log.path.display()
    );
    let recipients = config.mail.recipients.len();
    match &config.transport {
        config::Transport::Smtp(smtp) => notice::info!(
            "mail: to {recipients} recipients through {}:{} ({})",
            smtp.server,
            smtp.port,
            smtp.tls.as_str()
        ),
        config::Transport::Files(directory) => notice::warning!(
            "mail: no SMTP server is configured, so nothing is sent; mails are written as .eml files to {}",
            directory.display()
        ),
    }
}

/// The OpenAPI document that the relay serves.
#[must_use]
pub fn openapi() -> serde_json::Value {
    api::openapi_document()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;
    use crate::config::Source;

    async fn relay(name: &str) -> Relay {
        let path = std::env::temp_dir().join(format!("modelgate-life-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let file = path.join("relay.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:0\"\nallow_unsigned = true\ndatabase = \"relay.sqlite\"\n[log]\npath = \"logs\"\n").unwrap();
        let config = Config::load(&Source { file: Some(&file), env: &|_| None }).unwrap();
        Relay::start(config).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn long_questions_of_people_hold_up_nothing_of_the_relays_own() {
        let relay = relay("questions").await;
        let (long, soon) = (std::time::Duration::from_secs(4), std::time::Duration::from_secs(2));
        for _ in 0..8 {
            let store = relay.store.clone();
            tokio::spawn(async move {
                let question = move |_: &store::Db| {
                    thread::sleep(long);
                    Ok(())
                };
                store.read_for_people(question).await.unwrap();
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let own = tokio::time::timeout(soon, relay.store.read(store::outbox_state)).await;
        assert!(own.is_ok_and(|own| own.is_ok()), "mails, decisions and health wait for somebody's summary");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn batches_beyond_a_few_megabytes_wait_to_be_taken_apart_and_are_asked_to_come_again() {
        let relay = relay("open").await;
        let (store, address) = (relay.store.clone(), relay.address());
        let first_line = || async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let body = r#"{"v":1,"events":[]}"#;
            let head = format!(
                "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer.lines().next().unwrap_or_default().to_owned()
        };
        // The largest batch there can be finds room, whatever the bound.
        let whole = store.open_batch(usize::MAX).await.unwrap();
        assert_eq!(first_line().await, "HTTP/1.1 429 Too Many Requests");
        let waiting = tokio::spawn(first_line());
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        drop(whole);
        assert_eq!(waiting.await.unwrap(), "HTTP/1.1 202 Accepted");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_part_that_ends_by_itself_is_noticed() {
        let mut whole = relay("whole").await;
        let soon = std::time::Duration::from_millis(300);
        assert!(tokio::time::timeout(soon, whole.broken()).await.is_err(), "nothing is broken");
        whole.shut_down().await;
        let mut deaf = relay("outbox").await;
        deaf.dispatcher.abort();
        assert_eq!(deaf.broken().await, "the outbox");
        let mut forgetful = relay("store").await;
        forgetful.store.stop().await;
        let noticed = tokio::time::timeout(std::time::Duration::from_secs(20), forgetful.broken()).await;
        assert!(noticed.is_ok(), "a relay that cannot store goes on as if it could");
    }
}
