//! Expressions and literals.

use std::str::FromStr;

use num_bigint::BigInt;

use super::parser::Parser;
use super::reference::starts_parameter;
use super::token::Kind;
use super::tree::{Arithmetic, Comparison, Expression, Interpolation, Operator};
use crate::fault::Fault;

/// An expression and the tokens that it prints as, where it must print as it is written.
struct Operand {
    value: Expression,
    literal: Box<str>,
}

/// A chain of operators is a tree as deep as it is long.
const LONGEST_CHAIN: usize = 250;

impl Parser<'_, '_> {
    pub(super) fn expression(&mut self) -> Result<Expression, Fault> {
        self.or_expression().map(|operand| operand.value)
    }

    fn or_expression(&mut self) -> Result<Operand, Fault> {
        self.deeper()?;
        let mut left = self.and_expression()?;
        let mut length = 0;
        while self.peek()? == Kind::Or {
            left = self.binary(left, Self::and_expression, &mut length, |left, right| {
                Expression::Or(Box::new((left.value, right.value)))
            })?;
        }
        self.shallower();
        Ok(left)
    }

    fn and_expression(&mut self) -> Result<Operand, Fault> {
        let mut left = self.equality()?;
        let mut length = 0;
        while self.peek()? == Kind::And {
            left = self.binary(left, Self::equality, &mut length, |left, right| {
                Expression::And(Box::new((left.value, right.value)))
            })?;
        }
        Ok(left)
    }

    fn equality(&mut self) -> Result<Operand, Fault> {
        let mut left = self.relation()?;
        let mut length = 0;
        loop {
            let comparison = match self.peek()? {
                Kind::Equal => Comparison::Equal,
                Kind::NotEqual => Comparison::NotEqual,
                _ => return Ok(left),
            };
            left = self.binary(left, Self::relation, &mut length, |left, right| {
                Expression::Compare(comparison, Box::new((left.value, right.value)))
            })?;
        }
    }

    fn relation(&mut self) -> Result<Operand, Fault> {
        let mut left = self.sum()?;
        let mut length = 0;
        loop {
            let comparison = match self.peek()? {
                Kind::Less => Comparison::Less,
                Kind::LessOrEqual => Comparison::LessOrEqual,
                Kind::Greater => Comparison::Greater,
                Kind::GreaterOrEqual => Comparison::GreaterOrEqual,
                _ => return Ok(left),
            };
            left = self.binary(left, Self::sum, &mut length, |left, right| {
                Expression::Compare(comparison, Box::new((left.value, right.value)))
            })?;
        }
    }

    fn sum(&mut self) -> Result<Operand, Fault> {
        let mut left = self.product()?;
        let mut length = 0;
        loop {
            let operator = match self.peek()? {
                Kind::Plus => Operator::Add,
                Kind::Minus => Operator::Subtract,
                _ => return Ok(left),
            };
            left = self.binary(left, Self::product, &mut length, |left, right| {
                arithmetic(operator, left, right)
            })?;
        }
    }

    fn product(&mut self) -> Result<Operand, Fault> {
        let mut left = self.unary()?;
        let mut length = 0;
        loop {
            let operator = match self.peek()? {
                Kind::Multiply => Operator::Multiply,
                Kind::Divide => Operator::Divide,
                Kind::Modulus => Operator::Modulo,
                _ => return Ok(left),
            };
            left = self.binary(left, Self::unary, &mut length, |left, right| {
                arithmetic(operator, left, right)
            })?;
        }
    }

    /// An operator and what stands right of it. The node begins after the operator, so that is how it prints.
    fn binary(
        &mut self,
        left: Operand,
        operand: fn(&mut Self) -> Result<Operand, Fault>,
        length: &mut usize,
        join: impl FnOnce(Operand, Operand) -> Expression,
    ) -> Result<Operand, Fault> {
        *length += 1;
        if *length > LONGEST_CHAIN {
            return Err(self
                .unexpected("`)`")
                .with_hint("split this expression: it has too many operators"));
        }
        self.take()?;
        let first = self.next;
        let right = operand(self)?;
        Ok(Operand {
            value: join(left, right),
            literal: self.literal(first),
        })
    }

    fn unary(&mut self) -> Result<Operand, Fault> {
        let blank = usize::from(self.peek()? == Kind::Whitespace);
        if self.peek_at(blank)? != Kind::Not {
            return self.primary();
        }
        self.deeper()?;
        self.blank()?;
        self.take()?;
        let operand = self.unary()?;
        self.shallower();
        Ok(Operand {
            value: Expression::Not(Box::new(operand.value)),
            literal: "".into(),
        })
    }

    fn primary(&mut self) -> Result<Operand, Fault> {
        self.blank()?;
        let operand = if self.peek()? == Kind::ParenOpen {
            self.take()?;
            let first = self.next;
            let value = self.expression()?;
            let literal = self.literal(first);
            self.expect(Kind::ParenClose, "an operator or `)`")?;
            Operand { value, literal }
        } else {
            let first = self.next;
            let value = self.value(
                "a value: a reference, a string, a number, a list, a map, `true` or `false`",
            )?;
            let literal = match &value {
                Expression::Reference(_) => self.literal(first),
                _ => "".into(),
            };
            Operand { value, literal }
        };
        self.blank()?;
        Ok(operand)
    }

    /// An argument or an element: no operators.
    pub(super) fn parameter(&mut self) -> Result<Expression, Fault> {
        self.blank()?;
        let value = self.value("a value; arguments and elements take no operators")?;
        self.blank()?;
        Ok(value)
    }

    fn value(&mut self, expected: &str) -> Result<Expression, Fault> {
        match self.peek()? {
            Kind::StringLiteral | Kind::Integer | Kind::Float | Kind::True | Kind::False => {
                self.simple()
            }
            Kind::Identifier | Kind::RefCurlyOpen => {
                Ok(Expression::Reference(Box::new(self.reference()?)))
            }
            Kind::BracketOpen => self.list_or_range(),
            Kind::CurlyOpen => self.map(),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A literal of one token.
    pub(super) fn simple(&mut self) -> Result<Expression, Fault> {
        let token = self.take()?;
        let image = self.image(token);
        Ok(match self.tokens[token].kind {
            Kind::True => Expression::Boolean(true),
            Kind::False => Expression::Boolean(false),
            Kind::Float => Expression::Float(f64::from_str(image).unwrap_or(f64::NAN)),
            Kind::Integer => match i64::from_str(image) {
                Ok(number) => Expression::Integer(number),
                Err(_) => match BigInt::from_str(image) {
                    Ok(number) => Expression::Big(number),
                    Err(_) => Expression::Integer(0),
                },
            },
            _ => return self.string(token),
        })
    }

    fn string(&mut self, token: usize) -> Result<Expression, Fault> {
        let image = self.image(token);
        let quote = &image[..1];
        let interpolates = quote == "\"" && image.contains(['$', '#']);
        let inner = &image[1..image.len() - 1];
        let mut text = if quote == "\"" {
            unescaped(inner).ok_or_else(|| {
                let token = &self.tokens[token];
                Fault::at(
                    self.source,
                    token.begin,
                    token.end,
                    "`\\u` needs four hexadecimal digits",
                    "`\\uXXXX`",
                    "",
                )
            })?
        } else {
            inner.to_owned()
        };
        let doubled = quote.repeat(2);
        if text.contains(&doubled) {
            text = text.replace(&doubled, quote);
        }
        if !interpolates {
            return Ok(Expression::Text(text.into()));
        }
        // A lone `$` or `#` at the end of a string is allowed: a space keeps it from being the last
        // character, and is dropped again when the string is made.
        let drop_last = !text.contains("##");
        if drop_last {
            text.push(' ');
        }
        self.deeper()?;
        let place = self.span(token);
        let first = self.tokens[token].begin;
        let (source, outer) = (self.source, self.place);
        let block = Parser::new(&text, self.shared, Some(place))
            .template()
            .map_err(|fault| {
                let hint = fault.hint().unwrap_or("").to_owned();
                let expected = fault.expected().unwrap_or("").to_owned();
                let at = if outer.is_none() { first } else { 0 };
                Fault::at(
                    source,
                    at,
                    at + image_length(source, at),
                    format!("in this string: {}", fault.message()),
                    expected,
                    hint,
                )
            })?;
        self.shallower();
        Ok(Expression::Template(Box::new(Interpolation {
            block,
            drop_last,
        })))
    }

    pub(super) fn list_or_range(&mut self) -> Result<Expression, Fault> {
        self.deeper()?;
        self.take()?;
        let mut items = Vec::new();
        if self.peek()? != Kind::BracketClose {
            items.push(self.parameter()?);
            if self.peek()? == Kind::DoubleDot
                && matches!(
                    items[0],
                    Expression::Reference(_) | Expression::Integer(_) | Expression::Big(_)
                )
            {
                return self.range(items.remove(0));
            }
            while self.accept(Kind::Comma)? {
                items.push(self.parameter()?);
            }
        }
        self.expect(Kind::BracketClose, "`,` or `]`")?;
        self.shallower();
        Ok(Expression::List(items.into()))
    }

    fn range(&mut self, from: Expression) -> Result<Expression, Fault> {
        self.take()?;
        self.blank()?;
        let to = match self.peek()? {
            Kind::Integer => self.simple()?,
            Kind::Identifier | Kind::RefCurlyOpen => {
                Expression::Reference(Box::new(self.reference()?))
            }
            _ => return Err(self.unexpected("a whole number or a reference")),
        };
        self.blank()?;
        self.expect(Kind::BracketClose, "`]`")?;
        self.shallower();
        Ok(Expression::Range(Box::new((from, to))))
    }

    pub(super) fn map(&mut self) -> Result<Expression, Fault> {
        self.deeper()?;
        self.take()?;
        let blank = usize::from(self.peek()? == Kind::Whitespace);
        let mut entries = Vec::new();
        if blank + usize::from(starts_parameter(self.peek_at(blank)?)) > blank {
            loop {
                let key = self.parameter()?;
                self.expect(Kind::Colon, "`:` and a value")?;
                let value = self.parameter()?;
                entries.push((key, value));
                if !self.accept(Kind::Comma)? {
                    break;
                }
            }
        } else {
            self.blank()?;
        }
        if !self.accept(Kind::RefCurlyClose)? {
            self.expect(Kind::CurlyClose, "`,` or `}`")?;
        }
        self.shallower();
        Ok(Expression::Map(entries.into()))
    }
}

fn arithmetic(operator: Operator, left: Operand, right: Operand) -> Expression {
    Expression::Arithmetic(Box::new(Arithmetic {
        operator,
        left: left.value,
        right: right.value,
        left_literal: left.literal,
        right_literal: right.literal,
    }))
}

fn image_length(source: &str, at: usize) -> usize {
    source[at..].chars().next().map_or(0, char::len_utf8)
}

/// `\uXXXX` is the one escape that strings know. Nothing if one is malformed.
fn unescaped(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let flush = |units: &mut Vec<u16>, out: &mut String| {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    };
    while let Some(at) = rest.find("\\u") {
        if at > 0 {
            flush(&mut units, &mut out);
            out.push_str(&rest[..at]);
        }
        let digits = rest.get(at + 2..at + 6)?;
        units.push(u16::from_str_radix(digits, 16).ok()?);
        rest = &rest[at + 6..];
    }
    flush(&mut units, &mut out);
    out.push_str(rest);
    Some(out)
}
