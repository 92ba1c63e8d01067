//! Composes mails when incidents are due, and sends what the outbox holds.
//!
//! **Once.** Composing an incident's mail number n and putting it into the outbox is one transaction that n admits
//! once. A row is leased while it is being sent, and settled after. Killed between the server's "250" and the
//! settling, the relay sends that one mail again after its next start, under the same `Message-ID`.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    alert::{self, Letter},
    clock::{millis, now_ms},
    config::{Channel, Config},
    entropy,
    incident::Incident,
    mail::{Failure, Mailer},
    metrics::Metrics,
    notice,
    store::{self, Claimed, NewNotification, Outcome, Store, StoreError, Told},
};

/// Without being woken, look so often.
const TICK: Duration = Duration::from_millis(250);
/// Mails on their way at once. One: so a relay that is killed sends no more than one of them again.
const PARALLEL: usize = 1;
/// Incidents composed in one go.
const INCIDENTS: usize = 32;
/// Events read to compose a mail.
const EVENTS: usize = 20;

/// Sends alerts.
pub(crate) struct Dispatcher {
    config: Arc<Config>,
    store: Store,
    mailer: Arc<Mailer>,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
}

impl Dispatcher {
    /// Puts the parts together.
    #[must_use]
    pub(crate) fn new(
        config: Arc<Config>,
        store: Store,
        mailer: Mailer,
        metrics: Arc<Metrics>,
        wake: Arc<Notify>,
    ) -> Self {
        Self { config, store, mailer: Arc::new(mailer), metrics, wake }
    }

    /// Runs until `stop` turns true; mails on their way are waited for.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut sending = JoinSet::new();
        let mut failing = false;
        while !*stop.borrow() {
            let result = match self.compose_due().await {
                Ok(()) => self.send_due(&mut sending).await,
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
                _ = sending.join_next(), if !sending.is_empty() => {}
                () = tokio::time::sleep(TICK) => {}
                _ = stop.changed() => {}
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Puts the mails of incidents that are due into the outbox.
    async fn compose_due(&self) -> Result<(), StoreError> {
        let now = now_ms();
        let due = self
            .store
            .read(move |db| {
                store::due_incidents(db, now, INCIDENTS)?
                    .into_iter()
                    .map(|incident| Ok((store::events_of(db, incident.id, EVENTS)?, incident)))
                    .collect::<Result<Vec<_>, store::DbError>>()
            })
            .await?;
        for (events, incident) in due {
            let letter = alert::compose(
                &incident,
                &events,
                &self.config.public_url,
                &self.config.mail.message_id_domain,
            );
            self.enqueue(&letter, Some(&incident)).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, letter: &Letter, incident: Option<&Incident>) -> Result<(), StoreError> {
        let about = incident.map(|incident| Told {
            incident: incident.id,
            key: incident.key.clone(),
            sequence: incident.notify.sequence,
            count: incident.count,
            severity: incident.severity,
        });
        self.store.enqueue(notification(&self.config, letter, about)).await.map(|_| ())
    }

    /// Starts sending what is due, as far as there is room.
    async fn send_due(&self, sending: &mut JoinSet<()>) -> Result<(), StoreError> {
        while sending.try_join_next().is_some() {}
        let room = PARALLEL.saturating_sub(sending.len());
        let now = now_ms();
        // Claiming is a commit; an idle relay should not make one every tick.
        if room == 0 || !self.store.read(move |db| store::outbox_is_due(db, now)).await? {
            return Ok(());
        }
        for claimed in self.store.claim(now, self.lease(), room).await? {
            let sender = Sender {
                config: Arc::clone(&self.config),
                store: self.store.clone(),
                mailer: Arc::clone(&self.mailer),
                metrics: Arc::clone(&self.metrics),
            };
            sending.spawn(async move { sender.send(claimed).await });
        }
        Ok(())
    }

    /// Longer than sending can take.
    fn lease(&self) -> Duration {
        match &self.config.transport {
            crate::config::Transport::Smtp(smtp) => smtp.timeout * 2 + Duration::from_secs(30),
            crate::config::Transport::Files(_) => Duration::from_secs(60),
        }
    }
}

/// The outbox entry of a letter, for every recipient.
pub(crate) fn notification(config: &Config, letter: &Letter, about: Option<Told>) -> NewNotification {
    NewNotification {
        about,
        // A struct of strings: serialising it cannot fail.
        message: serde_json::to_string(letter).unwrap_or_default(),
        targets: config.receivers.iter().flat_map(|receiver| receiver.targets()).collect(),
    }
}

/// Sends one claimed mail.
struct Sender {
    config: Arc<Config>,
    store: Store,
    mailer: Arc<Mailer>,
    metrics: Arc<Metrics>,
}

impl Sender {
    async fn send(&self, claimed: Claimed) {
        let result = match serde_json::from_str::<Letter>(&claimed.message) {
            Ok(letter) => match claimed.channel {
                Channel::Email => self.mailer.send(&letter, &claimed.recipient, claimed.created_ms).await,
            },
            Err(e) => Err(Failure::Permanent(format!("the stored mail cannot be read: {e}"))),
        };
        let outcome = self.outcome(&claimed, result);
        // While the store fails the lease goes on; after it the mail is tried again.
        if let Err(e) = self.store.settle(claimed.id, outcome).await {
            notice::error!("outbox: cannot note how mail {} went: {e}", claimed.id);
        }
    }

    fn outcome(&self, claimed: &Claimed, result: Result<String, Failure>) -> Outcome {
        let now = now_ms();
        match result {
            Ok(how) => {
                self.metrics.mails_sent.add(1);
                notice::info!("mail: {how}");
                Outcome::Sent
            }
            Err(Failure::Permanent(error)) => self.park(claimed, error),
            Err(Failure::Transient(error)) => {
                let age = now.saturating_sub(claimed.created_ms);
                if age >= millis(self.config.outbox.give_up_after) {
                    return self.park(claimed, format!("given up: {error}"));
                }
                let wait = self.back_off(claimed.attempts);
                self.metrics.mails_retried.add(1);
                notice::warning!(
                    "mail: to {} failed (attempt {}), next in {}.{:03} s: {error}",
                    claimed.recipient,
                    claimed.attempts + 1,
                    wait / 1000,
                    wait % 1000
                );
                Outcome::Retry { at_ms: now + wait, error }
            }
        }
    }

    fn park(&self, claimed: &Claimed, error: String) -> Outcome {
        self.metrics.mails_parked.add(1);
        notice::error!(
            "mail: to {} (receiver {}) is parked, it will not be tried again: {error}",
            claimed.recipient,
            claimed.receiver
        );
        Outcome::Parked { error }
    }

    /// Doubling from `retry_min` to `retry_max`, a quarter up or down so that mails do not come back all at once.
    fn back_off(&self, attempts: u64) -> u64 {
        let (min, max) = (millis(self.config.outbox.retry_min), millis(self.config.outbox.retry_max));
        let doubled = min.saturating_mul(1 << attempts.min(32)).min(max);
        doubled - doubled / 4 + entropy::below(doubled / 2 + 1)
    }
}
