//! `alert-relay --config FILE`: see `--help`.

use std::{path::PathBuf, process::ExitCode};

use alert_relay::{
    Relay,
    config::{Config, Source},
};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code for a bad command line or configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

const HELP: &str = "\
alert-relay: stores Modelgate's events, keeps the incident log and mails the security team

usage: alert-relay [--config FILE] [--check]

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
    Print(String),
}

fn main() -> ExitCode {
    let (config, check) = match asked(std::env::args().skip(1)) {
        Ok(Asked::Serve(config)) => (config, false),
        Ok(Asked::Check(config)) => (config, true),
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
        Ok(_) if check => {
            println!("the configuration is good");
            ExitCode::SUCCESS
        }
        Ok(config) => serve(config),
    }
}

fn asked(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut config = None;
    let mut check = false;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--config" => config = Some(args.next().ok_or("--config needs a file")?.into()),
            "--check" => check = true,
            "--help" | "-h" => return Ok(Asked::Print(HELP.to_owned())),
            "--version" => return Ok(Asked::Print(format!("alert-relay {}\n", env!("CARGO_PKG_VERSION")))),
            other => match other.strip_prefix("--config=") {
                Some(file) => config = Some(file.into()),
                None => return Err(format!("{other:?} is not known")),
            },
        }
    }
    Ok(if check { Asked::Check(config) } else { Asked::Serve(config) })
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
