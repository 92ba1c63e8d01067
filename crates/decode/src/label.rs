//! Which strings of a chat body are no text for the model.
//!
//! Everything else becomes a part. A field named here is left out only while its value looks like a label; a value with
//! white space, or too long, is a part wherever it stands.

/// Longest name (of a member, a tool, a participant) that is taken for an identifier.
const NAME_BYTES: usize = 24;
/// Longest value of a field that [`is_setting`] names.
const SETTING_BYTES: usize = 128;

/// Whether a member's string value is a setting or an identifier and not text.
pub(crate) fn is_label(key: &str, value: &str) -> bool {
    if is_setting(key) {
        return is_token(value, SETTING_BYTES);
    }
    // Names are shown to the model; short identifiers cannot carry a sentence.
    matches!(key, "name" | "required") && is_name(value)
}

/// Whether a string within what callers fill as they like says no more than a type or a short name of a JSON schema.
pub(crate) fn is_schema(key: &str, value: &str) -> bool {
    match key {
        "type" => matches!(value, "object" | "string" | "number" | "integer" | "boolean" | "array" | "null"),
        "required" => is_name(value),
        _ => false,
    }
}

/// Whether callers fill what stands under a member of that name as they like.
pub(crate) fn is_free(key: &str) -> bool {
    matches!(key, "input" | "arguments" | "args" | "parameters" | "input_schema" | "schema" | "metadata")
}

/// Whether a member's name is an identifier and not text.
pub(crate) fn is_name(name: &str) -> bool {
    is_token(name, NAME_BYTES)
}

/// Fields that select and identify: the model, the kind of a block, ids that tie answers to calls, who is billed, how
/// hard to think, how to encode the answer.
fn is_setting(key: &str) -> bool {
    matches!(
        key,
        "model"
            | "role"
            | "type"
            | "id"
            | "object"
            | "user"
            | "user_id"
            | "tool_call_id"
            | "tool_use_id"
            | "call_id"
            | "file_id"
            | "tool_choice"
            | "function_call"
            | "finish_reason"
            | "stop_reason"
            | "service_tier"
            | "reasoning_effort"
            | "effort"
            | "verbosity"
            | "detail"
            | "format"
            | "voice"
            | "modalities"
            | "encoding_format"
            | "media_type"
            | "prompt_cache_key"
            | "prompt_cache_retention"
            | "safety_identifier"
            | "ttl"
    )
}

fn is_token(value: &str, longest: usize) -> bool {
    value.len() <= longest
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/@+=$".contains(&byte))
}
