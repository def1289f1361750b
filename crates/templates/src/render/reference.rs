//! References: following a path, printing, assigning.

use std::ops::Deref;
use std::rc::Rc;

use super::util::Helper;
use super::{Failure, Renderer, Signal};
use crate::dialect::Dialect;
use crate::java;
use crate::syntax::tree::{Access, Expression, Names, Reference, Root, Slot};
use crate::value::{Block, Text, Value, Writer, glance};

/// How deep a `#define` may render itself.
const DEFINE_DEPTH: u32 = 2;

/// The values of a call's arguments; few calls have more than two.
enum Arguments<'r> {
    None,
    One([Value<'r>; 1]),
    Two([Value<'r>; 2]),
    More(Vec<Value<'r>>),
}

impl<'r> Deref for Arguments<'r> {
    type Target = [Value<'r>];

    fn deref(&self) -> &[Value<'r>] {
        match self {
            Self::None => &[],
            Self::One(values) => values,
            Self::Two(values) => values,
            Self::More(values) => values,
        }
    }
}

impl<'r> Renderer<'r> {
    /// The value; null where there is none, and in the gateway's dialect an empty text.
    pub(super) fn reference(&mut self, reference: &'r Reference) -> Result<Value<'r>, Signal> {
        let Root::Variable(slot) = reference.root else {
            return Ok(Value::Null);
        };
        match self.follow(slot, &reference.path)? {
            Value::Null if self.dialect == Dialect::ApiGateway => Ok(Value::empty()),
            value => Ok(value),
        }
    }

    /// What a path leads to from a variable; null if there is no value on the way.
    fn follow(&mut self, slot: Slot, path: &'r [Access]) -> Result<Value<'r>, Signal> {
        if let Some(value) = self.glance(slot, path) {
            self.budget.steps(path.len() as u64)?;
            return Ok(value);
        }
        let (mut holder, rest) = match (path, self.level) {
            // The first member of a map is had without a hold on the map.
            ([Access::Property { name, span }, rest @ ..], 0)
                if matches!(self.slots[slot as usize], Value::Map(_)) =>
            {
                self.budget.step()?;
                self.at(*span);
                (java::property(&self.slots[slot as usize], name), rest)
            }
            _ => (self.variable(slot)?, path),
        };
        for access in rest {
            if holder.is_null() {
                break;
            }
            holder = self.access(&holder, access)?;
        }
        Ok(holder)
    }

    /// What a path of names leads to, where no map needs to be made for those before the last.
    fn glance(&self, slot: Slot, path: &'r [Access]) -> Option<Value<'r>> {
        let name = |access: &'r Access| match access {
            Access::Property { name, .. } if !matches!(&**name, "class" | "Class") => Some(&**name),
            _ => None,
        };
        if self.level > 0 || path.iter().any(|access| name(access).is_none()) {
            return None;
        }
        let mut names = path.iter().filter_map(name);
        match &self.slots[slot as usize] {
            Value::Map(map) if path.len() > 1 => map.glance(names),
            Value::Null if slot == Names::CONTEXT && self.context_awaited => {
                glance(self.scope.context?, names.next()?, names)
            }
            _ => None,
        }
    }

    fn access(&mut self, holder: &Value<'r>, access: &'r Access) -> Result<Value<'r>, Signal> {
        self.budget.step()?;
        let answer = match access {
            Access::Property { name, span } => {
                self.at(*span);
                return Ok(match holder {
                    Value::Input if &**name == "body" => self.body(),
                    _ => java::property(holder, name),
                });
            }
            Access::Method {
                name,
                arguments,
                path,
                span,
            } => {
                let values = self.arguments(arguments)?;
                self.at(*span);
                match holder {
                    Value::Input => self.input_method(name, &values, path.as_deref())?,
                    Value::Util => self.util_method(name, &values)?,
                    Value::Block(_) if &**name == "toString" => {
                        Some(Value::Text(self.text_of(holder)?))
                    }
                    _ => java::method(self, holder, name, &values)?,
                }
            }
            Access::Index { index, span } => {
                let index = self.value(index)?;
                self.at(*span);
                java::index(holder, &index)?
            }
        };
        Ok(answer.unwrap_or_default())
    }

    fn arguments(&mut self, arguments: &'r [Expression]) -> Result<Arguments<'r>, Signal> {
        Ok(match arguments {
            [] => Arguments::None,
            [only] => Arguments::One([self.value(only)?]),
            [first, second] => Arguments::Two([self.value(first)?, self.value(second)?]),
            more => Arguments::More(
                more.iter()
                    .map(|argument| self.value(argument))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    pub(super) fn print(&mut self, reference: &'r Reference) -> Result<(), Signal> {
        if reference.root == Root::Literal {
            // In the gateway it has no value, like any other.
            if self.dialect == Dialect::Velocity || !reference.literal.contains("$!") {
                self.out.push_str(&reference.literal);
            }
            return Ok(());
        }
        if self.print_call(reference)? {
            return Ok(());
        }
        let value = self.reference(reference)?;
        self.observe(reference.span, &value);
        if reference.escaped {
            self.out.push_str(&reference.escapes);
            if value.is_null() {
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
            Value::Null => false,
            Value::Text(text) => {
                self.out.push_str(text);
                true
            }
            Value::Block(block) => self.block(block)?,
            value => {
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
            self.print_absent(reference);
        }
        Ok(())
    }

    /// `$input.json(…)` and the helpers of `$util` write their text where it is printed. Whether this is such a call.
    fn print_call(&mut self, reference: &'r Reference) -> Result<bool, Signal> {
        let Root::Variable(slot) = reference.root else {
            return Ok(false);
        };
        let [
            Access::Method {
                name,
                arguments,
                path,
                span,
            },
        ] = &*reference.path
        else {
            return Ok(false);
        };
        if reference.escaped || self.observer.is_some() {
            return Ok(false);
        }
        match self.variable(slot)? {
            Value::Input => {
                let (Some(path), "json") = (path, &**name) else {
                    return Ok(false);
                };
                self.budget.steps(3)?;
                self.at(*span);
                let mut out = self.take_output(reference);
                let outcome = self.write_json(path, &mut out);
                self.out = out;
                outcome?;
            }
            Value::Util => {
                let (Some(helper), [argument]) = (Helper::named(name), &**arguments) else {
                    return Ok(false);
                };
                self.budget.steps(2)?;
                let argument = self.value(argument)?;
                self.at(*span);
                if argument.is_null() {
                    self.print_absent(reference);
                    return Ok(true);
                }
                let text = self.text_of(&argument)?;
                self.budget.create(text.len())?;
                let mut out = self.take_output(reference);
                let outcome = helper.write(&text, &mut out);
                self.out = out;
                outcome?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The output, to write a reference into.
    fn take_output(&mut self, reference: &Reference) -> String {
        let mut out = std::mem::take(&mut self.out);
        out.push_str(&reference.escapes);
        out.push_str(&reference.prefix);
        out
    }

    /// What a reference prints that has no value.
    fn print_absent(&mut self, reference: &'r Reference) {
        // Backslashes before what has no value do not escape each other.
        self.out.push_str(&reference.escapes);
        self.out.push_str(&reference.escapes);
        self.out.push_str(&reference.prefix);
        let literal = self.null_literal(reference);
        self.out.push_str(literal);
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
        let holder = self.follow(slot, path)?;
        if holder.is_null() {
            return Ok(());
        }
        self.budget.create(48)?;
        match last {
            Access::Property { name, .. } => {
                let map = match &holder {
                    Value::Map(map) => map.clone(),
                    Value::Loop(scope) => scope.extra().clone(),
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
