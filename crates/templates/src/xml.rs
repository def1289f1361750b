//! XML as values that a template can walk.

use std::collections::{HashMap, HashSet};
use std::fmt;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::data::Data;

/// Reads an XML document into [`Data`]. `$input.path` reads JSON only, here as in the service; what this gives is
/// handed to a template as a variable.
///
/// ```
/// use portcullis_templates::{Data, Scope, Template, XmlReader};
///
/// let reply = br#"<s:Envelope xmlns:s="urn:s"><s:Body><Order id="7"><Item>bolt</Item></Order></s:Body></s:Envelope>"#;
/// let xml = XmlReader::default().list("Item").read(reply)?;
/// let template = Template::parse(
///     r##"#set($order = $xml.Envelope.Body.Order){"id": "$order["@id"]", "items": [#foreach($i in $order.Item)"$i"#end]}"##,
/// )?;
/// let variables = Data::from_iter([("xml", xml)]);
/// let output = template.render(&Scope::new(reply).variables(&variables))?;
/// assert_eq!(output.text(), r#"{"id": "7", "items": ["bolt"]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The document is a map of one member, the root. An element with text only is that text; any other is a map of its
/// attributes (`@name`), its elements and, where it has text beside them, `#text`, trimmed if there are elements.
/// Elements lose their prefixes, attributes keep them; declarations of namespaces are left out. Elements of one name in one parent become a
/// list; those named by [`list`](Self::list) are one even if there is but one. Comments and processing instructions
/// are skipped.
///
/// A document type is refused, so that there are no entities but the five of XML itself.
#[derive(Clone, Debug)]
#[must_use]
pub struct XmlReader {
    lists: HashSet<String>,
    bytes: usize,
    depth: usize,
    nodes: usize,
}

/// Why a text could not be read as XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError {
    at: usize,
    message: String,
}

impl XmlError {
    /// The byte of the text at which it was noticed, from 0.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl std::error::Error for XmlError {}

impl Default for XmlReader {
    fn default() -> Self {
        Self {
            lists: HashSet::new(),
            bytes: 10 << 20,
            depth: 100,
            nodes: 200_000,
        }
    }
}

/// An element whose end has not come.
struct Open {
    name: String,
    members: Vec<Member>,
    index: HashMap<String, usize>,
    text: String,
    has_elements: bool,
}

struct Member {
    name: String,
    values: Vec<Data>,
    list: bool,
}

impl Open {
    fn new(name: String) -> Self {
        Self {
            name,
            members: Vec::new(),
            index: HashMap::new(),
            text: String::new(),
            has_elements: false,
        }
    }

    fn add(&mut self, name: String, value: Data, list: bool) {
        if let Some(&at) = self.index.get(&name) {
            self.members[at].values.push(value);
            return;
        }
        self.index.insert(name.clone(), self.members.len());
        self.members.push(Member {
            name,
            values: vec![value],
            list,
        });
    }

    fn close(self) -> (String, Data) {
        if self.members.is_empty() {
            return (self.name, Data::Text(self.text));
        }
        let mut entries: Vec<(String, Data)> = self
            .members
            .into_iter()
            .map(|mut member| match member.values.pop() {
                Some(only) if member.values.is_empty() && !member.list => (member.name, only),
                last => {
                    member.values.extend(last);
                    (member.name, Data::List(member.values))
                }
            })
            .collect();
        let text = match self.has_elements {
            true => self.text.trim(),
            false => &self.text,
        };
        if !text.is_empty() {
            entries.push(("#text".to_owned(), Data::from(text)));
        }
        (self.name, Data::Map(entries))
    }
}

impl XmlReader {
    /// Elements of this name, without a prefix, are a list even where there is only one.
    pub fn list(mut self, name: impl Into<String>) -> Self {
        self.lists.insert(name.into());
        self
    }

    /// Sets how many bytes a document may have; 10 MiB by default.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how deep elements may nest, at most 400; 100 by default.
    pub fn depth(mut self, depth: usize) -> Self {
        // What is deeper could not be dropped without recursion that is as deep.
        self.depth = depth.min(400);
        self
    }

    /// Sets how many elements and attributes a document may have, all told; 200,000 by default.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Reads a document in UTF-8.
    ///
    /// # Errors
    ///
    /// What is no well-formed XML, is past a bound, has a document type or is not UTF-8.
    pub fn read(&self, document: &[u8]) -> Result<Data, XmlError> {
        let fail = |at: u64, message: String| XmlError {
            at: at as usize,
            message,
        };
        if document.len() > self.bytes {
            let message = format!("the document is longer than {} bytes", self.bytes);
            return Err(fail(self.bytes as u64, message));
        }
        let text = std::str::from_utf8(document).map_err(|error| {
            fail(
                error.valid_up_to() as u64,
                "the document is not UTF-8".to_owned(),
            )
        })?;
        let marked = text.strip_prefix('\u{feff}').unwrap_or(text);
        let skipped = (text.len() - marked.len()) as u64;
        let mut reader = Reader::from_str(marked);
        let mut reading = Reading {
            rules: self,
            nodes: 0,
            open: Vec::new(),
            root: None,
        };
        loop {
            let event = reader
                .read_event()
                .map_err(|error| fail(skipped + reader.error_position(), error.to_string()))?;
            match reading.event(event) {
                Ok(true) => {}
                Ok(false) => break,
                Err(message) => return Err(fail(skipped + reader.buffer_position(), message)),
            }
        }
        match (reading.root, reading.open.last()) {
            (Some((name, value)), None) => Ok(Data::Map(vec![(name, value)])),
            (_, Some(open)) => Err(fail(
                skipped + reader.buffer_position(),
                format!("`{}` is never closed", open.name),
            )),
            (None, None) => Err(fail(0, "there is no element".to_owned())),
        }
    }
}

/// A document of which a part has been read.
struct Reading<'x> {
    rules: &'x XmlReader,
    nodes: usize,
    open: Vec<Open>,
    root: Option<(String, Data)>,
}

impl Reading<'_> {
    /// Whether there is more to come.
    fn event(&mut self, event: Event<'_>) -> Result<bool, String> {
        match event {
            Event::Start(start) => self.start(&start)?,
            Event::Empty(start) => {
                self.start(&start)?;
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content())?,
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => self.reference(&reference)?,
            Event::DocType(_) => return Err("a document type is not allowed".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return Ok(false),
        }
        Ok(true)
    }

    fn count(&mut self) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > self.rules.nodes {
            return Err(format!(
                "there are more than {} elements and attributes",
                self.rules.nodes
            ));
        }
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.count()?;
        if self.open.is_empty() && self.root.is_some() {
            return Err("there is a second root element".to_owned());
        }
        if self.open.len() >= self.rules.depth {
            return Err(format!("nested more than {} deep", self.rules.depth));
        }
        let mut element = Open::new(start.local_name().into_inner().to_owned());
        // The parser's own check for repeated names takes the square of their number; `index` finds them too.
        for attribute in start.attributes().with_checks(false) {
            self.count()?;
            let attribute = attribute.map_err(|error| error.to_string())?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            let name = format!("@{}", attribute.key.into_inner());
            if element.index.contains_key(&name) {
                return Err(format!("the attribute `{}` is repeated", &name[1..]));
            }
            element.add(name, Data::from(&*value), false);
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        // The parser has matched the names, so there is an open element.
        let Some(element) = self.open.pop() else {
            return;
        };
        let (name, value) = element.close();
        match self.open.last_mut() {
            Some(parent) => {
                let list = self.rules.lists.contains(&name);
                parent.has_elements = true;
                parent.add(name, value, list);
            }
            None => self.root = Some((name, value)),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err("there is text outside the root element".to_owned()),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        let character = reference
            .resolve_char_ref()
            .map_err(|error| error.to_string())?;
        if let Some(character) = character {
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        let name = reference.xml10_content();
        match resolve_predefined_entity(&name) {
            Some(text) => self.text(text),
            None => Err(format!("the entity `&{name};` is unknown")),
        }
    }
}
