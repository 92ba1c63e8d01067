//! The protocols' forms: which strings are whose, which arrays are tensors.

mod bedrock;
mod binary;
mod chat;
mod gemini;
mod generic;
mod kserve;
mod mcp;
mod ollama;
mod prompt;
mod responses;
mod shape;
mod sniff;

use alloc::sync::Arc;

use crate::{
    Decoded, Limits, Problem, ProblemKind, Protocol, Tensor,
    collect::{Collector, model_name},
    json::{Content, Document},
    protocol::{model_of_path, streams_by_path},
};

/// What a request says beside its document.
#[derive(Clone, Copy, Default)]
pub(crate) struct Surroundings<'a> {
    /// The path.
    pub(crate) path: &'a str,
    /// The bytes behind the document, of KServe's binary tensors.
    pub(crate) binary: &'a [u8],
}

/// Reads a document as the protocol that policy or path promised.
pub(crate) fn fixed<'a>(
    protocol: Protocol,
    content: Content<'a>,
    limits: &Limits,
    around: &Surroundings<'a>,
) -> Result<Decoded<'a>, Problem> {
    let Content { document, numbers, beyond } = content;
    let document = Arc::new(document);
    let mut decoded = read(protocol, &document, &numbers, limits, around.binary)?;
    finite_elsewhere(document.body(), &beyond, &decoded.tensors)?;
    if decoded.facts.model.is_none() {
        decoded.facts.model = model_of_path(around.path).map(model_name);
    }
    decoded.facts.stream |= streams_by_path(around.path);
    Ok(decoded)
}

/// Reads a document as what it looks like, helped by what a path hints at, else as any JSON.
pub(crate) fn sniffed<'a>(
    hint: Option<Protocol>,
    content: Content<'a>,
    limits: &Limits,
) -> Result<Decoded<'a>, Problem> {
    let Content { document, numbers, beyond } = content;
    let document = Arc::new(document);
    let decoded = match read(sniff::protocol(&document, hint), &document, &numbers, limits, &[]) {
        Err(Problem { kind: ProblemKind::Form | ProblemKind::Null | ProblemKind::Empty, .. }) => {
            read(Protocol::Json, &document, &numbers, limits, &[])?
        }
        other => other?,
    };
    finite_elsewhere(document.body(), &beyond, &decoded.tensors)?;
    Ok(decoded)
}

fn read<'a>(
    protocol: Protocol,
    document: &Arc<Document<'a>>,
    numbers: &[f64],
    limits: &Limits,
    binary: &'a [u8],
) -> Result<Decoded<'a>, Problem> {
    let mut collector = Collector::new(document, numbers, limits);
    match protocol {
        Protocol::OpenAiChat => collector.chat(false)?,
        Protocol::AnthropicMessages => collector.chat(true)?,
        Protocol::OpenAiCompletions => collector.prompts("prompt")?,
        Protocol::OpenAiEmbeddings | Protocol::OpenAiModerations => collector.prompts("input")?,
        Protocol::OpenAiResponses => collector.responses()?,
        Protocol::Gemini => collector.gemini()?,
        Protocol::Ollama => collector.ollama()?,
        Protocol::BedrockConverse => collector.bedrock()?,
        Protocol::Mcp => collector.mcp()?,
        Protocol::KserveV2 => collector.kserve(binary)?,
        Protocol::Json | Protocol::Form | Protocol::Text => collector.generic()?,
    }
    Ok(collector.decoded(protocol))
}

/// Values that JSON does not have may stand in tensors only.
fn finite_elsewhere(text: &str, beyond: &[u32], tensors: &[Tensor<'_>]) -> Result<(), Problem> {
    let mut tensors = tensors.iter().peekable();
    for &place in beyond {
        let at = place as usize;
        while tensors.next_if(|tensor| tensor.span.end <= at).is_some() {}
        if tensors.peek().is_some_and(|tensor| tensor.span.contains(&at)) {
            continue;
        }
        let number = text
            .get(at..)
            .unwrap_or_default()
            .trim_start_matches('-')
            .starts_with(|it: char| it.is_ascii_digit());
        return Err(if number {
            Problem::new(ProblemKind::NumberRange, at, "a number beyond a double")
        } else {
            Problem::new(ProblemKind::Syntax, at, "a value that JSON does not have")
        });
    }
    Ok(())
}
