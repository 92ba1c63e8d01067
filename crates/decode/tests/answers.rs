//! Answers of every protocol that come whole, each with what it decodes to written beside it.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p modelgate-decode` writes the snapshots anew; read them before committing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use std::{fmt::Write as _, fs, path::Path};

use modelgate_decode::{Decoded, Input, Limits, ProblemKind, Role, decode_response};

/// Names of the files, and the paths that were asked.
const ANSWERS: [(&str, &str); 10] = [
    ("openai_chat", "/v1/chat/completions"),
    ("openai_completions", "/v1/completions"),
    ("openai_responses", "/v1/responses"),
    ("anthropic_messages", "/v1/messages"),
    ("gemini", "/v1beta/models/g:generateContent"),
    ("ollama", "/api/generate"),
    ("bedrock_converse", "/model/m/converse"),
    ("mcp", "/mcp"),
    ("kserve_v2", "/v2/models/m/infer"),
    ("error", "/v1/chat/completions"),
];

fn read<'a>(path: &'a str, content_type: &'a str, body: &'a [u8]) -> Decoded<'a> {
    let input = Input { path, content_type: Some(content_type), body, ..Input::default() };
    decode_response(&input, &Limits::default()).unwrap()
}

fn render(decoded: &Decoded<'_>) -> String {
    let mut out = String::new();
    let facts = format!("{:?}", decoded.facts);
    writeln!(out, "facts: {}", facts.trim_start_matches("Facts { ").trim_end_matches(" }")).unwrap();
    for part in &decoded.parts {
        writeln!(out, "{} at {} {:?}\n    {:?}", part.role.as_str(), part.place(), part.span(), part.text)
            .unwrap();
    }
    for tensor in &decoded.tensors {
        writeln!(out, "tensor at {} {:?}", tensor.place(), tensor.values).unwrap();
    }
    out
}

#[test]
fn every_answer_decodes_to_its_snapshot_whether_or_not_the_path_says_what_it_is() {
    for (name, path) in ANSWERS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers").join(name);
        let body = fs::read(file.with_extension("json")).unwrap();
        let decoded = read(path, "application/json", &body);
        let got = render(&decoded);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(file.with_extension("snap"), &got).unwrap();
        }
        assert_eq!(got, fs::read_to_string(file.with_extension("snap")).unwrap_or_default(), "{name}");
        assert!(
            decoded.parts.iter().all(|part| part.role != Role::User && part.role != Role::Unknown),
            "{name}"
        );
        // An error looks like no protocol, and what KServe answers is any JSON.
        if !matches!(name, "kserve_v2" | "error") {
            assert_eq!(render(&read("/any", "application/json", &body)), got, "{name}");
        }
    }
}

#[test]
fn pages_and_texts_are_the_models_words() {
    for content_type in ["text/html; charset=utf-8", "text/plain", "text/event-stream"] {
        let decoded = read("/v1/chat/completions", content_type, b"<h1>502 Bad Gateway</h1>");
        assert_eq!(
            (decoded.parts[0].role, &*decoded.parts[0].text),
            (Role::Assistant, "<h1>502 Bad Gateway</h1>")
        );
    }
    assert_eq!(read("/any", "application/json", b" ").parts.len(), 1);
    assert_eq!(read("/any", "application/json", b"").parts.len(), 0);
}

#[test]
fn answers_that_cannot_be_read_are_problems() {
    let table: [(&str, &[u8], ProblemKind); 6] = [
        ("application/json", b"{\"a\":", ProblemKind::Syntax),
        ("application/json", b"{\"a\":1,\"a\":2}", ProblemKind::DuplicateKey),
        ("application/json", b"{} {}", ProblemKind::TrailingData),
        ("application/json", b"\"\xff\"", ProblemKind::Encoding),
        ("image/png", b"x", ProblemKind::UnsupportedType),
        ("application/json", b"{\"usage\":{\"prompt_tokens\":1e999}}", ProblemKind::NumberRange),
    ];
    for (content_type, body, kind) in table {
        let input =
            Input { path: "/v1/messages", content_type: Some(content_type), body, ..Input::default() };
        let problem = decode_response(&input, &Limits::default()).unwrap_err();
        assert_eq!(problem.kind, kind, "{problem}");
    }
}
