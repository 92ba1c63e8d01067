//! What the policy makes of what is found in an answer.

use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use detect::{Finding, Role};
use policy::{Action, Circumstances, Reason};

use crate::{
    Guard,
    exchange::Asked,
    head::printable,
    input,
    inspect::evidence,
    reason::{self, GuardRule, Judged},
};

/// Longest part of a tool's name in a report.
const MAX_NAME: usize = 128;
/// Rules that are told of one answer at the most.
const MAX_TOLD: usize = 64;

/// What judging an answer needs of its surroundings.
pub(super) struct Context<'a> {
    pub(super) guard: &'a Guard,
    pub(super) here: Circumstances<'a>,
    pub(super) asked: &'a Asked,
    /// Whether anything is carried out.
    pub(super) enforces: bool,
}

/// What was found so far, each rule once for each role.
#[derive(Debug)]
pub(super) struct Rulings {
    told: Vec<(&'static str, Option<Role>)>,
    /// What nobody has been told yet, and the most that is done about it.
    pub(super) fresh: Vec<Judged>,
    pub(super) action: Action,
    /// Whether the answer must not go on.
    pub(super) is_cut: bool,
}

impl Default for Rulings {
    fn default() -> Self {
        Self { told: Vec::new(), fresh: Vec::new(), action: Action::Allow, is_cut: false }
    }
}

impl Rulings {
    /// What is to be done about a finding in `text`. `place`: its pointer and its bytes in the answer.
    pub(super) fn judge(
        &mut self,
        context: &Context<'_>,
        finding: &Finding,
        role: Role,
        text: &str,
        place: impl FnOnce() -> (String, Range<usize>),
    ) -> Action {
        let rule = &finding.rule;
        let reason = Reason {
            rule: rule.id,
            category: rule.category,
            severity: rule.severity,
            weight: finding.weight,
            paranoia: rule.paranoia,
            role: Some(role.into()),
        };
        let action = context.guard.policy.judge_answer(&reason, &context.here);
        if action != Action::Allow && self.is_news(rule.id, Some(role)) {
            let (place, span) = place();
            let evidence =
                context.guard.inspector().shows_evidence().then(|| evidence(finding, text)).flatten();
            self.fresh.push(Judged::detected(finding.clone(), place, Some(span), evidence, Some(role)));
        }
        self.carry_out(context, action)
    }

    /// The same for one of the guard's own rules, at a byte of the answer.
    pub(super) fn own(
        &mut self,
        context: &Context<'_>,
        rule: &'static GuardRule,
        at: Option<usize>,
    ) -> Action {
        // What cannot be read cannot be masked either.
        let action = match context.guard.policy.document().response.unscannable {
            Action::Mask => Action::Block,
            action => action,
        };
        if action != Action::Allow && self.is_news(rule.id, None) {
            self.fresh.push(Judged::own(rule, String::new(), at.map(|at| at..at)));
        }
        self.carry_out(context, action)
    }

    /// The same for a tool that is not what was pinned.
    pub(super) fn unpinned(&mut self, context: &Context<'_>, tools: &[decode::Declared]) {
        let Some(name) = input::unpinned(context.guard, tools) else { return };
        // A declaration has no part that could be masked.
        let action = match context.guard.policy.document().response.unpinned {
            Action::Mask => Action::Block,
            action => action,
        };
        if action != Action::Allow && self.is_news(reason::UNPINNED.id, None) {
            let place = format!("tool {}", printable(name.as_bytes(), MAX_NAME));
            self.fresh.push(Judged::own(&reason::UNPINNED, place, None));
        }
        self.carry_out(context, action);
    }

    fn is_news(&mut self, rule: &'static str, role: Option<Role>) -> bool {
        if self.told.len() >= MAX_TOLD || self.told.contains(&(rule, role)) {
            return false;
        }
        self.told.push((rule, role));
        true
    }

    /// Notes the most that is done.
    fn carry_out(&mut self, context: &Context<'_>, action: Action) -> Action {
        self.action = self.action.max(action);
        let done = if context.enforces { action } else { action.min(Action::Flag) };
        self.is_cut |= done == Action::Block;
        done
    }
}
