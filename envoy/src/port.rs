//! What the flow asks of the host that runs it, and nothing more: `host.rs` answers with Envoy, tests with a mock.

use std::fmt;

use crate::headers::HeaderMap;

/// The host did not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The host call, such as `proxy_get_buffer_bytes`.
    pub(crate) call: &'static str,
    /// Its status, as the proxy-wasm ABI numbers them; 0 if the answer itself was unreadable.
    pub(crate) status: u32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host answered {} with status {}", self.call, self.status)
    }
}

/// Which of a stream's two header maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What the caller sent.
    Request,
    /// What the caller gets.
    Response,
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Something works less well than it was meant to.
    Warn,
    /// Something does not work.
    Error,
}

/// What a metric that the host keeps can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// It grows.
    Counter,
    /// It has a value.
    Gauge,
    /// It keeps how values are distributed.
    Histogram,
}

/// A metric that the host keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetricId(pub(crate) u32);

/// A callout that the host has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallToken(pub(crate) u32);

/// A request to another cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// HTTP method.
    pub(crate) method: &'a str,
    /// The cluster, by the host's name for it.
    pub(crate) cluster: &'a str,
    /// The path.
    pub(crate) path: &'a str,
    /// Further headers.
    pub(crate) headers: &'a [(&'static str, String)],
    /// The body.
    pub(crate) body: &'a [u8],
    /// How long it may take, in milliseconds.
    pub(crate) timeout_ms: u32,
}

/// An answer in place of the upstream's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// HTTP status.
    pub(crate) status: u16,
    /// `%RESPONSE_CODE_DETAILS%` of the host's access log.
    pub(crate) details: &'a str,
    /// Headers, `content-type` among them.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(crate) body: &'a [u8],
}

/// A value of the shared data and its version; the host gives out no version 0.
pub(crate) type Shared = (Vec<u8>, u32);

/// Why a value was not shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShareError {
    /// It has another version by now.
    Conflict,
    /// For no reason that trying again would remove.
    Refused(Refused),
}

/// The host of one VM. Calls about a stream mean the one whose callback is running.
pub(crate) trait Host {
    /// Unix time in nanoseconds; 0 if the host has no clock.
    fn clock_ns(&self) -> u64;
    /// The memory that the VM has taken from the host, in bytes.
    fn memory(&self) -> u64;
    /// Writes a line to the host's log.
    fn log(&self, level: Level, line: &str);
    /// A variable of the environment that the VM was given.
    fn variable(&self, name: &str) -> Option<String>;
    /// The configuration of the plugin, `length` bytes long.
    fn configuration(&self, length: usize) -> Result<Vec<u8>, Refused>;
    /// Has the root context ticked every `period_ms`, the first time after that period; also from a stream's callback.
    fn tick_every(&self, period_ms: u32) -> Result<(), Refused>;

    /// Tells the host that the root context, asked to end, has nothing left to do.
    fn done(&self) -> Result<(), Refused>;

    /// Headers; only in the callback of their phase.
    fn headers(&self, side: Side) -> Result<HeaderMap, Refused>;
    /// Adds a header.
    fn add_header(&self, side: Side, name: &str, value: &str) -> Result<(), Refused>;
    /// Removes every header of a name.
    fn remove_header(&self, side: Side, name: &[u8]) -> Result<(), Refused>;
    /// The first `length` bytes of a body, as far as the host has buffered them; of one that is not held, of the chunk
    /// whose callback is running.
    fn body(&self, side: Side, length: usize) -> Result<Vec<u8>, Refused>;
    /// Puts other bytes in the place of the first `length` ones.
    fn replace_body(&self, side: Side, length: usize, body: &[u8]) -> Result<(), Refused>;
    /// An attribute of the stream or of the host; `None` if it is not known.
    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused>;
    /// Sets an attribute of the stream for others to read, such as the host's access log.
    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Refused>;
    /// Answers the caller in place of the upstream. A second answer to one stream would hang it.
    fn answer(&self, answer: Answer<'_>) -> Result<(), Refused>;
    /// Ends the stream without an answer.
    fn reset(&self) -> Result<(), Refused>;
    /// The same for the stream of this number, from a callback of the root context `root`.
    fn reset_other(&self, stream: u32, root: u32) -> Result<(), Refused>;

    /// Reads a value that all VMs share.
    fn shared(&self, key: &str) -> Result<Option<Shared>, Refused>;
    /// Replaces a shared value of this version; 0 replaces whatever is there.
    fn share(&self, key: &str, value: &[u8], version: u32) -> Result<(), ShareError>;

    /// A metric by its name; the same one for the same name.
    fn metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, Refused>;
    /// Adds to a counter.
    fn count(&self, counter: MetricId, by: u64);
    /// Sets a gauge, or gives a histogram one more value.
    fn record(&self, metric: MetricId, value: u64);

    /// Sends a request; only from a callback of the root context, to which the answer will come.
    fn call(&self, call: Call<'_>) -> Result<CallToken, Refused>;
    /// The status of the answer whose callback is running; `None` if there was none.
    fn call_status(&self) -> Option<u16>;
    /// A header of that answer, of which names are in lower case.
    fn call_header(&self, name: &str) -> Option<String>;
    /// The first `length` bytes of that answer's body.
    fn call_body(&self, length: usize) -> Result<Vec<u8>, Refused>;
}
