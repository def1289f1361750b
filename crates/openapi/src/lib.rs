//! Import of Amazon API Gateway definitions from OpenAPI documents.
