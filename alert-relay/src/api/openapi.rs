//! The OpenAPI document, made from the list of operations.

use axum::Json;
use serde_json::{Map, Value, json};

use super::operation::{Access, Operation, Spec};

/// `GET /openapi.json`
pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

/// The whole document, OpenAPI 3.1.
#[must_use]
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in Operation::ALL {
        let spec = operation.spec();
        let path = paths.entry(spec.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(spec.method.to_owned(), describe(spec));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Modelgate alert-relay",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": schemas(), "securitySchemes": security_schemes()},
    })
}

fn describe(spec: &Spec) -> Value {
    let mut parameters: Vec<Value> = spec
        .query
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "in": "query",
                "required": false,
                "description": parameter.description,
                "schema": parse(parameter.schema),
            })
        })
        .collect();
    if spec.path.contains("{id}") {
        let numbered = ["/v1/decisions", "/v1/silences"].iter().any(|path| spec.path.starts_with(path));
        let (description, schema) = match numbered {
            true => ("Its number", json!({"type": "integer", "minimum": 1})),
            false => ("The incident's id", json!({"$ref": "#/components/schemas/EventId"})),
        };
        parameters.push(json!({
            "name": "id",
            "in": "path",
            "required": true,
            "description": description,
            "schema": schema,
        }));
    }
    let mut responses = Map::new();
    for answer in spec.responses {
        let mut response = json!({"description": answer.description});
        if let Some(fields) = response.as_object_mut() {
            let schema = match answer.schema {
                "" => json!({}),
                name => json!({"$ref": format!("#/components/schemas/{name}")}),
            };
            fields.insert("content".to_owned(), json!({answer.media: {"schema": schema}}));
        }
        responses.insert(answer.status.to_string(), response);
    }
    let mut described = json!({
        "operationId": spec.id,
        "summary": spec.summary,
        "parameters": parameters,
        "responses": responses,
        "security": security(spec.access),
    });
    let body = match spec.id {
        "postEvents" => Some("Batch"),
        "postDecision" => Some("NewDecision"),
        "postSilence" => Some("NewSilence"),
        "acknowledgeIncident" | "resolveIncident" | "reopenIncident" | "commentIncident" => Some("Note"),
        _ => None,
    };
    if let (Some(body), Some(fields)) = (body, described.as_object_mut()) {
        let batch = json!({"$ref": format!("#/components/schemas/{body}")});
        fields.insert(
            "requestBody".to_owned(),
            json!({"required": body != "Note" || spec.id == "commentIncident", "content": {"application/json": {"schema": batch}}}),
        );
    }
    described
}

fn security(access: Access) -> Value {
    match access {
        Access::Open => json!([]),
        Access::Signed => json!([{"webhookSignature": []}]),
        Access::SignedOrToken => json!([{"webhookSignature": []}, {"bearer": []}, {"basic": []}]),
        Access::Token => json!([{"bearer": []}, {"basic": []}]),
    }
}

fn security_schemes() -> Value {
    json!({
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "The token as password, for browsers"},
        "webhookSignature": {
            "type": "apiKey",
            "in": "header",
            "name": wire::signature::SIGNATURE_HEADER,
            "description": "Standard Webhooks: HMAC-SHA256 over id.timestamp.body, with webhook-id and \
                            webhook-timestamp beside it",
        },
    })
}

/// The shapes of the answers; a test holds real answers against them.
fn schemas() -> Value {
    parse(include_str!("schemas.json"))
}

/// Text that the tests have read.
fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}
