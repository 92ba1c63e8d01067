//! What a client said: tokens, suspicion, the last inputs.

use super::{Change, Reader, Record, Store, TABLE, Writer, pace::MINUTE_MS, update, window::Window};

/// Inputs remembered of a client.
const INPUTS: usize = 6;
/// Suspicious turns remembered of a client.
const TOLD: usize = 8;
/// Bits in which the sketches of near neighbours differ at the most: sketches of 64 bits whose texts share nine features of
/// ten differ in about 9 (Charikar, "Similarity estimation techniques from rounding algorithms", 2002); those of unrelated
/// texts in 32, and in 10 or fewer once in a hundred million pairs.
const NEAR_BITS: u32 = 10;

/// Earlier turns of one request that are looked up.
pub(crate) const PAST: usize = 4;

/// A client's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sense {
    tokens: Window,
    /// Suspicion in thousandths, as it was at `risk_at`, in Unix seconds.
    risk: u32,
    risk_at: u32,
    /// Hashes of suspicious turns, and where the next one goes.
    told: [u32; TOLD],
    told_next: u8,
    inputs: [Remembered; INPUTS],
}

/// An input that was sent, with what was sent again like it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Remembered {
    /// 0: a free place.
    hash: u32,
    sketch: u64,
    /// When its counts began, in Unix seconds.
    since: u32,
    /// How often it was sent.
    seen: u16,
    /// How many near neighbours were sent.
    near: u16,
}

/// One input as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// Equal for equal inputs.
    pub(crate) hash: u32,
    /// Similar for similar inputs; `None` for inputs too short to tell.
    pub(crate) sketch: Option<u64>,
}

/// How often an input and its like were sent within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeats {
    /// This very input, this time included.
    pub(crate) same: u32,
    /// Near neighbours.
    pub(crate) near: u32,
}

/// What a judged request adds to its client's record, and what the policy makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Estimated tokens, and the most in a minute.
    pub(crate) tokens: Option<(u32, u32)>,
    /// The input, and the window in seconds in which it is compared with others.
    pub(crate) input: Option<(Input, u32)>,
    /// The hash of a suspicious turn, its score in thousandths, and the seconds after which half of it is forgotten.
    pub(crate) suspicion: Option<(u32, u32, u32)>,
    /// Hashes of earlier turns that would be refused; 0 for none.
    pub(crate) past: [u32; PAST],
    /// After so many milliseconds of silence a client is a new one.
    pub(crate) session_ms: u64,
}

/// What became of a [`Turn`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sensed {
    /// The request's tokens are too many; a later one has a chance in so many milliseconds. They were not counted.
    pub(crate) too_many_tokens: Option<u64>,
    /// Tokens left in this minute.
    pub(crate) tokens_left: u32,
    /// When all of them are there again if the client keeps silent, in milliseconds.
    pub(crate) tokens_reset_ms: u64,
    pub(crate) repeats: Repeats,
    /// The client's suspicion, this turn's included, in thousandths.
    pub(crate) risk: u32,
    /// Whether this turn had been suspicious before.
    pub(crate) told_before: bool,
    /// Whether all of [`Turn::past`] had been.
    pub(crate) past_told: bool,
}

impl Record for Sense {
    const FIRST_SLOT: u32 = TABLE;
    const BYTES: usize = Window::BYTES + 8 + 4 * TOLD + 4 + 20 * INPUTS;

    fn new() -> Self {
        Self::default()
    }

    fn read(bytes: &mut Reader<'_>) -> Self {
        let (tokens, risk, risk_at) = (Window::read(bytes), bytes.u32(), bytes.u32());
        let told = [(); TOLD].map(|()| bytes.u32());
        let inputs = [(); INPUTS].map(|()| Remembered {
            hash: bytes.u32(),
            sketch: bytes.u64(),
            since: bytes.u32(),
            seen: bytes.u16(),
            near: bytes.u16(),
        });
        Self { tokens, risk, risk_at, told, told_next: bytes.u8(), inputs }
    }

    fn write(&self, bytes: &mut Writer<'_>) {
        self.tokens.write(bytes);
        bytes.u32(self.risk);
        bytes.u32(self.risk_at);
        for hash in self.told {
            bytes.u32(hash);
        }
        for input in &self.inputs {
            bytes.u32(input.hash);
            bytes.u64(input.sketch);
            bytes.u32(input.since);
            bytes.u16(input.seen);
            bytes.u16(input.near);
        }
        bytes.u8(self.told_next);
    }

    fn matters(&self, now_ms: u64) -> bool {
        // Whoever was suspicious in the last ten minutes.
        self.risk > 0 && seconds(now_ms).saturating_sub(self.risk_at) < 600
    }
}

fn seconds(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1000).unwrap_or(u32::MAX)
}

/// Adds a turn to the record of the client with this fingerprint. `None`: the host is too busy.
pub(crate) fn sense(store: &dyn Store, fingerprint: u64, turn: &Turn, now_ms: u64) -> Option<Sensed> {
    update(store, fingerprint, now_ms, |sense: &mut Sense, silent| {
        if silent.is_some_and(|silent| silent >= turn.session_ms) {
            *sense = Sense::default();
        }
        Change::Save(sense.take(turn, now_ms))
    })
}

/// Corrects a client's tokens by what the answer says was used.
pub(crate) fn correct(store: &dyn Store, fingerprint: u64, estimated: u32, used: u32, now_ms: u64) {
    if estimated == used {
        return;
    }
    update(store, fingerprint, now_ms, |sense: &mut Sense, silent| {
        if silent.is_none() {
            return Change::Keep(());
        }
        sense.tokens.roll(MINUTE_MS, now_ms);
        sense.tokens.subtract(estimated.saturating_sub(used));
        sense.tokens.add(used.saturating_sub(estimated));
        Change::Save(())
    });
}

impl Sense {
    fn take(&mut self, turn: &Turn, now_ms: u64) -> Sensed {
        let mut sensed = Sensed::default();
        if let Some((tokens, limit)) = turn.tokens {
            self.tokens.roll(MINUTE_MS, now_ms);
            let used = self.tokens.estimate(MINUTE_MS, now_ms);
            // A request larger than the limit has a chance where nothing else was used: it could never pass else.
            if used > 0 && used + u64::from(tokens) > u64::from(limit) {
                let room = limit.saturating_sub(tokens).max(1);
                sensed.too_many_tokens = Some(self.tokens.retry_ms(room, MINUTE_MS, now_ms));
            } else {
                self.tokens.add(tokens);
            }
            let left = u64::from(limit).saturating_sub(self.tokens.estimate(MINUTE_MS, now_ms));
            sensed.tokens_reset_ms = self.tokens.retry_ms(1, MINUTE_MS, now_ms);
            sensed.tokens_left = u32::try_from(left).unwrap_or(u32::MAX);
        }
        if let Some((input, window)) = turn.input {
            sensed.repeats = self.remember(&input, window, seconds(now_ms));
        }
        if let Some((hash, score, half_life)) = turn.suspicion {
            sensed.told_before = self.told.contains(&hash);
            self.fade(half_life, seconds(now_ms));
            if !sensed.told_before {
                self.risk = self.risk.saturating_add(score);
                self.tell(hash);
            }
            sensed.risk = self.risk;
        }
        sensed.past_told = true;
        for hash in turn.past.into_iter().filter(|hash| *hash != 0) {
            if !self.told.contains(&hash) {
                sensed.past_told = false;
                self.tell(hash);
            }
        }
        sensed
    }

    fn tell(&mut self, hash: u32) {
        if let Some(place) = self.told.get_mut(usize::from(self.told_next) % TOLD) {
            *place = hash;
        }
        self.told_next = self.told_next.wrapping_add(1);
    }

    /// Halves the suspicion for each half-life since it was last looked at, and takes the rest of the time in a line.
    fn fade(&mut self, half_life: u32, now: u32) {
        let half_life = half_life.max(1);
        let elapsed = now.saturating_sub(self.risk_at);
        let halved = u64::from(self.risk.checked_shr(elapsed / half_life).unwrap_or(0));
        let rest = u64::from(elapsed % half_life);
        let faded = halved - halved * rest / (2 * u64::from(half_life));
        self.risk = u32::try_from(faded).unwrap_or(0);
        self.risk_at = now;
    }

    fn remember(&mut self, input: &Input, window: u32, now: u32) -> Repeats {
        for known in &mut self.inputs {
            // What began in the future was written by another clock.
            if now.checked_sub(known.since).is_none_or(|age| age >= window) {
                *known = Remembered::default();
            }
        }
        let is_near = |known: &Remembered| {
            known.sketch != 0
                && input.sketch.is_some_and(|sketch| (known.sketch ^ sketch).count_ones() <= NEAR_BITS)
        };
        let same = self.inputs.iter().position(|known| known.seen > 0 && known.hash == input.hash);
        let near = || self.inputs.iter().position(|known| known.seen > 0 && is_near(known));
        let place = same.or_else(near);
        if let Some(known) = place.and_then(|place| self.inputs.get_mut(place)) {
            if same.is_some() {
                known.seen = known.seen.saturating_add(1);
            } else {
                known.near = known.near.saturating_add(1);
            }
            let seen = if same.is_some() { known.seen } else { 1 };
            return Repeats { same: u32::from(seen), near: u32::from(known.near) };
        }
        // The one with the fewest like it makes room.
        if let Some(least) =
            self.inputs.iter_mut().min_by_key(|known| (known.seen.max(known.near), known.since))
        {
            let sketch = input.sketch.unwrap_or(0);
            *least = Remembered { hash: input.hash, sketch, since: now, seen: 1, near: 0 };
        }
        Repeats { same: 1, near: 0 }
    }
}
