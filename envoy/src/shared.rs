//! Values in Envoy's shared data that several VMs change.

use crate::port::{Host, Refused, ShareError};

/// How often a compare and swap is tried. Whoever is still too slow then does it at another time.
const ATTEMPTS: usize = 16;

/// Makes an empty value if there is none; while a plugin is being configured, since of two first insertions the later
/// wins.
pub(crate) fn seed(host: &dyn Host, key: &str) -> Result<(), Refused> {
    if host.shared(key)?.is_some() {
        return Ok(());
    }
    match host.share(key, &[], 0) {
        Ok(()) | Err(ShareError::Conflict) => Ok(()),
        Err(ShareError::Refused(refused)) => Err(refused),
    }
}

/// Replaces a value by what `edit` makes of it, unless that is `None`. Returns what else `edit` found; `None` as well if
/// there is no such value, or if others are always faster.
pub(crate) fn change<T>(
    host: &dyn Host,
    key: &str,
    mut edit: impl FnMut(&[u8]) -> Option<(Vec<u8>, T)>,
) -> Option<T> {
    for _ in 0..ATTEMPTS {
        let (bytes, version) = host.shared(key).ok()??;
        let (changed, found) = edit(&bytes)?;
        match host.share(key, &changed, version) {
            Ok(()) => return Some(found),
            Err(ShareError::Conflict) => {}
            Err(ShareError::Refused(_)) => return None,
        }
    }
    None
}
