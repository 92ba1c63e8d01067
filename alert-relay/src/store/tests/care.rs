//! What must not be lost, held up or kept for ever: numbers that are taken, leases, what is old.

use super::*;

/// Puts one mail into the outbox, and has it claimed by `one`, for a second.
fn claimed(db: &Db) -> Claimed {
    commit(db, vec![ingest(vec![event(1)]).0], MOMENT);
    let (mail, _told) = enqueue(db, MOMENT);
    commit(db, vec![mail], MOMENT + 5000);
    outbox::claim(db, "one", Channel::Email, MOMENT + 6000, 1000, 1).unwrap().remove(0)
}

fn state_of(db: &Db, id: i64) -> String {
    db.query_one("SELECT state FROM outbox WHERE id = ?1", &[id.into()], |row| row.text(0)).unwrap()
}

#[test]
fn an_event_whose_number_is_taken_is_no_duplicate() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    let (command, _answer) = ingest(vec![event(2)]);
    db.begin_writing().unwrap();
    let storing = Storing { relay: "one", now_ms: MOMENT, next_seq: 1, kept_ms: 90 * 86_400_000 };
    let done = Group::new(&db, &alerts(), storing).run(&[command]);
    match db.dialect() {
        db::Dialect::Sqlite => assert!(done.is_err(), "said to be there, and is not: {done:?}"),
        // A server gives its own numbers.
        db::Dialect::Postgres => assert!(done.is_ok()),
    }
    db.roll_back().unwrap();
}

#[test]
fn who_took_longer_than_its_lease_does_not_speak_for_who_has_the_mail_now() {
    let db = database();
    let mail = claimed(&db);
    let later = MOMENT + 7000;
    let again = outbox::claim(&db, "two", Channel::Email, later, 60_000, 10).unwrap();
    assert!(again.iter().any(|other| other.id == mail.id), "the lease has run out");
    for outcome in [
        Outcome::Retry { at_ms: later, error: "450".to_owned() },
        Outcome::Parked { error: "550".to_owned() },
    ] {
        outbox::settle(&db, "one", mail.id, &outcome, later).unwrap();
        assert_eq!(state_of(&db, mail.id), "pending");
        let taken = outbox::claim(&db, "three", Channel::Email, later, 60_000, 10).unwrap();
        assert!(taken.is_empty(), "two is at it: {taken:?}");
    }
    // But what arrived has arrived, whoever sent it.
    outbox::settle(&db, "two", mail.id, &Outcome::Parked { error: "550".to_owned() }, later).unwrap();
    outbox::settle(&db, "one", mail.id, &Outcome::Sent { receipt: "250".to_owned() }, later).unwrap();
    assert_eq!(state_of(&db, mail.id), "sent");
}

#[test]
fn a_lease_of_a_relay_whose_clock_was_ahead_holds_nothing_up() {
    let db = database();
    let (day, now) = (86_400_000, MOMENT + 6000);
    assert!(retention::take_lease(&db, "retention", "ahead", now + day, now + day + 60_000).unwrap());
    assert!(retention::take_lease(&db, "retention", "two", now, now + 60_000).unwrap());
    assert!(!retention::take_lease(&db, "retention", "three", now, now + 60_000).unwrap());
    let mail = claimed(&db);
    db.execute("UPDATE outbox SET lease_ms = ?1, holder = 'ahead'", &[(now + day).into()]).unwrap();
    assert_eq!(read::due_channels(&db, now).unwrap(), [Channel::Email]);
    let taken = outbox::claim(&db, "two", Channel::Email, now, 60_000, 10).unwrap();
    assert!(taken.iter().any(|other| other.id == mail.id));
    assert!(read::due_channels(&db, now).unwrap().is_empty(), "now they are two's");
}

#[test]
fn counts_of_what_no_rule_saw_are_deleted_too() {
    let db = database();
    let quiet =
        Event { findings: Vec::new(), kind: wire::EventKind::RateLimit, severity: Severity::Low, ..event(1) };
    commit(&db, vec![ingest(vec![quiet]).0], MOMENT);
    hand_on(&db, MOMENT);
    let left =
        |table: &str| db.query_one(&format!("SELECT COUNT(*) FROM {table}"), &[], |row| row.uint(0)).unwrap();
    assert_eq!((left("threats"), left("categories"), left("accounts")), (0, 1, 1));
    let old = MOMENT + 7_200_000;
    assert!(!is_due(&db, Class::Metrics, MOMENT - 7_200_000).unwrap());
    assert!(is_due(&db, Class::Metrics, old).unwrap());
    assert_eq!(retention::prune(&db, Class::Metrics, old, 500).unwrap(), 2);
    assert!(!is_due(&db, Class::Metrics, old).unwrap());
    assert_eq!((left("categories"), left("accounts")), (0, 0));
}

#[test]
fn an_incident_that_its_group_has_still_to_tell_of_is_not_old() {
    let db = database();
    commit(&db, vec![ingest(vec![event(1)]).0], MOMENT);
    hand_on(&db, MOMENT);
    // A mute window, or the hourly limit: the group waits for longer than incidents are kept.
    db.execute("UPDATE alert_groups SET due_ms = ?1", &[(MOMENT + 86_400_000).into()]).unwrap();
    let old = MOMENT + 1000;
    assert!(!is_due(&db, Class::Incidents, old).unwrap());
    assert_eq!(retention::prune(&db, Class::Incidents, old, 500).unwrap(), 0);
    let group = &groups::due(&db, u64::MAX, 10).unwrap()[0];
    commit(&db, vec![tell(&db, group).0], MOMENT + 86_400_000);
    assert!(is_due(&db, Class::Incidents, old).unwrap(), "it was told");
}

#[test]
fn an_event_that_is_stored_late_under_a_smaller_number_is_found_too() {
    let db = database();
    // In a file one writes at a time.
    let Some((server, schema)) = &db.schema else { return };
    let slow = connect(&format!("{server}?options=-csearch_path%3D{schema}"));
    // Nothing that the two would wait for each other for.
    let early = MOMENT - 3_600_000;
    let first = Event { time_ms: early, severity: Severity::Low, ..event(1) };
    slow.begin_writing().unwrap();
    let storing = Storing { relay: "slow", now_ms: early, next_seq: 1, kept_ms: 90 * 86_400_000 };
    Group::new(&slow, &alerts(), storing).run(&[ingest(vec![first]).0]).unwrap();
    commit(&db, vec![ingest(vec![event(2)]).0], MOMENT);
    let index = |now_ms: u64| {
        db.begin_writing().unwrap();
        let indexed = search::index(&db, 100, now_ms).unwrap();
        db.batch("COMMIT").unwrap();
        indexed
    };
    for later in 0..20 {
        assert_eq!(index(MOMENT + later * 5000), 0, "a smaller number may come");
    }
    slow.batch("COMMIT").unwrap();
    let mut indexed = 0;
    // Other tests are at it on the same server.
    for _ in 0..500 {
        if indexed > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        indexed += index(MOMENT + 100_000);
    }
    assert_eq!(indexed, 2);
    // Somebody else's transaction on the server may last for hours.
    slow.batch("BEGIN; SELECT pg_current_xact_id()").unwrap();
    commit(&db, vec![ingest(vec![event(3)]).0], MOMENT);
    assert_eq!(index(MOMENT), 0);
    assert_eq!(index(MOMENT + 121_000), 1);
}

#[test]
fn a_storm_from_ever_new_callers_takes_the_places_there_are_and_no_more() {
    let db = database();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99997)";
    db.batch(&format!(
        "INSERT INTO decisions (serial, scope, value, action, rate, until_s, reason, automatic, created_ms, told_until_s) \
         {numbers} SELECT -i, 'user', 'u' || i, 'block', 0, 4000000000, 'r', 0, 0, 4000000000 FROM n"
    ))
    .unwrap();
    let rules = "[[automatic_decisions]]\nevents = 1\naction = \"block\"\n";
    let alerts = crate::testing::configured(rules).alerts;
    let decided = |command: Command, next_seq: u64| {
        db.begin_writing().unwrap();
        let storing = Storing { relay: "one", now_ms: MOMENT, next_seq, kept_ms: 90 * 86_400_000 };
        let done = Group::new(&db, &alerts, storing).run(&[command]).unwrap().remove(0);
        db.batch("COMMIT").unwrap();
        let count = "SELECT COUNT(*) FROM decisions WHERE scope = 'address'";
        (db.query_one(count, &[], |row| row.uint(0)).unwrap(), done)
    };
    assert_eq!(decided(ingest((1..=2).map(event).collect()).0, 1).0, 2);
    assert_eq!(decided(ingest((3..=9).map(event).collect()).0, 3).0, 3, "there was one place left");
    assert_eq!(decided(ingest((10..=20).map(event).collect()).0, 10).0, 3);
    let serial = "SELECT value FROM meta WHERE key = 'decision_serial'";
    let serial = db.query_one(serial, &[], |row| row.uint(0)).unwrap();
    assert!(serial <= 5, "filters look again for each that was not made: {serial}");
    // Who is decided about already needs no place.
    let subject = wire::Subject::parse("address", "203.0.113.1").unwrap();
    let new = |subject, allows| NewDecision {
        subject,
        action: if allows { wire::DecisionAction::Lift } else { wire::DecisionAction::Monitor },
        rate: 0,
        until: MOMENT / 1000 + 60,
        reason: "r".to_owned(),
        incident: None,
        automatic: false,
        allows,
        by: "ann".to_owned(),
    };
    let decide = |decision| {
        let command = Command::Decide { decision: Box::new(decision), reply: oneshot::channel().0 };
        match decided(command, 100).1 {
            Done::Decided(decided) => decided,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(decide(new(subject, false)), Decided::Made(_)));
    let another = wire::Subject::parse("address", "203.0.113.99").unwrap();
    assert!(matches!(decide(new(another, false)), Decided::TooMany));
}

#[test]
fn callers_of_long_ago_are_forgotten_in_small_steps() {
    let db = database();
    commit(&db, vec![ingest((1..=3).map(event).collect()).0], MOMENT);
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)";
    db.batch(&format!("INSERT INTO callers (client, minute) {numbers} SELECT 'c' || i, i FROM n")).unwrap();
    let left = || {
        let sql = "SELECT COUNT(*), COALESCE(MIN(minute), 0) FROM callers";
        db.query_one(sql, &[], |row| Ok((row.uint(0)?, row.uint(1)?))).unwrap()
    };
    let later = MOMENT + 120_000;
    assert_eq!(retention::prune(&db, Class::Events, later, 20).unwrap(), 3);
    assert_eq!(left(), (33, 21), "the oldest first, no more than the step has");
    retention::prune(&db, Class::Events, later, 20).unwrap();
    retention::prune(&db, Class::Events, later, 20).unwrap();
    assert_eq!(left(), (0, 0));
}

#[test]
fn a_digest_of_a_day_to_come_keeps_no_other_from_being_made() {
    let db = database();
    let make = |period: u64| {
        db.begin_writing().unwrap();
        let storing = Storing { relay: "one", now_ms: MOMENT, next_seq: 1, kept_ms: 90 * 86_400_000 };
        let reply = oneshot::channel().0;
        let digest = Command::Digest { name: "daily", period, notifications: Vec::new(), reply };
        let due = digest_is_due(&db, "daily", period).unwrap();
        let done = Group::new(&db, &alerts(), storing).run(&[digest]).unwrap().remove(0);
        db.batch("COMMIT").unwrap();
        let Done::Enqueued(made) = done else { panic!("{done:?}") };
        assert_eq!(due, made, "{period}");
        made
    };
    assert!(make(100) && !make(100) && make(101));
    assert!(!make(100), "another relay's clock may be a little behind");
    // A clock that was a year ahead, and put back.
    assert!(make(466) && make(102) && !make(102) && make(103));
}
