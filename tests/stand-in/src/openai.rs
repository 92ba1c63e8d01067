//! OpenAI: chat completions, embeddings, the list of models.
//! <https://platform.openai.com/docs/api-reference/chat>

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{say::Say, seen::json_response, sse};

/// The moment every answer carries, so that answers are the same each time.
const CREATED: u64 = 1_760_000_000;

/// `POST /v1/chat/completions`
pub(crate) async fn chat(headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        return refused("'messages' is missing");
    };
    let prompt: usize = messages.iter().map(|message| characters(message.get("content"))).sum();
    let last = characters(messages.last().and_then(|message| message.get("content")));
    let say = Say::read(&headers);
    let answer = say.text.clone().unwrap_or_else(|| answer(last));
    let model = request.get("model").and_then(Value::as_str).unwrap_or("stand-in");
    if request.get("stream").and_then(Value::as_bool) == Some(true) {
        let with_usage =
            request.pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true);
        let usage = with_usage.then(|| usage(prompt, &answer));
        return sse::response(chunks(model, &say.deltas(&answer), usage.as_ref()), &say);
    }
    json_response(&json!({
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": answer, "refusal": null, "annotations": [] },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(prompt, &answer),
        "service_tier": "default",
        "system_fingerprint": "fp_stand_in",
    }))
}

/// The streamed form: a chunk with the role, one for each word, one with the reason it ended, `[DONE]`.
fn chunks(model: &str, deltas: &[&str], usage: Option<&Value>) -> Vec<String> {
    let chunk = |choices: Value, usage: Option<&Value>| {
        let mut chunk = json!({
            "id": "chatcmpl-stand-in",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "service_tier": "default",
            "system_fingerprint": "fp_stand_in",
            "choices": choices,
        });
        if let (Some(usage), Some(object)) = (usage, chunk.as_object_mut()) {
            object.insert("usage".to_owned(), usage.clone());
        }
        format!("data: {chunk}\n\n")
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
    let mut events = vec![chunk(
        choice(json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null),
        None,
    )];
    events.extend(deltas.iter().map(|delta| chunk(choice(json!({ "content": delta }), Value::Null), None)));
    events.push(chunk(choice(json!({}), json!("stop")), None));
    events.extend(usage.map(|usage| chunk(json!([]), Some(usage))));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// `POST /v1/embeddings`
pub(crate) async fn embeddings(body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let inputs = match request.get("input") {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(texts)) => texts.iter().map(|text| text.as_str().unwrap_or_default()).collect(),
        _ => return refused("'input' is missing"),
    };
    // What the official SDKs ask for unless told otherwise.
    let base64 = request.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": embedding(text, base64) }))
        .collect();
    let tokens: usize = inputs.iter().map(|text| tokens(text.chars().count())).sum();
    json_response(&json!({
        "object": "list",
        "data": data,
        "model": request.get("model").and_then(Value::as_str).unwrap_or("stand-in"),
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    }))
}

/// Eight numbers between 0 and 1 that depend on the text alone; as base64 they are 32-bit floats, little-endian.
fn embedding(text: &str, base64: bool) -> Value {
    // FNV-1a, 64 bit.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let numbers = hash.to_le_bytes().map(|byte| f32::from(byte) / 255.0);
    if base64 {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        return Value::String(STANDARD.encode(bytes));
    }
    json!(numbers)
}

/// `GET /v1/models`
pub(crate) async fn models() -> Response {
    json_response(&json!({
        "object": "list",
        "data": [{ "id": "stand-in", "object": "model", "created": CREATED, "owned_by": "modelgate" }],
    }))
}

/// What the model says about a message of so many characters.
pub(crate) fn answer(characters: usize) -> String {
    format!("You said {characters} characters. That is all this model can tell.")
}

/// The characters of a message's `content`: a text or a list of parts.
pub(crate) fn characters(content: Option<&Value>) -> usize {
    match content {
        Some(Value::String(text)) => text.chars().count(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .map(|text| text.chars().count())
            .sum(),
        _ => 0,
    }
}

/// About how many tokens so many characters are.
pub(crate) fn tokens(characters: usize) -> usize {
    characters.div_ceil(4)
}

fn usage(prompt_characters: usize, answer: &str) -> Value {
    let (prompt, completion) = (tokens(prompt_characters), tokens(answer.len()));
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

fn refused(message: &str) -> Response {
    let error = json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": null } });
    let mut response = json_response(&error);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.into_response()
}
