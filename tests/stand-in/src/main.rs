//! A stand-in for a model server, for the demo, the tests and the benchmark: it answers in the form of the real APIs,
//! always the same for the same request, and remembers what it was sent.
//!
//! `stand-in [--port 9700] [--quick]`. With `--quick` every POST gets one fixed completion and nothing is parsed or
//! remembered, so that a benchmark measures what stands before the model and not the model.
//!
//! A request can ask for more by header: `x-stand-in-status: 503` (that status and an error), `x-stand-in-delay-ms: 50`
//! (wait first), `x-stand-in-add: name=value` (a header on the response, may be repeated), `x-stand-in-say: BASE64` (what
//! the model says), streamed in deltas of `x-stand-in-delta: 4` characters and writes of `x-stand-in-write: 7` bytes, of
//! which `x-stand-in-stall: 9` come and then nothing, not even an end.

mod anthropic;
mod kserve;
mod openai;
mod say;
mod seen;
mod sse;

use std::{process::ExitCode, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header,
    middleware,
    routing::{any, get, post},
    serve::ListenerExt as _,
};

use crate::seen::Seen;

/// The largest body taken, in bytes; twice what any guard in front lets through.
const MAX_BODY: usize = 32 << 20;

/// What `--quick` answers to everything.
const QUICK: &str = concat!(
    r#"{"id":"chatcmpl-0","object":"chat.completion","created":1760000000,"model":"stand-in","choices":[{"index":0,"#,
    r#""message":{"role":"assistant","content":"Quick."},"finish_reason":"stop"}],"#,
    r#""usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#
);

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("stand-in: {message}\nusage: stand-in [--port PORT] [--quick]");
            return ExitCode::from(64);
        }
    };
    match serve(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stand-in: port {}: {error}", options.port);
            ExitCode::FAILURE
        }
    }
}

/// The command line.
struct Options {
    port: u16,
    quick: bool,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { port: 9700, quick: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--port" => {
                    let port = arguments.next().ok_or("--port needs a number")?;
                    options.port = port.parse().map_err(|_| format!("{port} is no port"))?;
                }
                other => return Err(format!("unknown option {other}")),
            }
        }
        Ok(options)
    }
}

async fn serve(options: &Options) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port)).await?;
    println!("listening on {}", listener.local_addr()?);
    // Events of a stream leave one by one.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, if options.quick { quick() } else { full() }).await
}

/// One answer to everything.
fn quick() -> Router {
    // The extractor drains the body, as a real server would.
    Router::new()
        .fallback(any(async |_: axum::body::Bytes| ([(header::CONTENT_TYPE, "application/json")], QUICK)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The APIs and the questions about what was seen.
fn full() -> Router {
    let seen = Arc::new(Seen::default());
    Router::new()
        .route("/v1/chat/completions", post(openai::chat))
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/v1/models", get(openai::models))
        .route("/v1/messages", post(anthropic::messages))
        .route("/v2/models/{model}/infer", post(kserve::infer))
        .route("/v2/health/ready", get(async || "{}"))
        .route("/v2/health/live", get(async || "{}"))
        .layer(middleware::from_fn_with_state(Arc::clone(&seen), seen::remember))
        .merge(seen::questions(seen))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}
