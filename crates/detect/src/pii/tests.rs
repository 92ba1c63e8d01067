//! Each kind on numbers made up for it, and on what only looks like one.

extern crate std;

mod national;
mod others;

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use std::time::{Duration, Instant};

use super::RULES;
use crate::{Engine, Finding, Options, Packs, Role, Scratch};

fn engine() -> Engine {
    let packs = Packs {
        injection: false,
        jailbreak: false,
        extraction: false,
        secret: false,
        exfiltration: false,
        web_payload: false,
        structure: false,
        classifier: false,
        ..Packs::default()
    };
    Engine::new(&Options { packs, decode_depth: 0, ..Options::default() })
}

fn scan(engine: &Engine, text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    engine.scan_text(text, Role::User, &mut Scratch::default(), &mut out);
    out
}

/// The weight with which a rule matches a text; 0 if it does not.
fn weight(engine: &Engine, text: &str, rule: &str) -> u16 {
    scan(engine, text).iter().filter(|finding| finding.rule.id == rule).map(|finding| finding.weight).sum()
}

#[test]
fn each_national_number_is_found_and_no_near_miss_is() {
    let engine = engine();
    let (mut wrong, mut positives, mut negatives) = (Vec::new(), BTreeMap::new(), 0);
    for (rule, found, missed) in national::CASES {
        for text in *found {
            if weight(&engine, text, rule) < 800 {
                wrong.push(format!("{rule} misses {text:?}: {:?}", scan(&engine, text)));
            }
            *positives.entry(rule).or_insert(0) += 1;
        }
        for text in *missed {
            if weight(&engine, text, rule) >= 800 {
                wrong.push(format!("{rule} takes {text:?}"));
            }
            negatives += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds = RULES.iter().filter(|rule| rule.id.starts_with("pii.national.")).count();
    assert!(kinds >= 64, "{kinds}");
    assert_eq!(positives.len(), kinds, "a kind has no examples");
    assert!(positives.values().all(|count| *count >= 3));
    assert!(negatives >= 3 * kinds, "{negatives}");
}

#[test]
fn each_other_kind_weighs_what_its_proof_is_worth() {
    let engine = engine();
    let mut wrong = Vec::new();
    let mut counts = BTreeMap::new();
    for (rule, text, least, most) in others::CASES {
        let weight = weight(&engine, text, rule);
        if !(*least..=*most).contains(&weight) {
            wrong.push(format!("{rule} weighs {weight}, not {least} to {most}: {text:?}"));
        }
        let (found, missed) = counts.entry(rule).or_insert((0, 0));
        *(if *least > 0 { found } else { missed }) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds = RULES.iter().filter(|rule| !rule.id.starts_with("pii.national.")).count();
    assert_eq!(counts.len(), kinds);
    assert!(counts.values().all(|(found, missed)| *found >= 3 && *missed >= 3), "{counts:?}");
}

#[test]
fn a_telephone_number_is_found_in_the_form_of_forty_countries() {
    let engine = engine();
    let mut wrong = Vec::new();
    for text in others::PHONES {
        for text in [String::from(*text), format!("Please call {text} after six"), format!("({text})")] {
            if weight(&engine, &text, "pii.contact.phone") < 800 {
                wrong.push(text);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(others::PHONES.len() >= 40);
}

#[test]
fn ordinary_numbers_are_nobodys() {
    let engine = engine();
    for text in others::ORDINARY {
        let found = scan(&engine, text);
        let free: f64 = found.iter().map(|finding| 1.0 - f64::from(finding.weight) / 1000.0).product();
        assert!(free > 0.2, "{text:?}: {found:?}");
    }
    assert!(others::ORDINARY.len() >= 30);
}

#[test]
fn contacts_in_records_and_documents_are_hints() {
    let engine = engine();
    let plain = "write to henrike.aalders@wolkenpost.net today";
    assert_eq!(weight(&engine, plain, "pii.contact.email"), 900);
    let record = r#"{"mail": "henrike.aalders@wolkenpost.net", "phone": "+49 30 4915 2037"}"#;
    assert_eq!(weight(&engine, record, "pii.contact.email"), 400);
    assert_eq!(weight(&engine, record, "pii.contact.phone"), 400);
    let document = format!("{plain} {}", "and so on and on ".repeat(40));
    assert_eq!(weight(&engine, &document, "pii.contact.email"), 400);
    let card = format!("card 5467 9312 8840 1756 {}", "and so on and on ".repeat(40));
    assert_eq!(weight(&engine, &card, "pii.financial.card"), 950);
}

#[test]
fn the_span_is_that_of_the_number() {
    let engine = engine();
    for (text, expected) in [
        ("My IBAN: NL91 ABNA 0417 1643 00, thanks", "NL91 ABNA 0417 1643 00"),
        ("call +49 30 4915 2037 now", "+49 30 4915 2037"),
        ("ask henrike.aalders@wolkenpost.net.", "henrike.aalders@wolkenpost.net"),
        ("SSN 431-62-0958.", "431-62-0958"),
        ("电话13926548710。", "13926548710"),
    ] {
        let found = scan(&engine, text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert_eq!(&text[found[0].span.clone()], expected);
    }
}

/// Each of these, over and over, asks for work.
pub(crate) const PIECES: &[&str] = &[
    "1",
    "@",
    "1.",
    "1.1.1.",
    "1-1 ",
    "12 ",
    "a@",
    "a@b.",
    "::1",
    "1:",
    "0x1",
    "1(",
    "a1",
    "A1B2 ",
    "phone 1",
    "id 123456789 ",
    "GB11",
    "1/1/",
    "+1 ",
    "身份证1",
    "5105 ",
    "00-",
    "x1x",
];

#[test]
fn much_of_anything_costs_little() {
    let engine = engine();
    for piece in PIECES {
        let text = piece.repeat((1 << 18) / piece.len());
        let start = Instant::now();
        scan(&engine, &text);
        // Debug build on a busy machine; anything quadratic takes hours.
        assert!(start.elapsed() < Duration::from_secs(20), "{piece:?}: {:?}", start.elapsed());
    }
}

#[test]
fn the_pack_can_be_switched_off() {
    let packs = Packs { pii: false, ..Packs::default() };
    let engine = Engine::new(&Options { packs, ..Options::default() });
    assert!(engine.rules().iter().all(|rule| !rule.id.starts_with("pii.")));
    assert!(scan(&engine, "SSN 431-62-0958.").iter().all(|finding| !finding.rule.id.starts_with("pii.")));
}

#[test]
fn rules_have_names_of_three_parts_that_are_unique() {
    let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    assert!(ids.iter().all(|id| id.split('.').count() == 3 && id.starts_with("pii.")));
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
