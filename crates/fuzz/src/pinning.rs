//! Answers to MCP's `tools/list`, whose tools a policy pins.

/// An answer: its pins are digests, and the same however its JSON is spaced.
pub(crate) fn pins(data: &[u8]) {
    let Ok(pins) = guard::pins(data) else { return };
    for (_, digest) in &pins {
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    }
    let again = guard::pins(&spaced(data)).expect("spaces make no difference");
    assert_eq!(again, pins, "{}", String::from_utf8_lossy(data));
}

/// The same JSON with white space round its signs.
fn spaced(json: &[u8]) -> Vec<u8> {
    let (mut out, mut in_text, mut escaped) = (Vec::with_capacity(json.len() * 2), false, false);
    for &byte in json {
        let is_sign = !in_text && matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',');
        if is_sign {
            out.extend_from_slice(b" \n");
        }
        out.push(byte);
        if is_sign {
            out.push(b'\t');
        }
        in_text ^= byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
    }
    out
}

/// Seeds.
pub(crate) fn lists() -> Vec<Vec<u8>> {
    const LISTS: [&str; 2] = [
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"search","description":"Finds \"x\"","inputSchema":
            {"type":"object","properties":{"q":{"type":"string","maxLength":1e2}},"b":[1,-0.5,true,null]}}]}}"#,
        r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[{"name":"b"},{"name":"a","a":{"c":{},"b":"\u00e9\ud83d\ude00"}}]}}"#,
    ];
    LISTS.iter().map(|list| list.as_bytes().to_vec()).collect()
}
