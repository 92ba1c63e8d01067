//! Decisions about callers, on their way from the relay to the filters.
//!
//! A filter asks `GET …/decisions?epoch=E&since=N` with the epoch and serial of the last feed it applied, signed like a
//! batch, over the path and query in place of a body. The answer is a [`DecisionFeed`], signed too: what has changed since,
//! at most [`limits::MAX_FEED_ENTRIES`] decisions at a time. A relay that does not know the epoch begins anew and says so
//! ([`DecisionFeed::reset`]). A feed's message id begins with [`MESSAGE_PREFIX`], so that no other message that the same
//! key signs can be taken for one.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{VERSION, limits};

/// How the message id of a signed feed begins.
pub const MESSAGE_PREFIX: &str = "dec_";

/// A part of the decisions, newest state of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionFeed {
    /// Names one life of the relay's list; serials of different epochs have nothing in common.
    pub epoch: String,
    /// The state that the receiver has after it has applied this.
    pub serial: u64,
    /// Whether what the receiver knows from before is void.
    pub reset: bool,
    /// Whether there is more: ask again at once.
    pub more: bool,
    /// Decisions, in the order they were made.
    pub entries: Vec<Decision>,
    /// Entries that could not be read; the others stand.
    pub rejected: usize,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its number, for reports.
    pub id: u64,
    /// Whom it is about.
    pub subject: Subject,
    /// What to do with their requests.
    pub action: DecisionAction,
    /// When it ends, Unix seconds.
    pub until: u64,
    /// Requests a minute, where the action is [`DecisionAction::Throttle`].
    pub rate: u32,
}

/// Whom a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// An address.
    Address(IpAddr),
    /// The addresses that share their first bits with this one.
    Range(IpAddr, u8),
    /// The hash of an API key, as events show it.
    Key(u128),
    /// A user, as events show them.
    User(String),
}

/// What to do with somebody's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionAction {
    /// Nothing any more: the decision was taken back.
    Lift,
    /// Report each.
    Monitor,
    /// Let only so many a minute through.
    Throttle,
    /// Refuse them.
    Block,
}

impl DecisionAction {
    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lift => "lift",
            Self::Monitor => "monitor",
            Self::Throttle => "throttle",
            Self::Block => "block",
        }
    }

    /// Back from [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Lift, Self::Monitor, Self::Throttle, Self::Block].into_iter().find(|it| it.as_str() == word)
    }
}

impl Subject {
    /// The scope's word in JSON: `address`, `cidr`, `key_hash` or `user`.
    #[must_use]
    pub const fn scope(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Range(..) => "cidr",
            Self::Key(_) => "key_hash",
            Self::User(_) => "user",
        }
    }

    /// The value in JSON, in the one form that each has.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Range(address, bits) => format!("{address}/{bits}"),
            Self::Key(hash) => format!("{hash:032x}"),
            Self::User(user) => user.clone(),
        }
    }

    /// Back from scope and value; `None` for what is neither. A range begins with its first address.
    #[must_use]
    pub fn parse(scope: &str, value: &str) -> Option<Self> {
        match scope {
            "address" => value.parse().ok().map(|address: IpAddr| Self::Address(address.to_canonical())),
            "cidr" => {
                let (address, bits) = value.split_once('/')?;
                let address = address.parse::<IpAddr>().ok()?;
                let bits: u8 = bits.parse().ok()?;
                let all = if address.is_ipv4() { 32 } else { 128 };
                let is_first = bits <= all && host_bits(address, bits) == 0;
                is_first.then_some(Self::Range(address, bits))
            }
            "key_hash" => {
                let is_hash = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_hash.then(|| u128::from_str_radix(value, 16).ok().map(Self::Key)).flatten()
            }
            "user" => {
                let fits = (1..=limits::MAX_NAME_BYTES).contains(&value.len());
                (fits && !value.chars().any(char::is_control)).then(|| Self::User(value.to_string()))
            }
            _ => None,
        }
    }
}

/// The bits of an address behind the first ones.
fn host_bits(address: IpAddr, bits: u8) -> u128 {
    let (value, all) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let rest = all - u32::from(bits).min(all);
    value & 1_u128.checked_shl(rest).map_or(u128::MAX, |next| next - 1)
}

/// Why a feed was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// Longer than [`limits::MAX_FEED_BYTES`].
    TooLarge,
    /// More than [`limits::MAX_FEED_ENTRIES`] entries.
    TooManyEntries,
    /// Not the JSON of a feed; line and column.
    Malformed(usize, usize),
    /// Of a version that this crate does not know.
    UnknownVersion(u16),
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the feed has more than {} bytes", limits::MAX_FEED_BYTES),
            Self::TooManyEntries => write!(f, "the feed has more than {} entries", limits::MAX_FEED_ENTRIES),
            Self::Malformed(line, column) => write!(f, "not a feed, at line {line} column {column}"),
            Self::UnknownVersion(version) => write!(f, "version {version} is not known here"),
        }
    }
}

impl core::error::Error for FeedError {}

/// The feed as it is written.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    v: u16,
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    serial: u64,
    #[serde(default)]
    reset: bool,
    #[serde(default)]
    more: bool,
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    id: u64,
    #[serde(borrow)]
    scope: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(default)]
    until: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    rate: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this form")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl DecisionFeed {
    /// The JSON body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|decision| Entry {
            id: decision.id,
            scope: decision.subject.scope().into(),
            value: decision.subject.value().into(),
            action: decision.action.as_str().into(),
            until: decision.until,
            rate: decision.rate,
        });
        let written = Written {
            v: VERSION,
            epoch: self.epoch.as_str().into(),
            serial: self.serial,
            reset: self.reset,
            more: self.more,
            entries: entries.collect(),
        };
        // Strings and numbers only: serialising them cannot fail.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads a body within [`limits`]. Entries that cannot be read are counted, the others are kept.
    ///
    /// # Errors
    /// When the body as a whole is no feed.
    pub fn decode(body: &[u8]) -> Result<Self, FeedError> {
        if body.len() > limits::MAX_FEED_BYTES {
            return Err(FeedError::TooLarge);
        }
        let written: Written<'_> =
            serde_json::from_slice(body).map_err(|e| FeedError::Malformed(e.line(), e.column()))?;
        if written.v == 0 || written.v > VERSION {
            return Err(FeedError::UnknownVersion(written.v));
        }
        if written.entries.len() > limits::MAX_FEED_ENTRIES {
            return Err(FeedError::TooManyEntries);
        }
        if !(1..=limits::MAX_HASH_BYTES).contains(&written.epoch.len()) {
            return Err(FeedError::Malformed(0, 0));
        }
        let all = written.entries.len();
        let entries: Vec<Decision> = written.entries.iter().filter_map(Entry::decision).collect();
        Ok(Self {
            epoch: written.epoch.into_owned(),
            serial: written.serial,
            reset: written.reset,
            more: written.more,
            rejected: all - entries.len(),
            entries,
        })
    }

    /// Reads a feed that a host with a JSON reader of its own has taken apart, one line each, tabs between the fields: version,
    /// epoch, serial, `reset` (0 or 1), `more`; then of each decision id, action, end, rate, scope, value. What cannot be read
    /// of the decisions is left out, and counted.
    ///
    /// # Errors
    /// When the first line is none, or there are too many.
    pub fn from_lines(text: &str) -> Result<Self, FeedError> {
        let mut lines = text.lines();
        let mut head = lines.next().unwrap_or_default().split('\t');
        let mut field = || head.next().ok_or(FeedError::Malformed(1, 0));
        let (version, epoch, serial, reset, more) = (field()?, field()?, field()?, field()?, field()?);
        let version = version.parse().map_err(|_| FeedError::Malformed(1, 0))?;
        let serial = serial.parse().map_err(|_| FeedError::Malformed(1, 0))?;
        if version == 0 || version > VERSION {
            return Err(FeedError::UnknownVersion(version));
        }
        if !(1..=limits::MAX_HASH_BYTES).contains(&epoch.len()) {
            return Err(FeedError::Malformed(1, 0));
        }
        let (mut entries, mut rejected) = (Vec::new(), 0);
        for line in lines {
            if entries.len() + rejected >= limits::MAX_FEED_ENTRIES {
                return Err(FeedError::TooManyEntries);
            }
            match Decision::from_line(line) {
                Some(decision) => entries.push(decision),
                None => rejected += 1,
            }
        }
        Ok(Self { epoch: epoch.into(), serial, reset: reset == "1", more: more == "1", entries, rejected })
    }
}

impl Decision {
    fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.splitn(6, '\t');
        let mut field = || fields.next();
        let (id, action, until, rate) = (field()?, field()?, field()?, field()?);
        let subject = Subject::parse(field()?, field()?)?;
        let action = DecisionAction::parse(action)?;
        Some(Self {
            id: id.parse().ok()?,
            subject,
            action,
            until: until.parse().ok()?,
            rate: rate.parse().ok()?,
        })
    }
}

impl Entry<'_> {
    fn decision(&self) -> Option<Decision> {
        let subject = Subject::parse(&self.scope, &self.value)?;
        let action = DecisionAction::parse(&self.action)?;
        Some(Decision { id: self.id, subject, action, until: self.until, rate: self.rate })
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec};

    use super::*;

    fn decision(scope: &str, value: &str) -> Decision {
        let subject = Subject::parse(scope, value).unwrap();
        Decision { id: 7, subject, action: DecisionAction::Throttle, until: 1_790_000_000, rate: 5 }
    }

    #[test]
    fn a_feed_is_read_as_it_was_written() {
        let feed = DecisionFeed {
            epoch: "a1".into(),
            serial: 12,
            reset: true,
            more: true,
            entries: vec![
                decision("address", "192.0.2.1"),
                decision("address", "2001:db8::1"),
                decision("cidr", "192.0.2.0/24"),
                decision("cidr", "::/0"),
                decision("key_hash", "00112233445566778899aabbccddeeff"),
                decision("user", "ann \"the\" é"),
            ],
            rejected: 0,
        };
        assert_eq!(DecisionFeed::decode(&feed.to_json()), Ok(feed));
    }

    #[test]
    fn a_feed_in_lines_is_the_same() {
        let text = "1\ta1\t12\t1\t0\n7\tthrottle\t1790000000\t5\taddress\t192.0.2.1\n7\tthrottle\t1790000000\t5\tuser\tann \"x\"\n";
        let feed = DecisionFeed::from_lines(text).unwrap();
        let entries = vec![decision("address", "192.0.2.1"), decision("user", "ann \"x\"")];
        assert_eq!((feed.epoch.as_str(), feed.serial, feed.reset, feed.more), ("a1", 12, true, false));
        assert_eq!((feed.entries, feed.rejected), (entries, 0));
    }

    #[test]
    fn lines_that_are_no_decision_are_counted_and_no_head_is_an_error() {
        let good = "1\ta1\t12\t0\t1";
        for line in [
            "",
            "7",
            "7\tdance\t1\t1\taddress\t192.0.2.1",
            "x\tblock\t1\t1\tuser\ta",
            "7\tblock\t1\t1\tuser\ta\tb",
        ] {
            let feed = DecisionFeed::from_lines(&format!("{good}\n{line}\n")).unwrap();
            assert_eq!((feed.entries.len(), feed.rejected), (0, 1), "{line:?}");
        }
        for head in ["", "1", "1\ta1\tx\t0\t0", "x\ta1\t1\t0\t0", "1\t\t1\t0\t0"] {
            assert_eq!(DecisionFeed::from_lines(head), Err(FeedError::Malformed(1, 0)), "{head:?}");
        }
        assert_eq!(DecisionFeed::from_lines("9\ta1\t1\t0\t0"), Err(FeedError::UnknownVersion(9)));
        let many = format!("{good}\n{}", "x\n".repeat(limits::MAX_FEED_ENTRIES + 1));
        assert_eq!(DecisionFeed::from_lines(&many), Err(FeedError::TooManyEntries));
    }

    #[test]
    fn subjects_have_one_form() {
        assert_eq!(decision("address", "::ffff:192.0.2.1").subject.value(), "192.0.2.1");
        assert_eq!(
            decision("key_hash", "AABBCCDDEEFF00112233445566778899").subject.value(),
            "aabbccddeeff00112233445566778899"
        );
        for (scope, value) in [
            ("address", "192.0.2"),
            ("address", "192.0.2.1/24"),
            ("address", ""),
            ("cidr", "192.0.2.1/24"),
            ("cidr", "192.0.2.0/33"),
            ("cidr", "192.0.2.0"),
            ("cidr", "2001:db8::/129"),
            ("key_hash", "0011"),
            ("key_hash", "+0112233445566778899aabbccddeeff"),
            ("user", ""),
            ("user", "a\nb"),
            ("country", "x"),
        ] {
            assert_eq!(Subject::parse(scope, value), None, "{scope} {value}");
        }
        assert_eq!(Subject::parse("user", &"x".repeat(257)), None);
    }

    #[test]
    fn bad_entries_are_counted_and_bad_feeds_refused() {
        let feed = |entries: &str| {
            DecisionFeed::decode(
                alloc::format!(r#"{{"v":1,"epoch":"e","serial":1,"entries":[{entries}]}}"#).as_bytes(),
            )
        };
        let good =
            r#"{"id":1,"scope":"address","value":"192.0.2.1","action":"block","until":9,"note":"new"}"#;
        let read = feed(&alloc::format!(
            r#"{good},{{"id":2,"scope":"asn","value":"1","action":"block"}},{{"id":3,"scope":"user","value":"u","action":"greet"}}"#
        ));
        assert_eq!(read.map(|feed| (feed.entries.len(), feed.rejected)), Ok((1, 2)));
        let many = vec![good; limits::MAX_FEED_ENTRIES + 1].join(",");
        assert_eq!(feed(&many), Err(FeedError::TooManyEntries));
        assert_eq!(DecisionFeed::decode(&vec![b' '; limits::MAX_FEED_BYTES + 1]), Err(FeedError::TooLarge));
        for bad in [
            "",
            "[]",
            r#"{"v":1}"#,
            r#"{"v":1,"dropped":0,"events":[]}"#,
            r#"{"v":1,"epoch":"","serial":1,"entries":[]}"#,
            r#"{"v":1,"epoch":"e","serial":-1,"entries":[]}"#,
            r#"{"v":1,"epoch":"e","serial":1,"entries":[]} x"#,
        ] {
            assert!(matches!(DecisionFeed::decode(bad.as_bytes()), Err(FeedError::Malformed(..))), "{bad}");
        }
        let newer = br#"{"v":2,"epoch":"e","serial":1,"entries":[]}"#;
        assert_eq!(DecisionFeed::decode(newer).unwrap_err().to_string(), "version 2 is not known here");
    }
}
