//! From text to a tree.

use serde::de::DeserializeSeed;

use crate::node::{Node, NodeSeed};
use crate::{ImportErrors, ParseOptions};

/// A document that has been read, of any version and not yet checked.
#[derive(Clone, Debug)]
pub struct Document {
    root: Node,
    has_variables: bool,
}

impl Document {
    /// The tree of the document.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whether a text of the document names `${AWS::Region}` or the like.
    pub(crate) fn has_variables(&self) -> bool {
        self.has_variables
    }
}

/// Reads a document, JSON or YAML, within the service's limits ([`ParseOptions::default`]).
///
/// # Errors
///
/// One fault if the text is neither, is longer than 6 MiB, or is nested too deeply.
///
/// # Examples
///
/// ```
/// let document = portcullis_openapi::parse("openapi: 3.0.1\npaths: {}")?;
/// assert_eq!(document.root().get("openapi").and_then(|node| node.as_str()), Some("3.0.1"));
/// # Ok::<(), portcullis_openapi::ImportErrors>(())
/// ```
pub fn parse(text: &str) -> Result<Document, ImportErrors> {
    parse_with(text, &ParseOptions::default())
}

/// Reads a document, JSON or YAML, within these limits.
///
/// # Errors
///
/// One fault if the text is neither, or passes a limit.
pub fn parse_with(text: &str, options: &ParseOptions) -> Result<Document, ImportErrors> {
    if text.len() > options.max_bytes {
        return Err(ImportErrors::invalid_input(
            "document/size",
            format!(
                "the document has {} bytes; at most {} are allowed",
                text.len(),
                options.max_bytes
            ),
        ));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = if text.trim_start().starts_with(['{', '[']) {
        // YAML's flow style begins with the same characters as JSON.
        parse_json(text, options)
            .or_else(|reason| parse_yaml(text, options).map_err(|_| format!("as JSON: {reason}")))
    } else {
        parse_yaml(text, options).map_err(|reason| format!("as YAML: {reason}"))
    };
    match root {
        Ok(root @ Node::Object(_)) => Ok(Document {
            root,
            has_variables: text.contains("${AWS::"),
        }),
        Ok(other) => Err(ImportErrors::invalid_input(
            "document/syntax",
            format!("a document is an object, but this is {}", other.kind()),
        )),
        Err(reason) => Err(ImportErrors::invalid_input("document/syntax", reason)),
    }
}

fn parse_json(text: &str, options: &ParseOptions) -> Result<Node, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = NodeSeed {
        levels: options.max_depth,
    };
    let node = seed
        .deserialize(&mut deserializer)
        .map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(node)
}

fn parse_yaml(text: &str, options: &ParseOptions) -> Result<Node, String> {
    // Each event takes a character, so the size limit bounds them; what aliases repeat has
    // limits of its own, because a few bytes can stand for very much.
    let events = text.len().saturating_add(16);
    let yaml = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: options.max_depth,
            max_events: events,
            max_nodes: events,
            max_total_scalar_bytes: text.len().saturating_mul(4).saturating_add(1024),
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: options.max_alias_events,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    let seed = NodeSeed {
        levels: options.max_depth,
    };
    serde_saphyr::with_deserializer_from_str_with_options(text, yaml, |deserializer| {
        seed.deserialize(deserializer)
    })
    .map_err(|error| {
        // The other formatter tells programmers which setting would let it pass.
        error
            .render_with_formatter(&serde_saphyr::UserMessageFormatter)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    })
}
