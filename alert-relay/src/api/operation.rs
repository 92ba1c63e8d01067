//! The list of everything the interface offers.

/// One thing that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Events,
    Summary,
    Incidents,
    Incident,
    TestAlert,
    IncidentPage,
    Health,
    Ready,
    Metrics,
    OpenApi,
    Decisions,
    Decide,
    Lift,
    Acknowledge,
    Resolve,
    Reopen,
    Comment,
    AcknowledgePage,
    AcknowledgeByMail,
    ListEvents,
    Audit,
    Silences,
    Silence,
    Unsilence,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody.
    Open,
    /// Whoever signs with a webhook key.
    Signed,
    /// Whoever signs with a webhook key, or shows the API token.
    SignedOrToken,
    /// Whoever shows the API token, if one is configured.
    Token,
}

/// What is known of an operation.
pub(super) struct Spec {
    pub(super) id: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) access: Access,
    pub(super) query: &'static [Parameter],
    /// Status, description, media type, schema.
    pub(super) responses: &'static [Answer],
}

/// A query parameter.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// JSON schema.
    pub(super) schema: &'static str,
}

/// One of the answers.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) media: &'static str,
    /// The name of its schema, empty if it has none.
    pub(super) schema: &'static str,
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

const fn answer(status: u16, description: &'static str, schema: &'static str) -> Answer {
    Answer { status, description, media: JSON, schema }
}

const fn problem(status: u16, description: &'static str) -> Answer {
    Answer { status, description, media: PROBLEM, schema: "Problem" }
}

const UNAUTHORISED: Answer = problem(401, "The API token is missing or wrong");
const BAD_QUERY: Answer = problem(400, "A query parameter is unknown or out of range; the detail names it");
const UNAVAILABLE: Answer = problem(503, "The store does not answer; try again");

const EVENTS: Spec = Spec {
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
        problem(408, "The body took too long"),
        problem(413, "Longer than 1 MiB"),
        problem(429, "The queue is full; come again after Retry-After"),
        UNAVAILABLE,
    ],
};

const SUMMARY: Spec = Spec {
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

const INCIDENTS: Spec = Spec {
    id: "listIncidents",
    method: "get",
    path: "/v1/incidents",
    summary: "Incidents, the latest first",
    access: Access::Token,
    query: &[
        Parameter {
            name: "limit",
            description: "Most incidents in the answer",
            schema: r#"{"type":"integer","minimum":1,"maximum":200,"default":50}"#,
        },
        Parameter {
            name: "before",
            description: "Go on after a page: its `next`",
            schema: r#"{"type":"string"}"#,
        },
        Parameter {
            name: "hours",
            description: "With an event in the last hours",
            schema: r#"{"type":"integer","minimum":1,"maximum":8784}"#,
        },
        Parameter { name: "model", description: "Of this model", schema: r#"{"type":"string"}"# },
        Parameter {
            name: "severity",
            description: "At least so severe",
            schema: r#"{"type":"string","enum":["low","medium","high","critical"]}"#,
        },
        Parameter {
            name: "category",
            description: "Of this category, such as prompt_injection",
            schema: r#"{"type":"string"}"#,
        },
        Parameter {
            name: "state",
            description: "In this state",
            schema: r#"{"type":"string","enum":["open","acknowledged","resolved"]}"#,
        },
        Parameter {
            name: "client",
            description: "Of this caller, such as address:192.0.2.1",
            schema: r#"{"type":"string"}"#,
        },
        Parameter {
            name: "campaign",
            description: "Of this campaign",
            schema: r#"{"type":"string","format":"uuid"}"#,
        },
        Parameter {
            name: "min_score",
            description: "With at least this score at their last change",
            schema: r#"{"type":"number","minimum":0,"maximum":1}"#,
        },
    ],
    responses: &[answer(200, "A page", "Incidents"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

const INCIDENT: Spec = Spec {
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

const TEST_ALERT: Spec = Spec {
    id: "postTestAlert",
    method: "post",
    path: "/v1/alerts/test",
    summary: "Sends a test alert to every recipient",
    access: Access::Token,
    query: &[],
    responses: &[
        answer(202, "In the outbox", "TestAlert"),
        problem(403, "Asked for by another site's page"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

const INCIDENT_PAGE: Spec = Spec {
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

const HEALTH: Spec = Spec {
    id: "getHealth",
    method: "get",
    path: "/healthz",
    summary: "Whether the process serves",
    access: Access::Open,
    query: &[],
    responses: &[answer(200, "It does", "Health")],
};

const READY: Spec = Spec {
    id: "getReady",
    method: "get",
    path: "/readyz",
    summary: "Whether events can be stored, and how the outbox stands",
    access: Access::Open,
    query: &[],
    responses: &[answer(200, "They can", "Ready"), answer(503, "They cannot", "Ready")],
};

const METRICS: Spec = Spec {
    id: "getMetrics",
    method: "get",
    path: "/metrics",
    summary: "Counters for Prometheus",
    access: Access::Token,
    query: &[],
    responses: &[
        Answer { status: 200, description: "The counters", media: "text/plain", schema: "" },
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

const OPENAPI: Spec = Spec {
    id: "getOpenApi",
    method: "get",
    path: "/openapi.json",
    summary: "This description",
    access: Access::Open,
    query: &[],
    responses: &[answer(200, "OpenAPI 3.1", "")],
};

const DECISIONS: Spec = Spec {
    id: "listDecisions",
    method: "get",
    path: "/v1/decisions",
    summary: "Decisions about callers, or what has changed since a state of the list; signed for whoever signs",
    access: Access::SignedOrToken,
    query: &[
        Parameter {
            name: "epoch",
            description: "The life of the list of which `since` is a state; of another one all is sent",
            schema: r#"{"type":"string"}"#,
        },
        Parameter {
            name: "since",
            description: "The `serial` of the last answer",
            schema: r#"{"type":"integer","minimum":0,"default":0}"#,
        },
    ],
    responses: &[
        answer(200, "At most 5000 of them; `more` says whether to ask again", "Decisions"),
        Answer { status: 304, description: "Nothing has changed", media: JSON, schema: "" },
        BAD_QUERY,
        problem(401, "Neither a signature that fits nor the API token"),
        UNAVAILABLE,
    ],
};

const DECIDE: Spec = Spec {
    id: "postDecision",
    method: "post",
    path: "/v1/decisions",
    summary: "Decides about a caller, or allows one, in place of an earlier decision about the same one",
    access: Access::Token,
    query: &[],
    responses: &[
        answer(201, "Decided; filters hear of it with their next pull", "Decision"),
        problem(400, "Not a decision; the detail says why"),
        problem(403, "Asked for by another site's page"),
        problem(
            409,
            "It meets what is allowed, as the detail says, or there are 100,000 decisions or 1000 allowed",
        ),
        problem(413, "Longer than 16 KiB"),
        problem(415, "Not JSON"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

const LIFT: Spec = Spec {
    id: "deleteDecision",
    method: "delete",
    path: "/v1/decisions/{id}",
    summary: "Takes a decision back",
    access: Access::Token,
    query: &[],
    responses: &[
        Answer { status: 204, description: "Taken back", media: JSON, schema: "" },
        problem(400, "Not a number"),
        problem(403, "Asked for by another site's page"),
        problem(404, "No such decision, or it has ended"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

/// The answers to whatever changes an incident.
const CHANGED: [Answer; 8] = [
    answer(200, "As it stands now; `changed` says whether that is new", "ChangedIncident"),
    problem(400, "Not an id, or not a note; the detail says why"),
    problem(403, "Asked for by another site's page"),
    problem(404, "No such incident"),
    problem(413, "Longer than 16 KiB"),
    problem(415, "Not JSON"),
    UNAUTHORISED,
    UNAVAILABLE,
];

const ACKNOWLEDGE: Spec = Spec {
    id: "acknowledgeIncident",
    method: "post",
    path: "/v1/incidents/{id}/acknowledge",
    summary: "Takes an incident up",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

const RESOLVE: Spec = Spec {
    id: "resolveIncident",
    method: "post",
    path: "/v1/incidents/{id}/resolve",
    summary: "Says that an incident is over",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

const REOPEN: Spec = Spec {
    id: "reopenIncident",
    method: "post",
    path: "/v1/incidents/{id}/reopen",
    summary: "Says that an incident is not over",
    access: Access::Token,
    query: &[],
    responses: &CHANGED,
};

const COMMENT: Spec = Spec {
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
    Parameter {
        name: "until",
        description: "When the link ends, Unix seconds",
        schema: r#"{"type":"integer","minimum":0}"#,
    },
    Parameter { name: "seal", description: "Its seal", schema: r#"{"type":"string"}"# },
    Parameter { name: "to", description: "Whom the mail was for", schema: r#"{"type":"string"}"# },
];

const SEALED_ANSWERS: [Answer; 5] = [
    Answer { status: 200, description: "The page", media: "text/html", schema: "" },
    BAD_QUERY,
    problem(403, "The seal does not hold, or no longer"),
    problem(404, "No such incident"),
    UNAVAILABLE,
];

const ACKNOWLEDGE_PAGE: Spec = Spec {
    id: "getAcknowledgePage",
    method: "get",
    path: "/acknowledge/{id}",
    summary: "The page behind the link of a mail; it changes nothing",
    access: Access::Open,
    query: SEALED,
    responses: &SEALED_ANSWERS,
};

const ACKNOWLEDGE_BY_MAIL: Spec = Spec {
    id: "acknowledgeByMail",
    method: "post",
    path: "/acknowledge/{id}",
    summary: "Acknowledges an incident for whom the mail was for",
    access: Access::Open,
    query: SEALED,
    responses: &SEALED_ANSWERS,
};

const LIST_EVENTS: Spec = Spec {
    id: "listEvents",
    method: "get",
    path: "/v1/events",
    summary: "Events, the latest stored first; words, category and severity some seconds after they are stored",
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
            schema: r#"{"type":"string"}"#,
        },
        Parameter {
            name: "text",
            description: "With all these words: of the caller, the path, the rules and what they look for",
            schema: r#"{"type":"string","maxLength":500}"#,
        },
    ],
    responses: &[answer(200, "A page", "Events"), BAD_QUERY, UNAUTHORISED, UNAVAILABLE],
};

const AUDIT: Spec = Spec {
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

const SILENCES: Spec = Spec {
    id: "listSilences",
    method: "get",
    path: "/v1/silences",
    summary: "Silences that have not ended; those of the configuration are not among them",
    access: Access::Token,
    query: &[],
    responses: &[answer(200, "All of them", "Silences"), UNAUTHORISED, UNAVAILABLE],
};

const SILENCE: Spec = Spec {
    id: "postSilence",
    method: "post",
    path: "/v1/silences",
    summary: "Has nobody told of what fits, for a time",
    access: Access::Token,
    query: &[],
    responses: &[
        answer(201, "It holds from now on", "Silence"),
        problem(400, "Not a silence; the detail says why"),
        problem(403, "Asked for by another site's page"),
        problem(409, "There are 1000 silences"),
        problem(413, "Longer than 16 KiB"),
        problem(415, "Not JSON"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

const UNSILENCE: Spec = Spec {
    id: "deleteSilence",
    method: "delete",
    path: "/v1/silences/{id}",
    summary: "Ends a silence",
    access: Access::Token,
    query: &[],
    responses: &[
        Answer { status: 204, description: "Ended", media: JSON, schema: "" },
        problem(400, "Not a number"),
        problem(403, "Asked for by another site's page"),
        problem(404, "No such silence, or it has ended"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

impl Operation {
    /// Every operation there is.
    pub(super) const ALL: [Self; 24] = [
        Self::Events,
        Self::Summary,
        Self::Incidents,
        Self::Incident,
        Self::TestAlert,
        Self::IncidentPage,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::OpenApi,
        Self::Decisions,
        Self::Decide,
        Self::Lift,
        Self::Acknowledge,
        Self::Resolve,
        Self::Reopen,
        Self::Comment,
        Self::AcknowledgePage,
        Self::AcknowledgeByMail,
        Self::ListEvents,
        Self::Audit,
        Self::Silences,
        Self::Silence,
        Self::Unsilence,
    ];

    /// What is known of it.
    pub(super) const fn spec(self) -> &'static Spec {
        match self {
            Self::Events => &EVENTS,
            Self::Summary => &SUMMARY,
            Self::Incidents => &INCIDENTS,
            Self::Incident => &INCIDENT,
            Self::TestAlert => &TEST_ALERT,
            Self::IncidentPage => &INCIDENT_PAGE,
            Self::Health => &HEALTH,
            Self::Ready => &READY,
            Self::Metrics => &METRICS,
            Self::OpenApi => &OPENAPI,
            Self::Decisions => &DECISIONS,
            Self::Decide => &DECIDE,
            Self::Lift => &LIFT,
            Self::Acknowledge => &ACKNOWLEDGE,
            Self::Resolve => &RESOLVE,
            Self::Reopen => &REOPEN,
            Self::Comment => &COMMENT,
            Self::AcknowledgePage => &ACKNOWLEDGE_PAGE,
            Self::AcknowledgeByMail => &ACKNOWLEDGE_BY_MAIL,
            Self::ListEvents => &LIST_EVENTS,
            Self::Audit => &AUDIT,
            Self::Silences => &SILENCES,
            Self::Silence => &SILENCE,
            Self::Unsilence => &UNSILENCE,
        }
    }
}
