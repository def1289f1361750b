//! The parser: statements and blocks. It asks for a token only where it must choose, because what the lexer
//! makes of the next characters depends on what the parser has understood so far.

use std::collections::HashMap;

use super::lexer::Lexer;
use super::token::{Kind, Token};
use super::tree::{Block, Branch, If, Macro, Names, Node, Set, Span, Tree};
use crate::dialect::{Dialect, Limits};
use crate::fault::Fault;

/// What a parse carries through nested strings.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dialect: Dialect,
    pub(crate) names: Names,
    pub(crate) macros: HashMap<Box<str>, Macro>,
    /// Macros that are known by name, for escapes: in the gateway's dialect they cannot be called.
    pub(crate) macro_names: Vec<Box<str>>,
    pub(crate) depth: usize,
    pub(crate) max_depth: usize,
    /// What was wrong so far.
    pub(crate) faults: Vec<Fault>,
    /// Whether something was left out that may have opened or closed a block.
    pub(crate) adrift: bool,
}

#[derive(Debug)]
pub(crate) struct Parser<'s, 'p> {
    pub(super) source: &'s str,
    pub(super) lexer: Lexer<'s>,
    pub(super) tokens: Vec<Token>,
    /// The token that comes next; it may not have been lexed yet.
    pub(super) next: usize,
    pub(super) shared: &'p mut Shared,
    /// Within a string literal: its place in the outermost source.
    pub(super) place: Option<Span>,
}

/// Parses a whole template.
pub(crate) fn parse(
    source: &str,
    dialect: Dialect,
    limits: &Limits,
    names: Names,
    macros: HashMap<Box<str>, Macro>,
) -> Result<Tree, Fault> {
    if source.len() > limits.template_bytes {
        return Err(Fault::at(
            source,
            0,
            0,
            format!(
                "the template has {} bytes; at most {} are allowed",
                source.len(),
                limits.template_bytes
            ),
            "",
            "",
        ));
    }
    let mut shared = Shared {
        dialect,
        names,
        macro_names: macros.keys().cloned().collect(),
        macros,
        depth: 0,
        max_depth: limits.depth,
        faults: Vec::new(),
        adrift: false,
    };
    let parsed = Parser::new(source, &mut shared, None).template();
    let faults = std::mem::take(&mut shared.faults);
    let block = match (parsed, Fault::all(faults)) {
        (Ok(block), None) => block,
        (Ok(_), Some(fault)) => return Err(fault),
        (Err(last), faults) => return Err(last.after(faults)),
    };
    Ok(Tree {
        block,
        macros: shared.macros,
        names: shared.names,
    })
}

impl<'s, 'p> Parser<'s, 'p> {
    pub(crate) fn new(source: &'s str, shared: &'p mut Shared, place: Option<Span>) -> Self {
        Self {
            source,
            lexer: Lexer::new(source),
            tokens: Vec::new(),
            next: 0,
            shared,
            place,
        }
    }

    pub(crate) fn template(&mut self) -> Result<Block, Fault> {
        let block = self.block()?;
        while self.peek()? != Kind::EndOfFile {
            let fault = self.unexpected("text, a reference or a directive");
            self.pass_over(fault)?;
            self.block()?;
        }
        Ok(block)
    }

    /// The kind of the token `ahead` places from here, which is lexed now if it was not.
    pub(super) fn peek_at(&mut self, ahead: usize) -> Result<Kind, Fault> {
        while self.tokens.len() <= self.next + ahead {
            let token = self.lexer.next()?;
            self.tokens.push(token);
        }
        Ok(self.tokens[self.next + ahead].kind)
    }

    pub(super) fn peek(&mut self) -> Result<Kind, Fault> {
        self.peek_at(0)
    }

    /// Takes the next token, whatever it is, and gives its number.
    pub(super) fn take(&mut self) -> Result<usize, Fault> {
        self.peek()?;
        self.next += 1;
        Ok(self.next - 1)
    }

    pub(super) fn accept(&mut self, kind: Kind) -> Result<bool, Fault> {
        let found = self.peek()? == kind;
        if found {
            self.next += 1;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, kind: Kind, what: &str) -> Result<usize, Fault> {
        if self.peek()? == kind {
            self.take()
        } else {
            Err(self.unexpected(what))
        }
    }

    pub(super) fn blank(&mut self) -> Result<(), Fault> {
        self.accept(Kind::Whitespace).map(|_| ())
    }

    pub(super) fn image(&self, token: usize) -> &str {
        self.tokens[token].image(self.source)
    }

    /// The text of the tokens from `first` to before the next one, as it prints.
    pub(super) fn literal(&self, first: usize) -> Box<str> {
        let mut text = String::new();
        for token in &self.tokens[first..self.next] {
            token.push_literal(self.source, &mut text);
        }
        text.into()
    }

    pub(super) fn span(&self, first: usize) -> Span {
        if let Some(place) = self.place {
            return place;
        }
        let end = match self.next {
            0 => 0,
            next => self.tokens[next - 1].end,
        };
        Span {
            begin: self.tokens.get(first).map_or(end, |token| token.begin) as u32,
            end: end as u32,
        }
    }

    pub(super) fn deeper(&mut self) -> Result<(), Fault> {
        self.shared.depth += 1;
        if self.shared.depth > self.shared.max_depth {
            let at = self.tokens.get(self.next).map_or(0, |token| token.begin);
            return Err(Fault::at(
                self.source,
                at,
                at,
                format!("nested more than {} deep", self.shared.max_depth),
                "",
                "",
            ));
        }
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.shared.depth -= 1;
    }

    /// The next token does not fit.
    pub(super) fn unexpected(&self, expected: &str) -> Fault {
        let Some(token) = self.tokens.get(self.next) else {
            let end = self.source.len();
            return Fault::at(
                self.source,
                end,
                end,
                "the template ends too early",
                expected,
                "",
            );
        };
        let image = token.image(self.source);
        let (message, hint) = match token.kind {
            Kind::EndOfFile => (
                "the template ends too early".to_owned(),
                "each #if, #foreach, #define and #macro needs an #end",
            ),
            Kind::End => (
                "this `#end` closes nothing".to_owned(),
                "put a backslash before it to print it (`\\#end`)",
            ),
            Kind::Else | Kind::ElseIf => (
                format!("`{}` belongs to no `#if`", image.trim_end()),
                "put a backslash before it to print it",
            ),
            Kind::Assign => (
                "`=` cannot stand here".to_owned(),
                "a single `=` assigns, in `#set` only; compare with `==`",
            ),
            Kind::Integer | Kind::Float if image.starts_with('-') => (
                format!("`{image}` is a negative number, not a subtraction"),
                "put a space on both sides of the minus sign",
            ),
            Kind::True | Kind::False if image.starts_with('$') => {
                (format!("`{image}` cannot be the name of a variable"), "")
            }
            Kind::StringLiteral => (
                "a string cannot stand here".to_owned(),
                "a quote inside a string is doubled (`\"\"`), not escaped",
            ),
            Kind::Word => (
                format!("`{image}` is no value"),
                "strings are quoted and variables begin with `$`; there is no `null` literal: use a variable that was never set",
            ),
            _ => (format!("`{}` cannot stand here", image.escape_debug()), ""),
        };
        Fault::at(self.source, token.begin, token.end, message, expected, hint)
    }

    /// Statements up to something that is none.
    pub(super) fn block(&mut self) -> Result<Block, Fault> {
        self.deeper()?;
        let mut nodes = Vec::new();
        while self.statement_or_fault(&mut nodes)? {}
        self.shallower();
        Ok(merged(nodes))
    }

    /// One statement; whether there was one.
    pub(super) fn statement(&mut self, nodes: &mut Vec<Node>) -> Result<bool, Fault> {
        match self.peek()? {
            Kind::If => {
                let node = self.if_statement()?;
                nodes.push(node);
            }
            Kind::Identifier => {
                let reference = self.reference()?;
                nodes.push(Node::Reference(Box::new(reference)));
            }
            Kind::RefCurlyOpen => {
                if self.peek_at(1)? == Kind::Identifier {
                    let reference = self.reference()?;
                    nodes.push(Node::Reference(Box::new(reference)));
                } else {
                    self.text(nodes)?;
                }
            }
            Kind::LineCommentStart => {
                let token = self.take()?;
                self.before_comment(token, nodes);
                self.accept(Kind::LineCommentEnd)?;
            }
            Kind::BlockComment => {
                let token = self.take()?;
                self.before_comment(token, nodes);
            }
            Kind::TextBlock => {
                let token = self.take()?;
                let text = self.image(token);
                // Three characters go at either end, be they `#[[` or what the lexer took before it.
                let inner: usize = text.chars().take(3).map(char::len_utf8).sum();
                let text = text.get(inner..text.len() - 3).unwrap_or("").to_owned();
                push_text(nodes, &text);
            }
            Kind::SetDirective => {
                let node = self.set()?;
                nodes.push(node);
            }
            Kind::EscapedDirective => {
                let token = self.take()?;
                let text = self.escaped_directive(token);
                push_text(nodes, &text);
            }
            Kind::DoubleEscape => {
                let text = self.escape()?;
                push_text(nodes, &text);
            }
            Kind::Word | Kind::BracketedWord => self.directive(nodes)?,
            Kind::Text
            | Kind::Dot
            | Kind::ParenClose
            | Kind::ParenOpen
            | Kind::Integer
            | Kind::Float
            | Kind::StringLiteral
            | Kind::Escape
            | Kind::RefCurlyClose
            | Kind::EmptyIndex => self.text(nodes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A `$` or `#` right before a comment is part of its token, and prints.
    fn before_comment(&self, token: usize, nodes: &mut Vec<Node>) {
        let image = self.image(token);
        let start = image.find("##").or_else(|| image.find("#*"));
        push_text(nodes, &image[..start.unwrap_or(0)]);
    }

    fn text(&mut self, nodes: &mut Vec<Node>) -> Result<(), Fault> {
        let token = self.take()?;
        let mut text = String::new();
        self.tokens[token].push_literal(self.source, &mut text);
        push_text(nodes, &text);
        Ok(())
    }

    fn if_statement(&mut self) -> Result<Node, Fault> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let first = self.take()?;
            let condition = self.condition(first)?;
            let span = self.span(first);
            branches.push(Branch {
                condition,
                block: self.block()?,
                span,
            });
            if self.peek()? != Kind::ElseIf {
                break;
            }
        }
        if self.accept(Kind::Else)? {
            otherwise = Some(self.block()?);
        }
        self.close("`#end` of this `#if`")?;
        Ok(Node::If(Box::new(If {
            branches: branches.into(),
            otherwise,
        })))
    }

    fn set(&mut self) -> Result<Node, Fault> {
        let directive = self.take()?;
        self.blank()?;
        let first = self.next;
        if !matches!(self.peek()?, Kind::Identifier | Kind::RefCurlyOpen) {
            return Err(self
                .unexpected("a reference to assign to")
                .with_hint("write `#set($name = value)`"));
        }
        let target = self.reference()?;
        self.blank()?;
        if self.peek()? != Kind::Assign {
            let fault = self.unexpected("`=` and a value");
            return Err(if self.peek()? == Kind::Equal {
                fault.with_hint("`==` compares; `#set` assigns with a single `=`")
            } else {
                fault
            });
        }
        self.take()?;
        let value = self.expression()?;
        self.expect(Kind::ParenClose, "an operator or `)`")?;
        self.lexer.in_set = false;
        let span = self.span(directive);
        self.accept(Kind::Newline)?;
        // A target without a path is named by all that follows the dollar sign, be it `!x` or `{`.
        let name = self.image(first).get(1..).unwrap_or("").to_owned();
        let slot = self.shared.names.slot(&name);
        Ok(Node::Set(Box::new(Set {
            target,
            slot,
            value,
            span,
        })))
    }

    /// Backslashes before a directive: two print as one.
    fn escaped_directive(&self, token: usize) -> String {
        let image = self.image(token);
        let last = image.rfind('\\').unwrap_or(0);
        let directive = &image[last + 1..];
        if self.is_directive_name(directive) {
            format!("{}{directive}", &image[..last / 2])
        } else {
            image.to_owned()
        }
    }

    /// `#name` or `#{name}` of something that runs.
    fn is_directive_name(&self, tag: &str) -> bool {
        let name = tag.get(1..).unwrap_or("");
        let name = name
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
            .unwrap_or(name);
        self.is_directive(name)
            || self.shared.macro_names.iter().any(|known| **known == *name)
            || matches!(name, "if" | "end" | "set" | "else" | "elseif")
    }

    pub(super) fn is_directive(&self, name: &str) -> bool {
        match name {
            "foreach" | "define" | "macro" | "break" | "stop" | "literal" => true,
            "evaluate" | "include" | "parse" => self.shared.dialect == Dialect::Velocity,
            _ => false,
        }
    }

    /// Pairs of backslashes before something else.
    fn escape(&mut self) -> Result<String, Fault> {
        let mut count = 0;
        while self.peek()? == Kind::DoubleEscape {
            self.take()?;
            count += 1;
        }
        let next = self.next;
        let kind = self.tokens[next].kind;
        let name = self.image(next).chars().skip(1).collect::<String>();
        let control = matches!(kind, Kind::If | Kind::Else | Kind::ElseIf | Kind::End)
            || self.is_directive(&name)
            || self.shared.macro_names.iter().any(|known| **known == *name);
        Ok(if control { "\\" } else { "\\\\" }.repeat(count))
    }
}

pub(super) fn push_text(nodes: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        nodes.push(Node::Text(text.into()));
    }
}

/// Adjacent texts become one node.
fn merged(nodes: Vec<Node>) -> Block {
    let mut out: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut pending = String::new();
    for node in nodes {
        if let Node::Text(text) = &node {
            pending.push_str(text);
        } else {
            push_text(&mut out, &pending);
            pending.clear();
            out.push(node);
        }
    }
    push_text(&mut out, &pending);
    out.into()
}
