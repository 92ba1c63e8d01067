//! Server-sent events, one write for each, a moment apart, so that a proxy sees them in pieces.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;

use crate::say::Say;

/// Between two events; a real model takes longer.
const PAUSE: Duration = Duration::from_millis(5);

/// Streams that nobody read to their end.
static LEFT: AtomicU64 = AtomicU64::new(0);

/// How many streams were left by their readers before they were over.
pub(crate) fn left() -> u64 {
    LEFT.load(Ordering::Relaxed)
}

/// Counts its stream as left if it goes before the end.
#[derive(Default)]
struct Reader {
    is_through: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_through {
            LEFT.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A `text/event-stream` response that sends `events`, each already in its wire form, in the writes that `say` tells.
pub(crate) fn response(events: Vec<String>, say: &Say) -> Response {
    let stall = say.stall.unwrap_or(usize::MAX);
    let events: Vec<Vec<u8>> = match say.write {
        Some(size) => events.concat().as_bytes().chunks(size).map(<[u8]>::to_vec).collect(),
        None => events.into_iter().map(String::into_bytes).collect(),
    };
    let events = (events.into_iter().enumerate(), Reader::default(), stall);
    let chunks = stream::unfold(events, async |(mut events, mut reader, stall)| {
        let Some((index, event)) = events.next() else {
            reader.is_through = true;
            return None;
        };
        if index >= stall {
            std::future::pending::<()>().await;
        }
        if index > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        Some((Ok::<_, Infallible>(Bytes::from(event)), (events, reader, stall)))
    });
    (
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")],
        Body::from_stream(chunks),
    )
        .into_response()
}
