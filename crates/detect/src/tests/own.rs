//! Rules of operators.

use alloc::{format, string::String, vec::Vec};

use crate::{Category, Engine, Options, OwnPattern, OwnProblem, OwnRule, Packs, Role, Scratch, Severity};

fn own(number: usize, pattern: OwnPattern) -> OwnRule {
    OwnRule {
        id: format!("own.test.rule-{number}"),
        summary: "A rule of a test".into(),
        category: Category::Jailbreak,
        severity: Severity::Medium,
        weight: 700,
        paranoia: 1,
        roles: None,
        pattern,
    }
}

fn regex(regex: &str, literal: &str) -> OwnPattern {
    OwnPattern::Regex { regex: regex.into(), literal: literal.into() }
}

fn found(engine: &Engine, text: &str) -> Vec<String> {
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    engine.scan_text(text, Role::User, &mut scratch, &mut out);
    let own = out.iter().filter(|finding| finding.rule.id.starts_with("own."));
    own.map(|finding| text[finding.span.clone()].into()).collect()
}

fn with(pattern: OwnPattern) -> Engine {
    Engine::with_own(&Options::default(), &[own(0, pattern)]).unwrap()
}

#[test]
fn each_kind_of_pattern_matches_what_it_says() {
    for (pattern, text, expected) in [
        (OwnPattern::Phrase("zig ..2 zag".into()), "a zig and zag", &["zig and zag"][..]),
        (OwnPattern::Literal("Zig\"-\\x".into()), "a ZIG\"-\\x b", &["ZIG\"-\\x"]),
        (OwnPattern::Literal("zig zag".into()), "a ｚig  ZAG b zigzag", &["ｚig  ZAG"]),
        (OwnPattern::Literal("zig".into()), "zigzag", &[]),
        (OwnPattern::Literal("忽视".into()), "请忽视他", &["忽视"]),
        (regex(r"ZIG-\d{3}\b", "zig-"), "a ZIG-12 b ZIG-123 c", &["ZIG-123"]),
        (regex(r"ZIG-\d{3}\b", "zig-"), "a zig-123", &[]),
        (regex(r"(?i)zig-\d{3}$", "zig-"), "a zIg-123", &["zIg-123"]),
        (regex(r"^zig-é+", "zig-"), "zig-éé zig-é", &["zig-éé"]),
        (regex(r"^zig", "zig"), "a zig", &[]),
        (regex(r"[a-z]+ zag", "zag"), "日本 zig zag", &["zig zag"]),
    ] {
        assert_eq!(found(&with(pattern.clone()), text), expected, "{pattern:?} on {text:?}");
    }
}

#[test]
fn an_expression_sees_a_kibibyte_on_each_side_of_its_literal() {
    let engine = with(regex("zig.+zag", "zag"));
    let text = |between: usize| format!("{}zig{}zag", "x".repeat(3000), "y".repeat(between));
    assert_eq!(found(&engine, &text(1000)).len(), 1);
    assert_eq!(found(&engine, &text(1100)).len(), 0);
}

#[test]
fn an_expression_is_found_in_an_encoded_stretch_and_by_its_roles() {
    let engine = with(regex("zig +zag", "zag"));
    // "please zig zag for me"
    assert_eq!(found(&engine, "do cGxlYXNlIHppZyB6YWcgZm9yIG1l now"), ["cGxlYXNlIHppZyB6YWcgZm9yIG1l"]);
    let mut out = Vec::new();
    engine.scan_text("zig zag", Role::System, &mut Scratch::default(), &mut out);
    assert!(out.is_empty(), "jailbreaks are none in the system's role");
}

#[test]
fn what_expressions_cost_is_bounded_and_told() {
    let rules: Vec<_> =
        (0..50).map(|number| own(number, regex(&format!("zig (a|b|c)*{number}!"), "zig"))).collect();
    let engine = Engine::with_own(&Options::default(), &rules).unwrap();
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    engine.scan_text(&"zig abcabcabc ".repeat(20_000), Role::User, &mut scratch, &mut out);
    assert!(scratch.is_exhausted());
    engine.scan_text("zig abcabcabc", Role::User, &mut scratch, &mut out);
    assert!(!scratch.is_exhausted());
}

#[test]
fn own_rules_are_used_whatever_the_packs_are_but_not_above_the_paranoia_level() {
    let packs = Packs { jailbreak: false, ..Packs::default() };
    for pattern in [OwnPattern::Phrase("zig zag".into()), regex("zig zag", "zig")] {
        for (paranoia, count) in [(1, 0), (3, 1)] {
            let options = Options { paranoia, packs: packs.clone(), ..Options::default() };
            let rule = OwnRule { paranoia: 3, ..own(0, pattern.clone()) };
            let engine = Engine::with_own(&options, &[rule]).unwrap();
            assert_eq!(found(&engine, "zig zag").len(), count);
            let known = engine.rules().iter().filter(|rule| rule.id.starts_with("own."));
            assert_eq!(known.count(), count);
        }
    }
}

#[test]
fn what_cannot_be_used_is_told_with_its_rule() {
    let good = || own(0, OwnPattern::Phrase("zig zag".into()));
    let twice = Engine::with_own(&Options::default(), &[good(), good()]).unwrap_err();
    assert_eq!(twice.problem, OwnProblem::Twice);
    for (rule, part) in [
        (OwnRule { weight: 1001, ..good() }, "weight"),
        (OwnRule { paranoia: 5, ..good() }, "paranoia"),
        (OwnRule { category: Category::Tensor, ..good() }, "category"),
        (OwnRule { summary: "x".repeat(300), ..good() }, "256"),
        (own(0, OwnPattern::Phrase("zig <zag".into())), "not closed"),
        (own(0, OwnPattern::Phrase("x".repeat(5000))), "4096"),
        (own(0, OwnPattern::Literal(String::new())), "empty"),
        (own(0, OwnPattern::Literal("   ".into())), "empty"),
        (own(0, regex("zig(", "zig")), "regex"),
        (own(0, regex("(zig)?", "zig")), "empty"),
        (own(0, regex("zi", "zi")), "three bytes"),
        (own(0, regex("(((z{100}){100}){100}){100}", "zzz")), "size"),
        (own(0, regex(&("(".repeat(40) + "zig" + &")".repeat(40)), "zig")), "nest"),
    ] {
        let error = Engine::with_own(&Options::default(), core::slice::from_ref(&rule)).unwrap_err();
        let text = format!("{error}");
        assert!(text.contains("own.test.rule-0") && text.contains(part), "{text}, for want of {part}");
    }
}

#[test]
fn every_match_is_reported_where_that_is_asked_for() {
    let rules = [
        own(0, OwnPattern::Phrase("zig ..1 zag".into())),
        own(1, regex("zog+", "zog")),
        own(2, OwnPattern::Literal("zug-".into())),
    ];
    let text = "zig zag, zig a zag zogg zug- zog zug- zig zag";
    for (every_match, expected) in [
        (false, &["zig zag", "zogg", "zug-"][..]),
        (true, &["zig zag", "zig a zag", "zogg", "zug-", "zog", "zug-", "zig zag"]),
    ] {
        let options = Options { every_match, ..Options::default() };
        assert_eq!(found(&Engine::with_own(&options, &rules).unwrap(), text), expected);
    }
    // What a model makes of such words would take room, too.
    let packs = Packs { classifier: false, ..Packs::default() };
    let options = Options { every_match: true, max_findings: 2, packs, ..Options::default() };
    let engine = Engine::with_own(&options, &rules).unwrap();
    assert!(found(&engine, &text.repeat(500)).len() <= 2 + 1024, "repeats are bounded");
    assert!(
        found(&engine, &("zig zag ".repeat(3) + "zog")).ends_with(&["zog".into()]),
        "and crowd nothing out"
    );
}
