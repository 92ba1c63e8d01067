//! What is offered about incidents.

use super::{
    Access, Answer, BAD_QUERY, CATEGORY, Parameter, SEVERITY, SLOW, Spec, UNAUTHORISED, UNAVAILABLE, answer,
    parameter, problem,
};

/// What may be asked of a list.
const LIMIT: Parameter = parameter(
    "limit",
    "Most incidents in the answer",
    r#"{"type":"integer","minimum":1,"maximum":200,"default":50}"#,
);
const BEFORE: Parameter = parameter("before", "Go on after a page: its `next`", r#"{"type":"string"}"#);
const HOURS: Parameter =
    parameter("hours", "With an event in the last hours", r#"{"type":"integer","minimum":1,"maximum":8784}"#);
const MODEL: Parameter = parameter("model", "Of this model", r#"{"type":"string"}"#);
const STATE: Parameter =
    parameter("state", "In this state", r#"{"type":"string","enum":["open","acknowledged","resolved"]}"#);
const CLIENT: Parameter =
    parameter("client", "Of this caller, such as address:192.0.2.1", r#"{"type":"string"}"#);
const CAMPAIGN: Parameter =
    parameter("campaign", "Of this campaign", r##"{"$ref":"#/components/schemas/EventId"}"##);
const MIN_SCORE: Parameter = parameter(
    "min_score",
    "With at least this score at their last change",
    r#"{"type":"number","minimum":0,"maximum":1}"#,
);

pub(super) const INCIDENTS: Spec = Spec {
    id: "listIncidents",
    method: "get",
    path: "/v1/incidents",
    summary: "Incidents, the latest first",
    access: Access::Token,
    query: &[LIMIT, BEFORE, HOURS, MODEL, SEVERITY, CATEGORY, STATE, CLIENT, CAMPAIGN, MIN_SCORE],
    responses: &[answer(200, "A page", "Incidents"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

pub(super) const INCIDENTS_PAGE: Spec = Spec {
    id: "getIncidentsPage",
    method: "get",
    path: "/incidents",
    summary: "Incidents for a person, the latest first; an empty parameter is none",
    access: Access::Token,
    query: &[BEFORE, HOURS, MODEL, SEVERITY, CATEGORY, STATE, CLIENT, CAMPAIGN],
    responses: &[
        Answer { status: 200, description: "The page", media: "text/html", schema: "" },
        BAD_QUERY,
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

pub(super) const INCIDENT: Spec = Spec {
    id: "getIncident",
    method: "get",
    path: "/v1/incidents/{id}",
    summary: "One incident with its latest events and its mails",
    access: Access::Token,
    query: &[],
    responses: &[
        answer(200, "The incident", "IncidentDetail"),
        problem(400, "Not an id"),
        problem(404, "No such incident"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

pub(super) const INCIDENT_PAGE: Spec = Spec {
    id: "getIncidentPage",
    method: "get",
    path: "/incidents/{id}",
    summary: "One incident for a person",
    access: Access::Token,
    query: &[],
    responses: &[
        Answer { status: 200, description: "The page", media: "text/html", schema: "" },
        problem(400, "Not an id"),
        problem(404, "No such incident"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

/// The answers to whatever changes an incident.
const CHANGED: [Answer; 9] = [
    answer(200, "As it stands now; `changed` says whether that is new", "ChangedIncident"),
    problem(400, "Not an id, or not a note; the detail says why"),
    problem(403, "Asked for by another site's page"),
    problem(404, "No such incident"),
    SLOW,
    problem(413, "Longer than 16 KiB"),
    problem(415, "Not JSON"),
    UNAUTHORISED,
    UNAVAILABLE,
];

pub(super) const ACKNOWLEDGE: Spec = Spec {
    id: "acknowledgeIncident",
    method: "post",
    path: "/v1/incidents/{id}/acknowledge",
    summary: "Takes an incident up",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

pub(super) const RESOLVE: Spec = Spec {
    id: "resolveIncident",
    method: "post",
    path: "/v1/incidents/{id}/resolve",
    summary: "Says that an incident is over",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

pub(super) const REOPEN: Spec = Spec {
    id: "reopenIncident",
    method: "post",
    path: "/v1/incidents/{id}/reopen",
    summary: "Says that an incident is not over",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

pub(super) const COMMENT: Spec = Spec {
    id: "commentIncident",
    method: "post",
    path: "/v1/incidents/{id}/comment",
    summary: "Adds a comment to the timeline",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

/// What the link in a mail carries.
const SEALED: &[Parameter] = &[
    parameter("until", "When the link ends, Unix seconds", r#"{"type":"integer","minimum":0}"#),
    parameter("of", "The message, where it stands for several incidents", r#"{"type":"string"}"#),
    parameter("seal", "Its seal", r#"{"type":"string"}"#),
    parameter("to", "Whom the mail was for", r#"{"type":"string"}"#),
];

const SEALED_ANSWERS: [Answer; 5] = [
    Answer { status: 200, description: "The page", media: "text/html", schema: "" },
    BAD_QUERY,
    problem(403, "The seal does not hold, or no longer"),
    problem(404, "No such incident"),
    UNAVAILABLE,
];

pub(super) const ACKNOWLEDGE_PAGE: Spec = Spec {
    id: "getAcknowledgePage",
    method: "get",
    path: "/acknowledge/{id}",
    summary: "The page behind the link of a mail; it changes nothing",
    access: Access::Open,
    query: SEALED,
    responses: &SEALED_ANSWERS,
};

pub(super) const ACKNOWLEDGE_BY_MAIL: Spec = Spec {
    id: "acknowledgeByMail",
    method: "post",
    path: "/acknowledge/{id}",
    summary: "Acknowledges what a mail was about for whom it was for",
    access: Access::Open,
    query: SEALED,
    responses: &SEALED_ANSWERS,
};
