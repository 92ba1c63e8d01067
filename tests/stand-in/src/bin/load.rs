//! A load generator for loopback: one POST again and again on a few kept connections, as fast as answers come.
//!
//! `load --port N --body FILE [--path P] [--connections 16] [--seconds 3]` prints one JSON line: requests, failed,
//! per_second, p50_us, p99_us. An answer other than 200 is a failure.

use std::{
    fmt::Write as _,
    io,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

/// One answer may take so long; beyond it something hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

// One thread: the rest of the machine belongs to what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("load: {message}");
            return ExitCode::from(64);
        }
    };
    match run(&options).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    port: u16,
    path: String,
    body: Vec<u8>,
    connections: u32,
    seconds: f64,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let path = "/v1/chat/completions".to_owned();
        let mut options = Self { port: 0, path, body: Vec::new(), connections: 16, seconds: 3.0 };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let wrong = |_| format!("{name} {value}: no number");
            match name.as_str() {
                "--port" => options.port = value.parse().map_err(wrong)?,
                "--connections" => options.connections = value.parse().map_err(wrong)?,
                "--seconds" => {
                    options.seconds = value.parse().map_err(|_| format!("{name} {value}: no number"))?
                }
                "--path" => options.path = value,
                "--body" => {
                    options.body = std::fs::read(&value).map_err(|error| format!("{value}: {error}"))?
                }
                other => return Err(format!("unknown option {other}")),
            }
        }
        if options.port == 0 || options.body.is_empty() {
            return Err("--port and --body are needed".to_owned());
        }
        Ok(options)
    }

    fn request(&self) -> Vec<u8> {
        let mut head = String::new();
        let _ = write!(
            head,
            "POST {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.path,
            self.port,
            self.body.len()
        );
        [head.as_bytes(), &self.body].concat()
    }
}

async fn run(options: &Options) -> io::Result<String> {
    let request: Arc<[u8]> = options.request().into();
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(options.seconds);
    let mut connections = JoinSet::new();
    for _ in 0..options.connections {
        connections.spawn(connection(options.port, Arc::clone(&request), end));
    }
    let (mut times, mut failed) = (Vec::new(), 0_u64);
    while let Some(result) = connections.join_next().await {
        let (some, wrong) = result.map_err(io::Error::other)??;
        times.extend(some);
        failed += wrong;
    }
    let seconds = start.elapsed().as_secs_f64();
    times.sort_unstable();
    let percentile = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let line = json!({
        "requests": times.len(),
        "failed": failed,
        "per_second": times.len() as f64 / seconds,
        "p50_us": percentile(50),
        "p99_us": percentile(99),
    });
    Ok(line.to_string())
}

/// Sends until the end; yields the time of each good answer in microseconds, and how many were not good.
async fn connection(port: u16, request: Arc<[u8]>, end: Instant) -> io::Result<(Vec<u64>, u64)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut buffer = Vec::with_capacity(16 << 10);
    while Instant::now() < end {
        let start = Instant::now();
        stream.write_all(&request).await?;
        let status = timeout(ANSWER_WITHIN, answer(&mut stream, &mut buffer)).await??;
        if status == 200 {
            times.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
        } else {
            failed += 1;
        }
    }
    Ok((times, failed))
}

/// Reads one answer with a counted body; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed"));
        }
        let Some(head_end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(buffer.get(..head_end).unwrap_or_default()).to_ascii_lowercase();
        let malformed =
            || io::Error::new(io::ErrorKind::InvalidData, format!("not a counted answer: {head}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).ok_or_else(malformed)?;
        let whole = head_end + 4 + length;
        while buffer.len() < whole {
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"));
            }
        }
        return Ok(status);
    }
}
