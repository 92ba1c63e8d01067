//! The protocols a body can speak, and which of them a path promises.

/// A protocol of a model API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// OpenAI `POST /v1/chat/completions`.
    OpenAiChat,
    /// OpenAI `POST /v1/completions`, the older form with a `prompt`.
    OpenAiCompletions,
    /// OpenAI `POST /v1/embeddings`.
    OpenAiEmbeddings,
    /// Anthropic `POST /v1/messages`.
    AnthropicMessages,
    /// Open Inference Protocol (KServe v2, Triton) `POST /v2/models/{model}/infer`.
    KserveV2,
    /// Any other JSON.
    Json,
    /// Plain text.
    Text,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 7] = [
        Self::OpenAiChat,
        Self::OpenAiCompletions,
        Self::OpenAiEmbeddings,
        Self::AnthropicMessages,
        Self::KserveV2,
        Self::Json,
        Self::Text,
    ];

    /// Its name in policies, events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiCompletions => "openai_completions",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::AnthropicMessages => "anthropic_messages",
            Self::KserveV2 => "kserve_v2",
            Self::Json => "json",
            Self::Text => "text",
        }
    }

    /// The protocol of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == name)
    }
}

/// The protocol that a request path promises, whatever stands before it (`/openai/v1/chat/completions`, Azure's
/// `/openai/deployments/x/chat/completions?api-version=…`). A query, a fragment and slashes at the end do not count.
#[must_use]
pub fn protocol_of_path(path: &str) -> Option<Protocol> {
    let path = bare(path);
    if path.ends_with("/chat/completions") {
        Some(Protocol::OpenAiChat)
    } else if path.ends_with("/completions") {
        Some(Protocol::OpenAiCompletions)
    } else if path.ends_with("/embeddings") {
        Some(Protocol::OpenAiEmbeddings)
    } else if path.ends_with("/v1/messages") || path.ends_with("/v1/messages/count_tokens") {
        Some(Protocol::AnthropicMessages)
    } else {
        model_of_path(path).map(|_| Protocol::KserveV2)
    }
}

/// The model that a KServe path names: `/v2/models/{model}[/versions/{version}]/infer`.
pub(crate) fn model_of_path(path: &str) -> Option<&str> {
    let (_, rest) = bare(path).split_once("/v2/models/")?;
    let mut steps = rest.split('/');
    let model = steps.next().filter(|model| !model.is_empty())?;
    match (steps.next(), steps.next(), steps.next(), steps.next()) {
        (Some("infer"), None, ..) | (Some("versions"), Some(_), Some("infer"), None) => Some(model),
        _ => None,
    }
}

/// The path without its query, fragment and closing slashes.
fn bare(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/')
}
