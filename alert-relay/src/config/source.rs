//! Where values come from: the file's text, and the environment above it.

use std::path::{Path, PathBuf};

use super::{ConfigErrors, Secret, raw::Raw};

/// The places a configuration is read from. The environment is a function so that tests need not touch the real one.
pub struct Source<'a> {
    /// The file named by `--config`.
    pub file: Option<&'a Path>,
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Source<'_> {
    /// The file's content; an empty configuration if there is none.
    pub(super) fn raw(&self) -> Result<Raw, ConfigErrors> {
        let Some(path) = self.file else { return Ok(Raw::default()) };
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigErrors(vec![format!("cannot read the configuration {shown}: {e}")]))?;
        // Only the message and the place: the reader's own display would quote the line, and with it a secret.
        toml::from_str(&text).map_err(|e| {
            let (line, column) = place(&text, e.span().map_or(0, |span| span.start));
            ConfigErrors(vec![format!("{shown}:{line}:{column}: {}", e.message())])
        })
    }

    /// A variable that is set to more than white space.
    pub(super) fn var(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The first of several variables that is set, with its name.
    pub(super) fn first_var<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        names.iter().find_map(|name| self.var(name).map(|value| (*name, value)))
    }

    /// A path of the file, relative to the file's own directory.
    pub(super) fn beside_file(&self, path: &str) -> PathBuf {
        match self.file.and_then(Path::parent) {
            Some(parent) => parent.join(path),
            None => PathBuf::from(path),
        }
    }

    /// A secret: a variable, a variable naming a file (`…_FILE`), the value in the file, a file named there.
    pub(super) fn secret(
        &self,
        names: &[&str],
        value: Option<String>,
        file: Option<&str>,
        key: &str,
        errors: &mut Vec<String>,
    ) -> Option<Secret> {
        for name in names {
            if let Some(value) = self.var(name) {
                return Some(Secret::new(value));
            }
            let name = format!("{name}_FILE");
            if let Some(path) = self.var(&name) {
                return read_secret(Path::new(&path), &name, errors);
            }
        }
        match (value, file) {
            (Some(_), Some(_)) => {
                errors.push(format!("{key} and {key}_file are both set; keep one"));
                None
            }
            (Some(value), None) => Some(Secret::new(value)),
            (None, Some(path)) => read_secret(&self.beside_file(path), &format!("{key}_file"), errors),
            (None, None) => None,
        }
    }
}

/// Reads a secret from a file; white space at its ends does not count.
fn read_secret(path: &Path, name: &str, errors: &mut Vec<String>) -> Option<Secret> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            errors.push(format!("{name}: {} is empty", path.display()));
            None
        }
        Ok(text) => Some(Secret::new(text.trim())),
        Err(e) => {
            errors.push(format!("{name}: cannot read {}: {e}", path.display()));
            None
        }
    }
}

/// Line and column, from 1, of a byte offset.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}
