//! What crosses to JavaScript, as one JSON text each: a text and `JSON.parse` cost less than an object built field by
//! field across the border.

use guard::Outcome;
use serde::Serialize;

use crate::courier::{Errand, Step};

/// An outcome, and what the request has to do for the events.
#[derive(Serialize)]
struct Answer<'a> {
    headers: &'a [(&'static str, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errand: Option<Wait>,
}

#[derive(Serialize)]
struct Reply<'a> {
    status: u16,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

#[derive(Serialize)]
struct Wait {
    watch: bool,
    wait: u64,
}

/// A step of an errand; all fields absent: done.
#[derive(Serialize, Default)]
struct Next<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    headers: &'a [(&'static str, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

impl From<Errand> for Wait {
    fn from(errand: Errand) -> Self {
        Self { watch: errand.watch, wait: errand.wait_ms }
    }
}

/// `{"headers":[[name,value]…],"reply"?:{"status","headers","body"},"errand"?:{"watch","wait"}}`
pub(crate) fn outcome(outcome: &Outcome, errand: Option<Errand>) -> String {
    let reply = outcome.reply.as_ref().map(|reply| {
        let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let content_type = core::iter::once(("content-type", reply.content_type));
        Reply { status: reply.status, headers: content_type.chain(headers).collect(), body: &reply.body }
    });
    json(&Answer { headers: &outcome.headers, reply, errand: errand.map(Wait::from) })
}

/// `{"id","headers","body"}`, `{"wait"}` or `{}`
pub(crate) fn step(step: &Step) -> String {
    match step {
        Step::Send(callout) => json(&Next {
            id: Some(callout.id.0),
            headers: &callout.headers,
            body: str::from_utf8(&callout.body).ok(),
            wait: None,
        }),
        Step::Wait(ms) => json(&Next { wait: Some(*ms), ..Next::default() }),
        Step::Done => json(&Next::default()),
    }
}

fn json(value: &impl Serialize) -> String {
    // Strings and numbers only: serialising them cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}
