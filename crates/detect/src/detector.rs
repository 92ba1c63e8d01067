//! What the detectors that look by their own code, rather than by patterns, have in common.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt::Debug, ops::Range};

use normalise::{Marks, Normalised, undone_in};

use crate::{
    finding::{Finding, Rule},
    options::Options,
    role::Role,
    room::Room,
    scratch::{Buffers, Layer},
};

/// Looks at one layer of a text at a time.
pub(crate) trait Detector: Debug + Send + Sync {
    /// Appends what it finds. The cost is bounded by the length of the text. Called only where a rule of the detector is
    /// in use and judges the role.
    fn scan(&self, subject: &Subject<'_>, buffers: &mut Buffers, sink: &mut Sink<'_>);
}

/// What there is to look at.
pub(crate) struct Subject<'a> {
    /// The text of the layer.
    pub(crate) text: &'a str,
    /// The same in its comparable form.
    pub(crate) normalised: &'a Normalised,
    /// Whose words they are.
    pub(crate) role: Role,
    /// Whether nearly all of it is judged in another layer too, as what it says once a trick of writing is undone.
    pub(crate) is_read: bool,
    /// The same if it is in a code, so that as it stands it has no words.
    pub(crate) is_code: bool,
    /// Whether it was put together from what somebody wrote, so that its brackets and spaces are nobody's.
    pub(crate) is_reading: bool,
}

impl<'a> Subject<'a> {
    /// Where in its text signs stand.
    pub(crate) const fn marks(&self) -> &'a Marks {
        self.normalised.marks()
    }
}

/// A detector with the rules it reports by.
#[derive(Debug)]
pub(crate) struct Installed {
    detector: alloc::boxed::Box<dyn Detector>,
    /// Its rules by the numbers it uses; `None` for those that the options leave out.
    rules: Vec<Option<Arc<Rule>>>,
}

impl Installed {
    pub(crate) fn new(detector: impl Detector + 'static, rules: &[Rule], options: &Options) -> Self {
        let used = |rule: &Rule| options.uses(rule).then(|| Arc::new(*rule));
        Self { detector: alloc::boxed::Box::new(detector), rules: rules.iter().map(used).collect() }
    }

    /// A detector for the operator's own rules.
    #[cfg(feature = "regex")]
    pub(crate) fn own(detector: impl Detector + 'static, rules: Vec<Option<Arc<Rule>>>) -> Self {
        Self { detector: alloc::boxed::Box::new(detector), rules }
    }

    /// The rules in use.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter().flatten()
    }

    pub(crate) fn scan(
        &self,
        subject: &Subject<'_>,
        layer: &Layer,
        buffers: &mut Buffers,
        room: &mut Room,
        out: &mut Vec<Finding>,
    ) {
        let rules = self.rules.as_slice();
        if !self.rules().any(|rule| rule.roles.contains(subject.role)) {
            return;
        }
        let first = out.len();
        let mut sink = Sink { rules, subject, layer, first, room, out };
        self.detector.scan(subject, buffers, &mut sink);
    }
}

/// Takes what a detector finds in one layer: each rule once, where it matched first, unless every match is asked for.
pub(crate) struct Sink<'a> {
    rules: &'a [Option<Arc<Rule>>],
    subject: &'a Subject<'a>,
    layer: &'a Layer,
    /// Where the findings of this detector in this layer begin.
    first: usize,
    room: &'a mut Room,
    out: &'a mut Vec<Finding>,
}

impl Sink<'_> {
    /// Whether a finding of this rule would be kept: it is in use and judges this role. Lets a detector
    /// leave out work that nobody asks for.
    pub(crate) fn is_open(&self, rule: usize) -> bool {
        self.open(rule).is_some()
    }

    fn open(&self, rule: usize) -> Option<&Arc<Rule>> {
        self.rules.get(rule)?.as_ref().filter(|rule| rule.roles.contains(self.subject.role))
    }

    /// Reports a match of the detector's rule of that number in a byte range of the layer's text.
    pub(crate) fn push(&mut self, rule: usize, weight: u16, span: Range<usize>) {
        let Some(rule) = self.open(rule).cloned() else { return };
        let text = self.subject.text;
        let span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end);
        let mut transforms = self.layer.transforms.clone();
        transforms.extend(undone_in(text.get(span.clone()).unwrap_or_default()).iter());
        let span = self.layer.span.clone().unwrap_or(span);
        self.room.put(Finding { rule, weight, span, transforms }, self.first, self.out);
    }

    /// The same with the rule's own weight.
    #[cfg(feature = "regex")]
    pub(crate) fn push_known(&mut self, rule: usize, span: Range<usize>) {
        if let Some(weight) = self.open(rule).map(|rule| rule.weight) {
            self.push(rule, weight, span);
        }
    }

    /// Whether matches of a rule beyond its first are asked for.
    pub(crate) const fn wants_repeats(&self) -> bool {
        self.room.repeats()
    }

    /// The same for a byte range of the comparable text.
    pub(crate) fn push_comparable(&mut self, rule: usize, weight: u16, range: Range<usize>) {
        let span = self.subject.normalised.source_range(range);
        self.push(rule, weight, span);
    }
}
