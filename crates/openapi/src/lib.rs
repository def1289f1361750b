//! Import of Amazon API Gateway definitions from OpenAPI documents.
//!
//! ```
//! use portcullis_openapi::{ImportOptions, import, parse};
//!
//! let document = parse(r#"
//! openapi: 3.0.1
//! info: {title: Pet store, version: "1.0"}
//! paths:
//!   /pets/{id}:
//!     get:
//!       parameters: [{name: id, in: path, required: true, schema: {type: string}}]
//!       responses: {200: {description: A pet}}
//!       x-amazon-apigateway-integration:
//!         type: http_proxy
//!         httpMethod: GET
//!         uri: http://pets.test/pets/{id}
//!         requestParameters: {integration.request.path.id: method.request.path.id}
//! "#)?;
//! let imported = import(&document, &ImportOptions::default().api_id("petstore"))?;
//!
//! let api = imported.api.as_rest().unwrap();
//! assert_eq!(api.name, "Pet store");
//! let method = &api.resource("/pets/{id}").unwrap().resource_methods["GET"];
//! assert!(method.request_parameters["method.request.path.id"]);
//! assert!(imported.warnings.is_empty());
//! # Ok::<(), portcullis_openapi::ImportErrors>(())
//! ```
//!
//! An HTTP API comes of the same document with another option:
//!
//! ```
//! use portcullis_definition::ApiKind;
//! use portcullis_openapi::{ImportOptions, import, parse};
//!
//! let document = parse(r#"{"openapi": "3.0.1", "info": {"title": "t"}, "paths": {
//!     "/$default": {"x-amazon-apigateway-any-method": {"isDefaultRoute": true,
//!         "x-amazon-apigateway-integration": {
//!             "type": "http_proxy", "httpMethod": "ANY", "uri": "http://pets.test"}}}
//! }}"#)?;
//! let imported = import(&document, &ImportOptions::default().kind(ApiKind::Http))?;
//! assert_eq!(imported.api.as_http().unwrap().routes[0].route_key, "$default");
//! # Ok::<(), portcullis_openapi::ImportErrors>(())
//! ```
//!
//! # Semantics
//!
//! - Swagger 2.0, OpenAPI 3.0 and 3.1, as JSON or YAML; HTTP APIs from OpenAPI 3 only. The
//!   service refuses 3.1; here it is taken, and its schemas stay as they are written.
//! - A wrong document gets all its faults at once ([`ImportErrors`]), each with its JSON pointer,
//!   its rule and what to do. Where the service's words are known, they are the message.
//! - A document that is right but says less than it seems to gets warnings ([`Warning`]); what
//!   the import does not know of the service's own objects is in [`Imported::unknown`].
//! - `security` at the root holds for operations without their own; an empty list turns it off.
//!   All that is listed is asked for, whether under one requirement or several.
//! - An operation that names a security scheme which is not defined is a fault: nothing that was
//!   meant to be protected is served openly.
//! - References lead inside the document. Those to schemas become references to models; circles
//!   of models are fine, any other circle is a fault.
//! - Ids are made from names and paths, so that the same document has the same ids next time.
//!
//! # Caveats
//!
//! - Documents of more than 6 MiB, more than 64 levels, or with an object that has two members
//!   of one name are refused; see [`ParseOptions`].
//! - A method has one integration response for each status code, as in the service: of two
//!   patterns with one code, the later stands, with a warning.
//! - A timeout above the service's limit is taken, with a warning.
//! - Schemas without a name become models named `MODEL` and six digits.
//!
//! # Features
//!
//! None.

mod base_path;
mod document;
mod fault;
mod http;
mod ids;
mod import;
mod merge;
mod node;
mod options;
mod paths;
mod rest;
mod run;
mod security;

pub use document::{Document, parse, parse_with};
pub use fault::{Fault, ImportErrors, Warning, WarningLevel};
pub use import::{Imported, import};
pub use merge::{merge, overwrite};
pub use node::Node;
pub use options::{BasePath, ImportOptions, ParseOptions};
