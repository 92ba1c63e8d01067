use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value as Json;
use wire::{Event, EventId};

use super::{super::story::Occasion, *};
use crate::{
    alert::{self, Extra},
    incident::{Incident, Key},
    store::StoredEvent,
    testing,
};

/// A directory with these files.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("modelgate-templates-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        for (name, text) in files {
            std::fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn loaded(files: &[(&str, &str)]) -> Result<Templates, Vec<String>> {
    Templates::load(&Directory::with(files).0)
}

fn story(event: &Event) -> Story {
    let mut incident =
        Incident::open(EventId::new(testing::MOMENT, [9; 10]), Key::of(event).unwrap(), testing::MOMENT);
    incident.add(event, testing::MOMENT, &testing::alerts());
    let events = [StoredEvent { seq: 0, received_ms: testing::MOMENT, event: event.clone() }];
    let extra = Extra { hours: Some([1; 24]), acknowledge: true, ..Extra::default() };
    Story::of(&incident, &events, &extra, "https://relay.example.org", Occasion::Incident)
}

/// Every value with its path, as README.md writes it.
fn paths(value: &Json, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().for_each(|item| paths(item, &format!("{path}[]"), out));
        }
        Json::Object(fields) => fields.iter().for_each(|(name, value)| {
            paths(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, out);
        }),
        _ => drop(out.insert(path.to_owned())),
    }
}

#[test]
fn the_readme_lists_the_values_that_there_are() {
    let mut there = BTreeSet::new();
    paths(&serde_json::to_value(context::of(&story(&testing::event(1)))).unwrap(), "", &mut there);
    let readme = include_str!("../../../README.md");
    let table = readme.split("| Value | |\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let first = |line: &str| line.split('|').nth(1).unwrap_or_default().to_owned();
    let names = table.lines().skip(1).map(first).collect::<Vec<_>>().join(",");
    let listed: BTreeSet<String> =
        names.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect();
    assert_eq!(listed, there);
    assert!(there.len() >= 20, "{there:?}");
}

#[test]
fn the_readmes_example_is_good() {
    let readme = include_str!("../../../README.md");
    let block = |kind: &str| {
        let from = readme.split(&format!("```{kind}\n")).nth(1).unwrap();
        from.split("```").next().unwrap().to_owned()
    };
    let templates = loaded(&[("mail.html", &block("jinja"))]).unwrap();
    let html = templates.render(&story(&testing::event(1))).unwrap().html.unwrap();
    assert!(html.contains("modelgate-acknowledge-01a1fb67-1030-7424-8909-090909090909"), "{html}");
    assert!(html.contains("<li>injection.override.ignore-previous"), "{html}");
}

#[test]
fn what_has_a_template_takes_its_form_and_the_rest_stays() {
    let event = testing::event(1);
    let plain = story(&event);
    let templates = loaded(&[("subject.txt", "[{{ severity }}]\n {{ model }}: {{ title }}\n")]).unwrap();
    let rendered = templates.render(&plain).unwrap();
    assert_eq!(rendered.subject.as_deref(), Some("[high] demo: Prompt injection: demo"));
    assert_eq!((rendered.text, rendered.html), (None, None));
    let all = loaded(&[
        ("mail.txt", "{% for fact in facts %}{{ fact.name }}={{ fact.value }}\n{% endfor %}{{ chart_text }}"),
        ("mail.html", "<p>{{ lead }}</p>{{ chart_html }}<a href=\"{{ link }}\">x</a>"),
    ]);
    let rendered = all.unwrap().render(&plain).unwrap();
    assert!(rendered.text.unwrap().contains("Client=address 203.0.113.1\n"));
    let html = rendered.html.unwrap();
    assert!(html.contains("<td valign=\"bottom\""), "the chart is markup: {html}");
    assert_eq!(rendered.subject, None);
    let empty = loaded(&[("subject.txt", " \n")]).unwrap().render(&plain).unwrap();
    assert_eq!(empty.subject, None, "no subject is no subject of one's own");
}

#[test]
fn a_letter_keeps_its_headers_whatever_the_templates_say() {
    let templates =
        loaded(&[("subject.txt", "x\r\nBcc: victim@example.org\r\n\r\n{{ 'y' * 500 }}")]).unwrap();
    let extra = Extra { templates: Some(std::sync::Arc::new(templates)), ..Extra::default() };
    let id = EventId::new(testing::MOMENT, [9; 10]);
    let of = |extra: &Extra| {
        alert::test_letter(id, testing::MOMENT, &testing::alerts(), extra, "https://relay.example.org", "d")
    };
    let (own, built_in) = (of(&extra), of(&Extra::default()));
    assert!(own.subject.starts_with("x Bcc: victim@example.org yyy"), "{}", own.subject);
    assert_eq!(own.subject.chars().count(), MAX_SUBJECT_CHARS + 1);
    assert!(!own.subject.contains(char::is_control));
    let built_in = alert::Letter { subject: own.subject.clone(), ..built_in };
    assert_eq!(own, built_in, "nothing else changed");
}

#[test]
fn nothing_of_the_attackers_is_live_even_where_a_template_marks_it_safe() {
    let hostile =
        "\"'><img src=x onerror=alert(1)>`&#60;script&#62; https://evil.example/\u{202e}\u{200b}\r\nx";
    let mut event = testing::event(1);
    event.model = hostile.to_owned();
    event.node = hostile.to_owned();
    event.route = hostile.to_owned();
    event.client.address = Some("javascript:alert(1)".to_owned());
    event.client.user = Some(hostile.to_owned());
    event.request.path = hostile.to_owned();
    event.request.id = Some("javascript:alert(1)".to_owned());
    // Rules and their tags are the filters' own words: no address, but markup all the same.
    let markup = "\"'><img src=x onerror=alert(1)>`&#60;script&#62;";
    event.findings[0].rule = markup.to_owned();
    event.findings[0].summary = hostile.to_owned();
    event.findings[0].evidence = Some(hostile.to_owned());
    event.findings[0].owasp = vec![markup.to_owned()];
    let template = "{% autoescape false %}{{ subject }}{{ title }}{{ lead }}{{ model }}{{ footer }}\
        {% for fact in facts %}<i title=\"{{ fact.value|safe }}\">{% endfor %}\
        {% for t in threats %}{{ t.rule }}{{ t.summary|safe }}{{ t.tags }}{% endfor %}\
        {% for request in requests %}{% for f in request %}<a href='{{ f.value }}'>{% endfor %}{% endfor %}\
        {% endautoescape %}";
    let templates = loaded(&[("mail.html", template)]).unwrap();
    let html = templates.render(&story(&event)).unwrap().html.unwrap();
    assert!(html.contains("‹img src=x"), "{html}");
    for live in ["<img", "<script", "evil.example", "https://", "&#", "`", "='javascript:", "\u{202e}", "\r"]
    {
        assert!(!html.contains(live), "{live:?} in {html}");
    }
    let tags = html.matches('<').count();
    assert_eq!(tags, html.matches("<i title=\"").count() + html.matches("<a href='").count());
    assert_eq!(html.matches('"').count(), 2 * html.matches("<i ").count());
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    let huge = "x".repeat(70_000);
    let cases: &[(&str, &str, &[&str])] = &[
        ("mail.html", "one\n{{ leed }}\n", &["mail.html:2", "undefined"]),
        ("mail.html", "one\n\n{% if %}", &["mail.html:3", "syntax error"]),
        ("mail.txt", "{% for x in threats %}{{ x.nothing }}{% endfor %}", &["mail.txt:1", "undefined"]),
        ("mail.txt", "{% include 'mail.html' %}", &["mail.txt:1"]),
        ("mail.txt", "{% include '/etc/passwd' %}", &["mail.txt:1"]),
        // Only a message without hours shows it.
        ("mail.txt", "{{ hours|length }}", &["mail.txt:1"]),
        ("mail.txt", "{{ acknowledge ~ incident.id }}", &["mail.txt:1"]),
        (
            "mail.txt",
            "\n{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            &["mail.txt:2", "does not end"],
        ),
        (
            "mail.txt",
            "{% for a in range(9999) %}{{ 'x' * 1000 }}{% endfor %}",
            &["mail.txt", "more than 262144 bytes"],
        ),
        ("mail.htm", "x", &["mail.htm is none of subject.txt, mail.txt, mail.html"]),
        ("mail.txt", &huge, &["mail.txt", "70000 bytes are more than 65536"]),
        (".hidden", "x", &["has none of subject.txt"]),
    ];
    for (name, source, needed) in cases {
        let errors = loaded(&[(name, source)]).map(|_| ()).unwrap_err();
        for needed in *needed {
            assert!(errors.iter().any(|e| e.contains(needed)), "{source:.60}: {errors:#?} lacks {needed:?}");
        }
    }
    assert!(Templates::load(Path::new("/nonexistent")).unwrap_err()[0].contains("cannot read /nonexistent"));
}

#[test]
fn a_template_that_fails_with_a_message_leaves_it_in_the_built_in_form() {
    // Good with all that it is tried with, and bad with this model.
    let source = "{% if model == 'demo-2' %}{{ nothing }}{% endif %}mine";
    let templates = loaded(&[("mail.txt", source)]).unwrap();
    let extra = Extra { templates: Some(std::sync::Arc::new(templates)), ..Extra::default() };
    let text = |model: &str| {
        let event = Event { model: model.to_owned(), ..testing::event(1) };
        let mut incident =
            Incident::open(EventId::new(testing::MOMENT, [9; 10]), Key::of(&event).unwrap(), testing::MOMENT);
        incident.add(&event, testing::MOMENT, &testing::alerts());
        alert::compose(&incident, &[], &extra, "https://x", "d").text
    };
    assert_eq!(text("demo"), "mine");
    assert!(text("demo-2").contains("What to do next"), "somebody must be told");
}
