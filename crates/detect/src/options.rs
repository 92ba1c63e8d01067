//! What an engine looks for, and how hard.

use alloc::{string::String, vec::Vec};

use crate::finding::{Category, Rule};

/// How an engine is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Rules up to this paranoia level (1 to 4) are used.
    pub paranoia: u8,
    /// How many layers of encoding are undone; 0 decodes nothing.
    pub decode_depth: u8,
    /// Bytes of decoded text that are judged for one text. An attacker who encodes more is told apart by
    /// [`crate::Scratch::is_exhausted`].
    pub decode_bytes: usize,
    /// Rules reported for one text.
    pub max_findings: usize,
    /// Whether each match of a rule is reported, for masking, and not only its first one: of up to 1024 matches more.
    /// Matches of one rule that overlap are reported as one. Whoever adds weights up counts a rule once.
    pub every_match: bool,
    /// The packs in use.
    pub packs: Packs,
    /// Tokens planted in prompts: whoever writes one has seen the prompt. The first 32 of at least 8
    /// letters and digits are looked for, in every role but the system's. They belong to the
    /// exfiltration pack.
    pub canaries: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paranoia: 1,
            decode_depth: 3,
            decode_bytes: normalise::Budget::BYTES,
            max_findings: 64,
            every_match: false,
            packs: Packs::default(),
            canaries: Vec::new(),
        }
    }
}

impl Options {
    /// Whether a rule is in use.
    pub(crate) const fn uses(&self, rule: &Rule) -> bool {
        self.dares(rule) && self.packs.contains(rule.category)
    }

    /// Findings that one text has at most.
    pub(crate) const fn most_findings(&self) -> usize {
        let repeats = if self.every_match { crate::room::REPEATS } else { 0 };
        self.max_findings.saturating_add(repeats)
    }

    /// Whether the paranoia level lets a rule be used, whatever its pack.
    pub(crate) const fn dares(&self, rule: &Rule) -> bool {
        rule.paranoia <= self.paranoia
    }
}

/// Which packs of rules are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packs {
    /// Prompt injection.
    pub injection: bool,
    /// Jailbreaks.
    pub jailbreak: bool,
    /// Prompt extraction.
    pub extraction: bool,
    /// Credentials.
    pub secret: bool,
    /// Personal data.
    pub pii: bool,
    /// Data carried out.
    pub exfiltration: bool,
    /// Payloads for other interpreters.
    pub web_payload: bool,
    /// Texts whose shape is an attack.
    pub structure: bool,
    /// The learnt models beside the rules of injection, jailbreak and extraction.
    pub classifier: bool,
}

impl Default for Packs {
    /// All of them.
    fn default() -> Self {
        Self {
            injection: true,
            jailbreak: true,
            extraction: true,
            secret: true,
            pii: true,
            exfiltration: true,
            web_payload: true,
            structure: true,
            classifier: true,
        }
    }
}

impl Packs {
    /// Whether rules of a category are in use.
    #[must_use]
    pub const fn contains(&self, category: Category) -> bool {
        match category {
            Category::PromptInjection => self.injection,
            Category::Jailbreak => self.jailbreak,
            Category::PromptExtraction => self.extraction,
            Category::Secret => self.secret,
            Category::Pii => self.pii,
            Category::Exfiltration => self.exfiltration,
            Category::WebPayload => self.web_payload,
            Category::Structure => self.structure,
            Category::Tensor => false,
        }
    }
}
