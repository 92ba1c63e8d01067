//! SQLite: how the file is opened, and how statements run.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig, params_from_iter};

use super::{DbError, Row, Value};
use crate::notice;

/// How long a statement waits for a lock of the other side.
pub(in crate::store) const BUSY: Duration = Duration::from_secs(5);
/// Memory for pages of the database: the inner pages of its indexes.
const CACHE_KIB: i64 = 8 * 1024;
/// Pages after which SQLite moves the write-ahead log into the database by itself: 32 MiB. The pages that
/// many groups change are moved once.
const AUTOCHECKPOINT_PAGES: i64 = 8192;
/// Statements kept prepared.
const STATEMENTS: usize = 64;

/// A connection that cannot change anything.
pub(super) fn open_reader(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// Opens the file for writing, in the mode the store promises.
///
/// # Errors
/// What SQLite says.
pub(in crate::store) fn open_new(path: &Path) -> Result<Connection, DbError> {
    // Only the writing thread uses this connection; SQLite need not guard it.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    keep_private(path);
    db.busy_timeout(BUSY)?;
    // A statement is planned once, whatever values it is given.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", 2 * AUTOCHECKPOINT_PAGES * 4096)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

/// Events tell who called what: nobody but the relay's own user reads the file. SQLite gives the files beside it the
/// same mode.
fn keep_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if let Err(e) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
            notice::warning!("store: cannot make {} private: {e}", path.display());
        }
    }
}

pub(super) fn execute(db: &Connection, sql: &str, values: &[Value<'_>]) -> Result<u64, DbError> {
    Ok(db.prepare_cached(sql)?.execute(params_from_iter(values))? as u64)
}

pub(super) fn query<T>(
    db: &Connection,
    sql: &str,
    values: &[Value<'_>],
    mut map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(map(&Row::Sqlite(row))?);
    }
    Ok(found)
}
