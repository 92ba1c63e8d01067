//! What each command does inside a group's transaction.
//!
//! Several relays may be at it on one PostgreSQL. Whoever changes incidents holds the locks of their keys from the
//! beginning of the transaction, taken in one order; then come decisions, then the outbox, then counters in the order
//! of their keys. So relays wait for each other, and not in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wire::EventId;

use super::{
    ChangeOf, Changed, Claimed, Command, Decided, Incoming, NewNotification,
    audit::{self, Actor},
    codec::{severity_code, verdict_code},
    db::{Db, DbError},
    decisions,
    events::{self, NewEvent, Storing},
    groups, heads,
    incidents::{self, Steady},
    outbox,
    recent::Recent,
    retention, search, silences, sums,
};
use crate::{
    allow,
    automatic::About,
    clock,
    config::Alerts,
    entropy,
    incident::{self, Incident, Key, MAX_TEMPLATES, template},
};

/// What a group brought, for the metrics.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// New events by severity code and verdict code.
    pub(crate) accepted: HashMap<(i64, i64), u64>,
    /// Events already there.
    pub(crate) duplicates: u64,
    /// Incidents begun.
    pub(crate) opened: u64,
}

/// What a command did.
#[derive(Debug)]
pub(super) enum Done {
    /// The number of each event of the batch; none if it was there already.
    Ingested(Vec<Option<u64>>),
    /// Whether the mail was still wanted.
    Enqueued(bool),
    Claimed(Vec<Claimed>),
    Settled,
    Decided(Decided),
    Lifted(bool),
    Changed(Vec<Option<Changed>>),
    Indexed(u64),
    HandedOn(u64),
    Silenced(Option<u64>),
    Pruned(u64),
    Leased(bool),
    /// How far the chain of the log is known to have been.
    Headed(u64),
    Probed,
}

/// One group under way.
pub(super) struct Group<'a> {
    pub(super) db: &'a Db,
    pub(super) alerts: &'a Alerts,
    pub(super) storing: Storing<'a>,
    pub(super) counts: Counts,
    /// Every incident this group touches: the one copy that is changed, and written at the end.
    pub(super) incidents: HashMap<EventId, Incident>,
    /// What of them stands in the table.
    known: HashMap<EventId, Steady>,
    /// Incidents that the groups before have left in memory.
    pub(super) recent: Recent,
    /// Those of each key that take new events.
    open: HashMap<Key, Vec<EventId>>,
    threats: BTreeMap<(u64, String), u64>,
    categories: BTreeMap<(u64, &'static str), u64>,
    /// New events by minute, severity code and verdict code.
    minutes: BTreeMap<(u64, (i64, i64)), u64>,
    /// The minute of the latest new event of each caller.
    callers: BTreeMap<String, u64>,
    /// What nobody decides against, once it was asked for.
    allowed: Option<Vec<decisions::Allowed>>,
    /// Room for further decisions.
    places: decisions::Places,
    /// Whether neighbours were noticed.
    notices: bool,
}

impl<'a> Group<'a> {
    pub(super) fn new(db: &'a Db, alerts: &'a Alerts, storing: Storing<'a>) -> Self {
        Self {
            db,
            alerts,
            storing,
            counts: Counts::default(),
            incidents: HashMap::new(),
            known: HashMap::new(),
            recent: Recent::default(),
            open: HashMap::new(),
            threats: BTreeMap::new(),
            categories: BTreeMap::new(),
            minutes: BTreeMap::new(),
            callers: BTreeMap::new(),
            allowed: None,
            places: decisions::Places::default(),
            notices: false,
        }
    }

    /// Does all commands, in an order in which relays do not block each other; what each did, in their own order.
    pub(super) fn run(&mut self, commands: &[Command]) -> Result<Vec<Done>, DbError> {
        let keyed = Keyed::of(commands);
        self.lock(&keyed)?;
        let mut done = self.ingest(keyed)?;
        let mut others: Vec<(usize, &Command)> = commands.iter().enumerate().collect();
        others.sort_by_key(|(_, command)| rank(command));
        for (at, command) in others {
            if let Some(did) = self.apply(command)? {
                done.push((at, did));
            }
        }
        self.flush()?;
        done.sort_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, did)| did).collect())
    }

    /// Keeps other relays from the incidents of these keys until the commit. The keys share few locks, as a server has
    /// room for some thousands.
    fn lock(&self, keyed: &Keyed<'_>) -> Result<(), DbError> {
        let Db::Postgres(session) = self.db else { return Ok(()) };
        let buckets: Vec<i64> = keyed.buckets.iter().copied().collect();
        if buckets.is_empty() {
            return Ok(());
        }
        session
            .select(
                "SELECT CASE bucket WHEN ?2 THEN pg_advisory_xact_lock(key) WHEN ?3 THEN pg_advisory_xact_lock_shared(key) \
                 ELSE pg_advisory_xact_lock(hashtextextended(current_schema() || ':incidents', bucket)) END \
                 FROM unnest(?1::bigint[]) AS bucket, hashtextextended(current_schema() || ':counts', 0) AS key",
                &[&buckets, &SUMMING, &COUNTING],
                |_| Ok(()),
            )
            .map(drop)
    }

    /// Every command but the batches, which are stored all at once.
    fn apply(&mut self, command: &Command) -> Result<Option<Done>, DbError> {
        let (db, Storing { relay, now_ms, .. }) = (self.db, self.storing);
        Ok(Some(match command {
            Command::Ingest { .. } | Command::Stop { .. } => return Ok(None),
            Command::Enqueue { notification, .. } => Done::Enqueued(self.enqueue(notification)?),
            Command::HandOn { incidents, .. } => Done::HandedOn(self.hand_on(incidents)?),
            Command::Timers { .. } => Done::HandedOn(self.timers()?),
            Command::Digest { name, period, notifications, .. } => {
                Done::Enqueued(self.digest(name, *period, notifications)?)
            }
            Command::MakeUp { missed, notification, .. } => {
                Done::Enqueued(self.make_up(missed, notification)?)
            }
            Command::Silence { silence, .. } => Done::Silenced(silences::make(db, silence, now_ms)?),
            Command::Unsilence { id, by, .. } => Done::Lifted(silences::end(db, *id, by, now_ms)?),
            Command::Claim { channel, now_ms, lease_ms, limit, .. } => {
                Done::Claimed(outbox::claim(db, relay, *channel, *now_ms, *lease_ms, *limit)?)
            }
            Command::Settle { id, outcome, .. } => {
                outbox::settle(db, relay, *id, outcome, now_ms)?;
                Done::Settled
            }
            Command::Decide { decision, .. } => Done::Decided(decisions::decide(
                db,
                decision,
                &self.alerts.allowed,
                &mut self.places,
                now_ms,
            )?),
            Command::Lift { id, by, .. } => Done::Lifted(decisions::lift(db, *id, by, now_ms)?),
            Command::Change { changes, .. } => {
                Done::Changed(changes.iter().map(|change| self.change(change)).collect::<Result<_, _>>()?)
            }
            Command::Index { limit, .. } => Done::Indexed(search::index(db, *limit, now_ms)?),
            Command::Sum { limit, .. } => Done::Indexed(sums::sum(db, *limit, now_ms)?),
            Command::Prune { class, before_ms, limit, .. } => {
                self.recent = Recent::default();
                Done::Pruned(retention::prune(db, *class, *before_ms, *limit)?)
            }
            Command::Lease { name, until_ms, .. } => {
                Done::Leased(retention::take_lease(db, name, relay, now_ms, *until_ms)?)
            }
            Command::Head { head, .. } => Done::Headed(heads::save(db, relay, head, now_ms)?),
            Command::Probe { .. } => {
                save_number(db, &format!("probe:{relay}"), clock::now_ms().max(now_ms))?;
                Done::Probed
            }
        }))
    }

    fn ingest(&mut self, keyed: Keyed<'_>) -> Result<Vec<(usize, Done)>, DbError> {
        self.open_incidents(keyed.events.iter().filter_map(|(_, key)| key.as_ref()))?;
        let rows: Vec<NewEvent<'_>> = keyed
            .events
            .iter()
            .map(|(incoming, key)| {
                let incident = key.as_ref().map(|key| self.belongs_to(key, &incoming.event));
                self.row(incoming, incident)
            })
            .collect();
        let numbers = events::insert(self.db, self.storing, &rows)?;
        for (number, row, (incoming, _)) in
            numbers.iter().zip(&rows).zip(&keyed.events).map(|((number, row), event)| (number, row, event))
        {
            match number {
                Some(_) => self.count(row, incoming)?,
                None => self.counts.duplicates += 1,
            }
        }
        let mut numbers = numbers.into_iter();
        Ok(keyed
            .batches
            .into_iter()
            .map(|(at, length)| (at, Done::Ingested(numbers.by_ref().take(length).collect())))
            .collect())
    }

    /// The open incident of each key: of the database, or a new one.
    fn open_incidents<'k>(&mut self, keys: impl Iterator<Item = &'k Key>) -> Result<(), DbError> {
        let keys: BTreeSet<&Key> = keys.collect();
        let mut unknown: Vec<&Key> = Vec::new();
        let mut found = Vec::new();
        for key in keys {
            match self.recent.take(key) {
                Some(recent) => found.extend(recent),
                None => unknown.push(key),
            }
        }
        found.extend(incidents::latest(self.db, &unknown)?);
        for incident in found {
            if incident.takes_events(self.storing.now_ms, self.alerts) {
                self.open.entry(incident.key.clone()).or_default().push(incident.id);
                self.hold(incident);
            }
        }
        Ok(())
    }

    /// Takes in an incident as it stands in the table.
    fn hold(&mut self, incident: Incident) {
        self.known.insert(incident.id, Steady::of(&incident));
        self.incidents.insert(incident.id, incident);
    }

    /// What the next group may find in memory, once this one is committed.
    pub(super) fn recent(self) -> Recent {
        let mut recent = self.recent;
        recent.keep(self.incidents, self.open);
        recent
    }

    /// The incident that an event belongs to: one that looks like it, else a new one; with enough of them, the one that
    /// looks most like it.
    fn belongs_to(&mut self, key: &Key, event: &wire::Event) -> EventId {
        let (sketch, now_ms) = (template::sketch(event), self.storing.now_ms);
        let known = self.open.get(key).map_or(&[][..], Vec::as_slice);
        let nearest = known
            .iter()
            .filter_map(|id| self.incidents.get(id))
            .map(|incident| (template::distance(incident.template, sketch), incident))
            .min_by_key(|(distance, incident)| (*distance, incident.id));
        if let Some((_, incident)) = nearest
            && (template::near(incident.template, sketch) || known.len() >= MAX_TEMPLATES)
        {
            return incident.id;
        }
        let mut new = Incident::open(entropy::uuid(now_ms), key.clone(), now_ms);
        new.template = sketch;
        let id = new.id;
        self.open.entry(key.clone()).or_default().push(id);
        self.incidents.insert(id, new);
        id
    }

    fn row<'e>(&self, incoming: &'e Incoming, incident: Option<EventId>) -> NewEvent<'e> {
        let event = &incoming.event;
        NewEvent {
            id: event.id,
            time_ms: self.storing.moment(event.time_ms),
            severity: severity_code(event.severity),
            verdict: verdict_code(event.verdict),
            client: incident::client_of(event),
            address: event.client.address.as_deref(),
            incident,
            body: &incoming.body,
        }
    }

    /// Counts an event that was new wherever it counts.
    fn count(&mut self, row: &NewEvent<'_>, incoming: &Incoming) -> Result<(), DbError> {
        let (event, now_ms) = (&incoming.event, self.storing.now_ms);
        if let Some(id) = row.incident
            && let Some(incident) = self.incidents.get_mut(&id)
        {
            self.counts.opened += u64::from(incident.count == 0);
            incident.add_at(event, row.time_ms, now_ms, self.alerts);
            self.decide(id, event)?;
        }
        let mut seen: Vec<&str> = Vec::new();
        for finding in &event.findings {
            if !seen.contains(&finding.rule.as_str()) {
                seen.push(&finding.rule);
                *self.threats.entry((row.time_ms / 60_000, finding.rule.clone())).or_default() += 1;
            }
        }
        if row.incident.is_some() {
            let category = incident::category_of(event).as_str();
            *self.categories.entry((row.time_ms / 60_000, category)).or_default() += 1;
        }
        let minute = row.time_ms / 60_000;
        *self.minutes.entry((minute, (row.severity, row.verdict))).or_default() += 1;
        if row.client != incident::UNKNOWN_CLIENT {
            match self.callers.get_mut(&row.client) {
                Some(latest) => *latest = minute.max(*latest),
                None => drop(self.callers.insert(row.client.clone(), minute)),
            }
        }
        *self.counts.accepted.entry((row.severity, row.verdict)).or_default() += 1;
        Ok(())
    }

    /// What the rules decide because of an event of this incident: the first that fits, and the first about ranges.
    fn decide(&mut self, id: EventId, event: &wire::Event) -> Result<(), DbError> {
        let (alerts, now_ms) = (self.alerts, self.storing.now_ms);
        for about_range in [false, true] {
            let Some(incident) = self.incidents.get(&id) else { return Ok(()) };
            let fitting = alerts
                .automatic_decisions
                .iter()
                .filter(|rule| matches!(rule.about, About::Range(_)) == about_range)
                .find_map(|rule| Some((rule, rule.decide(incident, event, now_ms)?)));
            let Some((rule, new)) = fitting else { continue };
            if decisions::is_decided(self.db, &new.subject, now_ms)?
                || self.is_allowed(event, &new.subject)?
            {
                continue;
            }
            if about_range && !std::mem::replace(&mut self.notices, true) {
                decisions::begin_noticing(self.db, now_ms)?;
            }
            let address = allow::address_of(event).map(|it| it.to_string()).unwrap_or_default();
            let Some(new) = decisions::notice(self.db, new, rule, &address, now_ms)? else { continue };
            let made =
                decisions::decide_by_rule(self.db, new, rule, &alerts.allowed, &mut self.places, now_ms)?;
            if let (Some(new), Some(incident)) = (made, self.incidents.get_mut(&id)) {
                let subject = new.subject.value();
                let text = format!("{} {} {subject}", new.action.as_str(), new.subject.scope());
                incident.tell(now_ms, "decided", "relay", text);
            }
        }
        Ok(())
    }

    /// Whether the caller of an event, or whom a decision would be about, is on the allow list.
    fn is_allowed(&mut self, event: &wire::Event, about: &wire::Subject) -> Result<bool, DbError> {
        let allowed = match self.allowed.take() {
            Some(known) => known,
            None => decisions::allowed(self.db, &self.alerts.allowed, self.storing.now_ms)?,
        };
        let mut subjects = allow::subjects_of(event);
        subjects.push(about.clone());
        let met = subjects.iter().any(|subject| decisions::allowed_why(&allowed, subject).is_some());
        self.allowed = Some(allowed);
        Ok(met)
    }

    /// Puts a message into the outbox, unless the group's message of that number exists already or has to wait.
    fn enqueue(&mut self, notification: &NewNotification) -> Result<bool, DbError> {
        let now_ms = self.storing.now_ms;
        let Some(told) = &notification.about else {
            outbox::insert(self.db, notification, outbox::Sort::Other, now_ms)?;
            return Ok(true);
        };
        if let Some(state) = told.state {
            let admitted = self.admit_state(told, state, &notification.targets)?;
            let Some((group, mails)) = admitted else { return Ok(false) };
            outbox::insert(self.db, notification, outbox::Sort::State { mails }, now_ms)?;
            self.told_state(group, state)?;
            return Ok(true);
        }
        let Some((group, open)) = self.admit(told, &notification.targets)? else { return Ok(false) };
        let targets = self.insert_by(notification, &open)?;
        self.told(group, told, targets)?;
        Ok(true)
    }

    /// Puts the digests of a time into the outbox, once, when there is room for all of them.
    fn digest(&self, name: &str, period: u64, notifications: &[NewNotification]) -> Result<bool, DbError> {
        let most = self.alerts.policy.root.max_per_hour;
        let mut open = Vec::new();
        for notification in notifications {
            match self.room(&notification.receiver, &notification.targets, most)? {
                groups::Room::By(channels) => open.push(channels),
                groups::Room::Later(_) => return Ok(false),
            }
        }
        let key = format!("digest:{name}");
        let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
             ON CONFLICT (key) DO UPDATE SET value = ?2 WHERE meta.value < ?2 OR meta.value > ?2 + 1";
        let is_new = self.db.execute(sql, &[(&key).into(), period.into()])? > 0;
        if is_new {
            for (notification, open) in notifications.iter().zip(&open) {
                self.insert_by(notification, open)?;
            }
        }
        Ok(is_new)
    }

    /// The one copy of an incident that this group changes.
    pub(super) fn load(&mut self, id: EventId) -> Result<Option<&mut Incident>, DbError> {
        if !self.incidents.contains_key(&id)
            && let Some(loaded) = match self.recent.take_one(id) {
                Some(recent) => Some(recent),
                None => incidents::get(self.db, id)?,
            }
        {
            self.hold(loaded);
        }
        Ok(self.incidents.get_mut(&id))
    }

    /// Does what somebody wants with an incident, and notes who did.
    fn change(&mut self, change: &ChangeOf) -> Result<Option<Changed>, DbError> {
        let (db, alerts, now_ms) = (self.db, self.alerts, self.storing.now_ms);
        let Some(incident) = self.load(change.id)? else { return Ok(None) };
        let by = change.by.as_deref().unwrap_or("relay");
        let changed = incident.change(&change.change, by, &change.text, now_ms, alerts);
        if changed {
            let actor = change.by.as_deref().map_or(Actor::Relay, Actor::Person);
            let what = serde_json::json!({"incident": change.id, "state": incident.state.as_str(), "text": change.text});
            audit::note(db, now_ms, actor, change.change.as_str(), &what.to_string())?;
        }
        Ok(Some(Changed { incident: incident.clone(), changed }))
    }

    /// Writes what was gathered in memory.
    fn flush(&self) -> Result<(), DbError> {
        incidents::save(
            self.db,
            self.incidents.values().filter(|incident| incident.count > 0),
            &self.known,
            self.storing.now_ms,
        )?;
        // Incidents that events opened again; what somebody did is noted where it was done.
        for (id, incident) in &self.incidents {
            for news in incident.news.iter().filter(|news| news.by == "relay" && news.what == "reopened") {
                let what = serde_json::json!({"incident": id, "state": "open", "text": news.text});
                audit::note(self.db, news.at_ms, Actor::Relay, "reopen", &what.to_string())?;
            }
        }
        sums::THREATS.add(self.db, &self.threats, |rule| vec![rule.into()])?;
        let categories: Vec<_> = self
            .categories
            .iter()
            .map(|((minute, category), count)| vec![(*minute).into(), (*category).into(), (*count).into()])
            .collect();
        self.db.execute_each(
            "INSERT INTO categories (minute, category, count) VALUES (?1, ?2, ?3) \
             ON CONFLICT (minute, category) DO UPDATE SET count = categories.count + ?3",
            &categories,
        )?;
        sums::EVENTS
            .add(self.db, &self.minutes, |(severity, verdict)| vec![(*severity).into(), (*verdict).into()])?;
        let callers: Vec<_> =
            self.callers.iter().map(|(client, minute)| vec![client.into(), (*minute).into()]).collect();
        self.db.execute_each(
            "INSERT INTO callers (client, minute) VALUES (?1, ?2) \
             ON CONFLICT (client) DO UPDATE SET minute = ?2 WHERE callers.minute < ?2",
            &callers,
        )
    }
}

/// Among the locks: of whoever sums what was counted, alone, and of whoever counts, beside each other. The first to be
/// taken.
const SUMMING: i64 = -2;
const COUNTING: i64 = -1;

/// The events of a group with the incidents they belong to.
struct Keyed<'a> {
    events: Vec<(&'a Incoming, Option<Key>)>,
    /// Where each batch stands among the commands, and how many events it has.
    batches: Vec<(usize, usize)>,
    /// The locks of all incidents that the group may change, each once and in order.
    buckets: BTreeSet<i64>,
}

impl<'a> Keyed<'a> {
    fn of(commands: &'a [Command]) -> Self {
        let mut keyed = Self { events: Vec::new(), batches: Vec::new(), buckets: BTreeSet::new() };
        for (at, command) in commands.iter().enumerate() {
            match command {
                Command::Ingest { events, .. } => {
                    keyed.buckets.insert(COUNTING);
                    keyed.batches.push((at, events.len()));
                    keyed.events.extend(events.iter().map(|incoming| (incoming, Key::of(&incoming.event))));
                }
                Command::Enqueue { notification, .. } => {
                    if let Some(told) = &notification.about {
                        keyed.buckets.extend([bucket(&told.key), groups::LOCK]);
                    }
                }
                Command::HandOn { incidents, .. } => {
                    keyed.buckets.extend(incidents.iter().map(|(_, key)| bucket(key)));
                    keyed.buckets.insert(groups::LOCK);
                }
                Command::Timers { .. } | Command::Digest { .. } | Command::MakeUp { .. } => {
                    keyed.buckets.insert(groups::LOCK);
                }
                Command::Sum { .. } => {
                    keyed.buckets.insert(SUMMING);
                }
                Command::Change { changes, .. } => {
                    keyed.buckets.extend(changes.iter().map(|change| bucket(&change.key)));
                }
                _ => {}
            }
        }
        let keys = keyed.events.iter().filter_map(|(_, key)| key.as_ref());
        let buckets: Vec<i64> = keys.map(bucket).collect();
        keyed.buckets.extend(buckets);
        keyed
    }
}

/// The lock of a key: FNV-1a, the same in every build, folded to 64 locks.
fn bucket(key: &Key) -> i64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let parts = [key.model.as_bytes(), key.category.as_str().as_bytes(), key.client.as_bytes()];
    let bytes = parts.iter().flat_map(|part| part.iter().chain(&[0]));
    let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    super::codec::int((hash ^ (hash >> 32)) % 64)
}

/// The order in which a group does its commands.
fn rank(command: &Command) -> u8 {
    match command {
        Command::Ingest { .. }
        | Command::Change { .. }
        | Command::HandOn { .. }
        | Command::Timers { .. }
        | Command::Digest { .. }
        | Command::MakeUp { .. }
        | Command::Enqueue { .. } => 0,
        Command::Decide { .. } | Command::Lift { .. } => 1,
        Command::Claim { .. }
        | Command::Settle { .. }
        | Command::Silence { .. }
        | Command::Unsilence { .. } => 2,
        Command::Index { .. }
        | Command::Prune { .. }
        | Command::Sum { .. }
        | Command::Lease { .. }
        | Command::Head { .. }
        | Command::Probe { .. }
        | Command::Stop { .. } => 3,
    }
}

/// Writes a number into `meta`.
pub(super) fn save_number(db: &Db, key: &str, number: u64) -> Result<(), DbError> {
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
        &[key.into(), number.into()],
    )
    .map(drop)
}
