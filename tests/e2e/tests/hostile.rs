//! Traffic that means harm or comes from broken programs: no VM is lost to it, nothing hangs, nothing gets past the
//! guard, and ordinary requests are served all the while.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use modelgate_e2e::{
    ATTACK, CHAT, ask, chat,
    envoy::{count_seen, forget, healthy, stats},
    pieces::connect,
    random::Random,
    rude::{Manners, Rude},
    stack_with,
};
use socket2::SockRef;
use xtask::{
    Paths,
    http::Response,
    stack::{Options, Part, Stack},
};

const HEADERS: usize = 10_000;

fn options(options: &mut Options) {
    options.parts = vec![Part::Model, Part::Envoy];
    options.envoy_threads = Some(4);
    // As much as Envoy takes, so that the filter and not Envoy has to cope; and short limits on waiting.
    let edit = |from: &str, to: String| (from.to_owned(), to);
    let prefix = "stat_prefix: unlimited\n";
    options.envoy_edits = vec![
        edit(
            prefix,
            format!(
                "{prefix}          max_request_headers_kb: 8192\n          common_http_protocol_options: {{ max_headers_count: {} }}\n",
                2 * HEADERS
            ),
        ),
        edit("request_timeout: 60s", "request_timeout: 4s".into()),
        edit("timeout: 600s", "timeout: 4s".into()),
    ];
}

/// Sends bytes as they are and reads one answer; `None` if the connection ends without one.
fn raw(port: u16, bytes: &[u8]) -> Result<Option<Response>> {
    let mut stream = connect(port)?;
    // Envoy may close before it took all.
    let sent = stream.write_all(bytes);
    let start = Instant::now();
    let answer = Response::read(&mut BufReader::new(stream), "POST");
    ensure!(start.elapsed() < Duration::from_secs(15), "no answer and no end for 15 s (sent: {sent:?})");
    Ok(answer.ok())
}

fn head(headers: &str) -> Vec<u8> {
    format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}").into_bytes()
}

/// A request of a body with further headers, as bytes.
fn post(further: &[u8], body: &[u8]) -> Vec<u8> {
    let counted = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    [&head(&counted), further, b"\r\n", body].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// What must become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The guard lets it pass, but it is too much for the model's own server.
    PassesToRefusal,
    /// The guard refuses it.
    Refused,
    /// It does not reach the model; who refuses it, or whether anybody answers, is open.
    Stopped,
}

fn bodies() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::{PassesToRefusal, Refused, Stopped};
    let hello = chat("Hello");
    let hello = hello.as_bytes();
    let attack = chat(ATTACK);
    let attack = attack.as_bytes();
    let encoded = |body: &[u8]| post(b"content-encoding: gzip\r\n", &gzip(body));
    let chunked = |body: &[u8]| {
        let chunked = "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        [&head(chunked), body].concat()
    };
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    let many: Vec<u8> =
        (0..HEADERS).flat_map(|n| format!("x-filler-{n}: some value of no use\r\n").into_bytes()).collect();
    let long = |length: usize| [b"x-long: ", b"v".repeat(length).as_slice(), b"\r\n"].concat();
    vec![
        ("ten thousand headers", post(&many, hello), PassesToRefusal),
        ("ten thousand headers before an attack", post(&many, attack), Refused),
        ("a header of two megabytes", post(&long(2 << 20), hello), PassesToRefusal),
        ("a header longer than Envoy takes", post(&long(9 << 20), hello), Stopped),
        ("deep JSON", post(b"", &nested(400_000)), Refused),
        (
            "deep JSON in a chat",
            post(b"", &[br#"{"messages":"#.as_slice(), &nested(200_000), b"}"].concat()),
            Refused,
        ),
        ("JSON that only opens", post(b"", &b"[".repeat(900_000)), Refused),
        (
            "an endless number",
            post(
                b"",
                &[br#"{"messages":[{"role":"user","content":"#.as_slice(), &b"9".repeat(900_000), b"}]}"]
                    .concat(),
            ),
            Refused,
        ),
        ("a gzip bomb", encoded(&vec![b' '; 200 << 20]), Refused),
        (
            "a gzip bomb of JSON",
            encoded(&[b"[".as_slice(), &b"0,".repeat(40 << 20), b"0]"].concat()),
            Refused,
        ),
        ("an attack in gzip", encoded(attack), Refused),
        (
            "gzip that is cut",
            post(b"content-encoding: gzip\r\n", gzip(attack).get(..40).unwrap_or_default()),
            Refused,
        ),
        ("gzip twice", post(b"content-encoding: gzip, gzip\r\n", &gzip(&gzip(attack))), Refused),
        ("an encoding nobody knows", post(b"content-encoding: \xff\xfe\r\n", attack), Refused),
        ("a body of 0xff", post(b"", &[0xff; 10_000]), Refused),
        (
            "a zero byte in JSON",
            post(b"", b"{\"messages\":[{\"role\":\"user\",\"content\":\"\0\"}]}"),
            Refused,
        ),
        ("one megabyte and a byte", post(b"", &[b' '; (1 << 20) + 1]), Refused),
        (
            "four megabytes in chunks",
            chunked(
                &[format!("{:x}\r\n", 4 << 20).as_bytes(), &vec![b' '; 4 << 20], b"\r\n0\r\n\r\n"].concat(),
            ),
            Refused,
        ),
        ("a chunk of no length", chunked(b"zz\r\nabc\r\n0\r\n\r\n"), Stopped),
        ("a chunk of negative length", chunked(b"-5\r\nabcde\r\n0\r\n\r\n"), Stopped),
        ("a chunk of endless length", chunked(b"ffffffffffffffffff\r\nabc\r\n"), Stopped),
        ("a chunk without its end", chunked(b"5\r\nabcdeXX3\r\nabc\r\n0\r\n\r\n"), Stopped),
        (
            "chunks and a length",
            [head("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"), b"0\r\n\r\n".to_vec()].concat(),
            Stopped,
        ),
        ("two lengths", post(b"content-length: 3\r\n", hello), Stopped),
        ("a negative length", [head("content-length: -1\r\n\r\n"), hello.to_vec()].concat(), Stopped),
        ("a line without a colon", post(b"nonsense\r\n", hello), Stopped),
        ("a control character in a name", post(b"x-\x01y: z\r\n", hello), Stopped),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Stopped),
        (
            "HTTP/2 without its end",
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xff; 300]].concat(),
            Stopped,
        ),
    ]
}

#[test]
fn hostile_requests_do_no_harm_and_do_not_get_past() -> Result<()> {
    let mut stack = stack_with("hostile", options)?;
    let port = stack.ports().envoy_unlimited;
    let mut failures = Vec::new();
    for (name, bytes, fate) in bodies() {
        forget(&stack)?;
        let answer = raw(port, &bytes).with_context(|| name.to_owned())?;
        let verdict = answer.as_ref().and_then(|answer| answer.header("x-modelgate-verdict"));
        let status = answer.as_ref().map(|answer| answer.status);
        let good = match fate {
            Fate::PassesToRefusal => (status, verdict) == (Some(431), Some("allow")),
            Fate::Refused => {
                status.is_some_and(|status| (400..500).contains(&status)) && verdict == Some("block")
            }
            Fate::Stopped => status != Some(200),
        };
        let reached = count_seen(&stack)?;
        if !good || reached != 0 {
            failures.push(format!("{name}: {status:?} {verdict:?}, {reached} reached the model"));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    every_byte_in_headers(&stack)?;
    healthy(&mut stack)
}

/// Header values, names and paths with each byte from 0x80 on: the guard reads what it needs all the same.
fn every_byte_in_headers(stack: &Stack) -> Result<()> {
    let port = stack.ports().envoy_unlimited;
    let hello = chat("Hello");
    for byte in 0x80..=0xff_u8 {
        let bytes = [byte, b'a', byte];
        let mut headers = Vec::new();
        for name in [
            "x-any",
            "authorization: Bearer ",
            "x-request-id",
            "traceparent",
            "cookie",
            "x-api-key",
            "user-agent",
        ] {
            let colon = if name.contains(':') { "" } else { ": " };
            headers.extend([name.as_bytes(), colon.as_bytes(), &bytes, b"\r\n"].concat());
        }
        let answer = raw(port, &post(&headers, hello.as_bytes()))?.context("no answer")?;
        ensure!(answer.status == 200, "byte {byte:#x} in headers: {}", answer.status);
        let attack = raw(port, &post(&headers, chat(ATTACK).as_bytes()))?.context("no answer")?;
        ensure!(attack.status == 400, "byte {byte:#x} in headers hides an attack");
        // Names and paths: Envoy may refuse them; nobody may fall over.
        raw(port, &post(&[b"x-", bytes.as_slice(), b": y\r\n"].concat(), hello.as_bytes()))?;
        raw(
            port,
            &[b"POST /v1/", bytes.as_slice(), b" HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"]
                .concat(),
        )?;
    }
    Ok(())
}

#[test]
fn callers_who_stall_leave_or_close_halfway_do_no_harm() -> Result<()> {
    let mut stack = stack_with("stalling", options)?;
    let port = stack.ports().envoy_unlimited;
    let body = chat(ATTACK);
    let whole = post(b"", body.as_bytes());
    forget(&stack)?;
    // They go at every stage of a request, orderly or with a reset.
    for end in (0..whole.len()).step_by(7).chain([whole.len() - 1, whole.len()]) {
        for resets in [false, true] {
            let mut stream = connect(port)?;
            stream.write_all(whole.get(..end).unwrap_or_default())?;
            if resets {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            }
        }
        // And one who closes its own side only.
        let mut stream = connect(port)?;
        stream.write_all(whole.get(..end).unwrap_or_default())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        ensure!(read.is_ok() || answer.is_empty(), "half-closed at {end}: {read:?}");
    }
    ensure!(count_seen(&stack)? == 0, "a part of an attack reached the model");
    slow_bodies(&stack)?;
    healthy(&mut stack)
}

/// Bodies that come byte by byte, and one that never ends, beside ordinary traffic.
fn slow_bodies(stack: &Stack) -> Result<()> {
    let port = stack.ports().envoy_unlimited;
    let drip = |text: &'static str| -> Result<Response> {
        let bytes = post(b"", chat(text).as_bytes());
        let mut stream: TcpStream = connect(port)?;
        for byte in bytes {
            stream.write_all(&[byte])?;
            thread::sleep(Duration::from_millis(4));
        }
        Response::read(&mut BufReader::new(stream), "POST")
    };
    thread::scope(|scope| {
        let attacks: Vec<_> = (0..6).map(|_| scope.spawn(|| drip(ATTACK))).collect();
        let hellos: Vec<_> = (0..6).map(|_| scope.spawn(|| drip("Hello"))).collect();
        let stuck: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    raw(
                        port,
                        &[
                            head("content-type: application/json\r\ncontent-length: 100\r\n\r\n"),
                            b"{".to_vec(),
                        ]
                        .concat(),
                    )
                })
            })
            .collect();
        while !attacks.iter().all(thread::ScopedJoinHandle::is_finished) {
            let start = Instant::now();
            ensure!(ask(port, "What is a fjord?")?.status == 200);
            ensure!(
                start.elapsed() < Duration::from_secs(5),
                "ordinary traffic waited {:?}",
                start.elapsed()
            );
        }
        for (threads, status) in [(attacks, 400), (hellos, 200)] {
            for thread in threads {
                let answer = thread.join().ok().context("a thread panicked")??;
                ensure!(answer.status == status, "{} instead of {status}", answer.status);
            }
        }
        for thread in stuck {
            let answer = thread.join().ok().context("a thread panicked")??;
            let status = answer.map(|answer| answer.status);
            ensure!(status == Some(408), "a body that never came was answered with {status:?}");
        }
        Ok(())
    })
}

#[test]
fn models_that_misbehave_do_no_harm_and_see_nothing_unjudged() -> Result<()> {
    let rude = Rude::start()?;
    let mut stack = stack_with("rude-models", |given| {
        options(given);
        given.upstream = format!("http://127.0.0.1:{}", rude.port()).parse().ok();
    })?;
    let port = stack.ports().envoy_unlimited;
    // Sentences that say something: among half a megabyte of senseless ones some are worth a report.
    let parcel = |n: usize| {
        let (others, day) = (n * 7 % 91, n % 30);
        format!("Parcel {n} of the morning left the depot with {others} others and arrived on day {day}. ")
    };
    let long = chat(&(0..6500).map(parcel).collect::<String>());
    for manners in Manners::BAD {
        rude.behave(manners);
        let before = rude.heads().len();
        for body in [chat(ATTACK), chat(&format!("{} {ATTACK}", Random::default().prose(400_000)))] {
            let answer = raw(port, &post(b"", body.as_bytes()))?.context("no answer")?;
            ensure!(answer.status == 400, "{manners:?}: an attack got {}", answer.status);
        }
        ensure!(rude.heads().len() == before, "{manners:?}: a refused request reached the model");
        for body in [chat("Hello").as_bytes(), long.as_bytes()] {
            // What becomes of it is the model's affair; but it ends, and it was judged.
            if let Some(answer) = raw(port, &post(b"", body))? {
                let verdict = answer.header("x-modelgate-verdict");
                // Envoy answers by itself, past all filters, where an answer breaks off that is held to be judged.
                let is_envoys = manners == Manners::BreaksOff && answer.status == 502 && verdict.is_none();
                ensure!(verdict == Some("allow") || is_envoys, "{manners:?}: {} {verdict:?}", answer.status);
                let may_succeed = manners == Manners::AnswersEarly;
                ensure!(may_succeed || answer.status >= 500, "{manners:?}: {}", answer.status);
            }
        }
        ensure!(rude.heads().len() > before, "{manners:?}: nothing reached the model");
    }
    rude.behave(Manners::Behaves);
    healthy(&mut stack)
}

/// A host that cannot hold headers back, as Istio's WasmPlugin configures it, with the variable that says so; and the
/// build for hosts that lack some of Envoy's calls.
#[test]
fn where_headers_cannot_wait_bodies_do_and_early_answers_are_kept_back() -> Result<()> {
    let paths = Paths::find();
    for is_portable in [false, true] {
        let rude = Rude::start()?;
        let mut stack = stack_with(&format!("pass-headers-{is_portable}"), |given| {
            options(given);
            given.upstream = format!("http://127.0.0.1:{}", rude.port()).parse().ok();
            let edit = |from: &str, to: &str| (from.to_owned(), to.to_owned());
            given.envoy_edits.push(edit(
                "allow_on_headers_stop_iteration: true",
                "allow_on_headers_stop_iteration: false",
            ));
            if is_portable {
                let filter = paths.test_filter("portable").display().to_string();
                given.envoy_edits.push(edit("target/dist/modelgate.wasm", &filter));
            } else {
                let keys = "host_env_keys: [MODELGATE_WEBHOOK_KEY]";
                given.envoy_edits.push(edit(
                    keys,
                    &format!("{keys}\n                    key_values: {{ MODELGATE_HEADERS: pass }}"),
                ));
            }
        })?;
        let port = stack.ports().envoy_unlimited;
        rude.behave(Manners::Sulks);
        for body in [chat(ATTACK), chat(&format!("{} {ATTACK}", Random::default().prose(200_000)))] {
            let answer = raw(port, &post(b"", body.as_bytes()))?.context("no answer")?;
            ensure!(answer.status == 400, "an attack got {}", answer.status);
        }
        // The head may have arrived, not a byte of a body.
        ensure!(rude.bodies() == 0, "{} bytes of refused bodies reached the model", rude.bodies());
        // An upstream that answers while the caller still sends.
        rude.behave(Manners::AnswersEarly);
        let body = chat("What is a heron?");
        let (first, rest) = body.as_bytes().split_at(10);
        let mut stream = connect(port)?;
        let counted = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[&head(&counted), first].concat())?;
        thread::sleep(Duration::from_millis(1500));
        // Envoy may have closed by now.
        let sent = stream.write_all(rest);
        let answer =
            Response::read(&mut BufReader::new(stream), "POST").with_context(|| format!("{sent:?}"))?;
        let verdict = answer.header("x-modelgate-verdict");
        ensure!((answer.status, verdict) == (503, Some("block")), "{} {verdict:?}", answer.status);
        if !is_portable {
            let counted: u64 = stats(&stack, "modelgate_bypassed_total")?.values().sum();
            ensure!(counted == 1, "counted {counted} times");
        }
        rude.behave(Manners::Behaves);
        healthy(&mut stack)?;
    }
    Ok(())
}
