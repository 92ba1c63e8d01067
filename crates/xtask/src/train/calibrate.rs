//! Thresholds and links, from scores by models that never saw the source of what they scored.

use detect::classifier::{HEADS, Head, LENGTHS, LINK, Scores, THRESHOLDS, UNIT, is_mostly_ascii};

use super::sample::{Class, Text};

/// The share of false alarms allowed in each class of benign text.
const ALLOWED: [(Class, f64); 8] = [
    (Class::Ordinary, 0.004),
    (Class::Hard, 0.02),
    (Class::LookAlike, 0.035),
    (Class::Document, 0.005),
    (Class::ToolOutput, 0.004),
    (Class::Tutorial, 0.05),
    (Class::Language, 0.004),
    (Class::Encoded, 0.008),
];
/// A class with fewer texts of a length says too little of it.
const ENOUGH: usize = 100;
/// A threshold is at least this: what a text scores that says nothing must stay a unit below.
const LEAST: i64 = UNIT * 3 / 4;
/// Scores that nothing reaches.
const NEVER: i64 = 8 * UNIT;
/// The head of indirect attacks. Nothing is hidden in a text of a sentence or two: what it asks for is the person's own
/// request, and there this head only adds false alarms.
const INDIRECT: usize = 2;
/// How sure the link is at its points, half a unit apart: 800 at the threshold, and so that what scores a unit
/// less is a hint among others.
const SURE: [u16; LINK] = [0, 0, 0, 0, 150, 300, 450, 620, 800, 870, 910, 935, 950, 960, 965, 970, 975];

/// Sets thresholds so that all heads together keep what is allowed, and the links. A harmless text counts with what the
/// models that never saw it make of it or, if that is more, those that ship.
pub(super) fn calibrate(texts: &[Text], scores: &[Scores], shipped: &[Scores], heads: &mut [Head; HEADS]) {
    let benign: Vec<(Class, Scores)> = texts
        .iter()
        .zip(scores.iter().zip(shipped))
        .filter(|(text, _)| !text.class.is_attack() && text.set < super::sets::SETS.len())
        .map(|(text, (unseen, shipped))| (text.class, higher(unseen, shipped)))
        .collect();
    // The heads share the allowance of each class; how much each may take of it is searched for.
    let mut shares = [1.0; ALLOWED.len()];
    loop {
        for (number, head) in heads.iter_mut().enumerate() {
            set_thresholds(&benign, number, &shares, head);
        }
        let mut kept = true;
        for (share, (class, allowed)) in shares.iter_mut().zip(ALLOWED) {
            if *share > 0.01 && alarms(&benign, class, heads) > allowed {
                *share *= 0.95;
                kept = false;
            }
        }
        if kept {
            break;
        }
    }
    for head in heads {
        head.link = SURE;
    }
}

/// The higher score of each head.
fn higher(one: &Scores, other: &Scores) -> Scores {
    let mut scores = one.clone();
    for (best, other) in scores.best.iter_mut().zip(&other.best) {
        if other.score > best.score {
            *best = other.clone();
        }
    }
    scores
}

fn length(characters: usize) -> usize {
    LENGTHS.iter().filter(|length| characters > **length).count()
}

fn place(scores: &Scores) -> (usize, usize) {
    (usize::from(!is_mostly_ascii(scores)), length(scores.characters))
}

fn set_thresholds(benign: &[(Class, Scores)], number: usize, shares: &[f64; ALLOWED.len()], head: &mut Head) {
    let mut pools = vec![Vec::new(); 2 * THRESHOLDS * ALLOWED.len()];
    for (class, scores) in benign {
        let (script, length) = place(scores);
        let class = ALLOWED.iter().position(|(other, _)| other == class);
        if let (Some(class), Some(best)) = (class, scores.best.get(number))
            && let Some(pool) = pools.get_mut((script * THRESHOLDS + length) * ALLOWED.len() + class)
        {
            pool.push(best.score);
        }
    }
    let by_place = pools.chunks_exact_mut(ALLOWED.len());
    for (place, (threshold, pools)) in head.thresholds.iter_mut().flatten().zip(by_place).enumerate() {
        if number == INDIRECT && place % THRESHOLDS == 0 {
            *threshold = NEVER;
            continue;
        }
        let highest =
            pools.iter_mut().zip(ALLOWED).zip(shares).filter_map(|((pool, (_, allowed)), share)| {
                pool.sort_unstable_by(|a, b| b.cmp(a));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a place in a list"
                )]
                let at = (pool.len() as f64 * allowed * share) as usize;
                pool.get(at).filter(|_| pool.len() >= ENOUGH).copied()
            });
        // Where there are too few texts, only the sure are caught.
        *threshold = highest.max().unwrap_or(NEVER).max(LEAST) + 1;
    }
}

fn alarms(benign: &[(Class, Scores)], class: Class, heads: &[Head; HEADS]) -> f64 {
    let (mut all, mut alarms) = (0.0, 0.0);
    for (_, scores) in benign.iter().filter(|(other, _)| *other == class) {
        all += 1.0;
        if is_caught(scores, heads) {
            alarms += 1.0;
        }
    }
    if all > 0.0 { alarms / all } else { 0.0 }
}

/// Whether a head reaches its threshold.
fn is_caught(scores: &Scores, heads: &[Head; HEADS]) -> bool {
    let (script, length) = place(scores);
    heads.iter().zip(&scores.best).any(|(head, best)| {
        head.thresholds
            .get(script)
            .and_then(|by_length| by_length.get(length))
            .is_some_and(|t| best.score >= *t)
    })
}
