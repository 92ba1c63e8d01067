//! What the stand-in was sent, so that a test can tell what reached the model and what did not.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Requests remembered; the oldest go first.
const KEPT: usize = 256;

/// Counters and the last requests.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    total: u64,
    by_path: BTreeMap<String, u64>,
    last: VecDeque<Value>,
}

impl Seen {
    fn with<T>(&self, action: impl FnOnce(&mut Inner) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `GET /_count`: `{"total":N,"by_path":{path:N},"left":streams that were not read to their end}`. `GET /_seen`: the last requests, newest last, each
/// `{"method","path","headers":[[name,value]],"body_bytes","body_sha256"}`. `DELETE` on either forgets everything.
pub(crate) fn questions(seen: Arc<Seen>) -> Router {
    let forget = async |State(seen): State<Arc<Seen>>| {
        seen.with(|inner| *inner = Inner::default());
        StatusCode::NO_CONTENT
    };
    let count = async |State(seen): State<Arc<Seen>>| {
        json_response(&seen.with(
            |inner| json!({ "total": inner.total, "by_path": inner.by_path, "left": crate::sse::left() }),
        ))
    };
    let last = async |State(seen): State<Arc<Seen>>| {
        json_response(&Value::Array(seen.with(|inner| inner.last.iter().cloned().collect())))
    };
    Router::new()
        .route("/_count", get(count).delete(forget))
        .route("/_seen", get(last).delete(forget))
        .with_state(seen)
}

/// Remembers a request, then does what its `x-stand-in-*` headers ask for.
pub(crate) async fn remember(State(seen): State<Arc<Seen>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, crate::MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path().to_owned();
    let record = record(parts.method.as_str(), &path, &parts.headers, &body);
    seen.with(|inner| {
        inner.total += 1;
        *inner.by_path.entry(path).or_default() += 1;
        if inner.last.len() == KEPT {
            inner.last.pop_front();
        }
        inner.last.push_back(record);
    });
    let wishes = Wishes::read(&parts.headers);
    tokio::time::sleep(wishes.delay).await;
    let mut response = match wishes.status {
        Some(status) => (status, r#"{"error":{"message":"as asked for","type":"stand_in"}}"#).into_response(),
        None => next.run(Request::from_parts(parts, Body::from(body))).await,
    };
    response.headers_mut().extend(wishes.add);
    response
}

fn record(method: &str, path: &str, headers: &HeaderMap, body: &Bytes) -> Value {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let digest = Sha256::digest(body).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    json!({ "method": method, "path": path, "headers": headers, "body_bytes": body.len(), "body_sha256": digest })
}

/// What the `x-stand-in-*` headers ask for.
struct Wishes {
    delay: Duration,
    status: Option<StatusCode>,
    add: Vec<(HeaderName, HeaderValue)>,
}

impl Wishes {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let milliseconds = text("x-stand-in-delay-ms").and_then(|text| text.parse().ok()).unwrap_or(0);
        let add = headers.get_all("x-stand-in-add").iter().filter_map(|value| {
            let (name, value) = value.to_str().ok()?.split_once('=')?;
            Some((name.parse().ok()?, value.parse().ok()?))
        });
        Self {
            delay: Duration::from_millis(milliseconds),
            status: text("x-stand-in-status").and_then(|text| text.parse().ok()),
            add: add.collect(),
        }
    }
}

/// A JSON response.
pub(crate) fn json_response(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
