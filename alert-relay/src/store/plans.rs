//! How SQLite goes about the questions that people ask: no listing reads a whole table.

use wire::{Category, EventId, Severity};

use super::{
    db::{Db, Dialect, Value},
    read::{self, IncidentFilter},
    schema,
    search::{self, EventFilter, Order},
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
        let (sql, values) = read::page_of(&filter, "incidents_list", 50);
        let steps = plan(&db, &sql, &values);
        assert_eq!(steps.len(), 1, "nothing is sorted: {steps:?}");
        assert!(steps.iter().all(|step| step.contains("INDEX incidents_list")), "{filter:?}: {steps:?}");
    }
}

#[test]
fn the_few_incidents_that_a_filter_leaves_are_looked_up() {
    let db = database();
    let none = IncidentFilter::default();
    let filters = [
        (IncidentFilter { client: Some("user:a".to_owned()), ..none.clone() }, "incidents_key (client=?"),
        (IncidentFilter { campaign: Some(id()), ..none.clone() }, "incidents_campaign (campaign=?"),
        (IncidentFilter { model: Some("m".to_owned()), ..none.clone() }, "incidents_model (model=?"),
        (IncidentFilter { category: Some(Category::Pii), ..none.clone() }, "incidents_category (category=?"),
        (IncidentFilter { state: Some(State::Resolved), ..none.clone() }, "incidents_state (state=?"),
    ];
    for (filter, index) in filters {
        // Whatever else is asked for.
        for since_ms in [None, Some(9)] {
            let filter = IncidentFilter { min_score: Some(9), since_ms, ..filter.clone() };
            let (sql, values) = read::page_of(&filter, read::index_for(&db, &filter).unwrap(), 50);
            let steps = plan(&db, &sql, &values);
            assert!(steps.iter().any(|step| step.starts_with("SEARCH") && step.contains(index)), "{steps:?}");
            assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:?}");
        }
    }
}

#[test]
fn many_incidents_of_a_filter_are_read_from_the_list_and_few_are_not() {
    let db = database();
    // The table without the columns that have no say here.
    let columns: Vec<String> =
        db.query("SELECT name FROM pragma_table_info('incidents')", &[], |row| row.text(0)).unwrap();
    let values: Vec<&str> = columns
        .iter()
        .map(|name| match name.as_str() {
            "id" => "randomblob(16)",
            "model" => "CASE WHEN n < 100 THEN 'few' ELSE 'many' END",
            "category" => "'pii'",
            "state" | "told_state" => "'open'",
            "threats" => "'[]'",
            "campaign" | "due_ms" => "NULL",
            _ => "n",
        })
        .collect();
    db.batch(&format!(
        "INSERT INTO incidents ({}) WITH RECURSIVE ns(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM ns WHERE n < 700) \
         SELECT {} FROM ns",
        columns.join(", "),
        values.join(", ")
    ))
    .unwrap();
    let none = IncidentFilter::default();
    let of = |model: &str| IncidentFilter { model: Some(model.to_owned()), ..none.clone() };
    let many = IncidentFilter { category: Some(Category::Pii), state: Some(State::Open), ..of("many") };
    for (filter, index) in [
        (none.clone(), "incidents_list"),
        (of("none"), "incidents_model"),
        (of("few"), "incidents_model"),
        (many.clone(), "incidents_list"),
        (IncidentFilter { state: Some(State::Acknowledged), ..many }, "incidents_state"),
        (IncidentFilter { client: Some("user:a".to_owned()), ..of("many") }, "incidents_key"),
    ] {
        assert_eq!(read::index_for(&db, &filter).unwrap(), index, "{filter:?}");
    }
}

#[test]
fn a_page_of_events_is_looked_up_or_read_in_its_order() {
    let db = database();
    let none = EventFilter::default();
    let text = |text: &str| EventFilter { text: Some(text.to_owned()), ..EventFilter::default() };
    let old = EventFilter { until_ms: Some(2), ..none.clone() };
    let cases = [
        (none.clone(), Order::Stored, "SCAN events"),
        (
            EventFilter { before: Some(9), ..none.clone() },
            Order::Stored,
            "SEARCH events USING INTEGER PRIMARY KEY (rowid<?)",
        ),
        (
            EventFilter { address: Some("192.0.2.1".to_owned()), before: Some(9), ..none.clone() },
            Order::Stored,
            "INDEX events_address (address=? AND seq<?)",
        ),
        (
            EventFilter { since_ms: Some(1), ..old.clone() },
            Order::Decided(None),
            "INDEX events_time (time_ms>? AND time_ms<?)",
        ),
        (old.clone(), Order::Decided(None), "INDEX events_time (time_ms<?)"),
        (EventFilter { before: Some(9), ..old }, Order::Decided(Some(1)), "INDEX events_time (time_ms<?)"),
        (text("a word"), Order::Stored, "VIRTUAL TABLE INDEX"),
    ];
    for (filter, order, expected) in cases {
        let question = filter.question(Dialect::Sqlite);
        let (sql, values) = search::page_of(Dialect::Sqlite, &filter, question.as_ref(), order, 50);
        let steps = plan(&db, &sql, &values);
        assert!(steps.iter().any(|step| step.contains(expected)), "{filter:?}: {steps:?}");
        assert!(steps.iter().all(|step| !step.contains("TEMP B-TREE")), "nothing is sorted: {steps:?}");
    }
}
