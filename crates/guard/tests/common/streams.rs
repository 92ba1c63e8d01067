//! Streams of every protocol, made of deltas of one text.

use serde_json::{Value, json};

/// How a protocol streams a text.
pub(crate) struct Wire {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    /// The whole stream for the deltas.
    pub(crate) stream: fn(&[&str]) -> String,
}

pub(crate) const WIRES: [Wire; 9] = [
    Wire { name: "openai chat", path: "/v1/chat/completions", content_type: SSE, stream: openai_chat },
    Wire {
        name: "openai completions",
        path: "/v1/completions",
        content_type: SSE,
        stream: openai_completions,
    },
    Wire { name: "openai responses", path: "/v1/responses", content_type: SSE, stream: openai_responses },
    Wire { name: "anthropic", path: "/v1/messages", content_type: SSE, stream: anthropic },
    Wire {
        name: "gemini",
        path: "/v1beta/models/g:streamGenerateContent?alt=sse",
        content_type: SSE,
        stream: gemini,
    },
    Wire {
        name: "gemini array",
        path: "/v1beta/models/g:streamGenerateContent",
        content_type: "application/json",
        stream: gemini_array,
    },
    Wire {
        name: "ollama chat",
        path: "/api/chat",
        content_type: "application/x-ndjson",
        stream: ollama_chat,
    },
    Wire { name: "mcp", path: "/mcp", content_type: SSE, stream: mcp },
    Wire { name: "text", path: "/anything", content_type: "text/plain", stream: |deltas| deltas.concat() },
];

const SSE: &str = "text/event-stream";

/// JSON as some servers write it: whatever is not ASCII as escapes.
pub(crate) fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for unit in value.to_string().chars() {
        if unit.is_ascii() {
            out.push(unit);
        } else {
            for half in unit.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{half:04x}"));
            }
        }
    }
    out
}

fn data(value: &Value) -> String {
    format!("data: {}\n\n", ascii(value))
}

fn named(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or_default())
}

fn openai_chat(deltas: &[&str]) -> String {
    let chunk = |delta: Value, finish: Value| {
        data(
            &json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x", "choices": [
            {"index": 0, "delta": delta, "finish_reason": finish}]}),
        )
    };
    let mut out = String::from(": keep-alive\n\n");
    out += &chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    for delta in deltas {
        out += &chunk(json!({"content": delta}), Value::Null);
        out += ": still here\n\n";
    }
    out += &chunk(json!({}), json!("stop"));
    out += &data(
        &json!({"id": "c1", "model": "gpt-x", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}),
    );
    out + "data: [DONE]\n\n"
}

fn openai_completions(deltas: &[&str]) -> String {
    let chunk =
        |text: &str| data(&json!({"id": "c1", "model": "gpt-x", "choices": [{"index": 0, "text": text}]}));
    let body: String = deltas.iter().map(|text| chunk(text)).collect();
    let usage =
        json!({"model": "gpt-x", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}});
    body + &data(&usage) + "data: [DONE]\n\n"
}

fn openai_responses(deltas: &[&str]) -> String {
    let text = deltas.concat();
    let place = |mut event: Value| {
        event["item_id"] = json!("msg_1");
        event["output_index"] = json!(0);
        event["content_index"] = json!(0);
        named(&event)
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}]});
    let mut out = named(
        &json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt-x", "output": []}}),
    );
    for delta in deltas {
        out += &place(json!({"type": "response.output_text.delta", "delta": delta}));
    }
    out += &place(json!({"type": "response.output_text.done", "text": text}));
    out +=
        &place(json!({"type": "response.content_part.done", "part": {"type": "output_text", "text": text}}));
    out += &named(&json!({"type": "response.output_item.done", "output_index": 0, "item": message}));
    out + &named(&json!({"type": "response.completed", "response": {"id": "resp_1", "model": "gpt-x",
        "output": [message], "usage": {"input_tokens": 9, "output_tokens": 4}}}))
}

fn anthropic(deltas: &[&str]) -> String {
    let mut out = named(&json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
        "role": "assistant", "model": "claude-x", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}}));
    out += &named(
        &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    );
    out += &named(&json!({"type": "ping"}));
    for delta in deltas {
        out += &named(
            &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": delta}}),
        );
    }
    out += &named(&json!({"type": "content_block_stop", "index": 0}));
    out += &named(
        &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}),
    );
    out + &named(&json!({"type": "message_stop"}))
}

fn gemini_events(deltas: &[&str]) -> Vec<String> {
    let last = deltas.len().saturating_sub(1);
    let event = |(number, delta): (usize, &&str)| {
        let mut event = json!({"candidates": [{"content": {"parts": [{"text": delta}], "role": "model"}, "index": 0}],
            "modelVersion": "gemini-x"});
        if number == last {
            event["candidates"][0]["finishReason"] = json!("STOP");
            event["usageMetadata"] = json!({"promptTokenCount": 9, "candidatesTokenCount": 4});
        }
        event.to_string()
    };
    deltas.iter().enumerate().map(event).collect()
}

fn gemini(deltas: &[&str]) -> String {
    gemini_events(deltas).iter().map(|event| format!("data: {event}\r\n\r\n")).collect()
}

fn gemini_array(deltas: &[&str]) -> String {
    format!("[{}\n]\n", gemini_events(deltas).join("\n,\r\n"))
}

fn ollama_chat(deltas: &[&str]) -> String {
    let mut out = String::new();
    for delta in deltas {
        out += &format!(
            "{}\n",
            json!({"model": "qwen", "message": {"role": "assistant", "content": delta}, "done": false})
        );
    }
    let end = json!({"model": "qwen", "message": {"role": "assistant", "content": ""}, "done": true,
        "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4});
    out + &format!("{end}\n")
}

fn mcp(deltas: &[&str]) -> String {
    let text = deltas.concat();
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "working"}});
    let result = json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": text}]}});
    format!("event: message\nid: 1\ndata: {progress}\n\nevent: message\ndata: {result}\n\n")
}
