//! Ctrl-C and SIGTERM: noticed in every wait, so that whoever waits can end what it started.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Somebody asked us to end.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// From now on the signals only raise a flag; a second one ends the process at once.
///
/// # Errors
/// When the handlers cannot be set.
pub fn listen() -> Result<()> {
    let flag = FLAG.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag)).context("signals")?;
        signal_hook::flag::register(signal, Arc::clone(flag)).context("signals")?;
    }
    Ok(())
}

/// Whether a signal came.
#[must_use]
pub fn raised() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// # Errors
/// [`Interrupted`] when a signal came.
pub fn check() -> Result<()> {
    if raised() { Err(Interrupted.into()) } else { Ok(()) }
}

/// Asks `ready` again and again until it yields something.
///
/// # Errors
/// What `ready` fails with, [`Interrupted`], or that `what` did not happen within `limit`.
pub fn wait<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        check()?;
        if let Some(value) = ready()? {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("{what} within {} s did not happen", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}
