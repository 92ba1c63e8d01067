//! One way to talk to either database: SQLite or PostgreSQL.
//!
//! Not a mapper: SQL stays SQL. It is written once, in the words both understand, with parameters as `?1`, `?2` …; where
//! they must differ, the function that holds the statement asks for the [`Dialect`]. Whole numbers are 64 bits, ids 16
//! bytes, the rest is text.
//!
//! All calls block. PostgreSQL's wait inside a small runtime of the connection's own, so the same code runs on the
//! writing thread and on tokio's threads for blocking work, and never on those that serve.

mod error;
mod postgres;
mod row;
mod sqlite;
mod tls;

use std::path::PathBuf;

pub(crate) use self::{
    error::DbError,
    row::{Row, Value, broken},
};
pub(super) use self::{
    postgres::Session,
    sqlite::{BUSY, open_new},
};

/// What a database understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// SQLite: one relay, one file.
    Sqlite,
    /// PostgreSQL: any number of relays.
    Postgres,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<crate::config::Postgres>),
}

impl Place {
    /// The name under which this relay's own rows stand. A file has one relay only, whatever it is called.
    pub(crate) fn relay(&self) -> &str {
        match self {
            Self::Sqlite(_) => "relay",
            Self::Postgres(config) => &config.relay,
        }
    }

    /// A connection for short queries.
    ///
    /// # Errors
    /// When the file cannot be opened or the server not be reached.
    pub(crate) fn open_reader(&self) -> Result<Db, DbError> {
        match self {
            Self::Sqlite(path) => sqlite::open_reader(path).map(Db::Sqlite),
            Self::Postgres(config) => Session::connect(config).map(Db::Postgres),
        }
    }
}

impl From<&crate::config::Database> for Place {
    fn from(database: &crate::config::Database) -> Self {
        match database {
            crate::config::Database::Sqlite(path) => Self::Sqlite(path.clone()),
            crate::config::Database::Postgres(config) => Self::Postgres(config.clone()),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(config) => config.fmt(f),
        }
    }
}

/// A connection.
pub(crate) enum Db {
    /// To a file.
    Sqlite(rusqlite::Connection),
    /// To a server.
    Postgres(Session),
}

impl Db {
    /// What it understands.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs statements without parameters.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => Ok(db.execute_batch(sql)?),
            Self::Postgres(session) => session.batch(sql),
        }
    }

    /// Changes rows; how many.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, DbError> {
        match self {
            Self::Sqlite(db) => sqlite::execute(db, sql, values),
            Self::Postgres(session) => session.execute(sql, values),
        }
    }

    /// The same change for many rows, in their order.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn execute_each(&self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => rows.iter().try_for_each(|values| sqlite::execute(db, sql, values).map(drop)),
            Self::Postgres(session) => session.execute_each(sql, rows),
        }
    }

    /// Reads rows.
    ///
    /// # Errors
    /// What the database says, or the first error of `map`.
    pub(crate) fn query<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        match self {
            Self::Sqlite(db) => sqlite::query(db, sql, values, map),
            Self::Postgres(session) => session.query(sql, values, map),
        }
    }

    /// The same query for many values; the rows of all, in the order of the values.
    ///
    /// # Errors
    /// What the database says, or the first error of `map`.
    pub(crate) fn query_each<T>(
        &self,
        sql: &str,
        each: &[Vec<Value<'_>>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        match self {
            Self::Sqlite(db) => {
                let mut found = Vec::new();
                for values in each {
                    found.extend(sqlite::query(db, sql, values, &mut map)?);
                }
                Ok(found)
            }
            Self::Postgres(session) => session.query_each(sql, each, map),
        }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// What the database says, or the error of `map`.
    pub(crate) fn query_opt<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        Ok(self.query(sql, values, map)?.into_iter().next())
    }

    /// The one row of a query that always has one.
    ///
    /// # Errors
    /// What the database says, or that there is none.
    pub(crate) fn query_one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.query_opt(sql, values, map)?.ok_or(DbError::NoRow)
    }

    /// Begins a transaction that only reads, all of it from one moment.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn begin_reading(&self) -> Result<(), DbError> {
        self.batch(match self.dialect() {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn begin_writing(&self) -> Result<(), DbError> {
        self.batch(match self.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        })
    }

    /// Ends a transaction that failed. SQLite has done so by itself where the disk was full.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn roll_back(&self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) if db.is_autocommit() => Ok(()),
            _ => self.batch("ROLLBACK"),
        }
    }
}
