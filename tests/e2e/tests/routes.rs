//! One edge worker in front of several model APIs: which request goes where, with what, and how long it is waited for.

#![allow(clippy::indexing_slicing, reason = "a missing field is null and fails the test")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{ATTACK, CHAT, ask, chat, event_id, eventually, pieces::connect, stack_with, stored};
use serde_json::{Value, json};
use xtask::{
    Paths,
    http::{Request, Response},
    stack::{Part, Stack},
};

/// The upstream, which ends with the test.
struct Upstream(Child);

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In the place of the stand-in model stands an upstream that tells what reached it.
fn start(name: &str) -> Result<(Stack, Upstream)> {
    let model = "http://127.0.0.1:9700";
    let routes = json!([
        {"path": "/openai", "upstream": model, "credential": {"secret": "OPENAI_KEY"}},
        {"path": "/openai/special", "upstream": format!("{model}/base"), "name": "special"},
        {"path": "/claude", "upstream": model, "policy": "MONITORING",
            "credential": {"header": "x-api-key", "secret": "OTHER_KEY"}},
        {"path": "/patient", "upstream": model, "retries": 2, "timeout_ms": 1500},
        {"path": "/iris", "upstream": model, "protocol": "kserve_v2"},
    ]);
    let text = |value: &Value| value.to_string().replace('"', "\\\"");
    let monitoring =
        json!({"model": {"name": "watched"}, "mode": "monitor", "unscannable": {"websocket": "allow"}});
    let bindings = format!(
        r#"(name = "NODE", text = "workerd"), (name = "ROUTES", text = "{}"), (name = "MONITORING", text = "{}"),
        (name = "OPENAI_KEY", text = "sk-ours"), (name = "OTHER_KEY", text = "sk-other"),
        (name = "CORS", text = "{}")"#,
        text(&routes),
        text(&monitoring),
        text(&json!({"origins": ["https://app.example"]})),
    );
    let stack = stack_with(name, |options| {
        options.parts = vec![Part::Mailbox, Part::Relay, Part::Edge];
        options.edge_edits.push((r#"(name = "NODE", text = "workerd")"#.into(), bindings));
    })?;
    let script = Paths::find().root.join("tests/e2e/hosts/upstream.mjs");
    let port = stack.ports().model;
    let child = Command::new("node").arg(script).arg(port.to_string()).stdin(Stdio::null()).spawn()?;
    let upstream = Upstream(child);
    eventually("the upstream", || Ok(connect(port).ok()))?;
    Ok((stack, upstream))
}

fn told(answer: &Response) -> Result<Value> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    serde_json::from_slice(&answer.body).with_context(|| answer.text())
}

#[test]
fn each_path_goes_to_its_model_with_its_policy_and_credential() -> Result<()> {
    let (stack, _upstream) = start("routes")?;
    let port = stack.ports().edge;
    let openai = format!("/openai{CHAT}?x=1");
    let asked = Request::post(port, &openai, chat("Hello")).header("authorization", "Bearer sk-the-callers");
    let seen = told(&asked.send()?)?;
    ensure!(seen["url"] == format!("{CHAT}?x=1"), "{seen}");
    ensure!(seen["headers"]["authorization"] == "Bearer sk-ours", "{seen}");
    let special = told(&Request::post(port, &format!("/openai/special{CHAT}"), chat("Hello")).send()?)?;
    ensure!(special["url"] == format!("/base{CHAT}"), "the longest path counts: {special}");
    ensure!(special["headers"]["authorization"].is_null(), "{special}");
    let claude = Request::post(port, "/claude/v1/messages", chat("Hello")).header("x-api-key", "callers");
    let claude = told(&claude.send()?)?;
    ensure!(claude["headers"]["x-api-key"] == "sk-other", "{claude}");
    // By the route's own policy an attack is refused here and reported there.
    let refused = Request::post(port, &format!("/openai/special{CHAT}"), chat(ATTACK)).send()?;
    ensure!(refused.status == 400, "{}", refused.status);
    let event = stored(&stack, event_id(&refused)?)?;
    ensure!((event.route.as_str(), event.request.path.as_str()) == ("special", CHAT), "{event:?}");
    let watched = Request::post(port, &format!("/claude{CHAT}"), chat(ATTACK)).send()?;
    ensure!(watched.status == 200 && watched.header("x-modelgate-verdict") == Some("flag"));
    ensure!(stored(&stack, event_id(&watched)?)?.model == "watched");
    // And by its protocol: a body of another one is no input of it.
    let iris = Request::post(
        port,
        "/iris/anything",
        r#"{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1e999]}]}"#,
    );
    ensure!(iris.send()?.status == 400);
    let nowhere = ask(port, "Hello")?;
    ensure!(nowhere.status == 404, "{}", nowhere.status);
    let beside = Request::post(port, &format!("/openaix{CHAT}"), chat("Hello")).send()?;
    ensure!(beside.status == 404, "the path ends at a slash: {}", beside.status);
    Ok(())
}

#[test]
fn what_may_be_repeated_is_asked_again_and_nothing_is_waited_for_without_end() -> Result<()> {
    let (stack, _upstream) = start("retries")?;
    let port = stack.ports().edge;
    let again = told(&Request::get(port, "/patient/flaky").send()?)?;
    ensure!(again["calls"] == 3, "{again}");
    // A POST is made again only where its caller says that it may be.
    let stalled = Request::post(port, "/patient/stall/v1/chat/completions", chat("Hello")).send()?;
    ensure!(stalled.status == 504, "{}", stalled.status);
    ensure!(stalled.text().contains("upstream_unavailable"), "{}", stalled.text());
    Ok(())
}

#[test]
fn browsers_are_told_who_may_call() -> Result<()> {
    let (stack, _upstream) = start("cors")?;
    let port = stack.ports().edge;
    let preflight = |origin: &str| -> Result<Response> {
        let mut stream = connect(port)?;
        write!(
            stream,
            "OPTIONS /openai{CHAT} HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\nconnection: close\r\n\r\n"
        )?;
        Response::read(&mut BufReader::new(stream), "OPTIONS")
    };
    let may = preflight("https://app.example")?;
    ensure!(may.status == 204, "{}", may.status);
    ensure!(may.header("access-control-allow-origin") == Some("https://app.example"));
    ensure!(may.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization")));
    let other = preflight("https://evil.example")?;
    ensure!(other.status == 403 && other.header("access-control-allow-origin").is_none());
    let asked = |origin: &str| {
        Request::post(port, &format!("/openai{CHAT}"), chat("Hello")).header("origin", origin).send()
    };
    ensure!(asked("https://app.example")?.header("access-control-allow-origin").is_some());
    ensure!(asked("https://evil.example")?.header("access-control-allow-origin").is_none());
    Ok(())
}

#[test]
fn a_web_socket_passes_where_the_policy_lets_it_and_nowhere_else() -> Result<()> {
    let (stack, _upstream) = start("web-socket")?;
    let port = stack.ports().edge;
    let upgrade = |path: &str| -> Result<(String, BufReader<std::net::TcpStream>)> {
        let mut stream = connect(port)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status)?;
        Ok((status, reader))
    };
    let (refused, _) = upgrade("/openai/v1/realtime")?;
    ensure!(refused.contains(" 4"), "{refused}");
    let (status, mut reader) = upgrade("/claude/v1/realtime")?;
    ensure!(status.contains("101"), "{status}");
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    // A text of two letters, masked with zeros (RFC 6455, section 5.2).
    reader.get_mut().write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])?;
    let mut back = [0; 4];
    reader.read_exact(&mut back)?;
    ensure!(back == [0x81, 2, b'h', b'i'], "{back:?}");
    Ok(())
}
