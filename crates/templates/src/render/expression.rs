//! Expressions: values, conditions, comparisons.

use std::rc::Rc;

use super::{Renderer, Signal};
use crate::java::number;
use crate::syntax::tree::{Arithmetic, Comparison, Expression, Interpolation, Operator};
use crate::value::{ListKind, Map, Text, Value};

impl<'r> Renderer<'r> {
    pub(super) fn value(&mut self, expression: &'r Expression) -> Result<Value<'r>, Signal> {
        self.budget.step()?;
        Ok(match expression {
            Expression::Text(text) | Expression::Word(text) => Value::Text(Text::Borrowed(text)),
            Expression::Template(template) => self.interpolate(template)?,
            Expression::Integer(number) => Value::Integer(*number),
            Expression::Big(number) => number::from_big(number.clone()),
            Expression::Float(number) => Value::Float(*number),
            Expression::Boolean(value) => Value::Boolean(*value),
            Expression::List(items) => {
                self.budget.create(24 * items.len() + 48)?;
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(self.value(item)?);
                }
                Value::list(ListKind::Plain, list)
            }
            Expression::Map(entries) => {
                self.budget.create(48 * entries.len() + 64)?;
                let map = Map::new();
                for (key, value) in entries {
                    let key = self.value(key)?;
                    map.put(key, self.value(value)?);
                }
                Value::Map(Rc::new(map))
            }
            Expression::Range(ends) => {
                let (from, to) = (self.value(&ends.0)?, self.value(&ends.1)?);
                self.range(&from, &to)?
            }
            Expression::Reference(reference) => self.reference(reference)?,
            Expression::Not(_)
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::Compare(..) => Value::Boolean(self.truth(expression)?),
            Expression::Arithmetic(arithmetic) => self.arithmetic(arithmetic)?,
        })
    }

    /// What `#if` asks. Literals are false, whatever they say, and so is arithmetic.
    pub(super) fn truth(&mut self, expression: &'r Expression) -> Result<bool, Signal> {
        self.budget.step()?;
        Ok(match expression {
            Expression::Boolean(value) => *value,
            Expression::Reference(reference) => match self.reference(reference)? {
                Value::Null => false,
                Value::Boolean(value) => value,
                _ => true,
            },
            Expression::Not(inner) => !self.truth(inner)?,
            Expression::And(sides) => self.truth(&sides.0)? && self.truth(&sides.1)?,
            Expression::Or(sides) => self.truth(&sides.0)? || self.truth(&sides.1)?,
            Expression::Compare(comparison, sides) => {
                let (left, right) = (self.value(&sides.0)?, self.value(&sides.1)?);
                self.compare(*comparison, &left, &right)?
            }
            _ => false,
        })
    }

    fn interpolate(&mut self, template: &'r Interpolation) -> Result<Value<'r>, Signal> {
        let outer = std::mem::take(&mut self.out);
        let outcome = self.budget.enter().map_err(Signal::from).and_then(|()| {
            let outcome = self.nodes(&template.block);
            self.budget.leave();
            outcome
        });
        let mut text = std::mem::replace(&mut self.out, outer);
        outcome?;
        if template.drop_last {
            text.pop();
        }
        self.budget.create(text.len())?;
        Ok(Value::text(text))
    }

    fn range(&mut self, from: &Value<'r>, to: &Value<'r>) -> Result<Value<'r>, Signal> {
        let (Value::Integer(from), Value::Integer(to)) = (from, to) else {
            return Ok(Value::Null);
        };
        let length = from.abs_diff(*to).saturating_add(1);
        self.budget.create(
            usize::try_from(length)
                .unwrap_or(usize::MAX)
                .saturating_mul(24),
        )?;
        let items = if from <= to {
            (*from..=*to).map(Value::Integer).collect()
        } else {
            (*to..=*from).rev().map(Value::Integer).collect()
        };
        Ok(Value::list(ListKind::Plain, items))
    }

    fn arithmetic(&mut self, node: &'r Arithmetic) -> Result<Value<'r>, Signal> {
        let (left, right) = (self.value(&node.left)?, self.value(&node.right)?);
        if node.operator == Operator::Add
            && (matches!(left, Value::Text(_)) || matches!(right, Value::Text(_)))
        {
            let mut text = String::new();
            for (value, literal) in [(&left, &node.left_literal), (&right, &node.right_literal)] {
                if value.is_null() {
                    text.push_str(literal);
                } else {
                    let part = self.text_of(value)?;
                    text.push_str(&part);
                }
            }
            self.budget.create(text.len())?;
            return Ok(Value::text(text));
        }
        Ok(number::compute(node.operator, &left, &right, &mut self.budget)?.unwrap_or(Value::Null))
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: &Value<'r>,
        right: &Value<'r>,
    ) -> Result<bool, Signal> {
        if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            let equal = self.equal(left, right)?;
            return Ok(equal == (comparison == Comparison::Equal));
        }
        let Some(order) = number::compare(left, right) else {
            return Ok(false);
        };
        Ok(match comparison {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    /// Numbers by value, things of one class by `equals`, others by how they print.
    fn equal(&mut self, left: &Value<'r>, right: &Value<'r>) -> Result<bool, Signal> {
        if left.is_number() && right.is_number() {
            return Ok(number::compare(left, right).is_some_and(std::cmp::Ordering::is_eq));
        }
        Ok(match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Null, _) | (_, Value::Null) => false,
            (Value::Text(left), Value::Text(right)) => left.as_str() == right.as_str(),
            // A list and a set are of different classes.
            (Value::List(a), Value::List(b))
                if a.kind != b.kind && (a.kind.is_view() || b.kind.is_view()) =>
            {
                *self.text_of(left)? == *self.text_of(right)?
            }
            (Value::List(_), Value::List(_))
            | (Value::Map(_), Value::Map(_))
            | (Value::Boolean(_), Value::Boolean(_)) => left.equals(right, &mut self.budget)?,
            _ => *self.text_of(left)? == *self.text_of(right)?,
        })
    }
}
