//! The table at the end of the demo.

use super::traffic::Row;

const HEAD: [&str; 7] = ["case", "surface", "status", "verdict", "event", "in mail?", "ok?"];

/// The rows as text, with what is wrong under each.
pub(super) fn render(rows: &[Row]) -> String {
    let cells: Vec<[String; 7]> = rows
        .iter()
        .map(|row| {
            let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
            [
                row.case.to_owned(),
                row.surface.to_owned(),
                row.status.clone(),
                row.verdict.clone(),
                or_dash(&row.event),
                if row.event.is_empty() {
                    "-"
                } else if row.mailed {
                    "yes"
                } else {
                    "no"
                }
                .to_owned(),
                if row.wrong.is_empty() { "ok" } else { "NOT OK" }.to_owned(),
            ]
        })
        .collect();
    let mut widths = HEAD.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 7]| {
        let padded: Vec<_> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&HEAD.map(ToOwned::to_owned));
    text.push_str(&line(&widths.map(|width| "-".repeat(width))));
    for (row, cells) in rows.iter().zip(&cells) {
        text.push_str(&line(cells));
        for wrong in &row.wrong {
            text.push_str(&format!("    {wrong}\n"));
        }
    }
    text
}
