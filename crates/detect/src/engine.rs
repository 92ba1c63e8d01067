//! From a text to its findings.

use alloc::{sync::Arc, vec::Vec};

use normalise::Budget;

use crate::{
    finding::{Finding, Rule},
    options::Options,
    role::Role,
    scratch::Scratch,
};

/// The rules in use, ready to judge texts. Immutable: one serves any number of texts and threads.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    rules: Vec<Arc<Rule>>,
}

impl Engine {
    /// Prepares the rules that the options ask for.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self { options: options.clone(), rules: Vec::new() }
    }

    /// The rules in use.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Judges a text and appends what was found, in the order of the text for each layer of encoding.
    /// Spans are byte ranges of `text`, on character boundaries; a match in an encoded stretch has the
    /// span of that stretch. A rule is reported once for the text and once for each encoded stretch.
    pub fn scan_text(&self, text: &str, _role: Role, scratch: &mut Scratch, _out: &mut Vec<Finding>) {
        let mut budget = Budget::new(self.options.decode_bytes, Budget::VIEWS);
        scratch.normalised.set(text);
        scratch.views.clear();
        normalise::views(text, &mut budget, &mut scratch.views);
        scratch.exhausted = budget.exhausted;
    }
}
