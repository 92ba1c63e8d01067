//! How often a client asks and fails, and what that brings upon it.

use super::{Change, Reader, Record, Store, Writer, update, window::Window};

/// The window of requests and tokens.
pub(crate) const MINUTE_MS: u64 = 60_000;
/// Requests under way are counted by the stretch of time in which they began; those that began before the stretch before
/// this one are forgotten. So what a crash left open is gone after 10 to 20 minutes, and no answer streams for so long.
const STRETCH_MS: u64 = 600_000;

/// What the policy allows, in the units that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaceRules {
    pub(crate) requests_per_minute: u32,
    pub(crate) burst: u32,
    pub(crate) min_interval_ms: u32,
    pub(crate) concurrent: Option<u32>,
    pub(crate) failures: u32,
    pub(crate) failure_window_ms: u64,
    pub(crate) failures_penalised: bool,
    pub(crate) penalty_s: u32,
    pub(crate) max_penalty_s: u32,
    pub(crate) penalty_decay_s: u32,
    pub(crate) session_ms: u64,
}

impl PaceRules {
    /// No limits at all.
    pub(crate) const NONE: Self = Self {
        requests_per_minute: u32::MAX,
        burst: u32::MAX,
        min_interval_ms: 0,
        concurrent: None,
        failures: u32::MAX,
        failure_window_ms: MINUTE_MS,
        failures_penalised: false,
        penalty_s: 0,
        max_penalty_s: 1,
        penalty_decay_s: 1,
        session_ms: u64::MAX,
    };
}

/// What a client was held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Requests in a minute.
    Requests,
    /// The time between two requests.
    Interval,
    /// Requests under way.
    Concurrent,
    /// A penalty that is not over.
    Penalty,
}

impl Limit {
    const ALL: [Self; 4] = [Self::Requests, Self::Interval, Self::Concurrent, Self::Penalty];

    /// Its number where it crosses to another ledger.
    pub(crate) fn number(self) -> u8 {
        Self::ALL.iter().zip(0..).find(|(limit, _)| **limit == self).map_or(0, |(_, number)| number)
    }

    /// The limit of this number.
    pub(crate) fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A request that its client may not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: Limit,
    /// How many were refused in this minute, this one included.
    pub(crate) refused: u32,
    /// When the next one has a chance, in milliseconds from now.
    pub(crate) retry_ms: u64,
    /// Whether a penalty begins with it.
    pub(crate) penalised: bool,
}

/// How a client stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests left.
    pub(crate) remaining: u32,
    /// When all of them are there again if the client keeps silent, in milliseconds.
    pub(crate) reset_ms: u64,
}

/// Whether a request is within its client's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is; `stretch` names the time under which it is counted as under way.
    Admitted { standing: Standing, stretch: Option<u32> },
    /// It is not.
    Refused(Refusal),
    /// Too many threads wanted the slot; the request passes without being counted.
    Uncounted,
}

/// A client's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    requests: Window,
    /// Refusals of this minute.
    refused: u32,
    /// Refusals in the last 60 seconds since the last penalty.
    over: Window,
    failures: Window,
    /// Until when a penalty lasts, in Unix seconds; it stays when the penalty is over, to tell how long ago it was.
    penalty_until: u32,
    /// How often the penalty was doubled, and one more; 0 without one.
    penalty_level: u8,
    /// The stretch in which `open` began.
    stretch: u32,
    open: u16,
    open_before: u16,
    /// The lowest 32 bits of the moment of the last admitted request.
    admitted_ms: u32,
}

impl Record for Pace {
    const FIRST_SLOT: u32 = 0;
    const BYTES: usize = 3 * Window::BYTES + 24;

    fn new() -> Self {
        Self::default()
    }

    fn read(bytes: &mut Reader<'_>) -> Self {
        Self {
            requests: Window::read(bytes),
            over: Window::read(bytes),
            failures: Window::read(bytes),
            refused: bytes.u32(),
            penalty_until: bytes.u32(),
            stretch: bytes.u32(),
            open: bytes.u16(),
            open_before: bytes.u16(),
            admitted_ms: bytes.u32(),
            penalty_level: bytes.u8(),
        }
    }

    fn write(&self, bytes: &mut Writer<'_>) {
        self.requests.write(bytes);
        self.over.write(bytes);
        self.failures.write(bytes);
        for number in [self.refused, self.penalty_until, self.stretch] {
            bytes.u32(number);
        }
        bytes.u16(self.open);
        bytes.u16(self.open_before);
        bytes.u32(self.admitted_ms);
        bytes.u8(self.penalty_level);
    }

    fn matters(&self, now_ms: u64) -> bool {
        self.penalty_until > seconds(now_ms)
    }
}

fn seconds(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1000).unwrap_or(u32::MAX)
}

/// Counts a request of the client with this fingerprint.
#[cfg(test)]
pub(crate) fn admit(store: &dyn Store, fingerprint: u64, rules: &PaceRules, now_ms: u64) -> Admission {
    admit_and_lease(store, fingerprint, rules, 0, now_ms).0
}

/// Counts a request of the client with this fingerprint, and up to `wanted` further ones that the client may make without asking: only for a client that has used
/// less than half of what it may and whose requests are held to nothing else, and few enough that those who ask elsewhere
/// find the rest. They are counted now, so no limit is exceeded by them; [`give_back`] takes back what was not used.
pub(crate) fn admit_and_lease(
    store: &dyn Store,
    fingerprint: u64,
    rules: &PaceRules,
    wanted: u16,
    now_ms: u64,
) -> (Admission, u16) {
    update(store, fingerprint, now_ms, |pace: &mut Pace, silent| {
        pace.settle(rules, silent, now_ms);
        let admission = pace.admit(rules, now_ms);
        let leased = if matches!(admission, Admission::Admitted { .. }) {
            pace.lease(rules, wanted, now_ms)
        } else {
            0
        };
        Change::Save((admission, leased))
    })
    .unwrap_or((Admission::Uncounted, 0))
}

/// Takes back requests that were leased and not made.
pub(crate) fn give_back(store: &dyn Store, fingerprint: u64, requests: u32, now_ms: u64) {
    update(store, fingerprint, now_ms, |pace: &mut Pace, silent| {
        if silent.is_none() {
            return Change::Keep(());
        }
        pace.requests.roll(MINUTE_MS, now_ms);
        pace.requests.subtract(requests);
        Change::Save(())
    });
}

/// Counts a refusal that has nothing to do with limits, and tells how many there were in this minute.
pub(crate) fn count_refusal(store: &dyn Store, fingerprint: u64, now_ms: u64) -> u32 {
    update(store, fingerprint, now_ms, |pace: &mut Pace, _| {
        if pace.requests.roll(MINUTE_MS, now_ms) {
            pace.refused = 0;
        }
        pace.refused = pace.refused.saturating_add(1);
        Change::Save(pace.refused)
    })
    .unwrap_or(0)
}

/// A request is over that was counted as under way in `stretch`.
pub(crate) fn leave(store: &dyn Store, fingerprint: u64, stretch: u32, now_ms: u64) {
    update(store, fingerprint, now_ms, |pace: &mut Pace, silent| {
        match silent {
            // The record went to another client meanwhile.
            None => Change::Keep(()),
            Some(_) => {
                pace.leave(stretch, now_ms);
                Change::Save(())
            }
        }
    });
}

/// Counts a failed attempt. `Some`: it is one too many, and a penalty begins where the rules say so.
pub(crate) fn fail(store: &dyn Store, fingerprint: u64, rules: &PaceRules, now_ms: u64) -> Option<u32> {
    update(store, fingerprint, now_ms, |pace: &mut Pace, silent| {
        pace.settle(rules, silent, now_ms);
        Change::Save(pace.fail(rules, now_ms))
    })
    .flatten()
}

impl Pace {
    /// Brings the record up to this moment.
    fn settle(&mut self, rules: &PaceRules, silent: Option<u64>, now_ms: u64) {
        let now = seconds(now_ms);
        // A penalty never begins further ahead than the longest one: what says so was written by another clock.
        if self.penalty_until > now.saturating_add(rules.max_penalty_s.max(rules.penalty_s)) {
            (self.penalty_until, self.penalty_level) = (0, 0);
        }
        if silent.is_some_and(|silent| silent >= rules.session_ms) && self.penalty_until <= now {
            *self = Self::default();
        }
        if self.requests.roll(MINUTE_MS, now_ms) {
            self.refused = 0;
        }
        self.over.roll(MINUTE_MS, now_ms);
        self.failures.roll(rules.failure_window_ms, now_ms);
        self.roll_open(now_ms);
    }

    fn roll_open(&mut self, now_ms: u64) {
        let stretch = u32::try_from(now_ms / STRETCH_MS).unwrap_or(u32::MAX);
        // As with windows: a clock a little behind counts where the other does.
        if stretch != self.stretch && stretch.saturating_add(1) != self.stretch {
            self.open_before = if self.stretch.checked_add(1) == Some(stretch) { self.open } else { 0 };
            (self.stretch, self.open) = (stretch, 0);
        }
    }

    fn admit(&mut self, rules: &PaceRules, now_ms: u64) -> Admission {
        match self.refusal(rules, now_ms) {
            Some((limit, retry_ms)) => Admission::Refused(self.refuse(limit, retry_ms, rules, now_ms)),
            None => {
                self.requests.add(1);
                self.admitted_ms = low_bits(now_ms);
                let stretch = rules.concurrent.map(|_| {
                    self.open = self.open.saturating_add(1);
                    self.stretch
                });
                Admission::Admitted { standing: self.standing(rules, now_ms), stretch }
            }
        }
    }

    fn lease(&mut self, rules: &PaceRules, wanted: u16, now_ms: u64) -> u16 {
        let used = self.requests.estimate(MINUTE_MS, now_ms);
        let most = u64::from(rules.requests_per_minute);
        let is_far = used * 2 < most && rules.min_interval_ms == 0 && rules.concurrent.is_none();
        // A client that asked for little does not need any.
        let share = if is_far { (most / LEASE_SHARE).min(used) } else { 0 };
        let leased = wanted.min(u16::try_from(share).unwrap_or(u16::MAX));
        self.requests.add(u32::from(leased));
        leased
    }

    /// What this request is refused for, and when the next one has a chance.
    fn refusal(&self, rules: &PaceRules, now_ms: u64) -> Option<(Limit, u64)> {
        let penalty_ms = (u64::from(self.penalty_until) * 1000).saturating_sub(now_ms);
        let is_full = self.requests.estimate(MINUTE_MS, now_ms) >= u64::from(rules.requests_per_minute);
        let full_ms =
            if is_full { self.requests.retry_ms(rules.requests_per_minute, MINUTE_MS, now_ms) } else { 0 };
        if penalty_ms > 0 {
            return Some((Limit::Penalty, penalty_ms.max(full_ms)));
        }
        if is_full {
            return Some((Limit::Requests, full_ms));
        }
        let since = low_bits(now_ms).wrapping_sub(self.admitted_ms);
        if self.admitted_ms != 0 && since < rules.min_interval_ms {
            return Some((Limit::Interval, u64::from(rules.min_interval_ms - since)));
        }
        let open = u32::from(self.open) + u32::from(self.open_before);
        let full = rules.concurrent.is_some_and(|most| open >= most);
        full.then_some((Limit::Concurrent, CONCURRENT_RETRY_MS))
    }

    fn refuse(&mut self, limit: Limit, retry_ms: u64, rules: &PaceRules, now_ms: u64) -> Refusal {
        self.refused = self.refused.saturating_add(1);
        let mut refusal = Refusal { limit, refused: self.refused, retry_ms, penalised: false };
        if limit != Limit::Penalty {
            self.over.add(1);
            let over = self.over.estimate(MINUTE_MS, now_ms) > u64::from(rules.burst);
            if over && self.penalise(rules, now_ms) {
                self.over = Window::default();
                let penalty_ms = (u64::from(self.penalty_until) * 1000).saturating_sub(now_ms);
                refusal = Refusal { penalised: true, retry_ms: retry_ms.max(penalty_ms), ..refusal };
            }
        }
        refusal
    }

    /// Begins a penalty. `false`: there are none, or one is under way.
    fn penalise(&mut self, rules: &PaceRules, now_ms: u64) -> bool {
        let now = seconds(now_ms);
        if rules.penalty_s == 0 || self.penalty_until > now {
            return false;
        }
        let quiet = now.saturating_sub(self.penalty_until) / rules.penalty_decay_s.max(1);
        let level = u32::from(self.penalty_level).saturating_sub(quiet).min(MAX_LEVEL);
        let length = rules.penalty_s.saturating_mul(1 << level).min(rules.max_penalty_s);
        self.penalty_level = u8::try_from(level + 1).unwrap_or(u8::MAX);
        self.penalty_until = now.saturating_add(length);
        true
    }

    fn fail(&mut self, rules: &PaceRules, now_ms: u64) -> Option<u32> {
        self.failures.add(1);
        let failures = self.failures.estimate(rules.failure_window_ms, now_ms);
        if failures < u64::from(rules.failures) {
            return None;
        }
        self.failures = Window::default();
        if rules.failures_penalised {
            self.penalise(rules, now_ms);
        }
        u32::try_from(failures).ok()
    }

    fn leave(&mut self, stretch: u32, now_ms: u64) {
        self.roll_open(now_ms);
        if stretch == self.stretch {
            self.open = self.open.saturating_sub(1);
        } else if stretch.checked_add(1) == Some(self.stretch) {
            self.open_before = self.open_before.saturating_sub(1);
        }
    }

    fn standing(&self, rules: &PaceRules, now_ms: u64) -> Standing {
        let used = self.requests.estimate(MINUTE_MS, now_ms);
        let remaining = u64::from(rules.requests_per_minute).saturating_sub(used);
        Standing {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset_ms: self.requests.retry_ms(1, MINUTE_MS, now_ms),
        }
    }
}

/// What part of its requests in a minute a client is granted at once.
const LEASE_SHARE: u64 = 16;
/// Doublings of a penalty; the longest one is reached before.
const MAX_LEVEL: u32 = 16;
/// When a client with too many requests under way should try again: nobody knows when one ends.
const CONCURRENT_RETRY_MS: u64 = 1000;

/// The lowest 32 bits of a moment; intervals of up to 49 days can be told by them. 0 stands for none.
fn low_bits(now_ms: u64) -> u32 {
    u32::try_from(now_ms & u64::from(u32::MAX)).unwrap_or(0).max(1)
}
