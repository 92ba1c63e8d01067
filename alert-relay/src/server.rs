//! Accepts connections: bounded in number, in all and for each address, in the time a request's head may take, and drained
//! at the end.

mod places;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router};
use hyper::{
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
};
use tokio_rustls::server::TlsStream;

use self::places::{Answer, Busy, Places, Seat};
use crate::{metrics::Metrics, notice, patience::Patience, quota::Sender, tls::Acceptor};

/// Connections at once; each may hold a batch in memory.
const MAX_CONNECTIONS: usize = 256;
/// Longest time until a request's head is there, against senders that trickle. It also ends idle connections, so
/// clients that keep them had better close them earlier themselves.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Room for a request's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Longest time the other side may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end waits for the first request of a connection that was accepted.
const FIRST_REQUEST: Duration = Duration::from_millis(500);
/// What somebody is told whose address has all the connections that one may have, where that can be told.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// Between two times that the operator is told of it.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Longest time the end waits for requests under way.
const DRAIN: Duration = Duration::from_secs(10);

/// Binds the address.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn bind(address: SocketAddr) -> Result<std::net::TcpListener, String> {
    std::net::TcpListener::bind(address).map_err(|e| format!("cannot listen on {address}: {e}"))
}

/// The socket as the runtime's.
///
/// # Errors
/// When the system does not let it be.
pub(crate) fn listener(socket: std::net::TcpListener) -> Result<TcpListener, String> {
    socket
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(socket))
        .map_err(|e| format!("cannot use the listening socket: {e}"))
}

/// Serves until `stop` turns true, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Acceptor>>,
    router: Router,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    let (places, mut told) = (Places::new(MAX_CONNECTIONS), None);
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
        let Some(taken) = places.take(peer.ip()) else {
            metrics.refused_connections.add(1);
            refuse(&stream, tls.is_some(), peer, &mut told);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let stream = Patience::new(stream, WRITE_TIMEOUT);
        let (server, router, stopped) = (server.clone(), router.clone(), stop.clone());
        let address = Sender::Address(peer.ip().to_canonical());
        let tls = tls.clone();
        tokio::spawn(async move {
            let seat = Arc::clone(&taken.seat);
            // Whatever a client does to its connection is its own affair.
            let serving = async {
                match tls {
                    None => converse(&server, stream, router.layer(Extension(address)), &seat, stopped).await,
                    Some(tls) => {
                        let handshake = tokio::time::timeout(HANDSHAKE, tls.current().accept(stream));
                        let Ok(Ok(stream)) = handshake.await else { return };
                        let sender = shown_certificate(&stream).unwrap_or(address);
                        converse(&server, stream, router.layer(Extension(sender)), &seat, stopped).await;
                    }
                }
            };
            tokio::select! {
                () = serving => {}
                () = seat.leave.notified() => {}
            }
            drop((permit, taken));
        });
    }
    drop(listener);
    // With all of them back nobody is being served any more.
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN, room.acquire_many(all)).await.is_err() {
        notice::warning!("http: requests were still under way after {DRAIN:?}");
    }
}

/// Serves one connection. At the end a request under way is finished, and one that is about to come is waited for: who was
/// accepted is not turned away.
async fn converse(
    server: &http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    seat: &Arc<Seat>,
    mut stop: watch::Receiver<bool>,
) {
    let (begun, service) = (Arc::new(Notify::new()), TowerToHyperService::new(router));
    let (heard, asked) = (Arc::clone(&begun), Arc::new(AtomicBool::new(false)));
    let (known, seat) = (Arc::clone(&asked), Arc::clone(seat));
    let service = service_fn(move |request| {
        known.store(true, Ordering::Relaxed);
        begun.notify_one();
        let (busy, answer) = (Busy::begin(&seat), service.call(request));
        async move { Ok::<_, Infallible>(answer.await?.map(|body| Answer { body, _busy: busy })) }
    });
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    if !asked.load(Ordering::Relaxed) {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = heard.notified() => {}
            () = tokio::time::sleep(FIRST_REQUEST) => {}
        }
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Turns a connection away. Under TLS nothing can be said before a handshake, which is what there is no place for.
fn refuse(stream: &TcpStream, is_tls: bool, peer: SocketAddr, told: &mut Option<Instant>) {
    if !is_tls {
        // A new connection has room for so little; if not, its end says enough.
        let _ = stream.try_write(REFUSAL);
    }
    if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
        *told = Some(Instant::now());
        notice::warning!(
            "http: {} has all the connections that one address may have; further ones are refused",
            peer.ip()
        );
    }
}

/// Who showed a certificate of our authority; rustls has checked it.
fn shown_certificate(stream: &TlsStream<Patience<TcpStream>>) -> Option<Sender> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    Some(Sender::Certificate(Sha256::digest(certificate).into()))
}
