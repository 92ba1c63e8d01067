//! Requests whose bodies arrive in pieces, each written by itself: over HTTP/1.1 with a length or in chunks, over
//! HTTP/2 in one DATA frame for each.

use std::{
    future::poll_fn,
    io::{BufReader, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use xtask::http::Response;

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1.1 with `content-length`.
    Counted,
    /// HTTP/1.1 with `transfer-encoding: chunked`, one chunk for each piece.
    Chunked,
    /// HTTP/2 with prior knowledge, one DATA frame for each piece, no length told.
    Http2,
}

impl Framing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Counted, Self::Chunked, Self::Http2];
}

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a `POST` of JSON whose body arrives in these pieces, `pause` between them, and reads the answer.
///
/// # Errors
/// When there is no answer.
pub fn post(
    port: u16,
    path: &str,
    framing: Framing,
    headers: &[(&str, &str)],
    pieces: &[&[u8]],
    pause: Duration,
) -> Result<Response> {
    match framing {
        Framing::Http2 => http2(port, path, headers, pieces, pause),
        Framing::Counted | Framing::Chunked => {
            http1(port, path, framing == Framing::Chunked, headers, pieces, pause)
        }
    }
}

fn http1(
    port: u16,
    path: &str,
    chunked: bool,
    headers: &[(&str, &str)],
    pieces: &[&[u8]],
    pause: Duration,
) -> Result<Response> {
    let mut stream = connect(port)?;
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let framing =
        if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {length}") };
    let further: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n{framing}\r\n{further}\r\n"
    );
    // A guard may answer and close before all pieces are out: the answer counts, not the failed write.
    let mut sent = stream.write_all(head.as_bytes());
    for piece in pieces {
        if sent.is_err() {
            break;
        }
        thread::sleep(pause);
        sent = if chunked {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            stream.write_all(&chunk)
        } else {
            stream.write_all(piece)
        };
    }
    if chunked && sent.is_ok() {
        sent = stream.write_all(b"0\r\n\r\n");
    }
    Response::read(&mut BufReader::new(stream), "POST").with_context(|| format!("sending: {sent:?}"))
}

/// A streamed answer as its reader saw it.
#[derive(Debug)]
pub struct Told {
    /// What came of its body.
    pub body: Vec<u8>,
    /// Whether it ended as its protocol has it, and was not broken off.
    pub is_whole: bool,
    /// How long it took until nothing more could come.
    pub took: Duration,
}

/// Sends a `POST` of JSON and reads the answer for as long as something may come of it.
///
/// # Errors
/// When there is no answer, or it goes on for longer than half a minute.
pub fn listen(port: u16, path: &str, framing: Framing, headers: &[(&str, &str)], body: &str) -> Result<Told> {
    let start = Instant::now();
    let (body, is_whole) = match framing {
        Framing::Http2 => listen2(port, path, headers, body)?,
        Framing::Counted | Framing::Chunked => listen1(port, path, headers, body)?,
    };
    Ok(Told { body, is_whole, took: start.elapsed() })
}

fn listen1(port: u16, path: &str, headers: &[(&str, &str)], body: &str) -> Result<(Vec<u8>, bool)> {
    let mut stream = connect(port)?;
    let further: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n{further}\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no head")? + 4;
    let (mut rest, mut body) = (answer.get(head..).unwrap_or_default(), Vec::new());
    loop {
        let Some(line) = rest.windows(2).position(|bytes| bytes == b"\r\n") else { return Ok((body, false)) };
        let (size, behind) = rest.split_at(line);
        let size = usize::from_str_radix(str::from_utf8(size)?, 16).context("the size of a chunk")?;
        if size == 0 {
            return Ok((body, true));
        }
        let behind = behind.get(2..).unwrap_or_default();
        body.extend_from_slice(behind.get(..size).unwrap_or(behind));
        rest = behind.get(size + 2..).unwrap_or_default();
    }
}

fn listen2(port: u16, path: &str, headers: &[(&str, &str)], body: &str) -> Result<(Vec<u8>, bool)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exchange = async {
        let (answer, mut sending) = post2(port, path, headers).await?;
        sending.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
        let mut stream = answer.await?.into_body();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let Ok(data) = data else { return Ok((body, false)) };
            stream.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        Ok((body, true))
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await.context("it goes on")? })
}

/// A connection to loopback with a time limit on every wait.
///
/// # Errors
/// When nobody listens.
pub fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn http2(
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
    pieces: &[&[u8]],
    pause: Duration,
) -> Result<Response> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exchange = async {
        let (answer, mut body) = post2(port, path, headers).await?;
        for piece in pieces {
            tokio::time::sleep(pause).await;
            // An answer that came early ends the sending; it is read below.
            if send(&mut body, piece).await.is_err() {
                break;
            }
        }
        drop(body.send_data(Bytes::new(), true));
        read(answer.await?).await
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await.context("no answer in time")? })
}

/// Begins a `POST` of JSON over HTTP/2, its body still to come.
async fn post2(
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>)> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(async move { drop(connection.await) });
    let mut client = client.ready().await?;
    let mut request = http::Request::post(format!("http://localhost:{port}{path}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(client.send_request(request.body(())?, false)?)
}

/// Sends a piece in one frame, as far as the window and the frame's largest size allow.
async fn send(body: &mut h2::SendStream<Bytes>, mut piece: &[u8]) -> Result<()> {
    while !piece.is_empty() {
        body.reserve_capacity(piece.len());
        let room = match poll_fn(|context| body.poll_capacity(context)).await {
            Some(room) => room?,
            None => bail!("the stream is closed"),
        };
        let (now, later) = piece.split_at(room.min(piece.len()));
        body.send_data(Bytes::copy_from_slice(now), false)?;
        piece = later;
    }
    Ok(())
}

async fn read(answer: http::Response<h2::RecvStream>) -> Result<Response> {
    let (head, mut stream) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let headers = head.headers.iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Response { status: head.status.as_u16(), headers: headers.collect(), body })
}
