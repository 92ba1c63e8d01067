//! The bodies of requests: bounded in length and in time.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::BodyExt as _;

use super::Problem;

/// A body must be here by then; a slow sender ties up memory and one of the connections.
const TIMEOUT: Duration = Duration::from_secs(15);
/// So much of a body that is too long is read and thrown away: who sends all of it before reading anything would find the
/// connection reset in place of the answer.
const DISCARD: usize = 32 << 20;
/// Nothing is thrown away any more once nothing came for so long.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest JSON of what people do, in bytes.
const MAX_JSON: usize = 16 << 10;

/// The whole body, if it has at most `most` bytes and comes soon enough; `what` names it to the caller.
pub(crate) async fn read(headers: &HeaderMap, body: Body, most: usize, what: &str) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a {what} has at most {most} bytes"));
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if let Some(bytes) = announced.filter(|bytes| *bytes > most) {
        // Who asks before sending is answered before anything is sent.
        if bytes <= DISCARD && !headers.contains_key(header::EXPECT) {
            let _ = tokio::time::timeout(TIMEOUT, discard(body, 0)).await;
        }
        return Err(too_large());
    }
    match tokio::time::timeout(TIMEOUT, gather(body, announced.unwrap_or(0), most)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("the body broke off".to_owned())),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long".to_owned())),
    }
}

/// What comes, or nothing if it is more than `most`.
async fn gather(mut body: Body, announced: usize, most: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let length = kept.len().saturating_add(data.len());
        if length > most {
            drop(kept);
            discard(body, length).await;
            return Ok(None);
        }
        kept.reserve(announced.max(length) - kept.len());
        kept.extend_from_slice(&data);
    }
    Ok(Some(kept.into()))
}

/// Throws away what still comes, until nothing does or it is too much.
async fn discard(mut body: Body, mut seen: usize) {
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await {
        seen = seen.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if seen > DISCARD {
            return;
        }
    }
}

/// The JSON of what people do, empty where there is no body. A form of another site's page cannot send JSON.
pub(super) async fn json(request: Request, what: &str) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.trim_start().starts_with("application/json"));
    let body = read(&parts.headers, body, MAX_JSON, what).await?;
    if body.is_empty() || is_json {
        Ok(body)
    } else {
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("a {what} is JSON")))
    }
}
