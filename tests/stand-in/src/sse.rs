//! Server-sent events, one write for each, a moment apart, so that a proxy sees them in pieces.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;

/// Between two events; a real model takes longer.
const PAUSE: Duration = Duration::from_millis(5);

/// A `text/event-stream` response that sends `events`, each already in its wire form.
pub(crate) fn response(events: Vec<String>) -> Response {
    let chunks = stream::unfold(events.into_iter().enumerate(), async |mut events| {
        let (index, event) = events.next()?;
        if index > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        Some((Ok::<_, Infallible>(Bytes::from(event)), events))
    });
    (
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")],
        Body::from_stream(chunks),
    )
        .into_response()
}

/// The words of a text with their spaces, as a model streams them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}
