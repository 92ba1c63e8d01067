use core::cell::RefCell;

use hashbrown::HashMap;

use super::{
    super::{Conflict, NoStore, Version, pace::MINUTE_MS},
    *,
};

#[derive(Default)]
struct Memory(RefCell<HashMap<u32, Vec<u8>>>);

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        self.0.borrow().get(&slot).map(|bytes| (bytes.clone(), Version(1)))
    }

    fn save(&self, slot: u32, bytes: &[u8], _: Version) -> Result<(), Conflict> {
        self.0.borrow_mut().insert(slot, bytes.to_vec());
        Ok(())
    }
}

const T0: u64 = 29_000_000 * MINUTE_MS;

const fn rules(limit: u32) -> PaceRules {
    PaceRules { requests_per_minute: limit, session_ms: 3_600_000, ..PaceRules::NONE }
}

const fn ask(limit: u32, lease: u16) -> Ask {
    Ask { fingerprint: 7, refuse: false, rules: Some(rules(limit)), record: true, lease }
}

const TURN: Turn = Turn {
    tokens: Some((10, 1000)),
    input: Some((Input { hash: 3, sketch: Some(9) }, 600)),
    suspicion: None,
    past: [1, 0, 0, 4],
    session_ms: 3_600_000,
};

fn is_admitted(answer: &Answer) -> bool {
    matches!(answer.admission, Some(Admission::Admitted { .. }))
}

#[test]
fn what_is_asked_and_answered_arrives_as_it_was_written() {
    let memory = Memory::default();
    for number in 0..40 {
        let ask = Ask { refuse: number % 3 == 0, ..ask(30, number % 2) };
        assert_eq!(Ask::read(&ask.to_bytes()), Some(ask));
        let answer = ask.answer(&memory, T0 + u64::from(number));
        assert_eq!(Answer::read(&answer.to_bytes()), Some(answer));
        let mut turn = Vec::new();
        Operation::Sense(TURN).write(7, &mut turn);
        operate(&turn, &memory, T0).unwrap();
    }
    assert_eq!(record_of::<Sense>(&memory, 7).len(), RECORD);
    assert!(!is_admitted(&ask(30, 0).answer(&memory, T0 + 100)), "the limit holds");
    let refusal = Answer::refusal(60_000);
    assert_eq!(Answer::read(&refusal.to_bytes()), Some(refusal));
}

#[test]
fn operations_do_in_the_other_ledger_what_they_would_do_here() {
    let (here, there) = (Memory::default(), Memory::default());
    let failing = PaceRules { failures: 2, ..rules(100) };
    let operations = [
        Operation::Sense(TURN),
        Operation::Correct { estimated: 10, used: 50 },
        Operation::Leave { stretch: 3 },
        Operation::Fail(failing),
        Operation::Fail(failing),
    ];
    let mut bytes = Vec::new();
    for (store, now) in [(&here, T0), (&there, T0)] {
        ask(100, 0).answer(store, now);
    }
    operations.iter().for_each(|operation| operation.write(7, &mut bytes));
    sense(&here, 7, &TURN, T0);
    correct(&here, 7, 10, 50, T0);
    leave(&here, 7, 3, T0);
    let failures = [fail(&here, 7, &failing, T0), fail(&here, 7, &failing, T0)];
    assert_eq!(operate(&bytes, &there, T0).unwrap(), [0, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(failures, [None, Some(2)]);
    assert_eq!(*here.0.borrow(), *there.0.borrow());
}

#[test]
fn a_lease_is_counted_and_what_was_not_used_comes_back() {
    let memory = Memory::default();
    let mut made = 0;
    let mut leases = Vec::new();
    for now in T0.. {
        let answer = ask(160, 16).answer(&memory, now);
        if !is_admitted(&answer) {
            break;
        }
        made += 1 + u32::from(answer.leased);
        leases.push(answer.leased);
    }
    assert_eq!(made, 160, "neither more nor less than the limit: {leases:?}");
    assert!(leases.contains(&10), "{leases:?}");
    assert!(
        leases.iter().rev().take(60).all(|lease| *lease == 0),
        "near the limit there are none: {leases:?}"
    );
    let mut back = Vec::new();
    Operation::Return { requests: 5 }.write(7, &mut back);
    operate(&back, &memory, T0 + 200).unwrap();
    let again = (0..10).filter(|now| is_admitted(&ask(160, 0).answer(&memory, T0 + 300 + now))).count();
    assert_eq!(again, 5);
}

#[test]
fn nobody_who_is_held_to_an_interval_or_to_few_at_a_time_gets_a_lease() {
    for rules in
        [PaceRules { min_interval_ms: 1, ..rules(1000) }, PaceRules { concurrent: Some(500), ..rules(1000) }]
    {
        let memory = Memory::default();
        for number in 0..20 {
            let ask = Ask { rules: Some(rules), ..ask(1000, 16) };
            assert_eq!(ask.answer(&memory, T0 + number * 10).leased, 0);
        }
    }
}

#[test]
fn hostile_bytes_are_refused_whole() {
    let memory = Memory::default();
    let good = ask(10, 0).to_bytes();
    for length in 0..good.len() {
        assert_eq!(Ask::read(&good[..length]), None);
    }
    assert_eq!(Ask::read(&[&good[..], &[0]].concat()), None);
    for (at, byte) in [(0, 2), (1, 8)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        assert_eq!(Ask::read(&bytes), None, "byte {at}");
    }
    // No requests at all, a window without length, a penalty of years.
    for (at, with) in [(12, [0; 4]), (12 + 20, [255; 4]), (12 + 36, [255; 4])] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&with);
        assert_eq!(Ask::read(&bytes), None, "bytes at {at}");
    }
    let mut operations = Vec::new();
    Operation::Return { requests: 1 }.write(7, &mut operations);
    assert!(operate(&operations, &memory, T0).is_some());
    assert_eq!(operate(&operations[1..], &memory, T0), None);
    assert_eq!(operate(&operations.repeat(MAX_OPERATIONS + 1), &NoStore, T0), None);
    let broken = [&operations[..], &[1, 9]].concat();
    assert_eq!(operate(&broken, &memory, T0), None);
    assert!(memory.0.borrow().is_empty());
    let answer = ask(10, 0).answer(&memory, T0).to_bytes();
    for (at, byte) in [(0, 0), (1, 4), (3, 2)] {
        let mut bytes = answer.clone();
        bytes[at] = byte;
        assert_eq!(Answer::read(&bytes), None, "byte {at}");
    }
    assert_eq!(Answer::read(&[1; ANSWER + 1]), None);
}
