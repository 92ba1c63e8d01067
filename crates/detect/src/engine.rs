//! From a text to its findings.

use alloc::{sync::Arc, vec, vec::Vec};
use core::ops::Range;

use normalise::{Budget, Transform, undone_in, views_marked};

use crate::{
    builtin,
    canary::{self, Canary},
    classifier::{self, Classifier},
    compile::{Error, Patterns, Tables, sort::sort_by, tables::Posting},
    detector::{Installed, Subject},
    exfiltration::{self, Exfiltration},
    finding::{Finding, Rule},
    mention,
    options::Options,
    own::{Own, OwnRule, OwnRuleError},
    pii::{self, Pii},
    role::Role,
    room::Room,
    scratch::{Layer, Scratch, Work},
    search::search,
    secret::{self, Secret},
    structure::{self, Structure},
    verify::{self, Place, Steps, Text},
};

/// What looking at a hit costs, in [`Steps`].
const HIT: usize = 3;

/// The rules in use, ready to judge texts. Immutable: one serves any number of texts and threads.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    /// Every rule by its number in the tables.
    numbered: Vec<Arc<Rule>>,
    /// Those of them that are in use.
    rules: Vec<Arc<Rule>>,
    tables: Tables,
    /// The rules in use as bits, for each role in the order of [`Role::ALL`].
    judged: [Vec<u64>; Role::ALL.len()],
    /// What looks by its own code.
    detectors: Vec<Installed>,
    /// The rule for attacks that are talked about, if it is in use.
    quoted: Option<Arc<Rule>>,
}

impl Engine {
    /// Prepares the built-in rules that the options ask for: unpacks them and lays them out, a few milliseconds' work.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let rules = builtin::rules().into_iter().map(Arc::new).collect();
        Self::assemble(options, rules, builtin::builder().finish())
    }

    /// Prepares the built-in rules together with some of the operator's own, in the same tables: the cost
    /// of a scan hardly depends on their number.
    ///
    /// # Errors
    /// Names the first pattern that cannot be compiled.
    pub fn with_rules(
        options: &Options,
        own: impl IntoIterator<Item = (Rule, Patterns)>,
    ) -> Result<Self, Error> {
        let mut rules: Vec<_> = builtin::rules().into_iter().map(Arc::new).collect();
        let mut builder = builtin::builder();
        for (rule, patterns) in own {
            builder.add(u32::try_from(rules.len()).unwrap_or(u32::MAX), &patterns)?;
            rules.push(Arc::new(rule));
        }
        Ok(Self::assemble(options, rules, builder.finish()))
    }

    /// Prepares the built-in rules together with the operator's own. Those are used whatever the packs are, if their
    /// paranoia level is.
    ///
    /// # Errors
    /// Names the first rule that cannot be used, and what is wrong with it.
    pub fn with_own(options: &Options, own: &[OwnRule]) -> Result<Self, OwnRuleError> {
        let mut rules: Vec<_> = builtin::rules().into_iter().map(Arc::new).collect();
        let built_in = rules.len();
        let mut builder = builtin::builder();
        let own = Own::compile(own, options, &mut builder, &mut rules)?;
        let mut engine = Self::assemble(options, rules, builder.finish());
        engine.take_up(own, built_in);
        Ok(engine)
    }

    /// Puts the operator's rules, numbered from `first` on, into use.
    fn take_up(&mut self, own: Own, first: usize) {
        for (number, rule) in self.numbered.iter().enumerate().skip(first) {
            if !self.options.dares(rule) {
                continue;
            }
            if !self.options.uses(rule) {
                self.rules.push(rule.clone());
            }
            for (role, judged) in Role::ALL.iter().zip(&mut self.judged) {
                if let Some(word) = judged.get_mut(number / 64) {
                    *word |= u64::from(rule.roles.contains(*role)) << (number % 64);
                }
            }
        }
        if let Some(detector) = own.into_detector() {
            self.rules.extend(detector.rules().cloned());
            self.detectors.push(detector);
        }
    }

    fn assemble(options: &Options, numbered: Vec<Arc<Rule>>, tables: Tables) -> Self {
        let mut detectors = vec![
            Installed::new(Exfiltration, exfiltration::RULES, options),
            Installed::new(Structure, structure::RULES, options),
            Installed::new(Pii, pii::RULES, options),
            Installed::new(Secret, secret::RULES, options),
        ];
        if let Some(canary) = Canary::new(&options.canaries) {
            detectors.push(Installed::new(canary, canary::RULES, options));
        }
        if let Some(classifier) = options.packs.classifier.then(Classifier::shipped).flatten() {
            detectors.push(Installed::new(classifier, &classifier::RULES, options));
        }
        let mut rules: Vec<_> = numbered.iter().filter(|rule| options.uses(rule)).cloned().collect();
        rules.extend(detectors.iter().flat_map(Installed::rules).cloned());
        let quoted = options.uses(&mention::RULE).then(|| Arc::new(mention::RULE));
        rules.extend(quoted.clone());
        let judged = Role::ALL.map(|role| {
            let judged = numbered.iter().map(|rule| options.uses(rule) && rule.roles.contains(role));
            let mut bits = alloc::vec![0u64; numbered.len().div_ceil(64)];
            for (at, judged) in judged.enumerate() {
                if let Some(word) = bits.get_mut(at / 64) {
                    *word |= u64::from(judged) << (at % 64);
                }
            }
            bits
        });
        Self { options: options.clone(), numbered, rules, tables, judged, detectors, quoted }
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// The rules in use.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    #[cfg(test)]
    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Judges a text and appends what was found: what stands in the text itself in its order, then what
    /// stands in its encoded stretches. Spans are byte ranges of `text`, on character boundaries; a match
    /// in an encoded stretch has the span of that stretch. A rule is reported once for the text and once
    /// for each encoded stretch, or as often as [`Options::every_match`] says.
    pub fn scan_text(&self, text: &str, role: Role, scratch: &mut Scratch, out: &mut Vec<Finding>) {
        let before = out.len();
        self.scan_counted(text, role, scratch, out);
        let found = out.get_mut(before..).unwrap_or_default();
        mention::weigh_question(text, role, found, is_model);
        if let Some(outside) = mention::without_quotations(text, role, found) {
            let (exhausted, work) = (scratch.exhausted, scratch.work);
            let mut unquoted = Vec::new();
            self.scan_counted(&outside, role, scratch, &mut unquoted);
            scratch.exhausted |= exhausted;
            scratch.work.add(work);
            let surest = mention::weigh(found, &outside, &mut unquoted, is_model);
            if let (Some(span), Some(rule)) = (surest, &self.quoted) {
                let (rule, weight) = (rule.clone(), rule.weight);
                out.push(Finding { rule, weight, span, transforms: Vec::new() });
            }
        }
    }

    /// The same. Returns how many findings stand in the text itself: those come first.
    pub(crate) fn scan_counted(
        &self,
        text: &str,
        role: Role,
        scratch: &mut Scratch,
        out: &mut Vec<Finding>,
    ) -> usize {
        let before = out.len();
        let mut room = Room::new(self.options.max_findings, self.options.every_match);
        let mut budget =
            Budget::new(Budget::bytes_for(text.len()).min(self.options.decode_bytes), Budget::VIEWS);
        scratch.exhausted = false;
        scratch.work = Work::default();
        scratch.steps_left = Steps::KEPT;
        scratch.layers.clear();
        self.scan_layer(text, &Layer::default(), role, &mut budget, scratch, &mut room, out);
        let mut plain = out.len() - before;
        let mut next = 0;
        while let Some(layer) = scratch.layers.get_mut(next).map(core::mem::take) {
            next += 1;
            self.scan_layer(&layer.text, &layer, role, &mut budget, scratch, &mut room, out);
        }
        let [looked_at, tried] = budget.taken();
        (scratch.work.looked_at, scratch.work.tried) = (looked_at, tried);
        plain -= keep_surest_model(before, plain, out);
        scratch.exhausted |=
            budget.exhausted || room.was_full() || core::mem::take(&mut scratch.buffers.exhausted);
        plain
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one scan, which nothing else shares")]
    fn scan_layer(
        &self,
        text: &str,
        layer: &Layer,
        role: Role,
        budget: &mut Budget,
        scratch: &mut Scratch,
        room: &mut Room,
        out: &mut Vec<Finding>,
    ) {
        scratch.work.judged += text.len();
        scratch.normalised.set(text);
        if !scratch.normalised.marks().is_ascii() {
            scratch.work.folded += text.bytes().filter(|byte| !byte.is_ascii()).count();
        }
        search(scratch.normalised.padded(), &self.tables, &mut scratch.found);
        scratch.open.clear();
        scratch.open.extend_from_slice(self.judged.get(role as usize).map_or(&[], Vec::as_slice));
        let before = out.len();
        self.verify_hits(text, layer, scratch, room, out);
        // What the views say tells how the text itself is to be judged.
        if layer.transforms.len() < usize::from(self.options.decode_depth) {
            views_marked(text, scratch.normalised.marks(), budget, &mut scratch.views);
        }
        let mut whole = scratch.views.iter().filter(|view| view.source.len() * 10 >= text.len() * 9);
        // Slips of the pen put right are a guess: what was meant may have been odd.
        let is_read = whole.clone().any(|view| view.transform != Transform::Typos);
        let is_code = whole.any(|view| view.transform.is_exact());
        let is_reading = !layer.transforms.iter().all(|transform| transform.is_exact());
        let subject = Subject { text, normalised: &scratch.normalised, role, is_read, is_code, is_reading };
        for detector in &self.detectors {
            detector.scan(&subject, layer, &mut scratch.buffers, room, out);
        }
        if let Some(new) = out.get_mut(before..) {
            sort_by(new, |a, b| order(a) < order(b));
        }
        scratch.layers.extend(scratch.views.drain(..).map(|view| layer.within(view)));
    }

    fn verify_hits(
        &self,
        text: &str,
        layer: &Layer,
        scratch: &mut Scratch,
        room: &mut Room,
        out: &mut Vec<Finding>,
    ) {
        let subject = Text {
            source: text.as_bytes(),
            padded: scratch.normalised.padded(),
            words: &scratch.found.words,
            normalised: &scratch.normalised,
        };
        scratch.around.begin_text(scratch.found.words_seen());
        let a_byte = if layer.span.is_none() { Steps::A_BYTE } else { Steps::A_BYTE_READ };
        let mut steps = Steps::with(scratch.steps_left, a_byte);
        let before = out.len();
        'hits: for hit in &scratch.found.hits {
            let first = hit.first as usize;
            let postings = self.tables.postings.get(first..first + hit.count as usize).unwrap_or_default();
            steps.grant(hit.at as usize);
            if !steps.take(HIT + postings.len() / 2) {
                continue;
            }
            let mut round = None;
            let mut begun = false;
            for posting in postings {
                if let Posting::Phrase { needs, .. } = posting {
                    // The words around tell most of what hangs on a word apart.
                    let round = round.get_or_insert_with(|| scratch.found.signs_round(hit));
                    if !self.tables.signs.may_match(*needs, round) {
                        continue;
                    }
                    if !begun {
                        scratch.around.begin(hit, &subject);
                        begun = true;
                    }
                }
                if !room.is_open() {
                    // What stands behind the last finding that there is room for was not judged either.
                    scratch.exhausted = true;
                    break 'hits;
                }
                let Some(number) = verify::rule(posting, &self.tables) else { continue };
                let (at, bit) = (number as usize / 64, 1u64 << (number % 64));
                let Some(open) = scratch.open.get_mut(at).filter(|open| **open & bit != 0) else { continue };
                if let Some(place) =
                    verify::verify(posting, hit, &mut scratch.around, &subject, &self.tables, &mut steps)
                    && let Some(rule) = self.numbered.get(number as usize)
                {
                    if !room.repeats() {
                        *open &= !bit;
                    }
                    let (span, transforms) = locate(place, text, layer, &subject);
                    room.put(
                        Finding { rule: rule.clone(), weight: rule.weight, span, transforms },
                        before,
                        out,
                    );
                }
            }
        }
        scratch.work.steps += steps.used();
        scratch.steps_left = steps.left();
        scratch.exhausted |= steps.is_exhausted();
    }
}

/// Whether a learnt model found it.
fn is_model(finding: &Finding) -> bool {
    classifier::is_head(finding.rule.id)
}

/// Leaves only the surest of the learnt models' findings from `before` on: they judge the same words in every layer, so
/// that their scores do not add up. Returns how many of the first `plain` ones are gone.
fn keep_surest_model(before: usize, plain: usize, out: &mut Vec<Finding>) -> usize {
    let models = out.iter().enumerate().skip(before).filter(|(_, finding)| is_model(finding));
    let Some((surest, _)) = models.min_by_key(|(_, finding)| core::cmp::Reverse(finding.weight)) else {
        return 0;
    };
    let (mut at, mut gone) = (0, 0);
    out.retain(|finding| {
        let kept = at < before || at == surest || !is_model(finding);
        gone += usize::from(!kept && at < before + plain);
        at += 1;
        kept
    });
    gone
}

/// Where a match lies in the outermost text, and what was undone to see it.
fn locate(place: Place, text: &str, layer: &Layer, subject: &Text<'_>) -> (Range<usize>, Vec<Transform>) {
    let mut transforms = layer.transforms.clone();
    let span = match place {
        Place::Source(span) => span,
        Place::Comparable(range) => {
            let span = subject.normalised.source_range(range);
            let span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end);
            transforms.extend(undone_in(text.get(span.clone()).unwrap_or_default()).iter());
            span
        }
    };
    (layer.span.clone().unwrap_or(span), transforms)
}

impl Layer {
    /// The layer that a view found in this one makes.
    pub(crate) fn within(&self, view: normalise::View) -> Self {
        let mut transforms = self.transforms.clone();
        transforms.push(view.transform);
        Self { text: view.text, span: Some(self.span.clone().unwrap_or(view.source)), transforms }
    }
}

/// Findings of a layer come in the order of where they are. Whatever else two of them have, they have in common.
fn order(finding: &Finding) -> (usize, usize, &str, u16) {
    (finding.span.start, finding.span.end, finding.rule.id, finding.weight)
}
