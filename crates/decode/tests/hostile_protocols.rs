//! Bodies made to slip past the form of each protocol: refused for their reason, at their place, or seen whole.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use modelgate_decode::{
    Decoded, Input, Limits, Part, Problem,
    ProblemKind::{self, *},
    Role, decode,
};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MODERATIONS: &str = "/v1/moderations";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/g:generateContent";
const OLLAMA: &str = "/api/chat";
const CONVERSE: &str = "/model/m/converse";
const MCP: &str = "/mcp";
const INFER: &str = "/v2/models/m/infer";

fn read<'a>(path: &'a str, body: &'a str, limits: &Limits) -> Result<Decoded<'a>, Problem> {
    let content_type = Some("application/json");
    decode(&Input { path, content_type, body: body.as_bytes(), ..Input::default() }, limits)
}

/// Path, body, kind, and what the problem stands before in the body.
const REFUSED: &[(&str, &str, ProblemKind, &str)] = &[
    // A name twice: in the root, deep inside, escaped, in what callers fill as they like.
    (CHAT, r#"{"messages":[{"role":"user","content":"a"}],"messages":[]}"#, DuplicateKey, r#""messages":[]"#),
    (CHAT, r#"{"messages":[{"role":"user","rol\u0065":"system","content":"a"}]}"#, DuplicateKey, r#""rol\u"#),
    (RESPONSES, r#"{"input":"a","instructions":"b","\u0069nput":"c"}"#, DuplicateKey, r#""\u0069"#),
    (MODERATIONS, r#"{"input":"a","input":"b"}"#, DuplicateKey, r#""input":"b""#),
    (MESSAGES, r#"{"system":"a","messages":[],"system":"b"}"#, DuplicateKey, r#""system":"b""#),
    (GEMINI, r#"{"contents":[{"parts":[{"text":"a","text":"b"}]}]}"#, DuplicateKey, r#""text":"b""#),
    (OLLAMA, r#"{"model":"m","prompt":"a","prompt":"b"}"#, DuplicateKey, r#""prompt":"b""#),
    (
        CONVERSE,
        r#"{"messages":[{"role":"user","content":[{"text":"a","text":"b"}]}]}"#,
        DuplicateKey,
        r#""text":"b""#,
    ),
    (MCP, r#"{"jsonrpc":"2.0","id":1,"method":"x","id":2}"#, DuplicateKey, r#""id":2"#),
    (
        MCP,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":1,"a":2}}}"#,
        DuplicateKey,
        r#""a":2"#,
    ),
    // Something behind the end.
    (CHAT, r#"{"messages":[{"role":"user","content":"a"}]}{}"#, TrailingData, "{}"),
    (RESPONSES, r#"{"input":"a"},"#, TrailingData, ","),
    (GEMINI, r#"{"contents":[{"parts":[{"text":"a"}]}]}x"#, TrailingData, "x"),
    (OLLAMA, "{\"model\":\"m\"}\n{\"model\":\"n\"}", TrailingData, "{\"model\":\"n\""),
    (CONVERSE, r#"{"messages":[{"role":"user","content":[]}]}]"#, TrailingData, "]"),
    (MCP, r#"{"jsonrpc":"2.0"} {"jsonrpc":"2.0"}"#, TrailingData, r#"{"jsonrpc":"2.0"}"#),
    (INFER, r#"{"inputs":[]}0"#, TrailingData, "0"),
    // Numbers that no double holds.
    (CHAT, r#"{"messages":[{"role":"user","content":"a"}],"temperature":1e999}"#, NumberRange, "1e999"),
    (RESPONSES, r#"{"input":"a","max_output_tokens":-1e400}"#, NumberRange, "-1e400"),
    (
        GEMINI,
        r#"{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"topK":1e309}}"#,
        NumberRange,
        "1e309",
    ),
    (MCP, r#"{"jsonrpc":"2.0","id":1e999,"method":"x"}"#, NumberRange, "1e999"),
    (OLLAMA, r#"{"model":"m","options":{"seed":NaN}}"#, Syntax, "NaN"),
    (CONVERSE, r#"{"messages":[{"role":"user","content":[]}],"x":Infinity}"#, Syntax, "Infinity"),
    // Not of the form that the path promises.
    (CHAT, r#"{"messages":{"0":{"role":"user","content":"a"}}}"#, Form, r#"{"0""#),
    (CHAT, r#"{"Messages":[{"role":"user","content":"a"}]}"#, Form, "{"),
    (CHAT, r#"{"messages":[[{"role":"user","content":"a"}]]}"#, Form, r#"[{"role""#),
    (CHAT, r#"{"messages":[{"role":"user","content":true}]}"#, Form, "true"),
    (RESPONSES, r#"{"input":{"role":"user","content":"a"}}"#, Form, r#"{"role""#),
    (RESPONSES, r#"{"input":[["a"]]}"#, Form, r#"["a"]"#),
    (MODERATIONS, r#"{"input":7}"#, Form, "7"),
    (MODERATIONS, r#"{"input":[true]}"#, Form, "true"),
    (MESSAGES, r#"{"messages":[{"role":"user","content":[null]}]}"#, Form, "null"),
    (GEMINI, r#"{"contents":"a"}"#, Form, r#""a""#),
    (GEMINI, r#"{"contents":[{"parts":[["a"]]}]}"#, Form, r#"["a"]"#),
    (GEMINI, r#"[{"contents":[]}]"#, Form, "["),
    (CONVERSE, r#"{"messages":"a"}"#, Form, r#""a""#),
    (CONVERSE, r#"{"messages":["a"]}"#, Form, r#""a""#),
    (CONVERSE, r#"{"messages":[{"role":"user","content":5}]}"#, Form, "5"),
    (INFER, r#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":["1"]}]}"#, Form, r#""1""#),
    // Nothing in it.
    (RESPONSES, r#"{"input":[]}"#, Empty, "[]"),
    (GEMINI, r#"{"contents":[]}"#, Empty, "[]"),
    (CONVERSE, r#"{"messages":[]}"#, Empty, "[]"),
    (GEMINI, r#"{"contents":null}"#, Null, "null"),
    (RESPONSES, r#"{"input":null}"#, Null, "null"),
    (MODERATIONS, r#"{"input":[null]}"#, Null, "null"),
];

#[test]
fn every_hostile_body_is_refused_for_its_reason_at_its_place() {
    assert!(REFUSED.len() >= 45, "only {} cases", REFUSED.len());
    for (path, body, kind, before) in REFUSED {
        let problem =
            read(path, body, &Limits::default()).err().unwrap_or_else(|| panic!("accepted: {body}"));
        assert_eq!(problem.kind, *kind, "{body}: {problem}");
        assert!(body[problem.at..].starts_with(before), "{body}: {problem}");
    }
}

#[test]
fn depth_and_counts_are_limited_in_every_protocol() {
    let frames = [
        (CHAT, r#"{"messages":[{"role":"user","content":[{"type":"x","input":@}]}]}"#),
        (RESPONSES, r#"{"input":[{"type":"x_output","output":@}]}"#),
        (MESSAGES, r#"{"messages":[{"role":"user","content":[{"type":"tool_use","input":@}]}]}"#),
        (GEMINI, r#"{"contents":[{"parts":[{"functionCall":{"args":@}}]}]}"#),
        (OLLAMA, r#"{"model":"m","prompt":"a","format":@}"#),
        (CONVERSE, r#"{"messages":[{"role":"user","content":[{"toolUse":{"input":@}}]}]}"#),
        (MCP, r#"{"jsonrpc":"2.0","method":"tools/call","params":{"arguments":@}}"#),
        (INFER, r#"{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["a"],"parameters":@}]}"#),
    ];
    let limits = Limits { max_parts: 10, max_nodes: 200, ..Limits::default() };
    for (path, frame) in frames {
        let kind = |inside: &str| read(path, &frame.replace('@', inside), &limits).err().map(|it| it.kind);
        assert_eq!(kind(r#"{"a":"b"}"#), None, "{path}");
        assert_eq!(kind(&("[".repeat(100) + &"]".repeat(100))), Some(TooDeep), "{path}");
        assert_eq!(kind(&format!("[{}0]", "\"a text\",".repeat(20))), Some(TooMany), "{path}");
        assert_eq!(kind(&format!("[{}0]", "null,".repeat(300))), Some(TooMany), "{path}");
        assert_eq!(kind("\"\\ud800\""), Some(Surrogate), "{path}");
    }
}

/// Path, body, and the role in which the marked text has to be seen.
const SEEN: &[(&str, &str, Role)] = &[
    // Under names that only look like settings.
    (CHAT, r#"{"messages":[{"role":"user","content":"a","type":"MARK it is"}]}"#, Role::Field),
    (
        CHAT,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"MARK it"}}]}]}"#,
        Role::Field,
    ),
    (CHAT, r#"{"messages":[{"role":"MARK","content":"a"}],"user":"MARK' OR 1=1"}"#, Role::Field),
    (CHAT, r#"{"messages":[{"role":"system","content":"a","name":"MARK"}]}"#, Role::Field),
    (CHAT, r#"{"messages":[{"role":"system","content":"a","note":"MARK"}]}"#, Role::Unknown),
    (CHAT, r#"{"messages":[{"role":"user","content":"a"}],"stop":["MARK and say so"]}"#, Role::Field),
    (CHAT, r#"{"messages":[{"role":"user","content":"a"}],"metadata":{"k":"MARK"}}"#, Role::Field),
    (CHAT, r#"{"messages":[{"role":"user","content":"a"}],"model":"../MARK"}"#, Role::Field),
    (
        CHAT,
        r#"{"messages":[{"role":"user","content":"a"}],"MARK this is a long name of a member":1}"#,
        Role::Field,
    ),
    (
        CHAT,
        r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,MARK it"}}]}]}"#,
        Role::User,
    ),
    (CHAT, r#"{"messages":[{"role":"function","name":"f","content":"MARK"}]}"#, Role::Tool),
    (CHAT, r#"{"messages":[{"role":"assistant","content":null,"refusal":"MARK"}]}"#, Role::Assistant),
    (
        CHAT,
        r#"{"messages":[{"role":"user","content":"a"}],"functions":[{"name":"f","description":"MARK"}]}"#,
        Role::Tool,
    ),
    (RESPONSES, r#"{"input":[{"type":"unheard_of","text":"MARK"}]}"#, Role::Unknown),
    (
        RESPONSES,
        r#"{"input":[{"role":"user","content":[{"type":"input_file","filename":"MARK.pdf","file_data":"data:application/pdf;base64,AA"}]}]}"#,
        Role::Field,
    ),
    (RESPONSES, r#"{"input":[{"type":"message","role":"Developer","content":"MARK"}]}"#, Role::Unknown),
    (RESPONSES, r#"{"input":"a","prompt":{"variables":{"x":"MARK"}}}"#, Role::User),
    (
        MESSAGES,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"MARK"}]}]}]}"#,
        Role::Tool,
    ),
    (
        MESSAGES,
        r#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"MARK it"}]}]}"#,
        Role::Assistant,
    ),
    (
        GEMINI,
        r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"MARK it"}}]}]}"#,
        Role::Tool,
    ),
    (
        GEMINI,
        r#"{"contents":[{"role":"user","parts":[{"text":"a","thoughtSignature":"MARK it"}]}]}"#,
        Role::User,
    ),
    (GEMINI, r#"{"contents":[{"role":"system","parts":[{"text":"MARK"}]}]}"#, Role::Unknown),
    (GEMINI, r#"{"contents":[{"role":"user","parts":[{"text":"a"}],"extra":"MARK"}]}"#, Role::Unknown),
    (
        OLLAMA,
        r#"{"model":"m","messages":[{"role":"user","content":"a","images":["MARK this is no picture in base64 at all, and it is long enough to be taken for one of them if nobody looked"]}]}"#,
        Role::Unknown,
    ),
    (OLLAMA, r#"{"model":"m","prompt":"a","format":"MARK in words"}"#, Role::Field),
    (CONVERSE, r#"{"messages":[{"role":"user","content":[{"unheardOf":{"text":"MARK"}}]}]}"#, Role::User),
    (
        CONVERSE,
        r#"{"messages":[{"role":"user","content":[{"document":{"format":"pdf","source":{"bytes":"MARK it"}}}]}]}"#,
        Role::Tool,
    ),
    (
        CONVERSE,
        r#"{"messages":[{"role":"user","content":[{"document":{"format":"txt","source":{"bytes":"MARK"}}}]}]}"#,
        Role::Tool,
    ),
    (
        CONVERSE,
        r#"{"messages":[{"role":"user","content":[{"text":"a"}]}],"requestMetadata":{"k":"MARK"}}"#,
        Role::Field,
    ),
    (MCP, r#"{"jsonrpc":"2.0","method":"unheard/of","params":{"x":["MARK"]}}"#, Role::Unknown),
    (
        MCP,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"f","inputSchema":{"properties":{"a":{"enum":["MARK"]}}}}]}}"#,
        Role::Tool,
    ),
    (MCP, r#"{"jsonrpc":"2.0","id":1,"result":"MARK"}"#, Role::Tool),
    (MCP, r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"MARK"}}"#, Role::Tool),
    (
        MCP,
        r#"{"jsonrpc":"2.0","id":1,"result":{"contents":[{"mimeType":"image/png","blob":"MARK it"}]}}"#,
        Role::Tool,
    ),
    (INFER, r#"{"inputs":[{"name":"MARK","datatype":"FP32","shape":[1],"data":[1]}]}"#, Role::Field),
];

#[test]
fn what_stands_where_nobody_expects_text_is_seen_all_the_same() {
    assert!(SEEN.len() >= 35, "only {} cases", SEEN.len());
    for (path, body, role) in SEEN {
        let decoded = read(path, body, &Limits::default()).unwrap_or_else(|it| panic!("{body}: {it}"));
        let marked: Vec<&Part<'_>> = decoded.parts.iter().filter(|part| part.text.contains("MARK")).collect();
        assert!(!marked.is_empty(), "unseen: {body}");
        assert!(marked.iter().any(|part| part.role == *role), "{:?} in {body}", marked[0].role);
        let times = body.matches("MARK").count();
        assert!(
            marked.len() == times || (times == 2 && marked.len() == 1),
            "{} of {times} in {body}",
            marked.len()
        );
    }
}
