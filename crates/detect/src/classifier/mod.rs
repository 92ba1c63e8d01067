//! Learnt models: linear ones over hashed pieces of the text, for phrasing that no rule lists.
//!
//! `cargo xtask train` makes them and measures them; `models/MODEL_CARD.md` says from what, and how good
//! they are. The text is judged in windows of a sentence and of a paragraph, so that an attack in a long
//! document counts as much as one that stands alone. Of the heads only the surest is reported: they look at the
//! same words, so that their scores do not add up.

mod features;
mod model;
#[cfg(test)]
mod tests;

pub use features::{BITS, Piece, Walk};
pub use model::{
    BLOCK, Best, HEADS, Head, LENGTHS, LINK, LONGEST, Model, Scores, THRESHOLDS, UNIT, WEIGHTS, WINDOWS,
    ZERO, is_mostly_ascii,
};

use alloc::vec::Vec;

use crate::{
    compile::{squeeze::expand, unpack::Reader},
    detector::{Detector, Sink, Subject},
    finding::{Category, Rule, Severity},
    role::{Role, Roles},
    scratch::Buffers,
};

/// `models/weights.bin`, squeezed by `build.rs`.
static SHIPPED_WEIGHTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/weights.bin"));
static SHIPPED_NUMBERS: &[u8] = include_bytes!("../../models/numbers.bin");

/// Bytes of the models.
pub(crate) const TABLES: usize = SHIPPED_WEIGHTS.len() + SHIPPED_NUMBERS.len();

/// A model that is less sure says nothing: it would be noise beside the rules' hints.
const FLOOR: u16 = 500;

/// Rules for texts just below a threshold, one for each paranoia level from 2 on.
const LEVELS: usize = 3;
/// By how much a threshold is lower for each of them. The README says what that finds and costs.
const LOWER: [i64; LEVELS] = [UNIT / 4, UNIT / 2, UNIT];
/// A model's weight at its threshold.
const SURE: u16 = 800;

/// Who may try to make the model do something: the person, and whoever wrote what a tool brought.
const JUDGED: Roles = Roles::of(&[Role::User, Role::Tool, Role::Unknown]);

const fn near(id: &'static str, summary: &'static str, paranoia: u8) -> Rule {
    Rule {
        id,
        summary,
        category: Category::PromptInjection,
        severity: Severity::Medium,
        weight: SURE,
        paranoia,
        roles: JUDGED,
        owasp: &["LLM01:2025"],
        atlas: &["AML.T0051.000"],
    }
}

/// One rule a head, in the order of the heads, and one a level.
pub(crate) const RULES: [Rule; HEADS + LEVELS] = [
    Rule {
        id: "injection.model.direct",
        summary: "Worded like an attempt to replace or read the application's instructions",
        category: Category::PromptInjection,
        severity: Severity::High,
        weight: 800,
        paranoia: 1,
        roles: JUDGED,
        owasp: &["LLM01:2025"],
        atlas: &["AML.T0051.000"],
    },
    Rule {
        id: "jailbreak.model.frame",
        summary: "Worded like a persona or frame that is to switch the model's safety off",
        category: Category::Jailbreak,
        severity: Severity::High,
        weight: 800,
        paranoia: 1,
        roles: JUDGED,
        owasp: &["LLM01:2025"],
        atlas: &["AML.T0054"],
    },
    Rule {
        id: "injection.model.indirect",
        summary: "Worded like instructions to the model hidden in a document or a tool's result",
        category: Category::PromptInjection,
        severity: Severity::High,
        weight: 800,
        paranoia: 1,
        roles: JUDGED,
        owasp: &["LLM01:2025"],
        atlas: &["AML.T0051.001"],
    },
    near("injection.model.near", "Level 2: a quarter of a unit below a model's threshold", 2),
    near("injection.model.nearby", "Level 3: half a unit below a model's threshold", 3),
    near("injection.model.far", "Level 4: a unit below a model's threshold", 4),
];

/// Whether a rule is one of the heads'.
pub(crate) fn is_head(id: &str) -> bool {
    RULES.iter().take(HEADS).any(|rule| rule.id == id)
}

/// The detector.
#[derive(Debug)]
pub(crate) struct Classifier {
    model: Model,
}

impl Classifier {
    /// The models that come with the crate. A test reads them; if they cannot be read, there are none.
    pub(crate) fn shipped() -> Option<Self> {
        let mut weights = Vec::with_capacity(WEIGHTS);
        expand(&mut Reader::new(SHIPPED_WEIGHTS), &mut weights)?;
        Model::read(&weights, SHIPPED_NUMBERS).map(|model| Self { model })
    }
}

/// Longer texts are more than a name and its value.
const LABEL: usize = 4096;
/// White space in a label: round an equals sign, in `-----BEGIN RSA PRIVATE KEY-----`.
const GAPS: usize = 4;

/// Whether a text is a name, a setting or a mark, such as `API_KEY_HERE`, `JWT_SECRET=…` and `-----BEGIN … KEY-----`: no
/// request, however much its parts are like the words of one.
fn is_label(text: &[u8]) -> bool {
    if text.len() > LABEL {
        return false;
    }
    let gaps = || text.iter().filter(|byte| byte.is_ascii_whitespace()).take(GAPS + 1).count();
    let in_names = |byte: &u8| {
        byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"_-./=:+\"'".contains(byte)
    };
    let gaps_allowed = match text {
        [b'-', b'-', b'-', ..] => GAPS,
        _ if text.contains(&b'=') => 2,
        _ if text.contains(&b'_') || text.len() > 256 => 0,
        _ => return text.is_empty(),
    };
    gaps() <= gaps_allowed && text.iter().all(in_names)
}

impl Detector for Classifier {
    fn scan(&self, subject: &Subject<'_>, _: &mut Buffers, sink: &mut Sink<'_>) {
        // What is undone is judged by what it says; the garbled words would add nothing but noise.
        if subject.is_code || is_label(subject.text.as_bytes()) {
            return;
        }
        let scores = self.model.score(subject.normalised.bytes());
        let open: [bool; HEADS] = core::array::from_fn(|head| sink.is_open(head));
        let surest = |lower: i64| {
            let weigh = |head| (self.model.weight_near(head, &scores, lower), head);
            (0..HEADS)
                .filter(|head| open.get(*head) == Some(&true))
                .map(weigh)
                .max_by_key(|(weight, head)| (*weight, HEADS - head))
        };
        let Some((weight, head)) = surest(0) else { return };
        let near = LOWER.iter().enumerate().find_map(|(level, lower)| {
            let rule = HEADS + level;
            let (_, head) = surest(*lower).filter(|(weight, _)| *weight >= SURE)?;
            sink.is_open(rule).then_some((rule, head))
        });
        let range = |head: usize| scores.best.get(head).map(|best| best.range.clone()).unwrap_or_default();
        if weight >= FLOOR {
            sink.push_comparable(head, weight, range(head));
        }
        if let Some((rule, head)) = near.filter(|_| weight < SURE) {
            sink.push_comparable(rule, SURE, range(head));
        }
    }
}
