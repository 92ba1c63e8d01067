//! Strict readers of what channels write: RFC 5424, CEF, OTLP, PagerDuty. They panic at the first thing that is not in the
//! form.

use std::collections::BTreeMap;

use serde_json::Value;

/// A syslog message of RFC 5424.
#[derive(Debug)]
pub(crate) struct Syslog {
    pub(crate) facility: u16,
    pub(crate) severity: u16,
    pub(crate) timestamp: String,
    pub(crate) hostname: String,
    pub(crate) app: String,
    pub(crate) msgid: String,
    pub(crate) data: String,
    pub(crate) message: String,
}

/// Reads `<PRI>1 SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP SD [SP MSG]`, RFC 5424, 6.
pub(crate) fn syslog(bytes: &[u8]) -> Syslog {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let rest = text.strip_prefix('<').expect("PRI");
    let (priority, rest) = rest.split_once('>').expect("PRI");
    assert!(priority.len() <= 3 && (priority == "0" || !priority.starts_with('0')), "{priority}");
    let priority: u16 = priority.parse().unwrap();
    assert!(priority <= 191);
    let rest = rest.strip_prefix("1 ").expect("VERSION 1");
    let mut words = rest.splitn(6, ' ');
    let mut word = |max: usize| {
        let word = words.next().expect("a header field").to_owned();
        assert!(
            !word.is_empty() && word.len() <= max && word.bytes().all(|b| b.is_ascii_graphic()),
            "{word}"
        );
        word
    };
    let (timestamp, hostname, app) = (word(32), word(255), word(48));
    let (_procid, msgid) = (word(128), word(32));
    let form: String = timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000Z");
    let (data, message) = structured_data(words.next().expect("STRUCTURED-DATA"));
    assert!(!message.contains(['\n', '\r', '\0']), "a message of several lines: {message:?}");
    let (facility, severity) = (priority / 8, priority % 8);
    Syslog { facility, severity, timestamp, hostname, app, msgid, data, message: message.to_owned() }
}

fn structured_data(text: &str) -> (String, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        return ("-".to_owned(), rest.strip_prefix(' ').unwrap_or(rest));
    }
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if quoted => panic!("] within a value must be escaped"),
            '[' if !quoted => open = true,
            ']' => open = false,
            ' ' if !quoted && !open => return (text[..at].to_owned(), &text[at + 1..]),
            _ => assert!(open, "{c:?} outside an element of {text:?}"),
        }
    }
    (text.to_owned(), "")
}

/// Messages by octet counting, RFC 6587, 3.4.1: nothing before, between or after them.
pub(crate) fn octet_counted(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').expect("MSG-LEN SP");
        let length = std::str::from_utf8(&bytes[..space]).unwrap();
        assert!(!length.starts_with('0'), "{length}");
        let length: usize = length.parse().unwrap();
        messages.push(bytes[space + 1..space + 1 + length].to_vec());
        bytes = &bytes[space + 1 + length..];
    }
    messages
}

/// The seven fields of a CEF header and its extension, unescaped.
#[derive(Debug)]
pub(crate) struct Cef {
    pub(crate) header: Vec<String>,
    pub(crate) extension: BTreeMap<String, String>,
}

/// Reads CEF:0; an escape that CEF does not know, a bare `=` or a key given twice is an error.
pub(crate) fn cef(text: &str) -> Cef {
    assert!(!text.contains(['\n', '\r']));
    let rest = text.strip_prefix("CEF:").expect("CEF:");
    let mut header = vec![String::new()];
    let mut chars = rest.chars();
    while header.len() < 8 {
        match chars.next().expect("seven fields") {
            '\\' => match chars.next() {
                Some(c @ ('\\' | '|')) => header.last_mut().unwrap().push(c),
                other => panic!("\\{other:?} in the header"),
            },
            '|' => header.push(String::new()),
            c => header.last_mut().unwrap().push(c),
        }
    }
    header.pop();
    assert_eq!(header[0], "0");
    let severity: u8 = header[6].parse().expect("a severity");
    assert!(severity <= 10);
    Cef { header, extension: pairs(chars.as_str()) }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    // Where an unescaped `=` stands; the word before it is the key.
    let mut signs = Vec::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                assert!(matches!(c, '\\' | '=' | 'n' | 'r'), "\\{c} in the extension");
                escaped = false;
            }
            '\\' => escaped = true,
            '=' => signs.push(at),
            _ => {}
        }
    }
    let key_at = |sign: usize| text[..sign].rfind(' ').map_or(0, |space| space + 1);
    let mut pairs = BTreeMap::new();
    for (n, sign) in signs.iter().enumerate() {
        let key = &text[key_at(*sign)..*sign];
        assert!(!key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric()), "key {key:?}");
        let end = signs.get(n + 1).map_or(text.len(), |next| key_at(*next) - 1);
        let value = text[sign + 1..end].replace("\\=", "=").replace("\\\\", "\\");
        assert!(pairs.insert(key.to_owned(), value).is_none(), "{key} twice");
    }
    pairs
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

fn only(value: &Value, pointer: &str, known: &[&str]) {
    let fields = value.pointer(pointer).and_then(Value::as_object).unwrap_or_else(|| panic!("{pointer}"));
    for key in fields.keys() {
        assert!(known.contains(&key.as_str()), "{pointer}/{key} is not known");
    }
}

/// An event of PagerDuty's Events API v2, by its reference.
pub(crate) fn pagerduty(event: &Value) {
    let known =
        ["routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"];
    only(event, "", &known);
    assert_eq!(text(event, "/routing_key").len(), 32);
    assert!((1..=255).contains(&text(event, "/dedup_key").len()));
    match text(event, "/event_action") {
        "trigger" => {}
        "acknowledge" | "resolve" => return,
        other => panic!("{other}"),
    }
    let payload =
        ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
    only(event, "/payload", &payload);
    assert!((1..=1024).contains(&text(event, "/payload/summary").chars().count()));
    assert!(!text(event, "/payload/source").is_empty());
    assert!(["critical", "error", "warning", "info"].contains(&text(event, "/payload/severity")));
    assert!(text(event, "/payload/timestamp").ends_with('Z'));
    for link in event["links"].as_array().into_iter().flatten() {
        only(link, "", &["href", "text"]);
        assert!(text(link, "/href").starts_with("https://"));
    }
    assert!(event.to_string().len() <= 512 * 1024);
}

/// An `ExportLogsServiceRequest` in JSON (lower camel case, 64-bit numbers as strings) with one record, which is given.
pub(crate) fn otlp(request: &Value) -> Value {
    only(request, "", &["resourceLogs"]);
    let [resource] = request["resourceLogs"].as_array().unwrap().as_slice() else { panic!("one resource") };
    only(resource, "", &["resource", "scopeLogs", "schemaUrl"]);
    assert!(attributes(&resource["resource"]["attributes"]).contains_key("service.name"));
    let [scope] = resource["scopeLogs"].as_array().unwrap().as_slice() else { panic!("one scope") };
    only(scope, "", &["scope", "logRecords", "schemaUrl"]);
    only(scope, "/scope", &["name", "version", "attributes"]);
    let [record] = scope["logRecords"].as_array().unwrap().as_slice() else { panic!("one record") };
    let known = [
        "timeUnixNano",
        "observedTimeUnixNano",
        "severityNumber",
        "severityText",
        "body",
        "attributes",
        "droppedAttributesCount",
        "flags",
        "traceId",
        "spanId",
        "eventName",
    ];
    only(record, "", &known);
    for time in ["/timeUnixNano", "/observedTimeUnixNano"] {
        assert!(text(record, time).parse::<u64>().unwrap() > 1_700_000_000_000_000_000);
    }
    assert!((1..=24).contains(&record["severityNumber"].as_u64().unwrap()));
    assert!(!text(record, "/body/stringValue").is_empty());
    attributes(&record["attributes"]);
    record.clone()
}

/// Attributes by key, each once and of one kind.
pub(crate) fn attributes(list: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for attribute in list.as_array().expect("attributes") {
        only(attribute, "", &["key", "value"]);
        let value = attribute["value"].as_object().unwrap();
        assert_eq!(value.len(), 1, "{attribute}");
        let (kind, inner) = value.iter().next().unwrap();
        match kind.as_str() {
            "stringValue" => assert!(inner.is_string()),
            "intValue" => drop(inner.as_str().unwrap().parse::<i64>().unwrap()),
            "arrayValue" => only(inner, "", &["values"]),
            other => panic!("{other}"),
        }
        assert!(found.insert(text(attribute, "/key").to_owned(), inner.clone()).is_none());
    }
    found
}
