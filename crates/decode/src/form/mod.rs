//! The protocols' forms: which strings are whose, which arrays are tensors.

mod answer;
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
mod room;
mod shape;
mod sniff;

use alloc::{sync::Arc, vec::Vec};

use crate::{
    Decoded, Facts, Lane, Limits, Marks, Part, Problem, ProblemKind, Protocol, Role, Tensor,
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
    let mut decoded = collector.decoded(protocol);
    decoded.marks.room = limits.finds_room.and_then(|chat| room::room(document, protocol, chat));
    Ok(decoded)
}

/// Reads a document as an answer.
pub(crate) fn answered<'a>(
    protocol: Option<Protocol>,
    content: Content<'a>,
    limits: &Limits,
) -> Result<Decoded<'a>, Problem> {
    let Content { document, numbers, beyond } = content;
    let document = Arc::new(document);
    let protocol = protocol.unwrap_or_else(|| answer::sniff(&document));
    let mut collector = Collector::new(&document, &numbers, limits);
    collector.answer(protocol)?;
    let mut decoded = collector.decoded(protocol);
    for part in decoded.parts.iter_mut().filter(|part| part.role == Role::Unknown) {
        part.role = Role::Assistant;
    }
    finite_elsewhere(document.body(), &beyond, &decoded.tensors)?;
    Ok(decoded)
}

/// What an event of a streamed answer holds.
pub(crate) struct EventParts<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    /// The lane of each part.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) facts: Facts,
    pub(crate) marks: Marks,
    /// Whether its texts were streamed before, most likely.
    pub(crate) repeats: bool,
    /// Whether it says that the answer is complete.
    pub(crate) ended: bool,
    /// What it was read as.
    pub(crate) protocol: Protocol,
}

/// Reads a document as an event of a streamed answer.
pub(crate) fn event<'a>(
    protocol: Protocol,
    content: Content<'a>,
    limits: &Limits,
) -> Result<EventParts<'a>, Problem> {
    let Content { document, numbers, beyond } = content;
    let document = Arc::new(document);
    let protocol = if protocol == Protocol::Json { answer::sniff(&document) } else { protocol };
    let mut collector = Collector::new(&document, &numbers, limits);
    collector.lanes = Some(Vec::new());
    collector.answer(protocol)?;
    finite_elsewhere(document.body(), &beyond, &collector.tensors)?;
    let Collector { mut parts, lanes, facts, marks, repeats, ended, .. } = collector;
    for part in parts.iter_mut().filter(|part| part.role == Role::Unknown) {
        part.role = Role::Assistant;
    }
    Ok(EventParts { parts, lanes: lanes.unwrap_or_default(), facts, marks, repeats, ended, protocol })
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
