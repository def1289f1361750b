//! The guard that checks parameters and bodies.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use portcullis_core::{
    Decision, Guard, Head, Mode, Never, Rejection, RejectionKind, RequestBody, Verdict,
};
use serde_json::Value;

use super::builder::ValidatorBuilder;
use super::model::Model;
use super::parameters::Required;

/// Checks that requests have the parameters that they must have, and that their bodies fit a model.
///
/// It refuses as the service does: first for parameters, 400 `Missing required request parameters: [a, b]`, then for the body,
/// 400 `Invalid request body`, with what is wrong in [`Rejection::validation_error`]. The body is checked against the model for its media type
/// (`application/json` if there is no `Content-Type`) or the one for `$default`; where there is neither, it passes unread. No body
/// counts as `{}`.
///
/// As a layer of its own it is a [`ValidationLayer`](super::ValidationLayer), and in a gateway or a chain a guard.
///
/// ```
/// use portcullis_integrations::{Model, Validator};
/// use serde_json::json;
///
/// let validator = Validator::builder()
///     .require("method.request.querystring.dryRun")
///     .model("application/json", Model::new("Pet", json!({ "required": ["name"] }))?)
///     .max_body_bytes(64 * 1024)
///     .build()?;
/// # let _ = validator;
/// # Ok::<(), portcullis_integrations::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Validator {
    pub(super) required: Required,
    /// By media type, in lower case; `$default` stands for all others.
    pub(super) models: Vec<(String, Model)>,
    pub(super) max_body_bytes: u64,
    pub(super) mode: Mode,
}

impl Validator {
    /// Starts with a validator that lets everything through.
    pub fn builder() -> ValidatorBuilder {
        ValidatorBuilder::default()
    }

    /// Whether it has nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.models.is_empty()
    }

    /// The model for the body of a request with these headers.
    fn model(&self, headers: &HeaderMap) -> Option<&Model> {
        if self.models.is_empty() {
            return None;
        }
        let media_type = media_type(headers);
        let exact = self
            .models
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(media_type));
        let found = exact.or_else(|| self.models.iter().find(|(own, _)| own == DEFAULT));
        found.map(|(_, model)| model)
    }

    fn missing(&self, head: &Head<'_>) -> Option<Rejection> {
        let mut missing = self.required.missing(head).peekable();
        missing.peek()?;
        let mut message = "Missing required request parameters: [".to_owned();
        for (index, name) in missing.enumerate() {
            message.push_str(if index == 0 { "" } else { ", " });
            message.push_str(name);
        }
        message.push(']');
        let decision = Decision::new(LAYER, "requestParameters");
        let rejection = Rejection::new(RejectionKind::BadRequestParameters)
            .with_message(message)
            .with_decision(decision);
        Some(rejection)
    }
}

impl Guard for Validator {
    type Ask = Never;

    const READS_BODY: bool = true;

    const NAME: &'static str = "validate";

    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        self.model(head.headers())?;
        match self.required.missing(head).next() {
            None => Some(self.max_body_bytes),
            // It is refused anyway.
            Some(_) => None,
        }
    }

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if let Some(rejection) = self.missing(head) {
            return Verdict::Refuse(rejection);
        }
        let Some(model) = self.model(head.headers()) else {
            return Verdict::Pass;
        };
        // A body that nobody has read cannot be said to fit.
        let checked = match head.body() {
            Some(body) => check(model, body),
            None => Err(UNREADABLE.to_owned()),
        };
        match checked {
            Ok(()) => Verdict::Pass,
            Err(violations) => Verdict::Refuse(
                Rejection::new(RejectionKind::BadRequestBody)
                    .with_decision(
                        Decision::new(LAYER, "requestModels")
                            .with("model", model.name().to_owned()),
                    )
                    .with_validation_error(violations),
            ),
        }
    }

    fn mode(&self) -> Mode {
        self.mode
    }
}

fn check(model: &Model, body: &RequestBody) -> Result<(), String> {
    if body.bytes().is_empty() {
        return model.check(&Value::Object(serde_json::Map::new()));
    }
    match body.json() {
        Ok(value) => model.check(value),
        Err(_) => Err(UNREADABLE.to_owned()),
    }
}

/// The media type without its parameters.
fn media_type(headers: &HeaderMap) -> &str {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
    let Some(Ok(content_type)) = content_type else {
        return JSON;
    };
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type[..end].trim()
}

/// The name of this work in decisions.
const LAYER: &str = "validation";
/// What the service says of a body that is not JSON.
const UNREADABLE: &str = "[Unknown error parsing request body]";
const JSON: &str = "application/json";
/// The media type that stands for all that have no model of their own.
pub(super) const DEFAULT: &str = "$default";

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;

    fn validator() -> Validator {
        let model = |name: &str, member: &str| {
            let schema = json!({ "type": "object", "required": [member] });
            Model::new(name, schema).expect("a model")
        };
        Validator::builder()
            .require("method.request.header.version")
            .model("Application/JSON", model("A", "a"))
            .model("text/x-b", model("B", "b"))
            .build()
            .expect("a validator")
    }

    /// What is said of a request with this media type and body.
    #[track_caller]
    fn check(media_type: Option<&str>, body: &str, expected: Result<(), &str>) {
        let mut request = Request::post("/").header("version", "1");
        if let Some(media_type) = media_type {
            request = request.header(CONTENT_TYPE, media_type);
        }
        let request = request.body(()).expect("a request");
        let body = RequestBody::new(body.to_owned().into());
        let checked = match validator().check(&Head::of(&request).with_body(&body)) {
            Verdict::Pass => Ok(()),
            Verdict::Refuse(rejection) => Err(rejection),
            Verdict::Ask(never) => unreachable!("{never:?}"),
        };
        let said = checked.as_ref().map_err(|rejection| {
            assert_eq!(rejection.kind(), RejectionKind::BadRequestBody);
            rejection.validation_error().unwrap_or_default()
        });
        assert_eq!(said, expected.as_ref().map_err(|text| *text));
    }

    #[test]
    fn the_model_is_that_of_the_media_type() {
        for json in [
            None,
            Some("application/json"),
            Some("APPLICATION/json;charset=utf-8"),
        ] {
            check(json, r#"{"a": 1}"#, Ok(()));
            let missing = r#"[object has missing required properties (["a"])]"#;
            check(json, r#"{"b": 1}"#, Err(missing));
        }
        check(Some("text/x-b"), r#"{"b": 1}"#, Ok(()));
        check(Some("text/plain"), "not looked at", Ok(()));
    }

    #[test]
    fn no_body_counts_as_an_empty_object() {
        let missing = r#"[object has missing required properties (["a"])]"#;
        check(None, "", Err(missing));
    }

    #[test]
    fn what_is_not_json_fits_no_model() {
        for body in ["{", "a=b", " ", "\u{feff}{}", r#"{"a": 1} x"#, "[1,]"] {
            check(None, body, Err(UNREADABLE));
        }
    }

    #[test]
    fn the_default_model_is_for_all_other_media_types() {
        let strict = Model::new("None", json!({ "not": {} })).expect("a model");
        let validator = Validator::builder()
            .model("$default", strict)
            .model("text/plain", Model::new("Any", json!({})).expect("a model"))
            .build()
            .expect("a validator");
        let model = |media_type: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            validator
                .model(&headers)
                .map(|model| model.name().to_owned())
        };
        assert_eq!(model("image/png").as_deref(), Some("None"));
        assert_eq!(model("text/plain").as_deref(), Some("Any"));
    }

    #[test]
    fn a_request_that_lacks_a_parameter_is_not_read() {
        let without = Request::post("/").body(()).expect("a request");
        let head = Head::of(&without);
        assert_eq!(validator().body_limit(&head), None);
        let Verdict::Refuse(rejection) = validator().check(&head) else {
            panic!("it lacks a header");
        };
        assert_eq!(
            rejection.message(),
            Some("Missing required request parameters: [version]")
        );
        assert_eq!(rejection.status(), 400);
    }

    #[test]
    fn a_body_without_a_model_is_not_read() {
        let request = Request::post("/")
            .header("version", "1")
            .header(CONTENT_TYPE, "image/png")
            .body(())
            .expect("a request");
        assert_eq!(validator().body_limit(&Head::of(&request)), None);
    }
}
