//! The HTTP interface. What it offers is listed once, in [`operation`]; router and OpenAPI both follow that list.

mod acknowledge;
mod audit;
pub(crate) mod body;
mod change;
mod decisions;
mod events;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod incidents;
mod openapi;
mod operation;
mod page;
mod query;
mod silences;
mod status;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use self::operation::{Access, Operation};
use crate::{
    alert::clean::clean, clock, config::Config, ingest, metrics::Metrics, quota::Quotas, store::Store,
};

pub(crate) use openapi::document as openapi_document;

/// Longest name of somebody who acts, in characters.
const MAX_WHO: usize = 64;

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Parts>);

/// The parts of [`Shared`].
pub(crate) struct Parts {
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// The store.
    pub(crate) store: Store,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// What each sender may bring.
    pub(crate) quotas: Arc<Quotas>,
    warned_ms: AtomicU64,
}

impl std::ops::Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Shared {
    /// Puts the parts together.
    #[must_use]
    pub(crate) fn new(config: Arc<Config>, store: Store, metrics: Arc<Metrics>, quotas: Arc<Quotas>) -> Self {
        Self(Arc::new(Parts { config, store, metrics, quotas, warned_ms: AtomicU64::new(0) }))
    }

    /// Once in ten seconds: what strangers can cause must not fill the operator's log.
    pub(crate) fn may_warn(&self) -> bool {
        const EVERY: Duration = Duration::from_secs(10);
        let now = clock::steady_ms();
        let last = self.warned_ms.load(Ordering::Relaxed);
        now.saturating_sub(last) >= clock::millis(EVERY)
            && self.warned_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Counts a batch that was not accepted.
    pub(crate) fn count_batch(&self, status: StatusCode) {
        let batches = &self.metrics.batches;
        match status {
            StatusCode::UNAUTHORIZED => batches.unauthorised.add(1),
            StatusCode::PAYLOAD_TOO_LARGE => batches.too_large.add(1),
            StatusCode::TOO_MANY_REQUESTS => batches.busy.add(1),
            status if status.is_server_error() => batches.failed.add(1),
            _ => batches.malformed.add(1),
        }
    }
}

/// An answer that something went wrong, as RFC 9457 describes it.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The status.
    pub(crate) status: StatusCode,
    detail: String,
    retry_after: Option<u32>,
}

impl Problem {
    /// With a line for the caller.
    #[must_use]
    pub(crate) fn new(status: StatusCode, detail: String) -> Self {
        Self { status, detail, retry_after: None }
    }

    /// 400, naming what is wrong.
    #[must_use]
    pub(crate) fn bad_request(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Says when to come again, in seconds.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<crate::store::StoreError> for Problem {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(5)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({"title": title, "status": self.status.as_u16(), "detail": self.detail});
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The whole interface.
pub(crate) fn router(shared: Shared) -> Router {
    let mut open = Router::new();
    let mut guarded = Router::new();
    for operation in Operation::ALL {
        let spec = operation.spec();
        match spec.access {
            Access::Open | Access::Signed | Access::SignedOrToken => {
                open = open.route(spec.path, handler(operation))
            }
            Access::Token => guarded = guarded.route(spec.path, handler(operation)),
        }
    }
    let guarded = guarded.route_layer(middleware::from_fn_with_state(shared.clone(), require_token));
    open.merge(guarded)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here".to_owned()))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method".to_owned())
        })
        .layer(middleware::map_response(as_problem))
        .layer(middleware::map_response(with_safe_headers))
        .with_state(shared)
}

/// The function behind an operation.
fn handler(operation: Operation) -> MethodRouter<Shared> {
    match operation {
        Operation::Events => post(ingest::events),
        Operation::Summary => get(status::summary),
        Operation::Incidents => get(incidents::list),
        Operation::Incident => get(incidents::one),
        Operation::TestAlert => post(status::test_alert),
        Operation::IncidentPage => get(page::incident),
        Operation::IncidentsPage => get(page::list::incidents),
        Operation::Health => get(status::health),
        Operation::Ready => get(status::ready),
        Operation::Metrics => get(status::metrics),
        Operation::OpenApi => get(openapi::serve),
        Operation::Decisions => get(decisions::feed),
        Operation::Decide => post(decisions::create),
        Operation::Lift => delete(decisions::remove),
        Operation::Acknowledge => post(change::acknowledge),
        Operation::Resolve => post(change::resolve),
        Operation::Reopen => post(change::reopen),
        Operation::Comment => post(change::comment),
        Operation::AcknowledgePage => get(acknowledge::page),
        Operation::AcknowledgeByMail => post(acknowledge::act),
        Operation::ListEvents => get(events::list),
        Operation::Audit => get(audit::list),
        Operation::Silences => get(silences::list),
        Operation::Silence => post(silences::create),
        Operation::Unsilence => delete(silences::remove),
    }
}

/// Lets through who shows the token: `Authorization: Bearer`, or as the password of `Basic` for browsers.
async fn require_token(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if request.method() != axum::http::Method::GET
        && is_from_elsewhere(request.headers(), &shared.config.public_url)
    {
        return Problem::new(StatusCode::FORBIDDEN, "not from another site".to_owned()).into_response();
    }
    if shows_token(&shared, request.headers()) {
        return next.run(request).await;
    }
    let mut response =
        Problem::new(StatusCode::UNAUTHORIZED, "the API token is needed".to_owned()).into_response();
    let headers = response.headers_mut();
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"modelgate\""));
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"modelgate\""));
    response
}

/// Whether a browser says that the page of another site asks, be it a neighbour under the same domain: the token that it
/// remembers goes along. What is no browser says neither. (Fetch Metadata; where it is not sent, over plain HTTP from afar,
/// `Origin` of RFC 6454.)
fn is_from_elsewhere(headers: &HeaderMap, public_url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_asked = origin.split_once("://").is_some_and(|(_, authority)| host == Some(authority));
    let is_public =
        public_url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    !(is_asked || is_public)
}

/// Whether a request shows the token, or none is needed.
pub(crate) fn shows_token(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = &shared.config.api_token else { return true };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(shown_token).is_some_and(|given| token.matches(&given))
}

/// The number of what a path names.
fn number_of(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| Problem::bad_request("id: no number".to_owned()))
}

/// The answer to whoever took something back: whether it was there.
fn taken_back(was_there: bool, what: &str, id: u64) -> Result<StatusCode, Problem> {
    if was_there {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}")))
    }
}

/// Under which name somebody acts: the user of `Basic`; whoever shows the token alone has none.
pub(crate) fn who(headers: &HeaderMap) -> String {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let name = given
        .and_then(|given| given.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, value)| String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok())
        .and_then(|decoded| decoded.split_once(':').map(|(name, _)| clean(name, MAX_WHO)))
        .unwrap_or_default();
    if name.is_empty() { "token".to_owned() } else { name }
}

fn shown_token(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
        return decoded.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

/// What refuses a request before any handler sees it (a path or query that is no text) answers as handlers do.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_problem = kind.is_some_and(|kind| kind == "application/problem+json");
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    // Not ready is no problem of the request, and has a body of its own.
    if kind.is_some_and(|kind| kind == "application/json") {
        return response;
    }
    Problem::new(status, "the path, the query or a header cannot be read".to_owned()).into_response()
}

async fn with_safe_headers(mut response: Response) -> Response {
    const SAFE: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in SAFE {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
