//! What a body may cost. Each limit names the harm it keeps away; none can be switched off, only moved.

/// Longest body in bytes: Envoy holds 1 MiB of a request by default and answers 413 beyond it.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of arrays and objects. Protects readers behind us that recurse (CPython stops near 1,000 levels,
/// serde_json at 128); prompts and tool schemas stay under 20.
pub const MAX_DEPTH: usize = 64;
/// What no policy can exceed in depth: our own walk over a document recurses, and a filter's stack is 1 MiB.
pub const DEPTH_CEILING: usize = 128;
/// Most JSON values, names included, a run of numbers in an array counting as one. A value takes 20 bytes of memory,
/// which a filter's VM never gives back: 5 MiB.
pub const MAX_NODES: usize = 1 << 18;
/// Most numbers in a body. Each takes 8 bytes here and 8 more in its tensor: 16 MiB.
pub const MAX_NUMBERS: usize = 1 << 20;
/// Most texts handed to the detectors. Each costs a fixed overhead beside its length.
pub const MAX_PARTS: usize = 1 << 16;
/// Most tensors in a body. Each is an allocation and a check of its own.
pub const MAX_TENSORS: usize = 1 << 12;
/// Most dimensions of a tensor; NumPy allows 64, models in use have up to 6.
pub const MAX_DIMENSIONS: usize = 16;
/// Longest number in bytes. A double written out in full has at most 1,077; CPython refuses integers over 4,300
/// digits, since reading them is quadratic there.
pub const MAX_NUMBER_BYTES: usize = 4300;
/// Longest model name kept as a fact, in bytes; it becomes part of metrics and file names.
pub const MAX_MODEL_BYTES: usize = 256;
/// Longest id of a JSON-RPC request kept as a fact, in bytes: a refusal repeats it.
pub const MAX_RPC_ID_BYTES: usize = 128;
/// Longest JSON pointer that [`place`](crate::Part::place) builds, in bytes; names inside are the caller's to choose.
pub const MAX_PLACE_BYTES: usize = 1024;

/// What a body may cost to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest body in bytes, see [`MAX_BYTES`]. Bodies over 4 GiB are refused whatever it says.
    pub max_bytes: usize,
    /// Deepest nesting, see [`MAX_DEPTH`] and [`DEPTH_CEILING`].
    pub max_depth: usize,
    /// Most JSON values, see [`MAX_NODES`].
    pub max_nodes: usize,
    /// Most numbers, see [`MAX_NUMBERS`].
    pub max_tensor_values: usize,
    /// Most texts, see [`MAX_PARTS`].
    pub max_parts: usize,
    /// Most tensors, see [`MAX_TENSORS`].
    pub max_tensors: usize,
    /// Whether to look where a request that names no most tokens of its answer could name them
    /// ([`Marks::room`](crate::Marks::room)), and as what a chat does: `max_tokens` or `max_completion_tokens`.
    pub finds_room: Option<&'static str>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: MAX_BYTES,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_tensor_values: MAX_NUMBERS,
            max_parts: MAX_PARTS,
            max_tensors: MAX_TENSORS,
            finds_room: None,
        }
    }
}
