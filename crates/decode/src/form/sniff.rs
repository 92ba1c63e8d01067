//! The protocol that a document looks like, by the names in its own object.

use crate::{
    Protocol,
    json::{Document, Kind, NodeId},
};

/// What was seen among the members of the root.
#[derive(Default)]
struct Seen {
    messages: Option<NodeId>,
    inputs: Option<NodeId>,
    prompt: Option<NodeId>,
    input: Option<NodeId>,
    contents: Option<NodeId>,
    /// `system`, `anthropic_version`
    anthropic: bool,
    /// `model`, as a text
    named: bool,
    /// Fields of the responses API that embeddings do not have.
    responses: bool,
    /// Fields of Ollama's own API that others do not have.
    ollama: bool,
    /// Fields of Converse that others do not have.
    bedrock: bool,
    /// `jsonrpc`
    rpc: bool,
}

/// The protocol of a document; [`Protocol::Json`] if it looks like none. A hint decides between forms that share their
/// names.
pub(super) fn protocol(document: &Document<'_>, hint: Option<Protocol>) -> Protocol {
    let root = match document.kind(NodeId::ROOT) {
        Kind::Array => document.elements(NodeId::ROOT).next().filter(|first| is_rpc(document, *first)),
        _ => Some(NodeId::ROOT),
    };
    let Some(root) = root else { return Protocol::Json };
    let seen = look(document, root);
    let is = |id: Option<NodeId>, kind: Kind| id.is_some_and(|id| document.kind(id) == kind);
    if seen.rpc {
        return Protocol::Mcp;
    }
    if seen.named && (seen.ollama || hint == Some(Protocol::Ollama)) {
        return Protocol::Ollama;
    }
    if is(seen.messages, Kind::Array) {
        return conversation(document, &seen);
    }
    if is(seen.contents, Kind::Array) && is_gemini(document, seen.contents) {
        return Protocol::Gemini;
    }
    let first = seen.inputs.and_then(|inputs| document.elements(inputs).next());
    if first.is_some_and(|first| document.member(first, "datatype").is_some()) {
        return Protocol::KserveV2;
    }
    if is(seen.prompt, Kind::String) || is(seen.prompt, Kind::Array) {
        return Protocol::OpenAiCompletions;
    }
    match seen.input.filter(|_| seen.named) {
        Some(input) if seen.responses || is_items(document, input) => Protocol::OpenAiResponses,
        Some(input) if is_texts(document, input) => Protocol::OpenAiEmbeddings,
        Some(input) if is_blocks(document, input) => Protocol::OpenAiModerations,
        _ => Protocol::Json,
    }
}

fn look(document: &Document<'_>, root: NodeId) -> Seen {
    let mut seen = Seen::default();
    for (key, value) in document.members(root) {
        match &*document.text(key) {
            "messages" => seen.messages = Some(value),
            "inputs" => seen.inputs = Some(value),
            "prompt" => seen.prompt = Some(value),
            "input" => seen.input = Some(value),
            "contents" => seen.contents = Some(value),
            "system" | "anthropic_version" => seen.anthropic = true,
            "model" => seen.named = document.kind(value) == Kind::String,
            "instructions"
            | "stream"
            | "max_output_tokens"
            | "previous_response_id"
            | "reasoning"
            | "tools"
            | "text" => seen.responses = true,
            "keep_alive" | "options" | "template" | "raw" => seen.ollama = true,
            "inferenceConfig" | "toolConfig" | "guardrailConfig" | "additionalModelRequestFields" => {
                seen.bedrock = true;
            }
            "jsonrpc" => seen.rpc = true,
            _ => {}
        }
    }
    seen
}

/// Which of the protocols with `messages` it is. Converse's blocks have no `type`.
fn conversation(document: &Document<'_>, seen: &Seen) -> Protocol {
    let first = seen.messages.and_then(|messages| document.elements(messages).next());
    let block = first
        .and_then(|message| document.member(message, "content"))
        .and_then(|content| document.elements(content).next());
    let untyped = block.is_some_and(|block| {
        document.kind(block) == Kind::Object && document.member(block, "type").is_none()
    });
    if seen.bedrock || (untyped && !seen.named) {
        Protocol::BedrockConverse
    } else if seen.anthropic {
        Protocol::AnthropicMessages
    } else {
        Protocol::OpenAiChat
    }
}

fn is_rpc(document: &Document<'_>, id: NodeId) -> bool {
    document.member(id, "jsonrpc").is_some()
}

/// Whether contents have parts.
fn is_gemini(document: &Document<'_>, contents: Option<NodeId>) -> bool {
    let first = contents.and_then(|contents| document.elements(contents).next());
    first.is_some_and(|first| document.member(first, "parts").is_some())
}

/// Whether an array holds items of a response: messages or calls.
fn is_items(document: &Document<'_>, input: NodeId) -> bool {
    let first = document.elements(input).next();
    first.is_some_and(|first| {
        document.member(first, "role").is_some() || document.member(first, "call_id").is_some()
    })
}

/// Whether an array holds blocks of texts and pictures.
fn is_blocks(document: &Document<'_>, input: NodeId) -> bool {
    document.count(input) > 0
        && document.elements(input).all(|block| document.member(block, "type").is_some())
}

/// Whether a value is a string or an array of nothing but strings.
fn is_texts(document: &Document<'_>, id: NodeId) -> bool {
    let text = |id: NodeId| document.kind(id) == Kind::String;
    text(id)
        || (document.count(id) > 0 && document.kind(id) == Kind::Array && document.elements(id).all(text))
}
