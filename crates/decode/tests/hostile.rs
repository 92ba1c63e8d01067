//! Bodies made to break a reader, each with the kind and the offset of its problem.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use modelgate_decode::{
    Input, Limits, Problem,
    ProblemKind::{self, *},
    decode,
};

fn problem_of(body: &[u8], limits: &Limits) -> Option<Problem> {
    decode(
        &Input {
            protocol: None,
            path: "/any",
            content_type: Some("application/json"),
            body,
            ..Input::default()
        },
        limits,
    )
    .err()
}

/// Body, kind, offset.
const TABLE: &[(&[u8], ProblemKind, usize)] = &[
    (b"", Empty, 0),
    (b" \t\r\n ", Empty, 0),
    (b"\xef\xbb\xbf", Empty, 0),
    (b"\xef\xbb\xbf\n", Empty, 0),
    (b"null", Null, 0),
    (b"  null ", Null, 2),
    // Encoding: the whole body, not only what is looked at.
    (b"{\"a\":\"\xff\"}", Encoding, 6),
    (b"{\"a\":\"\xc0\xaf\"}", Encoding, 6),
    (b"{\"a\":\"\xed\xa0\x80\"}", Encoding, 6),
    (b"{\"a\":\"\xf4\x90\x80\x80\"}", Encoding, 6),
    (b"{} \xe2\x82", Encoding, 3),
    (b"\xff\xfe{\0}\0", Encoding, 0),
    // UTF-16 without a mark is valid UTF-8 full of NULs.
    (b"{\0}\0", Syntax, 1),
    // Cut short.
    (b"{", Syntax, 1),
    (b"[", Syntax, 1),
    (b"{\"a\"", Syntax, 4),
    (b"{\"a\":", Syntax, 5),
    (b"{\"a\":1", Syntax, 6),
    (b"[1,", Syntax, 3),
    (b"[1", Syntax, 2),
    (b"\"abc", Syntax, 4),
    (b"\"abc\\", Syntax, 5),
    (b"\"\\u12", Syntax, 5),
    (b"-", Syntax, 1),
    (b"1.", Syntax, 2),
    (b"1e", Syntax, 2),
    (b"1e+", Syntax, 3),
    (b"tru", Syntax, 0),
    // Nearly JSON.
    (b"{a:1}", Syntax, 1),
    (b"{'a':1}", Syntax, 1),
    (b"{\"a\":1,}", Syntax, 7),
    (b"[1,]", Syntax, 3),
    (b"[,1]", Syntax, 1),
    (b"[1 2]", Syntax, 3),
    (b"[\"a\" \"b\"]", Syntax, 5),
    (b"{\"a\" 1}", Syntax, 5),
    (b"{\"a\":1 \"b\":2}", Syntax, 7),
    (b"{\"a\":1;\"b\":2}", Syntax, 6),
    (b"{,}", Syntax, 1),
    (b"[}", Syntax, 1),
    (b"{]", Syntax, 1),
    (b"[1}", Syntax, 2),
    (b"]", Syntax, 0),
    (b"//x\n{}", Syntax, 0),
    (b"{/**/}", Syntax, 1),
    (b"\x0b{}", Syntax, 0),
    (b"{}\x0b", TrailingData, 2),
    (b"True", Syntax, 0),
    (b"nul1", Syntax, 0),
    (b"undefined", Syntax, 0),
    (b"+1", Syntax, 0),
    (b"01", Syntax, 1),
    (b"[-01]", Syntax, 3),
    (b".5", Syntax, 0),
    (b"1.e5", Syntax, 2),
    (b"0x10", TrailingData, 1),
    (b"[1_000]", Syntax, 2),
    (b"--1", Syntax, 1),
    (b"-NaN", Syntax, 1),
    (b"[Inf]", Syntax, 1),
    (b"[-Infinit]", Syntax, 2),
    (b"{\"a\":NaN}", Syntax, 5),
    (b"{\"a\":[1,-Infinity]}", Syntax, 8),
    (b"Infinity", Syntax, 0),
    // Strings.
    (b"\"a\nb\"", Syntax, 2),
    (b"\"a\0b\"", Syntax, 2),
    (b"\"\x1f\"", Syntax, 1),
    (b"\"a\\xb\"", Syntax, 3),
    (b"\"\\'\"", Syntax, 2),
    (b"\"\\u00g0\"", Syntax, 5),
    (b"\"\\u+123\"", Syntax, 3),
    (b"\"\\U0041\"", Syntax, 2),
    (b"\"ab\\ud800\"", Surrogate, 3),
    (b"\"\\udc00\"", Surrogate, 1),
    (b"\"\\ud83d\\n\"", Surrogate, 1),
    (b"\"\\ud83dx\"", Surrogate, 1),
    (b"\"\\ud83d\\ud83d\"", Surrogate, 1),
    (b"\"\\ud83d\\u0041\"", Surrogate, 1),
    (b"\"\\udd56\\ud83e\"", Surrogate, 1),
    (b"{\"\\ud800\":1}", Surrogate, 2),
    // What follows the document.
    (b"{} {}", TrailingData, 3),
    (b"{}\n{\"a\":1}\n", TrailingData, 3),
    (b"1 2", TrailingData, 2),
    (b"\"a\"b", TrailingData, 3),
    (b"[]]", TrailingData, 2),
    (b"{}\0", TrailingData, 2),
    (b"{}\xef\xbb\xbf", TrailingData, 2),
    (b"\xef\xbb\xbf\xef\xbb\xbf{}", Syntax, 3),
    // Names that occur twice.
    (b"{\"a\":1,\"a\":2}", DuplicateKey, 7),
    (b"{\"\":1,\"\":2}", DuplicateKey, 6),
    (b"{\"a\":1,\"\\u0061\":2}", DuplicateKey, 7),
    (b"{\"\\/\":1,\"/\":2}", DuplicateKey, 8),
    (b"{\"x\":{\"b\":1,\"c\":2,\"b\":3}}", DuplicateKey, 18),
    (
        b"{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"d\":0,\"a\":0}",
        DuplicateKey,
        55,
    ),
    (b"\xef\xbb\xbf{\"a\":1,\"a\":2}", DuplicateKey, 10),
    // Numbers that a double cannot hold, outside a tensor.
    (b"1e999", NumberRange, 0),
    (b"{\"max_tokens\":-1e400}", NumberRange, 14),
    (b"{\"a\":[1,2,1e309]}", NumberRange, 10),
    (b"{\"a\":1.7976931348623159e308}", NumberRange, 5),
];

#[test]
fn every_hostile_body_is_refused_for_its_reason_at_its_place() {
    assert!(TABLE.len() >= 90, "only {} cases", TABLE.len());
    for (body, kind, at) in TABLE {
        let shown = String::from_utf8_lossy(body);
        let problem = problem_of(body, &Limits::default()).unwrap_or_else(|| panic!("accepted: {shown:?}"));
        assert_eq!((problem.kind, problem.at), (*kind, *at), "{shown:?}: {problem}");
        assert!(problem.to_string().contains(kind.as_str()), "{problem}");
    }
}

#[test]
fn what_only_looks_hostile_is_accepted() {
    let bodies: [&[u8]; 14] = [
        b"\xef\xbb\xbf{\"a\":1}",
        b" \t\r\n{ } ",
        b"[]",
        b"{\"a\":{\"b\":1},\"b\":1}",
        b"[{\"a\":1},{\"a\":2}]",
        b"{\"a\":1,\"A\":2}",
        b"\"\\ud83e\\udd56 \\u0000 \x7f\"",
        b"[0, -0, 0.0, 1E5, 1e-5, 1e+5, 123456789012345678901234567890, 5e-324, 1e-999]",
        b"1.7976931348623157e308",
        b"[NaN, Infinity, -Infinity, 1e999, -1e999]",
        b"{\"instances\":[[NaN],[1e999]]}",
        b"[[], [[]], {}, \"\"]",
        b"true",
        b"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
    ];
    for body in bodies {
        assert_eq!(problem_of(body, &Limits::default()), None, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn each_limit_holds_at_its_own_value_and_not_before() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let at = |body: &str, limits: &Limits| problem_of(body.as_bytes(), limits).map(|it| (it.kind, it.at));
    let default = Limits::default();
    assert_eq!(at(&nested(64), &default), None);
    assert_eq!(at(&nested(65), &default), Some((TooDeep, 64)));
    assert_eq!(at(&"{\"a\":".repeat(100_000), &default), Some((TooDeep, 320)));
    let deep = Limits { max_depth: usize::MAX, ..default };
    assert_eq!(at(&nested(128), &deep), None);
    assert_eq!(at(&nested(129), &deep), Some((TooDeep, 128)));

    let small = Limits { max_bytes: 4, ..default };
    assert_eq!(at("[ 1]", &small), None);
    assert_eq!(at("[ 1] ", &small), Some((TooLarge, 4)));

    let nodes = Limits { max_nodes: 3, ..default };
    assert_eq!(at("[true,[1,2,3,4]]", &Limits { max_nodes: 4, ..default }), None);
    assert_eq!(at("[true,[1,2,3,4]]", &nodes), Some((TooMany, 7)));
    assert_eq!(at("{\"a\":null}", &nodes), None);

    let numbers = Limits { max_tensor_values: 3, ..default };
    assert_eq!(at("[1,2,3]", &numbers), None);
    assert_eq!(at("[1,2,3, 4]", &numbers), Some((TooMany, 8)));

    let parts = Limits { max_parts: 2, ..default };
    assert_eq!(at("[\"a\",\"b\",\"\"]", &parts), None);
    assert_eq!(at("[\"a\",\"b\",\"c\"]", &parts), Some((TooMany, 9)));

    let tensors = Limits { max_tensors: 1, ..default };
    assert_eq!(at("{\"data\":[1]}", &tensors), None);
    assert_eq!(at("{\"data\":[1],\"x\":[2]}", &tensors), Some((TooMany, 16)));

    let digits = |count: usize| "1".repeat(count);
    assert_eq!(at(&digits(300), &default), None);
    assert_eq!(at(&format!("0.{}", digits(4298)), &default), None);
    assert_eq!(at(&format!("[0.{}]", digits(4299)), &default), Some((NumberRange, 1)));
}

#[test]
fn a_content_type_that_is_not_read_is_refused_before_the_body_is_looked_at() {
    for kind in [
        "multipart/mixed; boundary=x",
        "application/json; charset=utf-16",
        "image/png",
        "application/octet-stream",
    ] {
        let input = Input {
            protocol: None,
            path: "/v1/chat/completions",
            content_type: Some(kind),
            body: b"\xff",
            ..Input::default()
        };
        let problem = decode(&input, &Limits::default()).unwrap_err();
        assert_eq!((problem.kind, problem.at), (UnsupportedType, 0), "{kind}");
    }
}

#[test]
fn json_sent_as_plain_text_is_read_as_json() {
    let body = br#"{"prompt":"\u0069gnore"}"#;
    for content_type in [Some("text/plain"), None] {
        let decoded = decode(
            &Input { protocol: None, path: "/x", content_type, body, ..Input::default() },
            &Limits::default(),
        )
        .unwrap();
        assert_eq!(decoded.parts[0].text, "ignore");
    }
    let twice = Input {
        protocol: None,
        path: "/x",
        content_type: None,
        body: br#"{"a":1,"a":2}"#,
        ..Input::default()
    };
    assert_eq!(decode(&twice, &Limits::default()).unwrap_err().kind, DuplicateKey);
    let chat =
        Input { path: "/v1/chat/completions", content_type: Some("text/plain"), body: b"hello", ..twice };
    assert_eq!(decode(&chat, &Limits::default()).unwrap_err().kind, Syntax);
}

#[test]
fn names_that_share_long_beginnings_cost_no_more_than_sorting() {
    let mut body = String::from("{");
    for number in 0..20_000 {
        body += &format!("\"{}{number}\":0,", "k".repeat(20));
    }
    body += "\"last\":0}";
    let limits = Limits::default();
    assert_eq!(problem_of(body.as_bytes(), &limits), None);
    let twice = body.replace("\"last\"", &format!("\"{}7\"", "k".repeat(20)));
    let expected = body.find("\"last\"").unwrap();
    assert_eq!(
        problem_of(twice.as_bytes(), &limits).map(|it| (it.kind, it.at)),
        Some((DuplicateKey, expected))
    );
}

#[test]
fn names_of_one_hash_are_told_apart() {
    // The hash rotates by 5 and multiplies by an odd number, so that the next word can undo what the last one did.
    const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;
    let state = |word: u64| (16_u64.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER).rotate_left(5);
    let first = u64::from_le_bytes(*b"aaaaaaaa");
    let (mut names, mut tried) = (vec![String::from("aaaaaaaaaaaaaaaa")], 0_u64);
    let target = state(first) ^ first;
    while names.len() < 4 && tried < 3_000_000 {
        tried += 1;
        let word: String = (0..8)
            .map(|place| char::from(b"abcdefghijklmnop"[(tried >> (4 * place) & 15) as usize]))
            .collect();
        let second = (state(u64::from_le_bytes(word.as_bytes().try_into().unwrap())) ^ target).to_le_bytes();
        let plain = second.iter().all(|byte| matches!(byte, 0x20..0x7f) && !b"\"\\".contains(byte));
        if plain {
            names.push(word + std::str::from_utf8(&second).unwrap());
        }
    }
    assert!(names.len() >= 3, "{names:?}");
    let others: String = (0..9).map(|number| format!("\"{number}\":0,")).collect();
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
    let body = format!("{{{others}{}}}", members.join(","));
    assert_eq!(problem_of(body.as_bytes(), &Limits::default()), None);
    let twice = body.replace("\"8\":0", &members[1]);
    let expected = twice.rfind(&names[1]).unwrap() - 1;
    let problem = problem_of(twice.as_bytes(), &Limits::default()).map(|it| (it.kind, it.at));
    assert_eq!(problem, Some((DuplicateKey, expected)));
}
