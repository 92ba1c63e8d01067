//! What crosses to JavaScript, as one JSON text each: a text and `JSON.parse` cost less than an object built field by
//! field across the border.

use guard::{AnswerOutcome, AnswerPlan, Outcome};
use serde::Serialize;

use crate::courier::{Errand, Step};

/// What a request has to do for its events.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// For those that wait in the queue.
    pub(crate) errand: Option<Errand>,
    /// Events in JSON that go to the outbox.
    pub(crate) urgent: Vec<String>,
}

impl Todo {
    /// Whether there is nothing.
    pub(crate) const fn is_empty(&self) -> bool {
        self.errand.is_none() && self.urgent.is_empty()
    }

    /// Takes another's work over. One errand does for all.
    pub(crate) fn join(&mut self, other: Self) {
        self.urgent.extend(other.urgent);
        self.errand = match (self.errand.take(), other.errand) {
            (Some(one), Some(other)) => {
                Some(Errand { watch: one.watch || other.watch, wait_ms: one.wait_ms.min(other.wait_ms) })
            }
            (one, other) => one.or(other),
        };
    }
}

/// An outcome, and what the request has to do for the events.
#[derive(Serialize)]
struct Answer<'a> {
    headers: &'a [(&'static str, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errand: Option<Wait>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urgent: Vec<String>,
    /// Headers that the model's host gets besides.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    upstream: &'a [(&'static str, String)],
    /// Another body is to be fetched.
    #[serde(skip_serializing_if = "is_not")]
    body: bool,
}

/// What to do with an answer, told by its head.
#[derive(Serialize)]
struct Plan<'a> {
    plan: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "is_not")]
    changes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errand: Option<Wait>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urgent: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_not(value: &bool) -> bool {
    !*value
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

/// What is to be done for events alone.
#[derive(Serialize)]
struct Tasks {
    #[serde(skip_serializing_if = "Option::is_none")]
    errand: Option<Wait>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urgent: Vec<String>,
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

impl<'a> From<&'a guard::Reply> for Reply<'a> {
    fn from(reply: &'a guard::Reply) -> Self {
        let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let content_type = core::iter::once(("content-type", reply.content_type));
        Self { status: reply.status, headers: content_type.chain(headers).collect(), body: &reply.body }
    }
}

/// `{"headers":[[name,value]…],"reply"?:{"status","headers","body"},"errand"?:{"watch","wait"},"urgent"?:[text…],"upstream"?:[[name,value]…],
/// "body"?:true}`
pub(crate) fn outcome(outcome: &Outcome, todo: Todo) -> String {
    json(&Answer {
        headers: &outcome.headers,
        reply: outcome.reply.as_ref().map(Reply::from),
        errand: todo.errand.map(Wait::from),
        urgent: todo.urgent,
        upstream: &outcome.forward.headers,
        body: outcome.forward.body.is_some(),
    })
}

/// The same of an answer that was held.
pub(crate) fn held(outcome: &AnswerOutcome, todo: Todo) -> String {
    json(&Answer {
        headers: &outcome.headers,
        reply: outcome.reply.as_ref().map(Reply::from),
        errand: todo.errand.map(Wait::from),
        urgent: todo.urgent,
        upstream: &[],
        body: outcome.body.is_some(),
    })
}

/// `{"plan":"pass"|"whole"|"stream"|"refuse","limit"?,"changes"?:true,"reply"?,"errand"?}`
pub(crate) fn plan(plan: &AnswerPlan, todo: Todo) -> String {
    let errand = todo.errand.map(Wait::from);
    let none = Plan { plan: "pass", limit: None, changes: false, reply: None, errand, urgent: todo.urgent };
    json(&match plan {
        AnswerPlan::Pass => none,
        AnswerPlan::Whole { limit } => Plan { plan: "whole", limit: Some(*limit), ..none },
        AnswerPlan::Stream { changes } => Plan { plan: "stream", changes: *changes, ..none },
        AnswerPlan::Refuse(reply) => Plan { plan: "refuse", reply: Some(reply.into()), ..none },
    })
}

/// `{"errand"?:{"watch","wait"},"urgent"?:[text…]}`
pub(crate) fn todo(todo: Todo) -> String {
    json(&Tasks { errand: todo.errand.map(Wait::from), urgent: todo.urgent })
}

/// `{"headers":[[name,value]…],"body":text}`
pub(crate) fn call(headers: &[(&'static str, String)], body: &str) -> String {
    json(&Next { headers, body: Some(body), ..Next::default() })
}

/// `[[name,value]…]`
pub(crate) fn headers(headers: &[(&'static str, String)]) -> String {
    json(&headers)
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
