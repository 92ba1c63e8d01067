//! How many findings there is room for.

use alloc::{sync::Arc, vec::Vec};

use crate::finding::Finding;

/// Matches of rules beyond each one's first, in one text.
pub(crate) const REPEATS: usize = 1024;

/// The last matches of a rule that another may overlap.
const NEAR: usize = 16;

/// What may still be reported for a text. The first match of a rule takes up another kind of room than its other
/// matches: however often one rule matches, it crowds out no other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    firsts: usize,
    repeats: usize,
    full: bool,
}

impl Room {
    /// Room for the first matches of so many rules and, if every match is asked for, for others.
    pub(crate) const fn new(firsts: usize, every_match: bool) -> Self {
        Self { firsts, repeats: if every_match { REPEATS } else { 0 }, full: false }
    }

    /// Whether matches beyond a rule's first are asked for.
    pub(crate) const fn repeats(&self) -> bool {
        self.repeats > 0
    }

    /// Whether there is room for another rule.
    pub(crate) const fn is_open(&self) -> bool {
        self.firsts > 0
    }

    /// Whether a finding found no room.
    pub(crate) const fn was_full(&self) -> bool {
        self.full
    }

    /// Adds a finding to those of this layer, which begin at `first`. One that overlaps another of its rule widens it.
    pub(crate) fn put(&mut self, finding: Finding, first: usize, out: &mut Vec<Finding>) {
        let known = out.get_mut(first..).unwrap_or_default();
        // From the last one on, for matches come in order: what overlaps is near, or all of them would be gone through again
        // for each.
        let alike = known.iter_mut().rev().filter(|known| Arc::ptr_eq(&known.rule, &finding.rule));
        let mut alike = alike.take(NEAR).peekable();
        let is_repeat = alike.peek().is_some();
        let overlapping = alike.find(|known| {
            known.span.start < finding.span.end && finding.span.start < known.span.end
                || known.span == finding.span
        });
        if let Some(known) = overlapping {
            known.weight = known.weight.max(finding.weight);
            if self.repeats > 0 {
                known.span.start = known.span.start.min(finding.span.start);
                known.span.end = known.span.end.max(finding.span.end);
            }
            return;
        }
        let room = if is_repeat { &mut self.repeats } else { &mut self.firsts };
        match room.checked_sub(1) {
            Some(left) => {
                *room = left;
                out.push(finding);
            }
            None if is_repeat => {
                if let Some(known) = out
                    .get_mut(first..)
                    .unwrap_or_default()
                    .iter_mut()
                    .find(|known| Arc::ptr_eq(&known.rule, &finding.rule))
                {
                    known.weight = known.weight.max(finding.weight);
                }
            }
            None => self.full = true,
        }
    }
}
