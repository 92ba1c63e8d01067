//! What the edge worker keeps in Durable Objects, on workerd: the ledger of clients, the outbox, the decisions.

#![allow(clippy::indexing_slicing, reason = "a missing field is null and fails the test")]

use std::{
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use modelgate_e2e::{
    ATTACK, CHAT, ask, chat, event_id, eventually, stack_with, stored, times_stored, within_a_minute,
};
use serde_json::{Value, json};
use xtask::{
    Paths,
    http::{Request, Response},
    stack::{Options, Part, Stack},
};

/// The policy in the demo's configuration, as its text.
const POLICY: &str = r#"{\"model\":{\"name\":\"demo\"}}"#;

fn edge(name: &str, policy: &Value, edits: &[(&str, &str)]) -> Result<Stack> {
    edge_with(name, policy, edits, |_| {})
}

fn edge_with(
    name: &str,
    policy: &Value,
    edits: &[(&str, &str)],
    change: impl FnOnce(&mut Options),
) -> Result<Stack> {
    stack_with(name, |options: &mut Options| {
        change(options);
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Edge];
        let policy = policy.to_string().replace('"', "\\\"");
        // The demo's own worker only.
        options.edge_edits.push((format!("\"{POLICY}\""), format!("\"{policy}\"")));
        for (from, to) in edits {
            options.edge_edits.push(((*from).into(), (*to).into()));
        }
    })
}

/// A chat with a key.
fn with_key(port: u16, key: &str, text: &str) -> Result<Response> {
    Request::post(port, CHAT, chat(text)).header("authorization", &format!("Bearer {key}")).send()
}

/// How many of `each` requests of each of eight clients at once pass, who share a key.
fn passed(port: u16, key: &str, each: usize) -> Result<usize> {
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let passed = &passed;
                scope.spawn(move || -> Result<()> {
                    for number in 0..each {
                        let answer = with_key(port, key, &format!("Question {number} of client {client}"))?;
                        let verdict = answer.header("x-modelgate-verdict");
                        match answer.status {
                            200 => drop(passed.fetch_add(1, Ordering::Relaxed)),
                            429 => ensure!(verdict == Some("throttle"), "{verdict:?}"),
                            status => bail!("answered with {status}"),
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow::anyhow!("panicked"))?)
    })?;
    Ok(passed.into_inner())
}

fn limited(limit: u32) -> Value {
    json!({
        "model": {"name": "demo"},
        "identity": {"client": "api_key"},
        "limits": {"max_requests_per_minute": limit, "burst": 1_000_000},
    })
}

#[test]
fn a_limit_holds_exactly_for_eight_clients_with_one_key_and_across_a_restart() -> Result<()> {
    let mut stack = edge("edge-ledger", &limited(60), &[])?;
    let port = stack.ports().edge;
    within_a_minute(30);
    let first = passed(port, "sk-shared-by-eight", 15)?;
    ensure!(first == 60, "{first} of 120 requests passed");
    // Another client is not held to it.
    ensure!(with_key(port, "sk-other", "Hello")?.status == 200);
    // The counts are not in the memory of the process.
    stack.kill(Part::Edge);
    stack.restart(Part::Edge)?;
    let again = with_key(port, "sk-shared-by-eight", "Hello")?;
    ensure!(again.status == 429, "after a restart: {}", again.status);
    ensure!(again.header("retry-after").is_some());
    ensure!(with_key(port, "sk-third", "Hello")?.status == 200);
    Ok(())
}

#[test]
fn a_ledger_in_memory_holds_too_and_starts_anew_with_the_worker() -> Result<()> {
    let mut stack = edge(
        "edge-memory",
        &limited(10),
        &[("(name = \"LEDGER_SHARDS\", text = \"16\")", "(name = \"LEDGER\", text = \"memory\")")],
    )?;
    let port = stack.ports().edge;
    within_a_minute(30);
    ensure!(passed(port, "sk-in-memory", 2)? == 10);
    stack.restart(Part::Edge)?;
    ensure!(passed(port, "sk-in-memory", 2)? == 10, "memory forgets");
    Ok(())
}

#[test]
fn repeats_and_failures_are_counted_in_the_object_too() -> Result<()> {
    let policy = json!({
        "model": {"name": "demo"},
        "limits": {"max_repeats": 3, "repeats": "block", "failed_attempts": "block", "failed_attempts_threshold": 2},
    });
    let mut stack = edge("edge-sense", &policy, &[])?;
    let port = stack.ports().edge;
    let same = "Tell me about the harbour of Bergen and how its wharves were built over time.";
    for number in 0..3 {
        ensure!(ask(port, same)?.status == 200, "the question no. {number}");
        // What a request adds reaches the object a moment later.
        thread::sleep(Duration::from_millis(200));
    }
    stack.restart(Part::Edge)?;
    let fourth = ask(port, same)?;
    ensure!(fourth.status == 429, "the fourth time: {}", fourth.status);
    // A throttled repeat is no failed attempt; two attacks are, and bring a penalty.
    for _ in 0..2 {
        ensure!(ask(port, ATTACK)?.status == 400);
    }
    eventually("a penalty", || Ok((ask(port, "Good morning")?.status == 429).then_some(())))?;
    Ok(())
}

#[test]
fn a_relay_outage_loses_no_critical_event_even_across_a_restart() -> Result<()> {
    let mut stack =
        edge("edge-outbox", &json!({"model": {"name": "demo"}, "limits": {"enabled": false}}), &[])?;
    let port = stack.ports().edge;
    stack.stop(Part::Relay);
    let mut ids = Vec::new();
    for number in ["A", "B", "C", "D", "E"] {
        // Put together here, so that no scanner takes this file for a leak.
        let key = ["AKIA", "Q3EGRT7ZKLMW2XP", number].concat();
        let answer = ask(port, &format!("Why is aws_access_key_id = {key} refused?"))?;
        ids.push(event_id(&answer)?);
    }
    // As a crash: what was reported of a request that was refused is written down.
    stack.kill(Part::Edge);
    stack.restart(Part::Edge)?;
    stack.restart(Part::Relay)?;
    for id in ids {
        stored(&stack, id)?;
        ensure!(times_stored(&stack, id)? == 1);
    }
    Ok(())
}

#[test]
fn a_queue_carries_critical_events_over_an_outage_of_the_relay() -> Result<()> {
    let script = std::fs::read_to_string(Paths::find().root.join("tests/e2e/hosts/queue.mjs"))?;
    let script = script.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let queue = format!(
        r#"const queue :Workerd.Worker = (
          modules = [(name = "queue.mjs", esModule = "{script}")],
          bindings = [(name = "CONSUMER", service = "guarded")],
          compatibilityDate = "2026-11-01", compatibilityFlags = ["service_binding_extra_handlers"],
        );

        const guarded :Workerd.Worker = ("#
    );
    let edits = [
        ("const guarded :Workerd.Worker = (", queue.as_str()),
        (
            r#"(name = "guarded", worker = .guarded),"#,
            r#"(name = "guarded", worker = .guarded), (name = "queue", worker = .queue),"#,
        ),
        (
            r#"(name = "NODE", text = "workerd"),"#,
            r#"(name = "NODE", text = "workerd"), (name = "OUTBOX", text = "queue"), (name = "OUTBOX_QUEUE", queue = "queue"),"#,
        ),
    ];
    let policy = json!({"model": {"name": "demo"}, "limits": {"enabled": false}});
    let mut stack = edge_with("edge-queue", &policy, &edits, |options| options.edge_experimental = true)?;
    let port = stack.ports().edge;
    stack.stop(Part::Relay);
    let mut ids = Vec::new();
    for number in ["A", "B", "C"] {
        let key = ["AKIA", "Q3EGRT7ZKLMW2XP", number].concat();
        let answer = ask(port, &format!("Why is aws_access_key_id = {key} refused?"))?;
        ensure!(answer.status == 400, "{}", answer.status);
        ids.push(event_id(&answer)?);
    }
    thread::sleep(Duration::from_secs(1));
    stack.restart(Part::Relay)?;
    for id in ids {
        let event = stored(&stack, id)?;
        ensure!(event.findings.iter().any(|finding| finding.rule.starts_with("secret.")), "{event:?}");
        ensure!(times_stored(&stack, id)? == 1, "delivered twice, stored twice");
    }
    Ok(())
}

/// Has the relay decide about callers.
fn decide(stack: &Stack, scope: &str, value: &str, action: &str) -> Result<()> {
    let rate = (action == "throttle").then_some(1);
    let decision = json!({
        "scope": scope, "value": value, "action": action, "rate": rate, "seconds": 600, "reason": "a test",
    });
    let answer = Request::post(stack.ports().relay, "/v1/decisions", decision.to_string()).send()?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    Ok(())
}

/// Status and verdict for a caller with this address, this key and, in a token that a proxy verified, this user.
fn seen(port: u16, address: [u8; 4], key: &str, user: &str) -> Result<(u16, String)> {
    let claims = URL_SAFE_NO_PAD.encode(json!({"sub": user}).to_string());
    let answer = Request::post(port, CHAT, chat("Hello"))
        .header("authorization", &format!("Bearer {key}"))
        .header("x-jwt-payload", &claims)
        .from(Ipv4Addr::from(address))
        .send()?;
    let verdict = answer.header("x-modelgate-verdict").context("no verdict")?.to_owned();
    Ok((answer.status, verdict))
}

#[test]
fn what_the_security_team_decides_holds_at_the_edge_for_each_kind_of_caller() -> Result<()> {
    let policy = json!({
        "model": {"name": "demo"}, "decisions": {"interval": 1}, "identity": {"jwt_claim": "sub"},
        "limits": {"max_requests_per_minute": 10_000},
    });
    let claims = r#"(name = "JWT", text = "{\"claims_header\":\"x-jwt-payload\"}"), (name = "NODE", text = "workerd")"#;
    let mut stack = edge("edge-decisions", &policy, &[(r#"(name = "NODE", text = "workerd")"#, claims)])?;
    let port = stack.ports().edge;
    let (other, friend) = ([127, 0, 9, 1], "sk-nobody-minds-this-one");
    let allowed = (200, "allow".to_owned());
    ensure!(seen(port, other, friend, "ann")? == allowed);
    // The hash of a key stands in the events about it.
    let known = "sk-the-key-that-is-watched";
    let attack = Request::post(port, CHAT, chat(ATTACK)).header("authorization", &format!("Bearer {known}"));
    let event = stored(&stack, event_id(&attack.send()?)?)?;
    let hash = event.client.key.context("no key")?.hash;
    decide(&stack, "address", "127.0.3.1", "block")?;
    decide(&stack, "cidr", "127.0.4.0/24", "throttle")?;
    decide(&stack, "key_hash", &hash, "monitor")?;
    decide(&stack, "user", "mallory", "block")?;
    eventually("the decisions at the edge", || {
        Ok((seen(port, [127, 0, 3, 1], friend, "ann")?.0 == 403).then_some(()))
    })?;
    let blocked = (403, "block".to_owned());
    ensure!(seen(port, other, friend, "mallory")? == blocked, "the user");
    ensure!(seen(port, other, known, "ann")? == (200, "flag".to_owned()), "the key");
    ensure!(seen(port, [127, 0, 4, 7], friend, "ann")? == allowed, "the range's first request");
    ensure!(seen(port, [127, 0, 4, 7], friend, "ann")? == (429, "throttle".to_owned()), "the range");
    ensure!(seen(port, other, friend, "ann")? == allowed, "somebody else");
    // Known without the relay, also to a worker that starts anew, at its first request.
    stack.stop(Part::Relay);
    stack.restart(Part::Edge)?;
    ensure!(seen(port, other, friend, "mallory")? == blocked, "after a restart");
    ensure!(seen(port, [127, 0, 3, 1], friend, "ann")? == blocked, "after a restart");
    Ok(())
}

/// The issuer of tokens, which ends with the test.
struct Issuer(Child);

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tokens that name whom they say.
const HOLDING: [&str; 4] = ["rs256", "es256", "without_kid", "several_audiences"];

#[test]
fn a_token_names_its_user_only_if_an_issuers_key_has_signed_it() -> Result<()> {
    let policy = json!({
        "model": {"name": "demo"}, "decisions": {"interval": 1}, "identity": {"jwt_claim": "sub"},
        "limits": {"max_requests_per_minute": 10_000},
    });
    let issuer = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let jwt = json!({
        "jwks_url": format!("http://127.0.0.1:{issuer}/keys"), "issuer": "https://login.example", "audience": "models",
    });
    let jwt = jwt.to_string().replace('"', "\\\"");
    let bindings = format!(r#"(name = "JWT", text = "{jwt}"), (name = "NODE", text = "workerd")"#);
    let paths = Paths::find();
    let mut node = Command::new("node");
    node.arg(paths.root.join("tests/e2e/hosts/tokens.mjs")).arg(paths.edge_worker()).arg(issuer.to_string());
    let mut issuer = Issuer(node.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(issuer.0.stdout.take().context("no output")?).read_line(&mut line)?;
    let told: Value = serde_json::from_str(&line).context("what the issuer says")?;
    let (table, tokens) = (&told["table"], told["tokens"].as_object().context("no tokens")?);
    ensure!(tokens.len() > 20, "{told}");
    for name in tokens.keys() {
        let expected = if HOLDING.contains(&name.as_str()) { json!("mallory") } else { Value::Null };
        ensure!(table[name] == expected, "{name}: {table}");
    }
    let somebody = json!("mallory");
    ensure!(table["at_once"] == json!([somebody, somebody, somebody]), "{table}");
    ensure!(table["fetched_at_once"] == 1 && table["fetched_for_unknown"] == 1, "{table}");
    ensure!(table["rotated_at_once"].is_null() && table["rotated_later"] == somebody, "{table}");
    ensure!(table["old_key_gone"].is_null() && table["old_rsa_gone"].is_null(), "{table}");
    ensure!(table["away"].is_null() && table["back"] == somebody, "{table}");

    // The same through the worker: whom the security team has blocked is told by the token alone.
    let stack = edge("edge-tokens", &policy, &[(r#"(name = "NODE", text = "workerd")"#, &bindings)])?;
    let port = stack.ports().edge;
    decide(&stack, "user", "mallory", "block")?;
    let status = |token: &Value| -> Result<u16> {
        let token = token.as_str().context("a token")?;
        let asked =
            Request::post(port, CHAT, chat("Hello")).header("authorization", &format!("Bearer {token}"));
        Ok(asked.send()?.status)
    };
    eventually("the decision", || Ok((status(&tokens["rs256"])? == 403).then_some(())))?;
    for (name, token) in tokens {
        let expected = if HOLDING.contains(&name.as_str()) { 403 } else { 200 };
        let status = status(token)?;
        ensure!(status == expected, "{name}: {status}");
    }
    Ok(())
}

#[test]
fn a_trap_costs_its_request_and_no_count_no_decision_and_no_event() -> Result<()> {
    let mut policy = limited(40);
    policy.as_object_mut().context("an object")?.insert("decisions".into(), json!({"interval": 1}));
    let trap = Paths::find().test_edge();
    let stack = edge_with("edge-trap", &policy, &[], |options| options.edge_modules = Some(trap))?;
    let port = stack.ports().edge;
    decide(&stack, "address", "127.0.3.1", "block")?;
    let is_blocked = || -> Result<bool> {
        let caller = Ipv4Addr::new(127, 0, 3, 1);
        Ok(Request::post(port, CHAT, chat("Hello")).from(caller).send()?.status == 403)
    };
    eventually("the decision", || Ok(is_blocked()?.then_some(())))?;
    within_a_minute(30);
    ensure!(passed(port, "sk-trapped", 3)? == 24);
    let trapped = with_key(port, "sk-trapped", "modelgate-trap")?;
    ensure!(trapped.status == 503 && trapped.header("x-modelgate-verdict") == Some("block"));
    let event = stored(&stack, event_id(&trapped)?)?;
    ensure!(event.findings.iter().any(|finding| finding.rule == "guard.edge.trap"), "{event:?}");
    // The new instance knows what the old one knew.
    ensure!(is_blocked()?, "the decision is forgotten");
    let rest = passed(port, "sk-trapped", 5)?;
    ensure!(rest == 15, "{rest} more passed after 24 and the trapped one, of 40");
    Ok(())
}
