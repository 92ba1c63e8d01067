//! The core called natively, as the shells call it.

use anyhow::{Result, anyhow};
use guard::{Conflict, Guard, Head, HeadFacts, Moment, Outcome, Store, Version, wire::Surface};

/// A ledger that keeps nothing: the policies it is used with have no limits.
struct NoLedger;

impl Store for NoLedger {
    fn load(&self, _: u32) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn save(&self, _: u32, _: &[u8], _: Version) -> Result<(), Conflict> {
        Ok(())
    }
}

/// What the core makes of a request.
///
/// # Errors
/// When the policy is no policy.
pub fn judge(
    policy: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Outcome> {
    let guard =
        Guard::from_json(policy.as_bytes(), None, Surface::Native, "e2e").map_err(|e| anyhow!("{e}"))?;
    let moment = Moment { unix_ms: 1_790_000_000_000, entropy: [1; 10] };
    let facts = HeadFacts { method, path, route: "", address: Some("127.0.0.1") };
    let head = Head::new(facts, headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let mut exchange = guard.open(head, !body.is_empty(), &moment, &NoLedger);
    Ok(match exchange.outcome() {
        Some(outcome) => outcome.clone(),
        None => exchange.judge(&guard, body, &moment).clone(),
    })
}
