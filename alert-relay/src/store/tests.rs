mod pages;
mod sums;

use std::sync::atomic::AtomicU64;

use wire::{Event, Severity};

use super::{
    apply::{Done, Group},
    events::Storing,
    *,
};
use crate::{
    config::{Channel, Target},
    incident::{Incident, State},
    testing::{MOMENT, alerts, event},
};

mod care;

/// An empty database: in memory, or a schema of its own on the server that the environment names, which goes with it.
struct Fresh {
    db: Db,
    schema: Option<(String, String)>,
}

impl std::ops::Deref for Fresh {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some((server, schema)) = &self.schema {
            connect(server).batch(&format!("DROP SCHEMA {schema} CASCADE")).unwrap();
        }
    }
}

fn connect(url: &str) -> Db {
    let config = url.parse().unwrap();
    let config = crate::config::Postgres { config, ca: None, relay: "one".to_owned() };
    Place::Postgres(Box::new(config)).open_reader().unwrap()
}

fn unmigrated() -> Fresh {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    match std::env::var("ALERT_RELAY_TEST_POSTGRES") {
        Err(_) => Fresh { db: Db::Sqlite(rusqlite::Connection::open_in_memory().unwrap()), schema: None },
        Ok(server) => {
            let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let schema = format!("unit_{}_{number}", std::process::id());
            connect(&server).batch(&format!("CREATE SCHEMA {schema}")).unwrap();
            let db = connect(&format!("{server}?options=-csearch_path%3D{schema}"));
            Fresh { db, schema: Some((server, schema)) }
        }
    }
}

/// With its tables.
fn database() -> Fresh {
    let fresh = unmigrated();
    schema::migrate(&fresh.db).unwrap();
    fresh
}

fn ingest(events: Vec<Event>) -> (Command, oneshot::Receiver<Result<Stored, StoreError>>) {
    let events = events
        .into_iter()
        .map(|event| Incoming { body: serde_json::to_string(&event).unwrap(), event })
        .collect();
    let (reply, answer) = oneshot::channel();
    (Command::Ingest { events, permit: None, reply }, answer)
}

fn target(recipient: &str) -> Target {
    let (receiver, recipient) = ("default".to_owned(), recipient.to_owned());
    Target { channel: Channel::Email, receiver, recipient }
}

/// Hands on what is due, and makes the command that tells of the first group.
fn enqueue(db: &Db, now_ms: u64) -> (Command, oneshot::Receiver<Result<bool, StoreError>>) {
    hand_on(db, now_ms);
    tell(db, &groups::due(db, u64::MAX, 10).unwrap()[0])
}

fn hand_on(db: &Db, now_ms: u64) {
    let due = incidents::due(db, now_ms, 1000).unwrap();
    let incidents = due.into_iter().map(|incident| (incident.id, incident.key)).collect();
    commit(db, vec![Command::HandOn { incidents, reply: oneshot::channel().0 }], now_ms);
}

fn tell(db: &Db, group: &AlertGroup) -> (Command, oneshot::Receiver<Result<bool, StoreError>>) {
    let lead = incidents::get(db, group.lead).unwrap().unwrap();
    let about = Some(Told {
        group: group.id,
        lead: lead.id,
        key: lead.key,
        sequence: group.sequence,
        pending: group.pending,
        severity: group.severity,
        state: None,
    });
    let notification = NewNotification {
        about,
        receiver: group.receiver.clone(),
        message: "{}".to_owned(),
        targets: ["a@x", "b@x", "a@x"].map(target).to_vec(),
    };
    let (reply, answer) = oneshot::channel();
    (Command::Enqueue { notification, reply }, answer)
}

/// Numbers that have nothing to do with each other, the same in each run (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Runs commands as one group and commits.
fn commit(db: &Db, commands: Vec<Command>, now_ms: u64) {
    let alerts = alerts();
    let next_seq =
        db.query_one("SELECT COALESCE(MAX(seq), 0) + 1 FROM events", &[], |row| row.uint(0)).unwrap();
    db.begin_writing().unwrap();
    let done: Vec<Done> =
        Group::new(db, &alerts, Storing { relay: "one", now_ms, next_seq, kept_ms: 90 * 86_400_000 })
            .run(&commands)
            .unwrap();
    db.batch("COMMIT").unwrap();
    for (command, done) in commands.into_iter().zip(done) {
        command.succeeded(done, now_ms, &mut Vec::new());
    }
}

fn incidents(db: &Db) -> Vec<Incident> {
    incident_page(db, &IncidentFilter::default(), 100).unwrap().incidents
}

/// A further event of the caller of `event(1)`.
fn another(n: u8) -> Event {
    Event { id: EventId::new(MOMENT + 1, [n; 10]), ..event(1) }
}

#[test]
fn a_mail_and_new_events_in_one_group_both_count() {
    for mail_first in [true, false] {
        let db = database();
        commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
        let (mail, told) = enqueue(&db, MOMENT);
        let (events, stored) = ingest(vec![another(1), another(2)]);
        let group = if mail_first { vec![mail, events] } else { vec![events, mail] };
        commit(&db, group, MOMENT + 5000);
        assert_eq!(told.blocking_recv().unwrap(), Ok(true));
        assert_eq!(
            stored.blocking_recv().unwrap(),
            Ok(Stored { accepted: 2, duplicates: 0, last_is_new: true })
        );
        let after = incidents(&db).remove(0);
        assert_eq!((after.count, after.notify.count, after.notify.sequence), (3, 1, 1), "{mail_first}");
        hand_on(&db, MOMENT + 5000);
        let group = groups::due(&db, u64::MAX, 10).unwrap().remove(0);
        assert_eq!((group.pending, group.told, group.sequence), (2, 1, 1));
        assert_eq!(group.due_ms, Some(MOMENT + 305_000), "the two new ones are to be told");
    }
}

#[test]
fn the_same_mail_is_put_into_the_outbox_once() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    hand_on(&db, MOMENT);
    let group = groups::due(&db, u64::MAX, 10).unwrap().remove(0);
    assert_eq!(group.due_ms, Some(MOMENT + 5000), "the first one waits for further events");
    let (first, taken) = tell(&db, &group);
    let (second, refused) = tell(&db, &group);
    let (early, too_early) = tell(&db, &group);
    commit(&db, vec![early], MOMENT + 4999);
    commit(&db, vec![first, second], MOMENT + 5000);
    let (third, refused_later) = tell(&db, &group);
    commit(&db, vec![third], MOMENT + 5001);
    assert_eq!(too_early.blocking_recv().unwrap(), Ok(false));
    assert_eq!(taken.blocking_recv().unwrap(), Ok(true));
    assert_eq!(refused.blocking_recv().unwrap(), Ok(false));
    assert_eq!(refused_later.blocking_recv().unwrap(), Ok(false));
    let rows = db.query_one("SELECT COUNT(*) FROM outbox", &[], |row| row.int(0)).unwrap();
    assert_eq!(rows, 2, "one for each recipient");
}

#[test]
fn a_critical_one_does_not_wait_and_what_is_known_to_be_critical_does() {
    let db = database();
    let critical = |n: u8| {
        let mut event = another(n);
        event.severity = Severity::Critical;
        event
    };
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    hand_on(&db, MOMENT);
    commit(&db, vec![ingest(vec![critical(2)]).0], MOMENT + 10);
    hand_on(&db, MOMENT + 10);
    let group = groups::due(&db, u64::MAX, 10).unwrap().remove(0);
    assert_eq!((group.due_ms, group.pending), (Some(MOMENT + 10), 2));
    commit(&db, vec![tell(&db, &group).0], MOMENT + 10);
    commit(&db, vec![ingest(vec![critical(3)]).0], MOMENT + 20);
    hand_on(&db, MOMENT + 20);
    assert_eq!(groups::due(&db, u64::MAX, 10).unwrap()[0].due_ms, Some(MOMENT + 300_010));
}

#[test]
fn an_incident_ends_with_its_window_and_a_late_mail_does_not_reopen_it() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    let later = MOMENT + 3_600_001;
    let (mail, _told) = enqueue(&db, MOMENT);
    commit(&db, vec![mail, ingest(vec![another(1)]).0], later);
    let all = incidents(&db);
    assert_eq!(all.len(), 2);
    assert_eq!(all.iter().map(|incident| incident.count).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_duplicate_opens_no_incident() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    // Long after the window: a new incident would be opened if the event were new.
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT + 9_000_000);
    assert_eq!(incidents(&db).len(), 1);
}

#[test]
fn a_claimed_mail_is_nobody_elses_until_its_lease_ends() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    let (mail, _told) = enqueue(&db, MOMENT);
    commit(&db, vec![mail], MOMENT + 5000);
    let now = MOMENT + 6000;
    let mine = outbox::claim(&db, "one", Channel::Email, now, 1000, 1).unwrap();
    assert_eq!(mine.len(), 1);
    let theirs = outbox::claim(&db, "one", Channel::Email, now, 1000, 10).unwrap();
    assert_eq!(theirs.len(), 1);
    assert_ne!(mine[0].id, theirs[0].id);
    assert!(outbox::claim(&db, "one", Channel::Email, now + 999, 1000, 10).unwrap().is_empty());
    assert_eq!(
        outbox::claim(&db, "one", Channel::Email, now + 1000, 1000, 10).unwrap().len(),
        2,
        "whoever had them is gone"
    );
}

#[test]
fn a_mail_is_settled_once() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    let (mail, _told) = enqueue(&db, MOMENT);
    commit(&db, vec![mail], MOMENT + 5000);
    let claimed = outbox::claim(&db, "one", Channel::Email, MOMENT + 6000, 1000, 1).unwrap().remove(0);
    let retry = Outcome::Retry { at_ms: MOMENT + 9000, error: "450".to_owned() };
    outbox::settle(&db, "one", claimed.id, &retry, MOMENT + 6100).unwrap();
    let again = outbox::claim(&db, "one", Channel::Email, MOMENT + 9000, 1000, 10).unwrap();
    let again = again.iter().find(|other| other.id == claimed.id).expect("due again");
    assert_eq!((again.attempts, again.created_ms), (1, MOMENT + 5000));
    outbox::settle(&db, "one", claimed.id, &Outcome::Sent { receipt: "250 taken".to_owned() }, MOMENT + 9100)
        .unwrap();
    // A late word about an earlier try does not bring it back.
    outbox::settle(&db, "one", claimed.id, &retry, MOMENT + 9200).unwrap();
    let sql = "SELECT state FROM outbox WHERE id = ?1";
    let state = db.query_one(sql, &[claimed.id.into()], |row| row.text(0)).unwrap();
    assert_eq!(state, "sent");
}

#[test]
fn a_lease_is_ones_own_until_it_ends() {
    let db = database();
    let take = |holder: &str, now: u64, until: u64| {
        retention::take_lease(&db, "retention", holder, now, until).unwrap()
    };
    assert!(take("one", 1000, 2000));
    assert!(!take("two", 1999, 3000), "it is one's");
    assert!(take("one", 1500, 2500), "who has it may go on");
    assert!(!take("two", 2499, 3000));
    assert!(take("two", 2500, 3500), "it has ended");
    assert!(!take("one", 2600, 4000));
}

#[test]
fn migrations_run_once_and_a_newer_database_is_refused() {
    let db = database();
    schema::migrate(&db).unwrap();
    match db.dialect() {
        db::Dialect::Sqlite => db.batch("PRAGMA user_version = 99").unwrap(),
        db::Dialect::Postgres => db.batch("UPDATE meta SET value = 99 WHERE key = 'schema'").unwrap(),
    }
    let error = schema::migrate(&db).unwrap_err().to_string();
    assert!(error.contains("schema version 99"), "{error}");
}

#[test]
fn a_database_of_an_earlier_relay_is_brought_up_to_date() {
    let db = unmigrated();
    schema::migrate_to_release(&db).unwrap();
    let (old, young) = (1_000_u64, crate::clock::now_ms());
    for (n, updated) in [(1_u8, old), (2, young)] {
        let id = EventId::new(MOMENT, [n; 10]);
        db.execute(
            "INSERT INTO incidents (id, model, category, client, severity, first_ms, last_ms, updated_ms, count, \
             refused, threats, due_ms, notify_sequence, notify_last_ms, notify_count, notify_severity) \
             VALUES (?1, 'demo', 'prompt_injection', ?2, 2, 5, ?3, ?3, 7, 7, '[]', NULL, 1, 6, 7, 2)",
            &[id.into(), (&format!("address:203.0.113.{n}")).into(), updated.into()],
        )
        .unwrap();
        db.execute(
            "INSERT INTO events (id, received_ms, time_ms, severity, verdict, client, incident, body, relay) \
             VALUES (?1, ?2, ?2, 2, 4, 'c', ?1, ?3, 'relay')",
            &[id.into(), updated.into(), (&serde_json::to_string(&Event { id, ..event(n) }).unwrap()).into()],
        )
        .unwrap();
    }
    db.batch(
        "INSERT INTO notifications (id, incident, sequence, created_ms, message) VALUES (1, NULL, 0, 5, '{}'); \
         INSERT INTO outbox (notification, channel, recipient, state, due_ms, created_ms) \
         VALUES (1, 'mail', 'a@x', 'pending', 5, 5); \
         INSERT INTO audit (at_ms, actor, action, what) VALUES (5, 'person', 'lift', '{}')",
    )
    .unwrap();
    schema::migrate(&db).unwrap();
    let found = incidents(&db);
    assert_eq!(found.iter().map(|it| it.state).collect::<Vec<_>>(), [State::Open, State::Resolved]);
    assert!(found.iter().all(|it| it.base == Severity::High && it.count == 7));
    let claimed = outbox::claim(&db, "one", Channel::Email, MOMENT, 1000, 10).unwrap();
    assert_eq!(claimed.len(), 1, "what waited is sent");
    assert_eq!(audit::audit_page(&db, None, None, 10).unwrap().len(), 1);
    // What has no template takes events of any.
    commit(&db, vec![ingest(vec![another(7)]).0], young);
    let of_old = "SELECT COUNT(*) FROM incidents WHERE client = 'address:203.0.113.1'";
    assert_eq!(db.query_one(of_old, &[], |row| row.int(0)).unwrap(), 2, "the one of long ago is over");
    let indexed = (0..500).any(|_| {
        // On a server not before those who were storing then are done.
        std::thread::sleep(Duration::from_millis(10));
        search::index(&db, 10, young).unwrap() >= 2
    });
    assert!(indexed, "older events become searchable too");
}

#[test]
fn one_caller_has_an_incident_for_each_thing_tried_up_to_a_bound() {
    let db = database();
    let of = |n: u8, rule: &str| {
        let mut event = another(n);
        event.findings[0].rule = rule.to_owned();
        event
    };
    commit(&db, vec![ingest(vec![of(1, "a.one"), of(2, "b.two"), of(3, "a.one")]).0], MOMENT);
    commit(&db, vec![ingest(vec![of(4, "b.two"), of(5, "c.three")]).0], MOMENT + 1);
    let counts = |db: &Db| {
        let mut counts: Vec<(String, u64)> =
            incidents(db).into_iter().map(|incident| (incident.label, incident.count)).collect();
        counts.sort();
        counts
    };
    let expected = [("a.one", 2), ("b.two", 2), ("c.three", 1)];
    assert_eq!(counts(&db), expected.map(|(label, count)| (label.to_owned(), count)));
    let many: Vec<Event> = (10..40).map(|n| of(n, &format!("rule.number-{n}"))).collect();
    commit(&db, vec![ingest(many).0], MOMENT + 2);
    assert_eq!(incidents(&db).len(), crate::incident::MAX_TEMPLATES);
    assert_eq!(incidents(&db).iter().map(|incident| incident.count).sum::<u64>(), 35);
}

#[test]
fn queries_use_their_indexes() {
    let db = database();
    let postgres = db.dialect() == db::Dialect::Postgres;
    if postgres {
        // Empty tables are read faster without any.
        db.batch("SET enable_seqscan = off; SET enable_bitmapscan = off").unwrap();
    }
    let plans = [
        ("SELECT * FROM events WHERE seq > 5 ORDER BY seq LIMIT 9", "PRIMARY KEY", "events_pkey"),
        (
            "SELECT severity, verdict, SUM(count) FROM counts WHERE minute >= 1 GROUP BY severity, verdict",
            "PRIMARY KEY (minute>?)",
            "counts_pkey",
        ),
        (
            "SELECT COUNT(*) FROM callers WHERE minute >= 1",
            "COVERING INDEX callers_minute",
            "Index Only Scan using callers_minute",
        ),
        (
            "SELECT * FROM events WHERE incident = x'00' ORDER BY seq DESC LIMIT 9",
            "events_incident",
            "events_incident",
        ),
        (
            "SELECT * FROM events WHERE address = 'a' ORDER BY seq DESC LIMIT 9",
            "events_address",
            "events_address",
        ),
        (
            "SELECT * FROM incidents ORDER BY last_ms DESC, id DESC LIMIT 9",
            "incidents_list",
            "incidents_list",
        ),
        (
            "SELECT * FROM incidents WHERE (last_ms, id) < (5, x'00') ORDER BY last_ms DESC, id DESC LIMIT 9",
            "incidents_list",
            "incidents_list",
        ),
        (
            "SELECT * FROM incidents WHERE model = 'a' AND category = 'b' AND client = 'c' ORDER BY id DESC LIMIT 16",
            "incidents_key",
            "incidents_key",
        ),
        ("SELECT * FROM alert_groups WHERE due_ms <= 5", "alert_groups_due", "alert_groups_due"),
        (
            "SELECT COUNT(*), MIN(created_ms) FROM notifications WHERE receiver = 'a' AND created_ms > 5",
            "notifications_receiver",
            "notifications_receiver",
        ),
        ("SELECT * FROM alert_groups WHERE state_due_ms <= 5", "alert_groups_state", "alert_groups_state"),
        (
            "SELECT id FROM incidents WHERE state <> told_state ORDER BY state_ms LIMIT 9",
            "incidents_turned",
            "incidents_turned",
        ),
        (
            "SELECT notification FROM outbox WHERE receiver = 'a' AND state = 'sent' AND settled_ms > 5",
            "outbox_sent",
            "outbox_sent",
        ),
        ("SELECT * FROM incidents WHERE due_ms <= 5", "incidents_due", "incidents_due"),
        (
            "SELECT * FROM incidents WHERE client = 'c' ORDER BY id DESC LIMIT 9",
            "incidents_key",
            "incidents_key",
        ),
        (
            "SELECT id FROM incidents WHERE state <> 'resolved' AND updated_ms < 5 ORDER BY updated_ms LIMIT 9",
            "incidents_live",
            "incidents_live",
        ),
        (
            "SELECT * FROM timeline WHERE incident = x'00' ORDER BY id",
            "timeline_incident",
            "timeline_incident",
        ),
        ("SELECT 1 FROM outbox WHERE state = 'pending' AND due_ms <= 5", "outbox_due", "outbox_due"),
        ("SELECT COUNT(*) FROM outbox WHERE state = 'parked'", "outbox_parked", "outbox_parked"),
        (
            "SELECT * FROM notifications JOIN outbox ON outbox.notification = notifications.id WHERE incident = x'00'",
            "sqlite_autoindex_outbox_1",
            "outbox_notification_channel_recipient_key",
        ),
    ];
    for (sql, in_sqlite, in_postgres) in plans {
        let (sql, index) = match postgres {
            true => (format!("EXPLAIN {}", sql.replace("x'00'", "'\\x00'::bytea")), in_postgres),
            false => (format!("EXPLAIN QUERY PLAN {sql}"), in_sqlite),
        };
        let steps = db.query(&sql, &[], |row| row.text(if postgres { 0 } else { 3 })).unwrap();
        assert!(steps.iter().any(|step| step.contains(index)), "{sql}\n{steps:#?}");
    }
}
