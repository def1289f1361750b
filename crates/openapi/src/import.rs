//! From a document to an API.

use portcullis_definition::{Api, ApiKind, DocumentationLocation, DocumentationPart, Pointer};

use crate::fault::{Fault, WarningLevel};
use crate::run::{Run, Version};
use crate::{Document, ImportErrors, ImportOptions, Node, Warning};

const DOCUMENTATION: &str = "x-amazon-apigateway-documentation";

/// An API that came out of a document.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The API.
    pub api: Api,
    /// What does not mean what it may seem to.
    pub warnings: Vec<Warning>,
    /// Members of the service's own objects, and extensions of its prefix, that the import does
    /// not know. They are not in the API.
    pub unknown: Vec<Pointer>,
    pub(crate) settings: Settings,
}

/// Which settings the document itself made; a merge leaves the others as they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) api_key_source: bool,
}

/// Makes an API from a document.
///
/// # Errors
///
/// All faults of the document at once.
///
/// # Examples
///
/// ```
/// use portcullis_openapi::{ImportOptions, import, parse};
///
/// let document = parse(r#"{"swagger": "2.0", "info": {"title": "t"}, "paths": {
///     "/a": {"get": {"x-amazon-apigateway-integration": {"type": "http"}}},
///     "/a/{b+}/c": {"get": {}}
/// }}"#)?;
/// let errors = import(&document, &ImportOptions::default()).unwrap_err();
/// assert_eq!(errors.faults().len(), 3);
/// assert_eq!(errors.faults()[0].pointer.as_str(), "/paths/~1a~1{b+}~1c");
/// # Ok::<(), portcullis_openapi::ImportErrors>(())
/// ```
pub fn import(document: &Document, options: &ImportOptions) -> Result<Imported, ImportErrors> {
    let replaced;
    let root = if document.has_variables() {
        replaced = with_variables(document.root(), options);
        &replaced
    } else {
        document.root()
    };
    let version = version(root, options.kind)?;
    let mut run = Run::new(root, version, options);
    let mut settings = Settings::default();
    let mut api = match options.kind {
        ApiKind::Rest => Api::Rest(Box::new(run.rest_api(&mut settings))),
        ApiKind::Http => Api::Http(Box::new(run.http_api())),
    };
    let Run {
        mut faults,
        warnings,
        unknown,
        ..
    } = run;
    if options.fail_on_warnings {
        let failing = warnings
            .iter()
            .filter(|warning| warning.level == WarningLevel::Warning);
        faults.extend(failing.map(|warning| Fault {
            pointer: warning.pointer.clone(),
            rule: "document/warning",
            message: warning.message.clone(),
            fix: "change the document, or import without failing on warnings".to_owned(),
        }));
    }
    if !faults.is_empty() {
        return Err(ImportErrors::new(faults));
    }
    let texts = |level: WarningLevel| -> Vec<String> {
        let of_level = warnings.iter().filter(|warning| warning.level == level);
        of_level.map(|warning| warning.message.clone()).collect()
    };
    match &mut api {
        Api::Rest(api) => api.warnings = texts(WarningLevel::Warning),
        Api::Http(api) => {
            api.warnings = texts(WarningLevel::Warning);
            api.import_info = texts(WarningLevel::Info);
        }
    }
    Ok(Imported {
        api,
        warnings,
        unknown,
        settings,
    })
}

/// Which version the document says it is of.
fn version(root: &Node, kind: ApiKind) -> Result<Version, ImportErrors> {
    // A number in YAML, `swagger: 2.0`, is read like the text.
    let text = |key: &str| match root.get(key)? {
        Node::String(text) => Some(text.clone()),
        Node::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fault = |fix: &str| {
        Err(ImportErrors::invalid_input(
            "document/version",
            fix.to_owned(),
        ))
    };
    match (text("swagger").as_deref(), text("openapi").as_deref()) {
        (Some("2.0" | "2"), None) if kind == ApiKind::Http => {
            fault("an HTTP API is made from OpenAPI 3, not from Swagger 2.0")
        }
        (Some("2.0" | "2"), None) => Ok(Version::Swagger2),
        (None, Some(version)) if is_version_3(version) => Ok(Version::OpenApi3),
        _ => fault(r#"begin with `"swagger": "2.0"` or with `"openapi": "3.0.1"`"#),
    }
}

fn is_version_3(version: &str) -> bool {
    ["3.0", "3.1"].iter().any(|prefix| {
        version
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The document with the service's variables replaced.
fn with_variables(root: &Node, options: &ImportOptions) -> Node {
    root.map_text(&|text| {
        text.replace("${AWS::AccountId}", &options.account_id)
            .replace("${AWS::Partition}", &options.partition)
            .replace("${AWS::Region}", &options.region)
    })
}

impl Run<'_> {
    /// The title, the version and the description of the document.
    pub(crate) fn info(&mut self) -> (String, Option<String>, Option<String>) {
        let root = self.root.clone();
        let Some(info) = self.object(&root, "info") else {
            self.warn(
                &root.pointer,
                "the document has no `info`: the API has no name",
            );
            return (self.options.api_id.clone(), None, None);
        };
        let title = self.some_text(&info, "title").unwrap_or_else(|| {
            self.warn(
                &info.pointer,
                "the document has no title: the API has no name",
            );
            self.options.api_id.clone()
        });
        (
            title,
            self.some_text(&info, "version"),
            self.some_text(&info, "description"),
        )
    }

    /// The documentation parts, unless they are to be ignored.
    pub(crate) fn documentation(&mut self) -> Vec<DocumentationPart> {
        let root = self.root.clone();
        if self.options.ignore_documentation {
            return Vec::new();
        }
        let Some(section) = self.object(&root, DOCUMENTATION) else {
            return Vec::new();
        };
        self.known(&section, &["version", "createdDate", "documentationParts"]);
        let mut parts = Vec::new();
        for at in self.list(&section, "documentationParts") {
            let mut part = DocumentationPart::default();
            if let Some(location) = self.object(&at, "location") {
                let mut place = DocumentationLocation::default();
                place.r#type = self.some_text(&location, "type");
                place.path = self.some_text(&location, "path");
                place.method = self.some_text(&location, "method");
                place.status_code = self.some_text(&location, "statusCode");
                place.name = self.some_text(&location, "name");
                part.location = place;
            }
            part.properties = at
                .get("properties")
                .map(|properties| match properties.node {
                    Node::String(text) => text.clone(),
                    other => other.to_string(),
                });
            parts.push(part);
        }
        parts
    }
}
