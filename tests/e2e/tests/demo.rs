//! The demo's own cases, on both surfaces, and the README that shows them.

use std::fs;

use anyhow::{Result, ensure};
use modelgate_e2e::stack;
use xtask::{Paths, demo};

#[test]
fn every_case_of_the_demo_comes_out_as_the_readme_shows() -> Result<()> {
    let stack = stack("demo-cases")?;
    let (table, good) = demo::sample(&stack)?;
    ensure!(good, "\n{table}");
    let readme = fs::read_to_string(Paths::find().root.join("README.md"))?;
    for surface in ["envoy", "edge"] {
        let rows: Vec<&str> =
            table.lines().filter(|row| row.split_whitespace().any(|cell| cell == surface)).collect();
        ensure!(rows.len() >= 12, "{} cases on {surface}:\n{table}", rows.len());
        for row in rows {
            // Case, surface, status and verdict; the event's id differs from run to run.
            let told: Vec<&str> = row.split("  ").filter(|cell| !cell.is_empty()).take(4).collect();
            let shown = readme.lines().any(|line| {
                let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).take(4).collect();
                cells.iter().map(|cell| cell.trim()).eq(told.iter().map(|cell| cell.trim()))
            });
            ensure!(shown, "the README does not show: {row}");
        }
    }
    Ok(())
}
