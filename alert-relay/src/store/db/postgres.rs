//! PostgreSQL: a connection that blocks, its statements kept prepared, many of one kind sent without waiting between.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use futures_util::future::try_join_all;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Statement, types::ToSql};

use super::{DbError, Row, Value, tls};
use crate::config;

/// How long the server may take to answer a new connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Unanswered bytes end a connection after so long: a dead server must not hold the writer for ever.
const UNANSWERED: Duration = Duration::from_secs(10);
/// Statements kept prepared; there are fewer.
const STATEMENTS: usize = 128;
/// Statements on their way at once.
const PIPELINED: usize = 256;

/// What each connection begins with. An acknowledged event is on the server's disk whatever the server's own default
/// is (a stronger setting, such as `remote_apply`, stays), and nobody waits without end.
const PREPARE: &str = "\
    SET statement_timeout = '60s'; \
    SET lock_timeout = '30s'; \
    SET idle_in_transaction_session_timeout = '60s'; \
    SET client_min_messages = 'warning'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A connection and the runtime it lives on.
pub(crate) struct Session {
    /// Taken only when the session ends.
    runtime: Option<Runtime>,
    client: Client,
    statements: RefCell<HashMap<Box<str>, Statement>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Dropped where tokio serves, a runtime that waits for its end would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached, does not let us in, or cannot be trusted.
    pub(in crate::store) fn connect(config: &config::Postgres) -> Result<Self, DbError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| DbError::Setup(format!("cannot start a runtime: {e}")))?;
        let tls = tls::Connector::new(config.ca.as_deref()).map_err(DbError::Setup)?;
        let mut to = config.config.clone();
        to.connect_timeout(CONNECT).tcp_user_timeout(UNANSWERED).keepalives_idle(Duration::from_secs(30));
        if to.get_application_name().is_none() {
            to.application_name("alert-relay");
        }
        let client = runtime.block_on(async {
            let (client, connection) = to.connect(tls).await?;
            // What ends it is told by the next statement.
            tokio::spawn(async move { drop(connection.await) });
            client.batch_execute(PREPARE).await?;
            Ok::<_, tokio_postgres::Error>(client)
        })?;
        Ok(Self { runtime: Some(runtime), client, statements: RefCell::default() })
    }

    fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DbError> {
        match &self.runtime {
            Some(runtime) => Ok(runtime.block_on(work)?),
            None => Err(DbError::Setup("the session has ended".to_owned())),
        }
    }

    /// A prepared statement; parameters are written `?1` here and `$1` there.
    fn prepared(&self, sql: &str) -> Result<Statement, DbError> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let statement = self.block_on(self.client.prepare(&numbered(sql)))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.block_on(self.client.batch_execute(sql))
    }

    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, DbError> {
        let statement = self.prepared(sql)?;
        self.block_on(self.client.execute(&statement, &parameters(values)))
    }

    pub(super) fn execute_each(&self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        let statement = self.prepared(sql)?;
        for rows in rows.chunks(PIPELINED) {
            let rows: Vec<_> = rows.iter().map(|values| parameters(values)).collect();
            self.block_on(try_join_all(rows.iter().map(|values| self.client.execute(&statement, values))))?;
        }
        Ok(())
    }

    pub(super) fn query<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        self.select(sql, &parameters(values), map)
    }

    /// A query with parameters that only PostgreSQL has, such as lists.
    ///
    /// # Errors
    /// What the server says, or the first error of `map`.
    pub(in crate::store) fn select<T>(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
        mut map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let statement = self.prepared(sql)?;
        let rows = self.block_on(self.client.query(&statement, values))?;
        rows.iter().map(|row| map(&Row::Postgres(row))).collect()
    }

    pub(super) fn query_each<T>(
        &self,
        sql: &str,
        each: &[Vec<Value<'_>>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        if each.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.prepared(sql)?;
        let mut found = Vec::new();
        for each in each.chunks(PIPELINED) {
            let each: Vec<_> = each.iter().map(|values| parameters(values)).collect();
            let answers =
                self.block_on(try_join_all(each.iter().map(|values| self.client.query(&statement, values))))?;
            for row in answers.iter().flatten() {
                found.push(map(&Row::Postgres(row))?);
            }
        }
        Ok(found)
    }
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// `?1` to `$1`. No statement here has a question mark that is anything else.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}
