//! The walk over a document that says of each field what becomes of it: nothing is silently ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::core::ApiKind;
use crate::gateway::coverage::{Coverage, Served};
use crate::openapi::Node;

/// What the walk does at a node.
enum Rule {
    /// Report the whole subtree so.
    Report(Served, &'static str),
    /// Look at the members one by one.
    Descend,
}

const ENFORCED: Rule = Rule::Report(Served::Enforced, "");
const DOCUMENTATION: Rule = Rule::Report(Served::DocumentationOnly, "");
const UNKNOWN: Rule = Rule::Report(Served::NotServed, "no such field is known");

const fn not_served(note: &'static str) -> Rule {
    Rule::Report(Served::NotServed, note)
}

/// The walk over one document.
pub(super) struct Survey<'a> {
    pub(super) api: &'a str,
    pub(super) kind: ApiKind,
    /// Fields that compiling found that it cannot serve, by pointer.
    pub(super) unsupported: &'a BTreeMap<String, Cow<'static, str>>,
    /// Whether a request validator looks at parameters and models.
    pub(super) validates: bool,
}

impl Survey<'_> {
    /// The fate of every field of the document.
    pub(super) fn walk(&self, root: &Node) -> Coverage {
        let mut coverage = Coverage::default();
        let mut pointer = String::new();
        self.visit(root, &mut Vec::new(), &mut pointer, &mut coverage);
        coverage
    }

    fn visit<'n>(
        &self,
        node: &'n Node,
        path: &mut Vec<&'n str>,
        pointer: &mut String,
        coverage: &mut Coverage,
    ) {
        if let Some(note) = self.unsupported.get(pointer.as_str()) {
            coverage.push(self.api, pointer.clone(), Served::NotServed, note.clone());
            return;
        }
        match self.rule(path, node) {
            Rule::Report(served, note) => {
                // A fault found deeper down must not be hidden by what holds for the subtree.
                let below = format!("{pointer}/");
                let deeper = self
                    .unsupported
                    .range(below.clone()..)
                    .next()
                    .is_some_and(|(key, _)| key.starts_with(&below));
                if deeper && served != Served::NotServed && node.as_object().is_some() {
                    self.members(node, path, pointer, coverage);
                } else {
                    coverage.push(self.api, pointer.clone(), served, note);
                }
            }
            Rule::Descend => self.members(node, path, pointer, coverage),
        }
    }

    fn members<'n>(
        &self,
        node: &'n Node,
        path: &mut Vec<&'n str>,
        pointer: &mut String,
        coverage: &mut Coverage,
    ) {
        let length = pointer.len();
        for (name, member) in node.as_object().into_iter().flatten() {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            path.push(name);
            self.visit(member, path, pointer, coverage);
            path.pop();
            pointer.truncate(length);
        }
        for (index, member) in node.as_array().into_iter().flatten().enumerate() {
            pointer.push('/');
            pointer.push_str(&index.to_string());
            path.push("*");
            self.visit(member, path, pointer, coverage);
            path.pop();
            pointer.truncate(length);
        }
    }

    /// What is looked at by validators, and by nobody else.
    const fn validated(&self) -> Rule {
        if self.validates {
            not_served("request validation is not served yet")
        } else {
            DOCUMENTATION
        }
    }

    #[expect(
        clippy::match_same_arms,
        reason = "the table follows the document, not the fates"
    )]
    fn rule(&self, path: &[&str], node: &Node) -> Rule {
        let rest = matches!(self.kind, ApiKind::Rest);
        match path {
            [] | ["info" | "paths" | "components" | "servers"] | ["servers", "*"] => Rule::Descend,
            ["openapi" | "swagger" | "basePath"] | ["info", "title" | "version"] => ENFORCED,
            ["x-amazon-apigateway-importexport-version"] => ENFORCED,
            ["host" | "schemes" | "tags" | "externalDocs" | "consumes" | "produces"] => {
                DOCUMENTATION
            }
            ["info", _] | ["jsonSchemaDialect" | "webhooks"] => DOCUMENTATION,
            ["servers", "*", "url" | "variables"] => ENFORCED,
            ["servers", "*", "description"] => DOCUMENTATION,
            ["servers", "*", "x-amazon-apigateway-endpoint-configuration"]
            | ["x-amazon-apigateway-endpoint-configuration"] => Rule::Descend,
            [.., "x-amazon-apigateway-endpoint-configuration", field] => match *field {
                "disableExecuteApiEndpoint" => ENFORCED,
                "types" | "ipAddressType" => DOCUMENTATION,
                _ => not_served("endpoint types are not told apart yet"),
            },
            // What is referred to is looked at where it is used.
            ["parameters" | "responses"] => DOCUMENTATION,
            [
                "components",
                "parameters" | "responses" | "headers" | "examples" | "links" | "callbacks"
                | "pathItems" | "requestBodies",
            ] => DOCUMENTATION,
            ["definitions"] | ["components", "schemas"] => self.validated(),
            ["components", "x-amazon-apigateway-integrations"] => ENFORCED,
            ["securityDefinitions"] | ["components", "securitySchemes"] => not_served(
                "authorizers are not served yet: methods that need one refuse every request",
            ),
            ["security"] | ["paths", _, _, "security"] => match node.as_array() {
                Some([]) => ENFORCED,
                _ => not_served(
                    "authorizers and API keys are not served yet: the method refuses every request",
                ),
            },
            ["paths", _, _, "x-amazon-apigateway-auth"] => match node
                .get("type")
                .and_then(Node::as_str)
            {
                Some(word) if word.eq_ignore_ascii_case("none") => ENFORCED,
                _ => not_served("signatures are not checked yet: the method refuses every request"),
            },
            ["x-amazon-apigateway-cors"] if !rest => ENFORCED,
            ["x-amazon-apigateway-gateway-responses"] if rest => ENFORCED,
            ["x-amazon-apigateway-documentation"] => DOCUMENTATION,
            ["x-amazon-apigateway-policy"] => not_served(
                "resource policies are not served yet: every method refuses every request",
            ),
            ["x-amazon-apigateway-api-key-source"] => match node.as_str() {
                Some("HEADER") => ENFORCED,
                _ => not_served("API keys are not served yet"),
            },
            ["x-amazon-apigateway-binary-media-types"] => ENFORCED,
            ["x-amazon-apigateway-minimum-compression-size"] => {
                not_served("responses are not compressed yet")
            }
            ["x-amazon-apigateway-request-validators"] => {
                if self.validates {
                    not_served("request validation is not served yet")
                } else {
                    ENFORCED
                }
            }
            ["x-amazon-apigateway-request-validator"]
            | ["paths", _, _, "x-amazon-apigateway-request-validator"] => self.validated(),
            ["paths", _] => Rule::Descend,
            ["paths", _, "summary" | "description" | "servers"] => DOCUMENTATION,
            ["paths", _, "$ref"] => ENFORCED,
            ["paths", _, "parameters"] => self.validated(),
            ["paths", _, method] if is_method(method) => Rule::Descend,
            ["paths", _, _, "isDefaultRoute"] if !rest => ENFORCED,
            ["paths", _, _, "x-amazon-apigateway-integration"] => Rule::Descend,
            ["paths", _, _, "x-amazon-apigateway-integration", field, ..] => match *field {
                "credentials" => Rule::Report(Served::DocumentationOnly, "roles are not assumed"),
                "cacheNamespace" | "cacheKeyParameters" => {
                    Rule::Report(Served::DocumentationOnly, "says nothing without a cache")
                }
                _ => ENFORCED,
            },
            ["paths", _, _, "parameters" | "requestBody"] => self.validated(),
            ["paths", _, _, "responses"] => ENFORCED,
            [
                "paths",
                _,
                _,
                "operationId" | "summary" | "description" | "tags" | "externalDocs" | "deprecated"
                | "consumes" | "produces" | "schemes" | "callbacks" | "servers",
            ] => DOCUMENTATION,
            // Extensions of others are notes to others.
            [.., name] if name.starts_with("x-") && !name.starts_with("x-amazon-apigateway-") => {
                DOCUMENTATION
            }
            _ => UNKNOWN,
        }
    }
}

fn is_method(name: &str) -> bool {
    matches!(
        name,
        "get"
            | "put"
            | "post"
            | "delete"
            | "options"
            | "head"
            | "patch"
            | "x-amazon-apigateway-any-method"
    )
}
