//! Who is told of an incident, when, and when not: routes, silences, mute windows, inhibition, conditions.
//!
//! Pure: labels and moments come in, settings go out. What is done with them is in `store::groups`.

mod matcher;
mod window;

use std::time::Duration;

use wire::{Category, Severity};

pub(crate) use matcher::Labels;
pub use matcher::Matcher;
pub(crate) use matcher::{all_match, is_label};
pub use window::Window;
pub(crate) use window::{day_of, minute};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Everything that decides about telling.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What holds where no route fits; its routes are the configured ones.
    pub root: Route,
    /// Silences of the configuration; the interface adds further ones.
    pub silences: Vec<Silence>,
    /// What keeps what from being told.
    pub inhibitions: Vec<Inhibition>,
    /// When what is not severe is told all the same.
    pub conditions: Conditions,
    /// Categories whose events are at least so severe.
    pub severities: Vec<(Category, Severity)>,
    /// Callers that make a campaign of incidents that look the same.
    pub campaign_clients: u64,
    /// When a digest is sent.
    pub digest: Digest,
}

/// A node of the tree of routes.
#[derive(Clone, Debug)]
pub struct Route {
    /// All of them have to fit.
    pub matchers: Vec<Matcher>,
    /// Who is told.
    pub receivers: Vec<String>,
    /// Incidents that agree in these labels are told together.
    pub group_by: Vec<String>,
    /// How long the first message waits for further events. Critical ones do not wait.
    pub group_wait: Duration,
    /// Least time between two messages of a group.
    pub group_interval: Duration,
    /// After so long without news what is still open is told again; never if zero.
    pub repeat_interval: Duration,
    /// Who is told in addition if nobody acknowledges for so long.
    pub escalation: Option<(Duration, String)>,
    /// Nobody is told while one of these lasts; then all of it.
    pub mute: Vec<Window>,
    /// Most messages an hour to each receiver.
    pub max_per_hour: u64,
    /// Whether further routes beside it are tried.
    pub continues: bool,
    /// Routes below it; the first that fits counts.
    pub routes: Vec<Route>,
}

/// Nobody is told of what fits, for a time.
#[derive(Clone, Debug)]
pub struct Silence {
    /// All of them have to fit.
    pub matchers: Vec<Matcher>,
    /// From when, Unix milliseconds.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
}

/// While there is an incident like the source, those like the target are not told.
#[derive(Clone, Debug)]
pub struct Inhibition {
    /// What keeps.
    pub source: Vec<Matcher>,
    /// What is kept.
    pub target: Vec<Matcher>,
    /// Labels in which the two agree.
    pub equal: Vec<String>,
}

/// Numbers above which what is not severe by itself is told. 0 turns one off.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Failed authentications in a minute.
    pub failed_authentications_per_minute: u64,
    /// The score of an anomaly in a numeric or malformed input, in thousandths.
    pub anomaly_score: u64,
    /// Callers over a limit, in an hour.
    pub rate_limit_violations_per_hour: u64,
    /// Suspicious inputs in an hour.
    pub suspicious_inputs_per_hour: u64,
}

/// When a digest is sent: minutes of a day, UTC.
#[derive(Clone, Debug)]
pub struct Digest {
    /// Every day.
    pub daily: Option<u64>,
    /// Every week: the day from Monday, and the minute.
    pub weekly: Option<(u64, u64)>,
    /// To whom; everybody that the root route names, if empty.
    pub receivers: Vec<String>,
}

impl Route {
    /// The routes of something with these labels, each with its place in the tree.
    pub(crate) fn of<'a>(&'a self, labels: &Labels) -> Vec<(String, &'a Self)> {
        let mut found = Vec::new();
        self.collect(labels, String::new(), &mut found);
        found
    }

    fn collect<'a>(&'a self, labels: &Labels, place: String, found: &mut Vec<(String, &'a Self)>) {
        let before = found.len();
        for (at, route) in self.routes.iter().enumerate() {
            if all_match(&route.matchers, labels) {
                route.collect(labels, format!("{place}/{at}"), found);
                if !route.continues {
                    break;
                }
            }
        }
        if found.len() == before {
            found.push((place, self));
        }
    }

    /// The route at a place; the nearest one above it where the configuration has changed.
    pub(crate) fn at(&self, place: &str) -> &Self {
        let mut route = self;
        for step in place.split('/').filter(|step| !step.is_empty()) {
            match step.parse::<usize>().ok().and_then(|at| route.routes.get(at)) {
                Some(next) => route = next,
                None => break,
            }
        }
        route
    }

    /// Until when nobody is told, if so now; Unix milliseconds.
    pub(crate) fn muted_until(&self, now_ms: u64) -> Option<u64> {
        self.mute.iter().filter_map(|window| window.ends(now_ms)).max()
    }

    /// Whether this route or one below it is mute now.
    pub(crate) fn mutes(&self, now_ms: u64) -> bool {
        self.muted_until(now_ms).is_some() || self.routes.iter().any(|route| route.mutes(now_ms))
    }
}

impl Policy {
    /// Whether the configuration has a silence that lasts.
    pub(crate) fn has_silences(&self, now_ms: u64) -> bool {
        self.silences.iter().any(|silence| (silence.from_ms..silence.until_ms).contains(&now_ms))
    }

    /// Whether a silence of the configuration holds for something.
    pub(crate) fn is_silenced(&self, labels: &Labels, now_ms: u64) -> bool {
        self.silences.iter().any(|silence| {
            (silence.from_ms..silence.until_ms).contains(&now_ms) && all_match(&silence.matchers, labels)
        })
    }

    /// Who gets digests.
    pub(crate) fn digest_receivers(&self) -> &[String] {
        let named = &self.digest.receivers;
        if named.is_empty() { &self.root.receivers } else { named }
    }

    /// The least severity of a category's events.
    pub(crate) fn least(&self, category: Category) -> Severity {
        let set = self.severities.iter().find(|(known, _)| *known == category);
        set.map_or(Severity::Low, |(_, severity)| *severity)
    }
}

/// The last whole day or week that a digest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// `daily` or `weekly`.
    pub(crate) name: &'static str,
    /// How many there were before it.
    pub(crate) number: u64,
    /// When it began, Unix milliseconds.
    pub(crate) from_ms: u64,
    /// When it ended.
    pub(crate) until_ms: u64,
    /// When the next one ends.
    pub(crate) next_ms: u64,
}

impl Digest {
    /// The periods that ended last.
    pub(crate) fn periods(&self, now_ms: u64) -> impl Iterator<Item = Period> {
        let daily = self.daily.map(|minute| ("daily", minute * MINUTE_MS, DAY_MS));
        // The first of January 1970 was a Thursday: Mondays are four days later.
        let weekly = self
            .weekly
            .map(|(day, minute)| ("weekly", ((day + 4) % 7) * DAY_MS + minute * MINUTE_MS, 7 * DAY_MS));
        daily.into_iter().chain(weekly).map(move |(name, offset_ms, length_ms)| {
            let number = now_ms.saturating_sub(offset_ms) / length_ms;
            let until_ms = number * length_ms + offset_ms;
            let from_ms = until_ms.saturating_sub(length_ms);
            Period { name, number, from_ms, until_ms, next_ms: until_ms.saturating_add(length_ms) }
        })
    }
}

impl Conditions {
    /// The condition that holds for a category: what it is, how many there may be, and in how many minutes. Anomalies
    /// are not counted, see [`Self::is_anomaly`].
    pub(crate) fn of(&self, category: Category) -> Option<(&'static str, u64, u64)> {
        let (what, most, minutes) = match category {
            Category::Authentication => {
                ("failed authentications in a minute", self.failed_authentications_per_minute, 1)
            }
            Category::RateLimit => {
                ("callers over a limit in an hour", self.rate_limit_violations_per_hour, 60)
            }
            Category::Guard | Category::Other => return None,
            _ => ("suspicious inputs in an hour", self.suspicious_inputs_per_hour, 60),
        };
        (most > 0).then_some((what, most, minutes))
    }

    /// Whether a score of a category is an anomaly to tell.
    pub(crate) fn is_anomaly(&self, category: Category, score: u64) -> bool {
        let numeric = matches!(category, Category::Tensor | Category::Structure | Category::InvalidInput);
        numeric && self.anomaly_score > 0 && score >= self.anomaly_score
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MOMENT;

    fn route(matchers: &[&str], receiver: &str, continues: bool, routes: Vec<Route>) -> Route {
        Route {
            matchers: matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect(),
            receivers: vec![receiver.to_owned()],
            group_by: Vec::new(),
            group_wait: Duration::ZERO,
            group_interval: Duration::ZERO,
            repeat_interval: Duration::ZERO,
            escalation: None,
            mute: Vec::new(),
            max_per_hour: 12,
            continues,
            routes,
        }
    }

    fn labels(pairs: &[(&'static str, &str)]) -> Labels {
        let mut labels = Labels::default();
        pairs.iter().for_each(|(name, value)| labels.add(name, value));
        labels
    }

    #[test]
    fn a_digest_is_about_the_last_whole_day_or_week() {
        let seven = 7 * 60;
        let digest = Digest { daily: Some(seven), weekly: Some((0, seven)), receivers: Vec::new() };
        let of = |now_ms: u64| digest.periods(now_ms).collect::<Vec<_>>();
        let [day, week] = of(MOMENT).try_into().unwrap();
        assert_eq!(crate::clock::iso(day.until_ms), "2026-11-20T07:00:00.000Z");
        assert_eq!((day.until_ms - day.from_ms, day.next_ms - day.until_ms), (DAY_MS, DAY_MS));
        assert_eq!(of(MOMENT + seven * MINUTE_MS + 2000)[0].number, day.number + 1);
        assert_eq!(crate::clock::iso(week.until_ms), "2026-11-16T07:00:00.000Z", "a Monday");
        assert_eq!((day.name, week.name), ("daily", "weekly"));
    }

    #[test]
    fn the_first_route_that_fits_counts_and_continue_goes_on() {
        let tree = route(
            &[],
            "root",
            false,
            vec![
                route(&["severity=critical"], "pager", true, vec![]),
                route(
                    &["model=iris"],
                    "science",
                    false,
                    vec![route(&["category=~secret|pii"], "privacy", false, vec![])],
                ),
                route(&["model!=iris"], "rest", false, vec![]),
            ],
        );
        let told = |pairs: &[(&'static str, &str)]| {
            let found = tree.of(&labels(pairs));
            found.iter().map(|(place, route)| format!("{place} {}", route.receivers[0])).collect::<Vec<_>>()
        };
        assert_eq!(told(&[("severity", "critical"), ("model", "iris")]), ["/0 pager", "/1 science"]);
        assert_eq!(told(&[("severity", "low"), ("model", "iris"), ("category", "pii")]), ["/1/0 privacy"]);
        assert_eq!(told(&[("severity", "low"), ("model", "other")]), ["/2 rest"]);
        assert_eq!(tree.at("/1/0").receivers, ["privacy"]);
        assert_eq!(tree.at("/1/7").receivers, ["science"], "the nearest one that is left");
        assert_eq!(tree.at("/x").receivers, ["root"]);
        let bare = route(&[], "root", false, vec![route(&["model=x"], "x", false, vec![])]);
        assert_eq!(bare.of(&labels(&[("model", "y")]))[0].1.receivers, ["root"]);
    }
}
