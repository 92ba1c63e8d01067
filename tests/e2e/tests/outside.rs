//! What the filter shows to those who run it: metrics with their labels, the dashboard that reads them, the access log,
//! and events about what could not be inspected.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{
    ATTACK, CHAT, ask, chat,
    envoy::{forget, healthy, prometheus, sample, seen},
    event_id, eventually, stack_with, stored,
};
use serde_json::Value;
use wire::{Event, Severity, Verdict};
use xtask::{
    Paths,
    http::{Request, Response},
    stack::{Options, Part, Stack},
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn options(options: &mut Options) {
    options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
    options.envoy_threads = Some(4);
    // Two doors: one refuses what cannot be inspected, the other lets it by and tells.
    let edit = |from: &str, to: String| (from.to_owned(), to);
    let upgrade = "          upgrade_configs: [{ upgrade_type: websocket }]\n";
    let relay = "\"model\": { \"name\": \"demo\" },\n                      \"relay\"";
    let lenient = r#""unscannable": { "websocket": "flag", "grpc": "flag", "oversize": "allow" },"#;
    options.envoy_edits = vec![
        edit("stat_prefix: guarded\n", format!("stat_prefix: guarded\n{upgrade}")),
        edit("stat_prefix: unlimited\n", format!("stat_prefix: unlimited\n{upgrade}")),
        edit(
            relay,
            format!("\"model\": {{ \"name\": \"demo\" }}, {lenient}\n                      \"relay\""),
        ),
    ];
}

fn websocket(port: u16) -> Result<Response> {
    Request::get(port, "/v1/realtime")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send()
}

fn grpc(port: u16) -> Result<Response> {
    Request::new("POST", port, "/inference.GRPCInferenceService/ModelInfer")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body([0, 0, 0, 0, 2, 10, 0])
        .send()
}

fn oversize(port: u16) -> Result<Response> {
    Request::post(port, CHAT, vec![b' '; (1 << 20) + 7]).send()
}

fn event(stack: &Stack, answer: &Response) -> Result<Event> {
    stored(stack, event_id(answer)?)
}

#[test]
fn what_cannot_be_inspected_gets_the_policys_action_a_metric_and_an_event() -> Result<()> {
    let mut stack = stack_with("unscannable", options)?;
    let (strict, lenient) = (stack.ports().envoy_unlimited, stack.ports().envoy);
    forget(&stack)?;
    for (name, rule, status, send) in [
        ("websocket", "unscannable.websocket", 403, websocket as fn(u16) -> Result<Response>),
        ("grpc", "unscannable.grpc", 403, grpc),
        ("oversize", "input.size", 413, oversize),
    ] {
        let refused = send(strict).context(name)?;
        ensure!(refused.header("x-modelgate-verdict") == Some("block"), "{name}: {refused:?}");
        // Envoy words refusals of gRPC itself: 7 is PERMISSION_DENIED.
        let told = refused.status == status || refused.header("grpc-status") == Some("7");
        ensure!(told, "{name}: {refused:?}");
        let event = event(&stack, &refused)?;
        let rules: Vec<&str> = event.findings.iter().map(|finding| finding.rule.as_str()).collect();
        ensure!(
            (rules.as_slice(), event.verdict) == ([rule].as_slice(), Verdict::Block),
            "{name}: {event:?}"
        );
    }
    let reached = seen(&stack)?;
    ensure!(reached.is_empty(), "reached the model: {reached:?}");
    for (name, rule, send) in [
        ("websocket", Some("unscannable.websocket"), websocket as fn(u16) -> Result<Response>),
        ("grpc", Some("unscannable.grpc"), grpc),
        ("oversize", None, oversize),
    ] {
        let passed = send(lenient).context(name)?;
        let verdict = if rule.is_some() { "flag" } else { "allow" };
        ensure!(passed.header("x-modelgate-verdict") == Some(verdict), "{name}: {passed:?}");
        if let Some(rule) = rule {
            let event = event(&stack, &passed)?;
            ensure!(event.findings.iter().any(|finding| finding.rule == rule), "{name}: {event:?}");
        }
    }
    // What the stand-in makes of it is its affair; it got all three.
    let paths: BTreeSet<String> = seen(&stack)?.into_iter().map(|seen| seen.path).collect();
    let shown = prometheus(&stack)?;
    for kind in ["websocket", "grpc", "oversize"] {
        let label = format!("kind=\"{kind}\"");
        let counted = sample(&shown, "modelgate_unscannable_total", &[&label, "model=\"demo\""]);
        ensure!(counted == Some(2.0), "{kind} was counted {counted:?} times; {paths:?}");
    }
    healthy(&mut stack)
}

/// Every series of a metric's labels, as Prometheus would read them.
fn labels(prometheus: &str, name: &str) -> BTreeSet<String> {
    let lines = prometheus.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    lines.filter_map(|line| Some(line.split_once('}')?.0.to_owned())).collect()
}

#[test]
fn metrics_access_log_and_dashboard_agree_with_what_happened() -> Result<()> {
    let mut stack = stack_with("outside", options)?;
    let port = stack.ports().envoy;
    for _ in 0..5 {
        ensure!(ask(port, "Which bird sings at night?")?.status == 200);
    }
    let refused = Request::post(port, CHAT, chat(ATTACK)).header("traceparent", TRACE).send()?;
    ensure!(refused.status == 400);
    forget(&stack)?;
    let flagged = Request::post(port, CHAT, chat("Mail maria.lindqvist@fastmail.com about it."))
        .header("traceparent", TRACE)
        .header("x-request-id", "outside-1")
        .send()?;
    ensure!(flagged.header("x-modelgate-verdict") == Some("flag"));
    ensure!(Request::post(port, CHAT, "{broken").send()?.status == 400);

    // Envoy shows a histogram once it has merged what its threads saw, every five seconds.
    let shown = eventually("the histogram of the guard's own time", || {
        let shown = prometheus(&stack)?;
        let count = sample(&shown, "modelgate_guard_microseconds_count", &["model=\"demo\""]);
        Ok((count == Some(8.0)).then_some(shown))
    })?;
    let count = |name: &str, labels: &[&str]| sample(&shown, name, labels).unwrap_or(-1.0);
    for (verdict, number) in [("allow", 5.0), ("block", 2.0), ("flag", 1.0), ("throttle", 0.0), ("mask", 0.0)]
    {
        let counted =
            count("modelgate_requests_total", &["model=\"demo\"", &format!("verdict=\"{verdict}\"")]);
        ensure!((counted - number).abs() < 0.5, "{verdict}: {counted} instead of {number}\n{shown}");
    }
    ensure!(count("modelgate_findings_total", &["category=\"prompt_injection\""]) >= 1.0);
    ensure!(count("modelgate_findings_total", &["category=\"pii\""]) >= 1.0);
    ensure!(count("modelgate_unscannable_total", &["kind=\"syntax\""]) >= 1.0);
    ensure!(count("modelgate_guard_microseconds_sum", &["model=\"demo\""]) > 0.0, "no time went by");
    ensure!(count("modelgate_bypassed_total", &[]) == 0.0);
    // Labels are as many as the code has words, and no value a caller sent is among them.
    for (name, most) in [
        ("modelgate_requests_total", 6),
        ("modelgate_findings_total", 15),
        ("modelgate_unscannable_total", 11),
    ] {
        let labels = labels(&shown, name);
        ensure!(!labels.is_empty() && labels.len() <= most, "{name}: {labels:?}");
        ensure!(labels.iter().all(|labels| labels.contains("model=\"demo\"")), "{name}: {labels:?}");
    }
    dashboard(&shown)?;

    let event = event(&stack, &flagged)?;
    ensure!(event.request.traceparent.as_deref() == Some(TRACE), "{event:?}");
    let arrived = seen(&stack)?;
    ensure!(
        arrived.iter().any(|seen| seen.header("traceparent") == Some(TRACE)),
        "the model got no traceparent: {arrived:?}"
    );
    access_log(&stack, &refused, "block")?;
    access_log(&stack, &flagged, "flag")?;
    // Each VM signs the roll every second: those of four workers and of the main thread.
    eventually("the number of VMs", || {
        let shown = prometheus(&stack)?;
        let vms = sample(&shown, "modelgate_vms", &[]).unwrap_or_default();
        let memory = sample(&shown, "modelgate_vm_memory_bytes", &[]).unwrap_or_default();
        Ok((vms >= 5.0 && memory / vms > 1e6).then_some(()))
    })?;
    healthy(&mut stack)
}

/// The line of the access log about this answer.
fn access_log(stack: &Stack, answer: &Response, verdict: &str) -> Result<()> {
    let id = event_id(answer)?.to_string();
    let line: Value = eventually("the access log", || {
        let log = stack.log(Part::Envoy);
        let line = log.lines().find(|line| line.starts_with('{') && line.contains(&id));
        line.map(|line| serde_json::from_str(line).context("a line of the access log")).transpose()
    })?;
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    ensure!((text("verdict"), text("event")) == (verdict, id.as_str()), "{line}");
    ensure!(text("client") == "127.0.0.1" && text("rule").contains('.'), "{line}");
    ensure!(text("traceparent") == TRACE, "{line}");
    Ok(())
}

/// Every metric that the dashboard asks for exists, and every one of ours is on it.
fn dashboard(shown: &str) -> Result<()> {
    let text = fs::read_to_string(Paths::find().root.join("envoy/grafana.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels = dashboard.get("panels").and_then(Value::as_array).context("no panels")?;
    let targets = panels.iter().filter_map(|panel| panel.get("targets")?.as_array()).flatten();
    let queries: Vec<&str> = targets.filter_map(|target| target.get("expr")?.as_str()).collect();
    ensure!(queries.len() >= 10, "{} queries", queries.len());
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let asked: BTreeSet<&str> = queries
        .iter()
        .flat_map(|query| query.split(word))
        .filter(|word| word.starts_with("modelgate_") || word.starts_with("envoy_"))
        .collect();
    let known: BTreeSet<&str> =
        shown.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for name in &asked {
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        ensure!(
            known.contains(base) || known.contains(name),
            "the dashboard asks for {name}, which is not there"
        );
    }
    for name in known.iter().filter(|name| name.starts_with("modelgate_")) {
        let is_shown = asked.iter().any(|asked| asked.starts_with(name));
        ensure!(is_shown, "{name} is not on the dashboard");
    }
    Ok(())
}

#[test]
fn envoys_own_413_is_reported_too() -> Result<()> {
    let stack = stack_with("own-413", |given| {
        options(given);
        // The policy now takes more than the 2 MiB that Envoy holds.
        let limits = r#""limits": { "enabled": false },"#;
        given.envoy_edits.push((limits.into(), format!(r#""input": {{ "max_size": 4194304 }}, {limits}"#)));
    })?;
    let answer = Request::post(stack.ports().envoy_unlimited, CHAT, chat(&"word ".repeat(600_000))).send()?;
    ensure!(answer.status == 413, "{}", answer.status);
    let event = event(&stack, &answer)?;
    ensure!(event.findings.iter().any(|finding| finding.rule == "input.size"), "{event:?}");
    ensure!((event.verdict, event.severity) == (Verdict::Block, Severity::Medium), "{event:?}");
    Ok(())
}
