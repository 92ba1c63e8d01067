//! A rate limit service of Envoy's gRPC API (envoy.service.ratelimit.v3), small enough for a test: so many hits for each
//! descriptor, for ever.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;

/// A descriptor as it was asked about: `key=value`, joined by commas.
type Hits = Arc<Mutex<BTreeMap<String, u32>>>;

/// The service, on a port of its own. It ends with the process.
#[derive(Debug)]
pub struct RateLimit {
    port: u16,
    hits: Hits,
}

/// The codes of `RateLimitResponse`.
const OK: u8 = 1;
const OVER_LIMIT: u8 = 2;

impl RateLimit {
    /// Starts it; each descriptor may be hit `limit` times.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn start(limit: u32) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let service = Self { port: listener.local_addr()?.port(), hits: Hits::default() };
        let hits = Arc::clone(&service.hits);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                loop {
                    let (stream, _) = listener.accept().await?;
                    tokio::spawn(serve(stream, limit, Arc::clone(&hits)));
                }
                #[expect(unreachable_code, reason = "names the error's type")]
                Ok::<(), std::io::Error>(())
            })
        });
        Ok(service)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often each descriptor was asked about.
    #[must_use]
    pub fn hits(&self) -> BTreeMap<String, u32> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(stream: tokio::net::TcpStream, limit: u32, hits: Hits) -> Result<()> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request?;
        let hits = Arc::clone(&hits);
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut message = Vec::new();
            while let Some(data) = body.data().await {
                let data = data?;
                body.flow_control().release_capacity(data.len())?;
                message.extend_from_slice(&data);
            }
            // gRPC puts five bytes before each message: whether it is compressed, and its length.
            let descriptors = descriptors(message.get(5..).unwrap_or_default())?;
            let code = if count(&hits, descriptors) > limit { OVER_LIMIT } else { OK };
            let head = http::Response::builder().header("content-type", "application/grpc").body(())?;
            let mut answer = respond.send_response(head, false)?;
            // Field 1, a number: the code for all descriptors together.
            answer.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 0x08, code]), false)?;
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            answer.send_trailers(trailers)?;
            anyhow::Ok(())
        });
    }
    Ok(())
}

/// Counts all, and gives the most that any has by now.
fn count(hits: &Hits, descriptors: Vec<String>) -> u32 {
    let mut hits = hits.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = descriptors.into_iter().map(|descriptor| {
        let count = hits.entry(descriptor).or_default();
        *count += 1;
        *count
    });
    counted.max().unwrap_or(0)
}

/// The descriptors of a `RateLimitRequest`: its field 2, each with entries in field 1 of keys in field 1, values in
/// field 2.
fn descriptors(request: &[u8]) -> Result<Vec<String>> {
    let entry = |entry: &[u8]| -> Result<String> {
        let text = |number| -> Result<String> {
            let fields = fields(entry)?;
            let field = fields.into_iter().find(|(known, _)| *known == number);
            Ok(String::from_utf8(field.map(|(_, bytes)| bytes.to_vec()).unwrap_or_default())?)
        };
        Ok(format!("{}={}", text(1)?, text(2)?))
    };
    let descriptor = |descriptor: &[u8]| -> Result<String> {
        let entries = fields(descriptor)?.into_iter().filter(|(number, _)| *number == 1);
        Ok(entries.map(|(_, bytes)| entry(bytes)).collect::<Result<Vec<_>>>()?.join(","))
    };
    fields(request)?
        .into_iter()
        .filter(|(number, _)| *number == 2)
        .map(|(_, bytes)| descriptor(bytes))
        .collect()
}

/// The fields of a protobuf message that have a length; numbers are passed over.
fn fields(mut message: &[u8]) -> Result<Vec<(u64, &[u8])>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message)?;
        match tag & 7 {
            0 => drop(number(&mut message)?),
            2 => {
                let length = usize::try_from(number(&mut message)?)?;
                let (bytes, rest) = message.split_at_checked(length).context("a field is cut")?;
                found.push((tag >> 3, bytes));
                message = rest;
            }
            kind => bail!("a field of kind {kind}"),
        }
    }
    Ok(found)
}

fn number(message: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().context("a number is cut")?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    bail!("a number without an end")
}
