//! A hundred thousand decisions of the security team, made by the relay's own API and pulled by the filter.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{http::Request, interrupt, stack::Stack, step::say};

/// How many.
pub(super) const DECISIONS: u32 = 100_000;
/// Connections that make them.
const CONNECTIONS: usize = 8;
/// The caller that the last one is about.
const LAST: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 9);
/// How long the filter may take to pull them all.
const PULLED_WITHIN: Duration = Duration::from_secs(300);

/// Makes them and waits until the filter goes by the last one.
pub(super) fn load(stack: &Stack) -> Result<()> {
    say(&format!("making {DECISIONS} decisions"));
    let next = AtomicU32::new(1);
    thread::scope(|scope| {
        let makers: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| make(stack.ports().relay, &next))).collect();
        for maker in makers {
            maker.join().ok().context("a maker panicked")??;
        }
        anyhow::Ok(())
    })?;
    decide(stack.ports().relay, LAST)?;
    interrupt::wait("the filter's pulling the decisions", PULLED_WITHIN, || {
        let request = Request::post(stack.ports().envoy_unlimited, "/v1/chat/completions", "{}").from(LAST);
        let answer = request.send()?;
        let is_known = answer.header("x-modelgate-verdict") == Some("block") && answer.status == 403;
        Ok(is_known.then_some(()))
    })
}

fn make(port: u16, next: &AtomicU32) -> Result<()> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= DECISIONS {
            return Ok(());
        }
        interrupt::check()?;
        // 10.0.0.0 and on: none of them is a caller of the benchmark.
        decide(port, Ipv4Addr::from((10 << 24) + number))?;
    }
}

fn decide(port: u16, address: Ipv4Addr) -> Result<()> {
    let body = format!(
        r#"{{"scope":"address","value":"{address}","action":"block","seconds":86400,"reason":"benchmark"}}"#
    );
    let answer = Request::post(port, "/v1/decisions", body).send()?;
    if answer.status != 201 {
        bail!("the relay answered a decision with {}: {}", answer.status, answer.text());
    }
    ensure!(answer.text().contains("\"block\""), "{}", answer.text());
    Ok(())
}
