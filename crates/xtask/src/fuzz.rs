//! `cargo xtask fuzz`: what holds for every input, tried on what libFuzzer makes of the fixtures.
//!
//! The targets are functions of `crates/fuzz`, in one program. It is built by the pinned toolchain: the compiler's pass
//! that counts what was run needs no other one, only a linker that finds libFuzzer, which the crate libfuzzer-sys brings
//! as C++. Without a sanitizer: the crates forbid unsafe code, and an overflow or a failed assertion ends the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{Paths, build, interrupt::Interrupted, paths::shown, step};

/// How long a target runs unless told, in seconds.
pub const SECONDS: u32 = 60;
/// An input that takes longer is a crash: seconds, with counters and checks in the code.
const TIMEOUT: u32 = 10;
/// More memory is a crash: MiB. The counters and the corpus take some 200.
const MEMORY: u32 = 1024;
/// What cargo-fuzz gives the compiler, too: a counter for each edge, operands of comparisons for the mutator.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// Something to be fuzzed.
struct Target {
    name: String,
    /// Longest input, in bytes.
    max_len: String,
}

/// What became of it.
struct Ran {
    name: String,
    log: Log,
    /// What libFuzzer was told to end with.
    failed: bool,
}

/// What libFuzzer's output says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    runs: u64,
    /// Edges that the inputs at hand reached, and those found in this run too.
    covered: (u64, u64),
    /// The slowest input, in seconds.
    slowest: u64,
    /// Files with inputs that broke something.
    crashes: Vec<PathBuf>,
}

/// Runs each target, or those that are named, for so many seconds. `false`: there was a crash.
///
/// # Errors
/// When a name is of no target, or the fuzzer cannot be built or started.
pub fn run(paths: &Paths, seconds: u32, wanted: &[String]) -> Result<bool> {
    let program = build(paths)?;
    let targets = targets(&program)?;
    if let Some(other) = wanted.iter().find(|name| !targets.iter().any(|target| target.name == **name)) {
        let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        bail!("there is no target {other:?}; there are: {}", names.join(", "));
    }
    let is_wanted = |target: &&Target| wanted.is_empty() || wanted.contains(&target.name);
    let ran: Vec<Ran> = targets
        .iter()
        .filter(is_wanted)
        .map(|target| one(paths, &program, target, seconds))
        .collect::<Result<_>>()?;
    step::print(&table(paths, &ran));
    Ok(ran.iter().all(|ran| !ran.failed))
}

fn build(paths: &Paths) -> Result<PathBuf> {
    // Named, so that the flags are not given to build scripts.
    let version = step::output(Command::new("rustc").arg("-vV").current_dir(&paths.root))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let built = paths.target.join("fuzz/build");
    let mut cargo = build::cargo(paths);
    cargo.args(["build", "--locked", "--quiet", "--profile", "fuzz", "-p", "modelgate-fuzz"]);
    cargo.args(["--features", "libfuzzer", "--bin", "modelgate-fuzz", "--target", host, "--target-dir"]);
    cargo.arg(&built).env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    step::shown("building the fuzzer", &mut cargo)
        .context("the fuzzer needs a C++ compiler (on Debian and Ubuntu: apt install g++)")?;
    Ok(built.join(host).join("fuzz/modelgate-fuzz"))
}

/// What the program has to offer: a name and a length a line.
fn targets(program: &Path) -> Result<Vec<Target>> {
    let list = step::output(Command::new(program).env("MODELGATE_FUZZ_TARGET", "?"))?;
    let target = |line: &str| {
        let (name, max_len) = line.split_once(' ')?;
        Some(Target { name: name.to_owned(), max_len: max_len.to_owned() })
    };
    let targets: Vec<_> = list.lines().filter_map(target).collect();
    if targets.is_empty() { bail!("the fuzzer names no targets: {list}") } else { Ok(targets) }
}

/// Runs a target: on its seeds, on what was found before, then on what libFuzzer makes of them.
fn one(paths: &Paths, program: &Path, target: &Target, seconds: u32) -> Result<Ran> {
    let name = &target.name;
    let folder = paths.target.join("fuzz").join(name);
    let found = folder.join("corpus");
    let (seeds, crashes, log) = (folder.join("seeds"), folder.join("crashes"), folder.join("log"));
    // Seeds that are no longer ones go.
    if seeds.exists() {
        fs::remove_dir_all(&seeds)?;
    }
    for folder in [&found, &seeds, &crashes] {
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    let mut command = Command::new(program);
    command.env("MODELGATE_FUZZ_TARGET", name).env("MODELGATE_FUZZ_SEEDS", &seeds);
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={TIMEOUT}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-max_len={}", target.max_len),
        format!("-dict={}", paths.root.join("crates/fuzz/words.dict").display()),
        format!("-artifact_prefix={}/", crashes.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    command.args([&found, &seeds, &crashes]).current_dir(&folder);
    let ended = step::quiet(&format!("fuzzing {name} for {seconds} s"), &mut command, &log);
    if let Err(error) = &ended {
        if error.is::<Interrupted>() {
            return Err(Interrupted.into());
        }
        step::say(&format!("{error:#}"));
    }
    let log = read(&fs::read_to_string(&log)?);
    Ok(Ran { name: name.clone(), failed: ended.is_err(), log })
}

/// What libFuzzer says: `#21  INITED cov: 1304 ft: …`, `Test unit written to …`, `stat::number_of_executed_units: 21`.
fn read(text: &str) -> Log {
    let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let mut log = Log::default();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once(" cov: ").filter(|_| line.starts_with('#')) {
            log.covered.1 = number(rest);
            if line.contains("INITED") {
                log.covered.0 = log.covered.1;
            }
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            log.crashes.push(path.trim().into());
        } else if let Some(rest) = line.strip_prefix("stat::number_of_executed_units:") {
            log.runs = number(rest);
        } else if let Some(rest) = line.strip_prefix("stat::slowest_unit_time_sec:") {
            log.slowest = number(rest);
        }
    }
    log
}

fn table(paths: &Paths, ran: &[Ran]) -> String {
    let mut text =
        format!("{:<12} {:>12} {:>10} {:>8} {:>10}\n", "target", "runs", "coverage", "new", "slowest s");
    for Ran { name, log, failed } in ran {
        let (before, after) = log.covered;
        let new = after.saturating_sub(before);
        text.push_str(&format!("{name:<12} {:>12} {after:>10} {new:>8} {:>10}", log.runs, log.slowest));
        for crash in &log.crashes {
            text.push_str(&format!("  CRASH {}", shown(paths, crash)));
        }
        if *failed && log.crashes.is_empty() {
            text.push_str("  FAILED");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let text = "INFO: seed corpus: files: 37\n#38\tINITED cov: 1304 ft: 1305 corp: 37/1b\n\
            #512\tNEW    cov: 1310 ft: 1400 corp: 38/2b\n==7== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='x/'; Test unit written to x/crash-7f3a\n\
            stat::number_of_executed_units: 4711\nstat::slowest_unit_time_sec:    1\n";
        let crashes = vec!["x/crash-7f3a".into()];
        assert_eq!(read(text), Log { runs: 4711, covered: (1304, 1310), slowest: 1, crashes });
        assert_eq!(read(""), Log::default());
    }

    #[test]
    fn the_table_shows_crashes_and_failures_without_one() {
        let paths = Paths::find();
        let crashes = vec![paths.target.join("fuzz/decode/crashes/crash-1")];
        let log = Log { runs: 9, covered: (3, 5), slowest: 0, crashes };
        let broken = Ran { name: "decode".to_owned(), log, failed: true };
        let silent = Ran { name: "feed".to_owned(), log: Log::default(), failed: true };
        let text = table(&paths, &[broken, silent]);
        assert!(text.contains("CRASH") && text.contains("decode/crashes/crash-1"), "{text}");
        assert!(text.lines().last().is_some_and(|line| line.ends_with("FAILED")), "{text}");
    }
}
