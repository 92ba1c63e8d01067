//! How values stand in columns.

use wire::{Category, Severity, Verdict};

/// The databases' integers are signed.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Back from [`int`].
pub(super) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Severities sort as numbers.
pub(super) const fn severity_code(severity: Severity) -> i64 {
    match severity {
        Severity::Low => 0,
        Severity::Medium => 1,
        Severity::High => 2,
        Severity::Critical => 3,
    }
}

/// Back from [`severity_code`].
pub(super) const fn severity_of(code: i64) -> Option<Severity> {
    match code {
        0 => Some(Severity::Low),
        1 => Some(Severity::Medium),
        2 => Some(Severity::High),
        3 => Some(Severity::Critical),
        _ => None,
    }
}

/// Verdicts by how much they take from the caller.
pub(super) const fn verdict_code(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Flag => 1,
        Verdict::Mask => 2,
        Verdict::Throttle => 3,
        Verdict::Block => 4,
    }
}

/// Back from [`verdict_code`].
pub(super) const fn verdict_of(code: i64) -> Option<Verdict> {
    match code {
        0 => Some(Verdict::Allow),
        1 => Some(Verdict::Flag),
        2 => Some(Verdict::Mask),
        3 => Some(Verdict::Throttle),
        4 => Some(Verdict::Block),
        _ => None,
    }
}

/// A category's word back to the category; a word of a newer relay is `Other`.
pub(super) fn category_of(word: &str) -> Category {
    serde_json::from_value(serde_json::Value::from(word)).unwrap_or(Category::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_severity_verdict_and_category_comes_back() {
        for severity in Severity::ALL {
            assert_eq!(severity_of(severity_code(severity)), Some(severity));
        }
        for verdict in Verdict::ALL {
            assert_eq!(verdict_of(verdict_code(verdict)), Some(verdict));
        }
        for category in Category::ALL {
            assert_eq!(category_of(category.as_str()), category);
        }
        assert_eq!(category_of("of a later version"), Category::Other);
    }
}
