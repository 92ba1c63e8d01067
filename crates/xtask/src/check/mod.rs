//! `cargo xtask test`: everything that must hold before a change is good, the quick answers first.

mod directions;
mod imports;
mod tables;
mod tidy;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{Paths, build, postgres, setup, step};

/// The crates that build for a bare target, with `alloc` and without `std`.
const CORE: [&str; 6] = [
    "modelgate-wire",
    "modelgate-decode",
    "modelgate-normalise",
    "modelgate-detect",
    "modelgate-policy",
    "modelgate-guard",
];

/// One check: its name and what it does.
type Check = (&'static str, fn(&Paths) -> Result<()>);

const CHECKS: [Check; 18] = [
    ("set-up", setup),
    ("format", |paths| cargo(paths, &["fmt", "--all", "--check"])),
    ("tidy", tidy::check),
    ("directions", directions::check),
    ("tables", tables::check),
    ("clippy", |paths| clippy(paths, &["--workspace", "--all-targets"])),
    ("clippy, Envoy filter", |paths| {
        clippy(paths, &["-p", "modelgate-envoy", "-p", "empty-filter", "--target", "wasm32-wasip1"])
    }),
    ("clippy, edge worker", |paths| {
        clippy(paths, &["-p", "modelgate-edge-worker", "--target", "wasm32-unknown-unknown"])
    }),
    ("bare target", bare_target),
    ("unit tests", |paths| {
        cargo(paths, &["test", "--locked", "--quiet", "--workspace", "--exclude", "modelgate-e2e"])
    }),
    ("relay on PostgreSQL", |paths| {
        // The suite that SQLite has passed, and what only a server has.
        let shared = ["--test", "shared", "--", "--ignored"];
        let mut commands = [&[][..], &shared[..]].map(|rest| {
            let mut tests = build::cargo(paths);
            tests.args(["test", "--locked", "--quiet", "-p", "alert-relay"]).args(rest);
            tests
        });
        postgres::with(paths, postgres::Sync::Off, &mut commands)
    }),
    ("relay and a mail server", |paths| {
        let server = setup::mail_server(paths)?;
        let tests = || {
            let mut tests = build::cargo(paths);
            tests.args(["test", "--locked", "--quiet", "-p", "alert-relay"]);
            tests.args(["--test", "delivery", "--", "--ignored"]);
            tests.env("ALERT_RELAY_TEST_MAIL", &server).env("PYTHON", paths.python());
            tests
        };
        step::shown("alert-relay's mails through a whole mail server", &mut tests())?;
        postgres::with(paths, postgres::Sync::Off, &mut [tests()])
    }),
    ("build", build::all),
    ("test filters", build::test_filters),
    ("test edge worker", build::test_edge),
    ("sizes", build::sizes),
    ("imports", imports::check),
    ("end to end", |paths| cargo(paths, &["test", "--locked", "--no-fail-fast", "-p", "modelgate-e2e"])),
];

/// Runs all checks, or those whose names begin with one of `only`; the first that fails ends it.
///
/// # Errors
/// The failure of a check, with its name; or that `only` names none.
pub fn run(paths: &Paths, only: &[String]) -> Result<()> {
    if let Some(wanted) = only.iter().find(|wanted| !CHECKS.iter().any(|(name, _)| name.starts_with(*wanted)))
    {
        let names = CHECKS.map(|(name, _)| name).join(", ");
        bail!("there is no check {wanted:?}; there are: {names}");
    }
    let start = Instant::now();
    let mut took: Vec<(&str, Duration)> = Vec::new();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| name.starts_with(wanted));
    for (name, check) in CHECKS.into_iter().filter(|(name, _)| is_wanted(name)) {
        step::say(&format!("=== {name}"));
        let begin = Instant::now();
        let result = check(paths);
        took.push((name, begin.elapsed()));
        if let Err(error) = result {
            summary(&took, start.elapsed(), Some(name));
            return Err(error.context(format!("the check \"{name}\" failed")));
        }
    }
    summary(&took, start.elapsed(), None);
    Ok(())
}

fn summary(took: &[(&str, Duration)], all: Duration, failed: Option<&str>) {
    step::print("");
    for (name, time) in took {
        let result = if failed == Some(*name) { "FAILED" } else { "ok" };
        step::print(&format!("{name:<24} {:>7.1} s  {result}", time.as_secs_f64()));
    }
    step::print(&format!("{:<24} {:>7.1} s", "all", all.as_secs_f64()));
}

/// What the demo needs, and what only the checks use.
fn setup(paths: &Paths) -> Result<()> {
    setup::all(paths)?;
    setup::postgres(paths)?;
    setup::mail_server(paths)?;
    for component in ["rustfmt", "clippy"] {
        let tool = if component == "clippy" { "clippy" } else { "fmt" };
        if step::output(build::cargo(paths).args([tool, "--version"])).is_ok() {
            continue;
        }
        let mut add = Command::new("rustup");
        add.args(["component", "add", component]).current_dir(&paths.root);
        step::quiet(&format!("adding {component}"), &mut add, &paths.tools.join("rustup.log"))
            .with_context(|| format!("cargo {tool} is missing"))?;
    }
    Ok(())
}

fn cargo(paths: &Paths, arguments: &[&str]) -> Result<()> {
    let title = format!("cargo {}", arguments.join(" "));
    step::shown(&title, build::cargo(paths).args(arguments))
}

fn clippy(paths: &Paths, arguments: &[&str]) -> Result<()> {
    cargo(paths, &[&["clippy", "--locked", "--quiet"], arguments, &["--", "-D", "warnings"]].concat())
}

fn bare_target(paths: &Paths) -> Result<()> {
    let mut arguments =
        vec!["build", "--locked", "--quiet", "--target", "thumbv7em-none-eabihf", "--no-default-features"];
    arguments.extend(CORE.iter().flat_map(|name| ["-p", name]));
    cargo(paths, &arguments)
}
