//! KServe's Open Inference Protocol, version 2, REST.
//! <https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol>

use axum::{body::Bytes, extract::Path, http::StatusCode, response::Response};
use serde_json::{Value, json};

use crate::seen::json_response;

/// `POST /v2/models/{model}/infer`: for each input an output with its sum.
pub(crate) async fn infer(Path(model): Path<String>, body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let Some(inputs) = request.get("inputs").and_then(Value::as_array) else {
        return refused("'inputs' is missing");
    };
    let outputs: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let sum = sum(input.get("data").unwrap_or(&Value::Null));
            json!({ "name": format!("output{index}"), "datatype": "FP64", "shape": [1], "data": [sum] })
        })
        .collect();
    let mut response = json!({ "model_name": model, "model_version": "1", "outputs": outputs });
    if let (Some(id), Some(object)) = (request.get("id"), response.as_object_mut()) {
        object.insert("id".to_owned(), id.clone());
    }
    json_response(&response)
}

/// The sum of all numbers, nested or flat.
fn sum(data: &Value) -> f64 {
    match data {
        Value::Array(values) => values.iter().map(sum).sum(),
        value => value.as_f64().unwrap_or(0.0),
    }
}

fn refused(message: &str) -> Response {
    let mut response = json_response(&json!({ "error": message }));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
