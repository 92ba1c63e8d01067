//! From incidents to messages in the outbox: hands on what is due, composes what groups have to tell, reminds, escalates,
//! tells how things stand, and sums up in digests. All decisions are made in the store's transactions, so several relays may be at it.

mod heads;
mod missed;
mod standing;

use std::sync::atomic::{AtomicU64, Ordering};

use wire::EventId;

use crate::{
    acknowledge::{Covers, MessageName},
    alert::{self, Extra, Letter, chart, clean::show, digest::Digest},
    clock::{now_ms, steady_ms},
    config::{Config, Database, Target},
    incident::Incident,
    route::Period,
    store::{self, AlertGroup, ESCALATION, NewNotification, OVERFLOW, Store, StoreError, StoredEvent, Told},
};

/// Incidents handed on in one go.
const INCIDENTS: usize = 128;
/// Most rounds of handing on before something is told; what is left comes with the next.
const ROUNDS: usize = 16;
/// Messages composed in one go.
const GROUPS: usize = 32;
/// Events read to compose a message.
const EVENTS: usize = 20;
/// Most incidents that the link of one message acknowledges.
const COVERED: usize = 200;
/// Longest name of a caller in a note, in characters.
const MAX_CLIENT_CHARS: usize = 60;

/// Tells what is to be told.
pub(crate) struct Teller {
    /// When digests were last thought of, by [`steady_ms`].
    looked_ms: AtomicU64,
    heads: heads::Heads,
}

/// What one message needs.
struct Material {
    group: AlertGroup,
    lead: Incident,
    events: Vec<StoredEvent>,
    incidents: u64,
    clients: u64,
    others: Vec<Incident>,
    covered: Vec<EventId>,
    hours: chart::Hours,
}

impl Teller {
    /// One that has told nothing yet.
    pub(crate) fn new() -> Self {
        Self { looked_ms: AtomicU64::new(0), heads: heads::Heads::default() }
    }

    /// Everything that is due.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn round(&self, config: &Config, store: &Store) -> Result<(), StoreError> {
        let now = now_ms();
        hand_on(store, now).await?;
        if store.read(move |db| store::timers_are_due(db, now)).await? {
            store.timers().await?;
        }
        tell(config, store, now).await?;
        standing::tell(config, store, now).await?;
        let steady = steady_ms();
        if steady.saturating_sub(self.looked_ms.load(Ordering::Relaxed)) >= 1000 {
            self.looked_ms.store(steady, Ordering::Relaxed);
            missed::tell(config, store, now).await?;
            self.heads.tell(config, store, now).await?;
            digests(config, store, &self.heads, now).await?;
        }
        Ok(())
    }
}

async fn hand_on(store: &Store, now: u64) -> Result<(), StoreError> {
    for _ in 0..ROUNDS {
        let turned = store.read(|db| store::turned_incidents(db, INCIDENTS)).await?;
        let all = turned.len() < INCIDENTS;
        if !turned.is_empty() {
            store.hand_on(turned).await?;
        }
        if all {
            break;
        }
    }
    for _ in 0..ROUNDS {
        let due = store.read(move |db| store::due_incidents(db, now, INCIDENTS)).await?;
        let all = due.len() < INCIDENTS;
        if !due.is_empty() {
            let due = due.into_iter().map(|incident| (incident.id, incident.key)).collect();
            store.hand_on(due).await?;
        }
        if all {
            break;
        }
    }
    Ok(())
}

async fn tell(config: &Config, store: &Store, now: u64) -> Result<(), StoreError> {
    let due = store
        .read(move |db| {
            let mut materials = Vec::new();
            for group in store::due_groups(db, now, GROUPS)? {
                let Some(lead) = store::get_incident(db, group.lead)? else { continue };
                let events = store::events_of(db, lead.id, EVENTS)?;
                let (incidents, clients, others) = store::group_members(db, &group)?;
                let covered = store::group_incidents(db, &group, COVERED)?;
                let hours = store::hours_of(db, lead.id, now)?;
                materials.push(Material { group, lead, events, incidents, clients, others, covered, hours });
            }
            Ok(materials)
        })
        .await?;
    for material in due {
        let letter = letter(config, &material);
        let Material { group, lead, .. } = material;
        let told = Told {
            group: group.id,
            lead: lead.id,
            key: lead.key,
            sequence: group.sequence,
            pending: group.pending,
            severity: group.severity,
            state: None,
        };
        store.enqueue(notification(config, &letter, &group.receiver, Some(told))).await?;
    }
    Ok(())
}

/// The message of a group: its lead's, and what else it stands for.
fn letter(config: &Config, material: &Material) -> Letter {
    let Material { group, lead, events, .. } = material;
    let mut shown = lead.clone();
    shown.notify.sequence = group.sequence;
    shown.notify.count = lead.count.saturating_sub(group.pending);
    let domain = &config.mail.message_id_domain;
    let extra = Extra {
        notes: notes(config, material),
        hours: Some(material.hours),
        acknowledge: !config.webhook_keys.is_empty(),
        templates: config.mail.templates.clone(),
    };
    let mut letter =
        threaded(alert::compose(&shown, events, &extra, &config.public_url, domain), group, domain);
    if material.covered.len() > 1 {
        let message = MessageName { group: group.id, sequence: group.sequence };
        letter.covers = Some(Covers { message, incidents: material.covered.clone() });
    }
    letter
}

/// A thread is a group's, whichever incident its messages are about.
fn threaded(letter: Letter, group: &AlertGroup, domain: &str) -> Letter {
    let message_id = |sequence: u64| format!("<alert-{}.{sequence}@{domain}>", group.id);
    Letter {
        message_id: message_id(group.sequence),
        in_reply_to: (group.sequence > 0).then(|| message_id(0)),
        thread: group.id.to_string(),
        ..letter
    }
}

/// What a message says beside what it tells of its incident. Values from outside are made harmless here.
fn notes(config: &Config, material: &Material) -> Vec<String> {
    let Material { group, incidents, clients, others, .. } = material;
    let mut notes = Vec::new();
    if group.place == OVERFLOW {
        notes.push(format!(
            "{} events suppressed: the hourly limit of messages to {} was reached. They belong to {incidents} incidents \
             of {clients} callers; this is the worst of them.",
            group.pending, group.receiver
        ));
    } else if group.key.starts_with(ESCALATION) {
        notes.push("Nobody has acknowledged this in time, so it comes to you too.".to_owned());
    } else if group.pending == 0 {
        notes.push("This is a reminder: it is still open.".to_owned());
    }
    if *incidents > 1 && group.place != OVERFLOW {
        notes.push(format!(
            "This message stands for {incidents} incidents of {clients} callers, with {} events that were not told before.",
            group.pending
        ));
    }
    if !others.is_empty() {
        let others: Vec<String> = others
            .iter()
            .map(|other| {
                let client = show(&other.key.client, MAX_CLIENT_CHARS);
                format!("{client} ({}, {} events)", other.severity.as_str(), other.count)
            })
            .collect();
        notes.push(format!("Among the others: {}.", others.join(", ")));
    }
    let covered = material.covered.len() as u64;
    if *incidents > covered && !config.webhook_keys.is_empty() {
        notes.push(format!("The link to acknowledge is for the worst {covered} of them."));
    }
    notes
}

/// The outbox entry of a letter to a receiver.
fn notification(config: &Config, letter: &Letter, receiver: &str, about: Option<Told>) -> NewNotification {
    let known = config.receivers.iter().find(|known| known.name == receiver);
    // Whoever is no longer configured is not forgotten: the first receiver is told.
    let targets: Vec<Target> =
        known.or(config.receivers.first()).iter().flat_map(|it| it.targets()).collect();
    NewNotification {
        about,
        receiver: receiver.to_owned(),
        // A struct of strings: serialising it cannot fail.
        message: serde_json::to_string(letter).unwrap_or_default(),
        targets,
    }
}

async fn digests(config: &Config, store: &Store, heads: &heads::Heads, now: u64) -> Result<(), StoreError> {
    let policy = &config.alerts.policy;
    for Period { name, number, from_ms: from, until_ms: until, .. } in policy.digest.periods(now) {
        let asked = policy.digest_receivers().to_vec();
        let found = store
            .read(move |db| {
                if !store::digest_is_due(db, name, number)? {
                    return Ok(None);
                }
                let first = store::digest_is_first(db, name)?;
                let all = asked.iter().filter(|_| !first).map(|receiver| {
                    let accounts = store::accounts(db, receiver, from, until)?;
                    Ok((receiver.clone(), accounts, store::waiting(db, receiver)?))
                });
                Ok(Some(all.collect::<Result<Vec<_>, store::DbError>>()?))
            })
            .await?;
        let Some(found) = found else { continue };
        // Each relay has a log of its own.
        heads.tell_now(config, store, now).await?;
        let since = now.saturating_sub(heads::NAMED_FOR_MS);
        let stood = store.read(move |db| store::log_heads(db, since)).await?;
        let notifications = found
            .iter()
            .filter(|(_, accounts, waiting)| !accounts.is_empty() || *waiting > 0)
            .map(|(receiver, accounts, waiting)| {
                let digest = Digest {
                    name,
                    receiver,
                    from_ms: from,
                    until_ms: until,
                    accounts,
                    waiting: *waiting,
                    heads: &stood,
                    several: matches!(config.database, Database::Postgres(_)),
                };
                let letter = digest.letter(&config.public_url, &config.mail.message_id_domain);
                notification(config, &letter, receiver, None)
            })
            .collect();
        store.digest(name, number, notifications).await?;
    }
    Ok(())
}
