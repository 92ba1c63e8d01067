//! What a policy asks of the detectors.

use alloc::{format, vec::Vec};

use detect::{AxisLimit, Engine, Options, OwnPattern, Packs, Roles, TensorLimits};

use crate::{
    ConfigError, Detect, Policy, Share,
    document::{Axis, Tensor},
    own_rule::OwnRule,
};

impl Policy {
    /// An engine that finds whatever the live policy or its shadow looks for. What only one of them wants is told apart
    /// when it is judged.
    ///
    /// # Errors
    /// Names the first rule of the operator that cannot be used, and what is wrong with it.
    pub fn engine(&self) -> Result<Engine, ConfigError> {
        let document = self.document();
        let sections = [Some(&document.detect), document.shadow.as_ref().map(|shadow| &shadow.detect)];
        let any = |wants: fn(&Detect) -> bool| sections.iter().flatten().any(|section| wants(section));
        let options = Options {
            paranoia: sections.iter().flatten().map(|section| section.paranoia.level()).max().unwrap_or(1),
            packs: Packs {
                injection: any(|section| section.packs.injection),
                jailbreak: any(|section| section.packs.jailbreak),
                extraction: any(|section| section.packs.extraction),
                secret: any(|section| section.packs.secret),
                pii: any(|section| section.packs.pii),
                exfiltration: any(|section| section.packs.exfiltration),
                web_payload: any(|section| section.packs.web_payload),
                structure: any(|section| section.packs.structure),
                classifier: any(|section| section.packs.classifier),
            },
            canaries: sections
                .iter()
                .flatten()
                .flat_map(|section| section.canaries.iter().cloned())
                .collect(),
            // Whatever is masked is masked as often as it stands there.
            every_match: self.masks(),
            ..Options::default()
        };
        let failed = |message| ConfigError { line: 0, column: 0, message };
        let mut own: Vec<&OwnRule> = Vec::new();
        for rule in sections.iter().flatten().flat_map(|section| &section.own_rules) {
            match own.iter().find(|known| known.id == rule.id) {
                None => own.push(rule),
                Some(known) if *known == rule => {}
                Some(_) => {
                    return Err(failed(format!(
                        "own_rules: {} differs between the policy and its shadow",
                        rule.id
                    )));
                }
            }
        }
        let own: Vec<detect::OwnRule> = own.into_iter().map(own_rule).collect();
        Engine::with_own(&options, &own).map_err(|error| failed(format!("own_rules: {error}")))
    }

    /// Whether anything is masked, in requests or in answers.
    #[must_use]
    pub fn masks(&self) -> bool {
        let document = self.document();
        document.detect.may_mask() || document.response.scan && document.response.may_mask()
    }

    /// The bounds of numeric inputs.
    #[must_use]
    pub fn tensor_limits(&self) -> TensorLimits {
        let Tensor {
            max_values,
            min_value,
            max_value,
            max_magnitude,
            allow_non_finite,
            max_gradient,
            min_sparsity,
            max_rank,
            shape,
            datatypes,
            max_equal_run,
            max_saturated,
            high_frequency,
            flatness,
        } = &self.document().input.tensor;
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let axis = |axis: &Axis| match axis {
            Axis::Any => AxisLimit::Any,
            Axis::Exactly(length) => AxisLimit::Exactly(size(*length)),
            Axis::AtMost { max } => AxisLimit::AtMost(size(*max)),
        };
        TensorLimits {
            max_values: Some(size(*max_values)),
            min_value: *min_value,
            max_value: *max_value,
            max_magnitude: *max_magnitude,
            allow_non_finite: *allow_non_finite,
            max_gradient: *max_gradient,
            min_sparsity: min_sparsity.map(Share::as_f64),
            max_rank: Some(usize::from(*max_rank)),
            axes: shape.as_ref().map(|axes| axes.iter().map(axis).collect()),
            datatypes: datatypes.clone(),
            max_equal_run: max_equal_run.map(size),
            max_saturated: max_saturated.map(Share::as_f64),
            high_frequency: high_frequency.as_ref().map(|baseline| detect::HighFrequency {
                mean: baseline.mean,
                tolerance: baseline.tolerance,
                axes: usize::from(baseline.axes),
            }),
            flatness: flatness.as_ref().map(|baseline| detect::Flatness {
                floor: baseline.floor,
                min_share: baseline.min_share,
                axes: usize::from(baseline.axes),
            }),
        }
    }
}

fn own_rule(rule: &OwnRule) -> detect::OwnRule {
    let text = |text: &Option<_>| text.clone().unwrap_or_default();
    let pattern = match (&rule.phrase, &rule.regex) {
        (Some(phrase), _) => OwnPattern::Phrase(phrase.clone()),
        (None, Some(regex)) => OwnPattern::Regex { regex: regex.clone(), literal: text(&rule.literal) },
        (None, None) => OwnPattern::Literal(text(&rule.literal)),
    };
    let roles: Vec<detect::Role> = rule.roles.iter().flat_map(|role| role.detected()).copied().collect();
    detect::OwnRule {
        id: rule.id.clone(),
        summary: rule.summary.clone(),
        category: rule.category.into(),
        severity: rule.severity.into(),
        weight: rule.weight.thousandths(),
        paranoia: rule.paranoia.level(),
        roles: (!roles.is_empty()).then(|| Roles::of(&roles)),
        pattern,
    }
}
