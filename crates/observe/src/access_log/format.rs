//! A format, compiled once.

use std::fmt;
use std::mem;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use portcullis_core::Variable;

use super::Captured;
use super::escape::{Place, Writing};
use super::line::{Block, Line};
use super::parse::{Token, tokens};
use super::redaction::Redaction;
use crate::error::ConfigError;
use crate::exchange::Exchange;

/// How a line of an [`AccessLog`](crate::AccessLog) looks: text with variables, compiled once.
///
/// ```
/// use portcullis_observe::AccessFormat;
///
/// let format = AccessFormat::parse("$context.requestId $context.status $context.responseLatency ms")?;
/// assert!(format.names_the_request());
/// assert!(AccessFormat::parse("$context.statuss").is_err());
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
///
/// # Variables
///
/// `$context.NAME` is any name of the service's list, and of [`Variable`]; `$request.header.NAME`, `$request.querystring.NAME`, `$response.header.NAME` and
/// `$stageVariables.NAME` are of this crate. What is not there prints as `-`. Values of [some names](Redaction) print as `REDACTED`.
///
/// # Escapes
///
/// What a format looks like decides how values are escaped, so that none of them ends its field or its line:
///
/// | the format | is | values |
/// | --- | --- | --- |
/// | begins with `{`, and is JSON | JSON | are escaped within strings; outside of them numbers stand as they are, text gets quotes, and what is not there is `null` |
/// | begins with `<` | XML | have entities for what is markup |
/// | has commas and no spaces outside its variables | CSV | get quotes where they need them (RFC 4180); `\n` stands for the end of a line |
/// | any other | text | have `\"`, `\\`, `\n` and `\x1b`, as in logs of web servers; outside quotes and brackets, spaces of the caller's values are `\x20` |
///
/// A format of several lines is written as one. Values of more than 8 KiB are cut.
#[derive(Clone)]
pub struct AccessFormat {
    kind: Kind,
    source: Box<str>,
    parts: Box<[Part]>,
    request: Box<[Wanted]>,
    response: Box<[HeaderName]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
    Xml,
    Csv,
}

#[derive(Clone)]
enum Part {
    Text(Box<[u8]>),
    /// The same, of a few bytes.
    Short(Block),
    Context(Variable, Place),
    /// Of which only is shown whether it is there.
    HiddenContext(Variable, Place),
    /// Of the request, as kept.
    Request(usize, Place, Shown),
    /// Of the response, as kept.
    Response(usize, Place, Shown),
    StageVariable(Box<str>, Place),
}

impl Part {
    fn shorter(self) -> Self {
        match &self {
            Self::Text(text) => Block::of(text).map_or(self, Self::Short),
            _ => self,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
}

/// What a format wants to know of a request, and the context does not keep.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Header(HeaderName),
    Query(Box<str>),
}

impl Wanted {
    pub(super) fn of(&self, uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
        match self {
            Self::Header(name) => headers.get(name).cloned(),
            Self::Query(name) => {
                let mut pairs = uri.query()?.split('&');
                let value = pairs.find_map(|pair| {
                    let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (own == &**name).then_some(value)
                })?;
                HeaderValue::from_str(value).ok()
            }
        }
    }
}

impl AccessFormat {
    /// Compiles a format.
    ///
    /// # Errors
    ///
    /// If it is empty, or names a variable that there is not.
    pub fn parse(format: &str) -> Result<Self, ConfigError> {
        Self::parse_with(format, &Redaction::new())
    }

    /// Compiles a format with another list of what is not shown.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse).
    pub fn parse_with(format: &str, redaction: &Redaction) -> Result<Self, ConfigError> {
        let source = one_line(format);
        if source.is_empty() {
            let problem = "must not be empty; name at least `$context.requestId`";
            return Err(ConfigError::new("format", "", problem));
        }
        let tokens = tokens(&source)?;
        let kind = Kind::of(&source, &tokens);
        let mut compiler = Compiler {
            redaction,
            parts: Vec::new(),
            request: Vec::new(),
            response: Vec::new(),
        };
        match kind {
            Kind::Text => compiler.text(&tokens),
            Kind::Json => compiler.json(&tokens),
            Kind::Xml => compiler.each(&tokens, |_| Place::Xml),
            Kind::Csv => compiler.csv(tokens),
        }
        Ok(Self {
            kind,
            source: source.into(),
            parts: compiler.parts.into_iter().map(Part::shorter).collect(),
            request: compiler.request.into(),
            response: compiler.response.into(),
        })
    }

    /// Whether the id of the request is among the variables: `$context.requestId` or `$context.extendedRequestId`. The service accepts no other format.
    #[must_use]
    pub fn names_the_request(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(part, Part::Context(variable, _)
                if matches!(variable.as_str(), "requestId" | "extendedRequestId"))
        })
    }

    /// What the line wants to know of requests and of responses beyond their context.
    pub(super) fn captures(&self) -> (&[Wanted], &[HeaderName]) {
        (&self.request, &self.response)
    }

    /// Writes the line, without its end.
    pub(super) fn render(&self, exchange: &Exchange<'_>, captured: &Captured, line: &mut Line<'_>) {
        let context = exchange.context();
        for part in &self.parts {
            match part {
                Part::Short(text) => line.push_block(text),
                Part::Text(text) => line.push(text),
                Part::Context(variable, place) => {
                    let place = *place;
                    context.visit(variable, Writing { place, line });
                }
                Part::HiddenContext(variable, place) => {
                    let there = context.value(variable, |value| value.is_some());
                    hidden(there, *place, line);
                }
                Part::Request(slot, place, shown) => {
                    header(captured.of_request(*slot), *place, *shown, line);
                }
                Part::Response(slot, place, shown) => {
                    header(captured.of_response(*slot), *place, *shown, line);
                }
                Part::StageVariable(name, place) => {
                    let stage = context.stage();
                    match stage.and_then(|stage| stage.variables.get(&**name)) {
                        Some(value) => place.text(line, value),
                        None => place.absent(line),
                    }
                }
            }
        }
    }
}

fn header(value: Option<&HeaderValue>, place: Place, shown: Shown, line: &mut Line<'_>) {
    match (value, shown) {
        (value, Shown::No) => hidden(value.is_some(), place, line),
        (Some(value), Shown::Yes) => place.bytes(line, value.as_bytes()),
        (None, Shown::Yes) => place.absent(line),
    }
}

fn hidden(there: bool, place: Place, line: &mut Line<'_>) {
    if there {
        place.text(line, "REDACTED");
    } else {
        place.absent(line);
    }
}

/// The format as one line: where it has several, the ends and the indentation are a space.
fn one_line(format: &str) -> String {
    let lines = format.split(['\n', '\r']).map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

impl Kind {
    fn of(source: &str, tokens: &[Token]) -> Self {
        if source.starts_with('{') && is_json(tokens) {
            return Self::Json;
        }
        if source.starts_with('<') {
            return Self::Xml;
        }
        let texts = tokens.iter().filter_map(|token| match token {
            Token::Text(text) => Some(text),
            _ => None,
        });
        let (mut commas, mut spaces) = (false, false);
        for text in texts {
            commas |= text.contains(',');
            spaces |= text.contains(|c: char| c.is_whitespace() || c == '[');
        }
        if commas && !spaces {
            Self::Csv
        } else {
            Self::Text
        }
    }
}

/// Whether it is JSON with a value for each variable that is not in a string.
fn is_json(tokens: &[Token]) -> bool {
    let mut text = String::new();
    let mut scan = JsonScan::default();
    for token in tokens {
        match token {
            Token::Text(own) => {
                scan.read(own);
                text.push_str(own);
            }
            _ => text.push_str(if scan.in_string { "-" } else { "0" }),
        }
    }
    serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
}

/// Where in JSON one is.
#[derive(Default)]
struct JsonScan {
    in_string: bool,
    escaped: bool,
}

impl JsonScan {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }
}

struct Compiler<'a> {
    redaction: &'a Redaction,
    parts: Vec<Part>,
    request: Vec<Wanted>,
    response: Vec<HeaderName>,
}

impl Compiler<'_> {
    fn literal(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Part::Text(own)) = self.parts.last_mut() {
            *own = [own, text.as_bytes()].concat().into();
        } else {
            self.parts.push(Part::Text(text.as_bytes().into()));
        }
    }

    /// Adds what a variable stands for.
    fn variable(&mut self, token: &Token, place: Place) {
        let shown = |name: &str| {
            if self.redaction.hides(name) {
                Shown::No
            } else {
                Shown::Yes
            }
        };
        let part = match token {
            Token::Text(text) => {
                let text = text.clone();
                return self.literal(&text);
            }
            Token::Context(variable) if self.redaction.hides_variable(variable.as_str()) => {
                Part::HiddenContext(variable.clone(), place)
            }
            // The only variable that is JSON by itself.
            Token::Context(variable)
                if place == Place::JsonValue && variable.as_str() == "error.messageString" =>
            {
                Part::Context(variable.clone(), Place::JsonRaw)
            }
            Token::Context(variable) => Part::Context(variable.clone(), place),
            Token::RequestHeader(name) => {
                let shown = shown(name.as_str());
                self.request.push(Wanted::Header(name.clone()));
                Part::Request(self.request.len() - 1, place, shown)
            }
            Token::Query(name) => {
                let shown = shown(name);
                self.request.push(Wanted::Query(name.as_str().into()));
                Part::Request(self.request.len() - 1, place, shown)
            }
            Token::ResponseHeader(name) => {
                let shown = shown(name.as_str());
                self.response.push(name.clone());
                Part::Response(self.response.len() - 1, place, shown)
            }
            Token::StageVariable(name) => Part::StageVariable(name.as_str().into(), place),
        };
        self.parts.push(part);
    }

    fn each(&mut self, tokens: &[Token], place: impl Fn(&Token) -> Place) {
        for token in tokens {
            self.variable(token, place(token));
        }
    }

    fn text(&mut self, tokens: &[Token]) {
        let (mut in_quotes, mut in_brackets) = (false, false);
        for token in tokens {
            if let Token::Text(text) = token {
                for byte in text.bytes() {
                    match byte {
                        b'"' => in_quotes = !in_quotes,
                        b'[' if !in_quotes => in_brackets = true,
                        b']' if !in_quotes => in_brackets = false,
                        _ => {}
                    }
                }
            }
            let place = match token {
                _ if in_quotes || in_brackets => Place::Quoted,
                token if is_of_the_caller(token) => Place::Word,
                _ => Place::Plain,
            };
            self.variable(token, place);
        }
    }

    fn json(&mut self, tokens: &[Token]) {
        let mut scan = JsonScan::default();
        for token in tokens {
            if let Token::Text(text) = token {
                scan.read(text);
            }
            let place = if scan.in_string {
                Place::JsonString
            } else {
                Place::JsonValue
            };
            self.variable(token, place);
        }
    }

    fn csv(&mut self, tokens: Vec<Token>) {
        let mut cell = Vec::new();
        let mut in_quotes = false;
        for token in tokens {
            let Token::Text(text) = token else {
                cell.push(token);
                continue;
            };
            let mut own = String::new();
            for character in text.chars() {
                if character == ',' && !in_quotes {
                    cell.push(Token::Text(mem::take(&mut own)));
                    self.cell(mem::take(&mut cell));
                    self.literal(",");
                    continue;
                }
                in_quotes ^= character == '"';
                own.push(character);
            }
            cell.push(Token::Text(own));
        }
        self.cell(cell);
    }

    fn cell(&mut self, mut tokens: Vec<Token>) {
        tokens.retain(|token| !matches!(token, Token::Text(text) if text.is_empty()));
        match &tokens[..] {
            [variable] => self.variable(variable, Place::Cell),
            // It has quotes of its own.
            [Token::Text(first), ..] if first.starts_with('"') => {
                self.each(&tokens, |_| Place::QuotedCell);
            }
            tokens => {
                let has_variables = tokens.iter().any(|token| !matches!(token, Token::Text(_)));
                let quote = if has_variables { "\"" } else { "" };
                self.literal(quote);
                self.each(tokens, |_| Place::QuotedCell);
                self.literal(quote);
            }
        }
    }
}

/// Whether the caller chooses the value, so that there may be anything in it.
fn is_of_the_caller(token: &Token) -> bool {
    match token {
        Token::Text(_) | Token::StageVariable(_) => false,
        Token::RequestHeader(_) | Token::ResponseHeader(_) | Token::Query(_) => true,
        Token::Context(variable) => {
            let name = variable.as_str();
            [
                "identity.",
                "authorizer.",
                "requestOverride.",
                "responseOverride.",
                "path",
                "domain",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        }
    }
}

impl fmt::Debug for AccessFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessFormat({:?}, {:?})", self.kind, self.source)
    }
}
