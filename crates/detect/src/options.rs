//! What an engine looks for, and how hard.

use crate::finding::Category;

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
    /// Findings reported for one text.
    pub max_findings: usize,
    /// The packs in use.
    pub packs: Packs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paranoia: 1,
            decode_depth: 2,
            decode_bytes: normalise::Budget::BYTES,
            max_findings: 64,
            packs: Packs::default(),
        }
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
}

impl Default for Packs {
    /// All of them.
    fn default() -> Self {
        Self { injection: true, jailbreak: true, extraction: true, secret: true }
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
            Category::Tensor => false,
        }
    }
}
