//! Events on their way to the relay: a bounded queue, batches, back-off. The shell makes the calls.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};

use wire::{
    Batch, Event, EventId, limits,
    signature::{ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER},
};

use crate::Moment;

/// Events in one callout at the most.
const MAX_BATCH: usize = 100;
/// Callouts under way at the most. A relay that answers slowly must not fill the host's circuit breaker.
const MAX_IN_FLIGHT: usize = 4;
/// First pause after a failed callout; doubled with each further one.
const FIRST_PAUSE_MS: u64 = 500;
/// Longest pause.
const MAX_PAUSE_MS: u64 = 30_000;

/// Names one callout among those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CalloutId(pub u32);

/// A signed request to the relay's ingest, `POST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// Its name; hand it to [`Reporter::settle`] with the answer.
    pub id: CalloutId,
    /// The body.
    pub body: Vec<u8>,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// A batch that one reporter leaves to another with the same key, by a road that others may write on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The batch in JSON.
    pub body: Vec<u8>,
    /// How many events are in it.
    pub events: u32,
    /// What shows that a holder of the key made it.
    pub seal: String,
}

/// The id under which a batch is sealed. No message to the relay: its moment would be that of 1970.
const SEAL: &str = "modelgate/sealed";

impl Sealed {
    fn new(key: &Key, batch: &Batch) -> Self {
        let (body, events) = (batch.to_json(), u32::try_from(batch.events.len()).unwrap_or(u32::MAX));
        Self { seal: key.sign(SEAL, events.into(), &body), body, events }
    }

    fn is_of(&self, key: &Key) -> bool {
        self.seal == key.sign(SEAL, self.events.into(), &self.body)
    }
}

/// The queue of events. One for each VM or isolate.
#[derive(Debug)]
pub struct Reporter {
    key: Key,
    capacity: usize,
    queue: VecDeque<Event>,
    /// What another reporter left.
    adopted: Vec<Sealed>,
    in_flight: Vec<InFlight>,
    next_id: u32,
    /// No callout before this moment.
    paused_until_ms: u64,
    pause_ms: u64,
    urgent: usize,
    dropped: u64,
    /// The part of `dropped` that the relay knows of.
    told: u64,
    delivered: u64,
}

#[derive(Debug)]
struct InFlight {
    id: CalloutId,
    load: Load,
}

/// What a callout carries.
#[derive(Debug)]
enum Load {
    Own { events: Vec<Event>, dropped: u64 },
    Adopted(Sealed),
}

impl Load {
    fn events(&self) -> u64 {
        match self {
            Self::Own { events, .. } => events.len() as u64,
            Self::Adopted(sealed) => sealed.events.into(),
        }
    }
}

impl Reporter {
    /// A reporter that signs with `key` and holds at most `capacity` events of its own, those under way included.
    #[must_use]
    pub fn new(key: Key, capacity: usize) -> Self {
        Self {
            key,
            capacity: capacity.max(1),
            queue: VecDeque::new(),
            adopted: Vec::new(),
            in_flight: Vec::new(),
            next_id: 0,
            paused_until_ms: 0,
            pause_ms: 0,
            urgent: 0,
            dropped: 0,
            told: 0,
            delivered: 0,
        }
    }

    /// Takes an event. `true`: it is urgent, call [`Self::next_callout`] now and not at the next tick.
    pub fn push(&mut self, event: Event) -> bool {
        let urgent = event.is_urgent();
        self.queue.push_back(event);
        self.urgent += usize::from(urgent);
        self.shrink();
        urgent
    }

    /// Counts events that were lost before they came here, for example with an instance that trapped; the next batch
    /// tells of them.
    pub const fn lose(&mut self, events: u64) {
        self.dropped = self.dropped.saturating_add(events);
    }

    /// Drops what is over the capacity: the oldest ordinary event, or the oldest if all are urgent.
    fn shrink(&mut self) {
        while self.own() > self.capacity && !self.queue.is_empty() {
            let victim = if self.urgent < self.queue.len() {
                self.queue.iter().position(|e| !e.is_urgent())
            } else {
                Some(0)
            };
            let Some(event) = victim.and_then(|at| self.queue.remove(at)) else { return };
            self.urgent -= usize::from(event.is_urgent());
            self.dropped += 1;
        }
    }

    /// The next callout, if there is something to send and the relay is not being left in peace. Urgent events go
    /// first.
    pub fn next_callout(&mut self, moment: &Moment) -> Option<Callout> {
        if moment.unix_ms < self.paused_until_ms || self.in_flight.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let nothing_new = self.queue.is_empty() && (self.dropped == self.told || !self.in_flight.is_empty());
        let (body, load) = if nothing_new {
            let sealed = self.adopted.pop()?;
            (sealed.body.clone(), Load::Adopted(sealed))
        } else {
            let batch = self.take_batch();
            self.told += batch.dropped;
            (batch.to_json(), Load::Own { events: batch.events, dropped: batch.dropped })
        };
        let id = CalloutId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let headers = signed(&self.key, &body, moment);
        self.in_flight.push(InFlight { id, load });
        Some(Callout { id, body, headers })
    }

    /// Whether [`Self::adopt`] would be of use: nothing adopted waits, and the relay is not being left in peace.
    #[must_use]
    pub const fn can_adopt(&self, now_ms: u64) -> bool {
        self.adopted.is_empty() && now_ms >= self.paused_until_ms
    }

    /// Takes over what another reporter left. `false`: it was not made with this reporter's key.
    pub fn adopt(&mut self, sealed: Sealed) -> bool {
        let is_ours = sealed.is_of(&self.key);
        if is_ours {
            self.adopted.push(sealed);
        }
        is_ours
    }

    /// Hands out all that was not acknowledged yet, callouts under way included, for another reporter to take over. The
    /// relay takes an event twice without harm.
    pub fn leave(&mut self) -> Vec<Sealed> {
        let mut left = core::mem::take(&mut self.adopted);
        for InFlight { load, .. } in core::mem::take(&mut self.in_flight) {
            left.push(match load {
                Load::Own { events, dropped } => Sealed::new(&self.key, &Batch::new(dropped, events)),
                Load::Adopted(sealed) => sealed,
            });
        }
        while !self.queue.is_empty() || self.dropped != self.told {
            let batch = self.take_batch();
            if batch.events.is_empty() && batch.dropped == 0 {
                break;
            }
            self.told += batch.dropped;
            left.push(Sealed::new(&self.key, &batch));
        }
        left
    }

    fn take_batch(&mut self) -> Batch {
        let mut events: Vec<Event> = Vec::new();
        // An event is far smaller than its worst case; this bound is what a batch of worst cases may weigh.
        let mut bytes = 256;
        let mut take = |events: &mut Vec<Event>, queue: &mut VecDeque<Event>, at: usize| {
            let Some(weight) = queue.get(at).map(weight) else { return false };
            if events.len() >= MAX_BATCH || (!events.is_empty() && bytes + weight > limits::MAX_BATCH_BYTES) {
                return false;
            }
            bytes += weight;
            events.extend(queue.remove(at));
            true
        };
        while self.urgent > 0 {
            let Some(at) = self.queue.iter().position(Event::is_urgent) else { break };
            if !take(&mut events, &mut self.queue, at) {
                break;
            }
            self.urgent -= 1;
        }
        while self.urgent == 0 && take(&mut events, &mut self.queue, 0) {}
        Batch::new(self.dropped - self.told, events)
    }

    /// Tells how a callout ended: `Some(status)` as the relay answered, `None` without an answer.
    ///
    /// 2xx: delivered. 400, 413, 422: the relay will never take it, its events are dropped and counted. Anything else:
    /// its events go back to the queue and the relay is left in peace for a while, twice as long each time.
    pub fn settle(&mut self, id: CalloutId, status: Option<u16>, now_ms: u64) {
        let Some(at) = self.in_flight.iter().position(|callout| callout.id == id) else { return };
        let InFlight { load, .. } = self.in_flight.swap_remove(at);
        let is_accepted = matches!(status, Some(200..=299));
        if is_accepted {
            self.delivered += load.events();
            self.pause_ms = 0;
            self.paused_until_ms = 0;
            return;
        }
        if let Load::Own { dropped, .. } = &load {
            self.told -= dropped;
        }
        if matches!(status, Some(400 | 413 | 422)) {
            self.dropped += load.events();
            return;
        }
        match load {
            Load::Own { events, .. } => {
                for event in events.into_iter().rev() {
                    self.urgent += usize::from(event.is_urgent());
                    self.queue.push_front(event);
                }
                self.shrink();
            }
            Load::Adopted(sealed) => self.adopted.push(sealed),
        }
        self.pause_ms = (self.pause_ms * 2).clamp(FIRST_PAUSE_MS, MAX_PAUSE_MS);
        self.paused_until_ms = now_ms.saturating_add(self.pause_ms);
    }

    /// Events waiting or under way.
    #[must_use]
    pub fn queued(&self) -> usize {
        let waiting = self.adopted.iter().map(|sealed| u64::from(sealed.events)).sum::<u64>();
        let under_way = self.in_flight.iter().map(|callout| callout.load.events()).sum::<u64>();
        self.queue.len() + usize::try_from(waiting + under_way).unwrap_or(usize::MAX)
    }

    /// The part of them that is this reporter's own.
    fn own(&self) -> usize {
        let under_way = self.in_flight.iter().map(|callout| match &callout.load {
            Load::Own { events, .. } => events.len(),
            Load::Adopted(_) => 0,
        });
        self.queue.len() + under_way.sum::<usize>()
    }

    /// Events dropped since the start, because the queue was full or the relay refused them.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Events that the relay acknowledged since the start.
    #[must_use]
    pub const fn delivered(&self) -> u64 {
        self.delivered
    }
}

/// The headers under which the relay takes a batch, names in lower case.
#[must_use]
pub fn signed(key: &Key, body: &[u8], moment: &Moment) -> Vec<(&'static str, String)> {
    let message = format!("msg_{}", EventId::new(moment.unix_ms, moment.entropy));
    let seconds = moment.unix_ms / 1000;
    Vec::from([
        ("content-type", "application/json".into()),
        (ID_HEADER, message.clone()),
        (TIMESTAMP_HEADER, format!("{seconds}")),
        (SIGNATURE_HEADER, key.sign(&message, seconds, body)),
    ])
}

/// An upper bound of an event's length in JSON. A byte of text takes at most six (`\u001f`).
fn weight(event: &Event) -> usize {
    const FIELDS: usize = 700;
    const FINDING: usize = 400;
    let text = |text: &str| 6 * text.len();
    let finding = |finding: &wire::Finding| {
        FINDING
            + text(&finding.rule)
            + text(&finding.summary)
            + finding.location.as_ref().map_or(0, |location| text(&location.place))
            + finding.evidence.as_deref().map_or(0, text)
            + 24 * (finding.owasp.len() + finding.atlas.len() + finding.transforms.len())
    };
    FIELDS
        + text(&event.model)
        + text(&event.node)
        + text(&event.route)
        + text(&event.request.path)
        + event.client.user.as_deref().map_or(0, text)
        + event.request.id.as_deref().map_or(0, text)
        + event.findings.iter().map(finding).sum::<usize>()
}
