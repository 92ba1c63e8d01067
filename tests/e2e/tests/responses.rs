//! What the model answers, through the guard: masked in place, cut with a proper ending, restored, not delayed.

#![allow(clippy::indexing_slicing, reason = "a missing field is null and fails the test")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use modelgate_e2e::{
    CHAT, Door, database,
    envoy::{count_left, sha256},
    event_id, eventually,
    pieces::{Framing, connect, listen},
    stack_with_policy, stored,
};
use serde_json::{Value, json};
use wire::Direction;
use xtask::{
    Paths,
    http::{Request, Response},
    stack::Stack,
};

const KEY: &str = "sk-proj-A7VrOQ2QUiejgd0jRY3j1rnEpk0MQCKgUucmk43e9c";
const CANARY: &str = "Kestrel-7f3a-Harbour";
const MESSAGES: &str = "/v1/messages";
const PROSE: &str = "Nobody minds the rain in the valley, for the apples are sweet there, and Grüße 🍎 too. ";

/// A stack whose guards mask credentials, cut at canaries, mask addresses in requests and put them back.
fn stack(name: &str) -> Result<Stack> {
    let rules = json!({
        "detect": {"canaries": [CANARY], "pii": "mask"},
        "response": {"canary": "block", "restore": true},
        "headers": {"nosniff": true},
        "input": {"clamp_tokens": 50},
        "report": {"advise_upstream": true},
    });
    stack_with_policy(name, &rules, |_| {})
}

fn question(path: &str, text: &str, stream: bool) -> Value {
    let mut question =
        json!({"model": "demo", "stream": stream, "messages": [{"role": "user", "content": text}]});
    if path == MESSAGES {
        question["max_tokens"] = json!(500);
    }
    question
}

/// Asks for an answer that says this, in deltas of three characters and writes of 97 bytes.
fn ask(stack: &Stack, door: Door, path: &str, says: &str, stream: bool) -> Result<Response> {
    ask_in_writes(stack, door, path, says, stream, 97)
}

/// The same in writes of so many bytes, five milliseconds apart.
fn ask_in_writes(
    stack: &Stack,
    door: Door,
    path: &str,
    says: &str,
    stream: bool,
    bytes: usize,
) -> Result<Response> {
    Request::post(
        door.unlimited(&stack.ports()),
        path,
        question(path, "What is the word?", stream).to_string(),
    )
    .header("x-stand-in-say", &STANDARD.encode(says))
    .header("x-stand-in-delta", "3")
    .header("x-stand-in-write", &bytes.to_string())
    .header("accept-encoding", "gzip")
    .send()
}

/// What a stream says, and its events.
fn said(stream: &str) -> Result<(String, Vec<Value>)> {
    let mut text = String::new();
    let mut events = Vec::new();
    for line in stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|line| *line != "[DONE]")
    {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let delta = event.pointer("/choices/0/delta/content").or_else(|| event.pointer("/delta/text"));
        text.push_str(delta.and_then(Value::as_str).unwrap_or_default());
        events.push(event);
    }
    Ok((text, events))
}

fn each(check: impl Fn(Door, &'static str) -> Result<()>) -> Result<()> {
    let mut failures = Vec::new();
    for door in Door::ALL {
        for path in [CHAT, MESSAGES] {
            if let Err(error) = check(door, path) {
                failures.push(format!("{door:?} {path}: {error:#}"));
            }
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

#[test]
fn answers_are_masked_cut_and_restored_at_every_door() -> Result<()> {
    let stack = stack("responses")?;
    let leak = format!("{}The key is {KEY}, they say. {PROSE}", PROSE.repeat(9));
    let masked = leak.replace(KEY, "[redacted]");
    each(|door, path| {
        let answer = ask(&stack, door, path, &leak, true)?;
        let (text, events) = said(&answer.text())?;
        ensure!(text == masked, "streamed: {text}");
        ensure!(events.len() > 300, "{} events", events.len());
        ensure!(answer.header("x-content-type-options") == Some("nosniff"), "{:?}", answer.headers);
        ensure!(answer.header("content-type") == Some("text/event-stream"), "{:?}", answer.headers);
        Ok(())
    })?;
    each(|door, path| {
        let answer = ask(&stack, door, path, &leak, false)?;
        let text = answer.json()?;
        let text = text.pointer("/choices/0/message/content").or_else(|| text.pointer("/content/0/text"));
        ensure!(text == Some(&json!(masked)), "whole: {text:?}");
        ensure!(answer.header("x-modelgate-verdict") == Some("mask"), "{:?}", answer.headers);
        let length = answer.header("content-length").context("no content-length")?;
        ensure!(length == answer.body.len().to_string(), "{length} for {}", answer.body.len());
        let event = stored(&stack, event_id(&answer)?)?;
        ensure!(event.direction == Direction::Response, "{event:?}");
        ensure!(event.findings.iter().any(|finding| finding.rule.starts_with("secret.")), "{event:?}");
        Ok(())
    })?;
    let canary = format!("{}The word is {CANARY}. {}", PROSE.repeat(9), PROSE.repeat(9));
    each(|door, path| {
        // A model that is through before anybody loses patience with it, so that the stream ends as it should.
        let answer = ask_in_writes(&stack, door, path, &canary, true, 970)?.text();
        let (text, events) = said(&answer)?;
        ensure!(text.starts_with(PROSE) && !text.contains("Kest"), "cut: {text}");
        let last = events.last().context("no event")?;
        if path == CHAT {
            ensure!(last.pointer("/choices/0/finish_reason") == Some(&json!("content_filter")), "{last}");
            ensure!(answer.ends_with("\n\ndata: [DONE]\n\n"), "{answer}");
        } else {
            ensure!(last.pointer("/type") == Some(&json!("error")), "{last}");
        }
        let whole = ask(&stack, door, path, &canary, false)?;
        ensure!(whole.status == 400 && !whole.text().contains(CANARY), "{} {}", whole.status, whole.text());
        ensure!(whole.header("x-modelgate-verdict") == Some("block"), "{:?}", whole.headers);
        ensure!(whole.header("x-content-type-options") == Some("nosniff"), "{:?}", whole.headers);
        Ok(())
    })?;
    each(|door, path| restored(&stack, door, path))?;
    each(|door, path| {
        for stream in [false, true] {
            let plain = ask(&stack, door, path, PROSE, stream)?;
            let direct = Request::post(
                stack.ports().model,
                path,
                question(path, "What is the word?", stream).to_string(),
            )
            .header("x-stand-in-say", &STANDARD.encode(PROSE))
            .header("x-stand-in-delta", "3")
            .send()?;
            ensure!(plain.body == direct.body, "a clean answer is changed: {}", plain.text());
        }
        Ok(())
    })
}

/// An address goes to the model as a placeholder, and comes back as itself.
fn restored(stack: &Stack, door: Door, path: &str) -> Result<()> {
    modelgate_e2e::envoy::forget(stack)?;
    let asked = question(path, "Write to jane.roe@harbourmail.net, please.", true);
    let answer = Request::post(door.unlimited(&stack.ports()), path, asked.to_string())
        .header("x-stand-in-say", &STANDARD.encode("Dear [EMAIL_1], hello."))
        .header("x-stand-in-delta", "2")
        .send()?;
    ensure!(answer.header("x-modelgate-verdict") == Some("mask"), "{:?}", answer.headers);
    let (text, _) = said(&answer.text())?;
    ensure!(text == "Dear jane.roe@harbourmail.net, hello.", "{text}");
    let seen = modelgate_e2e::envoy::seen(stack)?;
    let seen = seen.last().context("nothing reached the model")?;
    let mut sent = asked.to_string().replace("jane.roe@harbourmail.net", "[EMAIL_1]");
    if path == MESSAGES {
        sent = sent.replace("500", "50");
    }
    ensure!(seen.body_sha256 == sha256(sent.as_bytes()), "the model got something else than {sent}");
    ensure!(seen.header("content-length") == Some(&sent.len().to_string()), "{:?}", seen.headers);
    ensure!(seen.header("x-modelgate-verdict") == Some("mask"), "{:?}", seen.headers);
    Ok(())
}

#[test]
fn the_first_byte_of_a_stream_does_not_wait_for_its_text() -> Result<()> {
    let stack = stack("responses-first-byte")?;
    for door in Door::ALL {
        let body = question(CHAT, "What is the word?", true).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", door.unlimited(&stack.ports())))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let says = STANDARD.encode(PROSE.repeat(6));
        write!(
            stream,
            "POST {CHAT} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-stand-in-say: {says}\r\nx-stand-in-delta: 2\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let start = Instant::now();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            ensure!(reader.read_line(&mut line)? > 0, "{door:?}: no event");
        }
        let first = start.elapsed();
        ensure!(line.contains(r#""role":"assistant""#), "{door:?}: {line}");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest)?;
        let all = start.elapsed();
        // The model takes 5 ms for each of its more than 250 events.
        ensure!(all > Duration::from_millis(1200), "{door:?}: all took {all:?}");
        ensure!(first * 4 < all, "{door:?}: the first event came after {first:?} of {all:?}");
    }
    Ok(())
}

#[test]
fn a_stream_that_was_cut_ends_although_the_model_goes_on_or_says_no_more() -> Result<()> {
    let stack = stack("responses-cut")?;
    let canary = STANDARD.encode(format!("{}The word is {CANARY}. {}", PROSE.repeat(2), PROSE.repeat(40)));
    let body = question(CHAT, "What is the word?", true).to_string();
    // The one would take half a minute more, the other for ever.
    let cases: [(&str, &[(&str, &str)]); 2] = [
        ("goes on", &[("x-stand-in-write", "40")]),
        ("is silent", &[("x-stand-in-write", "1000"), ("x-stand-in-stall", "60")]),
    ];
    let mut left = 0;
    for door in Door::ALL {
        for framing in [Framing::Counted, Framing::Http2] {
            if door == Door::Edge && framing == Framing::Http2 {
                continue;
            }
            for (case, more) in cases {
                let headers =
                    [more, &[("x-stand-in-say", canary.as_str()), ("x-stand-in-delta", "3")]].concat();
                let port = door.unlimited(&stack.ports());
                let told = listen(port, CHAT, framing, &headers, &body)
                    .with_context(|| format!("{door:?} {framing:?} {case}"))?;
                let text = String::from_utf8(told.body)?;
                let what = format!("{door:?} {framing:?} {case}: {:?}, {text}", told.took);
                ensure!(
                    text.contains(r#""finish_reason":"content_filter""#) && !text.contains("Kest"),
                    "{what}"
                );
                ensure!(text.ends_with("\n\ndata: [DONE]\n\n"), "{what}");
                // The host of the edge worker lets a stream end; Envoy can only be told to break it off.
                ensure!(told.is_whole == (door == Door::Edge), "{what}");
                left += 1;
                eventually("the model is left", || Ok((count_left(&stack)? == left).then_some(())))?;
            }
        }
    }
    Ok(())
}

/// How many events about answers the relay has stored.
fn reported(stack: &Stack) -> Result<i64> {
    let about = "SELECT count(*) FROM events WHERE body LIKE '%\"direction\":\"response\"%'";
    Ok(database(stack)?.query_row(about, [], |row| row.get(0))?)
}

#[test]
fn a_caller_who_leaves_a_stream_frees_the_model_and_loses_no_event() -> Result<()> {
    let stack = stack("responses-left")?;
    let says = STANDARD.encode(format!("The key is {KEY}, they say. {}", PROSE.repeat(40)));
    let body = question(CHAT, "What is the word?", true).to_string();
    let (mut left, mut events) = (0, 0);
    for door in Door::ALL {
        // The model goes on, or says no more and does not end.
        for more in ["x-stand-in-write: 40", "x-stand-in-write: 1000\r\nx-stand-in-stall: 90"] {
            let mut stream = connect(door.unlimited(&stack.ports()))?;
            write!(
                stream,
                "POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nx-stand-in-say: {says}\r\n\
                 x-stand-in-delta: 3\r\n{more}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let (mut reader, mut line) = (BufReader::new(stream), String::new());
            while !line.contains("[redacted]") {
                line.clear();
                ensure!(reader.read_line(&mut line)? > 0, "{door:?} {more}: it ended");
                ensure!(!line.contains("sk-proj"), "{door:?} {more}: {line}");
            }
            drop(reader);
            left += 1;
            let what = format!("{door:?} {more}: the model is left");
            eventually(&what, || Ok((count_left(&stack)? == left).then_some(())))?;
            events += 1;
            let what = format!("{door:?} {more}: the event");
            eventually(&what, || Ok((reported(&stack)? == events).then_some(())))?;
            // Whoever comes next is judged as ever.
            let next = ask(&stack, door, CHAT, &format!("The key is {KEY}."), false)?;
            ensure!(
                next.header("x-modelgate-verdict") == Some("mask"),
                "{door:?} {more}: {:?}",
                next.headers
            );
            events += 1;
        }
    }
    Ok(())
}

/// What the relay has stored about answers: of each event the rules, and where each matched.
fn found_in_answers(stack: &Stack) -> Result<Vec<Value>> {
    let about = "SELECT body FROM events WHERE body LIKE '%\"direction\":\"response\"%'";
    let database = database(stack)?;
    let mut query = database.prepare(about)?;
    let bodies = query.query_map([], |row| row.get::<_, String>(0))?;
    bodies
        .map(|body| {
            let mut event: Value = serde_json::from_str(&body?)?;
            Ok(event["findings"].take())
        })
        .collect()
}

#[test]
fn a_stream_cut_at_every_byte_gives_what_it_gives_whole() -> Result<()> {
    let stack = stack("responses-every-byte")?;
    let says = format!("Grüße 🍎, the key is {KEY}, they say.");
    let masked = says.replace(KEY, "[redacted]");
    for (number, (door, path)) in
        Door::ALL.into_iter().flat_map(|door| [CHAT, MESSAGES].map(|path| (door, path))).enumerate()
    {
        let stream_in_writes = |bytes: usize| -> Result<String> {
            let port = door.unlimited(&stack.ports());
            let answer = Request::post(port, path, question(path, "What is the word?", true).to_string())
                .header("x-stand-in-say", &STANDARD.encode(&says))
                .header("x-stand-in-delta", "20")
                .header("x-stand-in-write", &bytes.to_string())
                .send()?;
            Ok(answer.text())
        };
        let whole = stream_in_writes(1 << 20)?;
        let cut = stream_in_writes(1)?;
        for (how, stream) in [("whole", &whole), ("cut at every byte", &cut)] {
            let (text, events) = said(stream)?;
            ensure!(text == masked && events.len() > 2, "{door:?} {path} {how}: {stream}");
        }
        let what = format!("{door:?} {path}: the events");
        let events = eventually(&what, || {
            let events = found_in_answers(&stack)?;
            Ok((events.len() == 2 * (number + 1)).then_some(events))
        })?;
        let [.., first, second] = &*events else { bail!("{what}: {events:?}") };
        ensure!(first == second, "{what} differ: {first} {second}");
        let rules = first.as_array().context("no findings")?;
        let secret =
            |finding: &Value| finding["rule"].as_str().is_some_and(|rule| rule.starts_with("secret."));
        ensure!(rules.iter().any(secret), "{what}: {first}");
    }
    Ok(())
}

/// What a script of an official SDK tells of an answer with a key in it and of one with a canary, through a door.
fn answers_by_sdk(stack: &Stack, door: Door, script: &str, base: &str) -> Result<Value> {
    let paths = Paths::find();
    let leak = format!("The key is {KEY}.");
    let canary = format!("{PROSE}The word is {CANARY}.");
    let output = Command::new("node")
        .arg(paths.root.join("tests/e2e/sdk").join(script))
        .arg(format!("http://127.0.0.1:{}{base}", door.unlimited(&stack.ports())))
        .args([STANDARD.encode(&leak), STANDARD.encode(&canary)])
        .current_dir(paths.node())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn the_official_clients_read_what_was_masked_and_what_was_cut() -> Result<()> {
    let stack = stack("responses-sdk")?;
    for door in Door::ALL {
        let told = answers_by_sdk(&stack, door, "openai_answers.mjs", "/v1")?;
        ensure!(
            told["masked"] == json!({"text": "The key is [redacted].", "finish": "stop"}),
            "{door:?}: {told}"
        );
        ensure!(told["cut"]["finish"] == "content_filter", "{door:?}: {told}");
        let refused = json!({"class": "BadRequestError", "code": "content_filter"});
        ensure!(told["refused"] == refused, "{door:?}: {told}");

        let told = answers_by_sdk(&stack, door, "anthropic_answers.mjs", "")?;
        let masked = json!({"text": "The key is [redacted].", "stop": "end_turn", "error": null});
        ensure!(told["masked"] == masked, "{door:?}: {told}");
        let cut = &told["cut"];
        ensure!(cut["text"].as_str().is_some_and(|text| !text.contains("Kest")), "{door:?}: {told}");
        ensure!(
            cut["error"] == json!({"class": "APIError", "type": "invalid_request_error"}),
            "{door:?}: {told}"
        );
        let refused = json!({"class": "BadRequestError", "type": "invalid_request_error"});
        ensure!(told["refused"] == refused, "{door:?}: {told}");
    }
    Ok(())
}
