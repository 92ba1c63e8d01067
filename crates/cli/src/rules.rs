//! `modelgate rules`: what is looked for, for whoever writes exceptions or reads an event.

use std::io::Write;

use guard::{Inspector, KnownRule};
use policy::Policy;
use serde::Serialize;

use crate::table;

/// A rule as it is printed.
#[derive(Serialize)]
struct Row {
    rule: String,
    category: &'static str,
    severity: &'static str,
    weight: wire::Score,
    paranoia: u8,
    owasp: Vec<String>,
    atlas: Vec<String>,
    summary: String,
}

const HEAD: [&str; 6] = ["rule", "category", "severity", "weight", "paranoia", "summary"];

/// Writes the rules that a policy uses, ordered by their ids, as a table or as JSON lines.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn rules(policy: &Policy, as_json: bool, output: &mut impl Write) -> anyhow::Result<()> {
    let inspector = Inspector::new(policy)?;
    let row = |KnownRule { paranoia, report }| Row {
        rule: report.rule,
        category: report.category.as_str(),
        severity: report.severity.as_str(),
        weight: report.score,
        paranoia,
        owasp: report.owasp,
        atlas: report.atlas,
        summary: report.summary,
    };
    let mut rows: Vec<Row> = inspector.rules().map(row).collect();
    rows.sort_by(|a, b| a.rule.cmp(&b.rule));
    if as_json {
        for row in rows {
            writeln!(output, "{}", serde_json::to_string(&row)?)?;
        }
        return Ok(());
    }
    let cells = |row: Row| {
        vec![
            row.rule,
            row.category.into(),
            row.severity.into(),
            row.weight.to_string(),
            row.paranoia.to_string(),
            row.summary,
        ]
    };
    Ok(table::write(output, &HEAD, &rows.into_iter().map(cells).collect::<Vec<_>>())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(as_json: bool) -> String {
        let mut output = Vec::new();
        rules(&crate::load::policy_or_default(None).unwrap(), as_json, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn every_rule_is_listed_once_in_order() {
        let ids: Vec<String> = printed(true)
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["rule"].to_string())
            .collect();
        assert!(ids.len() > 200, "{}", ids.len());
        assert!(ids.is_sorted());
        assert!(ids.array_windows().all(|[a, b]| a != b));
        assert_eq!(printed(false).lines().count(), ids.len() + 1, "a head, and a line each");
    }
}
