//! A small HTTP/1.1 client for loopback: one request a connection, chunked or counted answers.
//!
//! It can send from a chosen address, send what no client library lets one send, and reads an answer that comes before
//! the request is out.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Socket, Type};

/// The largest answer read.
const MAX_BODY: u64 = 64 << 20;
/// The largest head read.
const MAX_HEAD: u64 = 256 << 10;

/// A request to 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Request {
    port: u16,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    from: Ipv4Addr,
    timeout: Duration,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case, in the order they came; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, without its chunks' frames.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET`.
    #[must_use]
    pub fn get(port: u16, path: &str) -> Self {
        Self::new("GET", port, path)
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(port: u16, path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", port, path) }.header("content-type", "application/json")
    }

    /// Any method, no body.
    #[must_use]
    pub fn new(method: &str, port: u16, path: &str) -> Self {
        Self {
            port,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            from: Ipv4Addr::LOCALHOST,
            timeout: Duration::from_secs(20),
        }
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends from another address, for example 127.0.0.2.
    #[must_use]
    pub fn from(mut self, address: Ipv4Addr) -> Self {
        self.from = address;
        self
    }

    /// How long any single wait may take; 20 s unless told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it and reads the answer.
    ///
    /// # Errors
    /// When there is no connection, no answer in time, or none that is HTTP.
    pub fn send(&self) -> Result<Response> {
        self.exchange()
            .with_context(|| format!("{} http://127.0.0.1:{}{}", self.method, self.port, self.path))
    }

    fn exchange(&self) -> Result<Response> {
        let mut stream = self.connect()?;
        let mut head = format!("{} {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n", self.method, self.path, self.port);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        if !self.body.is_empty() || self.method == "POST" {
            write!(head, "content-length: {}\r\n", self.body.len())?;
        }
        head.push_str("connection: close\r\n\r\n");
        // A guard may answer and close before it took the whole body: the answer counts, not the failed write.
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
        match read_response(&mut BufReader::new(stream), &self.method) {
            Ok(response) => Ok(response),
            Err(error) => Err(match sent {
                Ok(()) => error,
                Err(cause) => error.context(format!("sending: {cause}")),
            }),
        }
    }

    fn connect(&self) -> Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if self.from != Ipv4Addr::LOCALHOST {
            socket
                .bind(&SocketAddr::from((self.from, 0)).into())
                .with_context(|| format!("sending from {}", self.from))?;
        }
        socket.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)).into(), self.timeout)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(stream)
    }
}

impl Response {
    /// Reads the answer to a request of this method, past any `1xx`.
    ///
    /// # Errors
    /// When there is none, or none that is HTTP.
    pub fn read(reader: &mut impl BufRead, method: &str) -> Result<Self> {
        read_response(reader, method)
    }

    /// The first header of that name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

/// Reads one answer, past any `1xx`.
fn read_response(reader: &mut impl BufRead, method: &str) -> Result<Response> {
    let (status, headers) = loop {
        let (status, headers) = read_head(reader)?;
        if !(100..200).contains(&status) {
            break (status, headers);
        }
    };
    let mut response = Response { status, headers, body: Vec::new() };
    if method == "HEAD" || status == 204 || status == 304 {
        return Ok(response);
    }
    if response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        response.body = read_chunks(reader)?;
    } else if let Some(length) = response.header("content-length") {
        let length: u64 = length.parse().context("content-length")?;
        let got = reader.take(length.min(MAX_BODY)).read_to_end(&mut response.body)?;
        if got as u64 != length {
            bail!("the answer broke off after {got} of {length} bytes");
        }
    } else {
        reader.take(MAX_BODY).read_to_end(&mut response.body)?;
    }
    Ok(response)
}

fn read_head(reader: &mut impl BufRead) -> Result<(u16, Vec<(String, String)>)> {
    let mut reader = reader.take(MAX_HEAD);
    let mut line = |what: &str| -> Result<String> {
        let mut bytes = Vec::new();
        if reader.read_until(b'\n', &mut bytes).with_context(|| format!("reading the {what}"))? == 0 {
            bail!("the connection was closed before the {what}");
        }
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    let first = line("status")?;
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .with_context(|| format!("not HTTP: {first:?}"))?;
    let mut headers = Vec::new();
    loop {
        let line = line("headers")?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').with_context(|| format!("no header: {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.take(64).read_line(&mut line).context("reading a chunk")?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).with_context(|| format!("no chunk size: {line:?}"))?;
        if size > MAX_BODY {
            bail!("a chunk of {size} bytes");
        }
        if reader.take(size).read_to_end(&mut body)? as u64 != size {
            bail!("the answer broke off in a chunk");
        }
        // The line end of the chunk, or trailers and the empty line at the end.
        loop {
            let mut line = String::new();
            reader.take(MAX_HEAD).read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Response> {
        read_response(&mut BufReader::new(text.as_bytes()), "GET")
    }

    #[test]
    fn chunks_are_joined() {
        let response =
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
        assert_eq!(response.unwrap().text(), "abcde");
    }

    #[test]
    fn an_interim_answer_is_passed_over() {
        let response =
            read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Large\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno")
                .unwrap();
        assert_eq!(
            (response.status, response.text().as_str(), response.header("x-a")),
            (413, "no", Some("b"))
        );
    }

    #[test]
    fn a_truncated_answer_is_an_error() {
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").is_err());
        assert!(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc").is_err());
        assert!(read("HTTP/1.1 200 OK\r\n").is_err());
    }
}
