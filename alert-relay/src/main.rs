//! `alert-relay --config FILE`: see `--help`.

use std::{path::PathBuf, process::ExitCode};

use alert_relay::{
    Relay,
    config::{Config, Source},
    maintenance,
};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code for a bad command line or configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

const HELP: &str = "\
alert-relay: stores Modelgate's events, keeps the incident log and mails the security team

usage: alert-relay [--config FILE] [--check]
       alert-relay backup FILE | restore FILE | check [--config FILE]
       alert-relay log-key | verify KEYFILE [--head HEAD]… [--config FILE]

  backup FILE     write all that is stored in SQLite into a new file; the relay may be running
  restore FILE    put a backup in place of the SQLite file, which is kept; the relay must not be running
  check           look whether what is stored is whole and fits together: exit 0, or 1 and what is wrong

  log-key         begin to seal the lines of the log (log.chain_file) and print the key that verify needs; it is kept
                  nowhere, so keep it, and on another machine
  verify KEYFILE  find every line of the log that was changed, removed or moved: exit 0, or 1 and file and line;
                  --head HEAD: with what a digest mail said the log had then

  --config FILE   configuration (TOML); without it the defaults and the environment count
  --check         only check the configuration: exit 0, or 64 and what is wrong
  --version       print the version
  --help          print this

The environment wins over the file: RELAY_LISTEN, RELAY_NAME, RELAY_DATABASE, DATABASE_URL, DATABASE_CA_FILE, RELAY_PUBLIC_URL, RELAY_API_TOKEN,
MODELGATE_WEBHOOK_KEY, SECURITY_LOG_PATH, ALERT_SENDER, ALERT_RECIPIENTS, SMTP_SERVER, SMTP_PORT, SMTP_TLS,
SMTP_USERNAME, SMTP_PASSWORD; the mail settings also as ALERT_SMTP_…, which win over SMTP_…; secrets also as
…_FILE, naming a file. alert-relay.toml shows every setting.
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
    Verify { key: PathBuf, heads: Vec<String> },
}

/// What is done with the configuration.
enum Work {
    Serve,
    OnlyCheck,
    Task(Task),
}

fn main() -> ExitCode {
    let (config, work) = match asked(std::env::args().skip(1)) {
        Ok(Asked::Serve(config)) => (config, Work::Serve),
        Ok(Asked::Check(config)) => (config, Work::OnlyCheck),
        Ok(Asked::Maintain(config, task)) => (config, Work::Task(task)),
        Ok(Asked::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("alert-relay: {error}\n\n{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    let env = |name: &str| std::env::var(name).ok();
    match Config::load(&Source { file: config.as_deref(), env: &env }) {
        Err(errors) => {
            eprintln!("alert-relay: the configuration is not usable:\n{errors}");
            ExitCode::from(USAGE)
        }
        Ok(config) => match work {
            Work::Serve => serve(config),
            Work::Task(task) => maintain(&config, &task),
            Work::OnlyCheck => {
                println!("the configuration is good");
                ExitCode::SUCCESS
            }
        },
    }
}

fn asked(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let (mut config, mut check, mut task) = (None, false, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--config" => config = Some(args.next().ok_or("--config needs a file")?.into()),
            "--check" => check = true,
            "--help" | "-h" => return Ok(Asked::Print(HELP.to_owned())),
            "--version" => return Ok(Asked::Print(format!("alert-relay {}\n", env!("CARGO_PKG_VERSION")))),
            "backup" | "restore" | "check" | "log-key" | "verify" if task.is_some() => {
                return Err(format!("{arg}: one task at a time"));
            }
            "backup" => task = Some(Task::Backup(args.next().ok_or("backup needs a file")?.into())),
            "restore" => task = Some(Task::Restore(args.next().ok_or("restore needs a file")?.into())),
            "check" => task = Some(Task::Check),
            "log-key" => task = Some(Task::LogKey),
            "verify" => {
                let key = args.next().ok_or("verify needs the file of the key")?.into();
                task = Some(Task::Verify { key, heads: Vec::new() });
            }
            "--head" => match &mut task {
                Some(Task::Verify { heads, .. }) => heads.push(args.next().ok_or("--head needs a head")?),
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

fn maintain(config: &Config, task: &Task) -> ExitCode {
    let result = match task {
        Task::Backup(file) => maintenance::backup(config, file).map(|line| (vec![line], true)),
        Task::Restore(file) => maintenance::restore(config, file).map(|line| (vec![line], true)),
        Task::Check => maintenance::check(config),
        Task::LogKey => maintenance::log_key(config).map(|line| (vec![line], true)),
        Task::Verify { key, heads } => maintenance::verify(config, key, heads),
    };
    match result {
        Ok((lines, well)) => {
            println!("{}", lines.join("\n"));
            if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("alert-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> ExitCode {
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the runtime: {e}"))
        .and_then(|runtime| runtime.block_on(run(config)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alert-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the system asks for the end.
async fn run(config: Config) -> Result<(), String> {
    let handler = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let relay = Relay::start(config).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    relay.shut_down().await;
    Ok(())
}
