//! From texts to weighted windows, the samples that a head is fitted to.

use std::{collections::BTreeMap, ops::Range};

use detect::classifier::{BLOCK, HEADS, LONGEST};

use super::{
    fit::Sample,
    random::Random,
    sample::{Class, Pieces, Text},
};

/// How much longer texts are damped: a window's score is its sum over its length to this power. A root would
/// suit frames that are long, the length itself short attacks.
const POWER: f32 = 0.7;
/// A text of fewer characters counts as one of so many: two words say too little.
const SHORTEST: usize = 24;
/// Brings the damped counts near 1.
const GAIN: f32 = 10.0;
/// Windows of one text that are trained on.
const WINDOWS: usize = 8;
/// Blocks between the windows of a text that are trained on.
const STRIDE: usize = 3;
/// What attacks weigh together, beside all benign texts.
const ATTACKS: f32 = 0.6;

/// By length in characters, what the counts are multiplied with.
pub(super) fn damping(characters: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let characters = characters.max(SHORTEST) as f32;
    GAIN * characters.powf(-POWER)
}

/// Whether a head learns from texts of a class, and as what.
const fn label(head: usize, class: Class) -> Option<bool> {
    match (class, head) {
        (Class::Direct | Class::Foreign, 0) | (Class::Jailbreak, 1) | (Class::Indirect, 2) => Some(true),
        (Class::Suffix, _) => None,
        (class, _) if class.is_attack() => None,
        _ => Some(false),
    }
}

/// The samples of a head.
pub(super) fn samples(texts: &[Text], head: usize) -> Vec<Sample> {
    let mut random =
        Random::named(["direct", "jailbreak", "indirect"].get(head).copied().unwrap_or_default());
    let carriers: Vec<&Text> = texts.iter().filter(|text| carries(text)).collect();
    let mut all = Vec::new();
    for text in texts.iter().filter(|text| text.trains) {
        let Some(is_attack) = label(head, text.class) else { continue };
        let windows = windows(text, is_attack, &mut random);
        #[expect(clippy::cast_precision_loss, reason = "a handful of windows")]
        let count = windows.len().max(1) as f32;
        // An attack counts once, however long; a benign text is many chances for a false alarm.
        let weight = if is_attack { 1.0 / count } else { 1.0 / count.sqrt() };
        for window in windows.iter().filter(|window| !window.is_empty()) {
            let inputs = inputs(text.pieces.within(window), window.len());
            all.push(Sample {
                inputs,
                is_attack,
                weight,
                set: text.set,
                share: text.share.get(head).copied().unwrap_or(1.0),
                folds: [text.fold; 2],
            });
        }
        if is_attack
            && text.class != Class::Jailbreak
            && text.is_english
            && let Some(sample) = carried(text, head, &carriers, &mut random)
        {
            all.push(sample);
        }
    }
    weigh(&mut all);
    all
}

/// Whether an attack can be put into a text.
fn carries(text: &Text) -> bool {
    text.trains
        && text.is_english
        && text.pieces.characters > LONGEST
        && matches!(text.class, Class::Document | Class::ToolOutput | Class::Ordinary)
}

/// The windows of a text that are trained on.
fn windows(text: &Text, is_attack: bool, random: &mut Random) -> Vec<Range<usize>> {
    let length = text.pieces.characters;
    if is_attack && text.class == Class::Indirect {
        let Some(payload) = &text.payload else {
            // Where the attack stands in a long text is not known.
            return if length <= 2 * LONGEST { all_windows(length) } else { Vec::new() };
        };
        // The payload alone, and with what stands around it; but the names of a record's fields are in harmless ones too.
        let end = payload.end.min(payload.start + LONGEST);
        let room = LONGEST.saturating_sub(payload.len());
        let start = payload.start.saturating_sub(random.below(room + 1));
        if matches!(text.comparable.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return std::iter::once(payload.start..end).collect();
        }
        return vec![payload.start..end, start..(start + LONGEST).min(length)];
    }
    let mut windows = all_windows(length);
    if windows.len() > WINDOWS {
        random.shuffle(&mut windows);
        windows.truncate(WINDOWS);
    }
    windows
}

fn all_windows(length: usize) -> Vec<Range<usize>> {
    if length <= LONGEST {
        return std::iter::once(0..length).collect();
    }
    let last = length - LONGEST;
    let mut windows: Vec<_> = (0..last).step_by(STRIDE * BLOCK).map(|start| start..start + LONGEST).collect();
    windows.push(last..length);
    windows
}

/// A short attack with a harmless text around it, as a window of a document that holds one.
fn carried(text: &Text, head: usize, carriers: &[&Text], random: &mut Random) -> Option<Sample> {
    let attack = match &text.payload {
        Some(_) => return None,
        None => text.comparable.trim_ascii(),
    };
    let carrier = *random.pick(carriers)?;
    let room = LONGEST.checked_sub(text.pieces.characters + 2).filter(|room| *room >= BLOCK)?;
    let start = random.below(carrier.comparable.len() - room.min(carrier.comparable.len()));
    let around = carrier.comparable.get(start..)?;
    let around = around.get(..room.min(around.len()))?;
    let (left, right) = around.split_at(random.below(around.len()));
    let whole = [left, attack, right].join(&b' ');
    // A cut within a character would tell the place.
    core::str::from_utf8(&whole).ok()?;
    let pieces = Pieces::of(&whole);
    Some(Sample {
        inputs: inputs(&pieces.buckets, pieces.characters),
        is_attack: true,
        weight: 0.5,
        set: text.set,
        share: text.share.get(head).copied().unwrap_or(1.0),
        folds: [text.fold, carrier.fold],
    })
}

/// Sums up the buckets of a window.
fn inputs(pieces: &[(u32, u16)], characters: usize) -> Vec<(u16, f32)> {
    let mut buckets: Vec<u16> = pieces.iter().map(|(_, bucket)| *bucket).collect();
    buckets.sort_unstable();
    let damping = damping(characters);
    let count = |group: &[u16]| {
        #[expect(clippy::cast_precision_loss, reason = "at most a window's length")]
        group.first().map(|bucket| (*bucket, group.len() as f32 * damping))
    };
    buckets.chunk_by(|a, b| a == b).filter_map(count).collect()
}

/// Evens the sources out: a source weighs the root of what its samples weigh together, times its
/// share.
fn weigh(samples: &mut [Sample]) {
    let mut totals: BTreeMap<(usize, bool), (f32, f32)> = BTreeMap::new();
    for sample in samples.iter() {
        let total = totals.entry((sample.set, sample.is_attack)).or_default();
        *total = (total.0 + sample.weight, sample.share);
    }
    let sum = |wanted: bool| {
        let wanted = totals.iter().filter(|((_, is_attack), _)| *is_attack == wanted);
        wanted.map(|(_, (total, share))| total.sqrt() * share).sum::<f32>()
    };
    let (attacks, benign) = (sum(true), sum(false));
    for sample in samples.iter_mut() {
        let (total, share) = totals.get(&(sample.set, sample.is_attack)).copied().unwrap_or((1.0, 1.0));
        sample.weight *= share / total.sqrt();
        if sample.is_attack {
            sample.weight *= ATTACKS * benign / attacks;
        }
    }
    let whole: f32 = samples.iter().map(|sample| sample.weight).sum();
    #[expect(clippy::cast_precision_loss, reason = "some hundred thousand samples")]
    let count = samples.len() as f32;
    for sample in samples {
        sample.weight *= count / whole;
    }
}

const _: () = assert!(HEADS == 3);
