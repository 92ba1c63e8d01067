//! Corpora for `modelgate eval`.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read},
    path::Path,
};

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// What a text really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Label {
    Attack,
    Benign,
}

/// One line of a corpus.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) text: String,
    pub(crate) label: Label,
    #[serde(default)]
    pub(crate) kind: String,
    /// Whose words it is; the user's, if nothing is said.
    #[serde(default)]
    pub(crate) role: Option<String>,
}

/// Reads a corpus, gzipped if its name ends in `.gz`.
///
/// # Errors
/// When the file cannot be read or a line is no sample; the error names the line.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Sample>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let plain: Box<dyn Read> = if path.extension().is_some_and(|ending| ending == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut samples = Vec::new();
    for (at, line) in BufReader::new(plain).lines().enumerate() {
        let place = || format!("{}: line {}", path.display(), at + 1);
        let line = line.with_context(place)?;
        if !line.trim().is_empty() {
            samples.push(serde_json::from_str(&line).with_context(place)?);
        }
    }
    Ok(samples)
}
