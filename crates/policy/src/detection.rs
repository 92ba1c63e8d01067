//! What is looked for, and what happens when it is found.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use serde::Serialize;

use crate::{
    own_rule::OwnRule,
    read::{Answer, Blank as _, Form, Next, Refusal, Target, at_most, not_above, object},
    values::{Action, Paranoia, RuleName, Share},
};

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Detect {
    /// How much suspicion is enough.
    pub paranoia: Paranoia,
    /// The score from which the category's action is taken.
    pub suspicious_pattern_threshold: Share,
    /// The score from which an exchange is reported as `flag`; not above the other threshold.
    pub flag_threshold: Share,
    /// What to do about injected instructions.
    pub prompt_injection: Action,
    /// What to do about jailbreaks.
    pub jailbreak: Action,
    /// What to do about attempts to read hidden context.
    pub prompt_extraction: Action,
    /// What to do about credentials.
    pub secret: Action,
    /// What to do about personal data.
    pub pii: Action,
    /// What to do about data carried out: links and images that hold it, active content.
    pub exfiltration: Action,
    /// What to do about payloads for other interpreters.
    pub web_payload: Action,
    /// What to do about texts whose shape is an attack.
    pub structure: Action,
    /// What to do about numeric inputs outside their bounds.
    pub tensor: Action,
    /// Detectors that are switched off find nothing and cost nothing.
    pub packs: Packs,
    /// Actions of single rules, by their id or by a prefix such as `injection.indirect.*`. Such a rule leaves the
    /// scoring: `allow` ignores it, `flag` reports it and never refuses, `block` refuses whatever the score. At most 256.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 256)))]
    pub rules: BTreeMap<RuleName, Action>,
    /// Rules of the operator, at most 10,000.
    #[cfg_attr(feature = "schema", schemars(length(max = 10_000)))]
    pub own_rules: Vec<OwnRule>,
    /// Tokens planted in prompts and documents that must never be seen elsewhere, each of at least 8 letters and digits and
    /// at most 256 bytes. At most 16.
    #[cfg_attr(feature = "schema", schemars(length(max = 16), inner(length(min = 8, max = 256))))]
    pub canaries: Vec<String>,
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            paranoia: Paranoia::default(),
            suspicious_pattern_threshold: Share::from_thousandths(800),
            flag_threshold: Share::from_thousandths(500),
            prompt_injection: Action::Block,
            jailbreak: Action::Block,
            prompt_extraction: Action::Block,
            secret: Action::Block,
            pii: Action::Flag,
            exfiltration: Action::Block,
            web_payload: Action::Block,
            structure: Action::Block,
            tensor: Action::Block,
            packs: Packs::default(),
            rules: BTreeMap::new(),
            own_rules: Vec::new(),
            canaries: Vec::new(),
        }
    }
}

object!(Detect, needs [], takes [
    paranoia, suspicious_pattern_threshold, flag_threshold, prompt_injection, jailbreak, prompt_extraction, secret, pii,
    exfiltration, web_payload, structure, tensor, packs, rules, own_rules: at_most(10_000), canaries: canaries(),
]);
object!(Packs, needs [], takes [
    injection, jailbreak, extraction, secret, pii, exfiltration, web_payload, structure, classifier,
]);

/// Actions of rules.
impl Target for BTreeMap<RuleName, Action> {
    fn expecting(&self) -> &'static str {
        "an object"
    }

    fn form(&self) -> Form {
        Form::Map
    }

    fn entry(&mut self, name: &str, read: Next<'_>) -> Answer {
        let (mut rule, mut action) = (RuleName::blank(), Action::blank());
        rule.text(name)?;
        read(&mut action)?;
        self.insert(rule, action);
        not_above("rules", self.len(), 256)
    }
}

struct Canaries<'a>(&'a mut Vec<String>);

const fn canaries<'a>(_: &str, place: &'a mut Vec<String>) -> Canaries<'a> {
    Canaries(place)
}

impl Target for Canaries<'_> {
    fn expecting(&self) -> &'static str {
        self.0.expecting()
    }

    fn form(&self) -> Form {
        Form::List
    }

    fn item(&mut self, read: Next<'_>) -> Answer {
        self.0.item(read)?;
        let canary = self.0.last().map_or("", String::as_str);
        let (signs, bytes) = (canary.chars().filter(|c| c.is_alphanumeric()).count(), canary.len());
        if signs < 8 || bytes > 256 {
            return Err(Refusal::Message(format!(
                "a canary has {signs} letters and digits in {bytes} bytes, it takes 8 in at most 256"
            )));
        }
        not_above("canaries", self.0.len(), 16)
    }
}

/// The detectors that are in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a switch for each detector is what this is")]
pub struct Packs {
    /// Rules for injected instructions.
    pub injection: bool,
    /// Rules for jailbreaks.
    pub jailbreak: bool,
    /// Rules for attempts to read hidden context.
    pub extraction: bool,
    /// Credentials.
    pub secret: bool,
    /// Personal data.
    pub pii: bool,
    /// Data carried out.
    pub exfiltration: bool,
    /// Payloads for other interpreters.
    pub web_payload: bool,
    /// Texts whose shape is an attack.
    pub structure: bool,
    /// The learnt models beside the rules for injection, jailbreak and extraction.
    pub classifier: bool,
}

impl Default for Packs {
    /// All of them.
    fn default() -> Self {
        Self {
            injection: true,
            jailbreak: true,
            extraction: true,
            secret: true,
            pii: true,
            exfiltration: true,
            web_payload: true,
            structure: true,
            classifier: true,
        }
    }
}

impl Packs {
    /// Whether a category is looked for. Numeric inputs have bounds of their own, under `input.tensor`.
    #[must_use]
    pub const fn contains(&self, category: detect::Category) -> bool {
        use detect::Category;
        match category {
            Category::PromptInjection => self.injection,
            Category::Jailbreak => self.jailbreak,
            Category::PromptExtraction => self.extraction,
            Category::Secret => self.secret,
            Category::Pii => self.pii,
            Category::Exfiltration => self.exfiltration,
            Category::WebPayload => self.web_payload,
            Category::Structure => self.structure,
            Category::Tensor => true,
        }
    }
}

impl Detect {
    /// What the policy does about a category that reached the threshold.
    pub(crate) const fn action(&self, category: detect::Category) -> Action {
        use detect::Category;
        match category {
            Category::PromptInjection => self.prompt_injection,
            Category::Jailbreak => self.jailbreak,
            Category::PromptExtraction => self.prompt_extraction,
            Category::Secret => self.secret,
            Category::Pii => self.pii,
            Category::Exfiltration => self.exfiltration,
            Category::WebPayload => self.web_payload,
            Category::Structure => self.structure,
            Category::Tensor => self.tensor,
        }
    }

    /// Whether any text is masked in place.
    #[must_use]
    pub fn may_mask(&self) -> bool {
        let Self {
            prompt_injection,
            jailbreak,
            prompt_extraction,
            secret,
            pii,
            exfiltration,
            web_payload,
            structure,
            tensor,
            rules,
            ..
        } = self;
        let categories = [
            prompt_injection,
            jailbreak,
            prompt_extraction,
            secret,
            pii,
            exfiltration,
            web_payload,
            structure,
            tensor,
        ];
        categories.into_iter().chain(rules.values()).any(|action| *action == Action::Mask)
    }

    /// The action of a single rule, if it has one: the longest name that fits it decides.
    pub(crate) fn action_of(&self, rule: &str) -> Option<Action> {
        let fitting = self.rules.iter().filter(|(name, _)| name.fits(rule));
        fitting.max_by_key(|(name, _)| name.as_str().len()).map(|(_, action)| *action)
    }

    /// Holds fields against each other. An error names the field that is at fault and what is wrong.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { flag_threshold, suspicious_pattern_threshold, .. } = self;
        if flag_threshold > suspicious_pattern_threshold {
            let message = format!(
                "flag_threshold {flag_threshold:?} is above suspicious_pattern_threshold \
                 {suspicious_pattern_threshold:?}"
            );
            return Err(("flag_threshold", message));
        }
        for rule in &self.own_rules {
            rule.check().map_err(|message| ("own_rules", message))?;
        }
        let mut ids: Vec<&str> = Vec::with_capacity(self.own_rules.len());
        for rule in &self.own_rules {
            match ids.binary_search(&rule.id.as_str()) {
                Ok(_) => return Err(("own_rules", format!("own_rules names {} twice", rule.id.as_str()))),
                Err(place) => ids.insert(place, rule.id.as_str()),
            }
        }
        Ok(())
    }
}
