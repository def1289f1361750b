//! References: `$x`, `${x.y}`, `$!x.call($y)[0]`, and what looks like one.

use super::parser::Parser;
use super::token::Kind;
use super::tree::{Access, Expression, Reference, Root};
use crate::fault::Fault;
use crate::jsonpath;

impl Parser<'_, '_> {
    pub(super) fn reference(&mut self) -> Result<Reference, Fault> {
        self.deeper()?;
        let first = self.next;
        let mut path = Vec::new();
        let formal = self.accept(Kind::RefCurlyOpen)?;
        let name_token = self.expect(Kind::Identifier, "the name of a variable")?;
        self.indexes(&mut path)?;
        while self.peek()? == Kind::Dot && self.peek_at(1)? == Kind::Identifier {
            self.take()?;
            let access = self.property_or_method()?;
            path.push(access);
            self.indexes(&mut path)?;
        }
        if formal && self.peek()? != Kind::RefCurlyClose {
            return Err(self.unexpected("`}`, `.name` or `[index]`").with_hint(
                "`${` opens a reference: only a name and its accesses may stand before `}`",
            ));
        }
        if formal {
            self.take()?;
        }
        self.shallower();
        Ok(self.finish_reference(first, name_token, path))
    }

    fn indexes(&mut self, path: &mut Vec<Access>) -> Result<(), Fault> {
        while self.peek()? == Kind::IndexOpen {
            let first = self.take()?;
            self.blank()?;
            let index = match self.peek()? {
                Kind::StringLiteral | Kind::Integer | Kind::True | Kind::False => self.simple()?,
                Kind::Identifier | Kind::RefCurlyOpen => {
                    Expression::Reference(Box::new(self.reference()?))
                }
                _ => return Err(self.unexpected("a string, a whole number or a reference")),
            };
            self.blank()?;
            self.expect(Kind::IndexClose, "`]`")?;
            path.push(Access::Index {
                index,
                span: self.span(first),
            });
        }
        Ok(())
    }

    fn property_or_method(&mut self) -> Result<Access, Fault> {
        let first = self.take()?;
        let name: Box<str> = self.image(first).into();
        if self.peek()? != Kind::ParenOpen
            || !(self.peek_at(1)? == Kind::CallClose || starts_parameter(self.peek_at(1)?))
        {
            return Ok(Access::Property {
                name,
                span: self.span(first),
            });
        }
        self.take()?;
        let mut arguments = Vec::new();
        if self.peek()? != Kind::CallClose {
            arguments.push(self.parameter()?);
            while self.accept(Kind::Comma)? {
                arguments.push(self.parameter()?);
            }
        }
        self.expect(Kind::CallClose, "`,` or `)`")?;
        let path = match (&*name, arguments.as_slice()) {
            // What is no path is a failure when it is asked, not before.
            ("path" | "json", [Expression::Text(path)]) => jsonpath::parse(path).ok().map(Box::new),
            _ => None,
        };
        Ok(Access::Method {
            name,
            arguments: arguments.into(),
            path,
            span: self.span(first),
        })
    }

    /// Sorts out the escapes and the quiet notation; the first token loses what does not belong to the reference.
    fn finish_reference(
        &mut self,
        first: usize,
        name_token: usize,
        path: Vec<Access>,
    ) -> Reference {
        let span = self.span(first);
        let image = self.image(first).to_owned();
        let mut reference = Reference {
            root: Root::Literal,
            path: path.into(),
            escaped: false,
            quiet: false,
            escapes: "".into(),
            prefix: "".into(),
            literal: "".into(),
            span,
        };
        if image.contains("\\!") {
            reference.literal = without_bang_escape(&image).into();
            reference.path = Box::new([]);
            return reference;
        }
        let escapes = image.len() - image.trim_start_matches('\\').len();
        reference.escaped = escapes % 2 == 1;
        reference.escapes = image[..escapes / 2].into();
        let mut rest = &image[escapes..];
        if let Some(dollar) = rest.rfind('$').filter(|dollar| *dollar > 0) {
            reference.prefix = rest[..dollar].into();
            rest = &rest[dollar..];
        }
        if rest.len() != image.len() {
            self.tokens[first].replaced = Some(rest.to_owned());
        }
        reference.literal = self.literal(first);
        let name = if let Some(name) = rest.strip_prefix("$!") {
            reference.quiet = true;
            if !reference.escaped {
                reference.literal = "".into();
            }
            if name.starts_with('{') {
                self.image(name_token).to_owned()
            } else {
                name.to_owned()
            }
        } else if rest == "${" {
            self.image(name_token).to_owned()
        } else if let Some(name) = rest.strip_prefix('$') {
            name.to_owned()
        } else {
            // The lexer took a word for a reference; it prints as it stands.
            reference.literal = rest.into();
            reference.path = Box::new([]);
            return reference;
        };
        reference.root = Root::Variable(self.shared.names.slot(&name));
        reference
    }
}

/// `$\!x` is no reference: one backslash goes, the rest is text.
fn without_bang_escape(image: &str) -> String {
    let dollar = image.find('$').unwrap_or(0);
    let start = image[dollar..]
        .find('\\')
        .map_or(image.len(), |at| dollar + at);
    let count = image[start..].len() - image[start..].trim_start_matches('\\').len();
    let mut text = image[..start].to_owned();
    text.push_str(&image[start..start + count.saturating_sub(1)]);
    text.push_str(&image[start + count..]);
    text
}

pub(super) fn starts_parameter(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Whitespace
            | Kind::StringLiteral
            | Kind::Integer
            | Kind::Float
            | Kind::BracketOpen
            | Kind::CurlyOpen
            | Kind::True
            | Kind::False
            | Kind::Identifier
            | Kind::RefCurlyOpen
    )
}
