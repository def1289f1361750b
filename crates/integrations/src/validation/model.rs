//! Models: JSON schemas of bodies, compiled once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use jsonschema::{Draft, PatternOptions, Retrieve, Uri};
use serde_json::{Value, json};

use super::recursion::{Alternatives, alternatives};
use super::violations;
use crate::error::{ConfigError, escape};

/// Named JSON schemas, draft 4, that may refer to each other.
///
/// A reference to another model is its address in the service, of which only the end counts:
/// `https://apigateway.amazonaws.com/restapis/{api}/models/{name}`. Models may refer to each other in circles. `Empty` and `Error` are
/// there without being given, as in the service. Nothing is ever fetched: any other address is an error.
///
/// ```
/// use portcullis_integrations::Models;
/// use serde_json::json;
///
/// let models = Models::new([
///     ("Pet", json!({ "type": "object", "required": ["name"] })),
///     ("Pets", json!({
///         "type": "array",
///         "items": { "$ref": "https://apigateway.amazonaws.com/restapis/a1/models/Pet" }
///     })),
/// ]);
/// let pets = models.model("Pets")?;
/// assert_eq!(pets.check(&json!([{ "name": "Rex" }])), Ok(()));
/// assert_eq!(
///     pets.check(&json!([{}])).unwrap_err(),
///     r#"[object has missing required properties (["name"])]"#
/// );
/// # Ok::<(), portcullis_integrations::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Models {
    schemas: Arc<BTreeMap<String, Value>>,
}

impl Models {
    /// Models by name. Of two with one name the last counts.
    pub fn new<N: Into<String>>(models: impl IntoIterator<Item = (N, Value)>) -> Self {
        let schemas = models
            .into_iter()
            .map(|(name, schema)| (name.into(), as_draft_4(schema)));
        Self {
            schemas: Arc::new(schemas.collect()),
        }
    }

    /// Compiles the model of this name with all that it refers to. Keep what it gives: compiling is dear.
    ///
    /// # Errors
    ///
    /// If there is no such model, its schema is none, a pattern in it is no regular expression, or it refers to what is not there.
    pub fn model(&self, name: &str) -> Result<Model, ConfigError> {
        let field = format!("/models/{}", escape(name));
        let Some(schema) = self.schema(name) else {
            return Err(ConfigError::new(field, "is not among the models"));
        };
        let base = format!("{SERVICE}/restapis/api/models/{name}");
        compile(name, schema, Some(base), self).map_err(|fault| ConfigError::new(field, fault))
    }

    fn schema(&self, name: &str) -> Option<&Value> {
        self.schemas.get(name).or_else(|| match name {
            "Empty" => Some(&EMPTY),
            "Error" => Some(&ERROR),
            _ => None,
        })
    }

    /// The schema at the address that a model has in the service.
    fn at(&self, address: &str) -> Option<&Value> {
        let path = address.strip_prefix(SERVICE)?.strip_prefix("/restapis/")?;
        let (_api, name) = path.split_once("/models/")?;
        self.schema(name)
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.schemas.keys()).finish()
    }
}

/// Answers references with models, and with nothing else.
struct Retriever(Models);

impl Retrieve for Retriever {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        match self.0.at(uri.as_str()) {
            Some(schema) => Ok(schema.clone()),
            None => Err(format!("`{uri}` is none of the models").into()),
        }
    }
}

/// A compiled model. Cheap to clone.
#[derive(Clone)]
pub struct Model {
    name: Arc<str>,
    validator: Arc<jsonschema::Validator>,
    alternatives: Alternatives,
}

impl Model {
    /// A model that is alone.
    ///
    /// # Errors
    ///
    /// If `schema` is no JSON schema of draft 4, a pattern in it is no regular expression, or it refers to what is not in it.
    pub fn new(name: &str, schema: Value) -> Result<Self, ConfigError> {
        compile(name, &as_draft_4(schema), None, &Models::default())
            .map_err(|fault| ConfigError::new(format!("/models/{}", escape(name)), fault))
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks a value.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in the words that the service puts into `$context.error.validationErrorString`.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.validator.is_valid(value) {
            Ok(())
        } else {
            Err(violations::describe(
                &self.validator,
                self.alternatives,
                value,
            ))
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Model").field(&self.name).finish()
    }
}

fn compile(
    name: &str,
    schema: &Value,
    base: Option<String>,
    models: &Models,
) -> Result<Model, String> {
    // The patterns are the operator's, but what they run over is the client's.
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACK_LIMIT)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES);
    let mut options = jsonschema::options()
        .with_draft(Draft::Draft4)
        .should_validate_formats(true)
        .with_pattern_options(patterns)
        .with_retriever(Retriever(models.clone()));
    if let Some(base) = base {
        options = options.with_base_uri(base);
    }
    let validator = options.build(schema).map_err(|error| {
        let place = error.instance_path().to_string();
        if place.is_empty() {
            error.to_string()
        } else {
            format!("at `{place}`: {error}")
        }
    })?;
    Ok(Model {
        name: name.into(),
        validator: Arc::new(validator),
        alternatives: alternatives(schema, |address| models.at(address)),
    })
}

/// The service knows no other dialect, whatever a schema says of itself.
fn as_draft_4(mut schema: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), DRAFT_4.into());
    }
    schema
}

const DRAFT_4: &str = "http://json-schema.org/draft-04/schema#";
const SERVICE: &str = "https://apigateway.amazonaws.com";

/// How many times a pattern may go back over its text before the body is refused.
const BACKTRACK_LIMIT: usize = 100_000;
/// How much memory one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

static EMPTY: LazyLock<Value> =
    LazyLock::new(|| json!({ "$schema": DRAFT_4, "title": "Empty Schema", "type": "object" }));
static ERROR: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "$schema": DRAFT_4, "title": "Error Schema", "type": "object",
        "properties": { "message": { "type": "string" } }
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str) -> Value {
        json!({ "$ref": format!("https://apigateway.amazonaws.com/restapis/abc/models/{name}") })
    }

    #[test]
    fn models_refer_to_each_other_in_circles() {
        let models = Models::new([
            (
                "Parent",
                json!({ "properties": { "child": reference("Child") } }),
            ),
            (
                "Child",
                json!({ "required": ["age"], "properties": { "parent": reference("Parent") } }),
            ),
        ]);
        let parent = models.model("Parent").expect("a model");
        let fits = json!({ "child": { "age": 1, "parent": { "child": { "age": 2 } } } });
        assert_eq!(parent.check(&fits), Ok(()));
        let deep = json!({ "child": { "age": 1, "parent": { "child": {} } } });
        assert!(parent.check(&deep).is_err());
    }

    #[test]
    fn a_model_refers_to_its_own_definitions_and_to_those_of_others() {
        let models = Models::new([
            (
                "Shop",
                json!({
                    "definitions": { "price": { "minimum": 1 } },
                    "properties": { "price": { "$ref": "#/definitions/price" } }
                }),
            ),
            (
                "Offer",
                json!({ "$ref": "https://apigateway.amazonaws.com/restapis/x/models/Shop#/definitions/price" }),
            ),
        ]);
        let shop = models.model("Shop").expect("a model");
        assert!(shop.check(&json!({ "price": 0 })).is_err());
        let offer = models.model("Offer").expect("a model");
        assert!(offer.check(&json!(0)).is_err());
        assert!(offer.check(&json!(1)).is_ok());
    }

    #[test]
    fn a_model_that_only_refers_to_itself_says_nothing_and_does_not_hang() {
        let models = Models::new([("A", reference("B")), ("B", reference("A"))]);
        if let Ok(model) = models.model("A") {
            let _ = model.check(&json!({}));
        }
    }

    #[test]
    fn the_services_own_models_are_there() {
        let models = Models::default();
        let empty = models.model("Empty").expect("a model");
        assert!(empty.check(&json!({ "a": 1 })).is_ok());
        assert!(empty.check(&json!([])).is_err());
        let error = models.model("Error").expect("a model");
        assert!(error.check(&json!({ "message": 1 })).is_err());
    }

    #[test]
    fn whatever_a_schema_says_of_itself_it_is_draft_4() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "minimum": 1, "exclusiveMinimum": true, "const": 7
        });
        let model = Model::new("M", schema).expect("a model");
        assert!(model.check(&json!(1)).is_err());
        assert!(model.check(&json!(2)).is_ok());
    }

    #[track_caller]
    fn check_error(schema: Value, said: &str) {
        let error = Models::new([("A/B", schema)])
            .model("A/B")
            .expect_err("it is no model");
        assert_eq!(error.field(), "/models/A~1B");
        assert!(error.to_string().contains(said), "{error}");
    }

    #[test]
    fn what_is_no_model_is_an_error_that_says_where() {
        check_error(
            json!({ "properties": { "a": { "type": "text" } } }),
            "/properties/a/type",
        );
        check_error(json!({ "pattern": "(" }), "pattern");
        check_error(json!({ "$ref": "#/definitions/none" }), "/definitions/none");
        check_error(reference("None"), "models/None` is none of the models");
        check_error(
            json!({ "$ref": "http://example.com/schema" }),
            "none of the models",
        );
        check_error(
            json!({ "$ref": "file:///etc/passwd" }),
            "none of the models",
        );
        let error = Models::default().model("Pet").expect_err("it is not there");
        assert!(error.to_string().contains("/models/Pet"));
    }
}
