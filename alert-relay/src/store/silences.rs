//! Silences that people make: nobody is told of what fits, until they end.

use super::{
    audit::{self, Actor},
    db::{Db, DbError},
};
use crate::route::{Labels, Matcher, all_match};

/// Most silences that have not ended.
const MAX_SILENCES: u64 = 1000;

/// A silence on its way into the store.
#[derive(Clone, Debug)]
pub(crate) struct NewSilence {
    /// Matchers, each checked.
    pub(crate) matchers: Vec<String>,
    /// Who makes it.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: String,
    /// From when, Unix milliseconds.
    pub(crate) from_ms: u64,
    /// Until when.
    pub(crate) until_ms: u64,
}

/// A silence as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredSilence {
    /// Its number.
    pub(crate) id: u64,
    /// What it is.
    pub(crate) silence: NewSilence,
}

/// The matchers of a silence that lasts.
pub(super) struct Active(Vec<Matcher>);

/// Those that last now.
pub(super) fn active(db: &Db, now_ms: u64) -> Result<Vec<Active>, DbError> {
    let all = db.query(
        "SELECT matchers FROM silences WHERE until_ms > ?1 AND from_ms <= ?1 ORDER BY id LIMIT ?2",
        &[now_ms.into(), MAX_SILENCES.into()],
        |row| row.json::<Vec<String>>(0),
    )?;
    let read =
        |texts: Vec<String>| texts.iter().map(|text| Matcher::parse(text).ok()).collect::<Option<Vec<_>>>();
    // One that cannot be read silences nothing.
    Ok(all.into_iter().filter_map(read).filter(|all| !all.is_empty()).map(Active).collect())
}

/// Whether one of them fits.
pub(super) fn any(silences: &[Active], labels: &Labels) -> bool {
    silences.iter().any(|silence| all_match(&silence.0, labels))
}

/// All that have not ended.
pub(crate) fn silences(db: &Db, now_ms: u64) -> Result<Vec<StoredSilence>, DbError> {
    db.query(
        "SELECT id, matchers, who, reason, from_ms, until_ms FROM silences WHERE until_ms > ?1 ORDER BY id LIMIT ?2",
        &[now_ms.into(), MAX_SILENCES.into()],
        |row| {
            Ok(StoredSilence {
                id: row.uint(0)?,
                silence: NewSilence {
                    matchers: row.json(1)?,
                    by: row.text(2)?,
                    reason: row.text(3)?,
                    from_ms: row.uint(4)?,
                    until_ms: row.uint(5)?,
                },
            })
        },
    )
}

/// Makes one; its number. `None`: there are too many.
pub(super) fn make(db: &Db, new: &NewSilence, now_ms: u64) -> Result<Option<u64>, DbError> {
    let count =
        db.query_one("SELECT COUNT(*) FROM silences WHERE until_ms > ?1", &[now_ms.into()], |row| {
            row.uint(0)
        })?;
    if count >= MAX_SILENCES {
        return Ok(None);
    }
    // A list of strings: serialising it cannot fail.
    let matchers = serde_json::to_string(&new.matchers).unwrap_or_default();
    let id = db.query_one(
        "INSERT INTO silences (matchers, who, reason, from_ms, until_ms) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
        &[
            (&matchers).into(),
            (&new.by).into(),
            (&new.reason).into(),
            new.from_ms.into(),
            new.until_ms.into(),
        ],
        |row| row.uint(0),
    )?;
    let what = serde_json::json!({
        "silence": id, "match": new.matchers, "reason": new.reason, "until_ms": new.until_ms,
    });
    audit::note(db, now_ms, Actor::Person(&new.by), "silence", &what.to_string())?;
    Ok(Some(id))
}

/// Ends one. False if there is none of this number.
pub(super) fn end(db: &Db, id: u64, by: &str, now_ms: u64) -> Result<bool, DbError> {
    let sql = "UPDATE silences SET until_ms = ?2 WHERE id = ?1 AND until_ms > ?2";
    let ended = db.execute(sql, &[id.into(), now_ms.into()])? > 0;
    if ended {
        let what = serde_json::json!({"silence": id}).to_string();
        audit::note(db, now_ms, Actor::Person(by), "unsilence", &what)?;
    }
    Ok(ended)
}
