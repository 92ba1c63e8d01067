//! Bodies of every protocol, each with what it decodes to written beside it.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p modelgate-decode` writes the snapshots anew; read them before committing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use modelgate_decode::{Decoded, Input, Limits, Part, Problem, Protocol, decode};

/// The folders, the path that promises their protocol, and how many bodies each holds at least.
const FOLDERS: [(&str, &str, usize); 13] = [
    ("openai_chat", "/v1/chat/completions", 14),
    ("openai_completions", "/v1/completions?x=1", 7),
    ("openai_embeddings", "/v1/embeddings/", 5),
    ("anthropic_messages", "/v1/messages", 3),
    ("kserve_v2", "/v2/models/digits/versions/3/infer", 23),
    ("openai_responses", "/v1/responses", 8),
    ("openai_moderations", "/v1/moderations", 3),
    ("gemini", "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", 11),
    ("ollama", "/api/chat", 5),
    ("bedrock_converse", "/model/anthropic.claude-3-haiku%3A0/converse", 6),
    ("mcp", "/mcp", 11),
    ("json", "/v1/models/digits:predict", 10),
    ("text", "/generate", 2),
];

fn bodies(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it != "snap")).collect();
    files.sort();
    files
}

fn read<'a>(path: &'a str, folder: &str, body: &'a [u8]) -> Result<Decoded<'a>, Problem> {
    let content_type = if folder == "text" { "text/plain; charset=utf-8" } else { "application/json" };
    decode(
        &Input { protocol: None, path, content_type: Some(content_type), body, ..Input::default() },
        &Limits::default(),
    )
}

fn render(result: &Result<Decoded<'_>, Problem>) -> String {
    let mut out = String::new();
    let decoded = match result {
        Ok(decoded) => decoded,
        Err(problem) => return format!("problem: {problem}\n"),
    };
    writeln!(out, "protocol: {}", decoded.protocol.as_str()).unwrap();
    let facts = format!("{:?}", decoded.facts);
    writeln!(out, "facts: {}", facts.trim_start_matches("Facts { ").trim_end_matches(" }")).unwrap();
    for part in &decoded.parts {
        let message = part.message.map_or(String::from("-"), |number| number.to_string());
        let (role, place, span) = (part.role.as_str(), part.place(), part.span());
        writeln!(out, "part: {role} message {message} at {place} {span:?}\n    {:?}", part.text).unwrap();
    }
    for tensor in &decoded.tensors {
        let null = if tensor.has_null { ", with null" } else { "" };
        let (name, datatype, place) = (&tensor.name, tensor.datatype.as_str(), tensor.place());
        writeln!(out, "tensor: {name:?} {datatype} {:?} at {place} {:?}{null}", tensor.shape, tensor.span)
            .unwrap();
        writeln!(out, "    {:?}", tensor.values).unwrap();
    }
    out
}

#[test]
fn every_body_decodes_to_its_snapshot() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    for (folder, path, least) in FOLDERS {
        let bodies = bodies(folder);
        assert!(bodies.len() >= least, "{folder} has only {} bodies", bodies.len());
        for file in bodies {
            let body = fs::read(&file).unwrap();
            let got = render(&read(path, folder, &body));
            let snapshot = file.with_extension("snap");
            if update {
                fs::write(&snapshot, &got).unwrap();
            }
            let expected = fs::read_to_string(&snapshot).unwrap_or_default();
            assert_eq!(got, expected, "{}", file.display());
        }
    }
}

#[test]
fn a_body_without_a_promising_path_is_recognised_and_read_the_same() {
    let texts =
        |parts: &[Part<'_>]| parts.iter().map(|part| (part.role, part.text.to_string())).collect::<Vec<_>>();
    let mut recognised = 0;
    for (folder, path, _) in FOLDERS {
        for file in bodies(folder) {
            let body = fs::read(&file).unwrap();
            let Ok(promised) = read(path, folder, &body) else { continue };
            let found = read("/any", folder, &body).unwrap();
            if found.protocol == promised.protocol {
                recognised += 1;
                assert_eq!(texts(&found.parts), texts(&promised.parts), "{}", file.display());
                assert_eq!(found.tensors.len(), promised.tensors.len(), "{}", file.display());
            } else {
                // Read as another form, no text may be lost.
                let all: String = found.parts.iter().map(|part| part.text.as_ref()).collect();
                assert!(promised.parts.iter().all(|part| all.contains(&*part.text)), "{}", file.display());
            }
        }
    }
    assert!(recognised >= 18, "only {recognised} recognised");
}

#[test]
fn a_policy_overrides_path_and_content() {
    let body = br#"{"messages":[{"role":"system","content":"x"}]}"#;
    let path = "/v1/chat/completions";
    let input = Input { protocol: Some(Protocol::Json), path, content_type: None, body, ..Input::default() };
    let decoded = decode(&input, &Limits::default()).unwrap();
    assert_eq!((decoded.protocol, decoded.parts.len()), (Protocol::Json, 2));
    let text = decode(&Input { protocol: Some(Protocol::Text), ..input }, &Limits::default()).unwrap();
    assert_eq!((text.protocol, &*text.parts[0].text), (Protocol::Text, std::str::from_utf8(body).unwrap()));
}
