//! Where a request that says nothing about the length of its answer could say it.

use crate::{
    Protocol,
    facts::Room,
    json::{Document, Kind, NodeId},
};

const MAX_TOKENS: &str = "max_tokens";

/// How a protocol names the most tokens of an answer.
struct Naming {
    /// The object that holds it, by each of its names, the one to write first; none for the request itself.
    objects: &'static [&'static str],
    /// Its names, the one to write first.
    names: &'static [&'static str],
    /// What opens the object where it is missing.
    opening: &'static str,
}

/// Anthropic's requests name it always, and of the rest nobody knows. `chat`: what a chat is to call it. A server that takes
/// `max_completion_tokens` takes no request with both names; one that knows `max_tokens` alone minds no other.
fn naming(protocol: Protocol, chat: &str) -> Option<Naming> {
    let (objects, names, opening): (&[&str], &[&str], _) = match protocol {
        Protocol::OpenAiChat if chat != MAX_TOKENS => (&[], &["max_completion_tokens", MAX_TOKENS], ""),
        Protocol::OpenAiChat | Protocol::OpenAiCompletions => (&[], &[MAX_TOKENS], ""),
        Protocol::OpenAiResponses => (&[], &["max_output_tokens"], ""),
        Protocol::Gemini => (
            &["generationConfig", "generation_config"],
            &["maxOutputTokens", "max_output_tokens"],
            "\"generationConfig\":{",
        ),
        Protocol::Ollama => (&["options"], &["num_predict"], "\"options\":{"),
        Protocol::BedrockConverse => (&["inferenceConfig"], &["maxTokens"], "\"inferenceConfig\":{"),
        _ => return None,
    };
    Some(Naming { objects, names, opening })
}

/// The place, if there is none yet. An object of the wrong kind is for the model's server to refuse.
pub(super) fn room(document: &Document<'_>, protocol: Protocol, chat: &str) -> Option<Room> {
    let Naming { objects, names, opening } = naming(protocol, chat)?;
    if document.kind(NodeId::ROOT) != Kind::Object {
        return None;
    }
    let has_any = |object: NodeId, of: &[&str]| of.iter().find_map(|name| document.member(object, name));
    let name = *names.first()?;
    let nested = has_any(NodeId::ROOT, objects);
    let object = if objects.is_empty() { NodeId::ROOT } else { nested.unwrap_or(NodeId::ROOT) };
    let is_missing = !objects.is_empty() && nested.is_none();
    if is_missing {
        let at = document.start(NodeId::ROOT) + 1;
        let after = if document.count(NodeId::ROOT) > 0 { "}," } else { "}" };
        return Some(Room { span: at..at, opening, name, closing: after });
    }
    match document.kind(object) {
        Kind::Null => Some(Room { span: document.span(object), opening: "{", name, closing: "}" }),
        Kind::Object if has_any(object, names).is_none() => {
            let at = document.start(object) + 1;
            let closing = if document.count(object) > 0 { "," } else { "" };
            Some(Room { span: at..at, opening: "", name, closing })
        }
        _ => None,
    }
}
