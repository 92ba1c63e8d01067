//! What can go wrong with a database.

use std::fmt;

use tokio_postgres::error::SqlState;

/// Why a statement did not do its work.
#[derive(Debug)]
pub(crate) enum DbError {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// PostgreSQL says so, or the way to it.
    Postgres(tokio_postgres::Error),
    /// A column does not hold what this relay writes there.
    Broken {
        /// Its place in the row, from 0.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// A query that always has a row had none.
    NoRow,
    /// The database was made by a newer relay.
    Newer {
        /// Its schema version.
        version: u64,
        /// The newest known here.
        known: u64,
    },
    /// Another relay has what only one may have.
    Taken(String),
    /// The connection could not be prepared.
    Setup(String),
}

impl DbError {
    /// Whether the connection is gone: a new one may do.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Postgres(e) => {
                e.is_closed()
                    || e.as_db_error().is_none()
                    || matches!(e.code(), Some(code) if [
                        SqlState::ADMIN_SHUTDOWN,
                        SqlState::CRASH_SHUTDOWN,
                        SqlState::CANNOT_CONNECT_NOW,
                    ]
                    .contains(code))
            }
            _ => false,
        }
    }

    /// Whether the same transaction may do another time: others were in the way.
    pub(crate) fn is_conflict(&self) -> bool {
        let conflicts = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
        matches!(self, Self::Postgres(e) if e.code().is_some_and(|code| conflicts.contains(code)))
    }

    /// Whether what was asked is at fault, and not the state of the database or its machine: others may go well.
    pub(crate) fn is_about_data(&self) -> bool {
        use rusqlite::ErrorCode;
        match self {
            Self::Sqlite(e) => matches!(
                e.sqlite_error_code(),
                None | Some(
                    ErrorCode::ConstraintViolation
                        | ErrorCode::TypeMismatch
                        | ErrorCode::TooBig
                        | ErrorCode::ParameterOutOfRange
                )
            ),
            // SQLSTATE classes: data exception, constraint violation, raised by a function.
            Self::Postgres(e) => e
                .code()
                .is_some_and(|code| ["22", "23", "P0"].iter().any(|class| code.code().starts_with(class))),
            Self::Broken { .. } | Self::NoRow => true,
            Self::Newer { .. } | Self::Taken(_) | Self::Setup(_) => false,
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(e) => e.fmt(f),
            Self::Postgres(e) => match (e.as_db_error(), std::error::Error::source(e)) {
                (Some(said), _) => write!(f, "{} ({})", said.message(), said.code().code()),
                (None, Some(cause)) => write!(f, "{e}: {cause}"),
                (None, None) => e.fmt(f),
            },
            Self::Broken { column, what } => write!(f, "column {column} cannot be read: {what}"),
            Self::NoRow => f.write_str("a row is missing"),
            Self::Newer { version, known } => write!(
                f,
                "the database has schema version {version}, made by a newer relay; this one knows {known}"
            ),
            Self::Taken(what) | Self::Setup(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for DbError {}

impl From<rusqlite::Error> for DbError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(e: tokio_postgres::Error) -> Self {
        Self::Postgres(e)
    }
}
