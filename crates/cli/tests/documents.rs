//! What the repository ships beside the code: the schema and the example policies, held to the code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails here fails as it should")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn modelgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_modelgate")).args(arguments).output().unwrap()
}

fn policy_crate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy")
}

#[test]
fn the_published_schema_is_the_codes() {
    let file = policy_crate().join("policy.schema.json");
    let generated = String::from_utf8(modelgate(&["schema"]).stdout).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap();
    assert!(published == generated, "policy.schema.json is stale: run this test with UPDATE=1");
    let schema: serde_json::Value = serde_json::from_str(&published).unwrap();
    for field in [
        "model",
        "mode",
        "input",
        "detect",
        "unscannable",
        "limits",
        "identity",
        "report",
        "relay",
        "exceptions",
        "shadow",
    ] {
        assert!(!schema["properties"][field].is_null(), "{field} is not in the schema");
    }
    assert_eq!(schema["required"], serde_json::json!(["model"]));
}

#[test]
fn every_example_policy_is_valid() {
    let mut names = Vec::new();
    for entry in fs::read_dir(policy_crate().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let output = modelgate(&["validate", path.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{path:?}: {}", String::from_utf8_lossy(&output.stderr));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(told.contains("warning"), name == "observe", "{told}");
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["careful", "chat", "customers", "images", "observe"]);
}

#[test]
fn a_bad_policy_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, place) in [
        ("bad.json", "{\"model\":{\"name\":\"m\"},\n \"mode\":\"watch\"}", "line 2, column 15"),
        ("bad.yaml", "model:\n  name: m\nlimits:\n  max_requests_per_minute: 0\n", "line 4"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let output = modelgate(&["validate", path.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(place), "{name}: {told}");
    }
}
