//! The composed gateway: everything that one request passes, with nothing behind it.

use portcullis::Gateway;

use super::surroundings::{answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

/// Two resources, as an export has them.
const PETS: &str = r#"{
  "openapi": "3.0.1",
  "info": { "title": "pets", "version": "1.0" },
  "paths": {
    "/pets": { "get": {
      "responses": { "200": { "description": "all of them" } },
      "x-amazon-apigateway-integration": {
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": {
          "statusCode": "200",
          "responseTemplates": { "application/json": "[\"cat\", \"dog\"]" }
        } }
      }
    } },
    "/pets/{id}": { "get": {
      "parameters": [ { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } } ],
      "responses": { "200": { "description": "one of them" } },
      "x-amazon-apigateway-integration": {
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": {
          "statusCode": "200",
          "responseTemplates": { "application/json": "hello" }
        } }
      }
    } }
  }
}"#;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("gateway", "mock")
            .row(Who::Bare, bare)
            .row(Who::Portcullis, || {
                let uri = pet();
                let mut gateway = Gateway::from_export(PETS).expect("the document is good");
                move || {
                    let response = answer(&mut gateway, request(&uri));
                    debug_assert_eq!(response.status(), 200);
                    response
                }
            })
            .goal(Goal::OverBare(8_000.0))
            .goal(Goal::AllocationsOverBare(8.0)),
    ]
}
