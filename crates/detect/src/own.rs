//! Rules of operators.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    compile::{Builder, Patterns, error::Problem, sort::sort_by},
    detector::Installed,
    finding::{Category, Rule, Severity},
    options::Options,
    role::Roles,
};

/// Rules that an engine takes up at most. Each costs some memory, hardly any time.
const MOST: usize = 10_000;
/// Bytes of an id and of a summary.
const MOST_NAME: usize = 256;
/// Bytes of a pattern.
pub(crate) const MOST_PATTERN: usize = 4096;

/// A rule of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRule {
    /// Unique id in reports.
    pub id: String,
    /// What it looks for, in one line for a person.
    pub summary: String,
    /// What kind of thing a match is.
    pub category: Category,
    /// How bad a match is.
    pub severity: Severity,
    /// How sure a match alone is, in thousandths (0 to 1000).
    pub weight: u16,
    /// The lowest paranoia level (1 to 4) at which it is used.
    pub paranoia: u8,
    /// The roles whose texts it judges; `None` for those in which its category means anything.
    pub roles: Option<Roles>,
    /// What it looks for.
    pub pattern: OwnPattern,
}

/// What a rule of the operator looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnPattern {
    /// A phrase pattern: see [`crate::compile::phrase`].
    Phrase(String),
    /// These very words or characters, whatever their case, spacing and disguise. One that is nothing but letters and
    /// digits matches whole words.
    Literal(String),
    /// A regular expression of the `regex-lite` crate over the text as it came.
    Regex {
        /// The expression. It sees a kibibyte on each side of the literal, and matches no more.
        regex: String,
        /// What every match holds or has near, in any ASCII case: at least three bytes. Only round it is the
        /// expression tried, so that its cost is bounded.
        literal: String,
    },
}

/// A rule of the operator that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRuleError {
    /// Which rule.
    pub id: String,
    /// What is wrong with it.
    pub problem: OwnProblem,
}

/// What is wrong with a rule of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnProblem {
    /// There are more rules than an engine takes up.
    TooMany,
    /// There are more regular expressions than an engine takes up.
    TooManyRegexes,
    /// The id is empty or too long, or the summary is.
    Name,
    /// Two rules have this id.
    Twice,
    /// The weight is over a thousand thousandths.
    Weight,
    /// The paranoia level is not 1 to 4.
    Paranoia,
    /// Numeric inputs are judged by the tensor limits, not by rules over text.
    Category,
    /// The pattern is too long.
    TooLong,
    /// The phrase or literal cannot be compiled.
    Pattern(Problem),
    /// The literal beside a regular expression is shorter than three bytes.
    ShortLiteral,
    /// The regular expression cannot be compiled, or is too large: what its compiler says.
    Regex(String),
    /// This build has no regular expressions.
    NoRegex,
}

impl fmt::Display for OwnRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rule {}: ", self.id)?;
        match &self.problem {
            OwnProblem::TooMany => write!(f, "there are more than {MOST} rules of your own"),
            OwnProblem::TooManyRegexes => {
                f.write_str("there are too many regular expressions; use phrases or literals")
            }
            OwnProblem::Name => write!(f, "its id is empty, or its id or summary has over {MOST_NAME} bytes"),
            OwnProblem::Twice => f.write_str("its id is given twice"),
            OwnProblem::Weight => f.write_str("its weight is over 1000 thousandths"),
            OwnProblem::Paranoia => f.write_str("its paranoia level is not 1 to 4"),
            OwnProblem::Category => f.write_str("no rule over text has this category"),
            OwnProblem::TooLong => write!(f, "its pattern has over {MOST_PATTERN} bytes"),
            OwnProblem::Pattern(problem) => write!(f, "its pattern {problem}"),
            OwnProblem::ShortLiteral => {
                f.write_str("its regex needs a literal of at least three bytes, which every match holds")
            }
            OwnProblem::Regex(error) => write!(f, "its regex cannot be used: {error}"),
            OwnProblem::NoRegex => f.write_str("this build has no regular expressions"),
        }
    }
}

impl core::error::Error for OwnRuleError {}

/// The rules of the operator that are not in the tables.
#[derive(Debug, Default)]
pub(crate) struct Own {
    #[cfg(feature = "regex")]
    regexes: crate::own_regex::Regexes,
    #[cfg(feature = "regex")]
    rules: Vec<Option<Arc<Rule>>>,
}

impl Own {
    /// Checks the rules, and adds those that tables can hold to `builder` and their descriptions to `numbered`.
    pub(crate) fn compile(
        own: &[OwnRule],
        options: &Options,
        builder: &mut Builder,
        numbered: &mut Vec<Arc<Rule>>,
    ) -> Result<Self, OwnRuleError> {
        let mut ids: Vec<&str> = own.iter().map(|rule| &*rule.id).collect();
        sort_by(&mut ids, |a, b| a < b);
        let twice = ids.windows(2).find_map(|pair| matches!(pair, [a, b] if a == b).then(|| pair.first()));
        if let Some(id) = twice.flatten() {
            return Err(OwnRuleError { id: (*id).into(), problem: OwnProblem::Twice });
        }
        let mut compiled = Self::default();
        for (number, rule) in own.iter().enumerate() {
            let added = if number < MOST { check(rule) } else { Err(OwnProblem::TooMany) }
                .and_then(|()| compiled.add(rule, options, builder, numbered));
            added.map_err(|problem| OwnRuleError { id: rule.id.clone(), problem })?;
        }
        Ok(compiled)
    }

    fn add(
        &mut self,
        own: &OwnRule,
        options: &Options,
        builder: &mut Builder,
        numbered: &mut Vec<Arc<Rule>>,
    ) -> Result<(), OwnProblem> {
        let number = u32::try_from(numbered.len()).map_err(|_| OwnProblem::TooMany)?;
        let mut phrase = |text: &str| {
            let patterns = Patterns { phrases: [String::from(text)].into(), ..Patterns::default() };
            builder.add(number, &patterns).map_err(|error| error.problem)
        };
        match &own.pattern {
            OwnPattern::Phrase(text) => phrase(text).map_err(OwnProblem::Pattern)?,
            OwnPattern::Literal(text) => {
                let quoted = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                match phrase(&format!("=\"{quoted}\"")) {
                    // Letters and digits: words.
                    Err(Problem::BareRaw) => {
                        let words: String =
                            text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
                        phrase(&words).map_err(OwnProblem::Pattern)?;
                    }
                    other => other.map_err(OwnProblem::Pattern)?,
                }
            }
            OwnPattern::Regex { regex, literal } => return self.add_regex(own, regex, literal, options),
        }
        numbered.push(Arc::new(described(own)));
        Ok(())
    }

    #[cfg(feature = "regex")]
    fn add_regex(
        &mut self,
        own: &OwnRule,
        regex: &str,
        literal: &str,
        options: &Options,
    ) -> Result<(), OwnProblem> {
        self.regexes.add(regex, literal)?;
        let rule = described(own);
        self.rules.push(options.dares(&rule).then(|| Arc::new(rule)));
        Ok(())
    }

    #[cfg(not(feature = "regex"))]
    #[expect(clippy::unused_self, reason = "as with regular expressions")]
    fn add_regex(&mut self, _: &OwnRule, _: &str, _: &str, _: &Options) -> Result<(), OwnProblem> {
        Err(OwnProblem::NoRegex)
    }

    /// What looks for the regular expressions, if there are any.
    #[cfg(feature = "regex")]
    pub(crate) fn into_detector(self) -> Option<Installed> {
        let regexes = self.regexes.finish()?;
        Some(Installed::own(regexes, self.rules))
    }

    #[cfg(not(feature = "regex"))]
    pub(crate) fn into_detector(self) -> Option<Installed> {
        None
    }
}

fn check(rule: &OwnRule) -> Result<(), OwnProblem> {
    let pattern = match &rule.pattern {
        OwnPattern::Phrase(text) | OwnPattern::Literal(text) => text.len(),
        OwnPattern::Regex { regex, literal } => regex.len().max(literal.len()),
    };
    match rule {
        _ if rule.id.is_empty() || rule.id.len() > MOST_NAME || rule.summary.len() > MOST_NAME => {
            Err(OwnProblem::Name)
        }
        _ if rule.weight > 1000 => Err(OwnProblem::Weight),
        _ if !(1..=4).contains(&rule.paranoia) => Err(OwnProblem::Paranoia),
        _ if rule.category == Category::Tensor => Err(OwnProblem::Category),
        _ if pattern > MOST_PATTERN => Err(OwnProblem::TooLong),
        _ => Ok(()),
    }
}

fn described(own: &OwnRule) -> Rule {
    Rule {
        id: lasting(&own.id),
        summary: lasting(&own.summary),
        category: own.category,
        severity: own.severity,
        weight: own.weight,
        paranoia: own.paranoia,
        roles: own.roles.unwrap_or_else(|| Roles::judged_by(own.category)),
        owasp: &[],
        atlas: &[],
    }
}

/// The text for as long as the program runs: descriptions of rules are shared so. A text that was made to last already,
/// by an engine before, is taken again, so that reading a policy anew takes no more memory.
#[cfg(feature = "std")]
fn lasting(text: &str) -> &'static str {
    use std::{collections::BTreeSet, sync::Mutex};

    static LASTING: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let Ok(mut known) = LASTING.lock() else { return leak(text) };
    if let Some(known) = known.get(text) {
        return known;
    }
    let lasting = leak(text);
    known.insert(lasting);
    lasting
}

#[cfg(not(feature = "std"))]
fn lasting(text: &str) -> &'static str {
    leak(text)
}

fn leak(text: &str) -> &'static str {
    Box::leak(Box::<str>::from(text))
}
