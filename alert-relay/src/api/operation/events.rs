//! What is offered about events, and about who changed what.

use super::{
    Access, BAD_QUERY, BEFORE, CATEGORY, SEVERITY, SLOW, Spec, UNAUTHORISED, UNAVAILABLE, answer, parameter,
    problem,
};

pub(super) const EVENTS: Spec = Spec {
    id: "postEvents",
    method: "post",
    path: "/v1/events",
    summary: "Takes a signed batch of events; answers after they are stored",
    access: Access::Signed,
    query: &[],
    responses: &[
        answer(202, "Stored; malformed events are named one by one", "Stored"),
        problem(400, "Not a batch"),
        problem(401, "The signature does not fit"),
        SLOW,
        problem(413, "Longer than 1 MiB"),
        problem(429, "The queue is full; come again after Retry-After"),
        UNAVAILABLE,
    ],
};

pub(super) const LIST_EVENTS: Spec = Spec {
    id: "listEvents",
    method: "get",
    path: "/v1/events",
    summary: "Events, the latest stored first, those of a time alone the latest decided first; words, category and \
              severity some seconds after they are stored",
    access: Access::Token,
    query: &[
        parameter(
            "limit",
            "Most events in the answer",
            r#"{"type":"integer","minimum":1,"maximum":200,"default":50}"#,
        ),
        BEFORE,
        parameter("address", "From this client address", r#"{"type":"string"}"#),
        parameter("hours", "Decided in the last hours", r#"{"type":"integer","minimum":1,"maximum":8784}"#),
        parameter(
            "since_ms",
            "Decided at this moment or later, Unix milliseconds; wins over `hours`",
            r#"{"type":"integer","minimum":0,"maximum":253402300799999}"#,
        ),
        parameter(
            "until_ms",
            "Decided before this moment, Unix milliseconds",
            r#"{"type":"integer","minimum":0,"maximum":253402300799999}"#,
        ),
        SEVERITY,
        CATEGORY,
        parameter(
            "text",
            "With all these words: of the caller, the path, the rules and what they look for",
            r#"{"type":"string","maxLength":500}"#,
        ),
    ],
    responses: &[answer(200, "A page", "Events"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

pub(super) const SUMMARY: Spec = Spec {
    id: "getSummary",
    method: "get",
    path: "/v1/summary",
    summary: "Counts of the last hours",
    access: Access::Token,
    query: &[parameter(
        "hours",
        "How far back, in hours",
        r#"{"type":"integer","minimum":1,"maximum":8784,"default":24}"#,
    )],
    responses: &[answer(200, "The counts", "Summary"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

pub(super) const AUDIT: Spec = Spec {
    id: "listAudit",
    method: "get",
    path: "/v1/audit",
    summary: "Who changed what, the latest first",
    access: Access::Token,
    query: &[
        parameter(
            "limit",
            "Most changes in the answer",
            r#"{"type":"integer","minimum":1,"maximum":500,"default":100}"#,
        ),
        BEFORE,
        parameter("action", "Of this kind, such as acknowledge or decide", r#"{"type":"string"}"#),
    ],
    responses: &[answer(200, "A page", "Audit"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};
