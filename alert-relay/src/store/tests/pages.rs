//! Pages of events and of incidents, one after the other, are what filtering all of them gives.

use wire::{Category, EventId, Severity};

use super::*;
use crate::incident::{category_of, client_of};

const CATEGORIES: [Category; 3] = [Category::Pii, Category::Jailbreak, Category::Secret];
const HOUR: u64 = 3_600_000;

/// Events in the order of storing, some of which took long to come.
fn stored(db: &Db, random: &mut Random) -> Vec<Event> {
    let mut all = Vec::new();
    for group in 0..20 {
        let now = MOMENT + group * HOUR;
        let mut events: Vec<Event> = (0..12)
            .map(|_| {
                let mut event = event(1);
                let mut entropy = [0; 10];
                entropy[..8].copy_from_slice(&random.below(u64::MAX).to_be_bytes());
                event.id = EventId::new(now, entropy);
                // Often the same moment.
                event.time_ms = now - random.below(3) * random.below(3) * 4 * HOUR;
                event.model = format!("model-{}", random.below(2));
                event.client.address = Some(format!("192.0.2.{}", random.below(2)));
                event.severity =
                    codec::severity_of(i64::try_from(random.below(4)).unwrap()).unwrap_or(Severity::High);
                for finding in &mut event.findings {
                    finding.category = CATEGORIES[usize::try_from(random.below(3)).unwrap()];
                }
                event
            })
            .collect();
        // A server numbers those of one commit in this order.
        events.sort_by_key(|event| event.id);
        all.extend(events.clone());
        commit(db, vec![ingest(events).0], now);
    }
    while search_lag(db).unwrap() > 0 {
        commit(db, vec![Command::Index { limit: 50, reply: oneshot::channel().0 }], MOMENT + 30 * HOUR);
    }
    all
}

#[test]
fn pages_of_events_are_all_that_fit_and_each_once() {
    let (db, mut random) = (database(), Random(5));
    let all = stored(&db, &mut random);
    let numbered: Vec<(u64, &Event)> = (1..).zip(&all).collect();
    let mut listed = 0;
    for _ in 0..150 {
        let mut maybe = |one_of: u64| random.below(one_of) == 0;
        let (of_address, of_category, of_severity) = (maybe(3), maybe(3), maybe(3));
        let (since, until) = (maybe(2), maybe(2));
        let mut filter = EventFilter {
            address: of_address.then(|| "192.0.2.1".to_owned()),
            since_ms: since.then(|| MOMENT + random.below(20) * HOUR),
            until_ms: until.then(|| MOMENT + random.below(24) * HOUR),
            category: of_category.then_some(Category::Pii),
            min_severity: of_severity.then_some(Severity::High),
            text: None,
            before: None,
        };
        let mut fitting: Vec<(u64, &Event)> = numbered
            .iter()
            .copied()
            .filter(|(_, event)| {
                filter.address.as_ref().is_none_or(|address| event.client.address.as_ref() == Some(address))
                    && filter.since_ms.is_none_or(|since| event.time_ms >= since)
                    && filter.until_ms.is_none_or(|until| event.time_ms < until)
                    && filter.category.is_none_or(|category| category_of(event) == category)
                    && filter.min_severity.is_none_or(|least| event.severity >= least)
            })
            .collect();
        let by_time = (since || until) && !of_address && !of_category && !of_severity;
        fitting
            .sort_by_key(|(seq, event)| std::cmp::Reverse((if by_time { event.time_ms } else { 0 }, *seq)));
        let expected: Vec<EventId> = fitting.iter().map(|(_, event)| event.id).collect();
        let mut found = Vec::new();
        loop {
            let mut page = event_page(&db, &filter, 7).unwrap();
            let more = page.len() > 7;
            page.truncate(7);
            found.extend(page.iter().map(|stored| stored.event.id));
            if !more {
                break;
            }
            filter.before = page.last().map(|last| last.seq);
        }
        assert_eq!(found, expected, "{filter:?}");
        listed += found.len();
    }
    assert!(listed > 1000, "{listed}");
}

#[test]
fn pages_of_incidents_are_all_that_fit_and_each_once() {
    let (db, mut random) = (database(), Random(6));
    let caller = client_of(&stored(&db, &mut random)[0]);
    let all = incident_page(&db, &IncidentFilter::default(), 1000).unwrap().incidents;
    assert!(all.len() > 20, "{}", all.len());
    let mut listed = 0;
    for _ in 0..100 {
        let mut maybe = |one_of: u64| random.below(one_of) == 0;
        let mut filter = IncidentFilter {
            model: maybe(3).then(|| "model-1".to_owned()),
            min_severity: maybe(4).then_some(Severity::High),
            category: maybe(3).then_some(Category::Pii),
            state: maybe(4).then_some(State::Open),
            client: maybe(3).then(|| caller.clone()),
            campaign: None,
            min_score: None,
            since_ms: maybe(3).then_some(MOMENT + 9 * HOUR),
            before: None,
        };
        let fits = |incident: &&Incident| {
            filter.model.as_ref().is_none_or(|model| incident.key.model == *model)
                && filter.min_severity.is_none_or(|least| incident.severity >= least)
                && filter.category.is_none_or(|category| incident.key.category == category)
                && filter.state.is_none_or(|state| incident.state == state)
                && filter.client.as_ref().is_none_or(|client| incident.key.client == *client)
                && filter.since_ms.is_none_or(|since| incident.last_ms >= since)
        };
        let expected: Vec<EventId> = all.iter().filter(fits).map(|incident| incident.id).collect();
        let mut found = Vec::new();
        loop {
            let page = incident_page(&db, &filter, 3).unwrap();
            found.extend(page.incidents.iter().map(|incident| incident.id));
            if !page.more {
                break;
            }
            filter.before = page.incidents.last().map(|last| (last.last_ms, last.id));
        }
        assert_eq!(found, expected, "{filter:?}");
        listed += found.len();
    }
    assert!(listed > 200, "{listed}");
}
