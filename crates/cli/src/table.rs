//! Plain tables for a terminal.

use std::io::{self, Write};

/// Writes rows under a head, columns as wide as their widest cell: words to the left, numbers to the right.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn write(output: &mut impl Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let is_number = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let numbers: Vec<bool> =
        (0..head.len()).map(|column| rows.iter().filter_map(|row| row.get(column)).all(is_number)).collect();
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, (width, is_number)) in row.iter().zip(widths.iter().zip(&numbers)) {
            let gap = if line.is_empty() { "" } else { "  " };
            if *is_number {
                line.push_str(&format!("{gap}{cell:>width$}"));
            } else {
                line.push_str(&format!("{gap}{cell:<width$}"));
            }
        }
        writeln!(output, "{}", line.trim_end())?;
    }
    Ok(())
}
