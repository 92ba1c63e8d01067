//! From findings to one score and one action.

use alloc::vec::Vec;

use detect::{Category, Severity};

use crate::{
    Action, Policy,
    detection::Detect,
    exception::{Circumstances, Exception},
    values::Role,
};

/// The part of a finding that a judgement needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// The rule's id. A rule counts once, however often it matched.
    pub rule: &'a str,
    /// The rule's category.
    pub category: Category,
    /// The rule's severity.
    pub severity: Severity,
    /// How sure the match is, in thousandths.
    pub weight: u16,
    /// The lowest paranoia level at which the rule is used.
    pub paranoia: u8,
    /// Whose words it was found in; `None` for numbers.
    pub role: Option<Role>,
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

impl Policy {
    /// Whether a finding counts for the live verdict: its detector is in use, its rule is not set to `allow`, and no
    /// exception covers it here.
    #[must_use]
    pub fn counts(&self, reason: &Reason<'_>, here: &Circumstances<'_>) -> bool {
        let document = self.document();
        counts(&document.detect, &document.exceptions, reason, here)
    }

    /// Whether a finding in a request that goes on is masked there.
    #[must_use]
    pub fn masks_request(&self, reason: &Reason<'_>, here: &Circumstances<'_>) -> bool {
        let detect = &self.document().detect;
        let action = detect.action_of(reason.rule).or_else(|| {
            (reason.weight >= detect.flag_threshold.thousandths()).then(|| detect.action(reason.category))
        });
        action == Some(Action::Mask) && self.counts(reason, here)
    }

    /// What the live policy makes of the reasons that count.
    #[must_use]
    pub fn judge<'a>(
        &self,
        reasons: impl IntoIterator<Item = Reason<'a>>,
        here: &Circumstances<'_>,
    ) -> Judgement {
        let document = self.document();
        judge(&document.detect, &document.exceptions, reasons, here)
    }

    /// What the policy in its shadow makes of them, if there is one.
    #[must_use]
    pub fn judge_in_shadow<'a>(
        &self,
        reasons: impl IntoIterator<Item = Reason<'a>>,
        here: &Circumstances<'_>,
    ) -> Option<Judgement> {
        let shadow = self.document().shadow.as_ref()?;
        Some(judge(&shadow.detect, &shadow.exceptions, reasons, here))
    }
}

/// Of each rule the heaviest reason, in the order of the rules.
fn heaviest<'a>(reasons: impl Iterator<Item = Reason<'a>>) -> Vec<Reason<'a>> {
    let mut heaviest: Vec<Reason<'a>> = Vec::new();
    for reason in reasons {
        match heaviest.binary_search_by(|known| known.rule.cmp(reason.rule)) {
            Ok(place) => {
                if let Some(known) = heaviest.get_mut(place).filter(|known| known.weight < reason.weight) {
                    *known = reason;
                }
            }
            Err(place) => heaviest.insert(place, reason),
        }
    }
    heaviest
}

fn counts(detect: &Detect, exceptions: &[Exception], reason: &Reason<'_>, here: &Circumstances<'_>) -> bool {
    detect.uses(reason)
        && detect.action_of(reason.rule) != Some(Action::Allow)
        && !exceptions.iter().any(|exception| exception.covers(reason.rule, reason.role, here))
}

/// Combines reasons: within a group of categories by noisy-or (the chance that at least one of independent signs is
/// true, Pearl 1988), over the groups by the largest. Whole-number arithmetic in a fixed order, so every target
/// computes the same score. A rule with an action of its own acts by itself and adds to no score.
fn judge<'a>(
    detect: &Detect,
    exceptions: &[Exception],
    reasons: impl IntoIterator<Item = Reason<'a>>,
    here: &Circumstances<'_>,
) -> Judgement {
    let mut reasons = heaviest(reasons.into_iter().filter(|reason| counts(detect, exceptions, reason, here)));
    let severity = reasons.iter().map(|reason| reason.severity).max();
    let mut judgement = Judgement { action: Action::Allow, score: 0, severity };
    reasons.retain(|reason| {
        let own = detect.action_of(reason.rule);
        if let Some(action) = own {
            judgement.action = judgement.action.max(action);
            judgement.score = judgement.score.max(reason.weight);
        }
        own.is_none()
    });
    for group in Group::ALL {
        let members = || reasons.iter().filter(move |reason| Group::of(reason.category) == group);
        let score = noisy_or(members().map(|reason| reason.weight));
        judgement.score = judgement.score.max(score);
        let most = if score >= detect.suspicious_pattern_threshold.thousandths() {
            Action::Block
        } else if score >= detect.flag_threshold.thousandths() {
            Action::Flag
        } else {
            Action::Allow
        };
        let action = members().map(|reason| detect.action(reason.category).min(most)).max();
        judgement.action = judgement.action.max(action.unwrap_or(Action::Allow));
    }
    judgement
}

impl Detect {
    /// Whether what led to a finding is in use. The engine serves the live policy and its shadow, so it may look for
    /// more than one of them wants.
    fn uses(&self, reason: &Reason<'_>) -> bool {
        let own = reason.rule.starts_with("own.");
        reason.paranoia <= self.paranoia.level()
            && self.packs.contains(reason.category)
            && (self.packs.classifier || !reason.rule.contains(".model."))
            && (!own || self.own_rules.iter().any(|rule| rule.id == reason.rule))
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

    const HERE: Circumstances<'_> =
        Circumstances { now_ms: 0, path: "/v1/chat", route: "", address: Some("192.0.2.7"), key_hash: None };

    fn policy(json: &str) -> Policy {
        Policy::from_json(json.as_bytes()).unwrap()
    }

    fn reason(rule: &str, category: Category, weight: u16) -> Reason<'_> {
        Reason { rule, category, severity: Severity::High, weight, paranoia: 1, role: Some(Role::User) }
    }

    #[test]
    fn nothing_found_is_allowed_with_score_zero() {
        let judgement = policy(r#"{"model":{"name":"m"}}"#).judge([], &HERE);
        assert_eq!(judgement, Judgement { action: Action::Allow, score: 0, severity: None });
    }

    #[test]
    fn signs_of_one_attack_add_up_over_its_categories() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let one = policy.judge([reason("a", Category::PromptInjection, 600)], &HERE);
        assert_eq!((one.action, one.score), (Action::Flag, 600));
        let two = policy.judge(
            [reason("a", Category::PromptInjection, 600), reason("b", Category::Jailbreak, 600)],
            &HERE,
        );
        assert_eq!((two.action, two.score), (Action::Block, 840));
    }

    #[test]
    fn a_rule_counts_once_however_often_it_matched() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let judgement = policy.judge([0; 5].map(|_| reason("a", Category::PromptInjection, 600)), &HERE);
        assert_eq!(judgement.score, 600);
    }

    #[test]
    fn signs_of_different_things_do_not_add_up() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let judgement = policy
            .judge([reason("a", Category::PromptInjection, 600), reason("b", Category::Secret, 600)], &HERE);
        assert_eq!((judgement.action, judgement.score), (Action::Flag, 600));
    }

    #[test]
    fn the_category_says_what_happens() {
        let policy = policy(r#"{"model":{"name":"m"},"detect":{"secret":"flag","jailbreak":"allow"}}"#);
        assert_eq!(policy.judge([reason("a", Category::Secret, 950)], &HERE).action, Action::Flag);
        assert_eq!(policy.judge([reason("a", Category::Jailbreak, 950)], &HERE).action, Action::Allow);
        assert_eq!(policy.judge([reason("a", Category::PromptInjection, 950)], &HERE).action, Action::Block);
    }

    #[test]
    fn the_order_of_the_findings_does_not_matter() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let found =
            [("a", 333), ("b", 555), ("c", 777)].map(|(rule, w)| reason(rule, Category::Jailbreak, w));
        let mut turned = found;
        turned.reverse();
        assert_eq!(policy.judge(found, &HERE), policy.judge(turned, &HERE));
    }

    #[test]
    fn a_rule_with_an_action_of_its_own_acts_alone() {
        let policy = policy(
            r#"{"model":{"name":"m"},"detect":{"rules":{"a.*":"flag","a.sure.thing":"block","b.x":"allow"}}}"#,
        );
        let judge = |rule, weight| policy.judge([reason(rule, Category::Jailbreak, weight)], &HERE);
        assert_eq!(judge("a.b.c", 950).action, Action::Flag, "flagged, however sure");
        assert_eq!(
            judge("a.sure.thing", 100).action,
            Action::Block,
            "the longer name decides, whatever the score"
        );
        assert_eq!(judge("b.x", 950), Judgement { action: Action::Allow, score: 0, severity: None });
        let both = [reason("a.b.c", Category::Jailbreak, 600), reason("d", Category::Jailbreak, 600)];
        assert_eq!(policy.judge(both, &HERE).action, Action::Flag, "it adds nothing to the others");
    }

    #[test]
    fn an_exception_holds_where_and_while_all_it_names_fits() {
        let policy = policy(
            r#"{"model":{"name":"m"},"exceptions":[{"rules":["a.*"],"paths":["/v1/*"],"clients":["192.0.2.0/24"],
                "roles":["user"],"until":"1970-01-02T00:00:00Z","reason":"red team"}]}"#,
        );
        let action = |rule, here: &Circumstances<'_>| {
            policy.judge([reason(rule, Category::Jailbreak, 950)], here).action
        };
        assert_eq!(action("a.b", &HERE), Action::Allow);
        assert!(!policy.counts(&reason("a.b", Category::Jailbreak, 950), &HERE));
        assert_eq!(action("b.b", &HERE), Action::Block, "another rule");
        assert_eq!(action("a.b", &Circumstances { now_ms: 86_400_000, ..HERE }), Action::Block, "expired");
        assert_eq!(action("a.b", &Circumstances { path: "/v2/chat", ..HERE }), Action::Block, "elsewhere");
        assert_eq!(action("a.b", &Circumstances { address: Some("198.51.100.7"), ..HERE }), Action::Block);
        assert_eq!(
            action("a.b", &Circumstances { address: None, ..HERE }),
            Action::Block,
            "nobody knows who"
        );
        let in_tool = Reason { role: Some(Role::Tool), ..reason("a.b", Category::Jailbreak, 950) };
        assert_eq!(policy.judge([in_tool], &HERE).action, Action::Block, "another role");
    }

    #[test]
    fn the_shadow_judges_beside_the_live_policy() {
        let policy = policy(
            r#"{"model":{"name":"m"},"detect":{"packs":{"jailbreak":false}},
                "shadow":{"detect":{"paranoia":2,"secret":"flag"}}}"#,
        );
        let both = |reason: Reason<'static>| {
            let shadow = policy.judge_in_shadow([reason], &HERE).map(|judgement| judgement.action);
            (policy.judge([reason], &HERE).action, shadow)
        };
        assert_eq!(both(reason("a", Category::Jailbreak, 950)), (Action::Allow, Some(Action::Block)));
        assert_eq!(both(reason("a", Category::Secret, 950)), (Action::Block, Some(Action::Flag)));
        let strict = Reason { paranoia: 2, ..reason("a", Category::PromptInjection, 950) };
        assert_eq!(both(strict), (Action::Allow, Some(Action::Block)));
        let plain = self::policy(r#"{"model":{"name":"m"}}"#);
        assert_eq!(plain.judge_in_shadow([strict], &HERE), None);
    }
}
