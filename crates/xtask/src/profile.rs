//! `cargo xtask profile`: what an exchange costs in the filter itself, in V8 and without Envoy round it, and which calls
//! it makes to its host.
//!
//! Node's V8 runs the module as Envoy's does, and counts processor time, so that it can be measured on a machine that is
//! at work. The script says how to see the functions that the time goes by in.

use std::{fs, process::Command};

use anyhow::Result;

use crate::{Paths, build, demo, setup, step};

/// Sizes of the prompts in bytes: what is left of a short one is what every exchange costs.
const SIZES: [usize; 3] = [200, 2 << 10, 32 << 10];

/// Builds the filter, measures it, prints what came out.
///
/// # Errors
/// When a build fails or Node is not there.
pub fn run(paths: &Paths) -> Result<()> {
    setup::all(paths)?;
    build::filters(paths)?;
    let folder = paths.target.join("profile");
    fs::create_dir_all(&folder)?;
    let mut node = Command::new("node");
    node.arg("--no-liftoff").arg(paths.root.join("crates/xtask/profile/host.mjs")).arg(paths.filter());
    for size in SIZES {
        let body = folder.join(format!("prompt-{size}.json"));
        fs::write(&body, demo::chat_body(size))?;
        node.arg(body);
    }
    step::shown("measuring the filter in V8", &mut node)
}
