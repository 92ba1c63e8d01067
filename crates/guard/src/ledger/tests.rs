use alloc::vec;
use core::cell::{Cell, RefCell};

use hashbrown::HashMap;

use super::{pace::MINUTE_MS, sense::Repeats, *};

/// A host that refuses the first `conflicts` saves.
#[derive(Default)]
struct Memory {
    slots: RefCell<HashMap<u32, (Vec<u8>, u32)>>,
    conflicts: Cell<u32>,
}

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        assert!(slot < SLOTS);
        self.slots.borrow().get(&slot).map(|(bytes, version)| (bytes.clone(), Version(*version)))
    }

    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
        if self.conflicts.get() > 0 {
            self.conflicts.set(self.conflicts.get() - 1);
            return Err(Conflict);
        }
        let mut slots = self.slots.borrow_mut();
        let entry = slots.entry(slot).or_insert((Vec::new(), 0));
        if entry.1 != version.0 {
            return Err(Conflict);
        }
        *entry = (bytes.to_vec(), version.0 + 1);
        Ok(())
    }
}

const T0: u64 = 29_000_000 * MINUTE_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// `limit` requests a minute, and nothing else.
const fn rules(limit: u32) -> PaceRules {
    PaceRules {
        requests_per_minute: limit,
        burst: u32::MAX,
        min_interval_ms: 0,
        concurrent: None,
        failures: 5,
        failure_window_ms: 5 * MINUTE_MS,
        failures_penalised: true,
        penalty_s: 60,
        max_penalty_s: 600,
        penalty_decay_s: 600,
        session_ms: HOUR_MS,
    }
}

fn admitted(store: &Memory, client: u64, rules: &PaceRules, at: u64) -> bool {
    matches!(admit(store, client, rules, at), Admission::Admitted { .. })
}

fn passed(store: &Memory, client: u64, limit: u32, tries: u32, at: u64) -> usize {
    (0..tries).filter(|_| admitted(store, client, &rules(limit), at)).count()
}

fn refusal(store: &Memory, client: u64, rules: &PaceRules, at: u64) -> Refusal {
    match admit(store, client, rules, at) {
        Admission::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Numbers without sense.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    }
}

#[test]
fn a_client_gets_exactly_its_limit_in_a_fresh_minute() {
    assert_eq!(passed(&Memory::default(), 7, 100, 150, T0), 100);
}

#[test]
fn the_window_slides_over_the_minute() {
    let store = Memory::default();
    assert_eq!(passed(&store, 7, 100, 100, T0 + 59_000), 100);
    // Half a minute later about half of the old requests still count.
    assert_eq!(passed(&store, 7, 100, 100, T0 + 90_000), 50);
    // Two minutes of silence forget all.
    assert_eq!(passed(&store, 7, 100, 150, T0 + 240_000), 100);
}

#[test]
fn whoever_waits_as_long_as_told_is_admitted() {
    for (limit, burst, at) in [(1, 1, 0), (100, 130, 59_999), (100, 100, 30_000), (3, 9, 12_345), (60, 61, 1)]
    {
        for allowed_over in [u32::MAX, 5] {
            let store = Memory::default();
            let rules = PaceRules { burst: allowed_over, ..rules(limit) };
            for _ in 0..burst {
                admit(&store, 7, &rules, T0 + at);
            }
            let retry_ms = refusal(&store, 7, &rules, T0 + at).retry_ms;
            assert!(retry_ms <= 2 * MINUTE_MS);
            assert!(admitted(&store, 7, &rules, T0 + at + retry_ms), "limit {limit}, waited {retry_ms} ms");
        }
    }
}

#[test]
fn clients_do_not_share_a_count() {
    let store = Memory::default();
    // The same slot, different fingerprints.
    for client in 0..WAYS as u64 {
        assert_eq!(passed(&store, 7 + client * u64::from(TABLE), 10, 20, T0), 10);
    }
}

#[test]
fn a_million_clients_keep_to_the_fixed_size() {
    let store = Memory::default();
    let mut client = noise(1);
    for number in 0..1_000_000_u64 {
        admit(&store, client(), &rules(100), T0 + number);
        // What is remembered of inputs lies in other records, of the same number.
        if number % 8 == 0 {
            sense(&store, client(), &Turn::default(), T0 + number);
        }
    }
    let slots = store.slots.borrow();
    assert_eq!(slots.len(), SLOTS as usize);
    let bytes: usize = slots.values().map(|(bytes, _)| bytes.len()).sum();
    assert_eq!(bytes, TABLE as usize * WAYS * (2 * HEAD + Pace::BYTES + Sense::BYTES));
    assert_eq!(bytes, 8_781_824, "the module's documentation says 8.4 MiB");
}

#[test]
fn the_client_that_was_silent_longest_makes_room() {
    let store = Memory::default();
    let clients: Vec<u64> = (0..=WAYS as u64).map(|client| 7 + client * u64::from(TABLE)).collect();
    for (at, client) in (0..).zip(&clients[..WAYS]) {
        assert_eq!(passed(&store, *client, 10, 20, T0 + at), 10);
    }
    // The first one asks again, in vain; now the second one is the oldest.
    assert!(!admitted(&store, clients[0], &rules(10), T0 + 100));
    assert!(admitted(&store, clients[WAYS], &rules(10), T0 + 101));
    assert!(!admitted(&store, clients[0], &rules(10), T0 + 102));
    assert!(admitted(&store, clients[1], &rules(10), T0 + 103), "forgotten");
}

#[test]
fn a_penalty_outlasts_a_flood_of_new_clients() {
    let store = Memory::default();
    for _ in 0..5 {
        fail(&store, 7, &rules(100), T0);
    }
    let mut number = noise(2);
    for at in 0..10_000 {
        let client = number() / u64::from(TABLE) * u64::from(TABLE) + 7;
        assert!(admitted(&store, client, &rules(100), T0 + at));
    }
    assert_eq!(refusal(&store, 7, &rules(100), T0 + 10_000).limit, Limit::Penalty);
}

#[test]
fn conflicts_are_tried_again_and_then_let_pass() {
    let store = Memory::default();
    store.conflicts.set(MAX_TRIES - 1);
    assert!(admitted(&store, 7, &rules(1), T0));
    store.conflicts.set(MAX_TRIES);
    assert_eq!(admit(&store, 7, &rules(1), T0), Admission::Uncounted);
    assert_eq!(refusal(&store, 7, &rules(1), T0).refused, 1);
}

#[test]
fn any_bytes_are_a_slot_and_hold_nobody_off_for_ever() {
    let mut number = noise(3);
    for round in 0..2000 {
        let store = Memory::default();
        let length = usize::try_from(number() % 2000).unwrap();
        let mut rubbish: Vec<u8> = (0..length).map(|_| number().to_le_bytes()[0]).collect();
        // A record of the client itself among the rubbish.
        if round % 2 == 0 {
            rubbish.splice(..rubbish.len().min(8), 7_u64.to_le_bytes());
        }
        for slot in [7, TABLE + 7] {
            store.slots.borrow_mut().insert(slot, (rubbish.clone(), 1));
        }
        let rules = PaceRules { concurrent: Some(3), min_interval_ms: 1000, ..rules(5) };
        let longest = 1000 * u64::from(rules.max_penalty_s) + 2 * MINUTE_MS;
        match admit(&store, 7, &rules, T0) {
            Admission::Refused(refusal) => assert!(refusal.retry_ms <= longest, "{refusal:?}"),
            other => assert!(matches!(other, Admission::Admitted { .. })),
        }
        fail(&store, 7, &rules, T0);
        leave(&store, 7, u32::MAX, T0);
        let turn = Turn {
            tokens: Some((10, 100)),
            input: Some((Input { hash: 1, sketch: Some(1) }, 600)),
            suspicion: Some((1, 500, 600)),
            past: [3; PAST],
            session_ms: HOUR_MS,
        };
        sense(&store, 7, &turn, T0).unwrap();
        correct(&store, 7, 10, 5, T0);
        assert!(admitted(&store, 7, &rules, T0 + longest + 2 * HOUR_MS), "round {round}");
    }
}

#[test]
fn a_clock_that_goes_back_holds_nobody_off() {
    for back in [1, 999, MINUTE_MS, HOUR_MS, 30 * 24 * HOUR_MS, T0] {
        let store = Memory::default();
        let rules = PaceRules { burst: 3, ..rules(10) };
        for _ in 0..30 {
            admit(&store, 7, &rules, T0);
        }
        let now = T0 - back;
        let wait = match admit(&store, 7, &rules, now) {
            Admission::Refused(refusal) => refusal.retry_ms,
            _ => 0,
        };
        assert!(wait <= 3 * MINUTE_MS + back.min(600_000), "{back} ms back: {wait}");
        assert!(admitted(&store, 7, &rules, now + wait.max(1)), "{back} ms back, after {wait} ms");
    }
}

#[test]
fn a_request_that_comes_too_soon_waits_for_its_turn() {
    let store = Memory::default();
    let rules = PaceRules { min_interval_ms: 500, ..rules(100) };
    assert!(admitted(&store, 7, &rules, T0));
    let early = refusal(&store, 7, &rules, T0 + 200);
    assert_eq!((early.limit, early.retry_ms), (Limit::Interval, 300));
    assert!(admitted(&store, 7, &rules, T0 + 500));
    assert!(admitted(&store, 8, &rules, T0 + 500), "another client");
}

#[test]
fn requests_under_way_are_counted_until_they_end() {
    let store = Memory::default();
    let rules = PaceRules { concurrent: Some(2), ..rules(100) };
    let open = |at: u64| match admit(&store, 7, &rules, at) {
        Admission::Admitted { stretch, .. } => stretch,
        Admission::Refused(refusal) => {
            assert_eq!(refusal.limit, Limit::Concurrent);
            None
        }
        Admission::Uncounted => panic!("uncounted"),
    };
    let (first, second) = (open(T0).unwrap(), open(T0).unwrap());
    assert_eq!(open(T0), None);
    leave(&store, 7, first, T0 + 1);
    let third = open(T0 + 2).unwrap();
    assert_eq!(open(T0 + 3), None);
    // They end ten minutes later, in another stretch.
    leave(&store, 7, second, T0 + 600_000);
    leave(&store, 7, third, T0 + 600_000);
    assert!(open(T0 + 600_001).is_some() && open(T0 + 600_001).is_some());
    assert_eq!(open(T0 + 600_001), None);
}

#[test]
fn what_a_crash_left_open_is_forgotten_while_the_client_goes_on() {
    let store = Memory::default();
    let rules = PaceRules { concurrent: Some(2), ..rules(1000) };
    assert!(admitted(&store, 7, &rules, T0) && admitted(&store, 7, &rules, T0));
    let mut held_off = 0;
    for second in 1..=1300 {
        let at = T0 + second * 1000;
        match admit(&store, 7, &rules, at) {
            Admission::Admitted { stretch, .. } => leave(&store, 7, stretch.unwrap(), at),
            _ => held_off = second,
        }
    }
    assert!((600..=1200).contains(&held_off), "{held_off} s");
}

#[test]
fn a_burst_over_the_limit_is_forgiven_and_one_request_more_is_not() {
    let store = Memory::default();
    let rules = PaceRules { burst: 20, ..rules(100) };
    for _ in 0..100 {
        assert!(admitted(&store, 7, &rules, T0));
    }
    for _ in 0..20 {
        let refusal = refusal(&store, 7, &rules, T0);
        assert_eq!((refusal.limit, refusal.penalised), (Limit::Requests, false));
    }
    let refusal = refusal(&store, 7, &rules, T0);
    assert_eq!((refusal.limit, refusal.penalised), (Limit::Requests, true));
    assert!(admitted(&store, 7, &PaceRules { penalty_s: 0, ..rules }, T0 + 2 * MINUTE_MS + 1));
}

#[test]
fn penalties_double_and_decay() {
    let store = Memory::default();
    let rules = rules(100);
    let mut now = T0;
    let mut penalise = |quiet_s: u64| {
        now += quiet_s * 1000;
        for failure in 1..=5 {
            assert_eq!(fail(&store, 7, &rules, now).is_some(), failure == 5);
        }
        let wait = refusal(&store, 7, &rules, now).retry_ms;
        // A penalty under way is not prolonged.
        for _ in 0..5 {
            fail(&store, 7, &rules, now);
        }
        assert_eq!(refusal(&store, 7, &rules, now).retry_ms, wait);
        now += wait;
        assert!(admitted(&store, 7, &rules, now));
        wait / 1000
    };
    let lengths = [0, 1, 1, 1, 1, 1, 599, 600, 1200, 1200, 3600].map(&mut penalise);
    assert_eq!(lengths, [60, 120, 240, 480, 600, 600, 600, 600, 600, 600, 60]);
}

#[test]
fn failures_are_counted_in_their_window() {
    let store = Memory::default();
    let rules = rules(100);
    // One in two minutes never makes five in five.
    for number in 0..50 {
        assert_eq!(fail(&store, 7, &rules, T0 + number * 2 * MINUTE_MS), None);
    }
    assert!((0..5).any(|_| fail(&store, 7, &rules, T0 + 100 * MINUTE_MS).is_some()));
}

#[test]
fn after_the_session_a_client_is_a_new_one() {
    let store = Memory::default();
    let say = |turn: u32, at: u64| {
        let turn = Turn { suspicion: Some((turn, 400, 100_000)), session_ms: HOUR_MS, ..Turn::default() };
        sense(&store, 7, &turn, at).unwrap().risk
    };
    assert_eq!(say(1, T0), 400);
    assert!(say(2, T0 + HOUR_MS - 1) > 700);
    assert_eq!(say(3, T0 + 2 * HOUR_MS - 1), 400);
}

#[test]
fn tokens_are_limited_and_corrected() {
    let store = Memory::default();
    let ask = |tokens: u32, at: u64| {
        let turn = Turn { tokens: Some((tokens, 1000)), session_ms: HOUR_MS, ..Turn::default() };
        sense(&store, 7, &turn, at).unwrap()
    };
    assert_eq!((ask(600, T0).too_many_tokens, ask(300, T0).tokens_left), (None, 100));
    let wait = ask(200, T0).too_many_tokens.unwrap();
    assert_eq!(ask(200, T0 + wait).too_many_tokens, None, "after {wait} ms");

    let store = Memory::default();
    let ask = |tokens: u32| {
        let turn = Turn { tokens: Some((tokens, 1000)), session_ms: HOUR_MS, ..Turn::default() };
        sense(&store, 7, &turn, T0).unwrap()
    };
    ask(600);
    correct(&store, 7, 600, 100, T0);
    assert_eq!(ask(0).tokens_left, 900);
    correct(&store, 7, 0, 850, T0);
    assert_eq!(ask(0).tokens_left, 50);
    assert!(ask(51).too_many_tokens.is_some());
    correct(&store, 99, 0, 850, T0);
}

#[test]
fn a_request_larger_than_the_limit_passes_alone() {
    let store = Memory::default();
    let turn = Turn { tokens: Some((5000, 1000)), session_ms: HOUR_MS, ..Turn::default() };
    assert_eq!(sense(&store, 7, &turn, T0).unwrap().too_many_tokens, None);
    assert!(sense(&store, 7, &turn, T0).unwrap().too_many_tokens.is_some());
}

#[test]
fn equal_inputs_and_near_neighbours_are_counted_apart() {
    let store = Memory::default();
    let send = |hash: u32, sketch: u64, at: u64| {
        let input = Input { hash, sketch: Some(sketch) };
        let turn = Turn { input: Some((input, 600)), session_ms: HOUR_MS, ..Turn::default() };
        sense(&store, 7, &turn, at).unwrap().repeats
    };
    assert_eq!(send(1, 0xffff, T0), Repeats { same: 1, near: 0 });
    assert_eq!(send(1, 0xffff, T0), Repeats { same: 2, near: 0 });
    assert_eq!(send(2, 0xff00, T0), Repeats { same: 1, near: 1 });
    assert_eq!(send(3, 0xffff_0000_0000_0000, T0), Repeats { same: 1, near: 0 });
    // Inputs in between do not wash out the one that was repeated.
    let mut number = noise(4);
    for hash in 100..200 {
        send(hash, number(), T0 + 1000);
    }
    assert_eq!(send(1, 0xffff, T0 + 2000), Repeats { same: 3, near: 1 });
    assert_eq!(send(1, 0xffff, T0 + 600_000), Repeats { same: 1, near: 0 }, "another window");
}

#[test]
fn suspicion_adds_up_fades_and_counts_a_turn_once() {
    let store = Memory::default();
    let say = |hash: u32, score: u32, at: u64| {
        let turn = Turn { suspicion: Some((hash, score, 600)), session_ms: HOUR_MS, ..Turn::default() };
        let sensed = sense(&store, 7, &turn, at).unwrap();
        (sensed.risk, sensed.told_before)
    };
    assert_eq!(say(1, 400, T0), (400, false));
    assert_eq!(say(2, 400, T0), (800, false));
    assert_eq!(say(1, 400, T0), (800, true), "sent again");
    assert_eq!(say(3, 100, T0 + 600_000), (500, false));
    assert_eq!(say(4, 0, T0 + 900_000), (375, false));
    assert_eq!(say(5, 7, T0 + 900_000 + 50 * 600_000), (7, false));
    assert_eq!(say(6, 5, T0), (12, false), "a clock that went back adds no time");
}

#[test]
fn earlier_turns_are_known_once_they_were_told() {
    let store = Memory::default();
    let told = |past: [u32; PAST], suspicion: Option<(u32, u32, u32)>| {
        let turn = Turn { past, suspicion, session_ms: HOUR_MS, ..Turn::default() };
        sense(&store, 7, &turn, T0).unwrap().past_told
    };
    assert!(told([0; PAST], None));
    assert!(!told([1, 0, 0, 0], None));
    assert!(told([1, 0, 0, 0], None));
    assert!(!told([1, 2, 0, 0], None));
    assert!(told([2, 1, 0, 0], Some((3, 500, 600))));
    assert!(told([3, 0, 0, 0], None), "as a new turn");
}

#[test]
fn threads_that_collide_lose_no_count() {
    /// A host in whose slots another thread counts between each load and the save that follows.
    struct Busy {
        inner: Memory,
        theirs: Cell<u32>,
        loads: Cell<u32>,
    }
    impl Store for Busy {
        fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
            let loaded = self.inner.load(slot);
            self.loads.set(self.loads.get() + 1);
            if !self.loads.get().is_multiple_of(3) {
                self.theirs.set(self.theirs.get() + 1);
                assert!(admitted(&self.inner, 7, &rules(1000), T0));
            }
            loaded
        }
        fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
            self.inner.save(slot, bytes, version)
        }
    }
    let busy = Busy { inner: Memory::default(), theirs: Cell::new(0), loads: Cell::new(0) };
    for _ in 0..200 {
        assert!(matches!(admit(&busy, 7, &rules(1000), T0), Admission::Admitted { .. }));
    }
    let theirs = usize::try_from(busy.theirs.get()).unwrap();
    assert!(theirs >= 200, "{theirs} collisions");
    assert_eq!(passed(&busy.inner, 7, 1000, 1000, T0), 1000 - 200 - theirs);
}

#[test]
fn records_are_read_as_they_were_written() {
    let mut number = noise(5);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..Sense::BYTES).map(|_| number().to_le_bytes()[0]).collect();
        let sense = Sense::read(&mut Reader(&bytes));
        let mut written = vec![0; Sense::BYTES];
        sense.write(&mut Writer(&mut written));
        assert_eq!(Sense::read(&mut Reader(&written)), sense);
        let pace = Pace::read(&mut Reader(&bytes));
        let mut written = vec![0; Pace::BYTES];
        pace.write(&mut Writer(&mut written));
        assert_eq!(Pace::read(&mut Reader(&written)), pace);
    }
}
