//! A VM that traps: the caller of that one request pays for it, nobody gets past the guard, Envoy replaces the VM, and
//! the loss is reported.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use modelgate_e2e::{
    ATTACK, CHAT, ask, chat, database,
    envoy::{prometheus, reloads, sample, stats},
    eventually, stack_with,
};
use wire::{Event, EventKind};
use xtask::{
    Paths,
    http::Request,
    stack::{Part, Stack},
};

/// The events about the guard itself.
fn notices(stack: &Stack) -> Result<Vec<Event>> {
    let database = database(stack)?;
    let mut query = database.prepare("SELECT body FROM events")?;
    let bodies = query.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = Vec::new();
    for body in bodies {
        let event: Event = serde_json::from_str(&body?)?;
        if event.kind == EventKind::Guard {
            found.push(event);
        }
    }
    Ok(found)
}

fn crash(stack: &Stack) -> Result<()> {
    let port = stack.ports().envoy_unlimited;
    let answer = Request::post(port, CHAT, chat("Hello")).header("x-crash-test", "1").send();
    // A 503, or nothing at all.
    let passed = answer.as_ref().is_ok_and(|answer| answer.status < 500);
    ensure!(!passed, "the request that trapped the VM was answered with {answer:?}");
    Ok(())
}

#[test]
fn a_vm_that_traps_is_replaced_and_reported_and_nothing_gets_past() -> Result<()> {
    let paths = Paths::find();
    let mut stack = stack_with("crash", |options| {
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
        options.envoy_threads = Some(4);
        let filter = paths.test_filter("crash-test").display().to_string();
        options.envoy_edits.push(("target/dist/modelgate.wasm".into(), filter));
    })?;
    let port = stack.ports().envoy_unlimited;
    ensure!(ask(port, "Hello")?.status == 200);
    // They have signed the roll, all of them.
    eventually("five VMs", || {
        Ok((sample(&prometheus(&stack)?, "modelgate_vms", &[]) == Some(5.0)).then_some(()))
    })?;
    crash(&stack)?;
    // Until the VM is replaced its worker answers 503; the others judge. Nothing passes unjudged.
    let start = Instant::now();
    let mut good_in_a_row = 0;
    while good_in_a_row < 30 {
        ensure!(start.elapsed() < Duration::from_secs(60), "the VM was not replaced");
        let attack = ask(port, ATTACK)?;
        ensure!([400, 503].contains(&attack.status), "an attack was answered with {}", attack.status);
        let answer = ask(port, "Hello")?;
        let verdict = answer.header("x-modelgate-verdict");
        let is_good = (answer.status, verdict) == (200, Some("allow"));
        ensure!(is_good || answer.status == 503, "{} {verdict:?}", answer.status);
        good_in_a_row = if is_good { good_in_a_row + 1 } else { 0 };
        thread::sleep(Duration::from_millis(20));
    }
    stack.check()?;
    ensure!(reloads(&stack)? >= 1, "{:?}", stats(&stack, "vm_reload")?);

    let event = eventually("the event about the VM", || Ok(notices(&stack)?.pop()))?;
    ensure!(event.findings.iter().any(|finding| finding.rule == "guard.envoy.reloaded"), "{event:?}");
    ensure!(event.findings.iter().all(|finding| finding.summary.starts_with("1 of")), "{event:?}");
    let shown = prometheus(&stack)?;
    ensure!(sample(&shown, "modelgate_vm_reloads_total", &[]) == Some(1.0), "counted otherwise");
    // The successor is on the roll, and nobody is missed a second time.
    thread::sleep(Duration::from_secs(3));
    let shown = prometheus(&stack)?;
    ensure!(
        sample(&shown, "modelgate_vms", &[]) == Some(5.0),
        "VMs: {:?}",
        sample(&shown, "modelgate_vms", &[])
    );
    ensure!(notices(&stack)?.len() == 1, "reported more than once");
    Ok(())
}
