//! Anthropic messages. <https://docs.anthropic.com/en/api/messages>,
//! <https://docs.anthropic.com/en/docs/build-with-claude/streaming>

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    openai::{answer, characters, tokens},
    say::Say,
    seen::json_response,
    sse,
};

/// `POST /v1/messages`
pub(crate) async fn messages(headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        return refused("messages: Field required");
    };
    let prompt: usize = messages.iter().map(|message| characters(message.get("content"))).sum();
    let say = Say::read(&headers);
    let last = characters(messages.last().and_then(|message| message.get("content")));
    let answer = say.text.clone().unwrap_or_else(|| answer(last));
    let model = request.get("model").and_then(Value::as_str).unwrap_or("stand-in");
    let input_tokens = tokens(prompt + characters(request.get("system")));
    let block = Block::asked_for(&request);
    // The arguments of a call are JSON themselves.
    let answer = if block.tool.is_some() { json!({ "says": answer }).to_string() } else { answer };
    let output_tokens = tokens(answer.len());
    if request.get("stream").and_then(Value::as_bool) == Some(true) {
        let events = events(model, &block, &say.deltas(&answer), output_tokens, input_tokens);
        return sse::response(events, &say);
    }
    json_response(&json!({
        "id": "msg_stand_in",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block.whole(&answer)],
        "stop_reason": block.stop_reason(),
        "stop_sequence": null,
        "usage": { "input_tokens": input_tokens, "output_tokens": output_tokens },
    }))
}

/// What an answer consists of: a text, or the call of the tool that the caller wants called.
struct Block {
    tool: Option<String>,
}

impl Block {
    fn asked_for(request: &Value) -> Self {
        Self { tool: request.pointer("/tool_choice/name").and_then(Value::as_str).map(ToOwned::to_owned) }
    }

    fn stop_reason(&self) -> &'static str {
        if self.tool.is_some() { "tool_use" } else { "end_turn" }
    }

    /// The block with all that it says.
    fn whole(&self, says: &str) -> Value {
        match &self.tool {
            Some(name) => {
                let input: Value = serde_json::from_str(says).unwrap_or_else(|_| json!({}));
                json!({ "type": "tool_use", "id": "toolu_stand_in", "name": name, "input": input })
            }
            None => json!({ "type": "text", "text": says }),
        }
    }

    fn delta(&self, says: &str) -> Value {
        match self.tool {
            Some(_) => json!({ "type": "input_json_delta", "partial_json": says }),
            None => json!({ "type": "text_delta", "text": says }),
        }
    }
}

fn events(
    model: &str,
    block: &Block,
    deltas: &[&str],
    output_tokens: usize,
    input_tokens: usize,
) -> Vec<String> {
    let event = |data: Value| {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let message = json!({
        "id": "msg_stand_in", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": input_tokens, "output_tokens": 1 },
    });
    let mut events = vec![
        event(json!({ "type": "message_start", "message": message })),
        event(json!({ "type": "content_block_start", "index": 0, "content_block": block.whole("") })),
        event(json!({ "type": "ping" })),
    ];
    events.extend(
        deltas.iter().map(|word| {
            event(json!({ "type": "content_block_delta", "index": 0, "delta": block.delta(word) }))
        }),
    );
    let end = json!({ "stop_reason": block.stop_reason(), "stop_sequence": null });
    events.extend([
        event(json!({ "type": "content_block_stop", "index": 0 })),
        event(json!({ "type": "message_delta", "delta": end, "usage": { "output_tokens": output_tokens } })),
        event(json!({ "type": "message_stop" })),
    ]);
    events
}

fn refused(message: &str) -> Response {
    let mut response = json_response(
        &json!({ "type": "error", "error": { "type": "invalid_request_error", "message": message } }),
    );
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
