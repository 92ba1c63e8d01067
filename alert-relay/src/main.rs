//! `alert-relay --config FILE`: see `--help`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alert_relay::{
    config::{Config, Source},
    maintenance,
};

/// The exit code for a bad command line or configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

const HELP: &str = "\
alert-relay: stores Modelgate's events, keeps the incident log and mails the security team

usage: alert-relay [--config FILE] [--check]
       alert-relay backup FILE | restore FILE | check [--config FILE]
       alert-relay test-alert | resend [ID | all] | dkim-record [--config FILE]
       alert-relay log-key | verify KEYFILE [--head HEAD]… [--config FILE]

  backup FILE     write all that is stored in SQLite into a new file; the relay may be running
  restore FILE    put a backup in place of the SQLite file, which is kept; the relay must not be running
  check           look whether what is stored is whole and fits together: exit 0, or 1 and what is wrong

  test-alert      send a test message to everybody, now, and tell how each step went: exit 0, or 1
  resend          list the messages that were refused for good; with a number or all: send them again
  dkim-record     print the lines of a zone file that publish the keys which mails are signed with (mail.dkim)

  log-key         begin to seal the lines of the log (log.chain_file) and print the key that verify needs; it is kept
                  nowhere, so keep it, and on another machine
  verify KEYFILE  find every line of the log that was changed, removed or moved: exit 0, or 1 and file and line;
                  --head HEAD: with what a digest mail said the log had then

  --config FILE   configuration (TOML); without it the defaults and the environment count
  --check         only check the configuration: exit 0, or 64 and what is wrong
  --version       print the version
  --help          print this

Signals: SIGTERM and SIGINT end it after requests under way; SIGHUP reads the configuration anew, and keeps the last
good one if it is not.

The environment wins over the file: RELAY_LISTEN, RELAY_NAME, RELAY_DATABASE, DATABASE_URL, DATABASE_CA_FILE,
RELAY_PUBLIC_URL, RELAY_API_TOKEN, MODELGATE_WEBHOOK_KEY, SECURITY_LOG_PATH, ALERT_SENDER, ALERT_RECIPIENTS,
SMTP_SERVER, SMTP_PORT, SMTP_TLS, SMTP_USERNAME, SMTP_PASSWORD; the mail settings also as ALERT_SMTP_…, which win over
SMTP_…; secrets also as …_FILE, naming a file. alert-relay.toml shows every setting.
";

/// What the command line asks for.
enum Asked {
    Serve(Option<PathBuf>),
    Check(Option<PathBuf>),
    Maintain(Option<PathBuf>, Task),
    Print(String),
}

/// What is done by hand.
enum Task {
    Backup(PathBuf),
    Restore(PathBuf),
    Check,
    LogKey,
    TestAlert,
    Resend(Option<String>),
    DkimRecord,
    Verify { key: PathBuf, heads: Vec<String> },
}

/// What is done with the configuration.
enum Work {
    Serve,
    OnlyCheck,
    Task(Task),
}

fn main() -> ExitCode {
    let (config, work) = match arguments().and_then(asked) {
        Ok(Asked::Serve(config)) => (config, Work::Serve),
        Ok(Asked::Check(config)) => (config, Work::OnlyCheck),
        Ok(Asked::Maintain(config, task)) => (config, Work::Task(task)),
        Ok(Asked::Print(text)) => {
            say(text.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("alert-relay: {error}\n\n{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    let file = config;
    match Config::load(&Source { file: file.as_deref(), env: &variable }) {
        Err(errors) => {
            eprintln!("alert-relay: the configuration is not usable:\n{errors}");
            ExitCode::from(USAGE)
        }
        Ok(config) => match work {
            Work::Serve => serve(config, file.as_deref()),
            Work::Task(task) => maintain(&config, &task),
            Work::OnlyCheck => {
                say("the configuration is good");
                ExitCode::SUCCESS
            }
        },
    }
}

/// Writes a line to standard output. Whoever reads it may have seen enough (`| head`).
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn arguments() -> Result<Vec<String>, String> {
    let text = |arg: std::ffi::OsString| arg.into_string().map_err(|arg| format!("{arg:?} is no text"));
    std::env::args_os().skip(1).map(text).collect()
}

/// A variable of the environment. One that is no UTF-8 is not as good as none: what is wrong with it is told.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn asked(args: Vec<String>) -> Result<Asked, String> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return Ok(Asked::Print(HELP.to_owned()));
    }
    let mut args = args.into_iter().peekable();
    let (mut config, mut check, mut task) = (None, false, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--config" => config = Some(value(&mut args, "--config needs a file")?.into()),
            "--check" => check = true,
            "--version" => return Ok(Asked::Print(format!("alert-relay {}\n", env!("CARGO_PKG_VERSION")))),
            "backup" | "restore" | "check" | "log-key" | "verify" | "test-alert" | "resend"
            | "dkim-record"
                if task.is_some() =>
            {
                return Err(format!("{arg}: one task at a time"));
            }
            "backup" => task = Some(Task::Backup(value(&mut args, "backup needs a file")?.into())),
            "restore" => task = Some(Task::Restore(value(&mut args, "restore needs a file")?.into())),
            "check" => task = Some(Task::Check),
            "test-alert" => task = Some(Task::TestAlert),
            "resend" => {
                let which = args.next_if(|arg| !arg.starts_with("--"));
                task = Some(Task::Resend(which));
            }
            "dkim-record" => task = Some(Task::DkimRecord),
            "log-key" => task = Some(Task::LogKey),
            "verify" => {
                let key = value(&mut args, "verify needs the file of the key")?.into();
                task = Some(Task::Verify { key, heads: Vec::new() });
            }
            "--head" => match &mut task {
                Some(Task::Verify { heads, .. }) => heads.push(value(&mut args, "--head needs a head")?),
                _ => return Err("--head comes after verify".to_owned()),
            },
            other => match other.strip_prefix("--config=") {
                Some(file) => config = Some(file.into()),
                None => return Err(format!("{other:?} is not known")),
            },
        }
    }
    match (check, task) {
        (true, Some(_)) => Err("--check checks the configuration and does nothing else".to_owned()),
        (true, None) => Ok(Asked::Check(config)),
        (false, Some(task)) => Ok(Asked::Maintain(config, task)),
        (false, None) => Ok(Asked::Serve(config)),
    }
}

/// What belongs to an argument; another option is no such thing.
fn value(
    args: &mut std::iter::Peekable<impl Iterator<Item = String>>,
    or_else: &str,
) -> Result<String, String> {
    args.next_if(|arg| !arg.starts_with("--")).ok_or_else(|| or_else.to_owned())
}

fn maintain(config: &Config, task: &Task) -> ExitCode {
    let result = match task {
        Task::Backup(file) => maintenance::backup(config, file).map(|line| (vec![line], true)),
        Task::Restore(file) => maintenance::restore(config, file).map(|line| (vec![line], true)),
        Task::Check => maintenance::check(config),
        Task::TestAlert => test_alert(config).map(|well| (Vec::new(), well)),
        Task::Resend(which) => maintenance::resend(config, which.as_deref()).map(|lines| (lines, true)),
        Task::DkimRecord => maintenance::dkim_records(config).map(|lines| (lines, true)),
        Task::LogKey => maintenance::log_key(config).map(|line| (vec![line], true)),
        Task::Verify { key, heads } => maintenance::verify(config, key, heads),
    };
    match result {
        Ok((lines, well)) => {
            lines.iter().for_each(|line| say(line));
            if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("alert-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Each line as soon as it is known: a step may take its time.
fn test_alert(config: &Config) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the runtime: {e}"))?;
    runtime.block_on(alert_relay::test_alert(config, &mut |line| say(&line)))
}

fn serve(config: Config, file: Option<&Path>) -> ExitCode {
    let load = || Config::load(&Source { file, env: &variable });
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the runtime: {e}"))
        .and_then(|runtime| runtime.block_on(alert_relay::run(config, load)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alert-relay: {error}");
            ExitCode::FAILURE
        }
    }
}
