//! Policy documents: what is read, what is refused, and where the error points.

use modelgate_policy::{Action, Policy};

#[test]
fn a_name_alone_gives_the_defaults_of_the_seed_systems() {
    let policy = Policy::from_json(br#"{"model":{"name":"demo"}}"#).unwrap();
    let document = policy.document();
    assert_eq!(document.limits.max_requests_per_minute, 100);
    assert_eq!(document.detect.suspicious_pattern_threshold.thousandths(), 800);
    assert_eq!(document.detect.prompt_injection, Action::Block);
    assert_eq!(document.input.max_size, 1 << 20);
    assert!(policy.warnings().is_empty());
}

#[test]
fn the_defaults_written_out_read_back_as_the_same_policy() {
    let policy = Policy::from_json(br#"{"model":{"name":"demo"}}"#).unwrap();
    let written = serde_json::to_vec(policy.document()).unwrap();
    assert_eq!(Policy::from_json(&written).unwrap(), policy);
}

#[test]
fn errors_name_what_is_wrong_and_where() {
    let cases = [
        (r"", 1, "EOF"),
        ("{\"model\":{\"name\":\"\"}}", 1, "the model's name has 0 bytes"),
        ("{\"model\":{\"name\":\"a\\nb\"}}", 1, "control character"),
        ("{\n\"mode\":\"enforce\"}", 2, "missing field `model`"),
        ("{\"model\":{\"name\":\"m\"},\n\"mod\":\"monitor\"}", 2, "unknown field `mod`"),
        ("{\"model\":{\"name\":\"m\"},\n\n\"mode\":\"watch\"}", 3, "unknown variant `watch`"),
        ("{\"model\":{\"name\":\"m\"},\"input\":{\n\"max_size\":0}}", 2, "max_size 0 does not lie between 1"),
        ("{\"model\":{\"name\":\"m\"},\"input\":{\n\"max_size\":1e3}}", 2, "invalid type"),
        ("{\"model\":{\"name\":\"m\"},\"input\":{\"max_depth\":65}}", 1, "max_depth 65"),
        ("{\"model\":{\"name\":\"m\"},\"detect\":{\"paranoia\":5}}", 1, "paranoia level 5"),
        (
            "{\"model\":{\"name\":\"m\"},\"detect\":{\"suspicious_pattern_threshold\":1.2}}",
            1,
            "1.2 does not lie",
        ),
        (
            "{\"model\":{\"name\":\"m\"},\"detect\":{\n\n \"flag_threshold\":0.9}}",
            3,
            "flag_threshold 0.900 is above",
        ),
        (
            "{\"model\":{\"name\":\"m\"},\"input\":{\"tensor\":{\"min_value\":2,\"max_value\":1}}}",
            1,
            "min_value 2",
        ),
        ("{\"model\":{\"name\":\"m\"},\"input\":{\"tensor\":{\"max_gradient\":0}}}", 1, "max_gradient 0"),
        (
            "{\"model\":{\"name\":\"m\"},\"limits\":{\"max_requests_per_minute\":0}}",
            1,
            "max_requests_per_minute 0",
        ),
        ("{\"model\":{\"name\":\"m\"}} x", 1, "trailing characters"),
    ];
    assert!(cases.len() >= 16);
    for (json, line, words) in cases {
        let error = Policy::from_json(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{json}: {error}");
        assert_eq!(error.line, line, "{json}: {error}");
    }
}

#[test]
fn what_can_bypass_is_warned_of() {
    let policy = Policy::from_json(
        br#"{"model":{"name":"m"},"mode":"monitor","limits":{"enabled":false},
            "unscannable":{"content_encoding":"allow"},"detect":{"secret":"flag"}}"#,
    )
    .unwrap();
    let settings: Vec<_> = policy.warnings().into_iter().map(|warning| warning.setting).collect();
    assert_eq!(settings, ["mode", "limits.enabled", "detect.secret", "unscannable.content_encoding"]);
}
