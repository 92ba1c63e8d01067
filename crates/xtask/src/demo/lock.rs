//! One demo at a time, and how `cargo xtask down` finds it.
//!
//! Whoever holds the stack holds a lock on `target/demo.lock` and has its process id in that file. The lock ends with
//! the process, so an id that is read while the file is locked is never that of a stranger.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Paths, interrupt};

/// How long a demo may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Held as long as the stack runs.
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock.
    pub(super) fn take(paths: &Paths) -> Result<Self> {
        let mut file = open(paths)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("a demo is running already{}; end it with: cargo xtask down", holder(&mut file))
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking the demo"),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that nobody holds it.
        let _ = self.0.set_len(0);
    }
}

/// Whether a demo runs.
pub(super) fn is_held(paths: &Paths) -> Result<bool> {
    let file = open(paths)?;
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).context("looking at the demo's lock"),
    }
}

/// Ends the demo that runs and waits until it has ended; false if there is none.
pub(super) fn end_holder(paths: &Paths) -> Result<bool> {
    if !is_held(paths)? {
        return Ok(false);
    }
    let id = interrupt::wait("the demo's process id", Duration::from_secs(2), || {
        let mut text = String::new();
        open(paths)?.read_to_string(&mut text)?;
        Ok(text.trim().parse::<i32>().ok().and_then(Pid::from_raw))
    })?;
    kill_process(id, Signal::TERM).context("asking the demo to end")?;
    interrupt::wait("the end of the demo", ENDS_WITHIN, || Ok((!is_held(paths)?).then_some(())))?;
    Ok(true)
}

fn open(paths: &Paths) -> Result<File> {
    fs::create_dir_all(&paths.target)?;
    let path: PathBuf = paths.target.join("demo.lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    file.with_context(|| format!("opening {}", path.display()))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!(" (process {})", text.trim()),
        _ => String::new(),
    }
}
