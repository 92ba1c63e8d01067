//! What a detector reports.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;

use normalise::Transform;

use crate::role::Roles;

/// What kind of thing a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// An instruction that tries to replace those of the application.
    PromptInjection,
    /// A persona or frame meant to switch the model's safety off.
    Jailbreak,
    /// An attempt to read the system prompt or hidden context.
    PromptExtraction,
    /// A credential in a text.
    Secret,
    /// Data about a person.
    Pii,
    /// Data carried out by a text: links, images, active content, the application's own prompt.
    Exfiltration,
    /// A payload for another interpreter: HTML, SQL, a shell, a template engine.
    WebPayload,
    /// Text whose shape is an attack: repetition, token bombs, adversarial suffixes.
    Structure,
    /// A numeric input outside what the model takes.
    Tensor,
}

/// How bad a finding is by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth counting.
    Low,
    /// Worth reading.
    Medium,
    /// An attack, or the loss of something that matters.
    High,
    /// Somebody should look now.
    Critical,
}

/// What is known of a rule before it ever matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique id, such as `injection.override.ignore-previous`.
    pub id: &'static str,
    /// What it looks for, in one line for a person.
    pub summary: &'static str,
    /// Its kind.
    pub category: Category,
    /// How bad a match is.
    pub severity: Severity,
    /// How sure a match alone is that this is an attack, in thousandths (0 to 1000).
    pub weight: u16,
    /// The lowest paranoia level (1 to 4) at which it is used.
    pub paranoia: u8,
    /// The roles whose texts it judges.
    pub roles: Roles,
    /// OWASP Top 10 for LLM applications, such as `LLM01:2025`.
    pub owasp: &'static [&'static str],
    /// MITRE ATLAS techniques, such as `AML.T0051.000`.
    pub atlas: &'static [&'static str],
}

/// One match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that matched.
    pub rule: Arc<Rule>,
    /// How sure this match is, in thousandths: the rule's weight, unless the detector measures it.
    pub weight: u16,
    /// Byte range in the text or, for a tensor, index range of the values that were judged.
    pub span: Range<usize>,
    /// What was undone before the rule matched, outermost first.
    pub transforms: Vec<Transform>,
}
