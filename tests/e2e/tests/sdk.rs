//! The official OpenAI and Anthropic SDKs through both doors: what is harmless passes unchanged, what is not raises their own errors.

#![allow(clippy::indexing_slicing, reason = "a missing field is null and fails the test")]

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{Door, stack, stored};
use serde_json::Value;
use xtask::{Paths, stack::Stack};

/// Runs an SDK script against an address and reads what it saw.
fn run(mut command: Command, base: &str) -> Result<Value> {
    let output = command.arg(base).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the script's output")
}

fn python() -> Command {
    let paths = Paths::find();
    let mut command = Command::new(paths.python());
    command.arg(paths.root.join("tests/e2e/sdk/openai_sdk.py"));
    command
}

fn node(script: &str) -> Command {
    let paths = Paths::find();
    let mut command = Command::new("node");
    command.arg(paths.root.join("tests/e2e/sdk").join(script)).current_dir(paths.node());
    command
}

fn openai() -> Command {
    node("openai_sdk.mjs")
}

fn check(stack: &Stack, door: Door, script: fn() -> Command) -> Result<()> {
    let ports = stack.ports();
    let base = |port: u16| format!("http://127.0.0.1:{port}/v1");
    let guarded = run(script(), &base(door.port(&ports)))?;
    let direct = run(script(), &base(ports.model))?;
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
        names_the_key(stack, error)?;
    }
    Ok(())
}

/// The event of a refusal knows whose key it was.
fn names_the_key(stack: &Stack, error: &Value) -> Result<()> {
    let id = error["event"].as_str().context("no event")?.parse()?;
    let key = stored(stack, id)?.client.key;
    ensure!(key.is_some_and(|key| key.prefix == "sk-sdk"), "the caller's key is not recognised");
    Ok(())
}

fn check_anthropic(stack: &Stack, door: Door) -> Result<()> {
    let ports = stack.ports();
    let run = |port: u16| run(node("anthropic_sdk.mjs"), &format!("http://127.0.0.1:{port}"));
    let (guarded, direct) = (run(door.port(&ports))?, run(ports.model)?);
    ensure!(guarded["verdict"] == "allow", "{guarded}");
    ensure!(guarded["same"] == direct["same"], "{guarded} instead of {direct}");
    for call in ["plain", "streamed", "image", "image_streamed", "tool_answered"] {
        let answer = &guarded["same"][call];
        ensure!(
            answer["content"][0]["text"].as_str().is_some_and(|text| !text.is_empty()),
            "{call}: {answer}"
        );
        ensure!(answer["stop"] == "end_turn", "{call}: {answer}");
    }
    for call in ["tool", "tool_streamed"] {
        let answer = &guarded["same"][call];
        ensure!(answer["content"][0]["name"] == "river_length", "{call}: {answer}");
        ensure!(answer["content"][0]["input"]["says"].is_string(), "{call}: {answer}");
        ensure!(answer["stop"] == "tool_use", "{call}: {answer}");
    }
    for call in ["streamed", "tool_streamed", "image_streamed"] {
        ensure!(guarded["same"][call]["events"].as_u64() > Some(7), "{call}: {guarded}");
    }
    for call in ["plain", "streamed", "beside_an_image", "in_a_tool_result"] {
        ensure!(
            direct["blocked"][call].is_null(),
            "the model itself refuses, so this shows nothing: {direct}"
        );
        let error = &guarded["blocked"][call];
        ensure!(error["class"] == "BadRequestError" && error["status"] == 400, "{call}: {guarded}");
        ensure!(error["type"] == "invalid_request_error" && error["verdict"] == "block", "{call}: {guarded}");
        names_the_key(stack, error)?;
    }
    Ok(())
}

#[test]
fn official_clients_work_and_raise_their_own_errors() -> Result<()> {
    let stack = stack("sdk")?;
    let mut failures = Vec::new();
    for door in Door::ALL {
        for (name, script) in
            [("openai for Python", python as fn() -> Command), ("openai for JavaScript", openai)]
        {
            if let Err(error) = check(&stack, door, script) {
                failures.push(format!("{door:?}, {name}: {error:#}"));
            }
        }
        if let Err(error) = check_anthropic(&stack, door) {
            failures.push(format!("{door:?}, @anthropic-ai/sdk: {error:#}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
