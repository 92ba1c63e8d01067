//! Running tools, with a word on what takes long.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt;

/// How often a silent step says that it goes on.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The same for a tool that reports by itself, or should.
const SLOW_HEARTBEAT: Duration = Duration::from_secs(60);

/// Prints a line of progress.
pub fn say(text: &str) {
    // Whoever reads may have gone (`| head`); what is under way goes on, to its orderly end.
    let _ = writeln!(io::stderr(), "[xtask] {text}");
}

/// Prints a result.
pub fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Runs a tool that reports by itself; its output goes where ours goes.
///
/// # Errors
/// When it cannot be started, fails or is interrupted.
pub fn shown(title: &str, command: &mut Command) -> Result<()> {
    say(title);
    let status = follow(title, command, SLOW_HEARTBEAT)?;
    if !status.success() {
        bail!("{title}: {} ended with {status}", name(command));
    }
    Ok(())
}

/// Runs a tool silently into a log, with a line every ten seconds.
///
/// # Errors
/// When it cannot be started, fails (the error ends with the log's last lines) or is interrupted.
pub fn quiet(title: &str, command: &mut Command, log: &Path) -> Result<()> {
    say(title);
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(log).with_context(|| format!("{}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = follow(title, command, HEARTBEAT)?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut error = anyhow!("{title}: {} ended with {status}\n{}", name(command), tail(&text, 15));
    if let Some(hint) = network_hint(&text) {
        error = error.context(hint);
    }
    Err(error)
}

/// What a tool prints, when it succeeds.
///
/// # Errors
/// When it cannot be started or fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {}", name(command)))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{} ended with {}\n{}", name(command), output.status, tail(&text, 15));
    }
    String::from_utf8(output.stdout).with_context(|| format!("what {} prints", name(command)))
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Starts a tool in a process group of its own, so that an interruption ends all of it.
fn follow(title: &str, command: &mut Command, heartbeat: Duration) -> Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("{title}: starting {}", name(command)))?;
    let start = Instant::now();
    let mut next = heartbeat;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(error) = interrupt::check() {
            end_group(&mut child);
            return Err(error);
        }
        if start.elapsed() > next {
            say(&format!("  … {title}: {} s", start.elapsed().as_secs()));
            next += heartbeat;
        }
        thread::sleep(Duration::from_millis(if start.elapsed() < Duration::from_secs(1) { 5 } else { 50 }));
    }
}

/// Asks a process group to end, makes it after three seconds, and waits for its leader.
pub(crate) fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    // The leader may be gone while others of its group live on: the group is signalled in either case.
    let _ = signal(Signal::TERM);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = signal(Signal::KILL);
    let _ = child.wait();
}

/// The last lines of a text, indented, each cut where it leaves every screen.
#[must_use]
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = all.len().saturating_sub(lines);
    all.iter()
        .skip(from)
        .map(|line| format!("    {}", line.chars().take(300).collect::<String>()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What to say when a tool's output tells that the network is the cause.
fn network_hint(log: &str) -> Option<&'static str> {
    const SIGNS: [&str; 12] = [
        "Temporary failure in name resolution",
        "Name or service not known",
        "Could not resolve",
        "could not resolve",
        "NewConnectionError",
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ETIMEDOUT",
        "Network is unreachable",
        "ReadTimeoutError",
        "CERTIFICATE_VERIFY_FAILED",
    ];
    SIGNS.iter().any(|sign| log.contains(sign)).then_some(
        "the package registry could not be reached: check the network, HTTPS_PROXY and the certificates, then run \
         the same command again; what was fetched already is kept",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_name_resolution_is_told_as_a_network_problem() {
        let log = "WARNING: Retrying after connection broken by 'NewConnectionError(Temporary failure in name resolution)'";
        assert!(network_hint(log).is_some());
        assert!(network_hint("ERROR: No matching distribution found").is_none());
    }

    #[test]
    fn an_error_ends_with_the_last_lines_of_the_log() {
        let folder = std::env::temp_dir().join(format!("xtask-step-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo first; echo last >&2; exit 3"]);
        let error = quiet("a step", &mut command, &folder.join("log")).unwrap_err();
        assert!(format!("{error:#}").contains("last"), "{error:#}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_tail_keeps_the_last_lines_only() {
        assert_eq!(tail("a\n\nb\nc\n", 2), "    b\n    c");
    }
}
