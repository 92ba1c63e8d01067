//! Policy documents: what is read, what is refused, and where the error points.

use modelgate_policy::{Action, Axis, Policy, Protocol, Shadow};

#[test]
fn a_name_alone_gives_the_defaults_of_the_seed_systems() {
    let policy = Policy::from_json(br#"{"model":{"name":"demo"}}"#).unwrap();
    let document = policy.document();
    assert_eq!(document.limits.max_requests_per_minute, 100);
    assert_eq!(document.detect.suspicious_pattern_threshold.thousandths(), 800);
    assert_eq!(document.detect.prompt_injection, Action::Block);
    assert_eq!(document.input.max_size, 1 << 20);
    assert!(policy.warnings().is_empty());
    let limits = &document.limits;
    assert_eq!((limits.burst, limits.failed_attempts_threshold, limits.session_timeout), (20, 5, 3600));
}

#[test]
fn clients_are_named_by_one_thing_or_by_several_in_order() {
    for (client, written) in
        [(r#""api_key""#, r#""api_key""#), (r#"["api_key","address"]"#, r#"["api_key","address"]"#)]
    {
        let json = format!(r#"{{"model":{{"name":"demo"}},"identity":{{"client":{client}}}}}"#);
        let policy = Policy::from_json(json.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&policy.document().identity.client).unwrap(), written);
    }
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
        (
            "{\"model\":{\"name\":\"m\"},\n\"limits\":{\"session_timeout\":59}}",
            2,
            "session_timeout 59 does not lie between 60",
        ),
        ("{\"model\":{\"name\":\"m\"},\"limits\":{\"repeats\":\"no\"}}", 1, "unknown variant `no`"),
        ("{\"model\":{\"name\":\"m\"},\"identity\":{\"client\":\"cookie\"}}", 1, "unknown variant `cookie`"),
        (
            "{\"model\":{\"name\":\"m\"},\"identity\":{\"client\":[\"api_key\",\"api_key\"]}}",
            1,
            "client names one thing twice",
        ),
        ("{\"model\":{\"name\":\"m\"},\"identity\":{\n\"client\":\"jwt_claim\"}}", 2, "jwt_claim is not set"),
        ("{\"model\":{\"name\":\"m\"},\"identity\":{\"trusted_hops\":17}}", 1, "trusted_hops 17"),
        ("{\"model\":{\"name\":\"m\"},\"identity\":{\"api_key_headers\":[\"X-Key\"]}}", 1, "in lower case"),
        ("{\"model\":{\"name\":\"m\"},\"conversation\":{\"risk_threshold\":1}}", 1, "risk_threshold 1"),
        ("{\"model\":{\"name\":\"m\"}} x", 1, "trailing characters"),
        ("{\"model\":{\"name\":\"m\"},\n\"limits\":{\"repeats\":\"mask\"}}", 2, "repeats takes allow"),
        ("{\"model\":{\"name\":\"m\"},\n\"conversation\":{\"risk\":\"mask\"}}", 2, "risk takes allow"),
        ("{\"model\":{\"name\":\"m\"},\"decisions\":{\"interval\":0}}", 1, "interval 0 does not lie"),
    ];
    assert!(cases.len() >= 16);
    for (json, line, words) in cases {
        let error = Policy::from_json(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{json}: {error}");
        assert_eq!(error.line, line, "{json}: {error}");
    }
}

#[test]
fn every_kind_of_field_tells_what_it_takes() {
    let cases = [
        ("\"mode\":\"enforce\",\"mode\":\"enforce\"", "duplicate field `mode`"),
        ("\"mode\":null", "invalid type: null, expected a name"),
        ("\"mode\":[]", "invalid type: sequence, expected a name"),
        ("\"mode\":{}", "invalid type: map, expected a name"),
        ("\"limits\":[]", "invalid type: sequence, expected an object"),
        ("\"limits\":7", "invalid type: integer `7`, expected an object"),
        ("\"limits\":{\"enabled\":\"no\"}", "invalid type: string \"no\", expected true or false"),
        (
            "\"limits\":{\"max_requests_per_minute\":-1}",
            "invalid type: integer `-1`, expected a whole number",
        ),
        ("\"relay\":{\"path\":1.5}", "invalid type: number 1.5, expected a string"),
        ("\"relay\":{\"path\":true}", "invalid type: boolean `true`, expected a string"),
        ("\"relay\":{\"queue\":9999999999}", "queue 9999999999 does not lie between 1 and 100000"),
        ("\"input\":{\"tensor\":{\"shape\":[{}]}}", "missing field `max`"),
        ("\"input\":{\"tensor\":{\"shape\":[{\"least\":1}]}}", "unknown field `least`, expected `max`"),
        ("\"input\":{\"tensor\":{\"shape\":[-1]}}", "expected null, a length or {\"max\": length}"),
        ("\"input\":{\"tensor\":{\"flatness\":{\"floor\":1,\"axes\":2}}}", "missing field `min_share`"),
        ("\"input\":{\"tensor\":{\"max_equal_run\":4294967296}}", "4294967296 does not lie between 0"),
        ("\"exceptions\":{}", "invalid type: map, expected a list"),
        ("\"exceptions\":[{\"rules\":[\"secret.*\"]}]", "missing field `reason`"),
        ("\"exceptions\":[{\"rules\":[\"Secret\"],\"reason\":\"r\"}]", "\"Secret\" is no rule's id"),
        ("\"detect\":{\"rules\":{\"A\":\"flag\"}}", "\"A\" is no rule's id"),
        ("\"detect\":{\"rules\":{\"a\":\"drop\"}}", "unknown variant `drop`, expected one of `allow`"),
        ("\"detect\":{\"canaries\":[\"short\"]}", "a canary has 5 letters and digits in 5 bytes"),
        ("\"detect\":{\"own_rules\":[{\"id\":\"mine\"}]}", "the id \"mine\" is not own."),
    ];
    assert!(cases.len() >= 20);
    for (field, words) in cases {
        let json = format!("{{\"model\":{{\"name\":\"m\"}},\n{field}}}");
        let error = Policy::from_json(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{json}: {error}");
        assert_eq!(error.line, 2, "{json}: {error}");
    }
}

#[test]
fn more_than_a_field_takes_is_refused() {
    let rules: Vec<_> = (0..257).map(|n| format!("\"a{n}\":\"flag\"")).collect();
    let exceptions = vec!["{\"rules\":[\"a\"],\"reason\":\"r\"}"; 257];
    let canaries = vec!["\"canary-0123456789\""; 17];
    let cases = [
        (format!("\"detect\":{{\"rules\":{{{}}}}}", rules.join(",")), "rules has more than 256 items"),
        (format!("\"exceptions\":[{}]", exceptions.join(",")), "exceptions has more than 256 items"),
        (format!("\"detect\":{{\"canaries\":[{}]}}", canaries.join(",")), "canaries has more than 16 items"),
    ];
    for (field, words) in cases {
        let json = format!("{{\"model\":{{\"name\":\"m\"}},{field}}}");
        let error = Policy::from_json(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_may_be_null_is_read_where_it_is_not() {
    let json =
        br#"{"model":{"name":"m","protocol":"gemini"},"shadow":{},"input":{"tensor":{"max_magnitude":null,
        "min_value":-2,"max_value":7,"datatypes":[],"shape":[null,3,{"max":8}],"max_equal_run":9}}}"#;
    let policy = Policy::from_json(json).unwrap();
    let document = policy.document();
    let tensor = &document.input.tensor;
    assert_eq!((tensor.max_magnitude, tensor.min_value, tensor.max_value), (None, Some(-2.0), Some(7.0)));
    assert_eq!(tensor.shape.as_deref(), Some(&[Axis::Any, Axis::Exactly(3), Axis::AtMost { max: 8 }][..]));
    assert_eq!((tensor.datatypes.as_deref(), tensor.max_equal_run), (Some(&[][..]), Some(9)));
    assert_eq!(document.shadow, Some(Shadow::default()));
    assert_eq!(document.model.protocol, Some(Protocol::Gemini));
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
