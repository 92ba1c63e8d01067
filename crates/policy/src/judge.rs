//! From findings to one score and one action.

use alloc::vec::Vec;

use detect::{Category, Severity};

use crate::{Action, Policy, document::Detect};

/// The part of a finding that a judgement needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// The rule's id. A rule counts once, however often it matched.
    pub rule: &'a str,
    /// The rule's category.
    pub category: Category,
    /// The rule's severity.
    pub severity: Severity,
    /// The rule's weight in thousandths.
    pub weight: u16,
}

/// What the policy makes of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What to do, before the policy's mode is applied.
    pub action: Action,
    /// The combined score in thousandths.
    pub score: u16,
    /// The worst severity, `None` without findings.
    pub severity: Option<Severity>,
}

/// Categories whose evidence adds up: they are signs of one thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Instructions aimed at the model, whatever their technique.
    Instructions,
    /// Credentials.
    Secrets,
    /// Data about persons.
    Persons,
    /// Data carried out.
    Exfiltration,
    /// Payloads for other interpreters.
    Payloads,
    /// Numeric inputs.
    Numbers,
}

impl Group {
    const ALL: [Self; 6] =
        [Self::Instructions, Self::Secrets, Self::Persons, Self::Exfiltration, Self::Payloads, Self::Numbers];

    const fn of(category: Category) -> Self {
        match category {
            Category::PromptInjection
            | Category::Jailbreak
            | Category::PromptExtraction
            | Category::Structure => Self::Instructions,
            Category::Secret => Self::Secrets,
            Category::Pii => Self::Persons,
            Category::Exfiltration => Self::Exfiltration,
            Category::WebPayload => Self::Payloads,
            Category::Tensor => Self::Numbers,
        }
    }
}

impl Detect {
    /// What the policy does about a category that reached the threshold.
    const fn action(&self, category: Category) -> Action {
        match category {
            Category::PromptInjection => self.prompt_injection,
            Category::Jailbreak => self.jailbreak,
            Category::PromptExtraction => self.prompt_extraction,
            Category::Secret => self.secret,
            Category::Pii => self.pii,
            Category::Exfiltration => self.exfiltration,
            Category::WebPayload => self.web_payload,
            Category::Structure => self.structure,
            Category::Tensor => self.tensor,
        }
    }
}

impl Policy {
    /// Combines reasons: within a group of categories by noisy-or (the chance that at least one of independent signs
    /// is true, Pearl 1988), over the groups by the largest. Whole-number arithmetic in a fixed order, so every
    /// target computes the same score.
    #[must_use]
    pub fn judge<'a>(&self, reasons: impl IntoIterator<Item = Reason<'a>>) -> Judgement {
        let detect = &self.document().detect;
        let mut reasons: Vec<Reason<'a>> = reasons.into_iter().collect();
        reasons.sort_by(|a, b| a.rule.cmp(b.rule).then(b.weight.cmp(&a.weight)));
        reasons.dedup_by(|a, b| a.rule == b.rule);
        let mut judgement = Judgement { action: Action::Allow, score: 0, severity: None };
        for group in Group::ALL {
            let members = || reasons.iter().filter(move |reason| Group::of(reason.category) == group);
            let score = noisy_or(members().map(|reason| reason.weight));
            judgement.score = judgement.score.max(score);
            let action = if score >= detect.suspicious_pattern_threshold.thousandths() {
                members().map(|reason| detect.action(reason.category)).max().unwrap_or(Action::Allow)
            } else if score >= detect.flag_threshold.thousandths() {
                members()
                    .map(|reason| detect.action(reason.category).min(Action::Flag))
                    .max()
                    .unwrap_or(Action::Allow)
            } else {
                Action::Allow
            };
            judgement.action = judgement.action.max(action);
        }
        judgement.severity = reasons.iter().map(|reason| reason.severity).max();
        judgement
    }
}

/// 1 − Π(1 − w), in thousandths, carried in billionths.
fn noisy_or(weights: impl Iterator<Item = u16>) -> u16 {
    const ONE: u64 = 1_000_000_000;
    let innocent = weights.fold(ONE, |rest, weight| rest * u64::from(1000 - weight.min(1000)) / 1000);
    u16::try_from((ONE - innocent) / 1_000_000).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: &str) -> Policy {
        Policy::from_json(json.as_bytes()).unwrap()
    }

    fn reason(rule: &str, category: Category, weight: u16) -> Reason<'_> {
        Reason { rule, category, severity: Severity::High, weight }
    }

    #[test]
    fn nothing_found_is_allowed_with_score_zero() {
        let judgement = policy(r#"{"model":{"name":"m"}}"#).judge([]);
        assert_eq!(judgement, Judgement { action: Action::Allow, score: 0, severity: None });
    }

    #[test]
    fn signs_of_one_attack_add_up_over_its_categories() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let one = policy.judge([reason("a", Category::PromptInjection, 600)]);
        assert_eq!((one.action, one.score), (Action::Flag, 600));
        let two = policy
            .judge([reason("a", Category::PromptInjection, 600), reason("b", Category::Jailbreak, 600)]);
        assert_eq!((two.action, two.score), (Action::Block, 840));
    }

    #[test]
    fn a_rule_counts_once_however_often_it_matched() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let judgement = policy.judge([0; 5].map(|_| reason("a", Category::PromptInjection, 600)));
        assert_eq!(judgement.score, 600);
    }

    #[test]
    fn signs_of_different_things_do_not_add_up() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let judgement =
            policy.judge([reason("a", Category::PromptInjection, 600), reason("b", Category::Secret, 600)]);
        assert_eq!((judgement.action, judgement.score), (Action::Flag, 600));
    }

    #[test]
    fn the_category_says_what_happens() {
        let policy = policy(r#"{"model":{"name":"m"},"detect":{"secret":"flag","jailbreak":"allow"}}"#);
        assert_eq!(policy.judge([reason("a", Category::Secret, 950)]).action, Action::Flag);
        assert_eq!(policy.judge([reason("a", Category::Jailbreak, 950)]).action, Action::Allow);
        assert_eq!(policy.judge([reason("a", Category::PromptInjection, 950)]).action, Action::Block);
    }

    #[test]
    fn the_order_of_the_findings_does_not_matter() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let found =
            [("a", 333), ("b", 555), ("c", 777)].map(|(rule, w)| reason(rule, Category::Jailbreak, w));
        let mut turned = found;
        turned.reverse();
        assert_eq!(policy.judge(found), policy.judge(turned));
    }
}
