//! `modelgate`: the detection core on the command line.

mod corpus;
mod eval;
mod load;
mod rules;
mod scan;
mod table;

use std::{
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Checks policies, scans texts and judges corpora with the very core that runs in Envoy and at the edge.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a policy (JSON, or YAML by its ending); errors with line and column, warnings for whatever can bypass.
    Validate {
        /// The policy.
        policy: PathBuf,
    },
    /// Print the JSON Schema of the policy.
    Schema,
    /// List the rules that a policy uses.
    Rules {
        /// The policy; without it the defaults hold.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// JSON lines in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// Print pins of the tools in an answer to MCP's `tools/list`, read from the standard input, for a policy's
    /// `response.pinned_tools`.
    Pin,
    /// Judge texts: JSON lines `{"text":…, "role"?:…}` in, the same with score, verdict and findings out.
    Scan {
        /// The policy; without it the defaults hold.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Measure recall and false alarms over corpora of `{"text","label","kind","source"}` lines, plain or gzipped.
    Eval {
        /// The policy; without it the defaults hold.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// The corpora.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("modelgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match command {
        Command::Validate { policy } => {
            let checked = load::policy(&policy)?;
            // The rules of the operator are compiled, too.
            guard::Inspector::new(&checked)
                .map_err(|error| anyhow::anyhow!("{}: {error}", policy.display()))?;
            for warning in checked.warnings() {
                writeln!(out, "{}: warning: {warning}", policy.display())?;
            }
            writeln!(out, "{}: valid", policy.display())?;
        }
        Command::Schema => {
            let schema = schemars::schema_for!(policy::Document);
            writeln!(out, "{}", serde_json::to_string_pretty(&schema)?)?;
        }
        Command::Rules { policy, json } => {
            rules::rules(&load::policy_or_default(policy.as_deref())?, json, &mut out)?;
        }
        Command::Pin => {
            let mut answer = Vec::new();
            io::stdin().lock().read_to_end(&mut answer)?;
            let pins =
                guard::pins(&answer).map_err(|problem| anyhow::anyhow!("standard input: {problem}"))?;
            anyhow::ensure!(!pins.is_empty(), "standard input: no tool is declared in it");
            let pins: std::collections::BTreeMap<String, String> = pins.into_iter().collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&pins)?)?;
        }
        Command::Scan { policy } => {
            scan::scan(&load::policy_or_default(policy.as_deref())?, io::stdin().lock(), out)?;
        }
        Command::Eval { policy, files } => {
            eval::eval(&load::policy_or_default(policy.as_deref())?, &files, &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `modelgate scan | head` is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
