//! What is offered about the relay itself.

use super::{Access, Answer, Spec, UNAUTHORISED, UNAVAILABLE, answer, problem};

pub(super) const HEALTH: Spec = Spec {
    id: "getHealth",
    method: "get",
    path: "/healthz",
    summary: "Whether the process serves",
    access: Access::Open,
    query: &[],
    responses: &[answer(200, "It does", "Health")],
};

pub(super) const READY: Spec = Spec {
    id: "getReady",
    method: "get",
    path: "/readyz",
    summary: "Whether events can be stored, and how log and outbox stand",
    access: Access::Open,
    query: &[],
    responses: &[answer(200, "They can", "Ready"), answer(503, "They cannot", "Ready")],
};

pub(super) const METRICS: Spec = Spec {
    id: "getMetrics",
    method: "get",
    path: "/metrics",
    summary: "Counters for Prometheus, and what the store knows while it answers",
    access: Access::Token,
    query: &[],
    responses: &[
        Answer { status: 200, description: "The counters", media: "text/plain", schema: "" },
        UNAUTHORISED,
    ],
};

pub(super) const OPENAPI: Spec = Spec {
    id: "getOpenApi",
    method: "get",
    path: "/openapi.json",
    summary: "This description",
    access: Access::Open,
    query: &[],
    responses: &[answer(200, "OpenAPI 3.1", "")],
};

pub(super) const TEST_ALERT: Spec = Spec {
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
