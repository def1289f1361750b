//! The walk over a document that says of each field what becomes of it: nothing is silently ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::core::ApiKind;
use crate::gateway::coverage::{Coverage, Served};
use crate::openapi::Node;

/// What the walk does at a node.
#[derive(Clone, Copy)]
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
    pub(super) document: &'a Node,
    /// Fields that compiling found that it cannot serve, by pointer.
    pub(super) unsupported: &'a BTreeMap<String, Cow<'static, str>>,
    /// Fields that change nothing, by pointer.
    pub(super) idle: &'a BTreeMap<String, &'static str>,
    /// Why methods that need an API key refuse every request, if they do.
    pub(super) keys_shut: Option<&'static str>,
    /// What the import had to say of fields that it took, by pointer.
    pub(super) warnings: &'a BTreeMap<String, String>,
    /// Whether a request validator looks at parameters and models.
    pub(super) validates: bool,
    /// Whether any stage has a cache.
    pub(super) caches: bool,
    /// Whether the roles that integrations name are assumed.
    pub(super) assumes_roles: bool,
}

impl Survey<'_> {
    /// The fate of every field of the document.
    pub(super) fn walk(&self) -> Coverage {
        let mut coverage = Coverage::default();
        let mut pointer = String::new();
        self.visit(
            self.document,
            None,
            &mut Vec::new(),
            &mut pointer,
            &mut coverage,
        );
        coverage
    }

    /// `inherited` is what holds for the subtree that the node is part of, if that is known already.
    fn visit<'n>(
        &self,
        node: &'n Node,
        inherited: Option<Rule>,
        path: &mut Vec<&'n str>,
        pointer: &mut String,
        coverage: &mut Coverage,
    ) {
        if let Some(note) = self.unsupported.get(pointer.as_str()) {
            coverage.push(self.api, pointer.clone(), Served::NotServed, note.clone());
            return;
        }
        if let Some(note) = self.idle.get(pointer.as_str()) {
            coverage.push(self.api, pointer.clone(), Served::DocumentationOnly, *note);
            return;
        }
        let warning = self.warnings.get(pointer.as_str());
        let rule = inherited.unwrap_or_else(|| self.rule(path, pointer, node));
        let is_object = node.as_object().is_some() || node.as_array().is_some();
        match (rule, warning) {
            (Rule::Descend, warning) => {
                if let Some(warning) = warning {
                    let served = Served::DocumentationOnly;
                    coverage.push(self.api, pointer.clone(), served, warning.clone());
                }
                self.members(node, None, path, pointer, coverage);
            }
            (Rule::Report(served, _), Some(warning)) => {
                coverage.push(self.api, pointer.clone(), served, warning.clone());
            }
            // What is said of a part must not be hidden by what holds for the whole.
            (Rule::Report(served, _), None)
                if served != Served::NotServed && is_object && self.says_more_below(pointer) =>
            {
                self.members(node, Some(rule), path, pointer, coverage);
            }
            (Rule::Report(served, note), None) => {
                coverage.push(self.api, pointer.clone(), served, note);
            }
        }
    }

    fn says_more_below(&self, pointer: &str) -> bool {
        let below = format!("{pointer}/");
        let is_below = |key: &String| key.starts_with(&below);
        let unsupported = self.unsupported.range(below.clone()..).next();
        let warning = self.warnings.range(below.clone()..).next();
        unsupported.is_some_and(|(key, _)| is_below(key))
            || warning.is_some_and(|(key, _)| is_below(key))
    }

    fn members<'n>(
        &self,
        node: &'n Node,
        inherited: Option<Rule>,
        path: &mut Vec<&'n str>,
        pointer: &mut String,
        coverage: &mut Coverage,
    ) {
        let length = pointer.len();
        for (name, member) in node.as_object().into_iter().flatten() {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            path.push(name);
            self.visit(member, inherited, path, pointer, coverage);
            path.pop();
            pointer.truncate(length);
        }
        for (index, member) in node.as_array().into_iter().flatten().enumerate() {
            pointer.push('/');
            pointer.push_str(&index.to_string());
            path.push("*");
            self.visit(member, inherited, path, pointer, coverage);
            path.pop();
            pointer.truncate(length);
        }
    }

    /// What is looked at by validators, and by nobody else.
    const fn validated(&self) -> Rule {
        if self.validates {
            ENFORCED
        } else {
            DOCUMENTATION
        }
    }

    /// A role to call a backend with.
    const fn credentials(&self) -> Rule {
        if self.assumes_roles {
            return ENFORCED;
        }
        Rule::Report(
            Served::DocumentationOnly,
            "the role is not assumed: the gateway's own credentials sign the calls",
        )
    }

    /// What becomes of a security scheme.
    fn scheme(&self, node: &Node) -> Scheme {
        let text = |name: &str| node.get(name).and_then(Node::as_str).unwrap_or_default();
        if node.get("x-amazon-apigateway-authorizer").is_some()
            || text("x-amazon-apigateway-authtype").eq_ignore_ascii_case("awsSigv4")
        {
            Scheme::Enforced
        } else if matches!(self.kind, ApiKind::Rest)
            && text("name").eq_ignore_ascii_case("x-api-key")
        {
            match self.keys_shut {
                Some(note) => Scheme::NotServed(note),
                None => Scheme::Enforced,
            }
        } else {
            Scheme::Unenforced
        }
    }

    /// The same, of the scheme of this name.
    fn scheme_of(&self, name: &str) -> Option<Scheme> {
        let root = self.document;
        let schemes = root
            .get("securityDefinitions")
            .or_else(|| root.get("components")?.get("securitySchemes"))?;
        schemes.get(name).map(|node| self.scheme(node))
    }

    #[expect(
        clippy::match_same_arms,
        reason = "the table follows the document, not the fates"
    )]
    fn rule(&self, path: &[&str], pointer: &str, node: &Node) -> Rule {
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
                "types" => ENFORCED,
                // A policy says which endpoints may call; this only makes names for them.
                "ipAddressType" | "vpcEndpointIds" => DOCUMENTATION,
                _ => UNKNOWN,
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
            ["securityDefinitions"] | ["components", "securitySchemes"] => Rule::Descend,
            ["securityDefinitions", _] | ["components", "securitySchemes", _] => {
                match self.scheme(node) {
                    Scheme::Enforced => Rule::Descend,
                    Scheme::NotServed(note) => not_served(note),
                    Scheme::Unenforced => {
                        Rule::Report(Served::DocumentationOnly, "no authorizer stands behind it")
                    }
                }
            }
            ["securityDefinitions", _, member] | ["components", "securitySchemes", _, member] => {
                match *member {
                    "x-amazon-apigateway-authorizer" => Rule::Descend,
                    "type"
                    | "name"
                    | "in"
                    | "x-amazon-apigateway-authtype"
                    | "openIdConnectUrl" => ENFORCED,
                    _ => DOCUMENTATION,
                }
            }
            [
                "securityDefinitions",
                _,
                "x-amazon-apigateway-authorizer",
                field,
            ]
            | [
                "components",
                "securitySchemes",
                _,
                "x-amazon-apigateway-authorizer",
                field,
            ] => match *field {
                "authorizerCredentials" => self.credentials(),
                _ => ENFORCED,
            },
            ["security"] | ["paths", _, _, "security"] => match node.as_array() {
                Some([]) => ENFORCED,
                _ => Rule::Descend,
            },
            ["security", "*"] | ["paths", _, _, "security", "*"] => match node.as_object() {
                Some(schemes) if schemes.is_empty() => ENFORCED,
                _ => Rule::Descend,
            },
            // The import warns of schemes that nothing enforces.
            ["security", "*", name] | ["paths", _, _, "security", "*", name] => {
                if self.warnings.contains_key(pointer) {
                    return DOCUMENTATION;
                }
                match self.scheme_of(name) {
                    Some(Scheme::NotServed(note)) => not_served(note),
                    _ => ENFORCED,
                }
            }
            ["paths", _, _, "x-amazon-apigateway-auth"] => {
                match node.get("type").and_then(Node::as_str) {
                    Some(word)
                        if word.eq_ignore_ascii_case("none")
                            || word.eq_ignore_ascii_case("aws_iam") =>
                    {
                        ENFORCED
                    }
                    _ => UNKNOWN,
                }
            }
            ["x-amazon-apigateway-cors"] if !rest => ENFORCED,
            ["x-amazon-apigateway-cors"] => Rule::Report(
                Served::DocumentationOnly,
                "REST APIs have no CORS of their own; the setting `cors` of the API puts the standard layer outside",
            ),
            [name] if !rest && REST_ONLY.contains(name) => DOCUMENTATION,
            ["paths", _, _, "x-amazon-apigateway-request-validator"] if !rest => DOCUMENTATION,
            ["x-amazon-apigateway-gateway-responses"] if rest => ENFORCED,
            ["x-amazon-apigateway-documentation"] => DOCUMENTATION,
            ["x-amazon-apigateway-policy"] => ENFORCED,
            ["x-amazon-apigateway-api-key-source"] => match node.as_str() {
                Some("HEADER" | "AUTHORIZER") => ENFORCED,
                _ => UNKNOWN,
            },
            ["x-amazon-apigateway-binary-media-types"] => ENFORCED,
            ["x-amazon-apigateway-minimum-compression-size"] => ENFORCED,
            ["x-amazon-apigateway-request-validators"] => ENFORCED,
            ["x-amazon-apigateway-request-validator"]
            | ["paths", _, _, "x-amazon-apigateway-request-validator"] => self.validated(),
            ["paths", _] => Rule::Descend,
            ["paths", _, "summary" | "description" | "servers"] => DOCUMENTATION,
            ["paths", _, "$ref"] => ENFORCED,
            ["paths", _, "parameters"] => self.validated(),
            ["paths", _, method] if is_method(method) => Rule::Descend,
            ["paths", _, "trace"] => DOCUMENTATION,
            ["paths", _, _, "isDefaultRoute"] if !rest => ENFORCED,
            ["paths", _, _, "x-amazon-apigateway-integration"] => Rule::Descend,
            ["paths", _, _, "x-amazon-apigateway-integration", field, ..] => match *field {
                "credentials" if is_caller(node) => ENFORCED,
                "credentials" => self.credentials(),
                "cacheNamespace" | "cacheKeyParameters" if !self.caches => {
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

/// Whether it is the caller's own identity, and no role.
fn is_caller(node: &Node) -> bool {
    let arn = node.as_str();
    arn.is_some_and(|arn| arn.ends_with(":iam::*:user/*"))
}

/// What means nothing to an HTTP API.
const REST_ONLY: &[&str] = &[
    "x-amazon-apigateway-api-key-source",
    "x-amazon-apigateway-binary-media-types",
    "x-amazon-apigateway-gateway-responses",
    "x-amazon-apigateway-minimum-compression-size",
    "x-amazon-apigateway-policy",
    "x-amazon-apigateway-request-validator",
    "x-amazon-apigateway-request-validators",
];

/// What the gateway makes of a security scheme.
enum Scheme {
    Enforced,
    /// Its methods refuse every request, for this reason.
    NotServed(&'static str),
    /// The service asks nothing of a caller either.
    Unenforced,
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
