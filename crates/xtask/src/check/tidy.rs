//! Small things that no compiler sees.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{Paths, paths::shown, step::say};

/// A file of more lines is hard to keep in mind.
const LINES: usize = 400;
/// How Cargo.lock begins a crate that comes from a registry, not from somebody's repository.
const REGISTRY: &str = "source = \"registry+";

/// # Errors
/// When a lock file names a host, two versions that must agree do not, or a source holds what it must not.
pub(super) fn check(paths: &Paths) -> Result<()> {
    let mut wrong = Vec::new();
    let read = |name: &str| fs::read_to_string(paths.root.join(name)).with_context(|| name.to_owned());
    wrong.extend(lock_files(
        &read("Cargo.lock")?,
        [&read("tests/node/package-lock.json")?, &read("tests/postgres/package-lock.json")?],
        &read("tests/smtp/requirements.txt")?,
    ));
    wrong.extend(bindgen_versions(&read("Cargo.lock")?));
    let sources = sources(&paths.root)?;
    for source in &sources {
        let text = fs::read_to_string(source).with_context(|| format!("{}", source.display()))?;
        let name = shown(paths, source);
        wrong.extend(forbidden(&text).into_iter().map(|what| format!("{name}: {what}")));
        let lines = text.lines().count();
        if lines > LINES {
            say(&format!("{name} has {lines} lines, more than {LINES}"));
        }
    }
    if sources.len() < 20 {
        bail!("only {} source files were found", sources.len());
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// Which registry a package is fetched from is the matter of whoever fetches it.
fn lock_files(cargo: &str, npm: [&str; 2], pip: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let sources = || cargo.lines().filter(|line| line.starts_with("source = "));
    // cargo writes its own registry alike for every crate.
    let first = sources().find(|line| line.starts_with(REGISTRY));
    let foreign = |line: &&str| Some(*line) != first;
    wrong.extend(sources().filter(foreign).map(|line| format!("Cargo.lock: {line}")));
    for (name, text) in ["node", "postgres"].into_iter().zip(npm) {
        if text.contains("\"resolved\"") {
            wrong.push(format!(
                "tests/{name}/package-lock.json names hosts: npm config set omit-lockfile-registry-resolved true"
            ));
        }
    }
    let pinned = |line: &&str| !line.starts_with('#') && !line.trim().is_empty() && !line.contains("==");
    wrong.extend(
        pip.lines().filter(pinned).map(|line| format!("tests/smtp/requirements.txt: {line} is not pinned")),
    );
    if pip.contains("://") {
        wrong.push("tests/smtp/requirements.txt names a host".into());
    }
    wrong
}

/// wasm-bindgen's tool understands only the wasm of its own version.
fn bindgen_versions(lock: &str) -> Vec<String> {
    let version = |name: &str| {
        let head = format!("name = \"{name}\"\nversion = \"");
        lock.split_once(&head).and_then(|(_, rest)| rest.split('"').next())
    };
    let (library, tool) = (version("wasm-bindgen"), version("wasm-bindgen-cli-support"));
    if library.is_some() && library == tool {
        return Vec::new();
    }
    vec![format!(
        "Cargo.lock: wasm-bindgen is {library:?}, wasm-bindgen-cli-support {tool:?}; they must be the same"
    )]
}

fn forbidden(text: &str) -> Vec<&'static str> {
    // Put together here, so that this file does not find itself.
    let found = |words: [&str; 2]| text.contains(&words.concat());
    let mut wrong = Vec::new();
    if found(["TO", "DO"]) || found(["FIX", "ME"]) {
        wrong.push("a note of work that is not done");
    }
    if found(["#[ig", "nore]"]) {
        wrong.push("an ignored test without a reason");
    }
    wrong
}

/// Every Rust, JavaScript and Python file of ours.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    const FOLDERS: [&str; 5] = ["crates", "envoy", "edge-worker", "alert-relay", "tests"];
    let mut found = Vec::new();
    let mut folders: Vec<_> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = entry.file_name();
            if kind.is_dir() && name != "target" && name != "node_modules" && name != "__pycache__" {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "mjs" || end == "py") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_in_lock_files_are_found() {
        let cargo = format!("{REGISTRY}a\"\n{REGISTRY}b\"\nsource = \"git+https://a.example/b\"\n");
        let wrong = lock_files(&cargo, ["{}", "{\"resolved\": \"https://x\"}"], "openai\n# a remark\na==1\n");
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(lock_files(&format!("{REGISTRY}a\"\n{REGISTRY}a\""), ["{}", "{}"], "a==1").is_empty());
    }

    #[test]
    fn bindgen_versions_must_agree() {
        let lock = |tool| {
            format!(
                "name = \"wasm-bindgen\"\nversion = \"1\"\n\nname = \"wasm-bindgen-cli-support\"\nversion = \"{tool}\"\n"
            )
        };
        assert!(bindgen_versions(&lock("1")).is_empty());
        assert_eq!(bindgen_versions(&lock("2")).len(), 1);
        assert_eq!(bindgen_versions("").len(), 1);
    }

    #[test]
    fn notes_and_bare_ignores_are_found() {
        let note = format!("// {}{}: later", "TO", "DO");
        assert_eq!(forbidden(&note).len(), 1);
        assert_eq!(forbidden(&["#[ig", "nore]"].concat()).len(), 1);
        assert!(forbidden("#[ignore = \"needs a network\"]").is_empty());
    }
}
