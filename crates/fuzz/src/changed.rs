//! What a body may look like that was changed on its way.

use serde_json::Value;

/// What may stand in place of something else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changes {
    /// Whether a text is a placeholder.
    pub(crate) is_placeholder: fn(&str) -> bool,
    /// The most that numbers are made, where they may change.
    pub(crate) clamped: &'static [u64],
    /// Whether a value may be `null` now.
    pub(crate) nulls: bool,
    /// Whether the beginning of a text may be gone: the end of what is masked in the one before.
    pub(crate) cuts: bool,
}

/// `[EMAIL_1]`, or the note in place of a turn.
pub(crate) fn is_mask(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    let is_numbered = inside.rsplit_once('_').is_some_and(|(kind, number)| {
        !kind.is_empty()
            && kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            && number.parse::<u32>().is_ok()
    });
    is_numbered || inside == "This message was removed by the content policy."
}

/// `[redacted]`.
pub(crate) fn is_redaction(text: &str) -> bool {
    text == "[redacted]"
}

/// Checks that a JSON body is one still, and differs only as it may.
///
/// # Panics
/// When it does not.
pub(crate) fn check(before: &[u8], after: &[u8], changes: Changes) {
    let Ok(before_value) = serde_json::from_slice::<Value>(before) else { return };
    let both = || format!("{}\nbecame\n{}", String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    match serde_json::from_slice::<Value>(after) {
        Ok(after_value) => assert!(fits(&before_value, &after_value, changes), "{}", both()),
        Err(error) => panic!("no JSON any more, {error}: {}", both()),
    }
}

fn fits(before: &Value, after: &Value, changes: Changes) -> bool {
    match (before, after) {
        (Value::String(before), Value::String(after)) => is_masked(before, after, changes),
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(one, other)| fits(one, other, changes))
        }
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|((name, one), (same, other))| {
                    is_masked(name, same, changes) && fits(one, other, changes)
                })
        }
        (_, Value::Null) if changes.nulls => true,
        (_, Value::Number(number)) if number.as_u64().is_some_and(|it| changes.clamped.contains(&it)) => true,
        _ => before == after,
    }
}

/// Whether `after` is `before` with stretches of it replaced by placeholders.
fn is_masked(before: &str, after: &str, changes: Changes) -> bool {
    if before == after {
        return true;
    }
    // Where a placeholder may begin and end; greedy from the left, since what it replaced may be of any length.
    let (mut rest, mut from) = (before, 0);
    let mut is_start = !changes.cuts;
    for (open, _) in after.match_indices('[') {
        if open < from {
            continue;
        }
        let Some(length) = after[open..].find(']').map(|close| close + 1) else { break };
        if !(changes.is_placeholder)(&after[open..open + length]) {
            continue;
        }
        let piece = &after[from..open];
        let Some(at) = rest.find(piece).filter(|at| !is_start || *at == 0) else { return false };
        rest = &rest[at + piece.len()..];
        (from, is_start) = (open + length, false);
    }
    !is_start && rest.ends_with(&after[from..])
}

#[test]
fn what_a_mask_may_change_is_told_from_what_it_may_not() {
    let changes = |cuts| Changes { is_placeholder: is_mask, clamped: &[], nulls: false, cuts };
    let is = |before, after| is_masked(before, after, changes(false));
    assert!(is("mail a@b.example now", "mail [EMAIL_1] now") && is("a@b.example", "[EMAIL_12]"));
    assert!(is("a@b.example c@d.example", "[EMAIL_1] [EMAIL_2]") && is("same", "same"));
    assert!(!is("mail a@b.example now", "mail [EMAIL_1] no") && !is("mail a", "nail [EMAIL_1]"));
    assert!(!is("a", "b") && !is("ab", "a[email]") && !is("ab", "a"));
    assert!(
        is_masked("mail.example now", " now", changes(true)) && !is_masked("a now", " no", changes(true))
    );
}
