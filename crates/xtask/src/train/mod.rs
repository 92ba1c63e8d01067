//! `cargo xtask train`: trains the models in `crates/detect/models`.
//!
//! The same corpora and grammars give the same bytes: every random choice is seeded, and sums are taken in a
//! fixed order. What comes out is measured by leaving out a source at a time, and written into the model card.

mod assemble;
mod calibrate;
mod card;
mod encode;
mod fit;
mod grammar;
mod judge;
mod quantise;
mod random;
mod sample;
mod senseless;
mod sets;

use std::{fs, path::Path, time::Instant};

use anyhow::{Context as _, Result, bail};
use detect::classifier::{HEADS, Head};

use calibrate::Judged;

use crate::{
    Paths, build,
    step::{self, say},
};

/// Checks the grammars, and shows what they hold.
///
/// # Errors
/// Names the first mistake.
pub fn check(paths: &Paths) -> Result<()> {
    let drawn = grammar::read(&grammars(paths))?;
    if drawn.is_empty() {
        bail!("crates/xtask/train holds no grammars");
    }
    step::print(&grammar::report(&drawn));
    Ok(())
}

fn grammars(paths: &Paths) -> std::path::PathBuf {
    paths.root.join("crates/xtask/train")
}

/// Trains on the corpora of a folder and on our own grammars, and writes the models and their card.
///
/// # Errors
/// When a corpus is missing or the models cannot be written.
pub fn run(paths: &Paths, corpora: &Path) -> Result<()> {
    if cfg!(debug_assertions) {
        // Without optimisation it would take an hour.
        let mut cargo = build::cargo(paths);
        cargo
            .args(["run", "--release", "--quiet", "--package", "xtask", "--", "train", "--corpora"])
            .arg(corpora);
        return step::shown("training, optimised", &mut cargo);
    }
    let start = Instant::now();
    let seconds = || format!("{:.1} s", start.elapsed().as_secs_f32());
    let mut texts = sample::read(corpora)?;
    let judged = texts.len();
    texts.extend(sample::encoded(&texts));
    let own = sample::own(grammar::read(&grammars(paths))?);
    texts.extend(sample::senseless(&own));
    texts.extend(own);
    say(&format!("{judged} texts of corpora, {} of our own ({})", texts.len() - judged, seconds()));
    let folds = judge::fit_folds(&texts);
    say(&format!("models fitted ({})", seconds()));
    texts.truncate(judged);
    let (scores, shipped) = judge::scores(&texts, &folds)?;
    let mut heads = [Head::default(); HEADS];
    let senseless = judge::senseless(&sample::senseless_to_judge(&texts), &folds)?;
    let rules = judge::rules(&texts);
    let judged =
        Judged { texts: &texts, unseen: &scores, shipped: &shipped, rules: &rules, senseless: &senseless };
    calibrate::calibrate(&judged, &mut heads);
    let files = quantise::quantise(&judge::mean(&folds), &mut heads);
    say(&format!("judged ({})", seconds()));
    let table = card::table(&texts, &scores, &heads, &rules)?;
    step::print(&table);
    let folder = paths.root.join("crates/detect/models");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.join(name), bytes).with_context(|| format!("crates/detect/models/{name}"))
    };
    write("weights.bin", &files.weights)?;
    write("numbers.bin", &files.numbers)?;
    card::update(&folder.join("MODEL_CARD.md"), &table)?;
    say(&format!("crates/detect/models is written ({})", seconds()));
    Ok(())
}
