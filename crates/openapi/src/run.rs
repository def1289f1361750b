//! One import under way: typed access to the tree, with a fault for whatever is not as it must be.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use portcullis_definition::{Pointer, UnknownWord};

use crate::fault::{Fault, Warning, WarningLevel};
use crate::{ImportOptions, Node};

/// A node and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    pub(crate) pointer: Pointer,
}

impl<'a> At<'a> {
    pub(crate) fn root(node: &'a Node) -> Self {
        Self {
            node,
            pointer: Pointer::root(),
        }
    }

    /// The member of that name; null counts as none.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        match self.node.get(key)? {
            Node::Null => None,
            node => Some(Self {
                node,
                pointer: self.pointer.child(key),
            }),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|node| *node != Node::Null)
    }

    /// The members; none if this is no object.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a, '_> {
        self.node
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, node)| {
                (
                    name.as_str(),
                    Self {
                        node,
                        pointer: self.pointer.child(name),
                    },
                )
            })
    }

    /// The items; none if this is no list.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + use<'a, '_> {
        self.node
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, node)| Self {
                node,
                pointer: self.pointer.child(index),
            })
    }
}

/// The version of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Swagger2,
    OpenApi3,
}

/// How many references in a row are followed before they count as a circle.
const MAX_HOPS: usize = 32;
/// How many nodes the repeated parts of a document may stand for, all together. A document of
/// 100,000 operations that share their parameters and responses needs a tenth of it.
const MAX_EXPANDED: usize = 50_000_000;

/// An import under way.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) root: At<'a>,
    pub(crate) version: Version,
    pub(crate) options: &'a ImportOptions,
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) unknown: Vec<Pointer>,
    said: HashSet<&'static str>,
    /// Nodes by the pointer of what was referred to.
    sizes: HashMap<Pointer, usize>,
    expanded: usize,
}

impl<'a> Run<'a> {
    pub(crate) fn new(root: &'a Node, version: Version, options: &'a ImportOptions) -> Self {
        Self {
            root: At::root(root),
            version,
            options,
            faults: Vec::new(),
            warnings: Vec::new(),
            unknown: Vec::new(),
            said: HashSet::new(),
            sizes: HashMap::new(),
            expanded: 0,
        }
    }

    /// Counts what a part that is used again stands for. `false` when it is too much, which is
    /// a fault once: a short document must not keep the import busy for hours.
    pub(crate) fn expand(&mut self, pointer: &Pointer, nodes: usize) -> bool {
        let before = self.expanded;
        self.expanded = before.saturating_add(nodes);
        if self.expanded <= MAX_EXPANDED {
            return true;
        }
        if before <= MAX_EXPANDED {
            self.fault(
                pointer,
                "document/expansion",
                "the document stands for too much: its shared parts are too large for their uses",
                "split the document, or share less",
            );
        }
        false
    }

    pub(crate) fn fault(
        &mut self,
        pointer: &Pointer,
        rule: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.faults.push(Fault {
            pointer: pointer.clone(),
            rule,
            message: message.into(),
            fix: fix.into(),
        });
    }

    pub(crate) fn warn(&mut self, pointer: &Pointer, message: impl Into<String>) {
        self.warnings.push(Warning {
            pointer: pointer.clone(),
            message: message.into(),
            level: WarningLevel::Warning,
        });
    }

    /// Says once for the whole document that a kind of thing has no effect.
    pub(crate) fn info_once(&mut self, pointer: &Pointer, message: &'static str) {
        if self.said.insert(message) {
            self.warnings.push(Warning {
                pointer: pointer.clone(),
                message: message.to_owned(),
                level: WarningLevel::Info,
            });
        }
    }

    /// Notes the members of an object of the service's that are none of `known`.
    pub(crate) fn known(&mut self, at: &At<'a>, known: &[&str]) {
        for (name, member) in at.members() {
            if !known.contains(&name) {
                self.unknown.push(member.pointer);
            }
        }
    }

    /// Notes the members that look like extensions of the service's and are none of `known`.
    pub(crate) fn known_extensions(&mut self, at: &At<'a>, known: &[&str]) {
        for (name, member) in at.members() {
            if name.starts_with("x-amazon-apigateway-") && !known.contains(&name) {
                self.unknown.push(member.pointer);
            }
        }
    }

    fn wrong_kind(&mut self, at: &At<'a>, expected: &str) {
        let found = at.node.kind();
        let fix = match at.node {
            Node::Object(members)
                if members
                    .keys()
                    .any(|name| name.starts_with("Fn::") || name == "Ref") =>
            {
                "resolve CloudFormation functions before the import".to_owned()
            }
            _ => format!("write {expected} here"),
        };
        self.fault(
            &at.pointer,
            "document/type",
            format!("expected {expected}, found {found}"),
            fix,
        );
    }

    /// The member as an object.
    pub(crate) fn object(&mut self, at: &At<'a>, key: &str) -> Option<At<'a>> {
        let member = at.get(key)?;
        if member.node.as_object().is_none() {
            self.wrong_kind(&member, "an object");
            return None;
        }
        Some(member)
    }

    /// The items of the member, which must be a list.
    pub(crate) fn list(&mut self, at: &At<'a>, key: &str) -> Vec<At<'a>> {
        let Some(member) = at.get(key) else {
            return Vec::new();
        };
        if member.node.as_array().is_none() {
            self.wrong_kind(&member, "a list");
        }
        member.items().collect()
    }

    /// The node as text; numbers and booleans are taken as they are written.
    pub(crate) fn text_of(&mut self, at: &At<'a>) -> Option<String> {
        match at.node {
            Node::String(text) => Some(text.clone()),
            Node::Number(number) => Some(number.to_string()),
            Node::Bool(value) => Some(value.to_string()),
            Node::Null => None,
            Node::Array(_) | Node::Object(_) => {
                self.wrong_kind(at, "text");
                None
            }
        }
    }

    /// The member as text.
    pub(crate) fn text(&mut self, at: &At<'a>, key: &str) -> Option<String> {
        let member = at.get(key)?;
        self.text_of(&member)
    }

    /// The member as text that is not empty.
    pub(crate) fn some_text(&mut self, at: &At<'a>, key: &str) -> Option<String> {
        self.text(at, key).filter(|text| !text.is_empty())
    }

    /// The member as a boolean, or as the text of one.
    pub(crate) fn boolean(&mut self, at: &At<'a>, key: &str) -> Option<bool> {
        let member = at.get(key)?;
        match member.node {
            Node::Bool(value) => Some(*value),
            Node::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Node::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.wrong_kind(&member, "true or false");
                None
            }
        }
    }

    /// The member as a whole number, or as the text of one.
    pub(crate) fn integer(&mut self, at: &At<'a>, key: &str) -> Option<i64> {
        let member = at.get(key)?;
        let number = match member.node {
            Node::Number(number) => number.as_i64(),
            Node::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_kind(&member, "a whole number");
        }
        number
    }

    /// The member as one of a few words, in any letter case.
    pub(crate) fn word<T: FromStr<Err = UnknownWord>>(
        &mut self,
        at: &At<'a>,
        key: &str,
        rule: &'static str,
    ) -> Option<T> {
        let text = self.some_text(at, key)?;
        match text.parse() {
            Ok(word) => Some(word),
            Err(unknown) => {
                let fix = format!("write one of: {}", unknown.allowed.join(", "));
                self.fault(&at.pointer.child(key), rule, unknown.to_string(), fix);
                None
            }
        }
    }

    /// The member as a list of texts; a single text counts as a list of one.
    pub(crate) fn texts(&mut self, at: &At<'a>, key: &str) -> Vec<String> {
        let Some(member) = at.get(key) else {
            return Vec::new();
        };
        match member.node {
            Node::String(text) => vec![text.clone()],
            Node::Array(_) => {
                let items: Vec<_> = member.items().collect();
                items.iter().filter_map(|item| self.text_of(item)).collect()
            }
            _ => {
                self.wrong_kind(&member, "a list of texts");
                Vec::new()
            }
        }
    }

    /// The member as an object of texts, in order.
    pub(crate) fn text_map(&mut self, at: &At<'a>, key: &str) -> IndexMap<String, String> {
        let Some(member) = self.object(at, key) else {
            return IndexMap::new();
        };
        let mut map = IndexMap::new();
        for (name, value) in member.members() {
            if let Some(text) = self.text_of(&value) {
                map.insert(name.to_owned(), text);
            }
        }
        map
    }

    /// A status code: three digits, as text or as a number.
    pub(crate) fn status(&mut self, at: &At<'a>, key: &str, rule: &'static str) -> Option<String> {
        let text = self.some_text(at, key)?;
        if text.len() == 3
            && text.starts_with(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
            && text.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Some(text);
        }
        self.fault(
            &at.pointer.child(key),
            rule,
            format!("`{text}` is no status code"),
            "write three digits, such as 200",
        );
        None
    }

    /// Follows `$ref` to what it stands for.
    pub(crate) fn resolve(&mut self, at: At<'a>) -> Option<At<'a>> {
        let start = at.pointer.clone();
        let mut at = at;
        for _ in 0..MAX_HOPS {
            let Some(reference) = at.node.get("$ref").and_then(Node::as_str) else {
                return Some(at);
            };
            let pointer = at.pointer.child("$ref");
            at = self.target(reference, &pointer)?;
            let nodes = *self
                .sizes
                .entry(at.pointer.clone())
                .or_insert_with(|| at.node.size());
            if !self.expand(&pointer, nodes) {
                return None;
            }
        }
        self.fault(
            &start.child("$ref"),
            "reference/circle",
            "the reference leads back to itself",
            "let the references end in a definition",
        );
        None
    }

    /// What a reference stands for, one step on.
    pub(crate) fn target(&mut self, reference: &str, pointer: &Pointer) -> Option<At<'a>> {
        let Some(fragment) = reference.strip_prefix('#') else {
            self.fault(
                pointer,
                "reference/local",
                format!("`{reference}` leads out of the document"),
                "put what it stands for into this document",
            );
            return None;
        };
        let decoded = percent_decode_str(fragment)
            .decode_utf8_lossy()
            .into_owned();
        match self.root.node.pointer(&decoded) {
            Some(node) => Some(At {
                node,
                pointer: Pointer::from(decoded),
            }),
            None => {
                self.fault(
                    pointer,
                    "reference/target",
                    format!("`{reference}` stands for nothing"),
                    "define it, or correct the reference",
                );
                None
            }
        }
    }
}
