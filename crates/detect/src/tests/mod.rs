//! The engine as a whole.

pub(crate) mod hostile;
mod own;
mod phrases;
mod spans;
mod streams;
mod tokens;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    Category, Engine, Finding, Options, Role, Rule, Scratch, Severity,
    compile::{Patterns, Proof},
};

/// A rule that stands for any other.
pub(crate) const RULE: Rule = Rule {
    id: "injection.own.rule",
    summary: "A rule of a test",
    category: Category::PromptInjection,
    severity: Severity::Low,
    weight: 100,
    paranoia: 1,
    roles: crate::Roles::judged_by(Category::PromptInjection),
    owasp: &[],
    atlas: &[],
};

pub(crate) fn phrases(patterns: &[&str]) -> Patterns {
    Patterns { phrases: patterns.iter().map(ToString::to_string).collect(), ..Patterns::default() }
}

pub(crate) fn tokens(patterns: &[&str], proof: Proof) -> Patterns {
    Patterns { phrases: Vec::new(), tokens: patterns.iter().map(ToString::to_string).collect(), proof }
}

/// An engine with this rule beside the built-in ones.
pub(crate) fn engine(patterns: Patterns) -> Engine {
    Engine::with_rules(&Options::default(), [(RULE, patterns)]).unwrap()
}

pub(crate) fn scan(engine: &Engine, text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    engine.scan_text(text, Role::User, &mut Scratch::default(), &mut out);
    out
}

/// What the test's own rule matched.
pub(crate) fn matched(engine: &Engine, text: &str) -> Vec<String> {
    let found = scan(engine, text).into_iter().filter(|finding| finding.rule.id == RULE.id);
    found.map(|finding| text[finding.span].to_string()).collect()
}
