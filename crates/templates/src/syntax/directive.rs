//! Directives that the grammar does not know by name: `#foreach`, `#define`, `#macro` and the rest, and calls of macros.

use super::parser::{Parser, push_text};
use super::token::Kind;
use super::tree::{Call, Expression, Foreach, Macro, Node, Root};
use crate::dialect::Dialect;
use crate::fault::Fault;

/// An argument and the token that it begins with.
struct Argument {
    value: Expression,
    token: usize,
}

impl Parser<'_, '_> {
    pub(super) fn directive(&mut self, nodes: &mut Vec<Node>) -> Result<(), Fault> {
        let first = self.take()?;
        let image = self.image(first);
        let name = if self.tokens[first].kind == Kind::BracketedWord {
            image.get(2..image.len() - 1)
        } else {
            image.get(1..)
        };
        let name = name.unwrap_or("").to_owned();
        let known = self.is_directive(&name);
        self.lexer.enter_directive();
        if !self.lexer.parenthesis_follows() {
            self.lexer.pop();
            if name == "macro" {
                return Err(self.bad(
                    first,
                    "`#macro` needs a name",
                    "`#macro(name $parameter …)`",
                ));
            }
            let node = self.finish(first, &name, known, Vec::new(), None)?;
            nodes.push(node);
            return Ok(());
        }
        let depth = self.shared.depth;
        let arguments = self.in_brackets(first, &name, known);
        let has_block = match name.as_str() {
            "foreach" | "define" | "macro" | "literal" => true,
            _ => !known && name.starts_with('@'),
        };
        if !has_block {
            let node = self.finish(first, &name, known, arguments?, None)?;
            nodes.push(node);
            return Ok(());
        }
        let arguments = match arguments {
            Ok(arguments) => Some(arguments),
            Err(fault) => {
                self.note(fault, Some(first), depth)?;
                None
            }
        };
        let body = self.next;
        let block = self.block()?;
        let literal = self.literal(body);
        self.close(&format!("`#end` of this `#{name}`"))?;
        let Some(arguments) = arguments else {
            return Ok(());
        };
        let made = match name.as_str() {
            "literal" => {
                push_text(nodes, &literal);
                return Ok(());
            }
            "macro" => self.define_macro(first, &arguments, block),
            _ => self
                .finish(first, &name, known, arguments, Some(block))
                .map(|node| nodes.push(node)),
        };
        // All of it has been read.
        made.or_else(|fault| self.keep(fault))
    }

    fn in_brackets(
        &mut self,
        first: usize,
        name: &str,
        known: bool,
    ) -> Result<Vec<Argument>, Fault> {
        self.blank()?;
        self.expect(Kind::ParenOpen, "`(`")?;
        let arguments = self.arguments(first, name, known)?;
        self.blank()?;
        self.expect(Kind::ParenClose, "an argument or `)`")?;
        Ok(arguments)
    }

    fn arguments(&mut self, first: usize, name: &str, known: bool) -> Result<Vec<Argument>, Fault> {
        let mut arguments = Vec::new();
        loop {
            let start = self.next;
            self.blank()?;
            if self.accept(Kind::Comma)? {
                self.blank()?;
            }
            let token = self.next;
            let value = match self.peek()? {
                Kind::Word => {
                    let word = self.take()?;
                    Expression::Word(self.image(word).into())
                }
                Kind::Identifier | Kind::RefCurlyOpen => {
                    Expression::Reference(Box::new(self.reference()?))
                }
                Kind::StringLiteral | Kind::Integer | Kind::Float | Kind::True | Kind::False => {
                    self.simple()?
                }
                Kind::BracketOpen => self.list_or_range()?,
                Kind::CurlyOpen => self.map()?,
                _ => {
                    self.next = start;
                    return Ok(arguments);
                }
            };
            let position = arguments.len();
            let word = matches!(value, Expression::Word(_));
            if name == "macro" && position == 0 {
                if !word {
                    return Err(self.bad(
                        token,
                        "a macro's name is a plain word",
                        "a name without quotes or `$`",
                    ));
                }
            } else if word && known && !(name == "foreach" && position == 1) {
                let image = self.image(token).to_owned();
                return Err(self.bad(
                    token,
                    &format!("`#{name}` cannot take the word `{image}`"),
                    "a reference or a literal",
                ));
            }
            debug_assert!(first < token);
            arguments.push(Argument { value, token });
        }
    }

    fn finish(
        &mut self,
        first: usize,
        name: &str,
        known: bool,
        arguments: Vec<Argument>,
        block: Option<Box<[Node]>>,
    ) -> Result<Node, Fault> {
        let span = self.span(first);
        if !known {
            return Ok(self.call(first, name, arguments, block));
        }
        match name {
            "stop" => Ok(Node::Stop),
            "break" => Ok(Node::Break {
                scope: arguments.into_iter().next().map(|argument| argument.value),
                span,
            }),
            "evaluate" => match <[Argument; 1]>::try_from(arguments) {
                Ok([argument]) => Ok(Node::Evaluate {
                    argument: argument.value,
                    span,
                }),
                Err(_) => Err(self.bad(
                    first,
                    "`#evaluate` takes one argument",
                    "`#evaluate($text)`",
                )),
            },
            "include" | "parse" => Ok(Node::File { span }),
            "define" => match (<[Argument; 1]>::try_from(arguments), block) {
                (Ok([argument]), Some(block)) => {
                    let slot = self.named_slot(argument.token);
                    Ok(Node::Define { slot, block })
                }
                _ => Err(self.bad(first, "`#define` takes one reference", "`#define($name)`")),
            },
            _ => self.foreach(first, arguments, block),
        }
    }

    fn foreach(
        &mut self,
        first: usize,
        arguments: Vec<Argument>,
        block: Option<Box<[Node]>>,
    ) -> Result<Node, Fault> {
        let span = self.span(first);
        let mut arguments = arguments.into_iter();
        let (Some(variable), Some(_), list, Some(block)) =
            (arguments.next(), arguments.next(), arguments.next(), block)
        else {
            return Err(self.bad(
                first,
                "`#foreach` lacks a part",
                "`#foreach($item in $list)`",
            ));
        };
        // Without a list there is nothing to go through, and Velocity does not mind.
        let list = list.map_or_else(|| Expression::List(Box::default()), |list| list.value);
        // With a fourth argument, that is what the loop renders: the block is one place too far.
        let block = match arguments.next().map(|argument| argument.value) {
            None => block,
            Some(Expression::Reference(reference)) => Box::new([Node::Reference(reference)]),
            Some(_) => Box::new([]),
        };
        let slot = match &variable.value {
            Expression::Reference(reference) => match reference.root {
                Root::Variable(slot) => slot,
                Root::Literal => self.named_slot(variable.token),
            },
            _ => self.named_slot(variable.token),
        };
        Ok(Node::Foreach(Box::new(Foreach {
            slot,
            list,
            block,
            span,
        })))
    }

    fn call(
        &self,
        first: usize,
        name: &str,
        arguments: Vec<Argument>,
        block: Option<Box<[Node]>>,
    ) -> Node {
        let span = self.span(first);
        let mut literal = String::new();
        if name.starts_with('@') && block.is_none() {
            literal.push('#');
            literal.push_str(name);
        } else {
            for token in &self.tokens[first..self.next] {
                literal.push_str(token.image(self.source));
            }
        }
        Node::Call(Box::new(Call {
            name: name.trim_start_matches('@').into(),
            arguments: arguments
                .into_iter()
                .map(|argument| argument.value)
                .collect(),
            body: block,
            literal: literal.into(),
            span,
        }))
    }

    /// In the gateway's dialect a definition is forgotten: its calls stay text.
    fn define_macro(
        &mut self,
        first: usize,
        arguments: &[Argument],
        block: Box<[Node]>,
    ) -> Result<(), Fault> {
        let Some((name, parameters)) = arguments.split_first() else {
            return Err(self.bad(
                first,
                "`#macro` needs a name",
                "`#macro(name $parameter …)`",
            ));
        };
        let name: Box<str> = self.image(name.token).into();
        let parameters = parameters
            .iter()
            .map(|parameter| {
                let name = self.image(parameter.token);
                let name = name.strip_prefix('$').unwrap_or(name).to_owned();
                self.shared.names.slot(&name)
            })
            .collect();
        self.shared.macro_names.push(name.clone());
        if self.shared.dialect == Dialect::Velocity {
            self.shared
                .macros
                .entry(name)
                .or_insert(Macro { parameters, block });
        }
        Ok(())
    }

    /// The variable that an argument names: all that follows the first character.
    fn named_slot(&mut self, token: usize) -> u32 {
        let image = self.image(token);
        let name = image
            .char_indices()
            .nth(1)
            .map_or("", |(at, _)| &image[at..])
            .to_owned();
        self.shared.names.slot(&name)
    }

    fn bad(&self, token: usize, message: &str, expected: &str) -> Fault {
        let token = &self.tokens[token];
        Fault::at(self.source, token.begin, token.end, message, expected, "")
    }
}
