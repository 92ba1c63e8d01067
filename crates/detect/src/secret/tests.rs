//! Values beside names. All credentials are made up; the joint `¦` is taken out before a test, so that no
//! scanner takes them for real.

extern crate std;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use std::time::{Duration, Instant};

use super::{
    RULES, SERVICES,
    value::{Alphabet, STAND_INS, Value, is_placeholder},
};
use crate::{Category, Engine, Options, Role, Scratch};

fn ids(engine: &Engine, text: &str) -> Vec<&'static str> {
    let mut out = Vec::new();
    engine.scan_text(&text.replace('¦', ""), Role::User, &mut Scratch::default(), &mut out);
    let own = out
        .iter()
        .filter(|finding| finding.weight >= 800 && RULES.iter().any(|rule| rule.id == finding.rule.id));
    own.map(|finding| finding.rule.id).collect()
}

/// (rule, text)
const FOUND: &[(&str, &str)] = &[
    ("secret.named.key", "api_key = ¦'q8Zt2vLw9KxPm4Rc7NbYd1'"),
    ("secret.named.key", "\"user_auth\": ¦\"Zx9vbmUyRjQ3N2IxYi1j+k3Yq0wLm/8sTg=\""),
    ("secret.named.key", "getOr(\"api_token\", ¦\"d4b07817-e246-48f3-91a7-c8ff7ad3e1b2\")"),
    ("secret.named.key", "<add key=\"ServiceToken\" value=¦\"k3Yq0wLm8sTgZx9vbmUy\" />"),
    ("secret.named.key", "- name: WEBHOOK_SECRET\n  value: ¦h7Jq2Lp9Vx4Tn8Zd3Rk6"),
    ("secret.named.key", "X-Api-Key: ¦83bd0f7a14c95e62d8a1f3b70c46e925"),
    ("secret.named.key", "curl -H ¦'private-token: vT9xK2mQ7rL4nW8zB3yD'"),
    ("secret.named.key", "MASTER_KEY=¦9f2c71e08ab34d56c1e7f08a92b3d4c5"),
    ("secret.named.password", "db_password = ¦\"Grz!mmel-77-wal\""),
    ("secret.named.password", "PGPASSWORD=¦w4lrossKuss9"),
    ("secret.named.password", "machine ftp.wolkenpost.net login kai password: ¦fl0hz1rkus%"),
    ("secret.named.password", "<Password>¦Zw7ieback#Turm</Password>"),
    ("secret.named.password", "contraseña: ¦Lluvia#42nube"),
    ("secret.named.password", "密码：x\n密码: ¦Qz8!mondLicht"),
    ("secret.named.spoken", "machine ftp.wolkenpost.net login kai password ¦fl0hz1rkus"),
    ("secret.named.spoken", "my password is ¦Qu4l1enf1sch&7"),
    ("secret.named.spoken", "Hi, the wifi password is ¦Kranich-4711!"),
    ("secret.named.spoken", "the api key is ¦q8Zt2vLw9KxPm4Rc7NbYd1"),
    ("secret.named.spoken", "Mein Passwort lautet ¦Apfel3Mus!x"),
    ("secret.header.bearer", "Authorization: Bearer ¦x7Qm2vTz9LkRb4Wc8NpYd1"),
    ("secret.header.bearer", "-H 'authorization: token ¦83bd0f7a14c95e62d8a1f3b70c46e925'"),
    ("secret.header.bearer", "\"Authorization\": \"Splunk ¦q8Zt2vLw9KxPm4Rc7NbYd1\""),
    ("secret.header.basic", "Authorization: Basic ¦bmlnaHRseTp0VzQ5aGFyYm91cg=="),
    ("secret.header.basic", "authorization: basic ¦cHJvYmU6WnI4a1B3MzFtUQ=="),
    ("secret.header.basic", "\"Authorization\": \"Basic ¦ZGVwbG95OnE4WnQydkx3OUt4\""),
    ("secret.header.command-line", "curl -u \":¦k9Wal!ross\" https://wolkenpost.net"),
    ("secret.header.command-line", "curl --user kai:'¦pRf7vG2h1L8n' -X PATCH"),
    ("secret.header.command-line", "curl -sS -u 'kai:¦fl0hz1rkus' https://wolkenpost.net"),
    ("secret.config.kubernetes", "kind: Secret\nmetadata:\n  name: x\ndata:\n  box: ¦UXU0bDFlbmYxc2No"),
    ("secret.config.kubernetes", "apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: ¦S3JhbmljaDQ3MTE="),
    ("secret.config.kubernetes", "{\"kind\": \"Secret\", \"data\": {\"word\": ¦\"WndpZWJhY2sjVHVybQ==\"}}"),
];

/// What only looks like one.
const ORDINARY: &[&str] = &[
    "api_key = \"YOUR_API_KEY\"",
    "api_key = os.environ[\"API_KEY\"]",
    "token = get_token(user_id=42)",
    "password = input(\"password: \")",
    "password: ${DB_PASSWORD}",
    "password = \"<your password>\"",
    "password=%s",
    "Password: must be 8 to 20 characters",
    "my password is required",
    "the password is case-sensitive",
    "the token is used in 3 places",
    "the key is to start early at 7am",
    "public_key = \"q8Zt2vLw9KxPm4Rc7NbYd1\"",
    "commit = 83bd0f7a14c95e62d8a1f3b70c46e925aa41b0d7",
    "sha256: 83bd0f7a14c95e62d8a1f3b70c46e92583bd0f7a14c95e62d8a1f3b70c46e925",
    "credentialsId: '3b9d52c6-91ae-4c07-b8f2-60d7e1a4c935'",
    "token_url = \"https://login.wolkenpost.net/oauth2/v2/token\"",
    "primary_key = \"customer_id_2024\"",
    "key: DOC_Vector_5_32",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "curl -u user:password https://wolkenpost.net",
    "curl -u \"$USER:$PASS\" https://wolkenpost.net",
    "docker run -u 1000:1000 alpine",
    "kind: Secret\nmetadata:\n  name: db-password",
    "max_tokens: 4096",
    "secret_name = \"prod/web/2024-05\"",
    "apiKey: \"xxxxxxxxxxxxxxxxxxxxxxxx\"",
    "csrf-token=Mj2qykJO5rELyHgezQ69nzUX0i3O",
    "session timeout: 30 minutes, key size: 2048 bits",
    "access_token=1234567890abcdef1234567890",
    "the meeting at 10:30 has password=changeme123",
    "x = {a: 1, b: 22, c: 333}",
    "tokenAddress: \"0x7bE1c3A90d52F48e61B7a2C9d0E4f3856a1D2c90\"",
    "object_key = \"uploads/2024/03/83bd0f7a14c95e62d8a1f3b70c46e925.jpg\"",
    "secret_arn = \"arn:aws:secretsmanager:eu-west-1:210987654321:secret:orders/db-X7f2Qa81\"",
    "cache_key: \"83bd0f7a14c95e62d8a1f3b70c46e925\"",
    "verify_key: 83bd0f7a14c95e62d8a1f3b70c46e92583bd0f7a14c95e62d8a1f3b70c46e925",
    "client_key_data: LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0K",
    "recaptcha site key: 6Lq8Zt2vLw9KxPm4Rc7NbYd1Hs6Gf3Jk0aVTz5Mx",
    "api_key: \"q8Zt2vLw9KxPm4Rc\" (a dummy, as everywhere in this file)",
    "api_key: q8Zt2vLw9KxPm4Rc7N************",
];

#[test]
fn values_beside_names_are_found() {
    let engine = Engine::new(&Options::default());
    let missed: Vec<_> = FOUND
        .iter()
        .filter(|(rule, text)| !ids(&engine, text).contains(rule))
        .map(|(rule, text)| format!("{rule}: {text} {:?}", ids(&engine, text)))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
    for rule in RULES.iter().filter(|rule| !rule.id.starts_with("secret.keyed.")) {
        assert!(FOUND.iter().filter(|(id, _)| *id == rule.id).count() >= 3, "{}", rule.id);
    }
}

#[test]
fn ordinary_values_are_none() {
    let engine = Engine::new(&Options::default());
    let taken: Vec<_> = ORDINARY.iter().filter(|text| !ids(&engine, text).is_empty()).collect();
    assert!(taken.is_empty(), "{taken:#?}");
    assert!(ORDINARY.len() >= 30);
}

/// A value of the alphabet, from a linear congruential generator (Knuth's MMIX constants).
fn made_up(alphabet: Alphabet, length: usize, seed: &mut u64) -> String {
    let letters: &[u8] = match alphabet {
        Alphabet::Hex | Alphabet::Uuid => b"0123456789abcdef",
        Alphabet::Alnum | Alphabet::Url | Alphabet::Any => {
            b"0123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
        }
    };
    let mut draw = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(letters[(*seed >> 33) as usize % letters.len()])
    };
    loop {
        let mut value: String = (0..length).map(|_| draw()).collect();
        if alphabet == Alphabet::Uuid {
            for at in [8, 13, 18, 23] {
                value.replace_range(at..=at, "-");
            }
        }
        if Value::of(value.as_bytes(), true).is_random() && !is_placeholder(value.as_bytes()) {
            return value;
        }
    }
}

#[test]
fn each_service_is_told_by_its_name_and_form() {
    let engine = Engine::new(&Options::default());
    let mut seed = 4;
    for service in SERVICES {
        let rule = RULES[service.rule].id;
        let (least, most) = (*service.lengths.start(), *service.lengths.end());
        for (length, form) in [
            (least, "# = \"@\""),
            (most, "export #_KEY=@"),
            (usize::midpoint(least, most), "\"#_token\": \"@\""),
        ] {
            let value = made_up(service.alphabet, length, &mut seed);
            let text = form.replace('#', &service.word.to_uppercase()).replace('@', &value);
            assert!(ids(&engine, &text).contains(&rule), "{rule} misses {text}: {:?}", ids(&engine, &text));
            // Another name, another length, a name that is no key's.
            for text in [
                format!("colour = \"{value}\""),
                format!("{}_key = \"{}\"", service.word, &value[..least.min(13) - 1]),
                format!("{}_page_version = \"{value}\"", service.word),
            ] {
                assert!(!ids(&engine, &text).contains(&rule), "{rule} takes {text}");
            }
        }
    }
    assert!(SERVICES.len() >= 100, "{}", SERVICES.len());
}

#[test]
fn words_look_like_no_key_and_random_characters_do() {
    for (text, expected) in [
        ("q8Zt2vLw9KxPm4Rc7NbYd1", true),
        ("83bd0f7a14c95e62d8a1f3b70c46e925", true),
        ("NEXUS-GPT4-API-ACCESS", false),
        ("accessibilityYesOptionId", false),
        ("rc0.15.0_20231217_1420-final", false),
        ("/run/data/web2024/a1", false),
        ("com.wolkenpost.app2.Main3", false),
        ("2024-05-17T12:30:45Z", false),
        ("short1A", false),
    ] {
        assert_eq!(Value::of(text.as_bytes(), true).is_random(), expected, "{text}");
    }
}

#[test]
fn stand_ins_are_sorted() {
    assert!(STAND_INS.len() >= 80 && STAND_INS.is_sorted());
}

#[test]
fn stand_ins_are_told_from_values() {
    for text in [
        "changeme",
        "xxxxxxxx",
        "my-secret-value",
        "1234567890",
        "P@ssw0rd",
        "abcdefgh",
        "****",
        "${x}your",
        "11111111",
    ] {
        assert!(is_placeholder(text.as_bytes()), "{text}");
    }
    for text in ["q8Zt2vLw9KxPm4Rc", "Kranich-4711!", "w4lrossKuss9"] {
        assert!(!is_placeholder(text.as_bytes()), "{text}");
    }
}

/// Each of these, over and over, asks for work.
pub(crate) const PIECES: &[&str] = &[
    "=",
    ":",
    "a=",
    "1:",
    "key=a1",
    "a1B2c3D4",
    "\"k\":\"",
    "password is a1",
    "token=q8Zt2vLw9KxPm4Rc7N ",
    "-u a:",
    "> ",
    "kind: Secret ",
];

#[test]
fn much_of_anything_costs_little() {
    let engine = Engine::new(&Options::default());
    for piece in PIECES {
        let text = piece.repeat((1 << 17) / piece.len());
        let start = Instant::now();
        ids(&engine, &text);
        // Debug build on a busy machine; anything quadratic takes hours.
        assert!(start.elapsed() < Duration::from_secs(20), "{piece:?}: {:?}", start.elapsed());
    }
}

#[test]
fn the_span_is_that_of_the_value() {
    let engine = Engine::new(&Options::default());
    let text = "first: db_password = \"Grz!mmel-77-wal\" then".to_string();
    let mut out = Vec::new();
    engine.scan_text(&text, Role::User, &mut Scratch::default(), &mut out);
    out.retain(|finding| finding.rule.category == Category::Secret);
    assert_eq!(out.len(), 1, "{out:?}");
    assert_eq!(&text[out[0].span.clone()], "Grz!mmel-77-wal");
}
