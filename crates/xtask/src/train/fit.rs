//! Logistic regression by AdaGrad, the weights averaged over the second half (Duchi, Hazan and Singer 2011;
//! Polyak and Juditsky 1992), the inputs scaled by naive Bayes log-count ratios (Wang and Manning 2012).

use detect::classifier::BITS;

use super::random::Random;

/// Buckets.
pub(super) const BUCKETS: usize = 1 << BITS;

/// How a head is trained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) rate: f32,
    pub(super) epochs: usize,
    /// How much the log-count ratios scale the inputs: their power.
    pub(super) bayes: f32,
    /// From so many sources on, an attack's piece counts in full.
    pub(super) sources: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rate: 0.01, epochs: 4, bayes: 1.0, sources: 2.0 }
    }
}

/// A window of a text.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Buckets, ascending, with how often they come up, damped by the window's length.
    pub(super) inputs: Vec<(u16, f32)>,
    pub(super) is_attack: bool,
    pub(super) weight: f32,
    pub(super) set: usize,
    /// How much its source counts beside others.
    pub(super) share: f32,
    /// The folds that the words come from.
    pub(super) folds: [Option<u8>; 2],
}

/// A linear model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linear {
    pub(super) weights: Vec<f32>,
    pub(super) bias: f32,
}

impl Linear {
    pub(super) fn zero() -> Self {
        Self { weights: vec![0.0; BUCKETS], bias: 0.0 }
    }

    pub(super) fn add(&mut self, other: &Self, share: f32) {
        for (to, from) in self.weights.iter_mut().zip(&other.weights) {
            *to += from * share;
        }
        self.bias += other.bias * share;
    }
}

/// Fits a head. The order of the samples and the seed settle the result.
pub(super) fn fit(samples: &[&Sample], settings: Settings, seed: u64) -> Linear {
    let scales = scales(samples, settings);
    let mut random = Random::new(seed);
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut now = Linear::zero();
    let mut squares = vec![1e-6_f32; BUCKETS];
    let mut bias_squares = 1e-6_f32;
    let mut mean = Linear::zero();
    let counted = settings.epochs.div_ceil(2);
    for epoch in 0..settings.epochs {
        random.shuffle(&mut order);
        for sample in order.iter().filter_map(|at| samples.get(*at)) {
            let score = sample.inputs.iter().fold(now.bias, |score, (bucket, input)| {
                let at = usize::from(*bucket);
                score + now.weights.get(at).copied().unwrap_or_default() * input * scale(&scales, at)
            });
            let wanted = if sample.is_attack { 1.0 } else { 0.0 };
            let slope = (1.0 / (1.0 + (-score).exp()) - wanted) * sample.weight;
            for (bucket, input) in &sample.inputs {
                let at = usize::from(*bucket);
                let slope = slope * input * scale(&scales, at);
                if let (Some(weight), Some(squares)) = (now.weights.get_mut(at), squares.get_mut(at)) {
                    *squares += slope * slope;
                    *weight -= settings.rate * slope / squares.sqrt();
                }
            }
            bias_squares += slope * slope;
            now.bias -= settings.rate * slope / bias_squares.sqrt();
        }
        #[expect(clippy::cast_precision_loss, reason = "a handful of epochs")]
        if settings.epochs - epoch <= counted {
            mean.add(&now, 1.0 / counted as f32);
        }
    }
    for (weight, scale) in mean.weights.iter_mut().zip(&scales) {
        *weight *= scale;
    }
    mean
}

fn scale(scales: &[f32], at: usize) -> f32 {
    scales.get(at).copied().unwrap_or_default()
}

/// How much each bucket may say: the more, the more it tells attacks from other text, and the more sources of
/// attacks know it.
fn scales(samples: &[&Sample], settings: Settings) -> Vec<f32> {
    let mut attacks = vec![1.0_f32; BUCKETS];
    let mut benign = vec![1.0_f32; BUCKETS];
    let mut sources = vec![0_u64; BUCKETS];
    for sample in samples {
        let counts = if sample.is_attack { &mut attacks } else { &mut benign };
        for (bucket, input) in &sample.inputs {
            let at = usize::from(*bucket);
            if let (Some(count), Some(sources)) = (counts.get_mut(at), sources.get_mut(at)) {
                *count += sample.weight * input.min(1.0);
                if sample.is_attack {
                    *sources |= 1 << (sample.set % 64);
                }
            }
        }
    }
    let (all_attacks, all_benign) = (attacks.iter().sum::<f32>(), benign.iter().sum::<f32>());
    let ratio =
        |(attacks, benign): (&f32, &f32)| ((attacks / all_attacks).ln() - (benign / all_benign).ln()).abs();
    let ratios = attacks.iter().zip(&benign).map(ratio);
    ratios
        .zip(&sources)
        .map(|(ratio, sources)| {
            #[expect(clippy::cast_precision_loss, reason = "at most 64")]
            let known = (sources.count_ones() as f32 / settings.sources).clamp(0.1, 1.0);
            (ratio.powf(settings.bayes) + 0.1) * known
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(bucket: u16, is_attack: bool) -> Sample {
        Sample {
            inputs: vec![(bucket, 1.0), (9, 1.0)],
            is_attack,
            weight: 1.0,
            set: 0,
            share: 1.0,
            folds: [None; 2],
        }
    }

    #[test]
    fn what_tells_attacks_from_other_text_gets_weight_and_what_does_not_gets_none() {
        let samples: Vec<_> = (0..40).flat_map(|_| [sample(1, true), sample(2, false)]).collect();
        let samples: Vec<_> = samples.iter().collect();
        let model = fit(&samples, Settings { sources: 1.0, ..Settings::default() }, 1);
        assert!(model.weights[1] > 0.0 && model.weights[2] < 0.0, "{:?}", &model.weights[..10]);
        assert!(model.weights[9].abs() < model.weights[1] / 4.0, "{:?}", &model.weights[..10]);
        assert_eq!(model.weights[3], 0.0);
    }

    #[test]
    fn the_same_samples_give_the_same_bytes() {
        let samples: Vec<_> = (0..40).flat_map(|n| [sample(n, true), sample(n + 7, false)]).collect();
        let samples: Vec<_> = samples.iter().collect();
        let train = || fit(&samples, Settings::default(), 3);
        assert_eq!(train(), train());
        assert_ne!(train(), fit(&samples, Settings::default(), 4));
    }
}
