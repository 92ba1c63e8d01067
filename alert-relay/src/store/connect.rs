//! How the writing side takes possession of a database.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    db::{BUSY, Db, DbError, Place, Session, open_new},
    lock::{self, Lock},
    outbox, schema,
};
use crate::notice;

/// A relay that was killed may leave its session on the server for a moment.
const NAME_PATIENCE: Duration = Duration::from_secs(10);

/// The same with a file.
const FILE_PATIENCE: Duration = Duration::from_secs(2);

/// Keeps other relays away as long as it lives. A server's session does that by itself.
pub(super) struct Held(
    #[expect(dead_code, reason = "held, not read: dropping it gives the lock up")] Option<Lock>,
);

/// Opens the database for writing, alone where only one may, its tables up to date.
pub(super) fn writer(place: &Place) -> Result<(Db, Held), DbError> {
    let (db, held) = match place {
        Place::Sqlite(path) => {
            make_parent(path)?;
            let lock = take_file(path).map_err(DbError::Taken)?;
            (Db::Sqlite(open_new(path)?), Held(Some(lock)))
        }
        Place::Postgres(_) => (again(place)?, Held(None)),
    };
    schema::migrate(&db)?;
    outbox::void_leases(&db, place.relay())?;
    Ok((db, held))
}

/// Another connection in place of one that was lost.
pub(super) fn again(place: &Place) -> Result<Db, DbError> {
    match place {
        Place::Sqlite(path) => Ok(Db::Sqlite(open_new(path)?)),
        Place::Postgres(config) => {
            let db = Db::Postgres(Session::connect(config)?);
            take_name(&db, &config.relay)?;
            Ok(db)
        }
    }
}

/// A relay that ends gives its file up a moment after it has said so.
fn take_file(path: &Path) -> Result<Lock, String> {
    let begun = Instant::now();
    loop {
        match lock::take(path) {
            Err(_) if begun.elapsed() < FILE_PATIENCE => std::thread::sleep(Duration::from_millis(20)),
            result => return result,
        }
    }
}

/// One relay of a name: its log files, and what they already have, belong to that name. Also, whatever an earlier
/// session was doing is decided once its lock is free.
fn take_name(db: &Db, relay: &str) -> Result<(), DbError> {
    let begun = Instant::now();
    loop {
        let taken = db.query_one(
            "SELECT CASE WHEN pg_try_advisory_lock(hashtextextended(current_schema() || ':relay:' || ?1, 0)) \
             THEN 1::bigint ELSE 0::bigint END",
            &[relay.into()],
            |row| row.int(0),
        )?;
        if taken != 0 {
            return Ok(());
        }
        if begun.elapsed() >= NAME_PATIENCE {
            return Err(DbError::Taken(format!(
                "another relay named {relay} holds this database: give each a name of its own (RELAY_NAME)"
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn make_parent(path: &Path) -> Result<(), DbError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(parent)
        .map_err(|e| DbError::Setup(format!("cannot make {}: {e}", parent.display())))
}

/// A number that changes whenever another connection has changed the file. None: others may change the database at any
/// time.
pub(super) fn version(db: &Db) -> Result<Option<i64>, DbError> {
    match db {
        Db::Sqlite(_) => db.query_one("PRAGMA data_version", &[], |row| row.int(0)).map(Some),
        Db::Postgres(_) => Ok(None),
    }
}

/// Cuts SQLite's write-ahead log; whether it is cut. Readers are not waited for: another time will do.
pub(super) fn cut_write_ahead_log(db: &Connection) -> bool {
    let _ = db.busy_timeout(Duration::from_millis(50));
    let busy: rusqlite::Result<i64> = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    let _ = db.busy_timeout(BUSY);
    match busy {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => {
            notice::warning!("store: cannot cut the write-ahead log: {e}");
            false
        }
    }
}
