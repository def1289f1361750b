//! Nodes: text, conditions, loops, assignments, macros.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::{Failure, Frame, Renderer, Signal};
use crate::fault::FailureKind;
use crate::syntax::parse;
use crate::syntax::tree::{Call, Expression, Foreach, Names, Node, Set, Span};
use crate::value::{Block, Loop, Value};

/// Macros in macros, as deep as Velocity lets them.
const MACRO_DEPTH: usize = 20;
/// `#evaluate`s in one rendering.
const EVALUATIONS: u32 = 1000;

impl<'r> Renderer<'r> {
    pub(super) fn nodes(&mut self, nodes: &'r [Node]) -> Result<(), Signal> {
        for node in nodes {
            self.node(node)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &'r Node) -> Result<(), Signal> {
        self.budget.step()?;
        match node {
            Node::Text(text) => {
                self.out.push_str(text);
                self.budget.output(self.out.len())?;
            }
            Node::Reference(reference) => {
                self.print(reference)?;
                self.budget.output(self.out.len())?;
            }
            Node::Set(set) => self.set(set)?,
            Node::If(node) => {
                for branch in &node.branches {
                    let holds = self.truth(&branch.condition)?;
                    self.observe(branch.span, &Value::Boolean(holds));
                    if holds {
                        return self.nodes(&branch.block);
                    }
                }
                if let Some(block) = &node.otherwise {
                    self.nodes(block)?;
                }
            }
            Node::Foreach(node) => self.foreach(node)?,
            Node::Define { slot, block } => {
                let block = Value::Block(Rc::new(Block {
                    nodes: block,
                    depth: Cell::new(0),
                }));
                self.set_variable(*slot, block);
            }
            Node::Call(call) => self.call(call)?,
            Node::Stop => return Err(Signal::Stop),
            Node::Break { scope, span } => return Err(self.break_signal(scope.as_ref(), *span)?),
            Node::Evaluate { argument, span } => self.evaluate(argument, *span)?,
            Node::File { span } => {
                self.at(*span);
                return Err(Failure::new(
                    FailureKind::Forbidden,
                    "`#include` and `#parse` are not available: templates read no files",
                )
                .into());
            }
        }
        Ok(())
    }

    /// Remembers the place for a fault; what `#evaluate` runs has none of its own.
    pub(super) fn at(&mut self, span: Span) {
        if self.inner.is_empty() {
            self.place = span;
        }
    }

    /// Tells whoever looks on. What `#evaluate` runs has no place of its own and is not told.
    #[inline]
    pub(super) fn observe(&mut self, span: Span, value: &Value<'r>) {
        if let Some(observer) = &mut self.observer
            && self.inner.is_empty()
        {
            observer.tell(span, value);
        }
    }

    fn break_signal(
        &mut self,
        scope: Option<&'r Expression>,
        span: Span,
    ) -> Result<Signal, Signal> {
        let Some(scope) = scope else {
            return Ok(Signal::Break(None));
        };
        match self.value(scope)? {
            Value::Loop(scope) => Ok(Signal::Break(Some(scope.id))),
            _ => {
                self.at(span);
                Err(
                    Failure::invocation("`#break` takes a loop: `$foreach` or `$foreach.parent`")
                        .into(),
                )
            }
        }
    }

    fn set(&mut self, set: &'r Set) -> Result<(), Signal> {
        let value = self.value(&set.value)?;
        self.observe(set.span, &value);
        if value.is_null() {
            // An assignment without a value does nothing.
            return Ok(());
        }
        if set.target.path.is_empty() {
            self.set_variable(set.slot, value);
            return Ok(());
        }
        self.assign(&set.target, value)
    }

    fn foreach(&mut self, node: &'r Foreach) -> Result<(), Signal> {
        let list = self.value(&node.list)?;
        let Some(items) = crate::java::iterate(&list) else {
            self.observe(node.span, &Value::Null);
            return Ok(());
        };
        self.budget.enter()?;
        let slots = [node.slot, Names::COUNT, Names::HAS_NEXT, Names::FOREACH];
        let mut saved = [const { Value::Null }; 4];
        for (place, slot) in saved.iter_mut().zip(slots) {
            *place = self.variable(slot)?;
        }
        let parent = match &saved[3] {
            Value::Loop(parent) => Some(parent.clone()),
            _ => None,
        };
        self.loops += 1;
        let scope = Rc::new(Loop {
            index: Cell::new(-1),
            has_next: Cell::new(false),
            parent,
            extra: OnceCell::new(),
            id: self.loops,
        });
        self.set_variable(Names::FOREACH, Value::Loop(scope.clone()));
        let length = items.len();
        let watched = crate::java::Watched::new(&list);
        let mut outcome = Ok(());
        let mut items = items.into_iter();
        for at in 0.. {
            match watched.goes_on(at, length) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    self.at(node.span);
                    outcome = Err(failure.into());
                    break;
                }
            }
            let Some(item) = items.next() else {
                break;
            };
            if at as u64 >= self.budget.limits.loop_iterations {
                self.at(node.span);
                outcome = Err(Failure::limit(format!(
                    "the loop goes round more than {} times: the list has {length} items",
                    self.budget.limits.loop_iterations
                ))
                .into());
                break;
            }
            let has_next = at + 1 < length;
            self.set_variable(Names::COUNT, Value::Integer(at as i64 + 1));
            self.set_variable(Names::HAS_NEXT, Value::Boolean(has_next));
            self.observe(node.span, &item);
            self.set_variable(node.slot, item);
            scope.index.set(at as i64);
            scope.has_next.set(has_next);
            match self.nodes(&node.block) {
                Ok(()) => {}
                Err(Signal::Break(target)) if target.is_none_or(|id| id == scope.id) => break,
                Err(signal) => {
                    outcome = Err(signal);
                    break;
                }
            }
        }
        for (slot, value) in slots.into_iter().zip(saved) {
            self.set_variable(slot, value);
        }
        self.budget.leave();
        outcome
    }

    fn call(&mut self, call: &'r Call) -> Result<(), Signal> {
        let found = std::iter::once(&self.tree)
            .chain(&self.inner)
            .find_map(|tree| tree.macros.get(&call.name));
        let Some(definition) = found else {
            self.out.push_str(&call.literal);
            return Ok(());
        };
        self.at(call.span);
        if call
            .arguments
            .iter()
            .any(|argument| matches!(argument, Expression::Word(_)))
        {
            return Err(Failure::invocation(format!(
                "an argument of `#{}` is a plain word; quote it",
                call.name
            ))
            .into());
        }
        if self.level >= MACRO_DEPTH {
            return Err(Failure::limit(format!(
                "macros call each other more than {MACRO_DEPTH} deep"
            ))
            .into());
        }
        let mut frame = Frame {
            arguments: definition
                .parameters
                .iter()
                .copied()
                .zip(call.arguments.iter())
                .collect(),
            locals: Vec::new(),
        };
        if let Some(body) = &call.body {
            let block = Block {
                nodes: body,
                depth: Cell::new(0),
            };
            frame
                .locals
                .push((Names::BODY_CONTENT, Value::Block(Rc::new(block))));
        }
        let level = self.level;
        let above = self.frames.split_off(level);
        self.frames.push(frame);
        self.level = level + 1;
        self.budget.enter()?;
        let outcome = self.nodes(&definition.block);
        self.budget.leave();
        self.level = level;
        self.frames.truncate(level);
        self.frames.extend(above);
        match outcome {
            Err(Signal::Break(None)) => Ok(()),
            outcome => outcome,
        }
    }

    fn evaluate(&mut self, argument: &'r Expression, span: Span) -> Result<(), Signal> {
        self.at(span);
        let value = self.value(argument)?;
        if value.is_null() {
            return Ok(());
        }
        let source = self.text_of(&value)?;
        self.observe(span, &Value::Text(source.clone()));
        self.evaluations += 1;
        if self.evaluations > EVALUATIONS {
            return Err(Failure::limit(format!("more than {EVALUATIONS} `#evaluate`s")).into());
        }
        self.budget.create(source.len())?;
        let tree = parse(
            &source,
            self.dialect,
            &self.budget.limits,
            self.names().clone(),
            HashMap::new(),
        )
        .map_err(|fault| {
            Failure::new(
                FailureKind::Syntax,
                format!("in the text that `#evaluate` runs: {}", fault.message()),
            )
        })?;
        let (tree, end) = self.evaluated.add(tree);
        self.evaluated = end;
        let earlier = self.names().clone();
        self.names = Some(tree.names.clone());
        self.slots.resize(tree.names.len(), Value::Null);
        self.fill(Some(&earlier));
        self.inner.push(tree);
        self.budget.enter()?;
        let outcome = self.nodes(&tree.block);
        self.budget.leave();
        self.inner.pop();
        match outcome {
            Err(Signal::Break(None)) => Ok(()),
            outcome => outcome,
        }
    }
}
