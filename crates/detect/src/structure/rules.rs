//! What is known of each rule.

use crate::{
    finding::{Category, Rule, Severity},
    role::{Role, Roles},
};

/// OWASP "Unbounded Consumption", in both numberings.
const CONSUMPTION: &[&str] = &["LLM10:2025", "LLM06:2026"];
/// OWASP "Prompt Injection", in both numberings.
const INJECTION: &[&str] = &["LLM01:2025", "LLM01:2026"];
/// MITRE ATLAS "Denial of AI Service".
const DENIAL: &[&str] = &["AML.T0029"];
/// MITRE ATLAS "LLM Jailbreak".
const JAILBREAK: &[&str] = &["AML.T0054"];
/// MITRE ATLAS "LLM Prompt Obfuscation".
const OBFUSCATION: &[&str] = &["AML.T0068"];

/// Who may send what makes a model stumble; what it answers is its own affair.
const SENT: Roles = Roles::of(&[Role::User, Role::Tool, Role::Unknown]);

const fn rule(id: &'static str, summary: &'static str, severity: Severity, weight: u16) -> Rule {
    Rule {
        id,
        summary,
        category: Category::Structure,
        severity,
        weight,
        paranoia: 1,
        roles: SENT,
        owasp: INJECTION,
        atlas: OBFUSCATION,
    }
}

/// The rules by their place in [`RULES`].
pub(super) const SUFFIX: usize = 0;
pub(super) const MANY_SHOT: usize = 1;
pub(super) const REPEATED: usize = 2;
pub(super) const PADDING: usize = 3;
pub(super) const CONTROL: usize = 4;
pub(super) const MARKS: usize = 5;
pub(super) const INVISIBLE: usize = 6;
pub(super) const TAGS: usize = 7;
pub(super) const SELECTORS: usize = 8;
pub(super) const PRIVATE: usize = 9;
pub(super) const REPLACED: usize = 10;
pub(super) const EMOJI: usize = 11;
pub(super) const MIXED: usize = 12;
pub(super) const OVERRIDE: usize = 13;
pub(super) const LETTERS: usize = 14;
pub(super) const NOISE: usize = 15;
pub(super) const BLOB: usize = 16;

/// Every rule of this detector.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        atlas: JAILBREAK,
        ..rule(
            "structure.suffix.adversarial",
            "Run of word pieces, brackets and code without grammar, as gradient attacks make it",
            Severity::High,
            850,
        )
    },
    Rule {
        category: Category::Jailbreak,
        atlas: JAILBREAK,
        ..rule("jailbreak.shape.many-shot", "Dozens of invented turns in one text", Severity::Medium, 700)
    },
    Rule {
        owasp: CONSUMPTION,
        atlas: DENIAL,
        ..rule("structure.repetition.words", "The same words over and over", Severity::Medium, 850)
    },
    Rule {
        owasp: CONSUMPTION,
        atlas: DENIAL,
        ..rule("structure.repetition.padding", "A flood of the same few characters", Severity::Medium, 600)
    },
    rule("structure.characters.control", "Text full of control characters", Severity::Medium, 850),
    rule("structure.characters.marks", "Letters under piles of combining marks", Severity::Medium, 300),
    rule(
        "structure.characters.invisible",
        "Text full of characters that are not seen",
        Severity::Medium,
        300,
    ),
    rule("structure.characters.tags", "Text in tag characters, which no font shows", Severity::High, 900),
    rule("structure.characters.selectors", "Data in variation selectors", Severity::High, 900),
    rule("structure.characters.private", "Text full of private-use characters", Severity::Low, 400),
    rule("structure.characters.replaced", "Text full of replacement characters", Severity::Low, 300),
    Rule {
        owasp: CONSUMPTION,
        atlas: DENIAL,
        ..rule("structure.characters.emoji", "A flood of emoji", Severity::Low, 600)
    },
    rule("structure.characters.mixed-scripts", "Words of letters of two scripts", Severity::Medium, 350),
    rule("structure.characters.override", "Text turned against its reading direction", Severity::Medium, 500),
    rule("structure.entropy.letters", "Letters in the order of no language", Severity::Low, 300),
    rule("structure.entropy.noise", "Letters and signs at random", Severity::Low, 300),
    rule(
        "structure.entropy.blob",
        "A long stretch of random characters that decodes to nothing",
        Severity::Low,
        250,
    ),
];
