//! What else a body says.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

/// What a request asks for or an answer reports, beside its texts and tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The model that is named, cut to [`MAX_MODEL_BYTES`](crate::limits::MAX_MODEL_BYTES).
    pub model: Option<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Messages of the conversation; for completions, embeddings and moderations, inputs; for KServe, inputs; for MCP,
    /// JSON-RPC messages; of an answer, choices.
    pub messages: u32,
    /// Tools and functions offered to the model.
    pub tools: u32,
    /// Images among the content.
    pub images: u32,
    /// Sound recordings among the content.
    pub audio: u32,
    /// Files and films among the content.
    pub files: u32,
    /// Bytes of base64 in images, sound and files: the model gets them, and nobody has looked at them.
    pub opaque_bytes: usize,
    /// Inputs given as token ids instead of text: the model gets them, and nobody has looked at them.
    pub token_inputs: u32,
    /// The most tokens to answer with (`max_tokens`, `max_completion_tokens`), the larger if both are given.
    pub max_tokens: Option<u64>,
    /// How many answers are asked for.
    pub n: Option<u64>,
    /// The id of the one JSON-RPC request in the body, as it is written there, quotes included; none for batches and for
    /// ids longer than [`MAX_RPC_ID_BYTES`](crate::limits::MAX_RPC_ID_BYTES).
    pub rpc_id: Option<String>,
    /// Why the model stopped, in an answer: the last reason given.
    pub finish: Option<String>,
    /// Tokens read, as an answer reports them.
    pub input_tokens: Option<u64>,
    /// Tokens written, as an answer reports them.
    pub output_tokens: Option<u64>,
}

/// Where in a body stands what has to be known to whoever changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Where an answer gives its texts again token by token (`logprobs`): values of JSON.
    pub tokens: Vec<Range<usize>>,
    /// What a request asks for in numbers.
    pub amounts: Vec<Amount>,
    /// Where a request that names no most tokens of its answer could name them, if that was asked for
    /// ([`Limits::finds_room`](crate::Limits::finds_room)).
    pub room: Option<Room>,
}

/// Where a body has room for a member: what is written there is `opening`, the member of this name, `closing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The bytes that make way; mostly none.
    pub span: Range<usize>,
    /// What comes before the member.
    pub opening: &'static str,
    /// The member's name, without quotes.
    pub name: &'static str,
    /// What comes behind it.
    pub closing: &'static str,
}

/// A number of things that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Of what.
    pub of: Asked,
    /// The value as it is written.
    pub span: Range<usize>,
    /// The number; `None` for what is none, a negative one or a fraction.
    pub value: Option<u64>,
}

/// What a request can ask for in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Tokens of an answer, at the most.
    Tokens,
    /// Answers.
    Answers,
}
