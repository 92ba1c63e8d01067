//! Accepts connections: bounded in number, in the time a request's head may take, and drained at the end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use crate::notice;

/// Connections at once; each may hold a batch in memory.
const MAX_CONNECTIONS: usize = 256;
/// Longest time until a request's head is there, against senders that trickle. It also ends idle connections, so
/// clients that keep them had better close them earlier themselves.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
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
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
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
        let stream = match result {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Out of descriptors, most likely; those in use will be given back.
                notice::warning!("http: cannot accept a connection: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // Whatever a client does to its connection is its own affair.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        notice::warning!("http: requests were still under way after {DRAIN:?}");
    }
}
