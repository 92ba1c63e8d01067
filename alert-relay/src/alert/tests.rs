use super::{clean::is_hidden, *};
use crate::{
    incident::Notify,
    testing::{self, alerts},
};

fn incident_of(events: &[Event]) -> (Incident, Vec<StoredEvent>) {
    let first = &events[0];
    let id = EventId::new(testing::MOMENT, [9; 10]);
    let mut incident = Incident::open(id, Key::of(first).unwrap(), testing::MOMENT);
    let mut stored = Vec::new();
    for (seq, event) in events.iter().enumerate() {
        incident.add(event, testing::MOMENT + 100, &alerts());
        stored.insert(0, StoredEvent { seq: seq as u64, received_ms: testing::MOMENT, event: event.clone() });
    }
    (incident, stored)
}

fn composed(events: &[Event]) -> Letter {
    let (incident, stored) = incident_of(events);
    compose(&incident, &stored, &Extra::default(), "https://relay.example.org", "mail.example.org")
}

#[test]
fn says_what_happened_who_how_bad_why_and_what_to_do() {
    let letter = composed(&[testing::event(1), testing::event(1)]);
    assert_eq!(letter.subject, "Security Alert: demo - HIGH Severity");
    let needed = [
        "HIGH",
        "2026-11-20 23:59:58 UTC",
        "injection.override.ignore-previous",
        "Asks the model to drop its instructions",
        "LLM01:2025",
        "AML.T0051.000",
        "address 203.0.113.1",
        "POST /v1/chat/completions",
        "512 bytes, 2 parts, openai_chat",
        "refused, answered 400",
        "envoy",
        "0.920",
        "What to do next",
        "https://relay.example.org/incidents/01a1fb67-1030-7424-8909-090909090909",
    ];
    let id = testing::event(1).id.to_string();
    for what in needed.into_iter().chain([id.as_str()]) {
        assert!(letter.text.contains(what), "the text lacks {what}:\n{}", letter.text);
        assert!(letter.html.contains(what), "the HTML lacks {what}");
    }
}

#[test]
fn message_ids_follow_from_incident_and_sequence() {
    let (mut incident, stored) = incident_of(&[testing::event(1)]);
    let first = compose(&incident, &stored, &Extra::default(), "http://x", "d");
    assert_eq!(first.message_id, "<incident-01a1fb67-1030-7424-8909-090909090909.0@d>");
    assert_eq!(first.in_reply_to, None);
    assert_eq!(
        compose(&incident, &stored, &Extra::default(), "http://x", "d"),
        first,
        "composing again changes nothing"
    );
    incident.notify = Notify { sequence: 2, count: 1, ..Notify::default() };
    incident.count = 8;
    let third = compose(&incident, &stored, &Extra::default(), "http://x", "d");
    assert_eq!(third.message_id, "<incident-01a1fb67-1030-7424-8909-090909090909.2@d>");
    assert_eq!(third.in_reply_to.as_deref(), Some(first.message_id.as_str()));
    assert!(third.text.contains("7 more events in this incident, 8 in all."), "{}", third.text);
}

#[test]
fn nothing_of_the_attackers_is_live_or_hidden() {
    let hostile =
        "https://evil.example/<script>alert(1)</script>\"'&\u{202e}\u{200b}\r\n.\r\nBcc: x@evil.example";
    let mut event = testing::event(1);
    event.model = hostile.to_owned();
    event.node = hostile.to_owned();
    event.route = hostile.to_owned();
    event.client.address = Some(hostile.to_owned());
    event.client.user = Some(hostile.to_owned());
    event.client.key = Some(wire::KeyIdentity { hash: hostile.to_owned(), prefix: hostile.to_owned() });
    event.request.path = hostile.to_owned();
    event.request.method = hostile.to_owned();
    event.request.protocol = hostile.to_owned();
    event.request.id = Some(hostile.to_owned());
    let finding = &mut event.findings[0];
    finding.summary = hostile.to_owned();
    finding.evidence = Some(hostile.to_owned());
    finding.location = Some(wire::Location { place: hostile.to_owned(), span: None });
    finding.transforms = vec![hostile.to_owned()];
    let letter = composed(&[event]);
    assert!(!letter.subject.chars().any(is_hidden), "{:?}", letter.subject);
    assert!(!letter.text.chars().any(|c| c != '\n' && is_hidden(c)));
    assert!(!letter.html.chars().any(is_hidden));
    for part in [&letter.text, &letter.html] {
        assert!(!part.contains("evil.example") && !part.contains("https://evil"), "{part}");
    }
    assert!(!letter.html.contains("<script") && !letter.html.contains("alert(1)</"));
    assert_eq!(letter.html.matches("<a ").count(), 2, "links to the incident and to all of them");
    assert_eq!(letter.html.matches("href=").count(), 2);
    assert_eq!(letter.html.matches("href=\"https://relay.example.org/incidents").count(), 2);
    for element in ["<img", "<iframe", "<form", "<link", "src=", "url(", "@import"] {
        assert!(!letter.html.contains(element), "{element}");
    }
}

#[test]
fn a_mail_stays_small_whatever_it_tells() {
    let mut event = testing::event(1);
    let long = "ä".repeat(1024);
    event.model = long.clone();
    event.request.path = long.clone();
    event.findings[0].summary = long.clone();
    event.findings = (0..32)
        .map(|n| {
            let mut finding = event.findings[0].clone();
            finding.rule = format!("rule.{n}");
            finding.owasp = vec![long.clone(); 16];
            finding
        })
        .collect();
    let letter = composed(&vec![event; 20]);
    // Gmail cuts a message at 102 KB.
    assert!(letter.html.len() < 60_000, "{}", letter.html.len());
    assert!(letter.text.len() < 30_000, "{}", letter.text.len());
    assert!(letter.subject.chars().count() < 160);
}

#[test]
fn tells_of_passed_and_masked_requests() {
    let mut event = testing::event(1);
    event.verdict = Verdict::Flag;
    assert!(composed(&[event.clone()]).text.contains("did not refuse: the model has seen it"));
    event.verdict = Verdict::Mask;
    assert!(composed(&[event.clone()]).text.contains("masked parts and passed the rest on"));
    let both = composed(&[event, testing::event(1)]);
    let text = both.text.replace('\n', " ");
    assert!(text.contains("The guard refused 1 and passed 1 on to the model."), "{text}");
}

#[test]
fn every_category_has_a_title_and_steps() {
    let categories = [
        "prompt_injection",
        "jailbreak",
        "prompt_extraction",
        "secret",
        "pii",
        "exfiltration",
        "web_payload",
        "structure",
        "tensor",
        "invalid_input",
        "unscannable",
        "rate_limit",
        "authentication",
        "guard",
        "other",
    ];
    assert_eq!(categories.len(), 15);
    let mut titles = std::collections::HashSet::new();
    for word in categories {
        let category: Category = serde_json::from_value(word.into()).unwrap();
        assert_eq!(category.as_str(), word);
        assert!(titles.insert(advice::title(category)));
        assert!(advice::steps(category).len() >= 2, "{word}");
    }
}

#[test]
fn a_test_letter_says_that_it_is_one() {
    let id = EventId::new(testing::MOMENT, [3; 10]);
    let letter = test_letter(id, testing::MOMENT, &alerts(), &Extra::default(), "http://127.0.0.1:9600", "d");
    assert_eq!(letter.subject, "Security Alert: test - LOW Severity");
    assert!(letter.text.contains("This is a test") && letter.html.contains("This is a test"));
}

/// Some readers throw the style sheet away: it may only change what stands inline.
#[test]
fn every_mail_looks_right_without_its_style_sheet_and_leads_to_the_list_of_incidents() {
    let digest = super::digest::Digest {
        name: "daily",
        receiver: "a",
        from_ms: 0,
        until_ms: testing::MOMENT,
        accounts: &[("told".to_owned(), "jailbreak".to_owned(), 3)],
        waiting: 1,
        heads: &[],
        several: false,
    };
    let (url, domain) = ("https://relay.example.org", "example.org");
    let lead = "word ".repeat(100);
    let letters = [
        composed(&[testing::event(1)]),
        digest.letter(url, domain),
        notice_letter(EventId::new(testing::MOMENT, [1; 10]), "Something", &lead, url, domain),
    ];
    for letter in letters {
        let (before, rest) = letter.html.split_once("<style>").unwrap();
        let (_, after) = rest.split_once("</style>").unwrap();
        for element in [before, after].concat().split('<').filter(|element| element.contains("class=\"")) {
            assert!(element.contains(" style=\""), "<{element}");
        }
        assert!(after.contains("href=\"https://relay.example.org/incidents\""), "{after}");
        assert!(
            letter.text.contains("\n-- \nSent by")
                && letter.text.ends_with("All incidents: https://relay.example.org/incidents\n"),
            "{}",
            letter.text
        );
        for line in letter.text.lines().filter(|line| !line.contains("https://")) {
            assert!(line.chars().count() <= 76, "{line}");
        }
    }
}
