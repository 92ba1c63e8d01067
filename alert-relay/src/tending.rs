//! What needs doing when nobody asks: incidents that have been quiet end, stored events become searchable, counts are
//! summed.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock::{millis, now_ms, steady_ms},
    config::Config,
    incident::Change,
    notice,
    store::{self, ChangeOf, Store, StoreError},
};

/// Between two looks while there is nothing to do.
const EVERY: Duration = Duration::from_millis(500);
/// Between two steps others have the writer.
const PAUSE: Duration = Duration::from_millis(5);
/// The same while events wait for it.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
/// Events made searchable in one step: some ten milliseconds of the writer's time.
const EVENTS: usize = 250;
/// Counts summed in one step.
const COUNTS: usize = 2000;
/// Incidents ended in one step.
const INCIDENTS: usize = 100;
/// Incidents are looked at so often.
const INCIDENTS_EVERY: Duration = Duration::from_secs(5);
/// The name of the search among the leases; of several relays on one database one does it.
const LEASE: &str = "search";
/// For how long it is taken.
const LEASE_LASTS: Duration = Duration::from_secs(30);

/// Runs until `stop` turns true.
pub(crate) async fn run(config: Arc<Config>, store: Store, mut stop: watch::Receiver<bool>) {
    if let Err(e) = store.read(store::read_ahead).await {
        notice::warning!("tending: {e}");
    }
    let mut looked_ms = 0;
    let mut leased_ms = 0;
    let mut failing = false;
    while !*stop.borrow() {
        let now = steady_ms();
        let mut result = Ok(0);
        if now.saturating_sub(looked_ms) >= millis(INCIDENTS_EVERY) {
            looked_ms = now;
            result = settle_quiet(&config, &store).await;
        }
        let done = match result {
            Ok(_) => step(&store, &mut leased_ms, now).await,
            Err(e) => Err(e),
        };
        let pause = match done {
            // Whoever waits for an acknowledgement comes first.
            Ok(1..) if store.queued_bytes() > 0 => BUSY_PAUSE,
            Ok(1..) => PAUSE,
            _ => EVERY,
        };
        match done {
            Err(StoreError::Closed) => return,
            Err(e) if !failing => {
                failing = true;
                notice::warning!("tending: {e}");
            }
            Err(_) => {}
            Ok(_) => failing = false,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Resolves what has been quiet for the window; how many.
async fn settle_quiet(config: &Config, store: &Store) -> Result<u64, StoreError> {
    let mut settled = 0;
    loop {
        let before = now_ms().saturating_sub(millis(config.alerts.incident_window));
        let quiet = store.read(move |db| store::quiet_incidents(db, before, INCIDENTS)).await?;
        if quiet.is_empty() {
            return Ok(settled);
        }
        let changes = quiet
            .into_iter()
            .map(|(id, key)| {
                let text = "quiet for the whole window".to_owned();
                ChangeOf { id, key, change: Change::Settle, by: None, text }
            })
            .collect();
        let changed = store.change(changes).await?.iter().flatten().filter(|one| one.changed).count();
        if changed == 0 {
            return Ok(settled);
        }
        settled += changed as u64;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes some further events searchable and sums some further minutes; how many. `now` is by [`steady_ms`].
async fn step(store: &Store, leased_ms: &mut u64, now: u64) -> Result<u64, StoreError> {
    let moment = now_ms();
    let (lag, sums) =
        store.read(move |db| Ok((store::search_lag(db)?, store::sums_are_due(db, moment)?))).await?;
    if lag == 0 && !sums {
        return Ok(0);
    }
    if now.saturating_sub(*leased_ms) >= millis(LEASE_LASTS) / 2 {
        if !store.take_lease(LEASE, LEASE_LASTS).await? {
            return Ok(0);
        }
        *leased_ms = now;
    }
    let summed = if sums { store.sum(COUNTS).await? } else { 0 };
    let indexed = if lag > 0 { store.index(EVENTS).await? } else { 0 };
    Ok(indexed + summed)
}
