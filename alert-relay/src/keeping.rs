//! Deletes what has been kept long enough. Of several relays on one database one does it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock::{millis, now_ms},
    config::{Config, Retention},
    notice,
    store::{self, Class, Store, StoreError},
};

/// Rows deleted in one step: some milliseconds of the writer's time.
const STEP: usize = 500;
/// Between two steps others have the writer.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two rounds.
const EVERY: Duration = Duration::from_secs(600);
/// The name of the work among the leases.
const LEASE: &str = "retention";

/// Runs until `stop` turns true.
pub(crate) async fn run(config: Arc<Config>, store: Store, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match round(&config.retention, &store, &stop).await {
            Ok(0) => {}
            Ok(deleted) => notice::info!("retention: {deleted} rows were old enough to be deleted"),
            Err(StoreError::Closed) => return,
            Err(e) => notice::warning!("retention: {e}"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// All classes once; how many rows were deleted.
async fn round(
    retention: &Retention,
    store: &Store,
    stop: &watch::Receiver<bool>,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for class in Class::ALL {
        let before = now_ms().saturating_sub(millis(retention.of(class)));
        while store.read(move |db| store::is_due(db, class, before)).await? {
            if *stop.borrow() || !store.take_lease(LEASE, EVERY * 2).await? {
                return Ok(deleted);
            }
            deleted += store.prune(class, before, STEP).await?;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(deleted)
}
