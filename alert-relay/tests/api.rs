//! Reading: summary, incidents, health, and the description of it all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::net::SocketAddr;

use common::{
    Scratch,
    client::{get, metric, post, request},
    event, now_ms, start, until,
};
use serde_json::{Value, json};

/// Holds a value against a schema of the relay's own document: type, required, properties, items, enum, const, allOf.
fn fits(schema: &Value, value: &Value, document: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        let target = &document["components"]["schemas"][name];
        assert!(target.is_object(), "{name} is not described");
        return fits(target, value, document, at);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(part, value, document, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => vec![kind],
    };
    let also = if kind == "integer" { "number" } else { kind };
    assert!(allowed.contains(&kind) || allowed.contains(&also), "{at}: {kind} is none of {allowed:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    if !schema["const"].is_null() {
        assert_eq!(&schema["const"], value, "{at}");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{at} lacks {name}");
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, schema) in properties {
            if let Some(value) = fields.get(name) {
                fits(schema, value, document, &format!("{at}/{name}"));
            }
        }
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(&schema["items"], item, document, &format!("{at}/{n}"));
    }
}

/// What a mail's link has behind the incident's id.
fn sealed(id: &str) -> String {
    let until = now_ms() / 1000 + 60;
    let seal = wire::signature::Key::parse(common::KEY)
        .unwrap()
        .derive(&format!("modelgate acknowledge\n{id}\n{until}\nops@example.org"));
    let seal: String = seal.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("?until={until}&seal={seal}&to=ops%40example.org")
}

/// Every property of an answer is described.
fn described(schema: &Value, value: &Value, document: &Value) {
    let mut names: Vec<String> = Vec::new();
    let mut schemas = vec![schema];
    while let Some(schema) = schemas.pop() {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            schemas.push(&document["components"]["schemas"][name]);
        }
        schemas.extend(schema["allOf"].as_array().into_iter().flatten());
        names.extend(schema["properties"].as_object().into_iter().flat_map(|p| p.keys().cloned()));
    }
    for name in value.as_object().unwrap().keys() {
        assert!(names.contains(name), "{name} is not described");
    }
}

async fn filled(scratch: &Scratch) -> alert_relay::Relay {
    let relay = start(scratch, "").await;
    let mut events = vec![
        event("203.0.113.1", "high"),
        event("203.0.113.1", "critical"),
        event("203.0.113.2", "medium"),
        event("203.0.113.3", "low"),
    ];
    events[2]["findings"][0]["rule"] = json!("jailbreak.persona.dan");
    events[2]["findings"][0]["category"] = json!("jailbreak");
    events[2]["verdict"] = json!("flag");
    events[3]["model"] = json!("iris");
    events[3]["client"] = json!({});
    let mut old = event("203.0.113.9", "high");
    old["time_ms"] = json!(now_ms() - 30 * 3_600_000);
    events.push(old);
    assert_eq!(post(relay.address(), &events).await.json()["accepted"], 5);
    relay
}

#[tokio::test]
async fn the_summary_counts_the_hours_asked_for() {
    let scratch = Scratch::new();
    let relay = filled(&scratch).await;
    let summary = get(relay.address(), "/v1/summary?hours=24").await.json();
    assert_eq!(summary["hours"], 24);
    assert_eq!(summary["total"], 4);
    assert_eq!(summary["by_severity"], json!({"low": 1, "medium": 1, "high": 1, "critical": 1}));
    assert_eq!(summary["by_verdict"], json!({"allow": 0, "flag": 1, "mask": 0, "throttle": 0, "block": 3}));
    assert_eq!(summary["unique_clients"], 2, "who is not known is not counted");
    assert_eq!(
        summary["most_common_threats"],
        json!([
            {"rule": "injection.override.ignore-previous", "count": 3},
            {"rule": "jailbreak.persona.dan", "count": 1},
        ])
    );
    assert_eq!(
        get(relay.address(), "/v1/summary").await.json()["total"],
        4,
        "24 hours unless asked otherwise"
    );
    let longer = get(relay.address(), "/v1/summary?hours=48").await.json();
    assert_eq!((longer["total"].as_u64(), longer["unique_clients"].as_u64()), (Some(5), Some(3)));
    relay.shut_down().await;
}

#[tokio::test]
async fn incidents_are_listed_filtered_and_paged() {
    let scratch = Scratch::new();
    let relay = filled(&scratch).await;
    let address = relay.address();
    let list =
        async |query: &str| get(address, &format!("/v1/incidents{query}")).await.json()["incidents"].clone();
    assert_eq!(list("").await.as_array().unwrap().len(), 4);
    for (query, count) in [
        ("?model=iris", 1),
        ("?model=nothing", 0),
        ("?severity=high", 2),
        ("?severity=critical", 1),
        ("?category=jailbreak", 1),
        ("?hours=24", 3),
        ("?hours=24&severity=medium&model=demo", 2),
    ] {
        assert_eq!(list(query).await.as_array().unwrap().len(), count, "{query}");
    }
    let worst = &list("?severity=critical").await[0];
    assert_eq!(worst["client"], "address:203.0.113.1");
    assert_eq!((worst["count"].as_u64(), worst["refused"].as_u64()), (Some(2), Some(2)));
    assert_eq!(worst["open"], true);
    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = get(address, &format!("/v1/incidents{query}")).await.json();
        seen.extend(page["incidents"].as_array().unwrap().iter().map(|incident| incident["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=3&before={next}");
    }
    assert_eq!(seen.len(), 4);
    let whole: Vec<Value> =
        list("").await.as_array().unwrap().iter().map(|incident| incident["id"].clone()).collect();
    assert_eq!(seen, whole, "pages continue each other");
    relay.shut_down().await;
}

#[tokio::test]
async fn one_incident_comes_with_its_events_and_mails() {
    let scratch = Scratch::new();
    let relay = filled(&scratch).await;
    let address = relay.address();
    until("the mail", || scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'sent'") >= 2).await;
    let id = get(address, "/v1/incidents?severity=critical").await.json()["incidents"][0]["id"].clone();
    let incident = get(address, &format!("/v1/incidents/{}", id.as_str().unwrap())).await.json();
    assert_eq!(incident["id"], id);
    assert_eq!(incident["events"].as_array().unwrap().len(), 2);
    assert_eq!(incident["events"][0]["request"]["path"], "/v1/chat/completions");
    assert_eq!(incident["mails"][0]["state"], "sent");
    assert_eq!(get(address, "/v1/incidents/no-id").await.status, 400);
    assert_eq!(get(address, "/v1/incidents/017f22e2-79b0-7cc3-98c4-dc0c0c07398f").await.status, 404);
    relay.shut_down().await;
}

#[tokio::test]
async fn the_page_is_safe_to_open() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let mut hostile = event("203.0.113.1", "high");
    hostile["model"] = json!("<script>alert(1)</script>");
    hostile["request"]["path"] = json!("/\"><img src=x onerror=alert(1)>");
    post(relay.address(), &[hostile]).await;
    let list = get(relay.address(), "/v1/incidents").await.json();
    let path = format!("/incidents/{}", list["incidents"][0]["id"].as_str().unwrap());
    let page = get(relay.address(), &path).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'nonce-") && !policy.contains("unsafe"),
        "{policy}"
    );
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.body.contains(&format!("<style nonce=\"{nonce}\">")));
    assert!(!page.body.contains("<script") && !page.body.contains("<img") && !page.body.contains(" style="));
    assert!(page.body.contains("&lt;script&gt;alert(1)"));
    let again = get(relay.address(), &path).await;
    assert_ne!(again.header("content-security-policy"), Some(policy), "a fresh nonce each time");
    assert_eq!(get(relay.address(), "/incidents/x").await.status, 400);
    relay.shut_down().await;
}

#[tokio::test]
async fn the_list_of_incidents_is_a_page_that_filters_pages_and_is_safe_to_open() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "[alerts]\ngroup_wait = \"1h\"\n").await;
    let address = relay.address();
    let hostile = "\"><script>alert(1)</script><img src=x onerror=y> & \u{202e}https://evil.example/?a=b#c";
    let mut events: Vec<Value> = (0..120)
        .map(|n| {
            let mut event = event(&format!("203.0.113.{n}"), ["low", "high", "critical"][n % 3]);
            event["time_ms"] = json!(now_ms() - 60_000 + n as u64);
            event
        })
        .collect();
    events[119]["model"] = json!(hostile);
    events[119]["client"] = json!({"user": hostile});
    post(address, &events).await;
    // Every incident once, by following the links.
    let (mut path, mut seen) = ("/incidents?severity=high&state=".to_owned(), Vec::new());
    loop {
        let page = get(address, &path).await;
        assert_eq!(page.status, 200, "{page:?}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-") && !policy.contains("unsafe"));
        assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(
            !page.body.contains("<script") && !page.body.contains("<img") && !page.body.contains('\u{202e}')
        );
        assert!(page.body.contains("<option value=\"high\" selected>"));
        seen.extend(page.body.split("<a href=\"/incidents/").skip(1).map(|rest| rest[..36].to_owned()));
        let Some(older) = page.body.split("<a href=\"").find(|rest| rest.contains("\">Older")) else { break };
        path = older.split('"').next().unwrap().replace("&amp;", "&");
        assert!(path.contains("severity=high"), "{path}");
    }
    let unique: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), unique.len()), (80, 80));
    // The caller's link finds the caller, whatever it is called.
    let first = get(address, "/incidents").await.body;
    let link = first.split("<a href=\"/incidents?client=").nth(1).unwrap().split('"').next().unwrap();
    let one = get(address, &format!("/incidents?client={link}")).await.body;
    assert_eq!(one.matches("<a href=\"/incidents/").count(), 1);
    assert!(one.contains("&lt;script&gt;") && !one.contains("<script"));
    // So does every field of the form with it.
    for name in ["model", "client", "category", "state", "severity", "hours", "campaign", "before"] {
        let answer = get(address, &format!("/incidents?{name}={}", link.trim_start_matches("user%3A"))).await;
        let free = ["model", "client"].contains(&name);
        assert_eq!(answer.status, if free { 200 } else { 400 }, "{name}");
        // What is refused comes as JSON, and is called so.
        let kind = answer.header("content-type").unwrap();
        assert_eq!(kind.starts_with("text/html"), free, "{kind}");
        assert!(!free || !answer.body.contains("<script"), "{name}: {}", answer.body);
    }
    assert!(get(address, "/incidents?hours=5").await.body.contains("<option value=\"5\" selected>5"));
    assert!(get(address, "/incidents?model=none").await.body.contains("None."));
    assert_eq!(get(address, "/incidents?colour=red").await.status, 400);
    let id = &seen[0];
    assert!(
        get(address, &format!("/incidents/{id}")).await.body.contains("<a href=\"/incidents\">All incidents")
    );
    relay.shut_down().await;
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let table = [
        ("/v1/summary?hours=0", "hours: \"0\" is no whole number from 1 to 8784"),
        ("/v1/summary?hours=x", "hours: \"x\""),
        ("/v1/summary?hours=-1", "hours: \"-1\""),
        ("/v1/summary?hours=1e9", "hours: \"1e9\""),
        ("/v1/summary?hours=9999999999999999999999", "hours: "),
        ("/v1/summary?hours=", "hours: \"\""),
        ("/v1/summary?hours=1&hours=2", "hours: given twice"),
        ("/v1/summary?hour=1", "\"hour\": no such parameter; there are hours"),
        ("/v1/incidents?limit=0", "limit: "),
        ("/v1/incidents?limit=201", "limit: \"201\" is no whole number from 1 to 200"),
        ("/v1/incidents?severity=HIGH", "severity: \"HIGH\" is none of low, medium, high, critical"),
        ("/v1/incidents?category=nonsense", "category: \"nonsense\" is no category"),
        ("/v1/incidents?before=nonsense", "before: \"nonsense\" is no `next` of a page"),
        ("/v1/incidents?before=5.nonsense", "before: "),
        ("/v1/incidents?model=a%00b", "model: has a NUL in it"),
        ("/v1/audit?action=%00", "action: has a NUL in it"),
        ("/v1/incidents?order=asc", "\"order\": no such parameter; there are limit, before, hours"),
    ];
    // The description names the categories that there are.
    let document = get(relay.address(), "/openapi.json").await.json();
    let categories = document["components"]["schemas"]["Category"]["enum"].as_array().unwrap();
    assert_eq!(categories.len(), 15);
    for category in categories {
        let path = format!("/v1/incidents?category={}", category.as_str().unwrap());
        assert_eq!(get(relay.address(), &path).await.status, 200, "{path}");
    }
    for (path, expected) in table {
        let answer = get(relay.address(), path).await;
        assert_eq!(answer.status, 400, "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{path}: {detail}");
    }
    relay.shut_down().await;
}

#[tokio::test]
async fn a_configured_token_guards_every_read() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "api_token = \"s3cret\"\n").await;
    let address = relay.address();
    let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    let guarded = [
        ("GET", "/v1/summary".to_owned()),
        ("GET", "/v1/incidents".to_owned()),
        ("GET", format!("/v1/incidents/{id}")),
        ("GET", format!("/incidents/{id}")),
        ("GET", "/metrics".to_owned()),
        ("POST", "/v1/alerts/test".to_owned()),
    ];
    for (method, path) in &guarded {
        for (headers, allowed) in [
            (&[][..], false),
            (&[("authorization", "Bearer wrong")][..], false),
            (&[("authorization", "Bearer s3cret2")][..], false),
            (&[("authorization", "Basic eDp3cm9uZw==")][..], false),
            (&[("authorization", "s3cret")][..], false),
            (&[("authorization", "Bearer s3cret")][..], true),
            (&[("authorization", "bearer s3cret")][..], true),
            // "anybody:s3cret"
            (&[("authorization", "Basic YW55Ym9keTpzM2NyZXQ=")][..], true),
        ] {
            let answer = request(address, method, path, headers, b"").await;
            assert_eq!(answer.status != 401, allowed, "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate").is_some(), !allowed);
        }
    }
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(get(address, path).await.status, 200, "{path}");
    }
    assert_eq!(post(address, &[event("203.0.113.1", "low")]).await.status, 202, "senders sign instead");
    relay.shut_down().await;
}

#[tokio::test]
async fn another_sites_page_cannot_send_test_alerts() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        // Another program under the same domain.
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 202),
        ("sec-fetch-site", "none", 202),
        // Browsers say no more where the connection is plain HTTP to another machine.
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "https://relay.example.org.evil.example", 403),
        ("origin", "https://relay.example", 403),
        ("origin", "https://relay.example.org", 202),
        // The host that is asked.
        ("origin", "http://relay", 202),
    ] {
        let answer = request(relay.address(), "POST", "/v1/alerts/test", &[(name, value)], b"").await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    relay.shut_down().await;
}

#[test]
fn whoever_reads_a_body_says_what_may_be_wrong_with_it() {
    let document = alert_relay::openapi();
    let operations = document["paths"].as_object().unwrap().values().flat_map(|it| it.as_object().unwrap());
    let with_body: Vec<_> =
        operations.filter(|(_, operation)| operation["requestBody"].is_object()).collect();
    assert_eq!(with_body.len(), 7);
    for (_, operation) in with_body {
        for status in ["400", "408", "413"] {
            assert!(operation["responses"][status].is_object(), "{}: {status}", operation["operationId"]);
        }
    }
}

#[tokio::test]
async fn readiness_tells_whether_events_can_be_stored() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    assert_eq!(get(relay.address(), "/healthz").await.json(), json!({"status": "ok"}));
    let ready = get(relay.address(), "/readyz").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("ok")));
    let hold = scratch.db.hold();
    let ready = get(relay.address(), "/readyz").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("unavailable")));
    assert_eq!(get(relay.address(), "/healthz").await.status, 200);
    drop(hold);
    assert_eq!(get(relay.address(), "/readyz").await.status, 200);
    relay.shut_down().await;
}

#[tokio::test]
async fn metrics_are_in_prometheus_form() {
    let scratch = Scratch::new();
    let relay = filled(&scratch).await;
    let address = relay.address();
    assert_eq!(
        metric(address, "modelgate_relay_events_total{severity=\"high\",verdict=\"block\"}").await,
        2.0
    );
    assert_eq!(metric(address, "modelgate_relay_incidents_total").await, 4.0);
    assert_eq!(metric(address, "modelgate_relay_batches_total{status=\"202\"}").await, 1.0);
    let answer = get(address, "/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let mut samples = 0;
    for line in answer.body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(
                comment.starts_with("HELP modelgate_relay_") || comment.starts_with("TYPE modelgate_relay_")
            );
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("modelgate_relay_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        samples += 1;
    }
    assert!(samples >= 50, "{samples} samples");
    let value = |name: &str| {
        answer
            .body
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map(str::to_owned)
            .unwrap()
    };
    let all = value("modelgate_relay_commit_seconds_bucket{le=\"+Inf\"}");
    assert_eq!(all, value("modelgate_relay_commit_seconds_count"));
    relay.shut_down().await;
}

/// Each described operation answers as described, and nothing else answers at all.
#[tokio::test]
async fn the_description_and_the_router_agree() {
    let scratch = Scratch::new();
    let relay = filled(&scratch).await;
    let address = relay.address();
    let document = get(address, "/openapi.json").await.json();
    assert_eq!(document, alert_relay::openapi());
    assert_eq!(document["openapi"], "3.1.0");
    let id = get(address, "/v1/incidents").await.json()["incidents"][0]["id"].as_str().unwrap().to_owned();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            for parameter in operation["parameters"].as_array().unwrap() {
                assert!(parameter["schema"].is_object(), "{path} {parameter}");
            }
            let id =
                if path.starts_with("/v1/decisions") || path.starts_with("/v1/silences") { "1" } else { &id };
            answers_as_described(address, method, &path.replace("{id}", id), operation, &document).await;
        }
        let other = request(address, "PATCH", &path.replace("{id}", &id), &[], b"").await;
        assert_eq!(other.status, 405, "{path}");
    }
    assert_eq!(operations, 25);
    assert_eq!(get(address, "/v1/nothing").await.status, 404);
    assert_eq!(get(address, "/").await.status, 404);
    relay.shut_down().await;
}

async fn answers_as_described(
    address: SocketAddr,
    method: &str,
    path: &str,
    operation: &Value,
    document: &Value,
) {
    let answer = match operation["operationId"].as_str() {
        Some("postEvents") => post(address, &[event("203.0.113.1", "low")]).await,
        Some("postDecision") => {
            let decision =
                json!({"scope": "user", "value": "ann", "action": "block", "reason": "an example"});
            let headers = [("content-type", "application/json")];
            request(address, "POST", path, &headers, decision.to_string().as_bytes()).await
        }
        Some("postSilence") => {
            let silence = json!({"match": ["model=none"], "reason": "an example", "seconds": 60});
            let headers = [("content-type", "application/json")];
            request(address, "POST", path, &headers, silence.to_string().as_bytes()).await
        }
        Some("commentIncident") => {
            let note = json!({"text": "known to the team", "by": "ann"}).to_string();
            request(address, "POST", path, &[("content-type", "application/json")], note.as_bytes()).await
        }
        Some("getAcknowledgePage" | "acknowledgeByMail") => {
            let path = format!("{path}{}", sealed(path.rsplit('/').next().unwrap()));
            request(address, &method.to_ascii_uppercase(), &path, &[], b"").await
        }
        _ => request(address, &method.to_ascii_uppercase(), path, &[], b"").await,
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {path}: {} is not described", answer.status);
    assert!(answer.status < 300, "{method} {path}: {answer:?}");
    if answer.status == 204 {
        return;
    }
    let media = answer.header("content-type").unwrap().split(';').next().unwrap();
    let schema = &response["content"][media]["schema"];
    assert!(schema.is_object(), "{method} {path}: {media} is not described");
    if media == "application/json" && schema["$ref"].is_string() {
        fits(schema, &answer.json(), document, path);
        described(schema, &answer.json(), document);
    }
}
