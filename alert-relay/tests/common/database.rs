//! The database of a relay under test: a SQLite file, or, where the environment names a PostgreSQL server
//! (`cargo xtask postgres cargo test -p alert-relay`), a schema of its own there. The tests are the same.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Where `cargo xtask postgres` says which server there is.
pub(crate) const VARIABLE: &str = "ALERT_RELAY_TEST_POSTGRES";

/// Where the events are.
pub(crate) enum Database {
    Sqlite(PathBuf),
    /// Server and schema, and the folder of the rest.
    Postgres {
        server: String,
        schema: String,
        folder: PathBuf,
        asker: Asker,
    },
}

impl Database {
    /// An empty one.
    pub(crate) fn new(folder: &Path, number: u32) -> Self {
        match std::env::var(VARIABLE) {
            Err(_) => Self::Sqlite(folder.join("relay.sqlite")),
            Ok(server) => {
                let schema = format!("test_{}_{number}", std::process::id());
                let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
                on_server(server.clone(), move |client| async move { client.batch_execute(&sql).await });
                let asker = Asker::new(at_schema(&server, &schema));
                Self::Postgres { server, schema, folder: folder.to_owned(), asker }
            }
        }
    }

    /// What stands in the configuration.
    pub(crate) fn toml(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("database = {:?}\n", path.to_str().unwrap()),
            // The file is not used; the mails that nobody sends are kept beside it.
            Self::Postgres { folder, .. } => format!(
                "name = \"one\"\ndatabase_url = {:?}\ndatabase = {:?}\n",
                self.url(),
                folder.join("relay.sqlite").to_str().unwrap()
            ),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres { server, schema, .. } => at_schema(server, schema),
        }
    }

    /// The first column of every row, as text; nothing becomes an empty one.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(path) => {
                let db = open(path);
                let mut statement = db.prepare(sql).unwrap();
                let text = |value: rusqlite::types::Value| match value {
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Null => String::new(),
                    other => panic!("{other:?}"),
                };
                let rows = statement.query_map([], |row| row.get(0).map(text)).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Self::Postgres { asker, .. } => asker.ask(sql),
        }
    }

    /// Changes something behind the relay's back.
    pub(crate) fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(path) => open(path).execute_batch(sql).unwrap(),
            Self::Postgres { asker, .. } => drop(asker.ask(sql)),
        }
    }

    /// Has the database refuse events of this address.
    pub(crate) fn refuse_address(&self, address: &str) {
        match self {
            Self::Sqlite(path) => open(path)
                .execute_batch(&format!(
                    "CREATE TRIGGER refusing BEFORE INSERT ON events WHEN NEW.address = '{address}' \
                     BEGIN SELECT RAISE(ABORT, 'refused'); END"
                ))
                .unwrap(),
            Self::Postgres { asker, .. } => {
                asker.ask(
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
                     AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
                );
                asker.ask(&format!(
                    "CREATE TRIGGER refusing BEFORE INSERT ON events FOR EACH ROW \
                     WHEN (NEW.address = '{address}') EXECUTE FUNCTION refuse()"
                ));
            }
        }
    }

    /// Keeps the relay from writing until the answer is dropped.
    pub(crate) fn hold(&self) -> Hold {
        match self {
            Self::Sqlite(path) => {
                let db = open(path);
                db.execute_batch("BEGIN IMMEDIATE").unwrap();
                Hold::Sqlite(db)
            }
            Self::Postgres { .. } => {
                let (url, (held, is_held), (release, released)) =
                    (self.url(), mpsc::channel(), mpsc::channel::<()>());
                let holder = thread::spawn(move || {
                    on_server(url, move |client| async move {
                        let lock = "BEGIN; LOCK TABLE events, meta, incidents, outbox IN EXCLUSIVE MODE";
                        client.batch_execute(lock).await?;
                        held.send(()).unwrap();
                        let _ = released.recv();
                        client.batch_execute("ROLLBACK").await
                    });
                });
                is_held.recv().unwrap();
                Hold::Postgres(Some(release), Some(holder))
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, schema, .. } = self
            && !thread::panicking()
        {
            let sql = format!("DROP SCHEMA {schema} CASCADE");
            on_server(server.clone(), move |client| async move { client.batch_execute(&sql).await });
        }
    }
}

/// Nobody else writes.
pub(crate) enum Hold {
    Sqlite(Connection),
    Postgres(Option<mpsc::Sender<()>>, Option<thread::JoinHandle<()>>),
}

impl Drop for Hold {
    fn drop(&mut self) {
        match self {
            Self::Sqlite(db) => db.execute_batch("ROLLBACK").unwrap(),
            Self::Postgres(release, holder) => {
                drop(release.take());
                holder.take().unwrap().join().unwrap();
            }
        }
    }
}

fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db
}

fn at_schema(server: &str, schema: &str) -> String {
    format!("{server}?options=-csearch_path%3D{schema}")
}

/// A thread with a connection that stays: tests that wait for something ask a hundred times a second, and the thread
/// that asks is often the one that everything else runs on.
pub(crate) struct Asker(mpsc::Sender<(String, mpsc::Sender<Vec<String>>)>);

impl Asker {
    fn new(url: String) -> Self {
        let (questions, inbox) = mpsc::channel::<(String, mpsc::Sender<Vec<String>>)>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client = runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
                tokio::spawn(connection);
                client
            });
            for (sql, answer) in inbox {
                let messages = runtime.block_on(client.simple_query(&sql)).unwrap();
                let text = |message| match message {
                    SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                    _ => None,
                };
                answer.send(messages.into_iter().filter_map(text).collect()).unwrap();
            }
        });
        Self(questions)
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        let (answer, answered) = mpsc::channel();
        self.0.send((sql.to_owned(), answer)).unwrap();
        answered.recv().unwrap_or_else(|_| panic!("{sql} failed"))
    }
}

/// Speaks with the server on a thread of its own: tests are asynchronous, and this waits.
fn on_server<T, F, W>(url: String, work: F) -> T
where
    T: Send + 'static,
    F: FnOnce(Client) -> W + Send + 'static,
    W: Future<Output = Result<T, tokio_postgres::Error>>,
{
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            work(client).await.unwrap()
        })
    };
    thread::spawn(run).join().unwrap()
}
