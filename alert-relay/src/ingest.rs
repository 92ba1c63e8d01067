//! `POST /v1/events`: signed batches in, an answer after the commit.

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wire::{
    Batch, BatchError, CLOUD_EVENT, CLOUD_EVENTS, Category, Client, DecodedBatch, Direction, Event, EventId,
    EventKind, Finding, Request, Score, Severity, Surface, VERSION, Verdict, limits, signature,
};

use crate::{
    api::{Problem, Shared, body},
    clock, entropy, notice,
    quota::Sender,
    store::{Incoming, StoreError},
};

/// Takes a batch.
pub(crate) async fn events(
    State(shared): State<Shared>,
    Extension(sender): Extension<Sender>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match take(&shared, sender, &headers, body).await {
        Ok(response) => response,
        Err(problem) => {
            shared.count_batch(problem.status);
            problem.into_response()
        }
    }
}

async fn take(shared: &Shared, sender: Sender, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let body = body::read(headers, body, limits::MAX_BATCH_BYTES, "batch").await?;
    // Who shows a certificate of ours is known; all others sign.
    if matches!(sender, Sender::Address(_)) && !shared.config.webhook_keys.is_empty() {
        check_signature(shared, headers, &body)?;
    }
    let id = message_id(headers, &body);
    let _room = shared.store.open_batch(body.len()).await.map_err(not_stored)?;
    let mut decoded = decode(headers, &body).map_err(|e| match e {
        BatchError::TooLarge { .. } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, e.to_string()),
        _ => Problem::new(StatusCode::BAD_REQUEST, e.to_string()),
    })?;
    drop(body);
    allow(shared, sender, decoded.events.len())?;
    let dropped = decoded.dropped;
    let synthetic = dropped > 0;
    if synthetic {
        let event = dropped_event(id, dropped, decoded.events.last(), clock::now_ms());
        decoded.events.push(event);
    }
    let events = decoded
        .events
        .into_iter()
        .map(|event| {
            // Strings, numbers and closed enums only: serialising an event cannot fail.
            let body = serde_json::to_string(&event).unwrap_or_default();
            Incoming { event, body }
        })
        .collect();
    let stored = shared.store.ingest(events).await.map_err(not_stored)?;
    let metrics = &shared.metrics;
    metrics.rejected.add(decoded.rejected.len());
    metrics.batches.accepted.add(1);
    // The sender counts its own events.
    let (mut accepted, mut duplicates) = (stored.accepted, stored.duplicates);
    if synthetic && stored.last_is_new {
        accepted -= 1;
        metrics.dropped.add(usize::try_from(dropped).unwrap_or(usize::MAX));
    } else if synthetic {
        duplicates -= 1;
    }
    let answer = json!({
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": decoded.rejected,
    });
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

/// What a sender is told when the store does not take its events.
fn not_stored(error: StoreError) -> Problem {
    match error {
        StoreError::Busy => Problem::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()).retry_after(1),
        StoreError::Failed(_) | StoreError::Closed => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "events cannot be stored now".to_owned())
                .retry_after(5)
        }
    }
}

/// The id of what is told of a message beside its events: the same whenever the same message comes, so that one that is
/// replayed within the window of its signature tells nothing new.
fn message_id(headers: &HeaderMap, body: &[u8]) -> EventId {
    let seconds = headers
        .get(signature::TIMESTAMP_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let (Some(message), Some(seconds)) = (headers.get(signature::ID_HEADER), seconds) else {
        return entropy::uuid(clock::now_ms());
    };
    let digest = Sha256::new().chain_update(message).chain_update([0]).chain_update(body).finalize();
    let mut unique = [0; 10];
    for (to, from) in unique.iter_mut().zip(digest) {
        *to = from;
    }
    EventId::new(seconds.saturating_mul(1000), unique)
}

/// Reads what the media type says it is: ours, unless it is CloudEvents.
fn decode(headers: &HeaderMap, body: &[u8]) -> Result<DecodedBatch, BatchError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if [CLOUD_EVENT, CLOUD_EVENTS].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        Batch::decode_cloud_events(body)
    } else {
        Batch::decode(body)
    }
}

/// Holds a sender to its quota.
fn allow(shared: &Shared, sender: Sender, events: usize) -> Result<(), Problem> {
    shared.quotas.take(sender, events, clock::now_ms()).map_err(|seconds| {
        shared.metrics.over_quota.add(1);
        if shared.may_warn() {
            notice::warning!(
                "{sender} brings more events than ingest.max_events_per_minute; it is told to wait"
            );
        }
        let detail = "this sender brings more events than it may".to_owned();
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds)
    })
}

/// Holds what was signed against the keys.
pub(crate) fn check_signature(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    signature::verify(
        &shared.config.webhook_keys,
        clock::now_ms() / 1000,
        value(signature::ID_HEADER),
        value(signature::TIMESTAMP_HEADER),
        value(signature::SIGNATURE_HEADER),
        body,
    )
    .map_err(|e| {
        if shared.may_warn() {
            notice::warning!("a request was refused: {e}");
        }
        Problem::new(StatusCode::UNAUTHORIZED, e.to_string())
    })
}

/// What the sender could not report becomes an event of its own, so that it is logged and mailed like one.
fn dropped_event(id: EventId, dropped: u64, beside: Option<&Event>, now_ms: u64) -> Event {
    Event {
        v: VERSION,
        id,
        time_ms: now_ms,
        kind: EventKind::Guard,
        model: beside.map_or_else(|| "unknown".to_owned(), |event| event.model.clone()),
        direction: Direction::Request,
        surface: beside.map_or(Surface::Native, |event| event.surface),
        node: beside.map_or_else(String::new, |event| event.node.clone()),
        route: String::new(),
        client: Client::default(),
        request: Request::default(),
        verdict: Verdict::Flag,
        score: Score::ZERO,
        severity: Severity::Medium,
        shadow: None,
        findings: vec![Finding {
            rule: "guard.events-dropped".to_owned(),
            category: Category::Guard,
            severity: Severity::Medium,
            score: Score::ZERO,
            summary: format!("A filter had to drop {dropped} events: its queue to the relay was full"),
            owasp: Vec::new(),
            atlas: Vec::new(),
            location: None,
            transforms: Vec::new(),
            evidence: None,
        }],
    }
}
