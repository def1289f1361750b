//! Runs a tree over a scope.

mod arena;
mod directive;
mod expression;
mod failure;
mod input;
mod reference;
mod util;

use std::cell::OnceCell;
use std::rc::Rc;

use self::arena::Arena;
pub(crate) use self::failure::{Failure, Signal};
use crate::data::Data;
use crate::dialect::{Dialect, Limits};
use crate::fault::{Fault, RenderError};
use crate::json::Tape;
use crate::scope::Scope;
use crate::syntax::tree::{Expression, Names, Slot, Span, Tree};
use crate::trace::Observer;
use crate::value::{Budget, Map, Value, Writer};

/// One rendering.
pub(crate) struct Renderer<'r> {
    pub(crate) dialect: Dialect,
    scope: &'r Scope<'r>,
    tree: &'r Tree,
    /// What `#evaluate` runs, the innermost last.
    inner: Vec<&'r Tree>,
    /// The body, once it was read.
    body: &'r OnceCell<Tape<'r>>,
    /// The ends of what [`Made`] holds.
    evaluated: &'r Arena<Tree>,
    texts: &'r Arena<Tape<'static>>,
    evaluations: u32,
    /// Own names once `#evaluate` has brought new ones.
    names: Option<Names>,
    /// The variables; null where one was not set.
    slots: Vec<Value<'r>>,
    frames: Vec<Frame<'r>>,
    /// How many frames are seen from here: an argument is evaluated where it was written.
    level: usize,
    pub(crate) out: String,
    pub(crate) budget: Budget,
    /// Where in the template the rendering is, for faults.
    place: Span,
    loops: u32,
    document: Option<Value<'r>>,
    parameters: Option<Rc<Map<'r>>>,
    context: Option<Rc<Map<'r>>>,
    /// Whether the variable `$context` has its map yet to come.
    context_awaited: bool,
    /// Lists and maps that got a list or a map: they may hold themselves, and are emptied in the end.
    changed: Vec<Value<'r>>,
    observer: Option<Observer<'r>>,
}

/// What a rendering makes while it runs and borrows from.
#[derive(Debug, Default)]
pub(crate) struct Made<'b> {
    body: OnceCell<Tape<'b>>,
    /// The trees of `#evaluate`.
    trees: Arena<Tree>,
    /// The texts of `$util.parseJson`.
    texts: Arena<Tape<'static>>,
}

/// A macro that runs.
struct Frame<'r> {
    arguments: Vec<(Slot, &'r Expression)>,
    locals: Vec<(Slot, Value<'r>)>,
}

/// What a rendering leaves.
pub(crate) struct Finished {
    pub(crate) text: String,
    pub(crate) request_override: Data,
    pub(crate) response_override: Data,
    pub(crate) overridden_twice: Option<String>,
}

impl<'r> Renderer<'r> {
    pub(crate) fn new(
        tree: &'r Tree,
        dialect: Dialect,
        limits: Limits,
        scope: &'r Scope<'r>,
        made: &'r Made<'r>,
        room: usize,
    ) -> Self {
        let mut renderer = Self {
            dialect,
            scope,
            tree,
            inner: Vec::new(),
            body: &made.body,
            evaluated: &made.trees,
            texts: &made.texts,
            evaluations: 0,
            names: None,
            slots: vec![Value::Null; tree.names.len()],
            frames: Vec::new(),
            level: 0,
            out: String::with_capacity(room),
            budget: Budget::new(limits),
            place: Span { begin: 0, end: 0 },
            loops: 0,
            document: None,
            parameters: None,
            context: None,
            context_awaited: false,
            changed: Vec::new(),
            observer: None,
        };
        renderer.fill(None);
        renderer
    }

    pub(crate) fn observed_by(mut self, observer: Observer<'r>) -> Self {
        self.observer = Some(observer);
        self
    }

    fn names(&self) -> &Names {
        self.names.as_ref().unwrap_or(&self.tree.names)
    }

    /// Gives their values to the variables that `earlier` did not have, or to all.
    fn fill(&mut self, earlier: Option<&Names>) {
        let scope = self.scope;
        let first = earlier.map_or(0, Names::len);
        if let Some(variables) = scope.variables {
            let mut found = Vec::new();
            variables.names(&mut |name| {
                if let Some(slot) = self.names().find(name)
                    && slot as usize >= first
                    && let Some(value) = variables.field(name)
                {
                    found.push((slot, value.into_value(false)));
                }
            });
            for (slot, value) in found {
                self.slots[slot as usize] = value;
            }
        }
        for (at, slot) in Names::GIVEN.into_iter().enumerate() {
            let known = earlier.is_some_and(|earlier| earlier.names_given(at));
            if known || !self.names().names_given(at) {
                continue;
            }
            let value = match (slot, scope.context, scope.stage_variables) {
                (Names::INPUT, ..) if scope.input => Value::Input,
                (Names::UTIL, ..) if scope.input => Value::Util,
                // Made when somebody asks for more than a fact.
                (Names::CONTEXT, Some(_), _) => {
                    self.context_awaited = true;
                    continue;
                }
                (Names::STAGE_VARIABLES, _, Some(fields)) => {
                    Value::Map(Rc::new(Map::lazy(fields, false)))
                }
                _ => continue,
            };
            self.slots[slot as usize] = value;
        }
    }

    pub(crate) fn run(mut self, source: &str) -> Result<Finished, RenderError> {
        let outcome = self.nodes(&self.tree.block);
        let result = match outcome {
            Ok(()) | Err(Signal::Stop | Signal::Break(_)) => self.finish(),
            Err(Signal::Failed(failure)) => Err(failure),
        };
        for value in std::mem::take(&mut self.changed) {
            match value {
                Value::List(list) => list.clear(),
                Value::Map(map) => map.clear(),
                _ => {}
            }
        }
        result.map_err(|failure| {
            let place = self.place;
            let reason = failure.into_reason();
            RenderError::new(
                reason.kind,
                Fault::at(
                    source,
                    place.begin as usize,
                    place.end as usize,
                    reason.message,
                    "",
                    reason.hint,
                ),
            )
        })
    }

    fn finish(&mut self) -> Result<Finished, Failure> {
        let mut finished = Finished {
            text: std::mem::take(&mut self.out),
            request_override: Data::Null,
            response_override: Data::Null,
            overridden_twice: None,
        };
        let Some(context) = self.context.clone() else {
            return Ok(finished);
        };
        let Finished {
            request_override,
            response_override,
            overridden_twice,
            ..
        } = &mut finished;
        for (name, exported) in [
            ("requestOverride", request_override),
            ("responseOverride", response_override),
        ] {
            if let Some(value) = context.touched(name) {
                *exported = self.export(&value)?;
                if let (Value::Map(map), None) = (&value, &overridden_twice) {
                    *overridden_twice = map.overridden_twice();
                }
            }
        }
        Ok(finished)
    }

    fn export(&mut self, value: &Value<'r>) -> Result<Data, Failure> {
        self.budget.step()?;
        Ok(match value {
            Value::Null => Data::Null,
            Value::Boolean(value) => Data::Boolean(*value),
            Value::Integer(number) => Data::Integer(*number),
            Value::Float(number) => Data::Float(*number),
            Value::List(list) => {
                self.budget.enter()?;
                let items = list
                    .items()
                    .iter()
                    .map(|item| self.export(item))
                    .collect::<Result<_, _>>()?;
                self.budget.leave();
                Data::List(items)
            }
            Value::Map(map) => {
                self.budget.enter()?;
                let mut entries = Vec::new();
                for (key, value) in map.entries().iter() {
                    entries.push((self.plain_text(key)?, self.export(value)?));
                }
                self.budget.leave();
                Data::Map(entries)
            }
            other => Data::Text(self.plain_text(other)?),
        })
    }

    /// `toString` of what is no `#define` block.
    pub(crate) fn plain_text(&mut self, value: &Value<'r>) -> Result<String, Failure> {
        let mut text = String::new();
        Writer {
            out: &mut text,
            budget: &mut self.budget,
        }
        .java(value)?;
        self.budget.create(text.len())?;
        Ok(text)
    }

    /// Remembers a container that may hold itself now.
    pub(crate) fn note_change(&mut self, container: &Value<'r>, content: &Value<'r>) {
        if matches!(
            content,
            Value::List(_) | Value::Map(_) | Value::Entry(_) | Value::Cursor(_)
        ) {
            self.changed.push(container.clone());
        }
    }

    /// The map of `$context`, in its variable from here on.
    #[cold]
    fn make_context(&mut self) {
        self.context_awaited = false;
        if let Some(fields) = self.scope.context {
            let map = Rc::new(Map::context(fields));
            self.context = Some(map.clone());
            self.slots[Names::CONTEXT as usize] = Value::Map(map);
        }
    }

    pub(crate) fn variable(&mut self, slot: Slot) -> Result<Value<'r>, Signal> {
        if slot == Names::CONTEXT && self.context_awaited {
            self.make_context();
        }
        if self.level == 0 {
            return Ok(self.slots[slot as usize].clone());
        }
        let here = self.level;
        let mut level = here;
        while level > 0 {
            let frame = &self.frames[level - 1];
            if let Some((_, value)) = frame.locals.iter().find(|(known, _)| *known == slot) {
                return Ok(value.clone());
            }
            if let Some((_, argument)) = frame.arguments.iter().find(|(known, _)| *known == slot) {
                let argument = *argument;
                self.level = level - 1;
                let value = self.value(argument);
                self.level = here;
                return value;
            }
            level -= 1;
        }
        Ok(self.slots[slot as usize].clone())
    }

    /// Gives a variable its value, or takes it with null.
    pub(crate) fn set_variable(&mut self, slot: Slot, value: Value<'r>) {
        if slot == Names::CONTEXT && self.context_awaited {
            self.make_context();
        }
        for frame in &mut self.frames[..self.level] {
            frame.locals.retain(|(known, _)| *known != slot);
            if !value.is_null() {
                frame.locals.push((slot, value.clone()));
            }
        }
        self.slots[slot as usize] = value;
    }
}
