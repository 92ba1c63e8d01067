//! The values a policy may hold, each checked where it is read, so that an error names its line and column.

use alloc::{format, string::String};
use core::fmt;

use serde::{Serialize, Serializer};

use crate::read::{Answer, Blank, Refusal, Target, blank, named, within, written};

/// What to do about something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Pass it and do not report it.
    Allow,
    /// Pass it and report it.
    Flag,
    /// Pass the rest, what was found replaced, and report it. Where nothing can be replaced, it is refused.
    Mask,
    /// Refuse it and report it.
    Block,
}

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are reported as `flag`, and nothing is refused.
    Monitor,
}

/// What makes two requests come from the same client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientBy {
    /// The address that the host vouches for.
    #[default]
    Address,
    /// The API key where there is one. For upstreams that refuse unknown keys: a caller who may make up keys makes up
    /// clients.
    ApiKey,
    /// The claim of a verified token that `jwt_claim` names, where there is one.
    JwtClaim,
}

/// The name of a rule, or the beginning of one followed by `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RuleName(
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = r"^[a-z0-9.-]{0,128}\*?$")))] String,
);

impl RuleName {
    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a rule is meant.
    #[must_use]
    pub fn fits(&self, rule: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => rule.starts_with(beginning),
            None => rule == self.0,
        }
    }
}

impl Target for RuleName {
    fn expecting(&self) -> &'static str {
        "a rule's id"
    }

    fn text(&mut self, name: &str) -> Answer {
        let plain = name.strip_suffix('*').unwrap_or(name);
        let is_name =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
        if !name.is_empty() && plain.len() <= 128 && plain.bytes().all(is_name) {
            self.0 = name.into();
            Ok(())
        } else {
            Err(Refusal::Message(format!(
                "{name:?} is no rule's id (a-z, 0-9, dots, hyphens; `*` at its end)"
            )))
        }
    }
}

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The application's own instructions.
    System,
    /// The person, or whoever is not known.
    User,
    /// The model.
    Assistant,
    /// The result of a tool, or a document.
    Tool,
    /// A value that is no prose: a name, an identifier, metadata.
    Field,
}

impl Role {
    /// The detectors' roles that it stands for.
    pub(crate) const fn detected(self) -> &'static [detect::Role] {
        match self {
            Self::System => &[detect::Role::System],
            Self::User => &[detect::Role::User, detect::Role::Unknown],
            Self::Assistant => &[detect::Role::Assistant],
            Self::Tool => &[detect::Role::Tool],
            Self::Field => &[detect::Role::Field],
        }
    }
}

impl From<detect::Role> for Role {
    fn from(role: detect::Role) -> Self {
        match role {
            detect::Role::System => Self::System,
            detect::Role::User | detect::Role::Unknown => Self::User,
            detect::Role::Assistant => Self::Assistant,
            detect::Role::Tool => Self::Tool,
            detect::Role::Field => Self::Field,
        }
    }
}

/// What kind of thing a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// An instruction that tries to replace those of the application.
    PromptInjection,
    /// A persona or frame meant to switch the model's safety off.
    Jailbreak,
    /// An attempt to read hidden context.
    PromptExtraction,
    /// A credential.
    Secret,
    /// Data about a person.
    Pii,
    /// Data carried out.
    Exfiltration,
    /// A payload for another interpreter.
    WebPayload,
    /// Text whose shape is an attack.
    Structure,
}

impl From<Category> for detect::Category {
    fn from(category: Category) -> Self {
        match category {
            Category::PromptInjection => Self::PromptInjection,
            Category::Jailbreak => Self::Jailbreak,
            Category::PromptExtraction => Self::PromptExtraction,
            Category::Secret => Self::Secret,
            Category::Pii => Self::Pii,
            Category::Exfiltration => Self::Exfiltration,
            Category::WebPayload => Self::WebPayload,
            Category::Structure => Self::Structure,
        }
    }
}

/// How bad a match is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth counting.
    Low,
    /// Worth reading.
    #[default]
    Medium,
    /// An attack, or the loss of something that matters.
    High,
    /// Somebody should look now.
    Critical,
}

impl From<Severity> for detect::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Low => Self::Low,
            Severity::Medium => Self::Medium,
            Severity::High => Self::High,
            Severity::Critical => Self::Critical,
        }
    }
}

/// The protocol of the guarded model's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// OpenAI chat completions.
    OpenaiChat,
    /// OpenAI completions.
    OpenaiCompletions,
    /// OpenAI embeddings.
    OpenaiEmbeddings,
    /// OpenAI responses.
    OpenaiResponses,
    /// OpenAI moderations.
    OpenaiModerations,
    /// Anthropic messages.
    AnthropicMessages,
    /// Gemini and Vertex: `generateContent` and its kin.
    Gemini,
    /// Ollama's own API.
    Ollama,
    /// Amazon Bedrock's Converse.
    BedrockConverse,
    /// Model Context Protocol.
    Mcp,
    /// KServe's open inference protocol, version 2.
    KserveV2,
    /// Any other JSON: every string is a text for the model.
    Json,
    /// Plain text.
    Text,
}

/// The name of the guarded model: 1 to 128 bytes without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ModelName(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128)))] String);

impl ModelName {
    /// Longest name in bytes: it becomes part of file names and mail subjects.
    pub const MAX_BYTES: usize = 128;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Target for ModelName {
    fn expecting(&self) -> &'static str {
        "the model's name"
    }

    fn text(&mut self, name: &str) -> Answer {
        if name.is_empty() || name.len() > Self::MAX_BYTES {
            return Err(Refusal::Message(format!(
                "the model's name has {} bytes, it takes 1 to {}",
                name.len(),
                Self::MAX_BYTES
            )));
        }
        if name.chars().any(char::is_control) {
            return Err(Refusal::Message("the model's name holds a control character".into()));
        }
        self.0 = name.into();
        Ok(())
    }
}

/// A share of one in thousandths, written as a number from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// `thousandths`/1000, at most 1.
    #[must_use]
    pub const fn from_thousandths(thousandths: u16) -> Self {
        if thousandths > 1000 { Self(1000) } else { Self(thousandths) }
    }

    /// The share in thousandths, 0 to 1000.
    #[must_use]
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// The share as a number from 0 to 1.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl Target for Share {
    fn expecting(&self) -> &'static str {
        "a number from 0 to 1"
    }

    #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 are taken")]
    fn whole(&mut self, value: u64) -> Answer {
        self.number(value as f64)
    }

    fn number(&mut self, value: f64) -> Answer {
        if !(0.0..=1.0).contains(&value) {
            return Err(Refusal::Message(format!("{} does not lie between 0 and 1", written(value))));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.5 to 1000.5")]
        let thousandths = (value * 1000.0 + 0.5) as u16;
        self.0 = thousandths;
        Ok(())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Share {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// How much suspicion is enough: 1 (few false alarms) to 4 (few misses), as in the OWASP Core Rule Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Paranoia(#[cfg_attr(feature = "schema", schemars(range(min = 1, max = 4)))] u8);

impl Default for Paranoia {
    fn default() -> Self {
        Self(1)
    }
}

impl Paranoia {
    /// The level, 1 to 4.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl Target for Paranoia {
    fn expecting(&self) -> &'static str {
        "a level from 1 to 4"
    }

    fn whole(&mut self, value: u64) -> Answer {
        within("paranoia level", &mut self.0, 1, 4).whole(value)
    }
}

named!(Action: "allow" => Allow, "flag" => Flag, "mask" => Mask, "block" => Block);
named!(Mode: "enforce" => Enforce, "monitor" => Monitor);
named!(ClientBy: "address" => Address, "api_key" => ApiKey, "jwt_claim" => JwtClaim);
named!(Role: "system" => System, "user" => User, "assistant" => Assistant, "tool" => Tool, "field" => Field);
named!(Category: "prompt_injection" => PromptInjection, "jailbreak" => Jailbreak, "prompt_extraction" => PromptExtraction, "secret" => Secret, "pii" => Pii, "exfiltration" => Exfiltration, "web_payload" => WebPayload, "structure" => Structure);
named!(Severity: "low" => Low, "medium" => Medium, "high" => High, "critical" => Critical);
named!(Protocol: "openai_chat" => OpenaiChat, "openai_completions" => OpenaiCompletions, "openai_embeddings" => OpenaiEmbeddings, "openai_responses" => OpenaiResponses, "openai_moderations" => OpenaiModerations, "anthropic_messages" => AnthropicMessages, "gemini" => Gemini, "ollama" => Ollama, "bedrock_converse" => BedrockConverse, "mcp" => Mcp, "kserve_v2" => KserveV2, "json" => Json, "text" => Text);

blank!(Mode, ClientBy, RuleName, ModelName, Severity, Paranoia);

impl Blank for Action {
    fn blank() -> Self {
        Self::Block
    }
}

impl Blank for Role {
    fn blank() -> Self {
        Self::User
    }
}

impl Blank for Protocol {
    fn blank() -> Self {
        Self::Json
    }
}

impl Blank for Share {
    fn blank() -> Self {
        Self(0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn from_json<T: Blank>(json: &str) -> Result<T, serde_json::Error> {
        crate::read::read(&mut serde_json::Deserializer::from_str(json))
    }

    /// Checks that what is written is read again, and returns how many were.
    fn read_again<T>(all: &[T]) -> usize
    where
        T: Copy + fmt::Debug + PartialEq + Serialize + Target,
    {
        for value in all {
            let written = serde_json::to_string(value).unwrap();
            let mut again = all[0];
            again.text(written.trim_matches('"')).unwrap_or_else(|_| panic!("{written} is not read"));
            assert_eq!(again, *value, "{written}");
        }
        all.len()
    }

    #[test]
    fn every_name_is_read_as_it_is_written() {
        let counts = [
            read_again(&[Action::Allow, Action::Flag, Action::Mask, Action::Block]),
            read_again(&[Mode::Enforce, Mode::Monitor]),
            read_again(&[ClientBy::Address, ClientBy::ApiKey, ClientBy::JwtClaim]),
            read_again(&[Role::System, Role::User, Role::Assistant, Role::Tool, Role::Field]),
            read_again(&[
                Category::PromptInjection,
                Category::Jailbreak,
                Category::PromptExtraction,
                Category::Secret,
                Category::Pii,
                Category::Exfiltration,
                Category::WebPayload,
                Category::Structure,
            ]),
            read_again(&[Severity::Low, Severity::Medium, Severity::High, Severity::Critical]),
            read_again(&[
                Protocol::OpenaiChat,
                Protocol::OpenaiCompletions,
                Protocol::OpenaiEmbeddings,
                Protocol::OpenaiResponses,
                Protocol::OpenaiModerations,
                Protocol::AnthropicMessages,
                Protocol::Gemini,
                Protocol::Ollama,
                Protocol::BedrockConverse,
                Protocol::Mcp,
                Protocol::KserveV2,
                Protocol::Json,
                Protocol::Text,
            ]),
        ];
        assert_eq!(counts.iter().sum::<usize>(), 39);
    }

    #[test]
    fn a_wrong_name_or_none_at_all_is_told() {
        let error = |json| from_json::<Mode>(json).unwrap_err().to_string();
        let unknown = "unknown variant `off`, expected `enforce` or `monitor` at line 1 column 5";
        assert_eq!(error("\"off\""), unknown);
        assert_eq!(error("1"), "invalid type: integer `1`, expected a name at line 1 column 1");
    }
}
