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
///
/// `write`: the size of each write, whatever the events are.
pub(crate) fn response(events: Vec<String>, write: Option<usize>) -> Response {
    let events: Vec<Vec<u8>> = match write {
        Some(size) => events.concat().as_bytes().chunks(size).map(<[u8]>::to_vec).collect(),
        None => events.into_iter().map(String::into_bytes).collect(),
    };
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
