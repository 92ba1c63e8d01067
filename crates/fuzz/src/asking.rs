//! What crosses to a ledger that is kept somewhere else.

use std::{cell::RefCell, collections::HashMap};

use guard::{
    Answer, Ask, Conflict, Guard, Head, HeadFacts, Moment, NoStore, SLOTS, Store, Version, wire::Surface,
};

const NOON: u64 = 1_790_000_000_000;

#[derive(Default)]
struct Memory(RefCell<HashMap<u32, Vec<u8>>>);

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        self.0.borrow().get(&slot).map(|bytes| (bytes.clone(), Version(1)))
    }

    fn save(&self, slot: u32, bytes: &[u8], _version: Version) -> Result<(), Conflict> {
        assert!(slot < SLOTS, "slot {slot}");
        self.0.borrow_mut().insert(slot, bytes.to_vec());
        Ok(())
    }
}

/// Operations in the first half, a question in the second, an answer in all of it: what is read is written as it came, and
/// what a ledger answers can be read.
pub(crate) fn ask(data: &[u8]) {
    let memory = Memory::default();
    let (operations, question) = data.split_at(data.len() / 2);
    if guard::operate(operations, &memory, NOON).is_none() {
        assert!(memory.0.borrow().is_empty(), "something was carried out");
    }
    for bytes in [question, data] {
        if let Some(ask) = Ask::read(bytes) {
            assert_eq!(Ask::read(&ask.to_bytes()), Some(ask));
            for later in [0, 1, 90_000, 1_000_000_000] {
                let answer = ask.answer(&memory, NOON + later);
                assert_eq!(Answer::read(&answer.to_bytes()), Some(answer));
            }
        }
    }
    if let Some(answer) = Answer::read(data) {
        assert_eq!(Answer::read(&answer.to_bytes()), Some(answer));
    }
}

/// Seeds: what a guard asks and adds, and what it is told.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let policy =
        br#"{"model":{"name":"fuzz"},"limits":{"max_tokens_per_minute":1000,"max_concurrent_requests":3}}"#;
    let guard = Guard::from_json(policy, None, Surface::Edge, "fuzz").expect("a policy");
    let moment = Moment { unix_ms: NOON, entropy: [7; 10] };
    let facts =
        HeadFacts { method: "POST", path: "/v1/chat/completions", route: "", address: Some("192.0.2.1") };
    let mut exchange = guard.begin(Head::new(facts, core::iter::empty()), true, &moment);
    let ask = exchange.ask().expect("a client");
    let answer = ask.answer(&NoStore, NOON);
    let mut messages = vec![ask.to_bytes(), answer.to_bytes(), Answer::refusal(60_000).to_bytes()];
    exchange.resume(&guard, answer, &moment);
    exchange.judge(&guard, br#"{"messages":[{"role":"user","content":"Hello there"}]}"#, &moment);
    exchange.used(7);
    exchange.close(&guard, Some(401), &moment, &NoStore);
    let operations = [exchange.take_operations(), exchange.take_failure(), guard::give_back(7, 3)].concat();
    // The first half is carried out.
    messages.push(operations.repeat(2));
    messages
}
