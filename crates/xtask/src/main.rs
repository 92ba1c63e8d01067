//! `cargo xtask`: see [`USAGE`].

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail};
use xtask::{
    Paths, bench, build, check,
    demo::{self, Afterwards},
    digits, fuzz,
    interrupt::{self, Interrupted},
    kills, postgres, profile, setup, soak,
    stack::{PortInUse, Upstream},
    step, train,
};

const USAGE: &str = "usage: cargo xtask COMMAND

  demo [--once | --detach] [--upstream URL]
              build all, run it on real parts, send sample traffic, print a table; stay until Ctrl-C
              --once ends after the table, --detach leaves it running, --upstream puts a real model behind it
  down        end the demo that runs
  test [NAME…]
              run all checks and tests, or those whose names begin so
  bench       measure what the filter costs in Envoy, against an empty one
  profile     measure what the filter costs in V8 alone, and count its calls to the host
  bench-edge  measure the edge worker in workerd, against an empty one: throughput, its ledger, start-up, memory
  bench-relay [--events N] [--parts NAME,…] [--store DIR] [--postgres]
              measure alert-relay: ingest, start-up, and its answers with ten million events stored, or N
              --parts: only some of 1, 10, 100, 1000 (ingest in batches of so many), schedule, store;
              --store keeps the SQLite file in DIR and measures it again; --postgres takes a PostgreSQL instead
  soak [--requests N]
              send a million mixed requests, or N, through Envoy; fail if its memory grows
  postgres COMMAND…
              run a command with a PostgreSQL server at hand, its address in ALERT_RELAY_TEST_POSTGRES, such as
              cargo test -p alert-relay
  fuzz [--seconds N] [TARGET…]
              try what holds for every input on what libFuzzer makes of the fixtures, all targets or some, N seconds each
  kills [--count N]
              kill alert-relay 100 times, or N, under load, on SQLite and on PostgreSQL; fail if anything is lost
  digits      measure the tensor checks on adversarial digits
  build       build all into target/dist
  dist        the same, and show what it weighs
  train --corpora DIR
              train the models of crates/detect/models on the corpora and on crates/xtask/train, and measure them
  train --check
              check the grammars of crates/xtask/train and show what they hold
  setup       bring the Rust targets, Envoy, workerd and the packages the tests need
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = interrupt::listen().and_then(|()| run(&arguments));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("[xtask] interrupted; nothing is left running");
            ExitCode::from(130)
        }
        Err(error) if error.is::<Usage>() => {
            eprintln!("xtask: {error}\n\n{USAGE}");
            ExitCode::from(64)
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            if let Some(PortInUse { port, .. }) = error.downcast_ref() {
                eprintln!("  which one, tells: ss -ltnp 'sport = :{port}' (on macOS: lsof -i :{port})");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool> {
    let paths = Paths::find();
    let Some((command, options)) = arguments.split_first() else {
        step::print(USAGE);
        return Ok(true);
    };
    if command == "demo" || command == "hold-demo" {
        let (afterwards, upstream) = demo_options(options)?;
        if command == "demo" {
            return demo::run(&paths, afterwards, upstream.as_ref());
        }
        return demo::hold(&paths, upstream.as_ref()).map(|()| true);
    }
    if command == "test" {
        return check::run(&paths, options).map(|()| true);
    }
    if command == "soak" {
        let requests = match options {
            [] => soak::REQUESTS,
            [option, number] if option == "--requests" => match number.parse() {
                Ok(number) if number > 0 => number,
                _ => bail!(Usage(format!("--requests {number} is no number"))),
            },
            _ => bail!(Usage("soak takes --requests N".to_owned())),
        };
        return soak::run(&paths, requests).map(|()| true);
    }
    if command == "bench-relay" {
        return bench::relay::run(&paths, &relay_options(options)?).map(|()| true);
    }
    if command == "postgres" {
        let Some((program, arguments)) = options.split_first() else {
            bail!(Usage("postgres takes a command".to_owned()));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        postgres::with(&paths, postgres::Sync::Off, &mut [command])?;
        return Ok(true);
    }
    if command == "fuzz" {
        let (seconds, targets) = fuzz_options(options)?;
        return fuzz::run(&paths, seconds, targets);
    }
    if command == "kills" {
        let count = match options {
            [] => kills::COUNT,
            [option, number] if option == "--count" => match number.parse() {
                Ok(number) if number > 0 => number,
                _ => bail!(Usage(format!("--count {number} is no number"))),
            },
            _ => bail!(Usage("kills takes --count N".to_owned())),
        };
        return kills::run(&paths, count).map(|()| true);
    }
    if command == "train" {
        match options {
            [option] if option == "--check" => train::check(&paths)?,
            [option, folder] if option == "--corpora" => train::run(&paths, Path::new(folder))?,
            _ => bail!(Usage("train takes --corpora DIR or --check".to_owned())),
        }
        return Ok(true);
    }
    if let Some(option) = options.first() {
        bail!(Usage(format!("{command} takes no {option}")));
    }
    match command.as_str() {
        "down" => demo::down(&paths)?,
        "setup" => setup::all(&paths)?,
        "build" => setup::rust_targets(&paths).and_then(|()| build::all(&paths))?,
        "dist" => setup::rust_targets(&paths)
            .and_then(|()| build::portable_filter(&paths))
            .and_then(|()| build::all(&paths))
            .and_then(|()| build::sizes(&paths))?,
        "bench" => bench::run(&paths)?,
        "profile" => profile::run(&paths)?,
        "bench-edge" => bench::edge::run(&paths)?,
        "digits" => digits::run(&paths)?,
        "help" | "--help" | "-h" => step::print(USAGE),
        other => bail!(Usage(format!("there is no command {other}"))),
    }
    Ok(true)
}

fn demo_options(options: &[String]) -> Result<(Afterwards, Option<Upstream>)> {
    let (mut afterwards, mut upstream) = (Afterwards::Stay, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--once" => afterwards = Afterwards::End,
            "--detach" => afterwards = Afterwards::Detach,
            "--upstream" => match options.next() {
                Some(url) => upstream = Some(url.parse()?),
                None => bail!(Usage("--upstream needs an address".to_owned())),
            },
            other => bail!(Usage(format!("demo has no option {other}"))),
        }
    }
    Ok((afterwards, upstream))
}

fn relay_options(options: &[String]) -> Result<bench::relay::Wanted> {
    let events = bench::relay::EVENTS;
    let mut wanted = bench::relay::Wanted { events, parts: None, store: None, postgres: false };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || options.next().cloned().ok_or_else(|| Usage(format!("{option} needs a value")));
        match option.as_str() {
            "--postgres" => wanted.postgres = true,
            "--parts" => wanted.parts = Some(value()?),
            "--store" => wanted.store = Some(value()?),
            "--events" => {
                let number = value()?;
                wanted.events = match number.parse() {
                    Ok(events) if events > 0 => events,
                    _ => bail!(Usage(format!("--events {number} is no number"))),
                };
            }
            other => bail!(Usage(format!("bench-relay has no option {other}"))),
        }
    }
    if wanted.postgres && wanted.store.is_some() {
        bail!(Usage("--store is a folder for SQLite".to_owned()));
    }
    Ok(wanted)
}

fn fuzz_options(options: &[String]) -> Result<(u32, &[String])> {
    let (seconds, targets) = match options {
        [option, number, targets @ ..] if option == "--seconds" => match number.parse() {
            Ok(seconds) if seconds > 0 => (seconds, targets),
            _ => bail!(Usage(format!("--seconds {number} is no number"))),
        },
        targets => (fuzz::SECONDS, targets),
    };
    match targets.iter().find(|target| target.starts_with('-')) {
        Some(option) => bail!(Usage(format!("fuzz has no option {option}"))),
        None => Ok((seconds, targets)),
    }
}

/// The command line makes no sense.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
