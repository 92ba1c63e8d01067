//! Accepts connections: bounded in number, in the time a request's head may take, and drained at the end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::server::TlsStream;

use crate::{notice, quota::Sender, tls::Acceptor};

/// Connections at once; each may hold a batch in memory.
const MAX_CONNECTIONS: usize = 256;
/// Longest time until a request's head is there, against senders that trickle. It also ends idle connections, so
/// clients that keep them had better close them earlier themselves.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Room for a request's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Longest time the end waits for requests under way.
const DRAIN: Duration = Duration::from_secs(10);

/// Binds the address.
///
/// # Errors
/// When it cannot be had.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}"))
}

/// Serves until `stop` turns true, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Acceptor>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    while !*stop.borrow() {
        let accepted = tokio::select! {
            accepted = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (permit, listener.accept().await)
            } => accepted,
            _ = stop.changed() => break,
        };
        let (Ok(permit), result) = accepted else { break };
        let (stream, peer) = match result {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of descriptors, most likely; those in use will be given back.
                notice::warning!("http: cannot accept a connection: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (server, router, watcher) = (server.clone(), router.clone(), graceful.watcher());
        let address = Sender::Address(peer.ip().to_canonical());
        let tls = tls.clone();
        tokio::spawn(async move {
            // Whatever a client does to its connection is its own affair.
            match tls {
                None => {
                    let service = TowerToHyperService::new(router.layer(Extension(address)));
                    let _ = watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await;
                }
                Some(tls) => {
                    let handshake = tokio::time::timeout(HANDSHAKE, tls.current().accept(stream));
                    let Ok(Ok(stream)) = handshake.await else { return };
                    let sender = shown_certificate(&stream).unwrap_or(address);
                    let service = TowerToHyperService::new(router.layer(Extension(sender)));
                    let _ = watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await;
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        notice::warning!("http: requests were still under way after {DRAIN:?}");
    }
}

/// Who showed a certificate of our authority; rustls has checked it.
fn shown_certificate(stream: &TlsStream<TcpStream>) -> Option<Sender> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    Some(Sender::Certificate(Sha256::digest(certificate).into()))
}
