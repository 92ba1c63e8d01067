//! How much a client may ask, and what happens when it asks too much.

use alloc::{string::String, vec::Vec};

use serde::Serialize;

use crate::{
    read::{Answer, Target, at_most, named, object, within},
    values::Action,
};

/// How much a client may ask. All of it is counted for each client; `identity` says what a client is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Whether clients are counted at all. Without it there are no limits, no repeats and no risk over turns.
    pub enabled: bool,
    /// Requests of one client in a minute, 1 to 1,000,000, in a sliding window: all of them may come at once.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub max_requests_per_minute: u32,
    /// How far a client may run over its limits before a penalty: so many requests in 60 seconds are refused with 429 and
    /// forgotten, the next one begins the penalty. 0 to 1,000,000.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub burst: u32,
    /// Milliseconds between two requests of one client, 0 to 3,600,000. 0: they may come as they like.
    #[cfg_attr(feature = "schema", schemars(range(max = 3_600_000)))]
    pub min_request_interval: u32,
    /// Tokens of one client in a minute, 1 to 4,000,000,000, in a sliding window: a request's own are estimated from its
    /// text (4 bytes each) and corrected by the `usage` of the answer. `null`: not limited.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 4_000_000_000_u32)))]
    pub max_tokens_per_minute: Option<u32>,
    /// Requests of one client that may be under way at the same time, 1 to 60,000, streamed answers included. `null`: not
    /// limited.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60_000)))]
    pub max_concurrent_requests: Option<u32>,
    /// Failed attempts of one client (answers 401, 403, 404 and 429 of the model's API, and requests that the guard
    /// refused for what they hold) that are one too many, 1 to 10,000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub failed_attempts_threshold: u32,
    /// The window in which failed attempts are counted, 1 to 86,400 seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub failed_attempts_window: u32,
    /// What to do about a client that reaches the threshold: `flag` reports it, `block` gives it a penalty as well.
    pub failed_attempts: Action,
    /// How long the first penalty lasts, 0 to 86,400 seconds; each further one twice as long. The client gets 429 until it
    /// is over. 0: there are none.
    #[cfg_attr(feature = "schema", schemars(range(max = 86_400)))]
    pub penalty: u32,
    /// How long a penalty lasts at the most, 1 to 86,400 seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub max_penalty: u32,
    /// After so many seconds without a penalty the next one is half as long, 1 to 86,400.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub penalty_decay: u32,
    /// After so many seconds of silence a client is a new one, 60 to 604,800.
    #[cfg_attr(feature = "schema", schemars(range(min = 60, max = 604_800)))]
    pub session_timeout: u32,
    /// How often a client may send the same input within `repeat_window`, 1 to 60,000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60_000)))]
    pub max_repeats: u32,
    /// How many inputs of a client may be near neighbours of each other within `repeat_window`, 1 to 60,000: a model is
    /// copied, and its borders are probed, by many inputs that differ a little.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60_000)))]
    pub max_near_repeats: u32,
    /// The window in which inputs are compared, 1 to 86,400 seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub repeat_window: u32,
    /// What to do about inputs beyond `max_repeats` and `max_near_repeats`.
    pub repeats: Action,
    /// Where clients are not counted: names of routes, or paths, which begin with `/` and may end in `*`. At most 256.
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub exempt_routes: Vec<String>,
    /// Which answers tell the client how it stands (`x-ratelimit-*`).
    pub headers: LimitHeaders,
}

/// Which answers carry `x-ratelimit-*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LimitHeaders {
    /// Those that say 429.
    #[default]
    Throttled,
    /// Every answer.
    Always,
}

/// A day in seconds.
const DAY: u64 = 86_400;

named!(LimitHeaders: "throttled" => Throttled, "always" => Always);
object!(Limits, needs [], takes [
    enabled, max_requests_per_minute: within(1, 1_000_000), burst: within(0, 1_000_000),
    min_request_interval: within(0, 3_600_000), max_tokens_per_minute: none_or_within(1, 4_000_000_000),
    max_concurrent_requests: none_or_within(1, 60_000), failed_attempts_threshold: within(1, 10_000),
    failed_attempts_window: within(1, DAY), failed_attempts, penalty: within(0, DAY), max_penalty: within(1, DAY),
    penalty_decay: within(1, DAY), session_timeout: within(60, 7 * DAY), max_repeats: within(1, 60_000),
    max_near_repeats: within(1, 60_000), repeat_window: within(1, DAY), repeats, exempt_routes: at_most(256), headers,
]);

/// A whole number within bounds, or `null`.
struct NoneOrWithin<'a> {
    name: &'static str,
    place: &'a mut Option<u32>,
    least: u64,
    most: u64,
}

const fn none_or_within<'a>(
    name: &'static str,
    place: &'a mut Option<u32>,
    least: u64,
    most: u64,
) -> NoneOrWithin<'a> {
    NoneOrWithin { name, place, least, most }
}

impl Target for NoneOrWithin<'_> {
    fn expecting(&self) -> &'static str {
        "a whole number or null"
    }

    fn null(&mut self) -> Answer {
        *self.place = None;
        Ok(())
    }

    fn whole(&mut self, value: u64) -> Answer {
        let mut number = 0;
        within(self.name, &mut number, self.least, self.most).whole(value)?;
        *self.place = Some(number);
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            enabled: true,
            max_requests_per_minute: 100,
            burst: 20,
            min_request_interval: 0,
            max_tokens_per_minute: None,
            max_concurrent_requests: None,
            failed_attempts_threshold: 5,
            failed_attempts_window: 300,
            failed_attempts: Action::Flag,
            penalty: 60,
            max_penalty: 600,
            penalty_decay: 600,
            session_timeout: 3600,
            max_repeats: 200,
            max_near_repeats: 200,
            repeat_window: 600,
            repeats: Action::Flag,
            exempt_routes: Vec::new(),
            headers: LimitHeaders::Throttled,
        }
    }
}

impl Limits {
    /// Whether a request is not counted.
    #[must_use]
    pub fn exempts(&self, route: &str, path: &str) -> bool {
        self.exempt_routes.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) if pattern.starts_with('/') => path.starts_with(beginning),
            None if pattern.starts_with('/') => path == pattern,
            _ => route == pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exempt_routes_are_names_or_paths() {
        let exempt_routes = ["health", "/v1/models", "/internal/*", "a*"].map(String::from).into();
        let limits = Limits { exempt_routes, ..Limits::default() };
        for (route, path, expected) in [
            ("health", "/x", true),
            ("healthy", "/x", false),
            ("", "/v1/models", true),
            ("", "/v1/models/7", false),
            ("", "/internal/7", true),
            ("", "/internal", false),
            ("a*", "/x", true),
            ("ab", "/a", false),
        ] {
            assert_eq!(limits.exempts(route, path), expected, "{route} {path}");
        }
    }
}
