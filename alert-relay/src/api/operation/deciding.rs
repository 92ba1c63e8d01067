//! What is offered about decisions and silences.

use super::{
    Access, Answer, BAD_QUERY, JSON, SLOW, Spec, UNAUTHORISED, UNAVAILABLE, answer, parameter, problem,
};

pub(super) const DECISIONS: Spec = Spec {
    id: "listDecisions",
    method: "get",
    path: "/v1/decisions",
    summary: "Decisions about callers, or what has changed since a state of the list; signed for whoever signs",
    access: Access::SignedOrToken,
    query: &[
        parameter(
            "epoch",
            "The life of the list of which `since` is a state; of another one all is sent",
            r#"{"type":"string"}"#,
        ),
        parameter(
            "since",
            "The `serial` of the last answer",
            r#"{"type":"integer","minimum":0,"default":0}"#,
        ),
    ],
    responses: &[
        answer(200, "At most 5000 of them; `more` says whether to ask again", "Decisions"),
        Answer { status: 304, description: "Nothing has changed", media: JSON, schema: "" },
        BAD_QUERY,
        problem(401, "Neither a signature that fits nor the API token"),
        UNAVAILABLE,
    ],
};

pub(super) const DECIDE: Spec = Spec {
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
        SLOW,
        problem(413, "Longer than 16 KiB"),
        problem(415, "Not JSON"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

pub(super) const LIFT: Spec = Spec {
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

pub(super) const SILENCES: Spec = Spec {
    id: "listSilences",
    method: "get",
    path: "/v1/silences",
    summary: "Silences that have not ended; those of the configuration are not among them",
    access: Access::Token,
    query: &[],
    responses: &[answer(200, "All of them", "Silences"), UNAUTHORISED, UNAVAILABLE],
};

pub(super) const SILENCE: Spec = Spec {
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
        SLOW,
        problem(413, "Longer than 16 KiB"),
        problem(415, "Not JSON"),
        UNAUTHORISED,
        UNAVAILABLE,
    ],
};

pub(super) const UNSILENCE: Spec = Spec {
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
