//! Tells a receiver by a channel that was away how much it has not told.

use crate::{
    alert,
    clock::Civil,
    config::Config,
    entropy,
    store::{self, Missed, NewNotification, Store, StoreError},
};

/// Tells by each channel that works again.
pub(super) async fn tell(config: &Config, store: &Store, now: u64) -> Result<(), StoreError> {
    for missed in store.read(store::missed).await? {
        let notification = notification(config, &missed, now);
        store.make_up(missed, notification).await?;
    }
    Ok(())
}

fn notification(config: &Config, missed: &Missed, now: u64) -> NewNotification {
    let Missed { receiver, channel, messages, events, first_ms, last_ms } = missed;
    let title = format!("{messages} messages were not sent by {}", channel.as_str());
    let lead = format!(
        "From {} to {} nothing arrived by {} and the hourly limit was reached, so {messages} further messages to {receiver}, \
         with {events} events that were not told before, went by the other channels only. The list of incidents has all of \
         them.",
        Civil::of(*first_ms).human(),
        Civil::of(*last_ms).human(),
        channel.as_str()
    );
    let domain = &config.mail.message_id_domain;
    let letter = alert::notice_letter(entropy::uuid(now), &title, &lead, &config.public_url, domain);
    let known = config.receivers.iter().find(|known| known.name == *receiver);
    let targets = known.into_iter().flat_map(|known| known.targets());
    NewNotification {
        about: None,
        receiver: receiver.clone(),
        // A struct of strings: serialising it cannot fail.
        message: serde_json::to_string(&letter).unwrap_or_default(),
        targets: targets.filter(|target| target.channel == *channel).collect(),
    }
}
