//! Points in time, as people write them into a policy.

use alloc::format;
use core::fmt;

use serde::{Serialize, Serializer};

use crate::read::{Answer, Blank, Refusal, Target};

/// Unix time in milliseconds, written as a date or a time in UTC (RFC 3339, with `Z`). A date stands for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMs(pub u64);

const DAY_S: u64 = 86_400;

impl UnixMs {
    fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        if !(1970..=9999).contains(&year) || !(1..=length).contains(&day) {
            return None;
        }
        let seconds = match time {
            None => DAY_S,
            Some(time) => {
                let [hour, minute, second] = numbers(time.strip_suffix('Z')?, ':', [2, 2, 2])?;
                if hour > 23 || minute > 59 || second > 59 {
                    return None;
                }
                hour * 3600 + minute * 60 + second
            }
        };
        Some(Self((days_before(year, month, day) * DAY_S + seconds) * 1000))
    }
}

/// Three numbers of fixed widths with a separator between them.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days from 1 January 1970 to a date of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`), for years from 1970 on.
const fn days_before(year: u64, month: u64, day: u64) -> u64 {
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let era = year / 400;
    let of_era = year % 400;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

impl fmt::Display for UnixMs {
    /// The same time again, to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, rest) = (seconds / DAY_S + 719_468, seconds % DAY_S);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", era * 400 + year + next)
    }
}

impl Serialize for UnixMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Target for UnixMs {
    fn expecting(&self) -> &'static str {
        "a date or a time"
    }

    fn text(&mut self, text: &str) -> Answer {
        let wrong = || format!("{text:?} is neither a date (2027-01-31) nor a time (2027-01-31T18:00:00Z)");
        *self = Self::parse(text).ok_or_else(|| Refusal::Message(wrong()))?;
        Ok(())
    }
}

impl Blank for UnixMs {
    fn blank() -> Self {
        Self(0)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for UnixMs {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "UnixMs".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$" })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn times_are_read_and_written_again() {
        // From `date -u -d … +%s`.
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-11-21T02:03:04Z", 1_795_226_584),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ];
        for (text, seconds) in cases {
            let time = UnixMs::parse(text);
            assert_eq!(time, Some(UnixMs(seconds * 1000)), "{text}");
            assert_eq!(time.map(|time| time.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_date_lasts_until_its_end() {
        assert_eq!(UnixMs::parse("2026-12-31"), UnixMs::parse("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let wrong = [
            "",
            "2026",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2100-02-29",
            "2026-04-31",
            "26-04-01",
            "1969-12-31",
            "2026-04-01T24:00:00Z",
            "2026-04-01T12:00:00",
            "2026-04-01T12:00Z",
            "2026-04-01 12:00:00Z",
            "2026-4-1",
            "2026-04-01-",
            "2026-04-0١",
        ];
        for text in wrong {
            assert_eq!(UnixMs::parse(text), None, "{text}");
        }
    }
}
