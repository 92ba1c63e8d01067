//! How SQLite goes about the questions that people ask: no listing reads a whole table.

use wire::{Category, EventId, Severity};

use super::{
    db::{Db, Dialect, Value},
    read::{self, IncidentFilter},
    schema,
    search::{self, EventFilter},
};
use crate::incident::State;

fn database() -> Db {
    let db = Db::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
    schema::migrate(&db).unwrap();
    db
}

/// The steps of a statement.
fn plan(db: &Db, sql: &str, values: &[Value<'_>]) -> Vec<String> {
    db.query(&format!("EXPLAIN QUERY PLAN {sql}"), values, |row| row.text(3)).unwrap()
}

fn id() -> EventId {
    EventId::new(1, [7; 10])
}

#[test]
fn a_page_of_incidents_is_read_from_an_index_in_its_order() {
    let db = database();
    let none = IncidentFilter::default();
    let filters = [
        none.clone(),
        IncidentFilter { before: Some((5, id())), ..none.clone() },
        IncidentFilter { model: Some("m".to_owned()), ..none.clone() },
        IncidentFilter { min_severity: Some(Severity::High), ..none.clone() },
        IncidentFilter { category: Some(Category::Pii), before: Some((5, id())), ..none.clone() },
        IncidentFilter { state: Some(State::Resolved), ..none.clone() },
        IncidentFilter { min_score: Some(900), ..none.clone() },
        IncidentFilter { since_ms: Some(9), ..none.clone() },
    ];
    for filter in filters {
        let (sql, values) = read::page_of(&db, &filter, 50);
        let steps = plan(&db, &sql, &values);
        assert_eq!(steps.len(), 1, "nothing is sorted: {steps:?}");
        assert!(steps.iter().all(|step| step.contains("INDEX incidents_list")), "{filter:?}: {steps:?}");
    }
}

#[test]
fn incidents_of_a_caller_and_of_a_campaign_are_looked_up() {
    let db = database();
    let none = IncidentFilter::default();
    let of_caller = IncidentFilter { client: Some("user:a".to_owned()), ..none.clone() };
    let of_campaign = IncidentFilter { campaign: Some(id()), ..none };
    for (filter, index) in
        [(of_caller, "incidents_key (client=?"), (of_campaign, "incidents_campaign (campaign=?")]
    {
        let (sql, values) = read::page_of(&db, &filter, 50);
        let steps = plan(&db, &sql, &values);
        assert!(steps.iter().any(|step| step.starts_with("SEARCH") && step.contains(index)), "{steps:?}");
        assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:?}");
    }
}

#[test]
fn a_page_of_events_is_looked_up_or_read_in_its_order() {
    let db = database();
    let none = EventFilter::default();
    let text = |text: &str| EventFilter { text: Some(text.to_owned()), ..EventFilter::default() };
    let cases = [
        (none.clone(), false, "SCAN events"),
        (
            EventFilter { before: Some(9), ..none.clone() },
            false,
            "SEARCH events USING INTEGER PRIMARY KEY (rowid<?)",
        ),
        (
            EventFilter { address: Some("192.0.2.1".to_owned()), ..none.clone() },
            false,
            "INDEX events_address (address=?)",
        ),
        (
            EventFilter { since_ms: Some(1), until_ms: Some(2), ..none.clone() },
            true,
            "COVERING INDEX events_time",
        ),
        (text("a word"), false, "VIRTUAL TABLE INDEX"),
    ];
    for (filter, by_time, expected) in cases {
        let question = filter.question(Dialect::Sqlite);
        let (sql, values) = search::page_of(Dialect::Sqlite, &filter, question.as_ref(), by_time, 50);
        let steps = plan(&db, &sql, &values);
        assert!(steps.iter().any(|step| step.contains(expected)), "{filter:?}: {steps:?}");
        // By their times the numbers are sorted, never the events.
        assert_eq!(steps.iter().any(|step| step.contains("TEMP B-TREE")), by_time, "{filter:?}: {steps:?}");
    }
}
