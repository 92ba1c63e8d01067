//! A short run of `cargo xtask soak`.

use anyhow::{Context as _, Result, ensure};
use xtask::{
    Paths, soak,
    stack::{Options, Stack},
};

#[test]
fn mixed_requests_are_answered_as_they_must_be_and_memory_stays_flat() -> Result<()> {
    let paths = Paths::find();
    let stack = Stack::start(&paths, soak::options(Options::test(&paths, "soak-test")?))?;
    let outcome = soak::drive(&stack, 20_000)?;
    outcome.check().with_context(|| soak::table(&outcome))?;
    ensure!(outcome.number_of_vms == 5, "{} VMs", outcome.number_of_vms);
    let last = outcome.samples.last().context("nothing was read")?;
    ensure!(last.resident > 50 << 20 && last.vms > 5 << 20, "not read: {last:?}");
    Ok(())
}
