//! The official OpenAI SDKs through both doors: what is harmless passes unchanged, what is not raises their own errors.

#![allow(clippy::indexing_slicing, reason = "a missing field is null and fails the test")]

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{Door, stack, stored};
use serde_json::Value;
use xtask::{Paths, stack::Stack};

/// Runs an SDK script against a port and reads what it saw.
fn run(mut command: Command, port: u16) -> Result<Value> {
    let output = command.arg(format!("http://127.0.0.1:{port}/v1")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the script's output")
}

fn python() -> Command {
    let paths = Paths::find();
    let mut command = Command::new(paths.python());
    command.arg(paths.root.join("tests/e2e/sdk/openai_sdk.py"));
    command
}

fn node() -> Command {
    let paths = Paths::find();
    let mut command = Command::new("node");
    command.arg(paths.root.join("tests/e2e/sdk/openai_sdk.mjs")).current_dir(paths.node());
    command
}

fn check(stack: &Stack, door: Door, script: fn() -> Command) -> Result<()> {
    let ports = stack.ports();
    let guarded = run(script(), door.port(&ports))?;
    let direct = run(script(), ports.model)?;
    for call in ["plain", "streamed"] {
        for field in ["text", "finish", "tokens", "chunks"] {
            ensure!(
                guarded[call][field] == direct[call][field],
                "{call}.{field}: {guarded} instead of {direct}"
            );
        }
    }
    ensure!(guarded["plain"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{guarded}");
    ensure!(guarded["plain"]["verdict"] == "allow", "{guarded}");
    ensure!(guarded["streamed"]["chunks"].as_u64() > Some(2), "{guarded}");
    ensure!(guarded["embedding"] == direct["embedding"], "{guarded}");
    ensure!(direct["blocked"].is_null(), "the model itself refuses, so this shows nothing: {direct}");
    for call in ["blocked", "blocked_stream"] {
        let error = &guarded[call];
        ensure!(error["class"] == "BadRequestError", "{call}: {guarded}");
        ensure!(error["status"] == 400 && error["code"] == "content_filter", "{call}: {guarded}");
        ensure!(error["verdict"] == "block", "{call}: {guarded}");
        let id = error["event"].as_str().context("no event")?.parse()?;
        let event = stored(stack, id)?;
        ensure!(
            event.client.key.is_some_and(|key| key.prefix == "sk-sdk"),
            "the caller's key is not recognised"
        );
    }
    Ok(())
}

#[test]
fn official_clients_work_and_raise_their_own_errors() -> Result<()> {
    let stack = stack("sdk")?;
    let mut failures = Vec::new();
    for door in Door::ALL {
        for (name, script) in
            [("openai for Python", python as fn() -> Command), ("openai for JavaScript", node)]
        {
            if let Err(error) = check(&stack, door, script) {
                failures.push(format!("{door:?}, {name}: {error:#}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
