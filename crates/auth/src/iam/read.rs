//! From a document to a compiled policy, with every fault at its place.

use std::collections::HashSet;

use serde_json::Value;

use super::arn::ResourcePattern;
use super::condition::{Condition, Operator};
use super::document::{Node, child};
use super::error::{MAX_FAULTS, PolicyError, PolicyFault};
use super::pattern::{Pattern, Syntax};
use super::policy::Compiled;
use super::principal::{Named, Principals};
use super::statement::{Effect, Listed, Parts, Statement};

/// How long a document may be: far more than the service takes.
const MAX_LENGTH: usize = 256 * 1024;
/// How long the name of a member may be. It stands in the pointer of each fault below it.
const MAX_NAME: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identity,
    Resource,
}

pub(super) fn text(text: &str, kind: Kind, strict: bool) -> Result<Compiled, PolicyError> {
    if text.len() > MAX_LENGTH {
        return Err(too_long());
    }
    let document: Node = serde_json::from_str(text)
        .map_err(|error| PolicyError::of(format!("this is not JSON: {error}")))?;
    compile(document, kind, strict)
}

pub(super) fn value(document: &Value, kind: Kind, strict: bool) -> Result<Compiled, PolicyError> {
    let document = Node::from(document);
    if document.length() > MAX_LENGTH {
        return Err(too_long());
    }
    compile(document, kind, strict)
}

fn too_long() -> PolicyError {
    PolicyError::of("a policy has 256 KiB at most")
}

fn compile(document: Node, kind: Kind, strict: bool) -> Result<Compiled, PolicyError> {
    let mut reader = Reader {
        kind,
        strict,
        variables: false,
        faults: Vec::new(),
        findings: Vec::new(),
        sids: HashSet::new(),
    };
    let statements = reader.policy(document);
    if !reader.faults.is_empty() {
        return Err(PolicyError::new(reader.faults));
    }
    Ok(Compiled {
        name: None,
        statements: statements.into(),
        findings: reader.findings.into(),
    })
}

struct Reader {
    kind: Kind,
    /// Whether a value that can never match is a fault.
    strict: bool,
    /// Whether `${…}` is a variable.
    variables: bool,
    faults: Vec<PolicyFault>,
    findings: Vec<PolicyFault>,
    sids: HashSet<String>,
}

/// Longer than any name that could be meant.
const MAX_HINTED: usize = 64;
const POLICY: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
const PRINCIPAL: [&str; 4] = ["AWS", "Service", "Federated", "CanonicalUser"];

impl Reader {
    fn fault(&mut self, place: &str, message: impl Into<String>) {
        note(&mut self.faults, place, message);
    }

    /// Whether a document is bad beyond what is told of it, so that the rest need not be read.
    const fn has_enough_faults(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    /// Notes a value that can never match.
    fn doubt(&mut self, place: &str, message: impl Into<String>) {
        if self.strict {
            note(&mut self.faults, place, message);
        } else {
            note(&mut self.findings, place, message);
        }
    }

    /// The members of an object, of which each must be one of `known` and stand once.
    fn members(
        &mut self,
        node: Node,
        place: &str,
        what: &str,
        known: &[&str],
    ) -> Vec<(String, Node)> {
        let Node::Object(members) = node else {
            self.fault(
                place,
                format!("{what} is an object, and this is {}", node.kind()),
            );
            return Vec::new();
        };
        let mut kept: Vec<(String, Node)> = Vec::with_capacity(members.len());
        let mut names = HashSet::with_capacity(members.len());
        for (name, member) in members {
            if self.has_enough_faults() {
                break;
            }
            if name.len() > MAX_NAME {
                self.fault(
                    place,
                    format!("a name here is longer than {MAX_NAME} bytes"),
                );
            } else if !known.is_empty() && !known.contains(&name.as_str()) {
                let hint = hint(&name, known.iter().copied());
                self.fault(
                    &child(place, &name),
                    format!("{what} has no such element{hint}"),
                );
            } else if !names.insert(name.clone()) {
                self.fault(&child(place, &name), "this member stands there twice");
            } else {
                kept.push((name, member));
            }
        }
        kept
    }

    fn policy(&mut self, document: Node) -> Vec<Statement> {
        let is_object = matches!(document, Node::Object(_));
        let mut members = self.members(document, "", "a policy", &POLICY);
        if let Some(version) = take(&mut members, "Version") {
            match version {
                Node::Text(text) if text == "2012-10-17" => self.variables = true,
                Node::Text(text) if text == "2008-10-17" => {}
                _ => self.fault("/Version", "there are `2012-10-17` and `2008-10-17`"),
            }
        }
        if let Some(id) = take(&mut members, "Id")
            && !matches!(id, Node::Text(_))
        {
            self.fault(
                "/Id",
                format!("an id is a string, and this is {}", id.kind()),
            );
        }
        match take(&mut members, "Statement") {
            Some(Node::List(list)) => {
                let mut statements = Vec::with_capacity(list.len());
                for (index, statement) in list.into_iter().enumerate() {
                    statements.extend(self.statement(statement, &child("/Statement", index)));
                }
                statements
            }
            Some(statement) => Vec::from_iter(self.statement(statement, "/Statement")),
            None => {
                if is_object {
                    self.fault("", "a policy needs the element `Statement`");
                }
                Vec::new()
            }
        }
    }

    /// Reads a statement; `None` if it has faults, which are noted.
    fn statement(&mut self, node: Node, place: &str) -> Option<Statement> {
        let is_object = matches!(node, Node::Object(_));
        let mut members = self.members(node, place, "a statement", &STATEMENT);
        if !is_object {
            return None;
        }
        let sid = take(&mut members, "Sid").and_then(|sid| self.sid(sid, &child(place, "Sid")));
        let effect = match take(&mut members, "Effect") {
            Some(Node::Text(text)) if text == "Allow" => Some(Effect::Allow),
            Some(Node::Text(text)) if text == "Deny" => Some(Effect::Deny),
            Some(_) => {
                self.fault(&child(place, "Effect"), "there are `Allow` and `Deny`");
                None
            }
            None => {
                self.fault(place, "a statement needs the element `Effect`");
                None
            }
        };
        let principals = self.principals(&mut members, place);
        let actions = self.either(&mut members, place, "Action", |reader, text, place| {
            reader.action(&text, place)
        });
        let resources = self.either(&mut members, place, "Resource", |reader, text, place| {
            match ResourcePattern::compile(&text, reader.variables) {
                Ok(pattern) => Some(pattern),
                Err(message) => {
                    reader.doubt(place, message);
                    None
                }
            }
        });
        let conditions = match take(&mut members, "Condition") {
            Some(node) => self.conditions(node, &child(place, "Condition")),
            None => Vec::new(),
        };
        Some(Statement::new(Parts {
            sid: sid.map(Into::into),
            effect: effect?,
            principals,
            actions: actions?,
            resources: resources?,
            conditions: conditions.into(),
        }))
    }

    fn sid(&mut self, node: Node, place: &str) -> Option<String> {
        let Node::Text(sid) = node else {
            self.fault(
                place,
                format!("a sid is a string, and this is {}", node.kind()),
            );
            return None;
        };
        if self.kind == Kind::Identity && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            // It has no say in what the policy means.
            self.doubt(place, "a sid has letters and digits only");
        }
        if !sid.is_empty() && !self.sids.insert(sid.clone()) {
            self.fault(place, format!("another statement has the sid `{sid}`"));
        }
        Some(sid)
    }

    fn principals(&mut self, members: &mut Vec<(String, Node)>, place: &str) -> Option<Principals> {
        let (only, not) = (take(members, "Principal"), take(members, "NotPrincipal"));
        let (node, element) = match (only, not) {
            (Some(_), Some(_)) => {
                self.fault(place, "`Principal` and `NotPrincipal` exclude each other");
                return None;
            }
            (Some(node), None) => (node, "Principal"),
            (None, Some(node)) => (node, "NotPrincipal"),
            (None, None) => {
                if self.kind == Kind::Resource {
                    self.fault(
                        place,
                        "a statement of a resource policy needs the element `Principal` or `NotPrincipal`",
                    );
                }
                return None;
            }
        };
        let place = child(place, element);
        if self.kind == Kind::Identity {
            self.fault(
                &place,
                "a policy that is attached to its principal names none",
            );
            return None;
        }
        let named = self.named(node, &place).into();
        Some(if element == "Principal" {
            Principals::Only(named)
        } else {
            Principals::Not(named)
        })
    }

    fn named(&mut self, node: Node, place: &str) -> Vec<Named> {
        if let Node::Text(text) = &node {
            if text == "*" {
                return vec![Named::Everyone];
            }
            self.fault(
                place,
                "a principal is `*` or an object such as `{\"AWS\": \"arn:aws:iam::123456789012:root\"}`",
            );
            return Vec::new();
        }
        let mut named = Vec::new();
        for (kind, node) in self.members(node, place, "a principal", &PRINCIPAL) {
            let place = child(place, &kind);
            for (text, place) in self.texts(node, &place) {
                named.push(match kind.as_str() {
                    "AWS" => match Named::aws(&text) {
                        Ok(named) => named,
                        Err(message) => {
                            self.doubt(&place, message);
                            continue;
                        }
                    },
                    "Service" => Named::Service(text.into()),
                    _ => Named::Other,
                });
            }
        }
        named
    }

    /// The texts of a string or of an array of strings, each with its place.
    fn texts(&mut self, node: Node, place: &str) -> Vec<(String, String)> {
        match node {
            Node::Text(text) => vec![(text, place.to_owned())],
            Node::List(list) if list.is_empty() => {
                self.fault(
                    place,
                    "an empty list names nothing; leave the element out, or name something",
                );
                Vec::new()
            }
            Node::List(list) => {
                let mut texts = Vec::with_capacity(list.len());
                for (index, item) in list.into_iter().enumerate() {
                    let place = child(place, index);
                    match item {
                        Node::Text(text) => texts.push((text, place)),
                        other => self.fault(
                            &place,
                            format!("a string belongs here, and this is {}", other.kind()),
                        ),
                    }
                }
                texts
            }
            other => {
                self.fault(
                    place,
                    format!(
                        "a string or an array of strings belongs here, and this is {}",
                        other.kind()
                    ),
                );
                Vec::new()
            }
        }
    }

    /// Reads the element `name` or its negation, of which a statement has one.
    fn either<P>(
        &mut self,
        members: &mut Vec<(String, Node)>,
        place: &str,
        name: &'static str,
        mut read: impl FnMut(&mut Self, String, &str) -> Option<P>,
    ) -> Option<Listed<P>> {
        let negated = format!("Not{name}");
        let (node, element, not) = match (take(members, name), take(members, &negated)) {
            (Some(node), None) => (node, name, false),
            (None, Some(node)) => (node, negated.as_str(), true),
            (Some(_), Some(_)) => {
                self.fault(
                    place,
                    format!("`{name}` and `{negated}` exclude each other"),
                );
                return None;
            }
            (None, None) => {
                self.fault(
                    place,
                    format!("a statement needs the element `{name}` or `{negated}`"),
                );
                return None;
            }
        };
        let mut patterns = Vec::new();
        for (text, place) in self.texts(node, &child(place, element)) {
            patterns.extend(read(self, text, &place));
        }
        Some(Listed {
            not,
            patterns: patterns.into(),
        })
    }

    fn action(&mut self, text: &str, place: &str) -> Option<Pattern> {
        let service = text.split_once(':').map(|(service, name)| {
            !service.is_empty() && !name.is_empty() && !service.contains(['*', '?'])
        });
        if text != "*" && service != Some(true) {
            self.doubt(
                place,
                format!("`{text}` is no action: `*` or `service:Name` is meant, with wildcards in the name only"),
            );
            return None;
        }
        // Actions have no case, and no variables.
        let syntax = Syntax {
            wildcards: true,
            variables: false,
        };
        Pattern::compile(&text.to_ascii_lowercase(), syntax).ok()
    }

    fn conditions(&mut self, node: Node, place: &str) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (name, node) in self.members(node, place, "a condition", &[]) {
            if self.has_enough_faults() {
                break;
            }
            let place = child(place, &name);
            let operator = match Operator::parse(&name) {
                Ok(operator) => operator,
                Err(message) => {
                    self.fault(&place, message);
                    continue;
                }
            };
            for (key, node) in self.members(node, &place, "what stands below an operator", &[]) {
                let place = child(&place, &key);
                let mut values = Vec::new();
                let items = match node {
                    Node::List(items) => items,
                    single => vec![single],
                };
                for (index, item) in items.into_iter().enumerate() {
                    match item {
                        Node::Text(text) | Node::Scalar(text) => values.push(text),
                        other => self.fault(
                            &child(&place, index),
                            format!(
                                "a string, a number or a boolean belongs here, and this is {}",
                                other.kind()
                            ),
                        ),
                    }
                }
                let variables = self.variables;
                let condition = Condition::compile(
                    &name,
                    operator,
                    &key,
                    values,
                    variables,
                    |index, message| {
                        self.doubt(&child(&place, index), message);
                    },
                );
                conditions.push(condition);
            }
        }
        conditions
    }
}

/// Keeps a fault, unless there are enough: a document could have as many as it has values.
fn note(faults: &mut Vec<PolicyFault>, place: &str, message: impl Into<String>) {
    if faults.len() < MAX_FAULTS {
        faults.push(PolicyFault::new(place, message));
    }
}

fn take(members: &mut Vec<(String, Node)>, name: &str) -> Option<Node> {
    let index = members.iter().position(|(own, _)| own == name)?;
    Some(members.remove(index).1)
}

/// `; is … meant?`, if one of the names is near.
pub(super) fn hint<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    if name.len() > MAX_HINTED {
        return String::new();
    }
    names
        .map(|own| {
            (
                strsim::damerau_levenshtein(&own.to_lowercase(), &name.to_lowercase()),
                own,
            )
        })
        .filter(|(distance, _)| *distance <= 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, own)| format!("; is `{own}` meant?"))
        .unwrap_or_default()
}
