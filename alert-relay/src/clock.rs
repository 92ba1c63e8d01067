//! The clock, and how moments are written. Everything is UTC.

use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Now, Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// Milliseconds since a moment long before the start, for what is done again after a time: they go on whatever is done to
/// the clock.
pub(crate) fn steady_ms() -> u64 {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    const LONG_BEFORE: u64 = 1 << 40;
    LONG_BEFORE.saturating_add(millis(BEGUN.elapsed()))
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    milli: u64,
}

impl Civil {
    /// The calendar's form of a Unix time in milliseconds; after the year 9999 it stays at that year's end.
    ///
    /// Days to a date as in Howard Hinnant's "chrono-compatible low-level date algorithms", `civil_from_days`,
    /// for days since 1970 only.
    pub(crate) fn of(unix_ms: u64) -> Self {
        const END_OF_9999: u64 = 253_402_300_799_999;
        let unix_ms = unix_ms.min(END_OF_9999);
        let (days, in_day) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: in_day / 3_600_000,
            minute: in_day / 60_000 % 60,
            second: in_day / 1000 % 60,
            milli: in_day % 1000,
        }
    }

    /// `2026-11-20`
    pub(crate) fn date(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `2026-11-20T23:59:59.123Z`
    pub(crate) fn iso(self) -> String {
        format!("{}T{:02}:{:02}:{:02}.{:03}Z", self.date(), self.hour, self.minute, self.second, self.milli)
    }

    /// `2026-11-20 23:59:59,123`, as Python's `logging` writes it.
    pub(crate) fn log(self) -> String {
        format!("{} {:02}:{:02}:{:02},{:03}", self.date(), self.hour, self.minute, self.second, self.milli)
    }

    /// `2026-11-20 23:59:59 UTC`, for people.
    pub(crate) fn human(self) -> String {
        format!("{} {:02}:{:02}:{:02} UTC", self.date(), self.hour, self.minute, self.second)
    }
}

/// Back from `2026-11-20T23:59:59Z`, with or without thousandths, from 1970 on.
///
/// As in Howard Hinnant's "chrono-compatible low-level date algorithms", `days_from_civil`.
pub(crate) fn parse_iso(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers =
        |text: &str, by: char| -> Option<Vec<u64>> { text.split(by).map(|it| it.parse().ok()).collect() };
    let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
    let (time, milli) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?.try_into().ok()?;
    let milli: u64 = milli.parse().ok()?;
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || day > 31
        || hour > 23
        || minute > 59
        || second > 59
        || milli > 999
    {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let ms = days.checked_sub(719_468)? * 86_400_000 + (hour * 3600 + minute * 60 + second) * 1000 + milli;
    // A day that is not in the calendar comes back as another one.
    iso(ms).starts_with(date).then_some(ms)
}

/// `2026-11-20T23:59:59.123Z` of a Unix time in milliseconds.
pub(crate) fn iso(unix_ms: u64) -> String {
    Civil::of(unix_ms).iso()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_known_moments() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_795_219_199_123, "2026-11-20T23:59:59.123Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ];
        for (ms, text) in table {
            assert_eq!(iso(ms), text);
            if ms < u64::MAX {
                assert_eq!(parse_iso(text), Some(ms));
            }
        }
        assert_eq!(parse_iso("2026-12-01T08:00:00Z"), Some(1_796_112_000_000));
        let large = u64::MAX;
        for text in [format!("2026-01-{large}T00:00:00Z"), format!("2026-01-01T00:00:00.{large}Z")] {
            assert_eq!(parse_iso(&text), None, "{text}");
        }
        for text in ["", "2026-02-30T00:00:00Z", "2026-12-01", "2026-12-01T24:00:00Z", "1969-12-31T00:00:00Z"]
        {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn writes_the_log_form_of_python() {
        assert_eq!(Civil::of(1_795_219_199_123).log(), "2026-11-20 23:59:59,123");
    }
}
