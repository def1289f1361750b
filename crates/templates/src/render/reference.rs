//! References: following a path, printing, assigning.

use std::rc::Rc;

use super::{Failure, Renderer, Signal};
use crate::dialect::Dialect;
use crate::java;
use crate::syntax::tree::{Access, Expression, Reference, Root};
use crate::value::{Block, Text, Value, Writer};

/// How deep a `#define` may render itself.
const DEFINE_DEPTH: u32 = 2;

impl<'r> Renderer<'r> {
    /// The value, or nothing where there is none. In the gateway's dialect there always is one.
    pub(super) fn reference(
        &mut self,
        reference: &'r Reference,
    ) -> Result<Option<Value<'r>>, Signal> {
        let Root::Variable(slot) = reference.root else {
            return Ok(None);
        };
        let mut value = self.variable(slot)?;
        for access in &reference.path {
            let Some(holder) = value else {
                break;
            };
            value = self
                .access(&holder, access)?
                .filter(|value| !value.is_null());
        }
        Ok(match value {
            None if self.dialect == Dialect::ApiGateway => Some(Value::empty()),
            value => value,
        })
    }

    fn access(
        &mut self,
        holder: &Value<'r>,
        access: &'r Access,
    ) -> Result<Option<Value<'r>>, Signal> {
        self.budget.step()?;
        match access {
            Access::Property { name, span } => {
                self.at(*span);
                match holder {
                    Value::Input => Ok((&**name == "body").then(|| self.body())),
                    _ => Ok(java::property(holder, name)),
                }
            }
            Access::Method {
                name,
                arguments,
                span,
            } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                self.at(*span);
                Ok(match holder {
                    Value::Input => self.input_method(name, &values)?,
                    Value::Util => self.util_method(name, &values)?,
                    Value::Block(_) if &**name == "toString" => {
                        Some(Value::Text(self.text_of(holder)?))
                    }
                    _ => java::method(self, holder, name, &values)?,
                })
            }
            Access::Index { index, span } => {
                let index = self.value(index)?;
                self.at(*span);
                Ok(java::index(holder, &index)?)
            }
        }
    }

    pub(super) fn print(&mut self, reference: &'r Reference) -> Result<(), Signal> {
        if reference.root == Root::Literal {
            // In the gateway it has no value, like any other.
            if self.dialect == Dialect::Velocity || !reference.literal.contains("$!") {
                self.out.push_str(&reference.literal);
            }
            return Ok(());
        }
        let value = self.reference(reference)?;
        self.observe(reference.span, value.as_ref());
        if reference.escaped {
            self.out.push_str(&reference.escapes);
            if value.is_none() {
                self.out.push('\\');
            }
            self.out.push_str(&reference.prefix);
            self.out.push_str(&reference.literal);
            return Ok(());
        }
        let before = self.out.len();
        self.out.push_str(&reference.escapes);
        self.out.push_str(&reference.prefix);
        let printed = match &value {
            None => false,
            Some(Value::Text(text)) => {
                self.out.push_str(text);
                true
            }
            Some(Value::Block(block)) => self.block(block)?,
            Some(value) => {
                Writer {
                    out: &mut self.out,
                    budget: &mut self.budget,
                }
                .java(value)?;
                true
            }
        };
        if !printed {
            self.out.truncate(before);
            // Backslashes before what has no value do not escape each other.
            self.out.push_str(&reference.escapes);
            self.out.push_str(&reference.escapes);
            self.out.push_str(&reference.prefix);
            let literal = self.null_literal(reference);
            self.out.push_str(literal);
        }
        Ok(())
    }

    /// An argument of a macro without a value prints as the caller wrote it.
    fn null_literal(&self, reference: &'r Reference) -> &'r str {
        if let (Root::Variable(slot), true, true) =
            (reference.root, reference.path.is_empty(), self.level > 0)
            && !reference.quiet
        {
            let frame = &self.frames[self.level - 1];
            let argument = frame.arguments.iter().find(|(known, _)| *known == slot);
            if let Some((_, Expression::Reference(argument))) = argument {
                return &argument.literal;
            }
        }
        &reference.literal
    }

    /// Renders a `#define` block here; whether it may, as deep as it is.
    fn block(&mut self, block: &Rc<Block<'r>>) -> Result<bool, Signal> {
        if block.depth.get() >= DEFINE_DEPTH {
            return Ok(false);
        }
        block.depth.set(block.depth.get() + 1);
        self.budget.enter()?;
        let outcome = self.nodes(block.nodes);
        self.budget.leave();
        block.depth.set(block.depth.get() - 1);
        match outcome {
            Ok(()) | Err(Signal::Break(None)) => Ok(true),
            Err(signal) => Err(signal),
        }
    }

    /// `toString`.
    pub(crate) fn text_of(&mut self, value: &Value<'r>) -> Result<Text<'r>, Signal> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            Value::Block(block) => {
                let outer = std::mem::take(&mut self.out);
                let outcome = self.block(block);
                let text = std::mem::replace(&mut self.out, outer);
                outcome?;
                self.budget.create(text.len())?;
                Ok(Text::from(text))
            }
            _ => Ok(Text::from(self.plain_text(value)?)),
        }
    }

    /// `#set($a.b[0] = value)`. A path that leads nowhere is let be, as in Velocity.
    pub(super) fn assign(&mut self, target: &'r Reference, value: Value<'r>) -> Result<(), Signal> {
        let (Root::Variable(slot), Some((last, path))) = (target.root, target.path.split_last())
        else {
            return Ok(());
        };
        let mut holder = self.variable(slot)?;
        for access in path {
            let Some(value) = holder else {
                return Ok(());
            };
            holder = self
                .access(&value, access)?
                .filter(|value| !value.is_null());
        }
        let Some(holder) = holder else {
            return Ok(());
        };
        self.budget.create(48)?;
        match last {
            Access::Property { name, .. } => {
                let map = match &holder {
                    Value::Map(map) => map.clone(),
                    Value::Loop(scope) => scope.extra.clone(),
                    Value::Entry(entry) if &**name == "value" => {
                        entry.map.put(entry.key.clone(), value.clone());
                        *entry.value.borrow_mut() = value;
                        return Ok(());
                    }
                    _ => return Ok(()),
                };
                self.note_change(&Value::Map(map.clone()), &value);
                map.put(Value::text(&**name), value);
            }
            Access::Index { index, span } => {
                let index = self.value(index)?;
                self.at(*span);
                match (&holder, &index) {
                    (Value::List(list), Value::Integer(index)) if !list.kind.is_view() => {
                        let length = list.len();
                        let Some(at) = java::place(*index, length) else {
                            return Err(java::out_of_range(*index, length).into());
                        };
                        self.note_change(&holder, &value);
                        list.items_mut()[at] = value;
                    }
                    (Value::Map(map), _) => {
                        self.note_change(&holder, &value);
                        map.put(index, value);
                    }
                    _ => {}
                }
            }
            Access::Method { .. } => {}
        }
        Ok(())
    }
}

impl From<Signal> for Failure {
    /// For callers below which no directive can run.
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Failed(failure) => failure,
            Signal::Stop | Signal::Break(_) => Self::invocation("a value ends the template"),
        }
    }
}
