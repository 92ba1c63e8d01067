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
    if request.get("stream").and_then(Value::as_bool) == Some(true) {
        let events = events(model, &say.deltas(&answer), tokens(answer.len()), input_tokens);
        return sse::response(events, say.write);
    }
    json_response(&json!({
        "id": "msg_stand_in",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{ "type": "text", "text": answer }],
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": { "input_tokens": input_tokens, "output_tokens": tokens(answer.len()) },
    }))
}

fn events(model: &str, deltas: &[&str], output_tokens: usize, input_tokens: usize) -> Vec<String> {
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
        event(
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        ),
        event(json!({ "type": "ping" })),
    ];
    events.extend(deltas.iter().map(|word| {
        event(json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": word } }))
    }));
    let end = json!({ "stop_reason": "end_turn", "stop_sequence": null });
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
