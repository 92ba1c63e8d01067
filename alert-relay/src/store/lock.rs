//! One relay per database.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

/// Holds the lock as long as it lives.
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not read: closing it gives the lock up")] File);

/// Takes `<database>.lock`, or says who to look for.
pub(crate) fn take(database: &Path) -> Result<Lock, String> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let shown = Path::new(&name).display();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|e| format!("cannot open {shown}: {e}"))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(format!("another relay holds {shown}: one per database")),
        Err(TryLockError::Error(e)) => Err(format!("cannot lock {shown}: {e}")),
    }
}
