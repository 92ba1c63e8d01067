//! What crosses to a ledger that is kept somewhere else, and what comes back: fixed layouts, little-endian, a version in
//! front. Bytes of any other version, length or content are refused; the two ends may be of different builds for a moment.
//!
//! | message | layout |
//! |---|---|
//! | [`Ask`] | version, flags (1: count a refusal, 2: admit, 4: send the record), `u16` requests that may be leased, `u64` fingerprint, [`PaceRules`] |
//! | [`Answer`] | version, what (0 uncounted, 1 admitted, 2 refused, 3 not asked), limit, penalised, `u32` refusals counted, `u32` remaining or refused, `u64` reset or retry, `u32` stretch and one more (0: none), `u16` leased, then the client's record or nothing |
//! | [`Operation`] | version, which, `u64` fingerprint, its numbers; any number of them one behind the other |

use alloc::vec::Vec;

use super::{
    Admission, HEAD, Input, Limit, PaceRules, Reader, Record as _, Refusal, Standing, Store, Turn, correct,
    count_refusal, fail, leave, pace, record_of, sense, sense::Sense,
};

/// The layout's version.
const VERSION: u8 = 1;
/// An [`Ask`] in bytes.
const ASK: usize = 12 + RULES;
const RULES: usize = 49;
/// An [`Answer`] without a record.
const ANSWER: usize = 26;
/// The client's record in an [`Answer`].
const RECORD: usize = HEAD + Sense::BYTES;
/// Operations in one message at the most: what an isolate collects within a moment is far less.
const MAX_OPERATIONS: usize = 1024;
/// The longest window and the longest penalty that a policy may name.
const WEEK_S: u32 = 7 * 86_400;

/// What a request's head asks of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub(crate) fingerprint: u64,
    /// Whether a refusal is to be counted that has nothing to do with limits.
    pub(crate) refuse: bool,
    /// Whether it is to be admitted, by these rules.
    pub(crate) rules: Option<PaceRules>,
    /// Whether what the client said before is needed.
    pub(crate) record: bool,
    /// Further requests that may be granted at once.
    pub(crate) lease: u16,
}

/// What the ledger says to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Refusals of this minute that have nothing to do with limits; 0 where none was counted.
    pub(crate) refusals: u32,
    /// Nothing where that was not asked.
    pub(crate) admission: Option<Admission>,
    /// Further requests that were counted, and that may be made without asking.
    pub(crate) leased: u16,
    /// The client's record; empty where there is none.
    pub(crate) record: Vec<u8>,
}

/// What a request adds to the ledger afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// What its body holds.
    Sense(Turn),
    /// Its tokens, as the answer tells them.
    Correct { estimated: u32, used: u32 },
    /// It is not under way any more.
    Leave { stretch: u32 },
    /// It failed. The only one that has a reply.
    Fail(PaceRules),
    /// Requests that were leased and not made.
    Return { requests: u32 },
}

impl Ask {
    /// Whose record it is about.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether a request that was leased before may do in its place.
    #[must_use]
    pub const fn takes_lease(&self) -> bool {
        self.lease > 0
    }

    /// As it crosses.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let flags = u8::from(self.refuse) | u8::from(self.rules.is_some()) << 1 | u8::from(self.record) << 2;
        let mut bytes = Vec::with_capacity(ASK);
        bytes.extend([VERSION, flags]);
        bytes.extend(self.lease.to_le_bytes());
        bytes.extend(self.fingerprint.to_le_bytes());
        write_rules(&mut bytes, self.rules.as_ref().unwrap_or(&PaceRules::NONE));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = exactly(bytes, ASK)?;
        let flags = reader.u8();
        let (lease, fingerprint) = (reader.u16(), reader.u64());
        let rules = read_rules(&mut reader)?;
        (flags < 8).then_some(Self {
            fingerprint,
            refuse: flags & 1 != 0,
            rules: (flags & 2 != 0).then_some(rules),
            record: flags & 4 != 0,
            lease,
        })
    }

    /// What the ledger in this store says.
    pub fn answer(&self, store: &dyn Store, now_ms: u64) -> Answer {
        let mut answer = Answer { refusals: 0, admission: None, leased: 0, record: Vec::new() };
        if self.refuse {
            answer.refusals = count_refusal(store, self.fingerprint, now_ms);
        }
        if let Some(rules) = &self.rules {
            let (admission, leased) =
                pace::admit_and_lease(store, self.fingerprint, rules, self.lease, now_ms);
            answer.admission = Some(admission);
            answer.leased = leased;
            if self.record && matches!(admission, Admission::Admitted { .. }) {
                answer.record = record_of::<Sense>(store, self.fingerprint);
            }
        }
        answer
    }
}

impl Answer {
    /// As it crosses.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ANSWER + self.record.len());
        let (what, limit, penalised, count, ms, stretch) = match self.admission {
            Some(Admission::Uncounted) => (0, 0, false, 0, 0, None),
            Some(Admission::Admitted { standing, stretch }) => {
                (1, 0, false, standing.remaining, standing.reset_ms, stretch)
            }
            Some(Admission::Refused(refusal)) => {
                (2, refusal.limit.number(), refusal.penalised, refusal.refused, refusal.retry_ms, None)
            }
            None => (3, 0, false, 0, 0, None),
        };
        bytes.extend([VERSION, what, limit, u8::from(penalised)]);
        bytes.extend(self.refusals.to_le_bytes());
        bytes.extend(u32::to_le_bytes(count));
        bytes.extend(u64::to_le_bytes(ms));
        bytes.extend(stretch.map_or(0, |stretch: u32| stretch.saturating_add(1)).to_le_bytes());
        bytes.extend(self.leased.to_le_bytes());
        bytes.extend(&self.record);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, record) = bytes.split_at_checked(ANSWER)?;
        let mut reader = exactly(head, ANSWER)?;
        let (what, limit, penalised) = (reader.u8(), reader.u8(), reader.u8());
        let (refusals, count, ms) = (reader.u32(), reader.u32(), reader.u64());
        let (stretch, leased) = (reader.u32().checked_sub(1), reader.u16());
        let admission = match what {
            0 => Some(Admission::Uncounted),
            1 => Some(Admission::Admitted { standing: Standing { remaining: count, reset_ms: ms }, stretch }),
            2 => Some(Admission::Refused(Refusal {
                limit: Limit::numbered(limit)?,
                refused: count,
                retry_ms: ms,
                penalised: penalised == 1,
            })),
            3 => None,
            _ => return None,
        };
        let is_whole = penalised <= 1 && (record.is_empty() || record.len() == RECORD);
        is_whole.then(|| Self { refusals, admission, leased, record: record.into() })
    }

    /// Further requests that its client may make without asking.
    #[must_use]
    pub const fn leased(&self) -> u16 {
        self.leased
    }

    /// What a request is told that was leased with this answer. `record`: the client's, as the requests since made it.
    #[must_use]
    pub fn to_leased(&self, record: Vec<u8>) -> Self {
        Self { refusals: 0, admission: self.admission, leased: 0, record }
    }

    /// A refusal by somebody who only tells that a client's requests are too many, and over which time.
    #[must_use]
    pub const fn refusal(retry_ms: u64) -> Self {
        let refusal = Refusal { limit: Limit::Requests, refused: 1, retry_ms, penalised: false };
        Self { refusals: 0, admission: Some(Admission::Refused(refusal)), leased: 0, record: Vec::new() }
    }
}

impl Operation {
    /// Writes it behind others.
    pub(crate) fn write(&self, fingerprint: u64, bytes: &mut Vec<u8>) {
        let which = match self {
            Self::Sense(_) => 1,
            Self::Correct { .. } => 2,
            Self::Leave { .. } => 3,
            Self::Fail(_) => 4,
            Self::Return { .. } => 5,
        };
        bytes.extend([VERSION, which]);
        bytes.extend(fingerprint.to_le_bytes());
        match self {
            Self::Sense(turn) => write_turn(bytes, turn),
            Self::Correct { estimated, used } => {
                bytes.extend(estimated.to_le_bytes());
                bytes.extend(used.to_le_bytes());
            }
            Self::Leave { stretch: number } | Self::Return { requests: number } => {
                bytes.extend(number.to_le_bytes());
            }
            Self::Fail(rules) => write_rules(bytes, rules),
        }
    }

    /// Takes one from the front.
    fn read(bytes: &[u8]) -> Option<(u64, Self, &[u8])> {
        let which = *bytes.get(1)?;
        let length = match which {
            1 => TURN,
            2 => 8,
            3 | 5 => 4,
            4 => RULES,
            _ => return None,
        };
        let (head, rest) = bytes.split_at_checked(10 + length)?;
        let mut reader = exactly(head, 10 + length)?;
        reader.u8();
        let fingerprint = reader.u64();
        let operation = match which {
            1 => Self::Sense(read_turn(&mut reader)?),
            2 => Self::Correct { estimated: reader.u32(), used: reader.u32() },
            3 => Self::Leave { stretch: reader.u32() },
            4 => Self::Fail(read_rules(&mut reader)?),
            _ => Self::Return { requests: reader.u32() },
        };
        Some((fingerprint, operation, rest))
    }
}

/// What tells a ledger that is kept elsewhere that requests were leased and not made, in the bytes that [`operate`] takes.
#[must_use]
pub fn give_back(fingerprint: u64, requests: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    Operation::Return { requests }.write(fingerprint, &mut bytes);
    bytes
}

/// Carries out what requests add to the ledger in this store. The reply holds four bytes for each that failed: how many
/// failures make it one too many, 0 if it is not.
///
/// `None`: the bytes are not what guards write. Nothing of them was carried out.
pub fn operate(bytes: &[u8], store: &dyn Store, now_ms: u64) -> Option<Vec<u8>> {
    let mut operations = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (fingerprint, operation, behind) = Operation::read(rest)?;
        if operations.len() >= MAX_OPERATIONS {
            return None;
        }
        operations.push((fingerprint, operation));
        rest = behind;
    }
    let mut reply = Vec::new();
    for (fingerprint, operation) in operations {
        match operation {
            Operation::Sense(turn) => drop(sense(store, fingerprint, &turn, now_ms)),
            Operation::Correct { estimated, used } => correct(store, fingerprint, estimated, used, now_ms),
            Operation::Leave { stretch } => leave(store, fingerprint, stretch, now_ms),
            Operation::Return { requests } => pace::give_back(store, fingerprint, requests, now_ms),
            Operation::Fail(rules) => {
                let failures = fail(store, fingerprint, &rules, now_ms).unwrap_or(0);
                reply.extend(failures.to_le_bytes());
            }
        }
    }
    Some(reply)
}

/// The reader of a message of this length and version, behind the version.
fn exactly(bytes: &[u8], length: usize) -> Option<Reader<'_>> {
    let (version, rest) = bytes.split_first()?;
    (bytes.len() == length && *version == VERSION).then_some(Reader(rest))
}

fn write_rules(bytes: &mut Vec<u8>, rules: &PaceRules) {
    let numbers = [
        rules.requests_per_minute,
        rules.burst,
        rules.min_interval_ms,
        rules.concurrent.unwrap_or(u32::MAX),
        rules.failures,
        rules.penalty_s,
        rules.max_penalty_s,
        rules.penalty_decay_s,
    ];
    numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(rules.failure_window_ms.to_le_bytes());
    bytes.extend(rules.session_ms.to_le_bytes());
    bytes.push(u8::from(rules.failures_penalised));
}

/// Rules that no policy can have are refused: what is counted by them would be of no use to the others.
fn read_rules(reader: &mut Reader<'_>) -> Option<PaceRules> {
    let [
        requests_per_minute,
        burst,
        min_interval_ms,
        concurrent,
        failures,
        penalty_s,
        max_penalty_s,
        penalty_decay_s,
    ] = [(); 8].map(|()| reader.u32());
    let (failure_window_ms, session_ms, failures_penalised) = (reader.u64(), reader.u64(), reader.u8());
    let are_sound = requests_per_minute > 0
        && failures > 0
        && (1..=u64::from(WEEK_S) * 1000).contains(&failure_window_ms)
        && penalty_s.max(max_penalty_s) <= WEEK_S
        && session_ms > 0
        && failures_penalised <= 1;
    are_sound.then_some(PaceRules {
        requests_per_minute,
        burst,
        min_interval_ms,
        concurrent: (concurrent != u32::MAX).then_some(concurrent),
        failures,
        failure_window_ms,
        failures_penalised: failures_penalised == 1,
        penalty_s,
        max_penalty_s,
        penalty_decay_s,
        session_ms,
    })
}

/// A [`Turn`] in bytes: flags (1: tokens, 2: input, 4: sketch, 8: suspicion), then all numbers.
const TURN: usize = 1 + 8 + 16 + 12 + 16 + 8;

fn write_turn(bytes: &mut Vec<u8>, turn: &Turn) {
    let sketch = turn.input.and_then(|(input, _)| input.sketch);
    let flags = u8::from(turn.tokens.is_some())
        | u8::from(turn.input.is_some()) << 1
        | u8::from(sketch.is_some()) << 2
        | u8::from(turn.suspicion.is_some()) << 3;
    let (tokens, most) = turn.tokens.unwrap_or_default();
    let (hash, window) = turn.input.map_or((0, 0), |(input, window)| (input.hash, window));
    let (told, score, half_life) = turn.suspicion.unwrap_or_default();
    bytes.push(flags);
    for number in [tokens, most, hash, window] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(sketch.unwrap_or(0).to_le_bytes());
    for number in [told, score, half_life].iter().chain(&turn.past) {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(turn.session_ms.to_le_bytes());
}

fn read_turn(reader: &mut Reader<'_>) -> Option<Turn> {
    let flags = reader.u8();
    let [tokens, most, hash, window] = [(); 4].map(|()| reader.u32());
    let sketch = reader.u64();
    let [told, score, half_life] = [(); 3].map(|()| reader.u32());
    let past = [(); super::PAST].map(|()| reader.u32());
    let session_ms = reader.u64();
    let has = |flag: u8| flags & flag != 0;
    let input = Input { hash, sketch: has(4).then_some(sketch) };
    (flags < 16 && session_ms > 0).then_some(Turn {
        tokens: has(1).then_some((tokens, most)),
        input: has(2).then_some((input, window)),
        suspicion: has(8).then_some((told, score, half_life)),
        past,
        session_ms,
    })
}

#[cfg(test)]
mod tests;
