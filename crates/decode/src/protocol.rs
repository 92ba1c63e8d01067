//! The protocols a body can speak, and which of them a path promises.

use memchr::{memchr, memchr2};

/// A protocol of a model API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// OpenAI `POST /v1/chat/completions`.
    OpenAiChat,
    /// OpenAI `POST /v1/completions`, the older form with a `prompt`.
    OpenAiCompletions,
    /// OpenAI `POST /v1/embeddings`.
    OpenAiEmbeddings,
    /// OpenAI `POST /v1/responses`.
    OpenAiResponses,
    /// OpenAI `POST /v1/moderations`.
    OpenAiModerations,
    /// Anthropic `POST /v1/messages`.
    AnthropicMessages,
    /// Gemini and Vertex `POST …/models/{model}:generateContent`, its streaming, counting and embedding kin.
    Gemini,
    /// Ollama `POST /api/generate`, `/api/chat`, `/api/embed`.
    Ollama,
    /// Amazon Bedrock `POST /model/{id}/converse`.
    BedrockConverse,
    /// Model Context Protocol: JSON-RPC 2.0 between an agent and its tools, requests, answers and batches.
    Mcp,
    /// Open Inference Protocol (KServe v2, Triton) `POST /v2/models/{model}/infer`.
    KserveV2,
    /// Any other JSON.
    Json,
    /// A form: `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form,
    /// Plain text.
    Text,
}

/// Every protocol and its name.
const NAMED: [(Protocol, &str); 14] = [
    (Protocol::OpenAiChat, "openai_chat"),
    (Protocol::OpenAiCompletions, "openai_completions"),
    (Protocol::OpenAiEmbeddings, "openai_embeddings"),
    (Protocol::OpenAiResponses, "openai_responses"),
    (Protocol::OpenAiModerations, "openai_moderations"),
    (Protocol::AnthropicMessages, "anthropic_messages"),
    (Protocol::Gemini, "gemini"),
    (Protocol::Ollama, "ollama"),
    (Protocol::BedrockConverse, "bedrock_converse"),
    (Protocol::Mcp, "mcp"),
    (Protocol::KserveV2, "kserve_v2"),
    (Protocol::Json, "json"),
    (Protocol::Form, "form"),
    (Protocol::Text, "text"),
];

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; NAMED.len()] = {
        let mut all = [Self::Text; NAMED.len()];
        let (mut filled, mut rest): (&mut [Self], &[(Self, &str)]) = (&mut all, &NAMED);
        while let ([place, places @ ..], [(protocol, _), others @ ..]) = (filled, rest) {
            *place = *protocol;
            (filled, rest) = (places, others);
        }
        all
    };

    /// Its name in policies, events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMED.into_iter().find(|(protocol, _)| *protocol == self).map_or("json", |(_, name)| name)
    }

    /// The protocol of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMED.into_iter().find(|(_, known)| *known == name).map(|(protocol, _)| protocol)
    }

    /// Whether a path that looks like this protocol's proves nothing: `/api/chat` is the name that applications of
    /// every kind give to their own endpoint, `/mcp` also that of a page. The body has the last word there.
    pub(crate) fn is_hint(self) -> bool {
        matches!(self, Self::Ollama | Self::Mcp)
    }
}

/// How the paths of protocols end.
const ENDINGS: [(&str, Protocol); 16] = [
    ("/chat/completions", Protocol::OpenAiChat),
    ("/completions", Protocol::OpenAiCompletions),
    ("/api/embeddings", Protocol::Ollama),
    ("/embeddings", Protocol::OpenAiEmbeddings),
    ("/v1/responses", Protocol::OpenAiResponses),
    ("/openai/responses", Protocol::OpenAiResponses),
    ("/v1/responses/input_tokens", Protocol::OpenAiResponses),
    ("/moderations", Protocol::OpenAiModerations),
    ("/v1/messages", Protocol::AnthropicMessages),
    ("/v1/messages/count_tokens", Protocol::AnthropicMessages),
    ("/api/generate", Protocol::Ollama),
    ("/api/chat", Protocol::Ollama),
    ("/api/embed", Protocol::Ollama),
    ("/converse", Protocol::BedrockConverse),
    ("/converse-stream", Protocol::BedrockConverse),
    ("/mcp", Protocol::Mcp),
];

/// What Gemini's and Vertex's paths end in, behind a colon.
const GEMINI_METHODS: [&str; 5] =
    ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"];

/// The protocol that a request path promises, whatever stands before it (`/openai/v1/chat/completions`, Azure's
/// `/openai/deployments/x/chat/completions?api-version=…`). A query, a fragment and slashes at the end do not count.
#[must_use]
pub fn protocol_of_path(path: &str) -> Option<Protocol> {
    let path = bare(path);
    let ending = ENDINGS.into_iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, protocol)| protocol);
    match ending {
        Some(Protocol::BedrockConverse) if bedrock_model(path).is_none() => None,
        Some(protocol) => Some(protocol),
        None if gemini_call(path).is_some() => Some(Protocol::Gemini),
        None => kserve_model(path).map(|_| Protocol::KserveV2),
    }
}

/// The model that a path names, in the protocols that name it there.
pub(crate) fn model_of_path(path: &str) -> Option<&str> {
    let path = bare(path);
    kserve_model(path).or_else(|| gemini_call(path).map(|(model, _)| model)).or_else(|| bedrock_model(path))
}

/// Whether a path asks for the answer as a stream.
pub(crate) fn streams_by_path(path: &str) -> bool {
    let path = bare(path);
    path.ends_with("/converse-stream")
        || gemini_call(path).is_some_and(|(_, method)| method == "streamGenerateContent")
}

/// The model that a KServe path names: `/v2/models/{model}[/versions/{version}]/infer`.
fn kserve_model(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/v2/models/")?;
    let mut steps = rest.split('/');
    let model = steps.next().filter(|model| !model.is_empty())?;
    match (steps.next(), steps.next(), steps.next(), steps.next()) {
        (Some("infer"), None, ..) | (Some("versions"), Some(_), Some("infer"), None) => Some(model),
        _ => None,
    }
}

/// Model and method of a path `…/{model}:{method}`.
fn gemini_call(path: &str) -> Option<(&str, &str)> {
    // Few paths have a colon, and it is found fast.
    memchr(b':', path.as_bytes())?;
    let (model, method) = path.rsplit('/').next()?.split_once(':')?;
    (!model.is_empty() && GEMINI_METHODS.contains(&method)).then_some((model, method))
}

/// The model that a Bedrock path names: `/model/{id}/converse`.
fn bedrock_model(path: &str) -> Option<&str> {
    let (rest, _) =
        path.rsplit_once('/').filter(|(_, call)| matches!(*call, "converse" | "converse-stream"))?;
    let (_, model) = rest.rsplit_once("/model/")?;
    (!model.is_empty()).then_some(model)
}

/// The path without its query, fragment and closing slashes.
fn bare(path: &str) -> &str {
    let end = memchr2(b'?', b'#', path.as_bytes()).unwrap_or(path.len());
    path.get(..end).unwrap_or_default().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_is_found_by_its_own_name() {
        assert!(Protocol::ALL.iter().all(|it| Protocol::from_name(it.as_str()) == Some(*it)));
        assert_eq!(Protocol::from_name("gpt"), None);
    }

    #[test]
    fn paths_promise_their_protocols() {
        let table = [
            ("/v1/chat/completions", Some(Protocol::OpenAiChat)),
            ("/openai/deployments/x/chat/completions?api-version=1", Some(Protocol::OpenAiChat)),
            ("/v1/completions/", Some(Protocol::OpenAiCompletions)),
            ("/v1/responses#x", Some(Protocol::OpenAiResponses)),
            ("/openai/v1/responses", Some(Protocol::OpenAiResponses)),
            ("/survey/responses", None),
            ("/v1/responses/resp_1/cancel", None),
            ("/v1/moderations", Some(Protocol::OpenAiModerations)),
            ("/v1/messages", Some(Protocol::AnthropicMessages)),
            ("/messages", None),
            ("/v1beta/models/gemini-2.0-flash:generateContent", Some(Protocol::Gemini)),
            (
                "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
                Some(Protocol::Gemini),
            ),
            ("/v1beta/models/g:embedContent", Some(Protocol::Gemini)),
            ("/v1/models/m:predict", None),
            ("/v1beta/models/:generateContent", None),
            ("/api/generate", Some(Protocol::Ollama)),
            ("/api/chat", Some(Protocol::Ollama)),
            ("/api/embeddings", Some(Protocol::Ollama)),
            ("/v1/embeddings", Some(Protocol::OpenAiEmbeddings)),
            ("/model/anthropic.claude-3%3A0/converse", Some(Protocol::BedrockConverse)),
            ("/model/x/converse-stream", Some(Protocol::BedrockConverse)),
            ("/model/x/invoke", None),
            ("/converse", None),
            ("/mcp", Some(Protocol::Mcp)),
            ("/v2/models/m/infer", Some(Protocol::KserveV2)),
            ("/v2/models/m/ready", None),
            ("/", None),
        ];
        assert!(table.len() >= 25);
        for (path, expected) in table {
            assert_eq!(protocol_of_path(path), expected, "{path}");
        }
        assert_eq!(model_of_path("/v1beta/models/g-2:generateContent?key=1"), Some("g-2"));
        assert_eq!(model_of_path("/model/us.x-1/converse"), Some("us.x-1"));
        assert!(streams_by_path("/model/x/converse-stream") && !streams_by_path("/model/x/converse"));
    }
}
