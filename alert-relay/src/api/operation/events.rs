//! What is offered about events, and about who changed what.

use super::{Access, BAD_QUERY, Parameter, SLOW, Spec, UNAUTHORISED, UNAVAILABLE, answer, problem};

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
        Parameter {
            name: "limit",
            description: "Most events in the answer",
            schema: r#"{"type":"integer","minimum":1,"maximum":200,"default":50}"#,
        },
        Parameter {
            name: "before",
            description: "Go on after a page: its `next`",
            schema: r#"{"type":"integer","minimum":0,"maximum":9223372036854775807}"#,
        },
        Parameter {
            name: "address",
            description: "From this client address",
            schema: r#"{"type":"string"}"#,
        },
        Parameter {
            name: "hours",
            description: "Decided in the last hours",
            schema: r#"{"type":"integer","minimum":1,"maximum":8784}"#,
        },
        Parameter {
            name: "since_ms",
            description: "Decided at this moment or later, Unix milliseconds; wins over `hours`",
            schema: r#"{"type":"integer","minimum":0,"maximum":253402300799999}"#,
        },
        Parameter {
            name: "until_ms",
            description: "Decided before this moment, Unix milliseconds",
            schema: r#"{"type":"integer","minimum":0,"maximum":253402300799999}"#,
        },
        Parameter {
            name: "severity",
            description: "At least so severe",
            schema: r#"{"type":"string","enum":["low","medium","high","critical"]}"#,
        },
        Parameter {
            name: "category",
            description: "Of this category, such as prompt_injection",
            schema: r##"{"$ref":"#/components/schemas/Category"}"##,
        },
        Parameter {
            name: "text",
            description: "With all these words: of the caller, the path, the rules and what they look for",
            schema: r#"{"type":"string","maxLength":500}"#,
        },
    ],
    responses: &[answer(200, "A page", "Events"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

pub(super) const SUMMARY: Spec = Spec {
    id: "getSummary",
    method: "get",
    path: "/v1/summary",
    summary: "Counts of the last hours",
    access: Access::Token,
    query: &[Parameter {
        name: "hours",
        description: "How far back, in hours",
        schema: r#"{"type":"integer","minimum":1,"maximum":8784,"default":24}"#,
    }],
    responses: &[answer(200, "The counts", "Summary"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

pub(super) const AUDIT: Spec = Spec {
    id: "listAudit",
    method: "get",
    path: "/v1/audit",
    summary: "Who changed what, the latest first",
    access: Access::Token,
    query: &[
        Parameter {
            name: "limit",
            description: "Most changes in the answer",
            schema: r#"{"type":"integer","minimum":1,"maximum":500,"default":100}"#,
        },
        Parameter {
            name: "before",
            description: "Go on after a page: its `next`",
            schema: r#"{"type":"integer","minimum":0,"maximum":9223372036854775807}"#,
        },
        Parameter {
            name: "action",
            description: "Of this kind, such as acknowledge or decide",
            schema: r#"{"type":"string"}"#,
        },
    ],
    responses: &[answer(200, "A page", "Audit"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};
