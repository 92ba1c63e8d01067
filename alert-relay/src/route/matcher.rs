//! Conditions on labels, such as `severity=critical` or `rule=~injection\..*`.

use regex_lite::{Regex, RegexBuilder};

/// What can be asked for.
const LABELS: [&str; 8] =
    ["category", "severity", "model", "surface", "client", "rule", "campaign", "incident"];
/// Longest matcher in bytes.
const MAX_TEXT: usize = 256;
/// Most memory of a pattern in bytes.
const MAX_PATTERN: usize = 64 << 10;

/// The labels of an incident. A name may have several values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(Vec<(&'static str, String)>);

impl Labels {
    /// Adds a value.
    pub(crate) fn add(&mut self, name: &'static str, value: &str) {
        self.0.push((name, value.to_owned()));
    }

    /// All values of a name.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// One condition.
#[derive(Clone, Debug)]
pub struct Matcher {
    label: &'static str,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(String),
    Not(String),
    Like(Regex),
    Unlike(Regex),
}

impl Matcher {
    /// Reads `label=value`, `label!=value`, `label=~pattern` or `label!~pattern`; patterns match whole values.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("longer than {MAX_TEXT} bytes"));
        }
        let at = text.find(['=', '!']).ok_or_else(|| format!("{text:?} has none of =, !=, =~, !~"))?;
        let (name, rest) = text.split_at(at);
        let label = LABELS
            .into_iter()
            .find(|label| *label == name.trim())
            .ok_or_else(|| format!("{:?} is none of {}", name.trim(), LABELS.join(", ")))?;
        let pattern = |text: &str| {
            let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
            // By itself first: `a)|(b` would be two patterns, each for one end of a value.
            build(text)
                .and_then(|_| build(&format!("^(?:{text})$")))
                .map_err(|e| format!("{text:?} is no pattern: {e}"))
        };
        let test = if let Some(text) = rest.strip_prefix("=~") {
            Test::Like(pattern(text.trim())?)
        } else if let Some(text) = rest.strip_prefix("!~") {
            Test::Unlike(pattern(text.trim())?)
        } else if let Some(text) = rest.strip_prefix("!=") {
            Test::Not(text.trim().to_owned())
        } else if let Some(text) = rest.strip_prefix('=') {
            Test::Is(text.trim().to_owned())
        } else {
            return Err(format!("{text:?} has none of =, !=, =~, !~"));
        };
        Ok(Self { label, test })
    }

    fn matches(&self, labels: &Labels) -> bool {
        let mut values = labels.of(self.label);
        match &self.test {
            Test::Is(wanted) => values.any(|value| value == wanted),
            Test::Not(unwanted) => !values.any(|value| value == unwanted),
            Test::Like(pattern) => values.any(|value| pattern.is_match(value)),
            Test::Unlike(pattern) => !values.any(|value| pattern.is_match(value)),
        }
    }
}

/// Whether all matchers fit; none fit everything.
pub(crate) fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

/// Whether something is a label's name.
pub(crate) fn is_label(name: &str) -> bool {
    LABELS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_matcher_fits_what_it_says_and_bad_ones_are_named() {
        let mut labels = Labels::default();
        labels.add("severity", "high");
        labels.add("rule", "injection.a");
        labels.add("rule", "secret.b");
        for (text, expected) in [
            ("severity=high", true),
            ("severity = high", true),
            ("severity=low", false),
            ("severity!=low", true),
            ("severity=~high|critical", true),
            ("severity=~hig", false),
            ("severity!~h.*", false),
            ("rule=secret.b", true),
            ("rule=~injection\\..*", true),
            ("rule!=secret.b", false),
            ("model=x", false),
            ("model!=x", true),
        ] {
            assert_eq!(Matcher::parse(text).unwrap().matches(&labels), expected, "{text}");
        }
        let long = format!("rule={}", "x".repeat(300));
        for (text, expected) in [
            ("severity", "none of ="),
            ("colour=red", "\"colour\" is none of category"),
            ("rule=~(", "no pattern"),
            ("rule=~a)|(b", "no pattern"),
            ("rule=~(a{1000}){1000}", "no pattern"),
            ("rule!x", "none of ="),
            (&long, "longer than"),
        ] {
            let said = Matcher::parse(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn a_hostile_pattern_is_refused_or_costs_little() {
        for text in ["rule=~(((a{60}){60}){60}){60}", "rule=~a{1000000}", "rule=~(", "rule=~(?=a)"] {
            assert!(Matcher::parse(text).is_err(), "{text}");
        }
        assert!(Matcher::parse(&format!("rule=~{}", "a".repeat(MAX_TEXT))).is_err());
        let mut labels = Labels::default();
        labels.add("rule", &"a".repeat(20_000));
        // What takes a backtracking engine for ever.
        for text in ["rule=~(a*)*b", "rule=~(a|a)*b", "rule=~(a|aa)+c", "rule=~.*.*.*x"] {
            let begun = std::time::Instant::now();
            assert!(!all_match(&[Matcher::parse(text).unwrap()], &labels), "{text}");
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{text}");
        }
    }
}
