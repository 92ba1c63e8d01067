//! One process of the stack.

use std::{
    fs::{self, OpenOptions},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process_group};

use super::keeper;
use crate::step;

/// Variables that processes of the stack get from our environment; all others are kept from them, so that somebody's
/// `SMTP_SERVER` does not receive the demo's mail.
const PASSED: [&str; 7] =
    ["PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH"];

/// A running process with a group and a log of its own. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it prints goes to the end of `log`.
    pub(super) fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("{}", log.display()))?;
        let given: Vec<_> =
            command.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
        command.env_clear();
        command.envs(PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(given.into_iter().filter_map(|(key, value)| Some((key, value?))));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = spawn(command).with_context(|| format!("starting {name}"))?;
        let process = Self { name, child, log: log.to_owned() };
        keeper::add(process.child.id())?;
        Ok(process)
    }

    /// An error when it is no longer there.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended with {status}"))),
        }
    }

    /// An error that ends with the last lines of the log.
    pub(super) fn failed(&self, what: &str) -> anyhow::Error {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        anyhow!("{} {what}; the end of {}:\n{}", self.name, self.log.display(), step::tail(&text, 20))
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without a word, as a crash of the machine would.
    pub(super) fn kill(mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits for it; after three seconds it is killed.
    pub(super) fn stop(mut self) -> Option<ExitStatus> {
        step::end_group(&mut self.child);
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            step::end_group(&mut self.child);
        }
        keeper::remove(self.child.id());
    }
}

/// What the starting thread is asked for, and where it answers.
type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Starts a process from a thread that lives as long as we do. The Envoy of PyPI ends with the thread that started it
/// (`PR_SET_PDEATHSIG` counts threads), and a test's thread ends before the tests do.
fn spawn(command: Command) -> Result<Child> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = mpsc::channel();
    starter
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .ok()
        .context("the starting thread is gone")?;
    Ok(answered.recv().context("the starting thread is gone")??)
}
