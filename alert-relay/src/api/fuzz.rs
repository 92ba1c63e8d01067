//! The readers of this interface, within reach of [`crate::fuzz`].

use super::{Problem, change, decisions, query, shown_token, silences};
use crate::store::NewDecision;

/// The moment of each decision, Unix milliseconds.
pub(crate) const NOW: u64 = 1_790_000_000_000;

/// A decision as it is posted.
pub(crate) fn decision(body: &[u8]) -> Result<NewDecision, Problem> {
    change::fuzz(body);
    if let Ok(silence) = silences::read(body, "somebody".to_owned(), NOW) {
        assert!(
            silence.until_ms > NOW
                && silence.matchers.iter().all(|text| crate::route::Matcher::parse(text).is_ok())
        );
    }
    decisions::read(body, NOW)
}

/// A page's cursor is read as it was written; a token is read or not.
pub(crate) fn texts(text: &str) {
    if let Ok((last_ms, id)) = query::parse_cursor(text) {
        assert!(query::parse_cursor(&query::cursor(last_ms, id)).is_ok_and(|read| read == (last_ms, id)));
    }
    let _ = shown_token(text);
}
