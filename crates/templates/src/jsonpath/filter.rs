//! `[?(…)]`.

use std::cmp::Ordering;

use super::Path;
use super::evaluate::{Outcome, select};
use crate::java::{number, regex};
use crate::value::{Budget, Value};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Exists(Operand),
    Compare(Operand, Relation, Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Here(Path),
    Root(Path),
    Text(String),
    Number(f64),
    Boolean(bool),
    Null,
    List(Vec<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
}

/// What an operand comes to: a path that leads nowhere gives nothing at all.
type Found<'v> = Option<Value<'v>>;

impl Filter {
    pub(super) fn accepts<'v>(
        &self,
        here: &Value<'v>,
        root: &Value<'v>,
        budget: &mut Budget,
    ) -> Outcome<bool> {
        budget.step()?;
        match self {
            Self::Any(parts) => {
                for part in parts {
                    if part.accepts(here, root, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::All(parts) => {
                for part in parts {
                    if !part.accepts(here, root, budget)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Not(inner) => Ok(!inner.accepts(here, root, budget)?),
            Self::Exists(operand) => Ok(operand.value(here, root, budget)?.is_some()),
            Self::Compare(left, relation, right) => {
                let left = left.value(here, root, budget)?;
                match relation {
                    Relation::In | Relation::NotIn => {
                        let Operand::List(items) = right else {
                            return Ok(false);
                        };
                        let mut found = false;
                        for item in items {
                            let item = item.value(here, root, budget)?;
                            found = found || equal(left.as_ref(), item.as_ref(), budget)?;
                        }
                        Ok(found == (*relation == Relation::In))
                    }
                    _ => {
                        let right = right.value(here, root, budget)?;
                        compare(left.as_ref(), *relation, right.as_ref(), budget)
                    }
                }
            }
        }
    }
}

impl Operand {
    fn value<'v>(
        &self,
        here: &Value<'v>,
        root: &Value<'v>,
        budget: &mut Budget,
    ) -> Outcome<Found<'v>> {
        Ok(Some(match self {
            Self::Here(path) => return select(path, here, root, budget),
            Self::Root(path) => return select(path, root, root, budget),
            Self::Text(text) => Value::text(text.as_str()),
            Self::Number(number) => Value::Float(*number),
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Null => Value::Null,
            Self::List(_) => return Ok(None),
        }))
    }
}

fn equal<'v>(
    left: Option<&Value<'v>>,
    right: Option<&Value<'v>>,
    budget: &mut Budget,
) -> Outcome<bool> {
    let (Some(left), Some(right)) = (left, right) else {
        return Ok(left.is_none() && right.is_none());
    };
    if left.is_number() && right.is_number() {
        return Ok(number::compare(left, right) == Some(Ordering::Equal));
    }
    Ok(left.equals(right, budget)?)
}

fn compare<'v>(
    left: Option<&Value<'v>>,
    relation: Relation,
    right: Option<&Value<'v>>,
    budget: &mut Budget,
) -> Outcome<bool> {
    match relation {
        Relation::Equal => return equal(left, right, budget),
        Relation::NotEqual => return Ok(!equal(left, right, budget)?),
        _ => {}
    }
    let (Some(left), Some(right)) = (left, right) else {
        return Ok(false);
    };
    let order = match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            if relation == Relation::Matches {
                budget.steps(left.len() as u64)?;
                let pattern = regex::Pattern::compile(right)?;
                return pattern.matches(left);
            }
            if relation == Relation::Contains {
                return Ok(left.contains(right.as_str()));
            }
            Some(left.as_str().cmp(right.as_str()))
        }
        (Value::List(items), right) if relation == Relation::Contains => {
            for item in items.items().iter() {
                if equal(Some(item), Some(right), budget)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        _ => number::compare(left, right),
    };
    Ok(order.is_some_and(|order| match relation {
        Relation::Less => order.is_lt(),
        Relation::LessOrEqual => order.is_le(),
        Relation::Greater => order.is_gt(),
        Relation::GreaterOrEqual => order.is_ge(),
        _ => false,
    }))
}
