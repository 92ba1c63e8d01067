//! The same requests through the native core, Envoy and workerd: the same verdict, score and findings.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use modelgate_e2e::{Door, event_id, judge, stack, stored};
use serde::Deserialize;
use wire::Finding;
use xtask::{
    http::{Request, Response},
    stack::Stack,
};

const POLICY: &str = r#"{"model":{"name":"demo"},"limits":{"enabled":false}}"#;
const CASES: &str = include_str!("../fixtures/exchanges.json");

/// A request and what must become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    method: String,
    path: String,
    headers: Option<std::collections::BTreeMap<String, String>>,
    json: Option<serde_json::Value>,
    body: Option<String>,
    /// Whether the body is sent gzipped.
    #[serde(default)]
    gzip: bool,
    expect: Expectation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    verdict: String,
    status: u16,
    /// Rules that must be among the findings.
    #[serde(default)]
    rules: Vec<String>,
}

impl Case {
    fn body(&self) -> Vec<u8> {
        let body = match (&self.json, &self.body) {
            (Some(json), _) => json.to_string().into_bytes(),
            (None, Some(body)) => body.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        if !self.gzip {
            return body;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&body).and_then(|()| encoder.finish()).unwrap_or_default()
    }

    fn headers(&self) -> Vec<(String, String)> {
        match &self.headers {
            Some(headers) => headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            None => vec![("content-type".into(), "application/json".into())],
        }
    }

    fn send(&self, port: u16) -> Result<Response> {
        let request = Request::new(&self.method, port, &self.path);
        let request =
            self.headers().iter().fold(request, |request, (name, value)| request.header(name, value));
        if self.method == "GET" { request.send() } else { request.body(self.body()).send() }
    }
}

fn check(stack: &Stack, case: &Case, response: &Response) -> Result<()> {
    let native = judge(POLICY, &case.method, &case.path, &case.headers(), &case.body())?;
    let expect = &case.expect;
    let told = response.text();
    ensure!(
        response.status == expect.status,
        "status {} instead of {}: {told}",
        response.status,
        expect.status
    );
    let verdict = response.header("x-modelgate-verdict");
    ensure!(verdict == Some(&expect.verdict), "verdict {verdict:?} instead of {}", expect.verdict);
    ensure!(native.verdict.as_str() == expect.verdict, "native verdict {:?}", native.verdict);
    for rule in &expect.rules {
        ensure!(
            native.findings.iter().any(|finding| finding.rule == *rule),
            "{rule} not in {:?}",
            native.findings
        );
    }
    match &native.reply {
        Some(reply) => ensure!(told == reply.body, "answered {told} instead of {}", reply.body),
        None => {
            ensure!(response.header("x-modelgate-event").is_none() == (expect.verdict == "allow"), "event?")
        }
    }
    if expect.verdict != "allow" {
        let event = stored(stack, event_id(response)?)?;
        ensure!(event.score == native.score, "score {} instead of {}", event.score, native.score);
        ensure!(
            without_evidence(&event.findings) == without_evidence(&native.findings),
            "{:?}",
            event.findings
        );
    }
    Ok(())
}

fn without_evidence(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().cloned().map(|finding| Finding { evidence: None, ..finding }).collect()
}

#[test]
fn the_native_core_gives_what_each_case_expects() -> Result<()> {
    let cases: Vec<Case> = serde_json::from_str(CASES)?;
    let mut failures = Vec::new();
    for case in &cases {
        let outcome = judge(POLICY, &case.method, &case.path, &case.headers(), &case.body())?;
        if outcome.verdict.as_str() != case.expect.verdict {
            let rules: Vec<&str> = outcome.findings.iter().map(|finding| finding.rule.as_str()).collect();
            failures.push(format!("{}: {} by {rules:?}", case.name, outcome.verdict.as_str()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

#[test]
fn every_surface_gives_the_same_verdict_score_and_findings() -> Result<()> {
    let cases: Vec<Case> = serde_json::from_str(CASES)?;
    assert!(cases.len() >= 55, "only {} cases", cases.len());
    let blocked = cases.iter().filter(|case| case.expect.verdict == "block").count();
    assert!((30..cases.len() - 12).contains(&blocked), "{blocked} of {} are refused", cases.len());
    let stack = stack("parity")?;
    // All are sent before the first is looked up, since events travel in batches.
    let mut answers = Vec::new();
    for case in &cases {
        for door in Door::ALL {
            let response = case.send(door.unlimited(&stack.ports())).with_context(|| case.name.clone())?;
            answers.push((case, door, response));
        }
    }
    let mut failures = Vec::new();
    for (case, door, response) in &answers {
        if let Err(error) = check(&stack, case, response) {
            failures.push(format!("{door:?}, {}: {error:#}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}
