//! How long the first byte of a streamed answer takes, behind each filter.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use crate::{
    Paths, interrupt,
    stack::{Options, Part, Stack},
    step::say,
};

/// What the model takes to its first byte: that of a fast one. It is a part of what a caller waits for.
const MODEL_MS: u64 = 50;
const ROUNDS: usize = 60;

/// Measures; the table.
pub(super) fn measure(paths: &Paths) -> Result<String> {
    let mut options = Options::test(paths, "bench-stream")?;
    options.parts = vec![Part::Model, Part::Envoy];
    options.envoy_threads = Some(1);
    let stack = Stack::start(paths, options)?;
    let ports = stack.ports();
    let targets = [
        ("no filter", ports.envoy_plain),
        ("empty filter", ports.envoy_empty),
        ("Modelgate", ports.envoy_unlimited),
    ];
    let mut times = vec![Vec::new(); targets.len()];
    say(&format!("streamed answers, {ROUNDS} rounds"));
    for _ in 0..ROUNDS {
        interrupt::check()?;
        for ((_, port), times) in targets.iter().zip(&mut times) {
            times.push(first_byte(*port)?);
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let medians: Vec<Duration> = times.iter_mut().map(median).collect();
    let empty = medians.get(1).copied().unwrap_or_default().as_secs_f64();
    let mut text = format!("\nfirst byte of a streamed answer, of a model that takes {MODEL_MS} ms:\n");
    for ((target, _), median) in targets.iter().zip(&medians) {
        let more = (median.as_secs_f64() / empty - 1.0) * 100.0;
        text.push_str(&format!("{target:<13} {:>8.2} ms {more:>+6.1} %\n", median.as_secs_f64() * 1000.0));
    }
    Ok(text)
}

/// From the last byte of the request to the first byte of the answer's body.
fn first_byte(port: u16) -> Result<Duration> {
    let body =
        r#"{"model":"demo","stream":true,"messages":[{"role":"user","content":"Tell me about moss."}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-stand-in-delay-ms: {MODEL_MS}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let start = Instant::now();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.contains(" 200 "), "port {port} answered {line:?}");
    while line.trim() != "" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            bail!("port {port}: the answer broke off");
        }
    }
    reader.read_exact(&mut [0])?;
    let took = start.elapsed();
    reader.read_to_end(&mut Vec::new())?;
    Ok(took)
}
