//! Which of our crates may know which: the drawing in the README, as a table.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{Paths, build, step};

/// A crate and those it may depend on. Tests may know more: `dev-dependencies` are not looked at.
const MAY_KNOW: [(&str, &[&str]); 16] = [
    ("modelgate-wire", &[]),
    ("modelgate-decode", &[]),
    ("modelgate-normalise", &[]),
    ("modelgate-detect", &["modelgate-normalise"]),
    ("modelgate-policy", &["modelgate-detect"]),
    (
        "modelgate-guard",
        &[
            "modelgate-decode",
            "modelgate-normalise",
            "modelgate-detect",
            "modelgate-policy",
            "modelgate-wire",
        ],
    ),
    ("modelgate-envoy", &["modelgate-guard"]),
    ("modelgate-edge-worker", &["modelgate-guard"]),
    ("alert-relay", &["modelgate-wire", "modelgate-policy"]),
    ("modelgate-cli", &["modelgate-guard", "modelgate-policy", "modelgate-wire"]),
    (
        "modelgate-fuzz",
        &[
            "modelgate-wire",
            "modelgate-decode",
            "modelgate-normalise",
            "modelgate-detect",
            "modelgate-policy",
            "modelgate-guard",
            "modelgate-envoy",
            "modelgate-edge-worker",
            "alert-relay",
        ],
    ),
    ("xtask", &["modelgate-detect", "modelgate-normalise"]),
    ("edge-bindgen", &[]),
    ("stand-in", &[]),
    ("empty-filter", &[]),
    ("modelgate-e2e", &["xtask", "modelgate-guard", "modelgate-policy", "modelgate-wire"]),
];

/// # Errors
/// When a crate knows one that it must not, or is not in the table.
pub(super) fn check(paths: &Paths) -> Result<()> {
    let mut metadata = build::cargo(paths);
    metadata.args(["metadata", "--locked", "--no-deps", "--format-version", "1"]);
    let metadata = serde_json::from_str(&step::output(&mut metadata)?).context("cargo metadata")?;
    let wrong = violations(&dependencies(&metadata)?);
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// Our crates with those of ours they depend on.
fn dependencies(metadata: &Value) -> Result<BTreeMap<String, Vec<String>>> {
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo metadata has no packages")?;
    let mut all = BTreeMap::new();
    for package in packages {
        let name = package.get("name").and_then(Value::as_str).context("a package has no name")?;
        let dependencies =
            package.get("dependencies").and_then(Value::as_array).context("no dependencies")?;
        let ours = dependencies.iter().filter(|dependency| {
            let is_dev = dependency.get("kind").and_then(Value::as_str) == Some("dev");
            !is_dev && dependency.get("path").is_some_and(Value::is_string)
        });
        let names = ours.filter_map(|dependency| Some(dependency.get("name")?.as_str()?.to_owned()));
        all.insert(name.to_owned(), names.collect());
    }
    Ok(all)
}

fn violations(dependencies: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, known) in dependencies {
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(other, _)| other == name) else {
            wrong.push(format!("{name} is not in the table of crates/xtask/src/check/directions.rs"));
            continue;
        };
        for other in known.iter().filter(|other| !allowed.contains(&other.as_str())) {
            wrong.push(format!("{name} must not depend on {other}"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(packages: Value) -> Vec<String> {
        violations(&dependencies(&json!({ "packages": packages })).unwrap())
    }

    #[test]
    fn a_dependency_against_the_direction_is_found() {
        let on_guard = json!({ "name": "modelgate-guard", "path": "/x", "kind": null });
        let found = wrong(json!([{ "name": "modelgate-wire", "dependencies": [on_guard] }]));
        assert_eq!(found, ["modelgate-wire must not depend on modelgate-guard"]);
    }

    #[test]
    fn tests_may_know_more_and_strangers_are_no_matter() {
        let dev = json!({ "name": "modelgate-guard", "path": "/x", "kind": "dev" });
        let stranger = json!({ "name": "serde", "kind": null });
        assert!(wrong(json!([{ "name": "modelgate-wire", "dependencies": [dev, stranger] }])).is_empty());
    }

    #[test]
    fn a_crate_that_nobody_entered_is_found() {
        assert_eq!(wrong(json!([{ "name": "new", "dependencies": [] }])).len(), 1);
    }
}
