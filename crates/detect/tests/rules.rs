//! The rule files as tables of tests: each rule matches its own positives and none of its negatives.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy exempts test functions from these, but not the helpers beside them"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use modelgate_detect::{Engine, Options, Role, Scratch, TENSOR_RULES};
use toml::{Table, Value};

/// The fewest rules a pack may have: a lost file or table must not pass.
const LEAST: [(&str, usize); 6] = [
    ("injection", 150),
    ("jailbreak", 60),
    ("extraction", 40),
    ("secret", 140),
    ("web", 15),
    ("structure", 2),
];

/// The threshold of the default policy, in thousandths.
const THRESHOLD: f64 = 800.0;

struct Case {
    file: String,
    id: String,
    weight: f64,
    is_token: bool,
    rule: Table,
}

impl Case {
    /// A list of strings. Invented credentials are written with a joint, so that no scanner that guards a
    /// repository takes them for real; here it is taken out.
    fn strings(&self, key: &str) -> Vec<String> {
        let list = self.rule.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|item| item.as_str().unwrap().replace('¦', "")).collect()
    }

    /// A role that the rule judges.
    fn role(&self) -> Role {
        match self.rule.get("roles").and_then(Value::as_array) {
            Some(roles) if roles.iter().all(|role| role.as_str() != Some("user")) => Role::Tool,
            None if self.id.starts_with("web.") => Role::Field,
            _ => Role::User,
        }
    }

    fn name(&self) -> String {
        format!("{}: {}", self.file, self.id)
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(file.ends_with(".toml"), "{file} is no rule file");
        let table: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        for rule in table["rule"].as_array().unwrap() {
            let rule = rule.as_table().unwrap().clone();
            cases.push(Case {
                file: file.clone(),
                id: rule["id"].as_str().unwrap().to_owned(),
                weight: rule["weight"].as_integer().unwrap() as f64,
                is_token: rule.contains_key("tokens"),
                rule,
            });
        }
    }
    cases
}

/// Finds the ids of the rules that match a text.
struct Scanner {
    engine: Engine,
    scratch: Scratch,
}

impl Scanner {
    fn new() -> Self {
        Self::at(4)
    }

    fn at(paranoia: u8) -> Self {
        let options = Options { paranoia, ..Options::default() };
        Self { engine: Engine::new(&options), scratch: Scratch::default() }
    }

    fn ids(&mut self, text: &str, role: Role) -> BTreeSet<&'static str> {
        let mut found = Vec::new();
        self.engine.scan_text(text, role, &mut self.scratch, &mut found);
        found.into_iter().map(|finding| finding.rule.id).collect()
    }
}

#[test]
fn every_positive_matches_its_rule_and_no_negative_does() {
    let mut scanner = Scanner::new();
    let mut wrong = Vec::new();
    for case in cases() {
        for positive in case.strings("positives") {
            let ids = scanner.ids(&positive, case.role());
            if !ids.contains(case.id.as_str()) {
                wrong.push(format!("{} misses {positive:?}, which matched {ids:?}", case.name()));
            }
        }
        for negative in case.strings("negatives") {
            if scanner.ids(&negative, case.role()).contains(case.id.as_str()) {
                wrong.push(format!("{} matches {negative:?}", case.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_negative_reaches_the_threshold_by_other_rules() {
    let cases = cases();
    let weights: BTreeMap<&str, f64> = cases.iter().map(|case| (case.id.as_str(), case.weight)).collect();
    // At higher levels rules for ordinary words are in use.
    let mut scanner = Scanner::at(1);
    let mut wrong = Vec::new();
    for case in &cases {
        for negative in case.strings("negatives") {
            let ids = scanner.ids(&negative, case.role());
            let weights = ids.iter().filter_map(|id| weights.get(id));
            let harmless: f64 = weights.map(|weight| 1.0 - weight / 1000.0).product();
            if 1000.0 * (1.0 - harmless) >= THRESHOLD {
                wrong.push(format!("{}: {negative:?} is blocked by {ids:?}", case.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ids_are_unique_and_name_a_pack_a_group_and_a_rule() {
    let mut ids: BTreeSet<String> = TENSOR_RULES.iter().map(|rule| rule.id.to_owned()).collect();
    for case in cases() {
        let parts: Vec<&str> = case.id.split('.').collect();
        assert!(LEAST.iter().any(|(pack, _)| *pack == parts[0]), "{}", case.name());
        assert_eq!(parts.len(), 3, "{}", case.name());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(parts.iter().all(|part| !part.is_empty() && part.chars().all(is_plain)), "{}", case.name());
        assert!(case.file.starts_with(parts[0]), "{} belongs into another file", case.name());
        assert!(ids.insert(case.id.clone()), "{} is given twice", case.name());
    }
}

#[test]
fn every_rule_has_three_examples_of_each_kind_and_shares_none() {
    let mut positives = BTreeMap::new();
    for case in cases() {
        for kind in ["positives", "negatives"] {
            let distinct: BTreeSet<_> = case.strings(kind).into_iter().collect();
            assert!(distinct.len() >= 3, "{} has {} {kind}", case.name(), distinct.len());
        }
        for positive in case.strings("positives") {
            let other = positives.insert(positive.clone(), case.id.clone());
            assert!(other.is_none(), "{} shares {positive:?} with {other:?}", case.name());
        }
    }
}

#[test]
fn every_pack_has_its_rules() {
    let mut counts = BTreeMap::new();
    for case in cases() {
        *counts.entry(case.id.split('.').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    for (pack, least) in LEAST {
        assert!(counts.get(pack).is_some_and(|count| *count >= least), "{pack}: {counts:?}");
    }
    let engine = Engine::new(&Options { paranoia: 4, ..Options::default() });
    // Detectors with code of their own add theirs.
    let used: BTreeSet<_> = engine.rules().iter().map(|rule| rule.id).collect();
    assert_eq!(used.len(), engine.rules().len(), "two rules have one id");
    assert!(cases().iter().all(|case| used.contains(case.id.as_str())));
}

#[test]
fn every_rule_is_described_and_tagged() {
    for case in cases() {
        let summary = case.rule["summary"].as_str().unwrap();
        assert!(summary.len() >= 10 && !summary.ends_with('.'), "{}", case.name());
        assert!((1.0..1000.0).contains(&case.weight), "{}", case.name());
        assert!(!case.strings("owasp").is_empty() && !case.strings("atlas").is_empty(), "{}", case.name());
        for tag in case.strings("owasp") {
            assert!(tag.starts_with("LLM") && (tag.ends_with(":2025") || tag.ends_with(":2026")), "{tag}");
        }
        assert!(case.strings("atlas").iter().all(|tag| tag.starts_with("AML.T")), "{}", case.name());
    }
}

#[test]
fn a_credential_blocks_alone_and_is_grave() {
    for case in cases().iter().filter(|case| case.is_token) {
        assert!(case.weight >= 850.0, "{}", case.name());
        assert!(matches!(case.rule["severity"].as_str(), Some("high" | "critical")), "{}", case.name());
    }
}

#[test]
fn credentials_are_found_in_the_system_role_and_orders_are_not() {
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    for case in cases() {
        for positive in case.strings("positives") {
            found.clear();
            scanner.engine.scan_text(&positive, Role::System, &mut scanner.scratch, &mut found);
            let is_found = found.iter().any(|finding| finding.rule.id == case.id);
            assert_eq!(is_found, case.is_token, "{}: {positive:?}", case.name());
        }
    }
}

/// The kinds of credentials that `SECRETS.md` has to name at least.
const KINDS: usize = 120;

#[test]
fn the_list_of_credentials_names_every_kind() {
    let engine = Engine::new(&Options { paranoia: 4, ..Options::default() });
    let mut kinds: Vec<_> = engine.rules().iter().filter(|rule| rule.id.starts_with("secret.")).collect();
    kinds.sort_by_key(|rule| rule.id);
    assert!(kinds.len() >= KINDS, "{}", kinds.len());
    let rows = kinds.iter().map(|rule| format!("| `{}` | {} |\n", rule.id, rule.summary));
    let list = format!(
        "# Credentials that are found\n\nMade by `BLESS=1 cargo test -p modelgate-detect --test rules`, and tested to be true. {} kinds.\n\n\
         | rule | what it finds |\n|---|---|\n{}",
        kinds.len(),
        rows.collect::<String>()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SECRETS.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &list).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), list, "set BLESS=1 to write it anew");
}
