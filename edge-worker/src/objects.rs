//! What Durable Objects need of the wasm: the ledger of a shard, and the desk that talks to the relay.

use std::{cell::RefCell, rc::Rc};

use guard::{
    Ask, Decisions, Pulled, operate,
    policy::Policy,
    signed,
    wire::{DecisionFeed, VERSION, signature::Key},
};
use wasm_bindgen::{JsError, prelude::wasm_bindgen};

use crate::{
    answer,
    memory::Memory,
    shell::{bytes, from_millis, moment, to_millis},
};

/// The ledger of one shard of the clients. Its slots are the object's to keep.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Ledger(Memory);

#[wasm_bindgen]
impl Ledger {
    /// A ledger without any client.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Ledger {
        Self::default()
    }

    /// Puts a slot in that was kept.
    pub fn put(&self, slot: u32, bytes: Vec<u8>) {
        self.0.put(slot, bytes);
    }

    /// Forgets a slot.
    pub fn remove(&self, slot: u32) {
        self.0.remove(slot);
    }

    /// The answer to what a request asks; nothing if the bytes are no question.
    #[must_use]
    pub fn ask(&self, ask: &[u8], now: f64) -> Option<Vec<u8>> {
        Ask::read(ask).map(|ask| ask.answer(&self.0, to_millis(now)).to_bytes())
    }

    /// Carries out what requests add, and replies; nothing if the bytes are no operations.
    #[must_use]
    pub fn operate(&self, operations: &[u8], now: f64) -> Option<Vec<u8>> {
        operate(operations, &self.0, to_millis(now))
    }

    /// The slots that have changed since this was asked last.
    #[wasm_bindgen(js_name = takeChanged)]
    #[must_use]
    pub fn take_changed(&self) -> Vec<u32> {
        self.0.take_changed()
    }

    /// A slot's bytes, to be kept.
    #[must_use]
    pub fn slot(&self, slot: u32) -> Option<Vec<u8>> {
        guard::Store::load(&self.0, slot).map(|(bytes, _)| bytes)
    }
}

/// Signs what goes to the relay, and pulls what the security team decided.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Desk {
    key: Key,
    path: String,
    interval_ms: u64,
    ingest: String,
    timeout_ms: u64,
    decisions: RefCell<Decisions>,
}

#[wasm_bindgen]
impl Desk {
    /// A desk for a policy in JSON and the signing key `whsec_…`.
    ///
    /// # Errors
    /// What is wrong with them.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, key: &str) -> Result<Desk, JsError> {
        let policy =
            Policy::from_json(policy.as_bytes()).map_err(|error| JsError::new(&error.to_string()))?;
        let key = Key::parse(key).map_err(|error| JsError::new(&error.to_string()))?;
        let (feed, relay) = (&policy.document().decisions, &policy.document().relay);
        Ok(Self {
            key,
            path: feed.path.clone(),
            interval_ms: u64::from(feed.interval) * 1000,
            ingest: relay.path.clone(),
            timeout_ms: relay.timeout_ms.into(),
            decisions: RefCell::new(Decisions::new(usize::try_from(feed.max_entries).unwrap_or(usize::MAX))),
        })
    }

    /// The path of the relay's ingest.
    #[wasm_bindgen(getter, js_name = relayPath)]
    #[must_use]
    pub fn relay_path(&self) -> String {
        self.ingest.clone()
    }

    /// How long a callout may take, in milliseconds.
    #[wasm_bindgen(getter, js_name = calloutTimeout)]
    #[must_use]
    pub fn callout_timeout(&self) -> f64 {
        from_millis(self.timeout_ms)
    }

    /// Milliseconds between two pulls.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn interval(&self) -> f64 {
        from_millis(self.interval_ms)
    }

    /// A batch as the relay takes it, `{headers, body}`. `events`: the JSON of each, with commas between; `dropped`: how many
    /// had to be given up since the last batch.
    #[must_use]
    pub fn seal(&self, events: &str, dropped: u32, now: f64, entropy: &[u8]) -> String {
        let body = format!(r#"{{"v":{VERSION},"dropped":{dropped},"events":[{events}]}}"#);
        answer::call(&signed(&self.key, body.as_bytes(), &moment(now, bytes(entropy))), &body)
    }

    /// The next pull, if it is time for one: `{headers, body}`, its path as the body.
    #[wasm_bindgen(js_name = nextPull)]
    #[must_use]
    pub fn next_pull(&self, now: f64, entropy: &[u8]) -> Option<String> {
        let moment = moment(now, bytes(entropy));
        let pull = self.decisions.try_borrow_mut().ok()?.next_pull(&self.path, &self.key, &moment)?;
        Some(answer::call(&pull.headers, &pull.path))
    }

    /// How a pull ended; no status: no answer. `lines`: the body taken apart (`DecisionFeed::from_lines`). Says what was wrong
    /// with it, if anything was.
    #[expect(clippy::too_many_arguments, reason = "one crossing of the border")]
    #[must_use]
    pub fn settle(
        &self,
        status: Option<u16>,
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        lines: &str,
        now: f64,
    ) -> Option<String> {
        let pulled = status.map(|status| Pulled { status, signature: [id, timestamp, signature], body });
        let mut decisions = self.decisions.try_borrow_mut().ok()?;
        let read = |_: &[u8]| DecisionFeed::from_lines(lines);
        let settled = decisions.settle_by(pulled, &self.key, self.interval_ms, to_millis(now), read);
        settled.err().map(|error| error.to_string())
    }
}

/// Takes a page of decisions over that an object pulled at `now`.
pub(crate) fn apply(
    decisions: &Rc<RefCell<Decisions>>,
    key: &Key,
    signature: [&str; 3],
    body: &[u8],
    lines: &str,
    now: f64,
) -> Option<String> {
    let pulled = Pulled { status: 200, signature, body };
    let read = |_: &[u8]| DecisionFeed::from_lines(lines);
    let settled = decisions.try_borrow_mut().ok()?.settle_by(Some(pulled), key, 0, to_millis(now), read);
    settled.err().map(|error| error.to_string())
}
