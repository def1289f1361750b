//! Schemas and the models that come of them.

use std::collections::HashSet;

use indexmap::IndexMap;
use portcullis_definition::{Model, Pointer};

use crate::Node;
use crate::ids::fingerprint;
use crate::run::{At, Run, Version};

/// The service's own models, which a document may name without defining them.
const BUILT_IN: [&str; 2] = ["Empty", "Error"];
/// How many nodes references into the middle of a schema may add, all together.
const MAX_INLINED: usize = 1_000_000;
/// How deep references into the middle of schemas may lead into each other.
const MAX_WITHIN: usize = 8;

/// The models of an API so far.
#[derive(Debug, Default)]
pub(crate) struct Models {
    list: Vec<Model>,
    names: HashSet<String>,
    inlined: usize,
}

/// What a schema is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Request,
    Response,
}

impl Models {
    pub(crate) fn into_list(self) -> Vec<Model> {
        self.list
    }

    /// Takes the schemas of the document's section as models.
    pub(crate) fn collect(run: &mut Run<'_>) -> Self {
        let root = run.root.clone();
        let section = match run.version {
            Version::Swagger2 => run.object(&root, "definitions"),
            Version::OpenApi3 => {
                let components = run.object(&root, "components");
                components.and_then(|components| run.object(&components, "schemas"))
            }
        };
        let mut models = Self::default();
        let Some(section) = section else {
            return models;
        };
        models.names = section.members().map(|(name, _)| name.to_owned()).collect();
        for (name, schema) in section.members() {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                run.fault(
                    &schema.pointer,
                    "model/name",
                    format!("Model name must be alphanumeric: {name}"),
                    "rename the schema with letters and digits only",
                );
                continue;
            }
            models.add(run, name, &schema);
        }
        models
    }

    /// The name of the model for a schema that an operation uses; a schema without a name gets
    /// a model of its own.
    pub(crate) fn name_of<'a>(
        &mut self,
        run: &mut Run<'a>,
        schema: &At<'a>,
        usage: Usage,
    ) -> Option<String> {
        if let Some(reference) = schema.node.get("$ref").and_then(Node::as_str) {
            if let Some(name) = model_name(run.version, reference) {
                if self.names.contains(name) || BUILT_IN.contains(&name) {
                    return Some(name.to_owned());
                }
                let message = format!("Invalid model identifier specified: {name}");
                let pointer = schema.pointer.child("$ref");
                match usage {
                    Usage::Request => {
                        run.fault(
                            &pointer,
                            "model/unknown",
                            message,
                            "define the schema, or correct the name",
                        );
                    }
                    Usage::Response => run.warn(&pointer, message),
                }
                return None;
            }
            let resolved = run.resolve(schema.clone())?;
            return self.unnamed(run, &resolved);
        }
        if is_primitive(schema.node) && usage == Usage::Response {
            return None;
        }
        self.unnamed(run, schema)
    }

    fn unnamed<'a>(&mut self, run: &mut Run<'a>, schema: &At<'a>) -> Option<String> {
        if schema.node.as_object().is_none_or(IndexMap::is_empty) {
            return None;
        }
        let name = format!("MODEL{}", fingerprint(&schema.node.to_string()));
        if self.names.insert(name.clone()) {
            self.add(run, &name, schema);
        }
        Some(name)
    }

    fn add<'a>(&mut self, run: &mut Run<'a>, name: &str, schema: &At<'a>) {
        let mut model = Model::default();
        model.name = name.to_owned();
        model.content_type = Some("application/json".to_owned());
        model.description = schema
            .node
            .get("description")
            .and_then(Node::as_str)
            .map(str::to_owned);
        let mut within = vec![schema.pointer.clone()];
        model.schema = Some(self.rewritten(run, schema, &mut within).to_string());
        model.source = Some(schema.pointer.clone());
        self.list.push(model);
    }

    /// The schema with its references in the service's form. `within` are the targets that this
    /// one is written into.
    fn rewritten<'a>(&mut self, run: &mut Run<'a>, at: &At<'a>, within: &mut Vec<Pointer>) -> Node {
        match at.node {
            Node::Array(_) => {
                let items: Vec<_> = at.items().collect();
                Node::Array(
                    items
                        .iter()
                        .map(|item| self.rewritten(run, item, within))
                        .collect(),
                )
            }
            Node::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Node::as_str) {
                    return self.reference(run, at, reference, within);
                }
                let members: Vec<_> = at.members().collect();
                let members = members.iter().map(|(name, member)| {
                    ((*name).to_owned(), self.rewritten(run, member, within))
                });
                Node::Object(members.collect())
            }
            other => other.clone(),
        }
    }

    fn reference<'a>(
        &mut self,
        run: &mut Run<'a>,
        at: &At<'a>,
        reference: &str,
        within: &mut Vec<Pointer>,
    ) -> Node {
        if let Some(name) = model_name(run.version, reference) {
            if !self.names.contains(name) && !BUILT_IN.contains(&name) {
                let pointer = at.pointer.child("$ref");
                run.warn(
                    &pointer,
                    format!("Invalid model identifier specified: {name}"),
                );
            }
            let url = format!(
                "https://apigateway.amazonaws.com/restapis/{}/models/{name}",
                run.options.api_id
            );
            return Node::Object(IndexMap::from([("$ref".to_owned(), Node::String(url))]));
        }
        let pointer = at.pointer.child("$ref");
        let Some(target) = run.target(reference, &pointer) else {
            return Node::Null;
        };
        let before = self.inlined;
        self.inlined = before.saturating_add(target.node.size());
        if before > MAX_INLINED {
            // One fault has been said already.
            return Node::Null;
        }
        let is_circle = within.contains(&target.pointer) || within.len() > MAX_WITHIN;
        if is_circle || self.inlined > MAX_INLINED {
            run.fault(
                &pointer,
                "reference/circle",
                "the schema contains itself, or far too much, through references that are no model's",
                "make the part a schema of its own and refer to that",
            );
            return Node::Null;
        }
        within.push(target.pointer.clone());
        let node = self.rewritten(run, &target, within);
        within.pop();
        node
    }
}

/// The model that a reference names, if it names a whole one.
fn model_name(version: Version, reference: &str) -> Option<&str> {
    let section = match version {
        Version::Swagger2 => "#/definitions/",
        Version::OpenApi3 => "#/components/schemas/",
    };
    let name = reference.strip_prefix(section).or_else(|| {
        let rest = reference.strip_prefix("https://apigateway.amazonaws.com/restapis/")?;
        rest.split_once("/models/").map(|(_, name)| name)
    })?;
    (!name.contains(['/', '#'])).then_some(name)
}

fn is_primitive(schema: &Node) -> bool {
    let kind = schema.get("type").and_then(Node::as_str);
    matches!(kind, Some("string" | "number" | "integer" | "boolean"))
}
