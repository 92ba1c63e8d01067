//! An operator's own form of the mails about incidents: `subject.txt`, `mail.txt` and `mail.html` in one directory, any of
//! them, in the language of Jinja. What is not there stays as it is built in; headers are ours in any case.
//!
//! A template sees the values of [`context`] and nothing else: no file, no variable of the environment. What it may cost is
//! bounded ([`FUEL`], [`MAX_DEPTH`], [`MAX_OUTPUT_BYTES`]), and all of it is tried when the configuration is read.

mod context;
mod example;
#[cfg(test)]
mod tests;

use std::{fmt::Write as _, io, path::Path};

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::{clean::clean, story::Story};

/// The files, and how messages call what they make.
const NAMES: [&str; 3] = [SUBJECT, TEXT, HTML];
const SUBJECT: &str = "subject.txt";
const TEXT: &str = "mail.txt";
const HTML: &str = "mail.html";

/// Longest template.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// Longest text or HTML that one makes.
const MAX_OUTPUT_BYTES: usize = 256 * 1024;
/// Longest subject, in characters; RFC 5322 has lines of 998.
const MAX_SUBJECT_CHARS: usize = 200;
/// Instructions of the engine for one part of one mail; what is built in would need some thousands.
const FUEL: u64 = 200_000;
/// How deep macros and blocks may call each other.
const MAX_DEPTH: usize = 32;

/// Templates that were tried.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    engine: Environment<'static>,
}

/// What they make of one message; none where there is no template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) subject: Option<String>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
}

impl Templates {
    /// Reads a directory and tries what is there with made-up incidents.
    ///
    /// # Errors
    /// All that is wrong, each with file and line.
    pub(crate) fn load(directory: &Path) -> Result<Self, Vec<String>> {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine
            .set_auto_escape_callback(|name| if name == HTML { AutoEscape::Html } else { AutoEscape::None });
        engine.set_fuel(Some(FUEL));
        engine.set_recursion_limit(MAX_DEPTH);
        let mut errors = Vec::new();
        let entries = std::fs::read_dir(directory)
            .map_err(|e| vec![format!("cannot read {}: {e}", directory.display())])?;
        let mut found: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .filter(|name| !name.starts_with('.') && !name.ends_with('~'))
            .collect();
        found.sort();
        for name in found {
            let path = directory.join(&name);
            if !NAMES.contains(&name.as_str()) {
                errors.push(format!("{} is none of {}", path.display(), NAMES.join(", ")));
                continue;
            }
            match read(&path) {
                Ok(source) => {
                    if let Err(e) = engine.add_template_owned(name.clone(), source) {
                        errors.push(says(directory, &name, &e));
                    }
                }
                Err(e) => errors.push(format!("cannot read {}: {e}", path.display())),
            }
        }
        let templates = Self { engine };
        if errors.is_empty() {
            errors = templates.attempt(directory);
        }
        if errors.is_empty() && NAMES.iter().all(|name| templates.engine.get_template(name).is_err()) {
            errors.push(format!("{} has none of {}", directory.display(), NAMES.join(", ")));
        }
        if errors.is_empty() { Ok(templates) } else { Err(errors) }
    }

    /// What goes wrong with made-up incidents, each thing once.
    fn attempt(&self, directory: &Path) -> Vec<String> {
        let mut errors = Vec::new();
        for story in example::stories() {
            let values = context::of(&story);
            for name in NAMES {
                if let Some(Err(e)) = self.part(name, &values) {
                    let error = says(directory, name, &e);
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                }
            }
        }
        errors
    }

    /// The parts of one message.
    ///
    /// # Errors
    /// File, line and what is wrong.
    pub(super) fn render(&self, story: &Story) -> Result<Rendered, String> {
        let values = context::of(story);
        let part = |name| self.part(name, &values).transpose().map_err(|e| says(Path::new(""), name, &e));
        Ok(Rendered {
            subject: part(SUBJECT)?.map(|text| one_line(&text)).filter(|line| !line.is_empty()),
            text: part(TEXT)?,
            html: part(HTML)?,
        })
    }

    fn part(&self, name: &str, values: &Value) -> Option<Result<String, Error>> {
        let template = self.engine.get_template(name).ok()?;
        let mut out = Bounded(Vec::new());
        let rendered = template.render_captured_to(values, &mut out);
        Some(rendered.map(|_| String::from_utf8_lossy(&out.0).into_owned()))
    }
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::Error::other(format!("it makes more than {MAX_OUTPUT_BYTES} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("{length} bytes are more than {MAX_FILE_BYTES}")));
    }
    std::fs::read_to_string(path)
}

/// Line ends become spaces, and there is an end to it.
fn one_line(text: &str) -> String {
    clean(&text.split_whitespace().collect::<Vec<_>>().join(" "), MAX_SUBJECT_CHARS)
}

/// `directory/file:line: what`.
fn says(directory: &Path, name: &str, error: &Error) -> String {
    let mut says = directory.join(name).display().to_string();
    // Writing to a string cannot fail.
    let _ = match (error.line(), error.kind()) {
        (Some(line), ErrorKind::OutOfFuel) => write!(says, ":{line}: it does not end, or takes too long"),
        (None, ErrorKind::OutOfFuel) => write!(says, ": it does not end, or takes too long"),
        (Some(line), kind) => write!(says, ":{line}: {kind}"),
        (None, kind) => write!(says, ": {kind}"),
    };
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    if let Some(detail) = error.detail() {
        let _ = write!(says, ": {detail}");
    }
    while let Some(inner) = cause {
        let _ = write!(says, ": {inner}");
        cause = inner.source();
    }
    clean(&says, 600)
}
