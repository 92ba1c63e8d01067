//! Rows of `events`, written many at a time.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use wire::EventId;

use super::{
    codec::int,
    db::{Db, DbError, Session},
};

/// An event as it goes into the table.
#[derive(Debug)]
pub(super) struct NewEvent<'a> {
    pub(super) id: EventId,
    pub(super) time_ms: u64,
    pub(super) severity: i64,
    pub(super) verdict: i64,
    pub(super) client: String,
    pub(super) address: Option<&'a str>,
    pub(super) incident: Option<EventId>,
    pub(super) body: &'a str,
}

/// Who stores, when, and from which number on (a file's numbers are given here, a server gives its own).
#[derive(Clone, Copy, Debug)]
pub(super) struct Storing<'a> {
    pub(super) relay: &'a str,
    pub(super) now_ms: u64,
    pub(super) next_seq: u64,
    /// For how long events are kept, in milliseconds.
    pub(super) kept_ms: u64,
}

impl Storing<'_> {
    /// The moment that an event counts for: what it says, not after it came. What says it is older than anything kept
    /// comes from a clock that is wrong, and would be deleted as soon as it is acknowledged: it counts from now.
    pub(super) fn moment(&self, time_ms: u64) -> u64 {
        if self.now_ms.saturating_sub(time_ms) >= self.kept_ms {
            self.now_ms
        } else {
            time_ms.min(self.now_ms)
        }
    }
}

/// Stores events that are not there yet; the number of each, none if it was there.
pub(super) fn insert(
    db: &Db,
    storing: Storing<'_>,
    events: &[NewEvent<'_>],
) -> Result<Vec<Option<u64>>, DbError> {
    match db {
        Db::Sqlite(_) => one_by_one(db, storing, events),
        Db::Postgres(session) => at_once(session, storing, events),
    }
}

fn one_by_one(db: &Db, storing: Storing<'_>, events: &[NewEvent<'_>]) -> Result<Vec<Option<u64>>, DbError> {
    let mut next = storing.next_seq;
    let mut stored = Vec::with_capacity(events.len());
    for event in events {
        let new = db.execute(
            // Only the same id makes a duplicate. A number that is taken is a fault: the event is not there.
            "INSERT INTO events \
             (seq, id, received_ms, time_ms, severity, verdict, client, incident, body, relay, address) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
            &[
                next.into(),
                event.id.into(),
                storing.now_ms.into(),
                event.time_ms.into(),
                event.severity.into(),
                event.verdict.into(),
                (&event.client).into(),
                event.incident.into(),
                event.body.into(),
                storing.relay.into(),
                event.address.into(),
            ],
        )?;
        stored.push((new > 0).then_some(next));
        next += new;
    }
    Ok(stored)
}

/// A way to the server and back for each event would take longer than all the rest: the columns go as lists. In the
/// order of their ids, so that relays which are sent the same events wait for each other, and never in a circle.
fn at_once(
    session: &Session,
    storing: Storing<'_>,
    events: &[NewEvent<'_>],
) -> Result<Vec<Option<u64>>, DbError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<[u8; 16]> = events.iter().map(|event| event.id.to_bytes()).collect();
    let incidents: Vec<Option<[u8; 16]>> =
        events.iter().map(|event| event.incident.map(EventId::to_bytes)).collect();
    let ids: Vec<&[u8]> = ids.iter().map(|id| &id[..]).collect();
    let incidents: Vec<Option<&[u8]>> = incidents.iter().map(|id| id.as_ref().map(|id| &id[..])).collect();
    let times: Vec<i64> = events.iter().map(|event| int(event.time_ms)).collect();
    let severities: Vec<i64> = events.iter().map(|event| event.severity).collect();
    let verdicts: Vec<i64> = events.iter().map(|event| event.verdict).collect();
    let clients: Vec<&str> = events.iter().map(|event| event.client.as_str()).collect();
    let addresses: Vec<Option<&str>> = events.iter().map(|event| event.address).collect();
    let bodies: Vec<&str> = events.iter().map(|event| event.body).collect();
    let now = int(storing.now_ms);
    let values: [&(dyn ToSql + Sync); 10] = [
        &now,
        &storing.relay,
        &ids,
        &times,
        &severities,
        &verdicts,
        &clients,
        &incidents,
        &bodies,
        &addresses,
    ];
    let numbers = session.select(
        "INSERT INTO events (id, received_ms, time_ms, severity, verdict, client, incident, body, address, relay) \
         SELECT id, ?1, time_ms, severity, verdict, client, incident, body, address, ?2 \
         FROM unnest(?3::bytea[], ?4::bigint[], ?5::bigint[], ?6::bigint[], ?7::text[], ?8::bytea[], ?9::text[], \
         ?10::text[]) AS new (id, time_ms, severity, verdict, client, incident, body, address) \
         ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id, seq",
        &values,
        |row| Ok((row.id(0)?, row.uint(1)?)),
    )?;
    // An event twice in one group is new the first time.
    let mut numbers: HashMap<EventId, u64> = numbers.into_iter().collect();
    Ok(events.iter().map(|event| numbers.remove(&event.id)).collect())
}
