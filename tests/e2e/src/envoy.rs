//! What Envoy and the model behind it tell of themselves.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use xtask::{
    http::Request,
    stack::{Part, Stack},
};

use crate::{ATTACK, ask};

/// A request as the stand-in model saw it.
#[derive(Clone, Debug, Deserialize)]
pub struct Seen {
    /// Without the query.
    pub path: String,
    /// In the order they came.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body, in hexadecimal.
    pub body_sha256: String,
}

impl Seen {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The last requests that reached the model, 256 at the most.
///
/// # Errors
/// When it does not tell.
pub fn seen(stack: &Stack) -> Result<Vec<Seen>> {
    let answer = Request::get(stack.ports().model, "/_seen").send()?;
    serde_json::from_slice(&answer.body).context("what the model saw")
}

/// How many requests reached the model.
///
/// # Errors
/// When it does not tell.
pub fn count_seen(stack: &Stack) -> Result<u64> {
    let answer = Request::get(stack.ports().model, "/_count").send()?.json()?;
    answer.get("total").and_then(serde_json::Value::as_u64).context("no total")
}

/// How many streams of the model were left before their end.
///
/// # Errors
/// When it does not tell.
pub fn count_left(stack: &Stack) -> Result<u64> {
    let answer = Request::get(stack.ports().model, "/_count").send()?.json()?;
    answer.get("left").and_then(serde_json::Value::as_u64).context("no number of streams left")
}

/// Has the model forget what it saw.
///
/// # Errors
/// When it does not.
pub fn forget(stack: &Stack) -> Result<()> {
    let answer = Request::new("DELETE", stack.ports().model, "/_seen").send()?;
    ensure!(answer.status == 204, "{}", answer.status);
    Ok(())
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Envoy's counters and gauges whose names match a regular expression.
///
/// # Errors
/// When its admin interface does not answer.
pub fn stats(stack: &Stack, filter: &str) -> Result<BTreeMap<String, u64>> {
    let answer = Request::get(stack.ports().envoy_admin, &format!("/stats?filter={filter}")).send()?;
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(": ")?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    Ok(answer.text().lines().filter_map(line).collect())
}

/// Everything in Prometheus' format.
///
/// # Errors
/// When the admin interface does not answer.
pub fn prometheus(stack: &Stack) -> Result<String> {
    Ok(Request::get(stack.ports().envoy_admin, "/stats/prometheus").send()?.text())
}

/// The sum of all samples of a metric whose labels hold all these texts, such as `verdict="block"`.
#[must_use]
pub fn sample(prometheus: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let values: Vec<f64> = prometheus
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// How many VMs were replaced, or failed to be, since Envoy started.
///
/// # Errors
/// When the admin interface does not answer.
pub fn reloads(stack: &Stack) -> Result<u64> {
    Ok(stats(stack, "vm_reload")?.values().sum())
}

/// Every VM is as it was started, all worker threads judge, and Envoy itself runs.
///
/// # Errors
/// When something of that is not so.
pub fn healthy(stack: &mut Stack) -> Result<()> {
    stack.check()?;
    ensure!(reloads(stack)? == 0, "a VM was replaced");
    let log = stack.log(Part::Envoy);
    for sign in ["in-VM backtrace", "Uncaught RuntimeError", "panicked at"] {
        ensure!(!log.contains(sign), "Envoy's log has {sign:?}");
    }
    // A connection goes to one of the worker threads; so many reach each of four.
    for number in 0..12 {
        let port = stack.ports().envoy_unlimited;
        let answer = ask(port, "What grows well in the shade?").context("an ordinary request")?;
        let verdict = answer.header("x-modelgate-verdict");
        ensure!((answer.status, verdict) == (200, Some("allow")), "{number}: {} {verdict:?}", answer.status);
    }
    let answer = ask(stack.ports().envoy_unlimited, ATTACK)?;
    ensure!(answer.status == 400, "an attack was answered with {}", answer.status);
    Ok(())
}
