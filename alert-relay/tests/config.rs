//! Configuration: the shipped example, the environment above the file, and all that is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{collections::HashMap, fs, path::PathBuf, process::Command, time::Duration};

use alert_relay::automatic::About;
use alert_relay::config::{Config, ConfigErrors, Database, LogForm, SmtpAuth, Source, Tls, Transport};
use common::{KEY, Scratch};

/// Loads `text` with these variables.
fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let scratch = Scratch::new();
    let path = scratch.join("relay.toml");
    fs::write(&path, text).unwrap();
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    Config::load(&Source { file: Some(&path), env: &|name| env.get(name).map(|value| (*value).to_owned()) })
}

fn good(text: &str, env: &[(&str, &str)]) -> Config {
    load(text, env).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn key() -> String {
    format!("webhook_keys = [\"{KEY}\"]\n")
}

fn smtp(config: &Config) -> &alert_relay::config::Smtp {
    match &config.transport {
        Transport::Smtp(smtp) => smtp,
        Transport::Files(path) => panic!("mails go to {}", path.display()),
    }
}

/// The example with every `# key = value` line made a setting.
fn example_in_full() -> String {
    let example = include_str!("../alert-relay.toml");
    let mut text = String::new();
    for line in example.lines() {
        let setting = line.strip_prefix("# ").filter(|rest| {
            let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            rest.starts_with("[[") || rest.split_once(" = ").is_some_and(|(name, _)| is_name(name))
        });
        text.push_str(setting.unwrap_or(line));
        text.push('\n');
    }
    text
}

#[test]
fn the_shipped_example_is_good_and_changes_nothing() {
    let example = include_str!("../alert-relay.toml");
    let env = [("MODELGATE_WEBHOOK_KEY", KEY)];
    let config = good(example, &env);
    let bare = Config::load(&Source {
        file: None,
        env: &|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
    })
    .unwrap();
    let Database::Sqlite(path) = &config.database else { panic!("{:?}", config.database) };
    let folder = path.ancestors().nth(2).unwrap().display();
    let beside_nothing = format!("{config:?}").replace(&format!("{folder}/"), "");
    assert_eq!(beside_nothing, format!("{bare:?}"), "every line of it is commented out");
}

#[test]
fn the_shipped_example_names_every_setting_with_its_default() {
    let scratch = Scratch::new();
    let path = scratch.join("alert-relay.toml");
    // Files that the example names, and the settings that exclude each other.
    for name in [
        "webhook.key",
        "api.token",
        "smtp.password",
        "ca.pem",
        "authorization",
        "routing.key",
        "client.pem",
        "client.key",
    ] {
        fs::write(scratch.join(name), KEY).unwrap();
    }
    fs::create_dir(scratch.join("templates")).unwrap();
    fs::write(scratch.join("templates/subject.txt"), "{{ title }}").unwrap();
    fs::write(scratch.join("dkim.pem"), include_str!("keys/rsa-2048.pem")).unwrap();
    let text = example_in_full()
        .replace("webhook_keys = [\"whsec_…\"]\n", "")
        .replace("token_file = \"smtp.token\"\n", "");
    fs::write(&path, text).unwrap();
    let config =
        Config::load(&Source { file: Some(&path), env: &|_| None }).unwrap_or_else(|e| panic!("{e}"));
    let days = |n: u64| Duration::from_secs(n * 86_400);
    assert_eq!(config.listen.to_string(), "127.0.0.1:9600");
    let Database::Postgres(database) = &config.database else { panic!("the example names a server") };
    assert_eq!(database.to_string(), "postgresql://db.example.org:5432/relay as relay relay-1");
    assert_eq!(config.public_url, "http://127.0.0.1:9600");
    let tls = config.tls.as_ref().unwrap();
    assert_eq!((&tls.certificate, &tls.key), (&scratch.join("relay.pem"), &scratch.join("relay.key")));
    assert_eq!(tls.client_ca.as_ref(), Some(&scratch.join("clients.pem")));
    assert_eq!(config.ingest.max_events_per_minute, 600_000);
    assert_eq!(config.log.path, scratch.join("logs"));
    let log = &config.log;
    assert_eq!((log.max_files_per_day, log.max_file_bytes), (200, 100_000_000));
    assert_eq!((log.form, log.compress, log.keep), (LogForm::Text, true, Some(days(365))));
    assert_eq!(log.chain_file, Some(scratch.join("data/log.chain")));
    assert_eq!(config.alerts.min_severity, wire::Severity::Medium);
    assert_eq!(config.alerts.incident_window, Duration::from_secs(3600));
    assert_eq!(config.alerts.group_wait, Duration::from_secs(5));
    assert_eq!(config.alerts.group_interval, Duration::from_secs(300));
    let [rule] = config.alerts.automatic_decisions.as_slice() else { panic!("one rule as an example") };
    assert_eq!((rule.min_severity, rule.events, rule.rate), (wire::Severity::Medium, 10, 10));
    assert_eq!((rule.about, rule.lasts), (About::Address, Duration::from_secs(3600)));
    assert_eq!((rule.growth.factor, rule.growth.longest, rule.growth.remember), (2, days(7), days(1)));
    let allowed: Vec<String> = config.alerts.allowed.iter().map(wire::Subject::value).collect();
    assert_eq!(allowed, ["10.0.0.0/8", "00112233445566778899aabbccddeeff", "monitoring"]);
    assert_eq!(config.outbox.retry_min, Duration::from_secs(2));
    assert_eq!(config.outbox.retry_max, Duration::from_secs(300));
    assert_eq!(config.outbox.give_up_after, Duration::from_secs(259_200));
    let kept = &config.retention;
    assert_eq!((kept.events, kept.incidents, kept.metrics), (days(90), days(365), days(30)));
    assert_eq!(kept.audit, days(2555));
    assert_eq!(config.mail.sender.to_string(), "Modelgate <modelgate@localhost>");
    let smtp = smtp(&config);
    assert_eq!((smtp.server.as_str(), smtp.port, smtp.tls), ("smtp.example.org", 587, Tls::StartTls));
    assert_eq!(smtp.timeout, Duration::from_secs(60));
    assert!(smtp.identity.is_some() && smtp.auth == SmtpAuth::Plain);
    // The example signs for a domain, and sends as localhost.
    assert!(matches!(&config.warnings[..], [one] if one.starts_with("mail.dkim: ")), "{:?}", config.warnings);
    let night = config.receivers.last().unwrap();
    let targets: Vec<String> =
        night.targets().map(|target| format!("{} {}", target.channel.as_str(), target.recipient)).collect();
    let expected = [
        "email night@example.org",
        "webhook soc.example.org#",
        "slack security-channel",
        "pagerduty events.eu.pagerduty.com#",
        "otlp collector.example.org#",
        "syslog tls://siem.example.org:6514",
        "file alerts.jsonl",
    ];
    assert_eq!(targets.len(), expected.len(), "{targets:?}");
    for (target, expected) in targets.iter().zip(expected) {
        assert!(target.starts_with(expected), "{target}");
    }
}

#[test]
fn the_example_of_a_rule_about_ranges_names_the_defaults() {
    let example = include_str!("../alert-relay.toml");
    let of_ranges: String = example
        .lines()
        .filter_map(|line| line.strip_prefix("#   ").filter(|line| line.contains(" = ")))
        .map(|line| format!("{line}\n"))
        .collect();
    let rule = |more: &str| {
        let text = format!(
            "{}[[automatic_decisions]]\nevents = 1\naction = \"block\"\nabout = \"range\"\n{more}",
            key()
        );
        good(&text, &[]).alerts.automatic_decisions[0].about
    };
    assert!(of_ranges.contains("addresses = ") && of_ranges.contains("ipv6_bits = "), "{of_ranges}");
    assert_eq!(rule(&of_ranges), rule(""));
}

#[test]
fn targets_that_cannot_be_used_are_refused() {
    let night = format!("{}[[receivers]]\nname = \"night\"\n", key());
    let url = "url = \"https://x.example/\"\n";
    let webhook = format!("[[receivers.webhook]]\n{url}key = {KEY:?}\n");
    assert_eq!(good(&format!("{night}{webhook}"), &[]).receivers.last().unwrap().ways.len(), 1);
    let cases: [(String, &str); 16] = [
        ("[[receivers.webhook]]\nkey = \"x\"\n".to_owned(), "webhook[0].url: is needed"),
        (format!("[[receivers.webhook]]\n{url}"), "webhook[0].key: is needed"),
        (format!("[[receivers.webhook]]\n{url}key = \"short\"\n"), "webhook[0].key: a signing key"),
        (format!("[[receivers.slack]]\n{url}key = {KEY:?}\n"), "slack[0].key: is not for this channel"),
        ("[[receivers.pagerduty]]\n".to_owned(), "pagerduty[0].routing_key: is needed"),
        ("[[receivers.slack]]\nurl = \"http://x.example/\"\n".to_owned(), "in the clear"),
        ("[[receivers.slack]]\nurl = \"ftp://x.example/\"\n".to_owned(), "no http(s) address"),
        ("[[receivers.slack]]\nurl = \"https://u:s3cr3t@x.example/\"\n".to_owned(), "no http(s) address"),
        ("[[receivers.slack]]\nurl = \"https://x.example:0/\"\n".to_owned(), "no http(s) address"),
        ("[[receivers.slack]]\nurl = \"https://x.example/a b\"\n".to_owned(), "no http(s) address"),
        (format!("[[receivers.slack]]\n{url}timeout = \"1h\"\n"), "slack[0].timeout"),
        (format!("{webhook}{webhook}"), "two webhook targets are called"),
        ("[[receivers.syslog]]\nserver = \"x.example:514\"\n".to_owned(), "no udp://, tcp:// or tls://"),
        ("[[receivers.syslog]]\nserver = \"udp://x.example\"\n".to_owned(), "in the clear"),
        (
            "[[receivers.syslog]]\nserver = \"tls://x.example\"\nfacility = 24\n".to_owned(),
            "facility: from 0 to 23",
        ),
        (
            "[[receivers.syslog]]\nserver = \"tls://x.example\"\nkey_file = \"no.key\"\n".to_owned(),
            "certificate_file and key_file are both needed",
        ),
    ];
    for (target, expected) in cases {
        let shown = load(&format!("{night}{target}"), &[]).unwrap_err().to_string();
        assert!(shown.contains(expected), "{target}\nsays {shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
    let open = "[[receivers.syslog]]\nserver = \"udp://x.example\"\nallow_plaintext = true\n";
    assert!(good(&format!("{night}{open}"), &[]).warnings[0].contains("in the clear"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!(
        "listen = \"127.0.0.1:1\"\ndatabase = \"a\"\n{}[log]\npath = \"b\"\n[smtp]\nserver = \"localhost\"\n\
         port = 1\nusername = \"file\"\npassword = \"file\"\n[mail]\nsender = \"file@x.org\"\n\
         recipients = [\"file@x.org\"]\n",
        key()
    );
    let config = good(
        &text,
        &[
            ("RELAY_LISTEN", "127.0.0.1:2"),
            ("RELAY_DATABASE", "env.sqlite"),
            ("RELAY_PUBLIC_URL", "https://relay.example.org/"),
            ("RELAY_API_TOKEN", "token"),
            ("SECURITY_LOG_PATH", "/var/log/x"),
            ("ALERT_SENDER", "env@x.org"),
            ("ALERT_RECIPIENTS", "one@x.org"),
            ("SMTP_SERVER", "env.example.org"),
            ("SMTP_PORT", "2525"),
            ("SMTP_TLS", "implicit"),
            ("SMTP_USERNAME", "user"),
            ("SMTP_PASSWORD", "password"),
        ],
    );
    assert_eq!(config.listen.to_string(), "127.0.0.1:2");
    let Database::Sqlite(file) = &config.database else { panic!("no server is named") };
    assert_eq!(*file, PathBuf::from("env.sqlite"));
    assert_eq!(config.public_url, "https://relay.example.org");
    assert!(config.api_token.as_ref().is_some_and(|token| token.matches("token")));
    assert_eq!(config.log.path, PathBuf::from("/var/log/x"));
    assert_eq!(config.mail.sender.to_string(), "env@x.org");
    assert_eq!(config.mail.recipients.len(), 1);
    assert_eq!(config.mail.message_id_domain, "x.org");
    let smtp = smtp(&config);
    assert_eq!((smtp.server.as_str(), smtp.port, smtp.tls), ("env.example.org", 2525, Tls::Implicit));
    let (user, password) = smtp.credentials.as_ref().unwrap();
    assert_eq!((user.as_str(), password.expose()), ("user", "password"));
}

#[test]
fn alert_variables_win_over_plain_ones() {
    let config = good(
        &key(),
        &[
            ("SMTP_SERVER", "plain.example.org"),
            ("ALERT_SMTP_SERVER", "alert.example.org"),
            ("SMTP_PORT", "1"),
            ("ALERT_SMTP_PORT", "465"),
            ("SMTP_USERNAME", "plain"),
            ("ALERT_SMTP_USERNAME", "alert"),
            ("SMTP_PASSWORD", "plain"),
            ("ALERT_SMTP_PASSWORD", "alert"),
            ("SMTP_TLS", "none"),
            ("ALERT_SMTP_TLS", "starttls"),
            ("ALERT_RECIPIENTS", "a@x.org"),
            ("ALERT_SENDER", "s@x.org"),
        ],
    );
    let smtp = smtp(&config);
    assert_eq!((smtp.server.as_str(), smtp.port, smtp.tls), ("alert.example.org", 465, Tls::StartTls));
    let (user, password) = smtp.credentials.as_ref().unwrap();
    assert_eq!((user.as_str(), password.expose()), ("alert", "alert"));
}

#[test]
fn recipients_come_in_every_form_of_list() {
    let table: [(&str, &[&str]); 9] = [
        ("a@x.org", &["a@x.org"]),
        ("a@x.org,b@x.org", &["a@x.org", "b@x.org"]),
        ("a@x.org; b@x.org ;", &["a@x.org", "b@x.org"]),
        (" a@x.org  b@x.org\tc@x.org ", &["a@x.org", "b@x.org", "c@x.org"]),
        ("a@x.org\nb@x.org", &["a@x.org", "b@x.org"]),
        ("[\"a@x.org\", \"b@x.org\"]", &["a@x.org", "b@x.org"]),
        ("Ops Team <a@x.org>, b@x.org", &["Ops Team <a@x.org>", "b@x.org"]),
        ("[\"\\\"Ops, Team\\\" <a@x.org>\"]", &["\"Ops, Team\" <a@x.org>"]),
        ("a@x.org, a@x.org", &["a@x.org"]),
    ];
    for (text, expected) in table {
        let config = good(&key(), &[("ALERT_RECIPIENTS", text)]);
        let recipients: Vec<String> = config.mail.recipients.iter().map(ToString::to_string).collect();
        let expected: Vec<String> = expected.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(recipients, expected, "{text:?}");
    }
}

#[test]
fn encryption_follows_port_and_host_unless_given() {
    let who = "[mail]\nsender = \"s@x.org\"\nrecipients = [\"a@x.org\"]\n";
    let table = [
        ("server = \"smtp.example.org\"", Tls::StartTls, 587),
        ("server = \"smtp.example.org\"\nport = 465", Tls::Implicit, 465),
        ("server = \"smtp.example.org\"\nport = 25", Tls::StartTls, 25),
        ("server = \"localhost\"", Tls::None, 25),
        ("server = \"127.0.0.1\"\nport = 2525", Tls::None, 2525),
        ("server = \"::1\"", Tls::None, 25),
        ("server = \"localhost\"\ntls = \"starttls\"", Tls::StartTls, 587),
        ("server = \"smtp.example.org\"\ntls = \"IMPLICIT\"", Tls::Implicit, 465),
        ("server = \"smtp.example.org\"\ntls = \"none\"\nallow_plaintext = true", Tls::None, 25),
    ];
    for (text, tls, port) in table {
        let config = good(&format!("{}{who}[smtp]\n{text}\n", key()), &[]);
        assert_eq!((smtp(&config).tls, smtp(&config).port), (tls, port), "{text}");
    }
}

#[test]
fn secrets_come_from_files_too() {
    let scratch = Scratch::new();
    for (name, value) in
        [("key", format!("{KEY}\n{KEY}\n")), ("token", " t0ken\n".to_owned()), ("pw", "p w\n".to_owned())]
    {
        fs::write(scratch.join(name), value).unwrap();
    }
    let at = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (key_file, token, pw) = (at("key"), at("token"), at("pw"));
    let config = good(
        "",
        &[
            ("MODELGATE_WEBHOOK_KEY_FILE", &key_file),
            ("RELAY_API_TOKEN_FILE", &token),
            ("SMTP_SERVER", "localhost"),
            ("SMTP_USERNAME", "u"),
            ("SMTP_PASSWORD_FILE", &pw),
            ("ALERT_RECIPIENTS", "a@x.org"),
        ],
    );
    assert_eq!(config.webhook_keys.len(), 2);
    assert!(config.api_token.as_ref().is_some_and(|known| known.matches("t0ken")));
    assert_eq!(smtp(&config).credentials.as_ref().unwrap().1.expose(), "p w");
}

#[test]
fn nothing_secret_is_shown() {
    let text = format!(
        "{}api_token = \"t0psecret\"\n[smtp]\nserver = \"localhost\"\nusername = \"u\"\npassword = \"t0psecret\"\n\
         [mail]\nrecipients = [\"a@x.org\"]\n",
        key()
    );
    let shown = format!("{:?}", good(&text, &[]));
    assert!(!shown.contains("t0psecret") && !shown.contains("MfKQ9r8"), "{shown}");
    // Nor by an error on the line that holds it.
    let broken = load("api_token = \"t0psecret\" x\n", &[]).unwrap_err().to_string();
    assert!(!broken.contains("t0psecret") && broken.contains(":1:"), "{broken}");
    let twice = load("webhook_keys = [\"whsec_t0psecret\"]\n", &[]).unwrap_err().to_string();
    assert!(!twice.contains("t0psecret"), "{twice}");
}

/// The file, the environment, and what the error says.
type Case = (String, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn what_is_wrong_is_named() {
    let k = key();
    let who = "[mail]\nrecipients = [\"a@x.org\"]\n";
    let table: Vec<Case> = vec![
        (String::new(), &[], "webhook_keys: no key"),
        (
            "allow_unsigned = true\nlisten = \"0.0.0.0:1\"\napi_token = \"x\"\n".into(),
            &[],
            "webhook_keys: no key",
        ),
        ("webhook_keys = [\"whsec_short\"]\n".into(), &[], "webhook_keys: key 1: "),
        (format!("webhook_keys = [\"{KEY}\", \"{KEY}\", \"{KEY}\"]\n"), &[], "3 keys; a rotation needs two"),
        (format!("{k}listen = \"nowhere\"\n"), &[], "listen: \"nowhere\" is no address"),
        (k.clone(), &[("RELAY_LISTEN", "9600")], "RELAY_LISTEN: \"9600\" is no address"),
        (format!("{k}listen = \"0.0.0.0:9600\"\n"), &[], "api_token (or RELAY_API_TOKEN) is needed"),
        (format!("{k}listen = \"[::]:9600\"\n"), &[], "api_token (or RELAY_API_TOKEN) is needed"),
        (format!("{k}public_url = \"javascript:alert(1)\"\n"), &[], "public_url: "),
        (format!("{k}public_url = \"https://x/\\\"><b\"\n"), &[], "public_url: "),
        (format!("{k}api_tokn = \"x\"\n"), &[], "unknown field `api_tokn`"),
        (format!("{k}[mail]\nrecipient = []\n"), &[], "unknown field `recipient`"),
        (format!("{k}[alerts]\ngroup_wait = \"soon\"\n"), &[], "a duration such as"),
        (format!("{k}[alerts]\ngroup_wait = -5\n"), &[], "a duration such as"),
        (format!("{k}[alerts]\nmin_severity = \"fatal\"\n"), &[], "unknown variant `fatal`"),
        (format!("{k}[smtp]\nserver = \"localhost\"\n"), &[], "nobody to write to (ALERT_RECIPIENTS)"),
        (
            k.clone(),
            &[("SMTP_SERVER", "localhost"), ("SMTP_PORT", "70000"), ("ALERT_RECIPIENTS", "a@x.org")],
            "SMTP_PORT: \"70000\"",
        ),
        (k.clone(), &[("ALERT_RECIPIENTS", "[\"a@x.org\"")], "ALERT_RECIPIENTS: not a JSON list"),
        (k.clone(), &[("ALERT_RECIPIENTS", "not-an-address")], "mail.recipients: \"not-an-address\""),
        (
            k.clone(),
            &[("ALERT_SENDER", "Evil\r\nBcc: x <a@x.org>")],
            "mail.sender: \"Evil\\r\\nBcc: x <a@x.org>\" has control",
        ),
        (format!("{k}{who}[smtp]\nserver = \"a b\"\n"), &[], "smtp.server: \"a b\" is no host name"),
        (
            format!("{k}{who}[smtp]\nserver = \"x.org\"\ntls = \"maybe\"\n"),
            &[],
            "smtp.tls: \"maybe\" is none of",
        ),
        (format!("{k}{who}[smtp]\nserver = \"x.org\"\ntls = \"none\"\n"), &[], "in the clear"),
        (format!("{k}{who}[smtp]\nserver = \"x.org\"\nport = 0\n"), &[], "smtp.port: 0"),
        (
            format!("{k}{who}[smtp]\nserver = \"x.org\"\nusername = \"u\"\n"),
            &[],
            "smtp.username is set, but no password",
        ),
        (
            format!("{k}{who}[smtp]\nserver = \"x.org\"\npassword = \"u\"\n"),
            &[],
            "smtp.password is set, but no username",
        ),
        (
            format!("{k}{who}[smtp]\nserver = \"x.org\"\nca_file = \"none.pem\"\n"),
            &[],
            "smtp.ca_file: cannot read",
        ),
        (format!("{k}{who}[smtp]\nserver = \"x.org\"\ntimeout = \"0s\"\n"), &[], "smtp.timeout: between"),
        (
            format!("{k}api_token = \"a\"\napi_token_file = \"b\"\n"),
            &[],
            "api_token and api_token_file are both set",
        ),
        (format!("{k}api_token_file = \"missing\"\n"), &[], "api_token_file: cannot read"),
        (
            k.clone(),
            &[("RELAY_API_TOKEN_FILE", "/nowhere/x")],
            "RELAY_API_TOKEN_FILE: cannot read /nowhere/x",
        ),
        (format!("{k}[mail]\nmessage_id_domain = \"a b\"\n"), &[], "mail.message_id_domain: \"a b\""),
        (format!("{k}[tls]\nkey_file = \"k\"\n"), &[], "tls: "),
        (format!("{k}[retention]\nevents = \"1h\"\n"), &[], "retention.events: "),
        (format!("{k}database_url = \"mysql://u:hunter2@h/d\"\n"), &[], "database_url: "),
        (format!("{k}database_url = \"postgres:///d\"\n"), &[], "database_url: "),
        (format!("{k}name = \"a b\"\n"), &[], "name: "),
        (format!("{k}[outbox]\nretry_min = \"1h\"\nretry_max = \"1s\"\n"), &[], "outbox.retry_min: "),
    ];
    assert!(table.len() >= 30);
    for (text, env, expected) in table {
        match load(&text, env) {
            Ok(_) => panic!("this is no good configuration:\n{text}{env:?}"),
            Err(errors) => {
                let shown = errors.to_string();
                assert!(shown.contains(expected), "{text}{env:?}\nsays {shown}\nnot {expected}");
            }
        }
    }
}

#[test]
fn receivers_have_names_of_their_own_and_somebody_to_tell() {
    let top =
        "webhook_keys = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n[smtp]\nserver = \"mx.example.org\"\n";
    let night = "[[receivers]]\nname = \"night\"\nemail = [\"n@x.org\", \"m@x.org\"]\n";
    let config = good(&format!("{top}{night}"), &[]);
    assert!(config.mail.recipients.is_empty(), "somebody is told, so nobody need be named here");
    let both = good(&format!("{top}[mail]\nrecipients = [\"a@x.org\"]\n{night}"), &[]);
    let names: Vec<&str> = both.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    assert_eq!(names, ["default", "night"]);
    let told: Vec<String> = both.receivers[1].targets().map(|target| target.recipient).collect();
    assert_eq!(told, ["n@x.org", "m@x.org"]);
    for (text, expected) in [
        (format!("{top}{night}{night}"), "receivers[1].name: \"night\" is taken"),
        (format!("{top}[[receivers]]\nname = \"night\"\n"), "receivers[0]: \"night\" has nobody to tell"),
        (format!("{top}{}", night.replace("\"night\"", "\"a b\"")), "receivers[0].name: 1 to 64 letters"),
        (format!("{top}{}", night.replace("n@x.org", "n")), "receivers[0].email: \"n\""),
        (format!("{top}{night}pager = 1\n"), "pager"),
    ] {
        let shown = load(&text, &[]).unwrap_err().to_string();
        assert!(shown.contains(expected), "{text}\nsays {shown}");
    }
}

#[test]
fn all_errors_are_told_at_once() {
    let text = "listen = \"x\"\npublic_url = \"y\"\n[smtp]\nserver = \"a b\"\n";
    let errors = load(text, &[]).unwrap_err();
    assert!(errors.0.len() >= 4, "{errors}");
}

#[test]
fn unsigned_batches_need_loopback_and_a_clear_wish() {
    let config = good("allow_unsigned = true\n", &[]);
    assert!(config.webhook_keys.is_empty());
    assert!(config.warnings.iter().any(|warning| warning.contains("unsigned")));
}

#[test]
fn the_program_says_what_is_wrong_and_exits_with_64() {
    let program = env!("CARGO_BIN_EXE_alert-relay");
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let output = Command::new(program).args(args).env_clear().envs(env.iter().copied()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run(&[], &[]);
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("webhook_keys: no key"), "{said}");
    assert_eq!(run(&["--nonsense"], &[]).0, Some(64));
    assert_eq!(run(&["--config"], &[]).0, Some(64));
    assert_eq!(run(&["--config", "/nowhere/relay.toml"], &[]).0, Some(64));
    let key = [("MODELGATE_WEBHOOK_KEY", KEY)];
    assert_eq!(run(&["--check"], &key).0, Some(0));
    assert_eq!(run(&["--help"], &[]).0, Some(0));
    // Where help is asked for nothing is done, least of all a backup of that name.
    for command in ["backup", "restore", "verify", "check", "resend"] {
        let (code, said) = run(&[command, "--help"], &key);
        assert!(code == Some(0) && said.contains("usage:"), "{command}: {said}");
    }
    let (code, said) = run(&["backup", "--config"], &key);
    assert!(code == Some(64) && said.contains("backup needs a file"), "{said}");
    let (code, said) = run(&["--version"], &[]);
    assert_eq!((code, said.trim()), (Some(0), concat!("alert-relay ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn arguments_that_are_no_text_and_readers_that_go_away_are_no_crash() {
    use std::os::unix::ffi::OsStrExt as _;
    let program = env!("CARGO_BIN_EXE_alert-relay");
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    let output = Command::new(program).arg(odd).env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(64) && said.contains("is no text"), "{said}");
    // A variable of that kind is not taken for none: a token of it would leave everything open.
    let (name, odd) = ("RELAY_LISTEN", std::ffi::OsStr::from_bytes(b"127.0.0.1:9600\xff"));
    let key = ("MODELGATE_WEBHOOK_KEY", KEY);
    let output =
        Command::new(program).arg("--check").env_clear().envs([key]).env(name, odd).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(64) && said.contains(name), "{said}");
    let mut child = Command::new(program)
        .arg("--help")
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn defaults_are_beside_the_file_as_what_stands_in_it_is() {
    let scratch = Scratch::new();
    let (here, file) = (scratch.join("here"), scratch.join("etc/relay.toml"));
    fs::create_dir_all(&here).unwrap();
    fs::create_dir_all(scratch.join("etc")).unwrap();
    let load = |text: &str| {
        fs::write(&file, format!("{}{text}", key())).unwrap();
        Config::load(&Source { file: Some(&file), env: &|_| None }).unwrap()
    };
    let by_default = load("");
    let Database::Sqlite(path) = &by_default.database else { panic!("{:?}", by_default.database) };
    assert_eq!(*path, scratch.join("etc/data/alert-relay.sqlite"));
    assert_eq!(by_default.log.path, scratch.join("etc/logs"));
    let written = load("database = \"data/alert-relay.sqlite\"\n[log]\npath = \"logs\"\n");
    assert_eq!(format!("{written:?}"), format!("{by_default:?}"), "to write a default down changes nothing");
    // What an earlier relay has left in the working directory is not passed over.
    load("");
    let check = |env: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
        command.args(["--check", "--config"]).arg(&file).env_clear().envs(env.iter().copied());
        let output = command.current_dir(&here).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&[]).0, Some(0));
    fs::create_dir_all(here.join("data")).unwrap();
    fs::write(here.join("data/alert-relay.sqlite"), "").unwrap();
    fs::create_dir_all(here.join("logs")).unwrap();
    let (code, said) = check(&[]);
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("database: data/alert-relay.sqlite is there") && said.contains("log.path: logs is"),
        "{said}"
    );
    let set = [("RELAY_DATABASE", "data/alert-relay.sqlite"), ("SECURITY_LOG_PATH", "logs")];
    assert_eq!(check(&set).0, Some(0));
    let server = [("DATABASE_URL", "postgresql://relay@127.0.0.1/relay"), ("SECURITY_LOG_PATH", "logs")];
    assert_eq!(check(&server).0, Some(0), "the file is not used");
    fs::rename(here.join("data"), scratch.join("etc/data")).unwrap();
    fs::rename(here.join("logs"), scratch.join("etc/logs")).unwrap();
    assert_eq!(check(&[]).0, Some(0));
}

/// What is said of a configuration: its errors, and with none its warnings.
fn says(scratch: &Scratch, text: &str) -> Vec<String> {
    let path = scratch.join("relay.toml");
    fs::write(&path, format!("webhook_keys = [\"{KEY}\"]\n[mail]\nsender = \"a@mail.example.org\"\n{text}"))
        .unwrap();
    match Config::load(&Source { file: Some(&path), env: &|_| None }) {
        Ok(config) => config.warnings,
        Err(errors) => errors.0,
    }
}

#[test]
fn what_no_address_name_or_time_can_be_is_named_and_never_a_secret() {
    for (text, wanted) in [
        ("public_url = \"https:///\"\n", "public_url: \"https:///\" is no http(s) address"),
        ("public_url = \"https:///incidents\"\n", "public_url"),
        (
            "[smtp]\nserver = \"localhost\"\nhello_name = \"a\\r\\nMAIL FROM:<b>\"\n",
            "smtp.hello_name: \"a\\r\\nMAIL",
        ),
        ("[smtp]\nserver = \"localhost\"\nhello_name = \"\"\n", "smtp.hello_name"),
        ("[outbox]\nretry_max = \"18446744073709551615ms\"\n", "a hundred years at most"),
        ("[alerts]\ngroup_interval = 9223372036854775807\n", "a hundred years at most"),
        ("[alerts]\ngroup_interval = -1\n", "a duration such as"),
    ] {
        let errors = load(&format!("{}{text}", key()), &[]).unwrap_err().to_string();
        assert!(errors.contains(wanted), "{text}: {errors}");
    }
    for url in [
        "postgresql://relay:hunter2@db.example.org/relay?hunter3=1",
        "postgresql://relay:hunter2@db.example.org:port/relay",
        "postgresql://relay:hunter2@db.example.org/relay?sslmode=hunter3",
        "mysql://relay:hunter2@db.example.org/relay",
    ] {
        let errors = load(&key(), &[("DATABASE_URL", url)]).unwrap_err().to_string();
        assert!(errors.contains("database_url") && !errors.contains("hunter"), "{url}: {errors}");
    }
}

#[test]
fn keys_that_sign_mail_are_checked_at_start() {
    let scratch = Scratch::new();
    fs::write(scratch.join("rsa.pem"), include_str!("keys/rsa-2048.pem")).unwrap();
    fs::write(scratch.join("short.pem"), include_str!("keys/rsa-1024.pem")).unwrap();
    let key = |domain: &str, selector: &str, file: &str| {
        format!("domain = \"{domain}\"\nselector = \"{selector}\"\nkey_file = \"{file}\"\n")
    };
    let one =
        |domain: &str, selector: &str, file: &str| format!("[mail.dkim]\n{}", key(domain, selector, file));
    let table = [
        (one("mail.example.org", "a", "rsa.pem"), ""),
        (one("Example.org", "a", "rsa.pem"), ""),
        ("[mail.dkim]\nselector = \"a\"\nkey_file = \"rsa.pem\"\n".to_owned(), ""),
        (one("other.example", "a", "rsa.pem"), "says nothing for a sender at mail.example.org"),
        (one("ample.org", "a", "rsa.pem"), "says nothing for a sender at mail.example.org"),
        (one("example.org", "a", "short.pem"), "mail.dkim.key_file: "),
        (one("example.org", "a", "none.pem"), "cannot read"),
        (one("example.org", "a;b", "rsa.pem"), "mail.dkim.selector: \"a;b\" is no name of DNS"),
        ("[mail.dkim]\nselecter = \"a\"\n".to_owned(), "relay.toml:5:1: unknown field `selecter`"),
        ("dkim = 7\n".to_owned(), "expected a table or a list of tables"),
        (format!("[[mail.dkim]]\n{}", key("example.org", "a", "rsa.pem")).repeat(2), "is there twice"),
        (
            (0..5)
                .map(|n| format!("[[mail.dkim]]\n{}", key("example.org", &format!("s{n}"), "rsa.pem")))
                .collect(),
            "5 keys; 4 at most",
        ),
    ];
    for (text, wanted) in table {
        let said = says(&scratch, &text);
        match wanted {
            "" => assert!(said.is_empty(), "{text}: {said:?}"),
            wanted => assert!(said.iter().any(|line| line.contains(wanted)), "{text}: {said:?}"),
        }
        assert!(!said.concat().contains("MII"), "nothing of the key: {said:?}");
    }
}

#[test]
fn the_record_of_a_key_is_printed_for_dns() {
    let scratch = Scratch::new();
    fs::write(scratch.join("rsa.pem"), include_str!("keys/rsa-2048.pem")).unwrap();
    let run = |text: &str| {
        let path = scratch.join("relay.toml");
        fs::write(&path, format!("webhook_keys = [\"{KEY}\"]\n[mail]\nsender = \"a@example.org\"\n{text}"))
            .unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_alert-relay"));
        let output = command.args(["dkim-record", "--config"]).arg(path).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = run("[mail.dkim]\nselector = \"r1\"\nkey_file = \"rsa.pem\"\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("r1._domainkey.example.org. 3600 IN TXT ( \"v=DKIM1; k=rsa; p=MII"), "{said}");
    let (code, said) = run("");
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "alert-relay: mails are not signed: mail.dkim names no key\n")
    );
}

#[test]
fn what_cannot_be_grouped_by_or_matched_is_named() {
    let scratch = Scratch::new();
    for (wrong, word) in [
        ("[alerts]\ngroup_by = [\"colour\"]\n", "\"colour\" is nothing to group by"),
        ("[alerts]\ngroup_by = [\"rule\"]\n", "\"rule\" is nothing to group by"),
        ("[[routes]]\ngroup_by = [\"\"]\n", "routes[0].group_by"),
        ("[[routes]]\nmatch = [\"rule=~(((a{60}){60}){60}){60}\"]\n", "is no pattern"),
        ("[[routes]]\nmatch = [\"colour=red\"]\n", "colour"),
        ("[[routes]]\nmute = [\"night\"]\n", "there is no mute window"),
        (
            "[[mute_windows]]\nname = \"n\"\nfrom = \"22:00\"\nto = \"06:00\"\noffset = \"Europe/Vienna\"\n",
            "offset",
        ),
        (
            &"[[mute_windows]]\nname = \"n\"\nfrom = \"22:00\"\nto = \"06:00\"\n".repeat(2),
            "mute_windows[1].name: \"n\" is taken",
        ),
        // None of them is left out without a word.
        (
            &"[[inhibitions]]\nsource = [\"severity=high\"]\ntarget = [\"severity=low\"]\n".repeat(101),
            "inhibitions: more than 100",
        ),
        (
            &"[[silences]]\nmatch = [\"model=a\"]\nuntil = \"2030-01-01T00:00:00Z\"\nby = \"a\"\nreason = \"r\"\n"
                .repeat(101),
            "silences: more than 100",
        ),
    ] {
        let path = scratch.join("wrong.toml");
        fs::write(&path, common::toml(&scratch, wrong)).unwrap();
        let errors = Config::load(&Source { file: Some(&path), env: &|_| None }).unwrap_err().to_string();
        assert!(errors.contains(word), "{wrong}: {errors}");
    }
}
