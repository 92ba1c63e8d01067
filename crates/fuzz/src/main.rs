//! libFuzzer round one of the targets, the one that [`TARGET`] names. With [`SEEDS`] it first writes the target's seeds
//! into that folder, for libFuzzer to begin with.

#![no_main]

use std::{env, fs, path::Path, process, sync::OnceLock};

use modelgate_fuzz::Target;

/// The variable that names the target.
const TARGET: &str = "MODELGATE_FUZZ_TARGET";
/// In place of a name: print all of them, with the longest input of each.
const LIST: &str = "?";
/// The variable that names a folder for its seeds.
const SEEDS: &str = "MODELGATE_FUZZ_SEEDS";

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: choose(),
    |data: &[u8]| {
        if let Some(run) = CHOSEN.get() {
            run(data);
        }
    }
);

fn choose() {
    let name = env::var(TARGET).unwrap_or_default();
    let Some(target) = Target::named(&name) else {
        for target in modelgate_fuzz::TARGETS {
            println!("{} {}", target.name, target.max_len);
        }
        process::exit(if name == LIST { 0 } else { 64 });
    };
    if let Some(folder) = env::var_os(SEEDS)
        && let Err(error) = write(target, Path::new(&folder))
    {
        eprintln!("writing seeds into {}: {error}", folder.display());
        process::exit(1);
    }
    CHOSEN.get_or_init(|| target.run);
}

fn write(target: &Target, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (nth, seed) in target.seeds()?.into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{nth:05}")), seed)?;
    }
    Ok(())
}
