//! Counts, health and the test alert.

use std::time::Duration;

use axum::{
    Json,
    extract::{Query as RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};
use wire::{Severity, Verdict};

use super::{Problem, Shared, operation::Operation, query::Query};
use crate::{
    alert,
    clock::{iso, now_ms},
    entropy,
    metrics::{Gauges, Stored},
    outbox,
    store::{self, OutboxState, StoreError},
};

/// Hours of a summary unless asked otherwise.
const HOURS: u64 = 24;
/// How long the store may take to say that it can write.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// A mail that waits longer makes the relay say that it is degraded.
const LATE_MS: u64 = 10 * 60 * 1000;

/// `GET /v1/summary`
pub(super) async fn summary(
    State(shared): State<Shared>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let query = Query::check(Operation::Summary, given)?;
    let hours = query.number("hours", 1, store::MAX_HOURS)?.unwrap_or(HOURS);
    let now = now_ms();
    let since = now.saturating_sub(hours * 3_600_000);
    let summary = shared.store.read_for_people(move |db| store::summary(db, since, now)).await?;
    let severities = by_severity(&summary.severities);
    let mut verdicts = Map::new();
    for verdict in Verdict::ALL {
        let count = summary.verdicts.iter().find(|(known, _)| *known == verdict).map_or(0, |(_, n)| *n);
        verdicts.insert(verdict.as_str().to_owned(), json!(count));
    }
    let threats: Vec<Value> =
        summary.threats.iter().map(|(rule, count)| json!({"rule": rule, "count": count})).collect();
    Ok(Json(json!({
        "hours": hours,
        "since": iso(summary.since_ms),
        "total": summary.total,
        "by_severity": severities,
        "by_verdict": verdicts,
        "unique_clients": summary.clients,
        "most_common_threats": threats,
        "trend": {
            "before": summary.before,
            "before_by_severity": by_severity(&summary.before_severities),
            "percent": percent(summary.before, summary.total),
        },
    })))
}

fn by_severity(counts: &[(Severity, u64)]) -> Map<String, Value> {
    let mut severities = Map::new();
    for severity in Severity::ALL {
        let count = counts.iter().find(|(known, _)| *known == severity).map_or(0, |(_, n)| *n);
        severities.insert(severity.as_str().to_owned(), json!(count));
    }
    severities
}

/// By how much of itself a count has grown; none from nothing.
fn percent(before: u64, after: u64) -> Option<i64> {
    let (before, after) = (i64::try_from(before).ok()?, i64::try_from(after).ok()?);
    (after - before).checked_mul(100)?.checked_div(before)
}

/// `POST /v1/alerts/test`
pub(super) async fn test_alert(State(shared): State<Shared>) -> Result<Response, Problem> {
    let config = &shared.config;
    let now = now_ms();
    let extra = alert::Extra { templates: config.mail.templates.clone(), ..alert::Extra::default() };
    let letter = alert::test_letter(
        entropy::uuid(now),
        now,
        &config.alerts,
        &extra,
        &config.public_url,
        &config.mail.message_id_domain,
    );
    let recipients: Vec<String> = config.mail.recipients.iter().map(ToString::to_string).collect();
    shared.store.enqueue(outbox::to_everybody(config, &letter)).await?;
    let body = json!({"message_id": letter.message_id, "subject": letter.subject, "recipients": recipients});
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// `GET /healthz`
pub(super) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /readyz`: 503 only if events cannot be stored; mail that fails is told, but keeps no event away.
pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    let (probe, outbox) =
        tokio::join!(within(shared.store.probe()), within(shared.store.read(store::outbox_state)));
    let store = probe.and(outbox.as_ref().map(drop).map_err(Clone::clone));
    let log_failing_ms = shared.metrics.log_failing(now_ms());
    let late = outbox.as_ref().is_ok_and(|outbox| outbox.parked > 0 || age(outbox) >= LATE_MS);
    let (status, word) = match &store {
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Ok(()) if late || log_failing_ms.is_some() => (StatusCode::OK, "degraded"),
        Ok(()) => (StatusCode::OK, "ok"),
    };
    let mut body = json!({
        "status": word,
        "store": store.err().unwrap_or_else(|| "ok".to_owned()),
        "log": log_failing_ms
            .map_or_else(|| "ok".to_owned(), |ms| format!("cannot be written for {} seconds", ms / 1000)),
    });
    // What is not known is not said to be nothing.
    if let (Ok(state), Some(fields)) = (&outbox, body.as_object_mut()) {
        let outbox = json!({
            "pending": state.pending,
            "oldest_seconds": age(state) / 1000,
            "parked": state.parked,
        });
        fields.insert("outbox".to_owned(), outbox);
    }
    (status, Json(body)).into_response()
}

/// What the store answers, if it does so soon.
async fn within<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(PROBE_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer within {PROBE_TIMEOUT:?}")),
    }
}

/// `GET /metrics`: the counters always, and what the store knows while it answers.
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let read = shared.store.read(|db| Ok((store::outbox_state(db)?, store::search_lag(db)?)));
    let stored = within(read).await.ok().map(|(outbox, search_lag)| Stored {
        search_lag,
        outbox_pending: outbox.pending,
        outbox_parked: outbox.parked,
        outbox_age_ms: age(&outbox),
    });
    let gauges = Gauges {
        stored,
        queue_bytes: shared.store.queued_bytes() as u64,
        log_failing_ms: shared.metrics.log_failing(now_ms()).unwrap_or_default(),
    };
    let text = shared.metrics.text(&gauges);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn age(outbox: &OutboxState) -> u64 {
    outbox.oldest_ms.map_or(0, |oldest| now_ms().saturating_sub(oldest))
}
