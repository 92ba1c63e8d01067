//! Has messages composed when something is due (see `telling`), and hands over what the outbox holds, each channel by
//! itself.
//!
//! **Once.** Composing a group's message number n and putting it into the outbox is one transaction that n admits
//! once. A row is leased while it is being sent, and settled after. Killed between the server's "250" and the
//! settling, the relay sends that one message again after its next start, under the same id.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    alert::{self, Letter, clean::clean},
    channel::{Channels, Failure, MAX_SAID_CHARS, Message, Receipt},
    clock::{millis, now_ms, steady_ms},
    config::{Channel, Config},
    entropy,
    metrics::{Delivered, Metrics},
    notice,
    store::{self, Claimed, NewNotification, Outcome, Store, StoreError},
    telling::Teller,
};

/// Without being woken, look so often.
const TICK: Duration = Duration::from_millis(250);
/// The receiver that is told when telling others fails.
const ALARM: &str = "alarm";
/// A message that is not taken for so long is reason for the alarm.
const LATE_MS: u64 = 10 * 60 * 1000;
/// Least time between two alarms of a relay.
const ALARM_EVERY_MS: u64 = 3_600_000;
/// Longest time the end waits for messages on their way: nobody else is served meanwhile, be it for a configuration that is
/// read anew.
const DRAIN: Duration = Duration::from_secs(10);
/// Longer than settling can take, beyond what delivering may.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Sends alerts.
pub(crate) struct Dispatcher {
    config: Arc<Config>,
    store: Store,
    channels: Arc<Channels>,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
    /// When the alarm was last raised, by [`steady_ms`].
    alarmed: Arc<AtomicU64>,
    teller: Teller,
}

impl Dispatcher {
    /// Puts the parts together.
    #[must_use]
    pub(crate) fn new(
        config: Arc<Config>,
        store: Store,
        channels: Channels,
        metrics: Arc<Metrics>,
        wake: Arc<Notify>,
    ) -> Self {
        Self {
            config,
            store,
            channels: Arc::new(channels),
            metrics,
            wake,
            alarmed: Arc::default(),
            teller: Teller::new(),
        }
    }

    /// Runs until `stop` turns true; messages on their way are waited for, but not for ever.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut sending = JoinSet::new();
        let mut busy = Vec::new();
        let mut failing = false;
        while !*stop.borrow() {
            let result = match self.teller.round(&self.config, &self.store).await {
                Ok(()) => self.send_due(&mut sending, &mut busy).await,
                Err(e) => Err(e),
            };
            if let Err(e) = &result
                && !failing
            {
                notice::error!("outbox: {e}");
            }
            failing = result.is_err();
            tokio::select! {
                () = self.wake.notified() => {}
                Some(done) = sending.join_next(), if !sending.is_empty() => match done {
                    Ok(channel) => busy.retain(|known| *known != channel),
                    // One that panicked does not say which it was; its row's lease runs out.
                    Err(_) => busy.clear(),
                },
                () = tokio::time::sleep(TICK) => {}
                _ = stop.changed() => {}
            }
        }
        let ending = async { while sending.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ending).await.is_err() {
            notice::warning!("outbox: who did not answer within {DRAIN:?} is sent the message again later");
        }
    }

    /// Starts handing over what is due: one message of each channel at a time, so that a relay that is killed sends no
    /// more than that again, and a channel that stalls holds up no other.
    async fn send_due(
        &self,
        sending: &mut JoinSet<Channel>,
        busy: &mut Vec<Channel>,
    ) -> Result<(), StoreError> {
        let now = now_ms();
        // Claiming is a commit; an idle relay should not make one every tick.
        for channel in self.store.read(move |db| store::due_channels(db, now)).await? {
            if busy.contains(&channel) {
                continue;
            }
            let lease = self.channels.patience() * 2 + LEASE_MARGIN;
            for claimed in self.store.claim(channel, now, lease, 1).await? {
                busy.push(channel);
                let sender = Sender {
                    config: Arc::clone(&self.config),
                    store: self.store.clone(),
                    channels: Arc::clone(&self.channels),
                    metrics: Arc::clone(&self.metrics),
                    alarmed: Arc::clone(&self.alarmed),
                };
                sending.spawn(async move { sender.send(claimed).await });
            }
        }
        Ok(())
    }
}

/// The outbox entry of a letter that is for everybody, such as a test.
pub(crate) fn to_everybody(config: &Config, letter: &Letter) -> NewNotification {
    NewNotification {
        about: None,
        receiver: String::new(),
        // A struct of strings: serialising it cannot fail.
        message: serde_json::to_string(letter).unwrap_or_default(),
        targets: config
            .receivers
            .iter()
            .filter(|receiver| receiver.name != ALARM)
            .flat_map(|receiver| receiver.targets())
            .collect(),
    }
}

/// Hands over one claimed message.
struct Sender {
    config: Arc<Config>,
    store: Store,
    channels: Arc<Channels>,
    metrics: Arc<Metrics>,
    alarmed: Arc<AtomicU64>,
}

impl Sender {
    async fn send(&self, claimed: Claimed) -> Channel {
        let result = self.deliver(&claimed).await;
        let outcome = self.outcome(&claimed, result);
        self.alarm(&claimed, &outcome).await;
        // While the store fails the lease goes on; after it the message is tried again.
        if let Err(e) = self.store.settle(claimed.id, outcome).await {
            notice::error!("outbox: cannot note how message {} went: {e}", claimed.id);
        }
        claimed.channel
    }

    async fn deliver(&self, claimed: &Claimed) -> Result<Receipt, Failure> {
        let Some(channel) = self.channels.to(claimed.channel, &claimed.recipient) else {
            return Err(Failure::Permanent("the configuration no longer has this target".to_owned()));
        };
        let letter: Letter = serde_json::from_str(&claimed.message)
            .map_err(|e| Failure::Permanent(format!("the stored message cannot be read: {e}")))?;
        let (recipient, created_ms) = (claimed.recipient.as_str(), claimed.created_ms);
        channel.deliver(Message { letter: &letter, recipient, created_ms }).await
    }

    /// Tells the receiver named `alarm`, by another channel, that a message is refused or late: once an hour at most.
    async fn alarm(&self, claimed: &Claimed, outcome: &Outcome) {
        let (says, error) = match outcome {
            Outcome::Sent { .. } => return,
            Outcome::Parked { error } => ("is not delivered, and will not be tried again", error),
            Outcome::Retry { error, .. } if now_ms().saturating_sub(claimed.created_ms) >= LATE_MS => {
                ("is not delivered yet", error)
            }
            Outcome::Retry { .. } => return,
        };
        let receiver = self.config.receivers.iter().find(|receiver| receiver.name == ALARM);
        let targets = receiver.iter().flat_map(|receiver| receiver.targets());
        let targets: Vec<_> = targets.filter(|target| target.channel != claimed.channel).collect();
        let (now, steady) = (now_ms(), steady_ms());
        let last = self.alarmed.load(Ordering::Relaxed);
        if targets.is_empty() || claimed.receiver == ALARM || steady.saturating_sub(last) < ALARM_EVERY_MS {
            return;
        }
        self.alarmed.store(steady, Ordering::Relaxed);
        let title = format!("{} does not arrive", claimed.channel.as_str());
        let lead = format!("A message by {} {says}: {error}", place(claimed));
        let (url, domain) = (&self.config.public_url, &self.config.mail.message_id_domain);
        let letter = alert::notice_letter(entropy::uuid(now), &title, &lead, url, domain);
        let message = serde_json::to_string(&letter).unwrap_or_default();
        let notification = NewNotification { about: None, receiver: String::new(), message, targets };
        if let Err(e) = self.store.enqueue(notification).await {
            // The next failure raises it.
            self.alarmed.store(last, Ordering::Relaxed);
            notice::error!("outbox: cannot raise the alarm: {e}");
        }
    }

    fn outcome(&self, claimed: &Claimed, result: Result<Receipt, Failure>) -> Outcome {
        let (now, to) = (now_ms(), place(claimed));
        match result {
            Ok(Receipt(said)) => {
                self.metrics.delivered(claimed.channel, Delivered::Sent);
                notice::info!("{to}: sent: {said}");
                Outcome::Sent { receipt: said }
            }
            Err(Failure::Permanent(error)) => self.park(claimed, clean(&error, MAX_SAID_CHARS)),
            Err(Failure::Temporary { said, after }) => {
                let error = clean(&said, MAX_SAID_CHARS);
                let age = now.saturating_sub(claimed.created_ms);
                if age >= millis(self.config.outbox.give_up_after) {
                    return self.park(claimed, format!("given up: {error}"));
                }
                let wait = self.back_off(claimed.attempts).max(after.map_or(0, millis));
                self.metrics.delivered(claimed.channel, Delivered::Retried);
                notice::warning!(
                    "{to}: failed (attempt {}), next in {}.{:03} s: {error}",
                    claimed.attempts + 1,
                    wait / 1000,
                    wait % 1000
                );
                Outcome::Retry { at_ms: now + wait, error }
            }
        }
    }

    fn park(&self, claimed: &Claimed, error: String) -> Outcome {
        self.metrics.delivered(claimed.channel, Delivered::Parked);
        notice::error!(
            "{} (receiver {}): parked, it will not be tried again: {error}",
            place(claimed),
            claimed.receiver
        );
        Outcome::Parked { error }
    }

    /// Doubling from `retry_min` to `retry_max`, a quarter up or down so that messages do not come back all at once.
    fn back_off(&self, attempts: u64) -> u64 {
        let (min, max) = (millis(self.config.outbox.retry_min), millis(self.config.outbox.retry_max));
        let doubled = min.saturating_mul(1 << attempts.min(32)).min(max);
        doubled - doubled / 4 + entropy::below(doubled / 2 + 1)
    }
}

/// A target as the operator knows it.
fn place(claimed: &Claimed) -> String {
    format!("{} to {}", claimed.channel.as_str(), claimed.recipient)
}
