//! Copies of a SQLite file, and whether what is stored fits together.

use std::path::Path;

use rusqlite::Connection;

use super::{
    db::{Db, DbError, Place, Row, open_new},
    read::event_row,
    schema,
};
use crate::entropy;

/// Most things named for one finding.
const SHOWN: usize = 20;
/// Events read at a time.
const PAGE: usize = 1000;

/// Something that was looked at.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What.
    pub(crate) what: &'static str,
    /// What was wrong; the first ones, if there are many.
    pub(crate) wrong: Vec<String>,
}

/// Queries that find nothing where all is well.
const QUERIES: [(&str, &str); 5] = [
    (
        "every incident has counted its events",
        "SELECT 'incident of ' || model || ' has ' || count || ' of ' || n FROM incidents JOIN \
         (SELECT incident, COUNT(*) AS n FROM events WHERE incident IS NOT NULL GROUP BY incident) AS held \
         ON held.incident = incidents.id WHERE n > count LIMIT 20",
    ),
    (
        "every mail has its text",
        "SELECT 'mail ' || id FROM outbox WHERE NOT EXISTS \
         (SELECT 1 FROM notifications WHERE notifications.id = outbox.notification) LIMIT 20",
    ),
    (
        "every text has its mails",
        "SELECT 'notification ' || id FROM notifications WHERE NOT EXISTS \
         (SELECT 1 FROM outbox WHERE outbox.notification = notifications.id) LIMIT 20",
    ),
    (
        "no event is from after it was stored",
        "SELECT 'event ' || seq FROM events WHERE time_ms > received_ms LIMIT 20",
    ),
    (
        "no decision is newer than the list",
        "SELECT 'decision ' || id FROM decisions WHERE serial > \
         (SELECT value FROM meta WHERE key = 'decision_serial') LIMIT 20",
    ),
];

/// Looks at everything.
pub(crate) fn examine(place: &Place) -> Result<Vec<Finding>, DbError> {
    let db = place.open_reader()?;
    let mut findings = Vec::new();
    if let Db::Sqlite(file) = &db {
        findings.push(Finding { what: "SQLite finds the file whole", wrong: integrity(file)? });
    }
    schema::current(&db)?;
    db.begin_reading()?;
    let text = |row: &Row<'_>| row.text(0);
    for (what, sql) in QUERIES {
        findings.push(Finding { what, wrong: db.query(sql, &[], text)? });
    }
    findings.push(Finding { what: "every event can be read", wrong: unreadable(&db)? });
    db.batch("COMMIT")?;
    Ok(findings)
}

fn integrity(file: &Connection) -> Result<Vec<String>, DbError> {
    let mut statement = file.prepare(&format!("PRAGMA integrity_check({SHOWN})"))?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// Events whose text is none, or that of another event.
fn unreadable(db: &Db) -> Result<Vec<String>, DbError> {
    let (mut after, mut wrong) = (0, Vec::new());
    loop {
        let page = db.query(
            "SELECT seq, received_ms, body, id FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            &[after.into(), PAGE.into()],
            |row| {
                let same = event_row(row).and_then(|stored| Ok(stored.event.id == row.id(3)?));
                Ok((row.uint(0)?, same))
            },
        )?;
        let Some((last, _)) = page.last() else { return Ok(wrong) };
        after = *last;
        for (seq, same) in page {
            match same {
                Ok(true) => {}
                Ok(false) => wrong.push(format!("event {seq} holds another one")),
                Err(e) => wrong.push(format!("event {seq}: {e}")),
            }
        }
        if wrong.len() >= SHOWN {
            return Ok(wrong);
        }
    }
}

/// Copies a file that may be in use into a new one, whole and from one moment; how many events it holds.
pub(crate) fn copy_whole(from: &Path, to: &Path) -> Result<u64, DbError> {
    let Db::Sqlite(db) = Place::Sqlite(from.to_owned()).open_reader()? else { return Err(DbError::NoRow) };
    let name = to.to_str().ok_or_else(|| DbError::Setup("the name of the copy is no UTF-8".to_owned()))?;
    // Made here and private, so that nobody reads the copy while it grows.
    drop(open_private(to)?);
    db.execute("VACUUM INTO ?1", [name])?;
    let copy = Place::Sqlite(to.to_owned()).open_reader()?;
    copy.query_one("SELECT COUNT(*) FROM events", &[], |row| row.uint(0))
}

fn open_private(path: &Path) -> Result<std::fs::File, DbError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|e| DbError::Setup(format!("cannot make {}: {e}", path.display())))
}

/// Makes a copy ready to be used in place of a later state: filters begin the list of decisions anew, and the lines of
/// its events count as written, since the log is ahead of any backup. How many events it holds.
pub(crate) fn begin_new_life(path: &Path) -> Result<u64, DbError> {
    let db = Db::Sqlite(open_new(path)?);
    schema::migrate(&db)?;
    let epoch = (u64::from_le_bytes(entropy::bytes()) >> 2) + 1;
    db.execute("UPDATE meta SET value = ?1 WHERE key = 'decision_epoch'", &[epoch.into()])?;
    db.batch(
        "UPDATE meta SET value = (SELECT COALESCE(MAX(seq), 0) FROM events) WHERE key LIKE 'logged:%'; \
         PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE",
    )?;
    db.query_one("SELECT COUNT(*) FROM events", &[], |row| row.uint(0))
}
