//! Thresholds and links, from scores by models that never saw the source of what they scored.
//!
//! The heads share what false alarms each class of harmless text is allowed. Step by step the threshold is lowered that
//! finds most attacks for what it takes of what is left.

use std::collections::BTreeMap;

use detect::classifier::{HEADS, Head, LENGTHS, LINK, Scores, THRESHOLDS, UNIT, is_mostly_ascii};

use super::sample::{Class, Text};

/// The share of false alarms allowed in each class of benign text.
const ALLOWED: [(Class, f64); 8] = [
    (Class::Ordinary, 0.004),
    (Class::Hard, 0.02),
    (Class::LookAlike, 0.035),
    (Class::Document, 0.004),
    (Class::ToolOutput, 0.004),
    (Class::Tutorial, 0.05),
    (Class::Language, 0.004),
    (Class::Encoded, 0.008),
];
/// A length with fewer harmless texts says too little of it: there only the sure are caught.
const ENOUGH: usize = 100;
/// A threshold is at least this: what a text scores that says nothing must stay a unit below.
const LEAST: i64 = UNIT * 3 / 4 + 1;
/// By how much it lies over what senseless texts score.
const OVER_SENSELESS: i64 = UNIT * 3 / 4;
/// Scores that nothing reaches.
const NEVER: i64 = 8 * UNIT;
/// Between the thresholds that are tried.
const STEP: i64 = UNIT / 16;
/// How many steps ahead every threshold is tried, and behind them each sixth.
const NEAR: i64 = 6;
/// In one length a class may have so many times its allowance.
const AT_MOST: f64 = 2.0;
/// What an attack counts that the rules find.
const KNOWN: f64 = 0.3;
/// The score from which the rules alone are enough.
const SURE_BY_RULES: u16 = 800;
/// The head of indirect attacks. Nothing is hidden in a text of a sentence or two: what it asks for is the person's own
/// request, and there this head only adds false alarms.
const INDIRECT: usize = 2;
/// How sure the link is at its points, half a unit apart: 800 at the threshold, and so that what scores a unit
/// less is a hint among others.
const SURE: [u16; LINK] = [0, 0, 0, 0, 150, 300, 450, 620, 800, 870, 910, 935, 950, 960, 965, 970, 975];

/// What is known of the texts that thresholds are set by.
pub(super) struct Judged<'a> {
    pub(super) texts: &'a [Text],
    /// Scores by the models that never saw the text's source …
    pub(super) unseen: &'a [Scores],
    /// … and by those that ship.
    pub(super) shipped: &'a [Scores],
    /// What the rules make of each, in thousandths.
    pub(super) rules: &'a [u16],
    /// Scores of texts that say nothing.
    pub(super) senseless: &'a [Scores],
}

/// Sets thresholds so that all heads together keep what is allowed, and the links. A harmless text counts with what the
/// models that never saw it make of it or, if that is more, those that ship.
pub(super) fn calibrate(judged: &Judged<'_>, heads: &mut [Head; HEADS]) {
    let mut places: Vec<Place> = (0..2 * THRESHOLDS)
        .map(|number| Place::new(judged, number / THRESHOLDS, number % THRESHOLDS))
        .collect();
    let mut left: [f64; ALLOWED.len()] = std::array::from_fn(|class| {
        let of_class = places.iter().flat_map(|place| &place.benign).filter(|text| text.class == class);
        #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
        let all = of_class.count() as f64;
        ALLOWED.get(class).map_or(0.0, |(_, allowed)| all * allowed)
    });
    let whole = left;
    loop {
        let steps =
            places.iter().enumerate().filter_map(|(at, place)| Some((at, place.best(&left, &whole)?)));
        let Some((at, step)) = steps.max_by(|(_, a), (_, b)| a.worth.total_cmp(&b.worth)) else { break };
        let Some(place) = places.get_mut(at) else { break };
        for (left, taken) in left.iter_mut().zip(step.alarms) {
            *left -= taken;
        }
        place.take(&step);
    }
    for (number, head) in heads.iter_mut().enumerate() {
        for (threshold, place) in head.thresholds.iter_mut().flatten().zip(&places) {
            *threshold = place.thresholds.get(number).copied().unwrap_or(NEVER);
        }
        head.link = SURE;
    }
}

/// A harmless text: the number of its class in [`ALLOWED`], and what the heads make of it.
struct Benign {
    class: usize,
    scores: [i64; HEADS],
}

struct Attack {
    worth: f64,
    scores: [i64; HEADS],
}

/// The texts of one length and kind of script that no head catches yet, and the thresholds there.
struct Place {
    benign: Vec<Benign>,
    attacks: Vec<Attack>,
    thresholds: [i64; HEADS],
    least: [i64; HEADS],
    /// What each class may still have here.
    room: [f64; ALLOWED.len()],
}

/// A threshold that is lowered, and what that brings for what.
struct Step {
    head: usize,
    threshold: i64,
    alarms: [f64; ALLOWED.len()],
    worth: f64,
}

impl Place {
    fn new(judged: &Judged<'_>, script: usize, length: usize) -> Self {
        let here = |scores: &Scores| place(scores) == (script, length);
        let scores = judged.unseen.iter().zip(judged.shipped);
        let texts: Vec<_> = judged.texts.iter().zip(judged.rules).zip(scores).collect();
        let mut counts = BTreeMap::new();
        for (text, _) in judged.texts.iter().zip(judged.rules).filter(|(text, _)| text.class.is_attack()) {
            *counts.entry((text.set, text.class)).or_insert(0.0_f64) += 1.0;
        }
        let attack = |((text, rules), (unseen, _)): &((&Text, &u16), (&Scores, &Scores))| {
            let known = if **rules >= SURE_BY_RULES { KNOWN } else { 1.0 };
            let count = counts.get(&(text.set, text.class)).copied().unwrap_or(1.0);
            // Large sources do not drown the small ones.
            Attack { worth: known / count.sqrt(), scores: unseen.best.each_ref().map(|best| best.score) }
        };
        let benign = |((text, _), (unseen, shipped)): &((&Text, &u16), (&Scores, &Scores))| {
            let class = ALLOWED.iter().position(|(class, _)| *class == text.class)?;
            let score = |head: usize| {
                let of = |scores: &Scores| scores.best.get(head).map_or(0, |best| best.score);
                of(unseen).max(of(shipped))
            };
            Some(Benign { class, scores: std::array::from_fn(score) })
        };
        let texts = texts.iter().filter(|(_, (unseen, _))| here(unseen));
        let attacks =
            texts.clone().filter(|((text, _), _)| text.class.is_attack() && text.class != Class::Suffix);
        let attacks: Vec<Attack> = attacks.map(attack).collect();
        let benign: Vec<Benign> = texts.filter_map(benign).collect();
        let senseless = judged.senseless.iter().filter(|scores| here(scores));
        let least = least(&benign, senseless, length);
        let room = std::array::from_fn(|class| {
            #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
            let all = benign.iter().filter(|text| text.class == class).count() as f64;
            (all * AT_MOST * ALLOWED.get(class).map_or(0.0, |(_, allowed)| *allowed)).max(1.0)
        });
        Self { benign, attacks, thresholds: [NEVER; HEADS], least, room }
    }

    /// The step most worth it, of those that keep what is left.
    fn best(&self, left: &[f64; ALLOWED.len()], whole: &[f64; ALLOWED.len()]) -> Option<Step> {
        let mut best: Option<Step> = None;
        for (head, (now, least)) in self.thresholds.iter().zip(self.least).enumerate() {
            let reaches =
                |scores: &[i64; HEADS], threshold| scores.get(head).is_some_and(|s| *s >= threshold);
            let steps = (1..).map(|step| if step <= NEAR { step } else { NEAR * (step - NEAR + 1) });
            for threshold in steps.map(|step| now - step * STEP).take_while(|threshold| *threshold >= least) {
                let mut alarms = [0.0; ALLOWED.len()];
                for text in self.benign.iter().filter(|text| reaches(&text.scores, threshold)) {
                    if let Some(alarms) = alarms.get_mut(text.class) {
                        *alarms += 1.0;
                    }
                }
                let kept = alarms.iter().zip(left).zip(&self.room);
                if kept
                    .clone()
                    .any(|((alarms, left), room)| *alarms > 0.0 && (alarms > left || alarms > room))
                {
                    break;
                }
                let cost = kept.zip(whole).map(|(((alarms, left), _), whole)| match whole {
                    _ if *alarms == 0.0 => 0.0,
                    // What is nearly used up is dear.
                    _ => alarms / left.max(whole / 20.0),
                });
                let found = self.attacks.iter().filter(|text| reaches(&text.scores, threshold));
                let worth = found.map(|text| text.worth).sum::<f64>() / (cost.sum::<f64>() + 1e-4);
                if worth > best.as_ref().map_or(0.0, |best| best.worth) {
                    best = Some(Step { head, threshold, alarms, worth });
                }
            }
        }
        best
    }

    fn take(&mut self, step: &Step) {
        if let Some(threshold) = self.thresholds.get_mut(step.head) {
            *threshold = step.threshold;
        }
        let reaches =
            |scores: &[i64; HEADS]| scores.get(step.head).is_some_and(|score| *score >= step.threshold);
        self.benign.retain(|text| !reaches(&text.scores));
        self.attacks.retain(|text| !reaches(&text.scores));
        for (room, taken) in self.room.iter_mut().zip(step.alarms) {
            *room -= taken;
        }
    }
}

/// The least that the thresholds of a place may be.
fn least<'a>(benign: &[Benign], senseless: impl Iterator<Item = &'a Scores>, length: usize) -> [i64; HEADS] {
    let enough = |class: usize| benign.iter().filter(|text| text.class == class).count() >= ENOUGH;
    if !(0..ALLOWED.len()).any(enough) {
        return [NEVER; HEADS];
    }
    let mut least = [LEAST; HEADS];
    for scores in senseless {
        for (least, best) in least.iter_mut().zip(&scores.best) {
            *least = (*least).max(best.score + OVER_SENSELESS);
        }
    }
    if let Some(least) = least.get_mut(INDIRECT).filter(|_| length == 0) {
        *least = NEVER;
    }
    least
}

fn place(scores: &Scores) -> (usize, usize) {
    let length = LENGTHS.iter().filter(|length| scores.characters > **length).count();
    (usize::from(!is_mostly_ascii(scores)), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [f64; ALLOWED.len()] = [10.0; ALLOWED.len()];

    fn place(benign: &[i64], attacks: &[i64]) -> Place {
        let scores = |score: &i64| [*score, 0, 0];
        Place {
            benign: benign.iter().map(|score| Benign { class: 0, scores: scores(score) }).collect(),
            attacks: attacks.iter().map(|score| Attack { worth: 1.0, scores: scores(score) }).collect(),
            thresholds: [NEVER; HEADS],
            least: [LEAST; HEADS],
            room: ALL,
        }
    }

    #[test]
    fn a_threshold_is_lowered_to_what_costs_nothing_first() {
        let mut place = place(&[2000, 3000], &[5000, 4000, 2500]);
        let step = place.best(&ALL, &ALL).unwrap();
        assert_eq!((step.head, step.alarms[0]), (0, 0.0));
        assert!((3001..=4000).contains(&step.threshold), "{}", step.threshold);
        place.take(&step);
        assert_eq!((place.benign.len(), place.attacks.len()), (2, 1));
        let step = place.best(&ALL, &ALL).unwrap();
        assert_eq!(step.alarms[0], 1.0);
    }

    #[test]
    fn no_class_takes_more_than_is_left_nor_than_a_length_may_have() {
        let mut left = ALL;
        left[0] = 0.5;
        assert!(place(&[6000], &[5000]).best(&left, &ALL).is_none());
        let mut full = place(&[6000], &[5000]);
        full.room[0] = 0.0;
        assert!(full.best(&ALL, &ALL).is_none());
    }

    #[test]
    fn a_threshold_stays_over_what_senseless_texts_score() {
        let mut bounded = place(&[], &[2000]);
        bounded.least[0] = 2001;
        assert!(bounded.best(&ALL, &ALL).is_none());
        assert!(place(&[], &[2000]).best(&ALL, &ALL).is_some());
    }
}
