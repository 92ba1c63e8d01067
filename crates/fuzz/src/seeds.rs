//! What the fuzzer begins with: the fixtures of the crates.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Longer files teach a fuzzer nothing that shorter ones do not, and are slow.
const LONGEST: u64 = 32 << 10;

/// Where a target's seeds come from.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// Files, or folders with all that is in them, from the repository's root.
    pub files: &'static [&'static str],
    /// What stands before the content of a file, each in turn: the bytes that choose among protocols and policies.
    pub fronts: &'static [&'static [u8]],
    /// Makes others; the same stands before them.
    pub made: fn() -> Vec<Vec<u8>>,
}

impl Seeds {
    /// No seeds but those that are made.
    pub(crate) const fn made(made: fn() -> Vec<Vec<u8>>) -> Self {
        Self { files: &[], fronts: &[], made }
    }

    /// All inputs, in the same order each time.
    pub(crate) fn read(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut paths = Vec::new();
        for name in self.files {
            files(&root().join(name), &mut paths)?;
        }
        paths.sort();
        let contents = paths.into_iter().map(fs::read).collect::<io::Result<Vec<_>>>()?;
        let all = contents.into_iter().chain((self.made)());
        Ok(match self.fronts {
            [] => all.collect(),
            fronts => all
                .flat_map(|content| fronts.iter().map(move |front| [front, content.as_slice()].concat()))
                .collect(),
        })
    }
}

/// The lines of a text, `\n` in them a line feed.
pub(crate) fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().filter(|line| !line.is_empty()).map(|line| line.replace("\\n", "\n").into_bytes()).collect()
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// The files at or below a path; snapshots are what came out of others.
pub(crate) fn files(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            files(&entry?.path(), found)?;
        }
    } else if path.extension().is_none_or(|end| end != "snap") && path.metadata()?.len() <= LONGEST {
        found.push(path.to_owned());
    }
    Ok(())
}
