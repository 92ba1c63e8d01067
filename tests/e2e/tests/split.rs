//! Requests cut anywhere, over every framing, through four worker threads: the same verdict, findings and answer as in
//! one piece, and what passes reaches the model byte for byte.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use modelgate_e2e::{
    ATTACK, CHAT, chat,
    envoy::{forget, healthy, seen, sha256},
    event_id,
    pieces::{self, Framing},
    random::Random,
    stack_with, stored,
};
use wire::Finding;
use xtask::{
    http::Response,
    stack::{Part, Stack},
};

/// What an answer tells, its event's id left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    verdict: String,
    body: Vec<u8>,
}

impl Told {
    fn new(response: &Response) -> Self {
        let verdict = response.header("x-modelgate-verdict").unwrap_or("none").to_owned();
        Self { status: response.status, verdict, body: response.body.clone() }
    }
}

fn start(name: &str) -> Result<Stack> {
    stack_with(name, |options| {
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
        options.envoy_threads = Some(4);
        // The refusal then names the rules, so that every answer shows what was found.
        let limits = r#""limits": { "enabled": false },"#;
        options
            .envoy_edits
            .push((limits.into(), format!(r#"{limits} "report": {{ "explain_to_caller": true }},"#)));
    })
}

/// A body, where it is cut, and how it travels.
struct Cut<'a> {
    id: String,
    framing: Framing,
    body: &'a [u8],
    pieces: Vec<&'a [u8]>,
}

impl<'a> Cut<'a> {
    fn new(name: &str, framing: Framing, body: &'a [u8], at: &[usize]) -> Self {
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in at.iter().copied().chain([body.len()]) {
            pieces.extend(body.get(start..end).filter(|piece| !piece.is_empty()));
            start = end.max(start);
        }
        let places: Vec<String> = at.iter().take(4).map(ToString::to_string).collect();
        Self { id: format!("{name}-{framing:?}-{}", places.join("-")), framing, body, pieces }
    }

    fn send(&self, port: u16) -> Result<Response> {
        // Long enough for Envoy to read what is there before the next piece comes; where it is not, two come as one.
        let pause = if self.pieces.len() > 1 { Duration::from_micros(500) } else { Duration::ZERO };
        pieces::post(port, CHAT, self.framing, &[("x-request-id", &self.id)], &self.pieces, pause)
            .with_context(|| self.id.clone())
    }
}

/// Sends all on eight threads.
fn send(port: u16, cuts: &[Cut]) -> Result<Vec<Response>> {
    let share = cuts.len().div_ceil(8).max(1);
    thread::scope(|scope| {
        let threads: Vec<_> = cuts
            .chunks(share)
            .map(|some| {
                scope.spawn(move || some.iter().map(|cut| cut.send(port)).collect::<Result<Vec<_>>>())
            })
            .collect();
        let mut answers = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(some) => answers.extend(some?),
                Err(_) => bail!("a sending thread panicked"),
            }
        }
        Ok(answers)
    })
}

/// Sends the cuts of one body, in groups that the model remembers whole, and compares each with the first.
fn compare(stack: &Stack, cuts: &[Cut]) -> Result<Vec<Response>> {
    let port = stack.ports().envoy_unlimited;
    let mut answers = Vec::new();
    for group in cuts.chunks(200) {
        forget(stack)?;
        let some = send(port, group)?;
        let arrived: BTreeMap<String, String> = seen(stack)?
            .into_iter()
            .map(|seen| (seen.header("x-request-id").unwrap_or_default().to_owned(), seen.body_sha256))
            .collect();
        for (cut, answer) in group.iter().zip(&some) {
            let passed = answer.status == 200;
            let expected = passed.then(|| sha256(cut.body));
            ensure!(arrived.get(&cut.id) == expected.as_ref(), "{}: the model saw another body", cut.id);
        }
        answers.extend(some);
    }
    let whole = Told::new(answers.first().context("nothing was sent")?);
    for (cut, answer) in cuts.iter().zip(&answers) {
        ensure!(Told::new(answer) == whole, "{}: {:?} instead of {whole:?}", cut.id, Told::new(answer));
    }
    Ok(answers)
}

/// The score and the findings of an answer's event.
fn findings(stack: &Stack, answer: &Response) -> Result<(wire::Score, Vec<Finding>, u64)> {
    let event = stored(stack, event_id(answer)?)?;
    Ok((event.score, event.findings, event.request.bytes))
}

fn same_events(stack: &Stack, cuts: &[Cut], answers: &[Response]) -> Result<()> {
    let whole = findings(stack, answers.first().context("nothing was sent")?)?;
    ensure!(!whole.1.is_empty(), "no findings");
    for (cut, answer) in cuts.iter().zip(answers) {
        ensure!(findings(stack, answer)? == whole, "{}: other findings", cut.id);
    }
    Ok(())
}

#[test]
fn a_small_body_cut_at_every_byte_gives_what_it_gives_whole() -> Result<()> {
    let mut stack = start("split-small")?;
    let cases = [
        ("attack", chat(ATTACK), 400),
        ("flag", chat("Write to maria.lindqvist@fastmail.com, please: ünïcödé 😀"), 200),
        ("allow", chat("Wie hoch ist der Großglockner? 😀"), 200),
    ];
    for (name, body, status) in &cases {
        let body = body.as_bytes();
        let mut cuts = Vec::new();
        for framing in Framing::ALL {
            cuts.push(Cut::new(name, framing, body, &[]));
            let every: Vec<usize> = (1..body.len()).collect();
            cuts.extend(every.iter().map(|at| Cut::new(name, framing, body, &[*at])));
            cuts.push(Cut::new(&format!("{name}-bytes"), framing, body, &every));
        }
        let answers = compare(&stack, &cuts)?;
        ensure!(answers.iter().all(|answer| answer.status == *status), "{name}");
        if *name != "allow" {
            same_events(&stack, &cuts, &answers)?;
        }
    }
    healthy(&mut stack)
}

#[test]
fn a_large_body_cut_at_random_gives_what_it_gives_whole() -> Result<()> {
    let mut stack = start("split-large")?;
    let mut random = Random::default();
    for (name, length, attack, status) in [
        ("long-attack", 150_000, ATTACK, 400),
        ("long-allow", 150_000, "", 200),
        ("mebi", 900_000, ATTACK, 400),
    ] {
        let text = format!("{} {attack} {}", random.prose(length), random.prose(3000));
        let body = chat(&text);
        let body = body.as_bytes();
        let mut cuts = Vec::new();
        for framing in Framing::ALL {
            cuts.push(Cut::new(name, framing, body, &[]));
            for _ in 0..if length > 500_000 { 2 } else { 8 } {
                let mut at: Vec<usize> =
                    (0..1 + random.below(40)).map(|_| random.below(body.len())).collect();
                at.sort_unstable();
                cuts.push(Cut::new(name, framing, body, &at));
            }
        }
        let answers = compare(&stack, &cuts)?;
        ensure!(answers.iter().all(|answer| answer.status == status), "{name}");
        if status == 400 {
            same_events(&stack, &cuts, &answers)?;
        }
    }
    healthy(&mut stack)
}
