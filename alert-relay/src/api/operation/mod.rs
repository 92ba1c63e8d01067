//! The list of everything the interface offers.

mod deciding;
mod events;
mod incidents;
mod running;

/// One thing that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Events,
    Summary,
    Incidents,
    Incident,
    TestAlert,
    IncidentPage,
    IncidentsPage,
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

const fn parameter(name: &'static str, description: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, description, schema }
}

/// What several lists can be asked for.
const SEVERITY: Parameter = parameter(
    "severity",
    "At least so severe",
    r#"{"type":"string","enum":["low","medium","high","critical"]}"#,
);
const CATEGORY: Parameter = parameter(
    "category",
    "Of this category, such as prompt_injection",
    r##"{"$ref":"#/components/schemas/Category"}"##,
);
/// Of lists in the order of a number.
const BEFORE: Parameter = parameter(
    "before",
    "Go on after a page: its `next`",
    r#"{"type":"integer","minimum":0,"maximum":9223372036854775807}"#,
);

const UNAUTHORISED: Answer = problem(401, "The API token is missing or wrong");
const BAD_QUERY: Answer = problem(400, "A query parameter is unknown or out of range; the detail names it");
const UNAVAILABLE: Answer = problem(503, "The store does not answer; try again");
const SLOW: Answer = problem(408, "The body took too long");

impl Operation {
    /// Every operation there is.
    pub(super) const ALL: [Self; 25] = [
        Self::Events,
        Self::Summary,
        Self::Incidents,
        Self::Incident,
        Self::TestAlert,
        Self::IncidentPage,
        Self::IncidentsPage,
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
            Self::Events => &events::EVENTS,
            Self::Summary => &events::SUMMARY,
            Self::Incidents => &incidents::INCIDENTS,
            Self::Incident => &incidents::INCIDENT,
            Self::TestAlert => &running::TEST_ALERT,
            Self::IncidentPage => &incidents::INCIDENT_PAGE,
            Self::IncidentsPage => &incidents::INCIDENTS_PAGE,
            Self::Health => &running::HEALTH,
            Self::Ready => &running::READY,
            Self::Metrics => &running::METRICS,
            Self::OpenApi => &running::OPENAPI,
            Self::Decisions => &deciding::DECISIONS,
            Self::Decide => &deciding::DECIDE,
            Self::Lift => &deciding::LIFT,
            Self::Acknowledge => &incidents::ACKNOWLEDGE,
            Self::Resolve => &incidents::RESOLVE,
            Self::Reopen => &incidents::REOPEN,
            Self::Comment => &incidents::COMMENT,
            Self::AcknowledgePage => &incidents::ACKNOWLEDGE_PAGE,
            Self::AcknowledgeByMail => &incidents::ACKNOWLEDGE_BY_MAIL,
            Self::ListEvents => &events::LIST_EVENTS,
            Self::Audit => &events::AUDIT,
            Self::Silences => &deciding::SILENCES,
            Self::Silence => &deciding::SILENCE,
            Self::Unsilence => &deciding::UNSILENCE,
        }
    }
}
