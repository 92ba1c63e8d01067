//! What goes on to the model in place of what came: values masked, numbers clamped, headers added.

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::ops::Range;

use decode::{Amount, Asked, Room, Writing};
use detect::{Finding, Role, Rule};
use policy::{Circumstances, History, Mode, Reason};

use crate::{
    Exchange, Guard, Inspection, Outcome,
    conversation::NOTE,
    mask::{Restored, extent, replace},
};

/// Values that one request can have masked; with more of them it is refused.
const MAX_MASKS: usize = 1024;

/// How a request that goes on differs from the one that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// The body to send instead, not compressed: `content-encoding` has to go, and `content-length` to fit. `None`: as it
    /// came.
    pub body: Option<Vec<u8>>,
    /// Headers to add.
    pub headers: Vec<(&'static str, String)>,
}

/// A stretch of a body that may have to be masked.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    rule: Arc<Rule>,
    weight: u16,
    role: Role,
    /// The bytes of the body.
    span: Range<usize>,
    writing: Writing,
    /// What stands there; empty for a stretch that goes with the one before it.
    value: String,
}

impl Candidate {
    /// A finding in a text that is written so; `span` maps a range of the text to the body.
    pub(crate) fn new(
        finding: &Finding,
        role: Role,
        text: &str,
        writing: Writing,
        span: impl FnOnce(Range<usize>) -> Range<usize>,
    ) -> Self {
        let (inside, _) = extent(finding.rule.id, text, finding.span.clone());
        let value = text.get(inside.clone()).unwrap_or_default().to_string();
        Self::at(finding, role, span(inside), writing, value)
    }

    /// A stretch that is known.
    pub(crate) fn at(
        finding: &Finding,
        role: Role,
        span: Range<usize>,
        writing: Writing,
        value: String,
    ) -> Self {
        Self { rule: finding.rule.clone(), weight: finding.weight, role, span, writing, value }
    }

    fn reason(&self) -> Reason<'_> {
        Reason {
            rule: self.rule.id,
            category: self.rule.category,
            severity: self.rule.severity,
            weight: self.weight,
            paranoia: self.rule.paranoia,
            role: Some(self.role.into()),
        }
    }

    /// What its placeholder is called: of personal data what it is, of all else its kind.
    fn kind(&self) -> String {
        let name = match self.rule.category {
            detect::Category::Pii if self.rule.id.starts_with("pii.national.") => "id",
            detect::Category::Pii => self.rule.id.rsplit('.').next().unwrap_or("data"),
            detect::Category::Secret => "secret",
            _ => "redacted",
        };
        name.to_ascii_uppercase().replace('-', "_")
    }
}

/// What is masked in a request.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    edits: Vec<(Range<usize>, String)>,
    restore: Vec<Restored>,
}

impl Masks {
    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Takes whole texts out.
    pub(crate) fn cut(&mut self, texts: &[Range<usize>]) {
        self.edits.extend(texts.iter().map(|text| (text.clone(), NOTE.to_string())));
    }

    /// What the policy has masked of what was found. The same value has the same placeholder wherever it stands.
    pub(crate) fn of(guard: &Guard, candidates: &[Candidate], here: &Circumstances<'_>) -> Self {
        let mut masks = Self::default();
        let mut placeholder = String::new();
        let mut sorted: Vec<&Candidate> = candidates.iter().collect();
        sorted.sort_by_key(|candidate| (candidate.span.start, core::cmp::Reverse(candidate.span.end)));
        let mut end = 0;
        for candidate in sorted.into_iter().take(MAX_MASKS) {
            if !guard.policy.masks_request(&candidate.reason(), here) {
                continue;
            }
            // What overlaps the one before goes with it.
            if candidate.value.is_empty() || candidate.span.start < end {
                masks.edits.push((candidate.span.clone(), String::new()));
                end = end.max(candidate.span.end);
                continue;
            }
            end = candidate.span.end;
            masks.placeholder(candidate, &mut placeholder);
            masks.edits.push((candidate.span.clone(), candidate.writing.of(&placeholder)));
        }
        masks
    }

    fn placeholder(&mut self, candidate: &Candidate, out: &mut String) {
        out.clear();
        if let Some(known) = self.restore.iter().find(|known| known.value == candidate.value) {
            out.push_str(&known.placeholder);
            return;
        }
        let kind = candidate.kind();
        let start = format!("[{kind}_");
        let number = self.restore.iter().filter(|known| known.placeholder.starts_with(&start)).count() + 1;
        out.push_str(&format!("{start}{number}]"));
        self.restore.push(Restored { placeholder: out.clone(), value: candidate.value.clone() });
    }
}

impl Guard {
    /// Whether a request's body may be changed on its way to the model.
    #[must_use]
    pub fn changes_requests(&self) -> bool {
        let document = self.policy.document();
        let clamps = document.input.clamp_tokens.is_some() || document.input.clamp_answers.is_some();
        let excises = document.conversation.history == History::Excise;
        document.mode == Mode::Enforce && (document.detect.may_mask() || clamps || excises)
    }
}

impl Exchange {
    /// What goes on, once the request was let through; `body` is the inflated one.
    pub(crate) fn forward(&mut self, guard: &Guard, inspection: &Inspection, masks: Masks, body: &[u8]) {
        let document = guard.policy.document();
        let Some(outcome) = self.outcome.as_mut().filter(|outcome| outcome.reply.is_none()) else { return };
        if document.report.advise_upstream {
            advise(outcome);
        }
        if document.mode != Mode::Enforce {
            return;
        }
        let mut edits = masks.edits;
        edits.extend(inspection.amounts.iter().filter_map(|amount| clamped(guard, amount)));
        edits.extend(inspection.room.as_ref().and_then(|room| added(guard, room)));
        outcome.forward.body = replace(body, edits);
        if document.response.restore {
            self.asked.restore = masks.restore;
        }
    }
}

/// Tells the model's server what was made of the request.
pub(crate) fn advise(outcome: &mut Outcome) {
    outcome.forward.headers = Vec::from([
        ("x-modelgate-verdict", outcome.verdict.as_str().to_string()),
        ("x-modelgate-score", outcome.score.to_string()),
    ]);
}

/// The edit that makes a request ask for a number of tokens.
fn added(guard: &Guard, room: &Room) -> Option<(Range<usize>, String)> {
    let most = guard.policy.document().input.clamp_tokens?;
    let Room { span, opening, name, closing } = room;
    Some((span.clone(), format!("{opening}\"{name}\":{most}{closing}")))
}

/// The edit that makes a number no greater than the policy has it.
fn clamped(guard: &Guard, amount: &Amount) -> Option<(Range<usize>, String)> {
    let input = &guard.policy.document().input;
    let most = match amount.of {
        Asked::Tokens => input.clamp_tokens,
        Asked::Answers => input.clamp_answers,
    }?;
    // What is no whole number of things is for the model's server to refuse, but not as a way round the limit.
    let exceeds = amount.value.is_none_or(|value| value > u64::from(most));
    exceeds.then(|| (amount.span.clone(), most.to_string()))
}
