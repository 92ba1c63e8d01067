//! The tables, as a list of migrations for each database.

mod postgres;
mod sqlite;

use std::time::Instant;

use super::db::{Db, DbError, Dialect};
use crate::notice;

/// The advisory lock that relays take while they bring the tables up to date: "migrate" in ASCII.
const MIGRATING: i64 = 0x006d_6967_7261_7465;

/// Brings the tables up to date. Relays that start together wait for each other.
///
/// # Errors
/// What the database says, or that a newer relay made it.
pub(super) fn migrate(db: &Db) -> Result<(), DbError> {
    match db.dialect() {
        Dialect::Sqlite => run(db, sqlite::MIGRATIONS),
        Dialect::Postgres => {
            db.query("SELECT pg_advisory_lock(?1)", &[MIGRATING.into()], |_| Ok(()))?;
            let result = db.batch(postgres::COUNT).and_then(|()| run(db, postgres::MIGRATIONS));
            db.query("SELECT pg_advisory_unlock(?1)", &[MIGRATING.into()], |_| Ok(()))?;
            result
        }
    }
}

fn run(db: &Db, migrations: &[&str]) -> Result<(), DbError> {
    let version = db.query_one(read_version(db), &[], |row| row.uint(0))?;
    let (done, known) = (usize::try_from(version).unwrap_or(usize::MAX), migrations.len() as u64);
    if done > migrations.len() {
        return Err(DbError::Newer { version, known });
    }
    let begun = Instant::now();
    let is_old = (1..known).contains(&version);
    if is_old {
        notice::info!(
            "store: the database has schema version {version}; it is brought to {known} before anything is taken, \
             which with millions of events takes minutes"
        );
    }
    for (sql, number) in migrations.iter().zip(1_u64..).skip(done) {
        let count = match db.dialect() {
            Dialect::Sqlite => format!("PRAGMA user_version = {number}"),
            Dialect::Postgres => format!("UPDATE meta SET value = {number} WHERE key = 'schema'"),
        };
        if let Err(e) = db.batch(&format!("BEGIN; {sql}; {count}; COMMIT")) {
            let _ = db.batch("ROLLBACK");
            return Err(e);
        }
    }
    if is_old {
        notice::info!("store: brought to schema version {known} in {:.1} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// The tables of an earlier relay, for the tests: the first migrations only.
#[cfg(test)]
pub(super) fn migrate_to_release(db: &Db) -> Result<(), DbError> {
    match db.dialect() {
        Dialect::Sqlite => run(db, sqlite::MIGRATIONS.get(..sqlite::RELEASED).unwrap_or_default()),
        Dialect::Postgres => {
            db.batch(postgres::COUNT)?;
            run(db, postgres::MIGRATIONS.get(..postgres::RELEASED).unwrap_or_default())
        }
    }
}

/// That the tables are those this relay makes.
///
/// # Errors
/// What the database says, or that a newer or an older relay made it.
pub(super) fn current(db: &Db) -> Result<(), DbError> {
    let known = match db.dialect() {
        Dialect::Sqlite => sqlite::MIGRATIONS.len(),
        Dialect::Postgres => postgres::MIGRATIONS.len(),
    } as u64;
    match db.query_one(read_version(db), &[], |row| row.uint(0))? {
        version if version > known => Err(DbError::Newer { version, known }),
        version if version < known => Err(DbError::Setup(format!(
            "the database has schema version {version}; start this relay on it once, which makes it {known}"
        ))),
        _ => Ok(()),
    }
}

fn read_version(db: &Db) -> &'static str {
    match db.dialect() {
        Dialect::Sqlite => "PRAGMA user_version",
        Dialect::Postgres => "SELECT value FROM meta WHERE key = 'schema'",
    }
}
