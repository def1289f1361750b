//! The admin API as an OpenAPI document.

use serde_json::{Map, Value, json};

use super::endpoints::{ENDPOINTS, Endpoint, Operation, Takes};

pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation(endpoint);
    }
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Portcullis: admin API", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": { "Error": {
            "type": "object",
            "required": ["message", "faults"],
            "properties": {
                "message": { "type": "string" },
                "faults": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "api": { "type": "string" },
                        "place": { "type": "string" },
                        "message": { "type": "string" },
                    },
                } },
            },
        } } },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let names = endpoint.path.split('/').filter_map(|own| {
        let own = own.strip_prefix('{')?;
        own.strip_suffix('}')
    });
    let text = json!({ "type": "string" });
    let mut parameters: Vec<_> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }))
        .collect();
    if endpoint.operation == Operation::CreateDeployment {
        let stages = json!({ "type": "array", "items": text });
        parameters.push(json!({ "name": "stageName", "in": "query", "schema": stages }));
        parameters.push(json!({ "name": "description", "in": "query", "schema": text }));
    }
    let (status, description) = match endpoint.operation {
        Operation::CreateDeployment => ("201", "It is made"),
        Operation::DeleteDeployment | Operation::FlushAuthorizers => ("204", "It is done"),
        _ => ("200", "As it stands"),
    };
    let error = json!({
        "description": "It was not done, and nothing changed",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    let mut operation = json!({
        "operationId": format!("{:?}", endpoint.operation),
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": { status: { "description": description }, "default": error },
    });
    let body = match endpoint.body {
        Takes::Nothing => return operation,
        Takes::Document => json!({
            "application/json": { "schema": { "type": "object" } },
            "application/yaml": { "schema": { "type": "string" } },
        }),
        Takes::Json(example) => {
            let example: Value = serde_json::from_str(example).unwrap_or_default();
            json!({ "application/json": { "schema": { "type": "object" }, "example": example } })
        }
    };
    operation["requestBody"] = json!({ "required": true, "content": body });
    operation
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::openapi;

    #[test]
    fn it_is_a_document_with_every_endpoint() {
        let document = document();
        openapi::parse(&document.to_string()).expect("a document");
        let paths = document["paths"].as_object().expect("paths");
        let operations = paths.values().filter_map(|path| path.as_object());
        let count: usize = operations.map(serde_json::Map::len).sum();
        assert_eq!(count, super::ENDPOINTS.len());
        assert_eq!(
            document["paths"]["/apis/{api}/stages/{stage}/variables"]["patch"]["requestBody"]["content"]
                ["application/json"]["example"]["old"],
            serde_json::Value::Null
        );
    }
}
