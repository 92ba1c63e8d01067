//! What models that never saw a text's source make of it, and what the rules find in it.

use std::thread;

use anyhow::{Context as _, Result};
use detect::{
    Category, Engine, Options, Packs, Scratch,
    classifier::{HEADS, Head, Model, Scores},
};

use super::{
    assemble,
    fit::{Linear, Sample, Settings, fit},
    quantise::{Files, quantise},
    sample::Text,
    sets::FOLDS,
};

/// Threads that fit models: each model alone is fitted by one, so their number changes nothing.
const THREADS: usize = 2;

/// The models of one fold that was left out, or their mean.
pub(super) type Heads = [Linear; HEADS];

/// Fits the models of every fold: for each, those that know nothing of its sets.
pub(super) fn fit_folds(texts: &[Text]) -> Vec<Heads> {
    let samples: Vec<Vec<Sample>> = (0..HEADS).map(|head| assemble::samples(texts, head)).collect();
    let jobs: Vec<(u8, usize)> =
        (0..FOLDS).flat_map(|fold| (0..HEADS).map(move |head| (fold, head))).collect();
    let fit_one = |(fold, head): (u8, usize)| {
        let known = samples.get(head).map(Vec::as_slice).unwrap_or_default().iter();
        let known: Vec<&Sample> = known.filter(|sample| !sample.folds.contains(&Some(fold))).collect();
        fit(&known, Settings::default(), u64::from(fold))
    };
    let mut fitted: Vec<Option<Linear>> = vec![None; jobs.len()];
    thread::scope(|scope| {
        let shares: Vec<_> = (0..THREADS)
            .map(|share| {
                let jobs = jobs.iter().copied().enumerate().skip(share).step_by(THREADS);
                scope.spawn(|| jobs.map(|(at, job)| (at, fit_one(job))).collect::<Vec<_>>())
            })
            .collect();
        for (at, model) in shares.into_iter().flat_map(|share| share.join().unwrap_or_default()) {
            if let Some(place) = fitted.get_mut(at) {
                *place = Some(model);
            }
        }
    });
    let fitted: Vec<Linear> = fitted.into_iter().map(|model| model.unwrap_or_else(Linear::zero)).collect();
    fitted.chunks_exact(HEADS).filter_map(|heads| heads.to_vec().try_into().ok()).collect()
}

/// The mean of the folds' models: it holds back where only one source speaks for a piece.
pub(super) fn mean(folds: &[Heads]) -> Heads {
    #[expect(clippy::cast_precision_loss, reason = "a handful of folds")]
    let share = 1.0 / folds.len() as f32;
    let mut mean = std::array::from_fn(|_| Linear::zero());
    for fold in folds {
        for (mean, model) in mean.iter_mut().zip(fold) {
            mean.add(model, share);
        }
    }
    mean
}

/// The scores of every text by the models of its fold, or by the mean where it is of none; and by the mean, which ships.
///
/// # Errors
/// When quantised models cannot be read, which would be a mistake of ours.
pub(super) fn scores(texts: &[Text], folds: &[Heads]) -> Result<(Vec<Scores>, Vec<Scores>)> {
    let files = |heads: &Heads| quantise(heads, &mut [Head::default(); HEADS]);
    let files: Vec<Files> = folds.iter().chain([&mean(folds)]).map(files).collect();
    let models: Option<Vec<Model>> =
        files.iter().map(|files| Model::read(&files.weights, &files.numbers)).collect();
    let models = models.context("the quantised models cannot be read")?;
    let score = |text: &Text, model: usize| {
        // What a text quotes and talks about hardly counts.
        let outside = text.outside.as_ref().unwrap_or(&text.comparable);
        models.get(model).map(|model| model.score(outside)).unwrap_or_default()
    };
    let mean = models.len() - 1;
    let unseen = texts.iter().map(|text| score(text, text.fold.map_or(mean, usize::from))).collect();
    Ok((unseen, texts.iter().map(|text| score(text, mean)).collect()))
}

/// The scores of senseless texts by the models that ship.
///
/// # Errors
/// As [`scores`].
pub(super) fn senseless(texts: &[Vec<u8>], folds: &[Heads]) -> Result<Vec<Scores>> {
    let files = quantise(&mean(folds), &mut [Head::default(); HEADS]);
    let model = Model::read(&files.weights, &files.numbers).context("the quantised models cannot be read")?;
    Ok(texts.iter().map(|text| model.score(text)).collect())
}

/// What the rules alone make of every text, in thousandths.
pub(super) fn rules(texts: &[Text]) -> Vec<u16> {
    let packs = Packs { classifier: false, ..Packs::default() };
    let engine = Engine::new(&Options { packs, ..Options::default() });
    let mut scratch = Scratch::default();
    let mut findings = Vec::new();
    texts
        .iter()
        .map(|text| {
            findings.clear();
            engine.scan_text(&text.source, text.role, &mut scratch, &mut findings);
            findings.retain(|finding| {
                matches!(
                    finding.rule.category,
                    Category::PromptInjection
                        | Category::Jailbreak
                        | Category::PromptExtraction
                        | Category::Structure
                )
            });
            findings.sort_by(|a, b| a.rule.id.cmp(b.rule.id).then(b.weight.cmp(&a.weight)));
            findings.dedup_by(|a, b| a.rule.id == b.rule.id);
            noisy_or(findings.iter().map(|finding| finding.weight))
        })
        .collect()
}

/// As policy combines the findings of these categories: 1 − Π(1 − w).
pub(super) fn noisy_or(weights: impl IntoIterator<Item = u16>) -> u16 {
    const ONE: u64 = 1_000_000_000;
    let rest = weights.into_iter().fold(ONE, |rest, weight| rest * u64::from(1000 - weight.min(1000)) / 1000);
    u16::try_from((ONE - rest) / 1_000_000).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::super::{grammar, sample};
    use super::*;

    #[test]
    fn our_own_texts_give_the_same_bytes_each_time() {
        let train = || {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("train");
            let texts = sample::own(grammar::read(&folder).unwrap());
            let texts: Vec<Text> = texts.into_iter().step_by(150).collect();
            assert!(texts.len() >= 100, "{}", texts.len());
            let fitted = std::array::from_fn(|head| {
                let samples = assemble::samples(&texts, head);
                assert!(samples.iter().any(|sample| sample.is_attack), "head {head}");
                fit(&samples.iter().collect::<Vec<_>>(), Settings::default(), 5)
            });
            quantise(&fitted, &mut [Head::default(); HEADS])
        };
        let first = train();
        assert_eq!(first, train());
        assert!(first.weights.iter().filter(|weight| **weight != 128).count() > 10_000);
    }

    #[test]
    fn signs_add_up_as_policy_adds_them() {
        assert_eq!(noisy_or([600, 600]), 840);
        assert_eq!(noisy_or([]), 0);
        assert_eq!(noisy_or([1000, 300]), 1000);
    }
}
