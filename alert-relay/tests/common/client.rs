//! HTTP by hand, so that broken requests can be sent too.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wire::signature::{ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::{KEY, fresh_id, now_ms};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    exchange_on(TcpStream::connect(address).await.ok()?, request).await
}

/// The same on a connection that is there.
pub(crate) async fn exchange_on(mut stream: TcpStream, request: &[u8]) -> Option<Answer> {
    stream.write_all(request).await.ok()?;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    // An answer may be complete even if the connection is then reset.
    let _ = tokio::time::timeout(Duration::from_secs(30), read).await.ok()?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Some(Answer { status, headers, body: body.to_owned() })
}

/// One request.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    exchange(address, &[head.as_bytes(), body].concat()).await.expect("an answer")
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], b"").await
}

/// Asks until the status is this one, for half a minute at the most.
pub(crate) async fn until_status(address: SocketAddr, path: &str, status: u16) {
    let mut last = None;
    for _ in 0..300 {
        let answer = get(address, path).await;
        if answer.status == status {
            return;
        }
        last = Some(answer);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never {status}: {last:?}");
}

/// The headers of a signed batch.
pub(crate) struct Signed {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
}

impl Signed {
    pub(crate) fn new(key: &str, body: &[u8], at: u64) -> Self {
        let id = format!("msg_{}", fresh_id());
        let signature = Key::parse(key).unwrap().sign(&id, at, body);
        Self { id, timestamp: at.to_string(), signature }
    }

    pub(crate) fn headers(&self) -> [(&str, &str); 3] {
        [(ID_HEADER, &self.id), (TIMESTAMP_HEADER, &self.timestamp), (SIGNATURE_HEADER, &self.signature)]
    }
}

/// The body of a batch.
pub(crate) fn batch(events: &[Value]) -> Vec<u8> {
    json!({"v": 1, "events": events}).to_string().into_bytes()
}

/// Sends a signed body.
pub(crate) async fn post_body(address: SocketAddr, body: &[u8]) -> Answer {
    let signed = Signed::new(KEY, body, now_ms() / 1000);
    request(address, "POST", "/v1/events", &signed.headers(), body).await
}

/// Sends a signed batch.
pub(crate) async fn post(address: SocketAddr, events: &[Value]) -> Answer {
    post_body(address, &batch(events)).await
}

/// The value of a metric, with its labels if it has any.
pub(crate) async fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = get(address, "/metrics").await.body;
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
