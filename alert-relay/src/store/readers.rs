//! Connections that only read.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{Db, DbError, Place};

/// Connections for what people ask, which may take long.
const PEOPLE: usize = 2;
/// Connections for what the relay and the filters need, however much people ask.
const OWN: usize = 2;

/// Connections that only read.
pub(super) struct Readers {
    place: Place,
    pub(super) people: Arc<Semaphore>,
    pub(super) own: Arc<Semaphore>,
    idle: Mutex<Vec<Db>>,
}

impl Readers {
    pub(super) fn new(place: Place) -> Self {
        let room = |connections| Arc::new(Semaphore::new(connections));
        Self { place, people: room(PEOPLE), own: room(OWN), idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn with<T>(&self, query: impl Fn(&Db) -> Result<T, DbError>) -> Result<T, DbError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(db) = idle {
            match read_once(&db, &query) {
                // The server was restarted, perhaps long ago.
                Err(e) if e.is_lost() => {}
                result => return self.keep(db, result),
            }
        }
        let db = self.place.open_reader()?;
        let result = read_once(&db, &query);
        self.keep(db, result)
    }

    fn keep<T>(&self, db: Db, result: Result<T, DbError>) -> Result<T, DbError> {
        if result.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        }
        result
    }
}

/// In one read transaction, so that what is read together fits together.
fn read_once<T>(db: &Db, query: &impl Fn(&Db) -> Result<T, DbError>) -> Result<T, DbError> {
    db.begin_reading()?;
    let result = query(db)?;
    db.batch("COMMIT")?;
    Ok(result)
}
