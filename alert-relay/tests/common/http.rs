//! Receivers that keep what they are sent: an HTTP server that answers as it is told, and syslog collectors.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, UdpSocket},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) at: Instant,
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// What to answer: the bytes, or nothing for as long as anybody waits.
pub(crate) type Reply = Option<String>;

/// A whole answer.
pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Reply {
    Some(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

/// A server at work; it ends with this.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    task: JoinHandle<()>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Web {
    /// Answers by what the script says of the so-many-th request.
    pub(crate) async fn start(script: impl Fn(usize, &Posted) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(None, script).await
    }

    pub(crate) async fn with(
        tls: Option<TlsAcceptor>,
        script: impl Fn(usize, &Posted) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::new(Mutex::new(Vec::new()));
        let (kept, script) = (Arc::clone(&posted), Arc::new(script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, script, tls) = (Arc::clone(&kept), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => drop(serve(stream, &kept, &*script).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(serve(stream, &kept, &*script).await);
                        }
                    }
                });
            }
        });
        Self { address, posted, task }
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    kept: &Mutex<Vec<Posted>>,
    script: &(dyn Fn(usize, &Posted) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    let posted = Posted { at: Instant::now(), line: line.trim_end().to_owned(), headers, body };
    let before = {
        let mut kept = kept.lock().unwrap();
        kept.push(posted.clone());
        kept.len() - 1
    };
    match script(before, &posted) {
        Some(answer) => stream.get_mut().write_all(answer.as_bytes()).await?,
        None => tokio::time::sleep(Duration::from_secs(600)).await,
    }
    stream.get_mut().flush().await?;
    stream.get_mut().shutdown().await
}

/// Everything that came by one connection each, or one datagram each.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    pub(crate) async fn udp() -> Self {
        Self::udp_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn udp_at(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut buffer).await {
                kept.lock().unwrap().push(buffer[..length].to_vec());
            }
        });
        Self { address, received, task }
    }

    pub(crate) async fn tcp(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                match &tls {
                    None => drop(stream.read_to_end(&mut bytes).await),
                    Some(tls) => {
                        let Ok(mut stream) = tls.accept(stream).await else { continue };
                        drop(stream.read_to_end(&mut bytes).await);
                    }
                }
                kept.lock().unwrap().push(bytes);
            }
        });
        Self { address, received, task }
    }

    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.received.lock().unwrap().clone()
    }
}
