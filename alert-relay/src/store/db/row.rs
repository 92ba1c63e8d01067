//! Values that go into statements, and rows that come back.

use std::borrow::Cow;

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type};
use wire::{EventId, Severity};

use super::{
    super::codec::{severity_of, uint},
    DbError,
};

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// An id.
    Id([u8; 16]),
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Int(super::super::codec::int(value))
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<usize> for Value<'_> {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl From<EventId> for Value<'_> {
    fn from(value: EventId) -> Self {
        Self::Id(value.to_bytes())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Id(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT) => without_nul(text).to_sql(ty, out),
            (Self::Id(bytes), &Type::BYTEA) => bytes.as_slice().to_sql(ty, out),
            _ => Err(format!("{self:?} does not fit a parameter of type {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// PostgreSQL's text has no U+0000; servers' answers that are kept may have.
pub(in crate::store) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A row of an answer.
pub(crate) enum Row<'a> {
    /// Of a file.
    Sqlite(&'a rusqlite::Row<'a>),
    /// Of a server.
    Postgres(&'a tokio_postgres::Row),
}

/// Reads one column, of whichever database.
macro_rules! get {
    ($row:expr, $at:expr, $kind:ty) => {
        match $row {
            Row::Sqlite(row) => Ok(row.get::<_, $kind>($at)?),
            Row::Postgres(row) => Ok(row.try_get::<_, $kind>($at)?),
        }
    };
}

impl Row<'_> {
    /// A whole number.
    pub(crate) fn int(&self, at: usize) -> Result<i64, DbError> {
        get!(self, at, i64)
    }

    /// A whole number that is never below 0.
    pub(crate) fn uint(&self, at: usize) -> Result<u64, DbError> {
        self.int(at).map(uint)
    }

    /// A whole number or nothing.
    pub(crate) fn opt_uint(&self, at: usize) -> Result<Option<u64>, DbError> {
        let value: Result<Option<i64>, DbError> = get!(self, at, Option<i64>);
        Ok(value?.map(uint))
    }

    /// Text.
    pub(crate) fn text(&self, at: usize) -> Result<String, DbError> {
        get!(self, at, String)
    }

    /// Text or nothing.
    pub(crate) fn opt_text(&self, at: usize) -> Result<Option<String>, DbError> {
        get!(self, at, Option<String>)
    }

    /// An id.
    pub(crate) fn id(&self, at: usize) -> Result<EventId, DbError> {
        self.opt_id(at)?.ok_or_else(|| broken(at, "no id"))
    }

    /// An id or nothing.
    pub(crate) fn opt_id(&self, at: usize) -> Result<Option<EventId>, DbError> {
        let bytes: Result<Option<Vec<u8>>, DbError> = get!(self, at, Option<Vec<u8>>);
        let Some(bytes) = bytes? else { return Ok(None) };
        let bytes: [u8; 16] = bytes.try_into().map_err(|_| broken(at, "no 16 bytes"))?;
        EventId::from_bytes(bytes).map(Some).map_err(|_| broken(at, "no UUIDv7"))
    }

    /// A severity.
    pub(crate) fn severity(&self, at: usize) -> Result<Severity, DbError> {
        severity_of(self.int(at)?).ok_or_else(|| broken(at, "no severity"))
    }

    /// What was written as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, at: usize) -> Result<T, DbError> {
        serde_json::from_str(&self.text(at)?).map_err(|e| broken(at, &e.to_string()))
    }
}

/// A column that does not hold what this relay writes there.
pub(crate) fn broken(column: usize, what: &str) -> DbError {
    DbError::Broken { column, what: what.to_owned() }
}
