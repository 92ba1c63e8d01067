//! Times of the week in which nobody wants to be told.

const DAY: u64 = 24 * 60;
const MINUTE_MS: u64 = 60_000;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// From a minute of a day to another, on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins, from Monday.
    days: [bool; 7],
    from: u64,
    to: u64,
    /// Minutes by which the clock there is ahead of UTC.
    offset: i64,
}

impl Window {
    /// Reads days (`mon` … `sun`; all if none), two times `22:00`, and an offset `+01:00` or `UTC`. A window whose end is
    /// not after its beginning lasts into the next day.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(days: &[String], from: &str, to: &str, offset: &str) -> Result<Self, String> {
        let mut set = [days.is_empty(); 7];
        for day in days {
            let at = day_of(day).ok_or_else(|| format!("days: {day:?} is none of {}", DAYS.join(", ")))?;
            if let Some(day) = usize::try_from(at).ok().and_then(|at| set.get_mut(at)) {
                *day = true;
            }
        }
        let time = |text: &str| minute(text).ok_or_else(|| format!("{text:?} is no time such as 22:00"));
        let offset = match offset {
            "UTC" | "Z" | "" => 0,
            text => {
                let (sign, rest) = match text.split_at_checked(1) {
                    Some(("+", rest)) => (1, rest),
                    Some(("-", rest)) => (-1, rest),
                    _ => return Err(format!("offset: {text:?} is neither UTC nor such as +01:00")),
                };
                sign * i64::try_from(time(rest)?).unwrap_or(0)
            }
        };
        Ok(Self { days: set, from: time(from)?, to: time(to)?, offset })
    }

    /// When it ends, if it lasts at this moment; Unix milliseconds.
    pub(crate) fn ends(&self, now_ms: u64) -> Option<u64> {
        let local = (now_ms / MINUTE_MS).checked_add_signed(self.offset)?;
        let (day, minute) = (local / DAY, local % DAY);
        let begins = |day: u64| {
            // The first of January 1970 was a Thursday.
            usize::try_from((day + 3) % 7).ok().and_then(|at| self.days.get(at)).copied().unwrap_or(false)
        };
        let overnight = self.to <= self.from;
        let end = if overnight && minute >= self.from && begins(day) {
            (day + 1) * DAY + self.to
        } else if (overnight && minute < self.to && day > 0 && begins(day - 1))
            || ((self.from..self.to).contains(&minute) && begins(day))
        {
            day * DAY + self.to
        } else {
            return None;
        };
        end.checked_add_signed(-self.offset).map(|minutes| minutes * MINUTE_MS)
    }
}

/// A day of the week, from Monday.
pub(crate) fn day_of(word: &str) -> Option<u64> {
    DAYS.iter().position(|day| *day == word).map(|at| at as u64)
}

/// `22:30` as a minute of the day.
pub(crate) fn minute(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: u64| {
        let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|number| plain && *number <= most)
    };
    Some(number(hours, 23)? * 60 + number(minutes, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MOMENT;

    /// So many minutes after Friday, 20 November 2026, 00:00 UTC.
    fn at(minutes: u64) -> u64 {
        MOMENT / (DAY * MINUTE_MS) * DAY * MINUTE_MS + minutes * MINUTE_MS
    }

    #[test]
    fn a_window_lasts_when_it_says_also_overnight_and_elsewhere() {
        let window = |days: &[&str], from: &str, to: &str, offset: &str| {
            let days: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
            Window::new(&days, from, to, offset).unwrap()
        };
        let lunch = window(&["fri"], "12:00", "13:00", "UTC");
        assert_eq!(lunch.ends(at(12 * 60)), Some(at(13 * 60)));
        assert_eq!((lunch.ends(at(12 * 60 - 1)), lunch.ends(at(13 * 60))), (None, None));
        assert_eq!(lunch.ends(at(DAY + 12 * 60)), None, "Saturday");
        let night = window(&["fri"], "22:00", "06:00", "UTC");
        assert_eq!(night.ends(at(23 * 60)), Some(at(DAY + 6 * 60)));
        assert_eq!(night.ends(at(DAY + 5 * 60)), Some(at(DAY + 6 * 60)), "it began on Friday");
        assert_eq!(night.ends(at(5 * 60)), None, "that night began on Thursday");
        let east = window(&["sat"], "00:00", "01:00", "+02:00");
        assert_eq!(east.ends(at(22 * 60 + 30)), Some(at(23 * 60)), "it is Saturday there");
        let whole = window(&[], "00:00", "00:00", "UTC");
        assert_eq!(whole.ends(at(5)), Some(at(DAY)));
        let strings = ["noday".to_owned()];
        assert!(Window::new(&strings, "12:00", "13:00", "UTC").is_err());
        for (from, to, offset) in
            [("24:00", "1:00", "UTC"), ("12:60", "13:00", "UTC"), ("12:00", "13:00", "CET")]
        {
            assert!(Window::new(&[], from, to, offset).is_err(), "{from} {to} {offset}");
        }
    }
}
