//! Mapping templates: the Velocity dialect of Amazon API Gateway, as a library with no HTTP in it.
//!
//! ```
//! use portcullis_templates::{Scope, Template};
//!
//! let template = Template::parse(
//!     r##"#set($order = $input.path('$'))
//! {"id": "$order.id", "skus": [#foreach($i in $order.items)"$i.sku"#if($foreach.hasNext),#end#end], "by": "$input.params('user')"}"##,
//! )?;
//!
//! let body = br#"{"id": 42, "items": [{"sku": "A1"}, {"sku": "B2"}]}"#;
//! let query = [("user", "ada")];
//! let output = template.render(&Scope::new(body).querystring(&query))?;
//! assert_eq!(output.text(), r#"{"id": "42", "skus": ["A1","B2"], "by": "ada"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A template may set what a gateway does with the call:
//!
//! ```
//! use portcullis_templates::{Data, Scope, Template};
//!
//! let template = Template::parse("#set($context.responseOverride.status = 404)gone")?;
//! let output = template.render(&Scope::new(b""))?;
//! assert_eq!(output.response_override().get("status"), Some(&Data::Integer(404)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Semantics
//!
//! [`Dialect::ApiGateway`] gives what the service gives: Velocity 1.7 in which a reference without a value is an empty
//! string, `#macro` definitions vanish, and `#evaluate`, `#include` and `#parse` are text. [`Dialect::Velocity`] is
//! Velocity 1.7 as shipped. JSONPath is Jayway's dialect. Values behave as Java's do: integer division, arithmetic that
//! grows to big integers, `String.split` by regular expression, lists and maps that are shared and mutable.
//!
//! | topic | here | in the service |
//! | --- | --- | --- |
//! | a loop of more than 1000 passes | an error ([`Limits::loop_iterations`]) | an error |
//! | endless and huge renderings | an error ([`Limits`]) | cut by the service's own time limit |
//! | reflection (`$x.class`) | the class's name, nothing else | unknown |
//! | arrays (`.split`, `.toCharArray`) printed whole | a name and `@0` | a name and an address |
//! | look-around in regular expressions | at most 200,000 steps back | unbounded |
//! | a JSONPath of several values | a list, always | a list, or nothing where a step is missing |
//! | `$input.json` of a missing member | `""` | `""`, as users report |
//!
//! # Caveats
//!
//! Values in the body are not escaped when they are printed: use `$util.escapeJavaScript` or `$input.json`.
//!
//! # Features
//!
//! - `xml`: `XmlReader` turns an XML body into [`Data`], for a template to read as a variable.

mod data;
mod dialect;
mod document;
mod fault;
mod java;
mod json;
mod jsonpath;
mod pattern;
mod render;
mod scope;
mod serialize;
mod syntax;
mod template;
mod trace;
mod value;
#[cfg(feature = "xml")]
mod xml;

pub use data::{Data, DataError};
pub use dialect::{Dialect, Limits};
pub use document::{Document, DocumentError, JsonPath, JsonPathError};
pub use fault::{FailureKind, Fault, RenderError};
pub use pattern::{Pattern, PatternError};
pub use scope::{Field, Fields, Scope};
pub use template::{Output, Template};
pub use trace::Step;
#[cfg(feature = "xml")]
pub use xml::{XmlError, XmlReader};
