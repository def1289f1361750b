//! Statements, compiled, and whether they apply.

use std::sync::Arc;

use super::arn::ResourcePattern;
use super::condition::Condition;
use super::evaluate::AccessRequest;
use super::pattern::{Match, Pattern};
use super::principal::{Grant, Principals};

/// One statement. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Statement(Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) sid: Option<Box<str>>,
    pub(super) effect: Effect,
    /// Absent in policies of callers.
    pub(super) principals: Option<Principals>,
    pub(super) actions: Listed<Pattern>,
    pub(super) resources: Listed<ResourcePattern>,
    pub(super) conditions: Box<[Condition]>,
}

/// What a statement does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_enums, reason = "the policy language has these two")]
pub enum Effect {
    /// It allows, unless something denies.
    Allow,
    /// It denies, whatever allows.
    Deny,
}

/// The list of `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug)]
pub(super) struct Listed<P> {
    pub(super) not: bool,
    pub(super) patterns: Box<[P]>,
}

impl<P> Listed<P> {
    /// Whether the element is satisfied. A pattern without a value for its variable matches nothing; below a "not", it must not
    /// widen what is allowed, nor narrow what is denied.
    fn covers(&self, effect: Effect, matches: impl Fn(&P) -> Match) -> bool {
        if !self.not {
            return self
                .patterns
                .iter()
                .any(|pattern| matches(pattern) == Match::Yes);
        }
        self.patterns.iter().all(|pattern| match matches(pattern) {
            Match::Yes => false,
            Match::No => true,
            Match::NoValue => effect == Effect::Deny,
        })
    }
}

/// Why a statement does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    Principal,
    Action,
    Resource,
    /// The condition of this index does not hold.
    Condition(usize),
}

impl Statement {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Whether the statement applies to `request`, and if so, how directly it grants.
    pub(super) fn applies(&self, request: &AccessRequest<'_>) -> Result<Grant, Mismatch> {
        let parts = &*self.0;
        let keys = request.keys;
        if !parts.actions.covers(parts.effect, |pattern| {
            pattern.matches(request.action.as_str(), keys)
        }) {
            return Err(Mismatch::Action);
        }
        if !parts.resources.covers(parts.effect, |pattern| {
            pattern.matches(request.resource, request.resource_parts.as_ref(), keys)
        }) {
            return Err(Mismatch::Resource);
        }
        let grant = match &parts.principals {
            Some(principals) => principals
                .covers(request.principal)
                .ok_or(Mismatch::Principal)?,
            None => Grant::Direct,
        };
        for (index, condition) in parts.conditions.iter().enumerate() {
            if !condition.holds(keys) {
                return Err(Mismatch::Condition(index));
            }
        }
        Ok(grant)
    }
}
