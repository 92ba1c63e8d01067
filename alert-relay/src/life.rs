//! From start to end: signals, and a configuration that is read anew.

use std::net::TcpListener;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Kept, Relay,
    channel::Channels,
    config::{Config, ConfigErrors},
    manager::{self, State},
    notice, server,
};

/// Serves until the system asks for the end (SIGTERM, SIGINT). SIGHUP reads the configuration anew: if it is good, requests
/// under way are finished and everything begins again with it on the same socket, whose connections wait meanwhile, and
/// with the counts and quotas there were; if not, the last good one stays.
///
/// # Errors
/// What could not be opened, written or bound at the start; a part of the relay that ended by itself, so that whoever watches
/// over the process starts it anew, rather than have it answer and do nothing.
pub async fn run(mut config: Config, load: impl Fn() -> Result<Config, ConfigErrors>) -> Result<(), String> {
    let handler = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut hang_up = handler(SignalKind::hangup())?;
    let mut listener = server::bind(config.listen)?;
    let kept = Kept::default();
    let mut relay = start(&config, &listener, &kept).await?;
    manager::tell(State::Ready);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {}
            part = relay.broken() => {
                return Err(format!("{part} ended by itself; nothing stored is lost, but only another start helps"));
            }
        }
        let (new, socket) = match load().map_err(|e| e.to_string()).and_then(|new| prepare(new, &config)) {
            Ok(prepared) => prepared,
            Err(e) => {
                for line in e.lines() {
                    notice::error!("configuration: the last good one stays: {line}");
                }
                continue;
            }
        };
        notice::info!("configuration: read anew");
        manager::tell(State::Reloading);
        relay.shut_down().await;
        let socket = match socket {
            Some(socket) => socket,
            None => again(&listener)?,
        };
        relay = match start(&new, &socket, &kept).await {
            Ok(relay) => {
                (config, listener) = (new, socket);
                relay
            }
            Err(e) => {
                notice::error!("configuration: the last good one is used again: {e}");
                start(&config, &listener, &kept).await?
            }
        };
        manager::tell(State::Ready);
    }
    manager::tell(State::Stopping);
    relay.shut_down().await;
    Ok(())
}

/// What can fail while the relay still runs: what the channels need, and another address.
fn prepare(new: Config, old: &Config) -> Result<(Config, Option<TcpListener>), String> {
    Channels::new(&new)?;
    let socket = if new.listen == old.listen { None } else { Some(server::bind(new.listen)?) };
    Ok((new, socket))
}

async fn start(config: &Config, listener: &TcpListener, kept: &Kept) -> Result<Relay, String> {
    Relay::start_on(config.clone(), again(listener)?, kept).await
}

/// The same socket once more: connections that come between two lives wait in it.
fn again(listener: &TcpListener) -> Result<TcpListener, String> {
    listener.try_clone().map_err(|e| format!("cannot use the listening socket again: {e}"))
}
