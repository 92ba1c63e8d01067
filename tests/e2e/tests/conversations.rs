//! Chats that send a refused turn again with every question, as chats do: what becomes of them is the policy's to say.

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{
    ATTACK, CHAT, Door,
    envoy::{forget, seen, sha256},
    event_id, stack_with_policy, stored,
};
use serde_json::{Value, json};
use xtask::{
    http::{Request, Response},
    stack::Stack,
};

/// What stands in place of a turn that was taken out.
const NOTE: &str = "[This message was removed by the content policy.]";

fn start(name: &str, history: &str) -> Result<Stack> {
    stack_with_policy(name, &json!({"conversation": {"history": history}}), |_| {})
}

/// A chat of these turns, the user's first.
fn turns(turns: &[&str]) -> Value {
    let role = |number: usize| if number.is_multiple_of(2) { "user" } else { "assistant" };
    let turns = turns.iter().enumerate().map(|(number, text)| json!({"role": role(number), "content": text}));
    json!({"model": "demo", "messages": turns.collect::<Vec<_>>()})
}

/// A chat in which the first turn was refused and something else is asked now, and the same some turns later.
fn chats(first: &str) -> [Value; 2] {
    let begun = [first, "I cannot help with that.", "What is a heron?"];
    let later = [&begun[..], &["A wading bird.", "And a bittern?"]].concat();
    [turns(&begun), turns(&later)]
}

fn send(stack: &Stack, door: Door, chat: &Value) -> Result<Response> {
    // Where clients are counted, what was told of them is remembered.
    Request::post(door.port(&stack.ports()), CHAT, chat.to_string()).send()
}

fn expect(answer: &Response, status: u16, verdict: &str) -> Result<()> {
    let told = answer.header("x-modelgate-verdict");
    ensure!(
        (answer.status, told) == (status, Some(verdict)),
        "{} {told:?}: {}",
        answer.status,
        answer.text()
    );
    Ok(())
}

/// The SHA-256 of the one body that reached the model.
fn reached(stack: &Stack) -> Result<String> {
    let seen = seen(stack)?;
    ensure!(seen.len() == 1, "{} requests reached the model", seen.len());
    Ok(seen.into_iter().next().context("none")?.body_sha256)
}

fn each_door(check: impl Fn(Door) -> Result<()>) -> Result<()> {
    Door::ALL.into_iter().try_for_each(|door| check(door).with_context(|| format!("{door:?}")))
}

#[test]
fn a_refused_turn_is_taken_out_of_the_chat_and_the_chat_goes_on() -> Result<()> {
    let stack = start("excise", "excise")?;
    each_door(|door| {
        for (number, chat) in chats(ATTACK).iter().enumerate() {
            forget(&stack)?;
            let answer = send(&stack, door, chat)?;
            expect(&answer, 200, "mask")?;
            let sent = chat.to_string().replace(ATTACK, NOTE);
            ensure!(reached(&stack)? == sha256(sent.as_bytes()), "the model got something else than {sent}");
            // It is told once, not with every question that follows.
            ensure!(answer.header("x-modelgate-event").is_some() == (number == 0), "{:?}", answer.headers);
            if number == 0 {
                let event = stored(&stack, event_id(&answer)?)?;
                ensure!(event.findings.iter().any(|found| found.rule.starts_with("injection.")), "{event:?}");
            }
        }
        // What is asked now is refused as ever.
        for chat in [turns(&[ATTACK]), turns(&["What is a heron?", "A wading bird.", ATTACK])] {
            expect(&send(&stack, door, &chat)?, 400, "block")?;
        }
        Ok(())
    })
}

#[test]
fn a_refused_turn_may_stay_where_only_the_new_one_is_judged() -> Result<()> {
    let stack = start("new-only", "new_only")?;
    each_door(|door| {
        expect(&send(&stack, door, &turns(&[ATTACK]))?, 400, "block")?;
        for chat in chats(ATTACK) {
            forget(&stack)?;
            let answer = send(&stack, door, &chat)?;
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
            ensure!(reached(&stack)? == sha256(chat.to_string().as_bytes()), "the model got something else");
        }
        let again = turns(&["What is a heron?", "A wading bird.", ATTACK]);
        expect(&send(&stack, door, &again)?, 400, "block")
    })
}

#[test]
fn by_default_a_refused_turn_is_refused_until_it_is_gone() -> Result<()> {
    let stack = start("judge", "judge")?;
    each_door(|door| {
        forget(&stack)?;
        for chat in chats(ATTACK) {
            expect(&send(&stack, door, &chat)?, 400, "block")?;
        }
        ensure!(seen(&stack)?.is_empty(), "a refused chat reached the model");
        for chat in chats("What is a stork?") {
            expect(&send(&stack, door, &chat)?, 200, "allow")?;
        }
        Ok(())
    })
}
