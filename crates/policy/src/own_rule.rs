//! Rules of the operator.

use alloc::{format, string::String, vec::Vec};

use serde::Serialize;

use crate::{
    read::{Answer, Blank, Refusal, Target, object},
    values::{Category, Paranoia, Role, Severity, Share},
};

/// A rule of the operator: what it looks for in the texts of an exchange, and how much a match says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnRule {
    /// Its id in reports: `own.<group>.<name>`, lower case letters, digits and hyphens.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = r"^own\.[a-z0-9-]{1,40}\.[a-z0-9-]{1,60}$")))]
    pub id: String,
    /// What it looks for, in a line for a person.
    pub summary: String,
    /// What a match is, which decides what happens.
    pub category: Category,
    /// How bad a match is.
    #[serde(default)]
    pub severity: Severity,
    /// How sure a match alone is, 0 to 1. The default refuses.
    #[serde(default = "sure")]
    pub weight: Share,
    /// The lowest paranoia level at which it is used.
    #[serde(default)]
    pub paranoia: Paranoia,
    /// The roles whose texts it judges; without any, those that its category judges.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// These very words, whatever their case, spacing and disguise; beside `regex`, a text that every match holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// A phrase pattern, as the built-in rules use: `<ignore|forget> ..4 <rule*|instruction*>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// A regular expression in the syntax of the `regex-lite` crate, over the text as it was sent. It runs only round
    /// its `literal`, so that its cost is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
}

impl OwnRule {
    /// Holds the fields against each other.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { id, literal, phrase, regex, .. } = self;
        match (literal, phrase, regex) {
            (Some(_), None, _) | (None, Some(_), None) => Ok(()),
            (None, None, Some(_)) => {
                Err(format!("{id}: a regex needs a literal beside it, a text that every match holds"))
            }
            (None, None, None) => Err(format!("{id} has no literal, phrase or regex")),
            (_, Some(_), _) => Err(format!("{id} has a phrase and something else; it takes one")),
        }
    }
}

const fn sure() -> Share {
    Share::from_thousandths(900)
}

object!(OwnRule, needs [id: id(), summary, category], takes [
    severity, weight, paranoia, roles, literal, phrase, regex,
]);

impl Blank for OwnRule {
    fn blank() -> Self {
        Self {
            id: String::new(),
            summary: String::new(),
            category: Category::PromptInjection,
            severity: Severity::default(),
            weight: sure(),
            paranoia: Paranoia::default(),
            roles: Vec::new(),
            literal: None,
            phrase: None,
            regex: None,
        }
    }
}

struct Id<'a>(&'a mut String);

const fn id<'a>(_: &str, place: &'a mut String) -> Id<'a> {
    Id(place)
}

impl Target for Id<'_> {
    fn expecting(&self) -> &'static str {
        "an id"
    }

    fn text(&mut self, id: &str) -> Answer {
        let is_part = |part: &str, most: usize| {
            (1..=most).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let mut parts = id.split('.');
        let fits = parts.next() == Some("own")
            && parts.next().is_some_and(|group| is_part(group, 40))
            && parts.next().is_some_and(|name| is_part(name, 60))
            && parts.next().is_none();
        if !fits {
            let message = format!("the id {id:?} is not own.<group>.<name> in a-z, 0-9 and hyphens");
            return Err(Refusal::Message(message));
        }
        *self.0 = id.into();
        Ok(())
    }
}
