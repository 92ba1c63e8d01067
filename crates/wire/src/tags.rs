//! The closed vocabularies of an event.

use serde::{Deserialize, Serialize};

/// What the guard decided for an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Passed; nothing worth a report.
    Allow,
    /// Passed, and reported.
    Flag,
    /// Passed with parts of it masked, and reported.
    Mask,
    /// Refused because of a limit on the caller.
    Throttle,
    /// Refused because of what it holds.
    Block,
}

impl Verdict {
    /// Every one, from the least that it does to a caller to the most.
    pub const ALL: [Self; 5] = [Self::Allow, Self::Flag, Self::Mask, Self::Throttle, Self::Block];

    /// The word used in headers, logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Mask => "mask",
            Self::Throttle => "throttle",
            Self::Block => "block",
        }
    }
}

/// How bad a finding, an event or an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

impl Severity {
    /// Every one, the worst last.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word used in logs, mails and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What kind of thing a finding is. A category unknown to a reader becomes [`Category::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Data carried out by the answer (links, images, active content).
    Exfiltration,
    /// A payload for another interpreter (HTML, SQL, shell, template).
    WebPayload,
    /// Text whose shape is an attack (repetition, token bombs, adversarial suffixes).
    Structure,
    /// A numeric input outside what the model takes.
    Tensor,
    /// An input that breaks the policy's form: empty, null, too large, malformed.
    InvalidInput,
    /// An input that cannot be inspected.
    Unscannable,
    /// A caller over a limit.
    RateLimit,
    /// A caller who failed to authenticate, or keeps failing.
    Authentication,
    /// The guard itself: events dropped, reloaded, bypassed.
    Guard,
    /// A category that this reader does not know.
    #[serde(other)]
    Other,
}

impl Category {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::PromptInjection,
        Self::Jailbreak,
        Self::PromptExtraction,
        Self::Secret,
        Self::Pii,
        Self::Exfiltration,
        Self::WebPayload,
        Self::Structure,
        Self::Tensor,
        Self::InvalidInput,
        Self::Unscannable,
        Self::RateLimit,
        Self::Authentication,
        Self::Guard,
        Self::Other,
    ];

    /// The word used in logs, mails and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PromptInjection => "prompt_injection",
            Self::Jailbreak => "jailbreak",
            Self::PromptExtraction => "prompt_extraction",
            Self::Secret => "secret",
            Self::Pii => "pii",
            Self::Exfiltration => "exfiltration",
            Self::WebPayload => "web_payload",
            Self::Structure => "structure",
            Self::Tensor => "tensor",
            Self::InvalidInput => "invalid_input",
            Self::Unscannable => "unscannable",
            Self::RateLimit => "rate_limit",
            Self::Authentication => "authentication",
            Self::Guard => "guard",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, format};
    use core::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::{Category, Severity, Verdict};

    /// Each word is another one and read as what wrote it.
    fn comes_back<T: Copy + Debug + PartialEq + DeserializeOwned>(all: &[T], word: fn(T) -> &'static str) {
        let words: BTreeSet<&str> = all.iter().map(|one| word(*one)).collect();
        assert_eq!(words.len(), all.len());
        for one in all {
            let read: T = serde_json::from_str(&format!("\"{}\"", word(*one))).unwrap();
            assert_eq!(read, *one);
        }
    }

    #[test]
    fn every_word_comes_back() {
        comes_back(&Verdict::ALL, Verdict::as_str);
        comes_back(&Severity::ALL, Severity::as_str);
        comes_back(&Category::ALL, Category::as_str);
        assert_eq!(serde_json::from_str::<Category>("\"of a later version\"").unwrap(), Category::Other);
        // A list that lacks one has a gap.
        assert!(Category::ALL.iter().zip(0..).all(|(category, at)| *category as u8 == at));
        assert_eq!(Category::Other as usize + 1, Category::ALL.len());
        assert_eq!(Severity::Critical as usize + 1, Severity::ALL.len());
        assert_eq!(Verdict::Block as usize + 1, Verdict::ALL.len());
    }
}
