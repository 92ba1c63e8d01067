//! Streamed answers of every protocol, each with what it gives written beside it, and the same however they are cut.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p modelgate-decode` writes the snapshots anew; read them before committing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use std::{fmt::Write as _, fs, path::Path};

use modelgate_decode::{
    Channel, Delta, Limits, Problem,
    ProblemKind::{self, *},
    Protocol, Stream,
};

const STREAMS: [(&str, Protocol); 8] = [
    ("openai_chat", Protocol::OpenAiChat),
    ("openai_completions", Protocol::OpenAiCompletions),
    ("openai_responses", Protocol::OpenAiResponses),
    ("anthropic_messages", Protocol::AnthropicMessages),
    ("gemini", Protocol::Gemini),
    ("gemini_array", Protocol::Gemini),
    ("ollama", Protocol::Ollama),
    ("mcp", Protocol::Mcp),
];

fn file(name: &str, extension: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(name).with_extension(extension)
}

/// Reads chunks to the end.
fn read<'c>(
    protocol: Protocol,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Stream, Vec<Delta>, Option<Problem>) {
    let (mut stream, mut deltas) = (Stream::new(protocol, &Limits::default()), Vec::new());
    let pushed = chunks.into_iter().try_for_each(|chunk| stream.push(chunk, &mut deltas));
    let ended = pushed.and_then(|()| stream.end(&mut deltas));
    (stream, deltas, ended.err())
}

fn render(stream: &Stream, deltas: &[Delta]) -> String {
    let mut out = String::new();
    let facts = stream.facts();
    let (finish, input, output) = (&facts.finish, facts.input_tokens, facts.output_tokens);
    writeln!(out, "events {}, done {}, model {:?}", stream.events(), stream.is_done(), facts.model).unwrap();
    writeln!(out, "finish {finish:?}, tokens {input:?} and {output:?}").unwrap();
    for delta in deltas {
        let lane = delta.lane;
        writeln!(
            out,
            "{} {:?} {}.{} at {} {:?}\n    {:?}",
            delta.role.as_str(),
            lane.channel,
            lane.choice,
            lane.block,
            delta.place,
            delta.span,
            delta.text
        )
        .unwrap();
    }
    out
}

#[test]
fn every_stream_gives_its_snapshot() {
    for (name, protocol) in STREAMS {
        let bytes = fs::read(file(name, "txt")).unwrap();
        let (stream, deltas, problem) = read(protocol, [&bytes[..]]);
        assert_eq!(problem, None, "{name}");
        assert!(deltas.len() >= 2, "{name}");
        let got = render(&stream, &deltas);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(file(name, "snap"), &got).unwrap();
        }
        assert_eq!(got, fs::read_to_string(file(name, "snap")).unwrap_or_default(), "{name}");
        // Any stream is read the same when nobody says what it is.
        let (_, sniffed, problem) = read(Protocol::Json, [&bytes[..]]);
        assert_eq!((problem, sniffed), (None, deltas), "{name}");
    }
}

#[test]
fn deltas_are_the_same_wherever_the_stream_is_cut_and_however_its_lines_end() {
    let mut cuts = 0;
    for (name, protocol) in STREAMS {
        let text = fs::read_to_string(file(name, "txt")).unwrap();
        let texts = |deltas: &[Delta]| -> Vec<_> {
            deltas
                .iter()
                .map(|delta| (delta.role, delta.lane, delta.place.clone(), delta.text.clone()))
                .collect()
        };
        let (_, plain, _) = read(protocol, [text.as_bytes()]);
        for ends in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', ends);
            let bytes = text.as_bytes();
            let (_, whole, problem) = read(protocol, [bytes]);
            assert_eq!(problem, None, "{name}");
            assert_eq!(texts(&whole), texts(&plain), "{name} with {ends:?}");
            for at in 0..=bytes.len() {
                cuts += 1;
                let (_, cut, problem) = read(protocol, [&bytes[..at], &bytes[at..]]);
                assert_eq!(problem, None, "{name} cut at {at}");
                assert_eq!(cut, whole, "{name} cut at {at}");
            }
            for size in [1, 2, 3, 7, 64] {
                assert_eq!(read(protocol, bytes.chunks(size)).1, whole, "{name} in chunks of {size}");
            }
        }
    }
    assert!(cuts > 15_000, "only {cuts} cuts");
}

#[test]
fn every_stretch_of_a_delta_maps_to_the_bytes_that_stand_for_it() {
    let mut stretches = 0;
    for (name, protocol) in STREAMS {
        let bytes = fs::read(file(name, "txt")).unwrap();
        for delta in read(protocol, [&bytes[..]]).1 {
            let ends: Vec<usize> =
                delta.text.char_indices().map(|(at, _)| at).chain([delta.text.len()]).collect();
            for (nth, &from) in ends.iter().enumerate() {
                for &to in &ends[nth + 1..] {
                    stretches += 1;
                    let span = delta.stream_span(from..to);
                    let written =
                        &bytes[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()];
                    let undone: String = serde_json::from_slice(&[b"\"", written, b"\""].concat()).unwrap();
                    assert_eq!(undone, delta.text[from..to], "{name}");
                }
            }
            assert_eq!(delta.stream_span(0..delta.text.len()), delta.span);
        }
    }
    assert!(stretches > 2000, "only {stretches}");
}

#[test]
fn plain_text_is_given_as_it_comes_but_for_characters_that_are_cut() {
    let bytes = "Grüß Gott 🥖, \"wörld\"".as_bytes();
    for at in 0..=bytes.len() {
        let (_, deltas, problem) = read(Protocol::Text, [&bytes[..at], &bytes[at..]]);
        assert_eq!(problem, None);
        let text: String = deltas.iter().map(|delta| delta.text.as_str()).collect();
        assert_eq!(text.as_bytes(), bytes);
        let mut behind = 0;
        for delta in &deltas {
            assert_eq!(delta.span, behind..behind + delta.text.len() as u64);
            behind = delta.span.end;
        }
    }
    let problem =
        |chunks: &[&[u8]]| read(Protocol::Text, chunks.iter().copied()).2.map(|it| (it.kind, it.at));
    assert_eq!(problem(&[b"a\xc3"]), Some((Encoding, 2)));
    assert_eq!(problem(&[b"a\xc3", b"x"]), Some((Encoding, 1)));
    assert_eq!(problem(&[b"a", b"b\xff"]), Some((Encoding, 2)));
}

#[test]
fn broken_streams_are_refused_at_their_place_and_stay_refused() {
    let table: &[(&[u8], ProblemKind, usize)] = &[
        (b"data: {\"choices\":[\n\n", Syntax, 18),
        (b"data: ok\n\n", Syntax, 6),
        (b"data: {}\n\ndata: {} {}\n\n", TrailingData, 19),
        (b"data: {}\n\ndata: {\"a\":1,\"a\":2}\n\n", DuplicateKey, 23),
        (b"data: {\"a\":\"\xff\"}\n\n", Encoding, 12),
        (b"data: {\"a\":\ndata: \"x\ndata: y\"}\n\n", Syntax, 20),
        (b"data: {\"a\":\"\\ud800\"}\n\n", Surrogate, 12),
        (b"{\"a\":1}x", Syntax, 7),
        (b"{\"a\":[1}", Syntax, 8),
        (b"[{\"a\":1}, 5]", Syntax, 10),
        (b"data: {\"a\":", Syntax, 11),
    ];
    assert!(table.len() >= 11);
    for (bytes, kind, at) in table {
        let shown = String::from_utf8_lossy(bytes);
        let (mut stream, mut deltas, problem) = read(Protocol::OpenAiChat, [*bytes]);
        let problem = problem.unwrap_or_else(|| panic!("accepted: {shown:?}"));
        assert_eq!((problem.kind, problem.at), (*kind, *at), "{shown:?}: {problem}");
        assert_eq!(stream.push(b"data: {}\n\n", &mut deltas), Err(problem), "{shown:?}");
        for cut in 0..bytes.len() {
            let (_, _, again) = read(Protocol::OpenAiChat, [&bytes[..cut], &bytes[cut..]]);
            assert_eq!(again, Some(problem), "{shown:?} cut at {cut}");
        }
    }
}

#[test]
fn memory_is_bounded_by_the_longest_event() {
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    let kind_of = |bytes: &[u8], size: usize| {
        let (mut stream, mut deltas) = (Stream::new(Protocol::OpenAiChat, &limits), Vec::new());
        bytes.chunks(size).try_for_each(|chunk| stream.push(chunk, &mut deltas)).err().map(|it| it.kind)
    };
    let long = format!("data: {{\"a\":\"{}\"}}\n\n", "x".repeat(100));
    let lines = "data: 1\n".repeat(60);
    let object = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    let comment = format!(":{}\n\n", "x".repeat(150));
    for size in [1, 10, 1000] {
        for bytes in [&long, &lines, &object, &comment] {
            assert_eq!(kind_of(bytes.as_bytes(), size), Some(TooLarge), "{bytes} by {size}");
        }
        assert_eq!(kind_of("data: {}\n\n".repeat(100).as_bytes(), size), None);
        assert_eq!(kind_of("{}\n".repeat(100).as_bytes(), size), None);
    }
    let limits = Limits::default();
    let (mut stream, mut deltas) = (Stream::new(Protocol::OpenAiChat, &limits), Vec::new());
    let problem = stream.push("data:\n".repeat(2000).as_bytes(), &mut deltas).unwrap_err();
    assert_eq!(problem.kind, TooMany);
}

#[test]
fn what_a_stream_repeats_is_given_once_and_what_it_only_says_at_the_end_is_given() {
    let bytes = fs::read(file("openai_responses", "txt")).unwrap();
    let (_, deltas, _) = read(Protocol::OpenAiResponses, [&bytes[..]]);
    let text = |channel: Channel| -> String {
        deltas.iter().filter(|it| it.lane.channel == channel).map(|it| it.text.as_str()).collect()
    };
    assert_eq!(text(Channel::Text), "Good dayNever streamed beforeOnly at the end");
    assert_eq!(text(Channel::Call), "{\"a\":1}");
}

/// A message of Amazon's event stream.
fn message(kind: &str, payload: &str) -> Vec<u8> {
    let header =
        [&[11][..], b":event-type", &[7, 0, u8::try_from(kind.len()).unwrap()], kind.as_bytes()].concat();
    let length = |size: usize| u32::try_from(size).unwrap().to_be_bytes();
    let mut bytes = [length(16 + header.len() + payload.len()), length(header.len())].concat();
    bytes.extend(crc(&bytes));
    bytes.extend([&header, payload.as_bytes()].concat());
    let sum = crc(&bytes);
    bytes.extend(sum);
    bytes
}

/// CRC-32, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let sum = bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)));
    (!sum).to_be_bytes()
}

fn converse() -> Vec<u8> {
    [
        message("messageStart", r#"{"p":"abcdefgh","role":"assistant"}"#),
        message(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm"}},"p":"ab"}"#,
        ),
        message(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"EqQB"}}}"#,
        ),
        message("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"Gr\u00fc"}}"#),
        message(
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"text":"ezi"},"p":"not only letters"}"#,
        ),
        message("contentBlockStop", r#"{"contentBlockIndex":1}"#),
        message(
            "contentBlockStart",
            r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"find"}}}"#,
        ),
        message("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":1}"}}}"#),
        message("empty", ""),
        message("messageStop", r#"{"stopReason":"tool_use"}"#),
        message("metadata", r#"{"usage":{"inputTokens":7,"outputTokens":9},"metrics":{"latencyMs":1}}"#),
    ]
    .concat()
}

#[test]
fn amazons_messages_are_read_wherever_they_are_cut() {
    let bytes = converse();
    let (stream, whole, problem) = read(Protocol::BedrockConverse, [&bytes[..]]);
    assert_eq!(problem, None);
    let texts: Vec<_> = whole.iter().map(|it| (it.lane.channel, it.lane.block, it.text.as_str())).collect();
    assert_eq!(
        texts,
        [
            (Channel::Thought, 0, "Hm"),
            (Channel::Text, 1, "Grü"),
            (Channel::Text, 1, "ezi"),
            (Channel::Other, 1, "not only letters"),
            (Channel::Field, 2, "t1"),
            (Channel::Field, 2, "find"),
            (Channel::Call, 2, "{\"a\":1}"),
        ]
    );
    let facts = stream.facts();
    assert_eq!(
        (facts.finish.as_deref(), facts.input_tokens, facts.output_tokens),
        (Some("tool_use"), Some(7), Some(9))
    );
    assert!(stream.is_done());
    let span = whole[1].stream_span(2..4);
    assert_eq!(&bytes[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()], br"\u00fc");
    for at in 0..=bytes.len() {
        let (_, cut, problem) = read(Protocol::BedrockConverse, [&bytes[..at], &bytes[at..]]);
        assert_eq!((cut, problem), (whole.clone(), None), "cut at {at}");
    }
    let sniffed = read(Protocol::Json, [&bytes[..]]).1;
    assert!(whole.iter().all(|delta| sniffed.contains(delta)));
}

#[test]
fn amazons_messages_are_refused_when_a_byte_is_wrong_missing_or_too_many() {
    let bytes = message("messageStop", r#"{"stopReason":"end_turn"}"#);
    for at in 1..bytes.len() {
        let mut turned = bytes.clone();
        turned[at] ^= 0x10;
        let kind = read(Protocol::BedrockConverse, [&turned[..]]).2.map(|it| it.kind);
        assert!(matches!(kind, Some(Syntax | TooLarge)), "{kind:?} with byte {at} turned");
        let cut = read(Protocol::BedrockConverse, [&bytes[..at]]).2.map(|it| (it.kind, it.at));
        assert_eq!(cut, Some((Syntax, at)));
    }
    let limits = Limits { max_bytes: bytes.len() - 1, ..Limits::default() };
    let problem = Stream::new(Protocol::BedrockConverse, &limits).push(&bytes, &mut Vec::new()).unwrap_err();
    assert_eq!((problem.kind, problem.at), (TooLarge, 12));
}
