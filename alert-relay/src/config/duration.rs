//! Durations as people write them: `250ms`, `5s`, `10m`, `1h`, `3d`, or a plain number of seconds.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A duration as it stands in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written(pub(super) Duration);

/// The longest: a hundred years. What is added to a moment stays one.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Reads a number and its unit.
fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at)?;
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis).filter(|duration| *duration <= LONGEST)
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration such as \"250ms\", \"5s\", \"10m\", \"1h\", or a number of seconds, a hundred years at most",
                )
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Written, E> {
                let seconds = u64::try_from(value).ok().map(Duration::from_secs);
                let duration = seconds.filter(|duration| *duration <= LONGEST);
                duration.map(Written).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(value), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
                parse(text).map(Written).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_nothing_else() {
        let table = [
            ("250ms", Some(250)),
            ("5s", Some(5000)),
            ("5", Some(5000)),
            (" 10 m ", Some(600_000)),
            ("1h", Some(3_600_000)),
            ("3d", Some(259_200_000)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("1w", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
            ("36600d", Some(3_162_240_000_000)),
            ("36601d", None),
            ("9223372036854775807ms", None),
        ];
        for (text, millis) in table {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{text:?}");
        }
    }
}
