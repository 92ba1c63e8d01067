//! The raw policy document. Every field but the model's name has a default; unknown fields are errors, since a
//! misspelt limit is no limit.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    conversation::Conversation,
    decisions::DecisionFeed,
    detection::Detect,
    exception::Exception,
    identity::Identity,
    limits::Limits,
    read::{Answer, Blank, Form, Next, Target, at_most, blank, named, object, read, within, written},
    response::{Headers, Response},
    values::{Action, Mode, ModelName, Protocol, Share},
};

/// A whole policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The guarded model.
    pub model: Model,
    /// Whether verdicts are carried out or only reported.
    #[serde(default)]
    pub mode: Mode,
    /// What a request may look like.
    #[serde(default)]
    pub input: Input,
    /// What is looked for in it.
    #[serde(default)]
    pub detect: Detect,
    /// What is looked for in answers, and what happens when it is found.
    #[serde(default)]
    pub response: Response,
    /// Headers that are added to answers.
    #[serde(default)]
    pub headers: Headers,
    /// Where findings do not count. At most 256.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub exceptions: Vec<Exception>,
    /// A second judgement beside the live one, which is reported and never carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// What to do about input that cannot be inspected.
    #[serde(default)]
    pub unscannable: Unscannable,
    /// How much a client may ask.
    #[serde(default)]
    pub limits: Limits,
    /// What a client is.
    #[serde(default)]
    pub identity: Identity,
    /// What the turns of a conversation mean for each other.
    #[serde(default)]
    pub conversation: Conversation,
    /// What the security team decided about callers.
    #[serde(default)]
    pub decisions: DecisionFeed,
    /// What a report holds.
    #[serde(default)]
    pub report: Report,
    /// Where reports go.
    #[serde(default)]
    pub relay: Relay,
}

/// What the next policy looks for: tried on live traffic before it decides anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Shadow {
    /// In place of the live `detect`; what is left out has its default, not the live value.
    pub detect: Detect,
    /// In place of the live `exceptions`.
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub exceptions: Vec<Exception>,
}

/// The guarded model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name in events, logs and mails.
    pub name: ModelName,
    /// The protocol of its API; without it, path and content tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

/// What a request may look like.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Longest body in bytes, 1 to 16 MiB; the default is what Envoy buffers by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 16_777_216)))]
    pub max_size: u32,
    /// Deepest nesting of JSON, 1 to 64.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub max_depth: u8,
    /// What numeric inputs may hold.
    pub tensor: Tensor,
    /// Most messages of a conversation; `null` for any number.
    pub max_messages: Option<u32>,
    /// Most tools offered to the model; `null` for any number.
    pub max_tools: Option<u32>,
    /// Most images; `null` for any number.
    pub max_images: Option<u32>,
    /// Most tokens of an answer: a request that asks for more asks for this many. `null` leaves it to the model.
    pub clamp_tokens: Option<u32>,
    /// What becomes of a request that names no most tokens of its answer, where `clamp_tokens` does: a model's server has a
    /// number of its own then, which may be more.
    pub absent_tokens: AbsentTokens,
    /// Most answers to one request: one that asks for more asks for this many. `null` leaves it to the model.
    pub clamp_answers: Option<u32>,
    /// Content types that are taken, such as `application/json`, without their parameters; empty for every one that can be
    /// inspected. At most 32.
    #[cfg_attr(feature = "schema", schemars(length(max = 32)))]
    pub content_types: Vec<String>,
    /// What single fields of a JSON body must be, by JSON pointer (RFC 6901). At most 64.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 64)))]
    pub fields: BTreeMap<String, Field>,
}

/// What becomes of a request that names no most tokens of its answer. A request of another protocol than OpenAI's chat has
/// one name for them (`max_tokens`, `max_output_tokens`, `maxOutputTokens`, `num_predict`, `maxTokens`), and gets
/// `clamp_tokens` under it with either of the last two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AbsentTokens {
    /// It goes on as it came.
    #[default]
    Leave,
    /// A chat names them as `max_completion_tokens`, as OpenAI's newer models and most servers want it.
    MaxCompletionTokens,
    /// A chat names them as `max_tokens`, for servers that know no other name; also a chat that has the other.
    MaxTokens,
}

named!(AbsentTokens: "leave" => Leave, "max_completion_tokens" => MaxCompletionTokens, "max_tokens" => MaxTokens);

impl Default for Input {
    fn default() -> Self {
        Self {
            max_size: 1 << 20,
            max_depth: 32,
            tensor: Tensor::default(),
            max_messages: None,
            max_tools: None,
            max_images: None,
            clamp_tokens: None,
            absent_tokens: AbsentTokens::Leave,
            clamp_answers: None,
            content_types: Vec::new(),
            fields: BTreeMap::new(),
        }
    }
}

/// What a field must be. Lengths are those of a string in characters, of a list in elements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Field {
    /// Whether it must be there, and not `null`.
    pub required: bool,
    /// Shortest length.
    pub min_length: Option<u32>,
    /// Longest length.
    pub max_length: Option<u32>,
    /// A regular expression that a string must match somewhere; `^` and `$` hold it to the whole. At most 256 bytes.
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub pattern: Option<String>,
}

impl Input {
    /// Holds fields against what they may be. An error names the field that is at fault and what is wrong.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.fields.len() > 64 {
            return Err(("fields", "fields has more than 64 items".into()));
        }
        for (pointer, field) in &self.fields {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(("fields", format!("{pointer:?} is no JSON pointer: it begins with no slash")));
            }
            if field.pattern.as_ref().is_some_and(|pattern| pattern.len() > 256) {
                return Err(("fields", format!("the pattern of {pointer:?} has more than 256 bytes")));
            }
        }
        Ok(())
    }
}

/// What numeric inputs may hold. A bound that is `null` is not checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Tensor {
    /// Most values in one tensor, 1 to 4,194,304.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 4_194_304)))]
    pub max_values: u32,
    /// Smallest value, for every numeric type.
    pub min_value: Option<f64>,
    /// Largest value, for every numeric type.
    pub max_value: Option<f64>,
    /// Largest magnitude of a floating-point value.
    pub max_magnitude: Option<f64>,
    /// Whether NaN and infinities pass.
    pub allow_non_finite: bool,
    /// Largest gradient along any axis of a floating-point tensor, as `numpy.gradient` computes it.
    pub max_gradient: Option<f64>,
    /// Smallest share of values that are not zero.
    pub min_sparsity: Option<Share>,
    /// Most axes, 1 to 64.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub max_rank: u8,
    /// The shape that the model takes, axis by axis: a length, `null` for any, `{"max": 8}` for up to eight.
    pub shape: Option<Vec<Axis>>,
    /// The datatypes that the model takes, as the protocol names them, such as `FP32`.
    pub datatypes: Option<Vec<String>>,
    /// Longest run of equal values, in row-major order.
    pub max_equal_run: Option<u32>,
    /// Largest share of values at the tensor's own least or largest value.
    pub max_saturated: Option<Share>,
    /// How rough ordinary inputs of this model are; rougher ones look perturbed.
    pub high_frequency: Option<HighFrequency>,
    /// How much of an ordinary input of this model is even; less even ones look perturbed.
    pub flatness: Option<Flatness>,
}

/// What one axis of a tensor may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Axis {
    /// Of any length.
    Any,
    /// Of this length.
    Exactly(u32),
    /// Of this length or shorter.
    AtMost {
        /// The greatest length.
        max: u32,
    },
}

impl Target for Axis {
    fn expecting(&self) -> &'static str {
        "null, a length or {\"max\": length}"
    }

    fn form(&self) -> Form {
        Form::Object(&["max"], 1)
    }

    fn null(&mut self) -> Answer {
        *self = Self::Any;
        Ok(())
    }

    fn whole(&mut self, length: u64) -> Answer {
        let mut exactly = 0u32;
        exactly.whole(length)?;
        *self = Self::Exactly(exactly);
        Ok(())
    }

    fn field(&mut self, _: usize, read: Next<'_>) -> Answer {
        let mut max = 0u32;
        read(&mut max)?;
        *self = Self::AtMost { max };
        Ok(())
    }
}

impl Blank for Axis {
    fn blank() -> Self {
        Self::Any
    }
}

/// A model's baseline for the share of a sample's energy that lies in high frequencies. `cargo xtask digits` shows how
/// one is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HighFrequency {
    /// The mean share of ordinary samples, 0 to 1.
    pub mean: f64,
    /// How far above it an ordinary sample may be: a high quantile of ordinary samples, less the mean.
    pub tolerance: f64,
    /// The number of last axes that make up a sample: 2 for images, 1 for signals.
    pub axes: u8,
}

/// A model's baseline for the share of even places in a sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Flatness {
    /// Largest second difference of an even place: less than the step between neighbouring values of an ordinary input.
    pub floor: f64,
    /// Smallest share of even places, 0 to 1: a low quantile of ordinary samples.
    pub min_share: f64,
    /// The number of last axes that make up a sample: 2 for images, 1 for signals.
    pub axes: u8,
}

impl Default for Tensor {
    fn default() -> Self {
        Self {
            max_values: 1 << 20,
            min_value: None,
            max_value: None,
            max_magnitude: Some(1e6),
            allow_non_finite: false,
            max_gradient: Some(1e3),
            min_sparsity: None,
            max_rank: 64,
            shape: None,
            datatypes: None,
            max_equal_run: None,
            max_saturated: None,
            high_frequency: None,
            flatness: None,
        }
    }
}

/// What to do about input that cannot be inspected, by its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Unscannable {
    /// A content type other than JSON and plain text.
    pub content_type: Action,
    /// A compressed body.
    pub content_encoding: Action,
    /// Bytes that are not UTF-8.
    pub charset: Action,
    /// Broken JSON.
    pub syntax: Action,
    /// An object that names a key twice: parsers differ in which one they take.
    pub duplicate_key: Action,
    /// JSON deeper or larger than what is inspected.
    pub too_complex: Action,
    /// JSON that is not of the form its path promises.
    pub form: Action,
    /// A body longer than `input.max_size`, or that inflates to more.
    pub oversize: Action,
    /// A WebSocket, or another tunnel: it has no body with an end.
    pub websocket: Action,
    /// A gRPC stream on a path that no known protocol has.
    pub grpc: Action,
}

impl Default for Unscannable {
    fn default() -> Self {
        Self {
            content_type: Action::Block,
            content_encoding: Action::Block,
            charset: Action::Block,
            syntax: Action::Block,
            duplicate_key: Action::Block,
            too_complex: Action::Block,
            form: Action::Block,
            oversize: Action::Block,
            websocket: Action::Block,
            grpc: Action::Block,
        }
    }
}

/// What a report holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Whether a finding carries the bytes that led to it, masked but for a few.
    pub evidence: bool,
    /// Whether the caller is told which rule refused a request.
    pub explain_to_caller: bool,
    /// Whether the model's server is told what was made of a request it gets, by `x-modelgate-verdict` and
    /// `x-modelgate-score`.
    pub advise_upstream: bool,
    /// Whether Envoy's filter state names the client of every request, also of those in which nothing was found: one more
    /// call to the host for each.
    pub every_client: bool,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// Envoy's name for the cluster of the relay.
    pub cluster: String,
    /// The path of the relay's ingest.
    pub path: String,
    /// How long a callout may take, 100 to 60,000 ms.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 60_000)))]
    pub timeout_ms: u32,
    /// How long an ordinary event may wait for others, 50 to 60,000 ms; critical ones never wait.
    #[cfg_attr(feature = "schema", schemars(range(min = 50, max = 60_000)))]
    pub batch_interval_ms: u32,
    /// Events held while the relay is away, 1 to 100,000; the oldest are dropped first, and counted.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100_000)))]
    pub queue: u32,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            cluster: "alert-relay".into(),
            path: "/v1/events".into(),
            timeout_ms: 5000,
            batch_interval_ms: 1000,
            queue: 2000,
        }
    }
}

object!(Document, needs [model], takes [
    mode, input, detect, response, headers, exceptions: at_most(256), shadow, unscannable, limits, identity, conversation,
    decisions, report, relay,
]);
object!(Shadow, needs [], takes [detect, exceptions: at_most(256)]);
object!(Model, needs[name], takes[protocol]);
object!(Input, needs [], takes [
    max_size: within(1, 16 << 20), max_depth: within(1, 64), tensor, max_messages, max_tools, max_images, clamp_tokens,
    absent_tokens, clamp_answers, content_types: at_most(32), fields,
]);
object!(Field, needs [], takes [required, min_length, max_length, pattern]);
object!(Tensor, needs [], takes [
    max_values: within(1, 1 << 22), min_value, max_value, max_magnitude, allow_non_finite, max_gradient, min_sparsity,
    max_rank: within(1, 64), shape, datatypes, max_equal_run, max_saturated, high_frequency, flatness,
]);
object!(HighFrequency, needs [mean, tolerance, axes], takes []);
object!(Flatness, needs [floor, min_share, axes], takes []);
object!(Unscannable, needs [], takes [
    content_type, content_encoding, charset, syntax, duplicate_key, too_complex, form, oversize, websocket, grpc,
]);
object!(Report, needs [], takes [evidence, explain_to_caller, advise_upstream, every_client]);
object!(Relay, needs [], takes [
    cluster, path, timeout_ms: within(100, 60_000), batch_interval_ms: within(50, 60_000), queue: within(1, 100_000),
]);
blank!(Shadow, HighFrequency, Flatness, Field);

impl Blank for Document {
    fn blank() -> Self {
        Self {
            model: Model { name: ModelName::default(), protocol: None },
            mode: Mode::default(),
            input: Input::default(),
            response: Response::default(),
            headers: Headers::default(),
            detect: Detect::default(),
            exceptions: Vec::new(),
            shadow: None,
            unscannable: Unscannable::default(),
            limits: Limits::default(),
            identity: Identity::default(),
            conversation: Conversation::default(),
            decisions: DecisionFeed::default(),
            report: Report::default(),
            relay: Relay::default(),
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl Document {
    /// Holds fields against each other. An error names the field that is at fault and what is wrong.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        self.detect.check()?;
        self.input.check()?;
        self.response.check()?;
        self.headers.check()?;
        self.identity.check()?;
        // These concern a client, of whom nothing can be masked.
        for (field, action) in [
            ("failed_attempts", self.limits.failed_attempts),
            ("repeats", self.limits.repeats),
            ("risk", self.conversation.risk),
        ] {
            if action == Action::Mask {
                return Err((field, format!("{field} takes allow, flag or block")));
            }
        }
        if let Some(shadow) = &self.shadow {
            shadow.detect.check()?;
        }
        let shadowed = self.shadow.iter().flat_map(|shadow| &shadow.exceptions);
        for exception in self.exceptions.iter().chain(shadowed) {
            exception.check().map_err(|message| ("exceptions", message))?;
        }
        let tensor = &self.input.tensor;
        // YAML can write NaN, which is neither above nor below anything.
        if let (Some(min), Some(max)) = (tensor.min_value, tensor.max_value)
            && (min > max || min.is_nan() || max.is_nan())
        {
            return Err((
                "min_value",
                format!("min_value {} is not below max_value {}", written(min), written(max)),
            ));
        }
        for (field, bound) in [("max_magnitude", tensor.max_magnitude), ("max_gradient", tensor.max_gradient)]
        {
            if let Some(bound) = bound
                && (bound <= 0.0 || bound.is_nan())
            {
                return Err((field, format!("{field} {} is not above 0", written(bound))));
            }
        }
        let share = |value: f64| (0.0..=1.0).contains(&value);
        if let Some(HighFrequency { mean, tolerance, axes }) = &tensor.high_frequency
            && !(share(*mean) && share(*tolerance) && (1..=8).contains(axes))
        {
            let message = "high_frequency takes a mean and a tolerance from 0 to 1 and 1 to 8 axes";
            return Err(("high_frequency", message.into()));
        }
        if let Some(Flatness { floor, min_share, axes }) = &tensor.flatness
            && !(*floor >= 0.0 && share(*min_share) && (1..=8).contains(axes))
        {
            let message = "flatness takes a floor of 0 or more, a min_share from 0 to 1 and 1 to 8 axes";
            return Err(("flatness", message.into()));
        }
        Ok(())
    }
}
