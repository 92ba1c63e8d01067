//! The protocols' forms: which strings are whose, which arrays are tensors.

mod chat;
mod generic;
mod kserve;
mod prompt;
mod shape;

use alloc::sync::Arc;

use crate::{
    Decoded, Limits, Problem, ProblemKind, Protocol, Tensor,
    collect::{Collector, model_name},
    json::{Content, Document, Kind, NodeId},
    protocol::model_of_path,
};

/// Reads a document as the protocol that policy or path promised.
pub(crate) fn fixed<'a>(
    protocol: Protocol,
    content: Content<'a>,
    limits: &Limits,
    path: &str,
) -> Result<Decoded<'a>, Problem> {
    let Content { document, numbers, beyond } = content;
    let document = Arc::new(document);
    let mut decoded = read(protocol, &document, &numbers, limits)?;
    finite_elsewhere(document.body(), &beyond, &decoded.tensors)?;
    if decoded.facts.model.is_none() {
        decoded.facts.model = model_of_path(path).map(model_name);
    }
    Ok(decoded)
}

/// Reads a document as what it looks like, else as any JSON.
pub(crate) fn sniffed<'a>(content: Content<'a>, limits: &Limits) -> Result<Decoded<'a>, Problem> {
    let Content { document, numbers, beyond } = content;
    let document = Arc::new(document);
    let decoded = match read(sniff(&document), &document, &numbers, limits) {
        Err(Problem { kind: ProblemKind::Form | ProblemKind::Null | ProblemKind::Empty, .. }) => {
            read(Protocol::Json, &document, &numbers, limits)?
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
) -> Result<Decoded<'a>, Problem> {
    let mut collector = Collector::new(document, numbers, limits);
    match protocol {
        Protocol::OpenAiChat => collector.chat(false)?,
        Protocol::AnthropicMessages => collector.chat(true)?,
        Protocol::OpenAiCompletions => collector.prompts("prompt")?,
        Protocol::OpenAiEmbeddings => collector.prompts("input")?,
        Protocol::KserveV2 => collector.kserve()?,
        Protocol::Json | Protocol::Text => collector.generic()?,
    }
    Ok(collector.decoded(protocol))
}

/// The protocol that a document looks like, by the names in its own object.
fn sniff(document: &Document<'_>) -> Protocol {
    let [mut messages, mut inputs, mut prompt, mut input] = [None; 4];
    let (mut anthropic, mut named, mut more) = (false, false, false);
    for (key, value) in document.members(NodeId::ROOT) {
        match &*document.text(key) {
            "messages" => messages = Some(value),
            "inputs" => inputs = Some(value),
            "prompt" => prompt = Some(value),
            "input" => input = Some(value),
            "system" | "anthropic_version" => anthropic = true,
            "model" => named = document.kind(value) == Kind::String,
            "instructions" | "stream" => more = true,
            _ => {}
        }
    }
    let is = |id: Option<NodeId>, kind: Kind| id.is_some_and(|id| document.kind(id) == kind);
    if is(messages, Kind::Array) {
        return if anthropic { Protocol::AnthropicMessages } else { Protocol::OpenAiChat };
    }
    let first = inputs.and_then(|inputs| document.elements(inputs).next());
    if first.is_some_and(|first| document.member(first, "datatype").is_some()) {
        return Protocol::KserveV2;
    }
    if is(prompt, Kind::String) || is(prompt, Kind::Array) {
        return Protocol::OpenAiCompletions;
    }
    // The responses API has an `input`, too, and more fields beside it.
    if named && !more && input.is_some_and(|input| is_texts(document, input)) {
        return Protocol::OpenAiEmbeddings;
    }
    Protocol::Json
}

/// Whether a value is a string or an array of nothing but strings.
fn is_texts(document: &Document<'_>, id: NodeId) -> bool {
    let text = |id: NodeId| document.kind(id) == Kind::String;
    text(id)
        || (document.count(id) > 0 && document.kind(id) == Kind::Array && document.elements(id).all(text))
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
