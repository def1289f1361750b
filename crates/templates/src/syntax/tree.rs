//! A template as a tree: names are slots, literals are values, spans are bytes of the source.

use std::collections::HashMap;

use num_bigint::BigInt;

use crate::jsonpath::Path;

/// The number of a variable.
pub(crate) type Slot = u32;

/// Where in the source a node stands. In a string literal it is the place of the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) begin: u32,
    pub(crate) end: u32,
}

pub(crate) type Block = Box<[Node]>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Text(Box<str>),
    Reference(Box<Reference>),
    Set(Box<Set>),
    If(Box<If>),
    Foreach(Box<Foreach>),
    Define {
        slot: Slot,
        block: Block,
    },
    Call(Box<Call>),
    Stop,
    Break {
        scope: Option<Expression>,
        span: Span,
    },
    Evaluate {
        argument: Expression,
        span: Span,
    },
    /// `#include` or `#parse`, which read no file here.
    File {
        span: Span,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) root: Root,
    pub(crate) path: Box<[Access]>,
    /// `\$x`: prints as itself if it has a value.
    pub(crate) escaped: bool,
    /// `$!x`: prints nothing if it has no value.
    pub(crate) quiet: bool,
    /// What prints before it: escapes that are left, and `$` and `#` that belong to nothing.
    pub(crate) escapes: Box<str>,
    pub(crate) prefix: Box<str>,
    /// What prints where there is no value.
    pub(crate) literal: Box<str>,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Variable(Slot),
    /// Looks like a reference and prints as it stands.
    Literal,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Access {
    Property {
        name: Box<str>,
        span: Span,
    },
    Method {
        name: Box<str>,
        arguments: Box<[Expression]>,
        /// The JSONPath that the one argument is, for `$input.path` and `$input.json`.
        path: Option<Box<Path>>,
        span: Span,
    },
    Index {
        index: Expression,
        span: Span,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Set {
    pub(crate) target: Reference,
    /// The slot that a target without a path is put into.
    pub(crate) slot: Slot,
    pub(crate) value: Expression,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct If {
    pub(crate) branches: Box<[Branch]>,
    pub(crate) otherwise: Option<Block>,
}

/// `#if(…)` or `#elseif(…)`, and what it renders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Branch {
    pub(crate) condition: Expression,
    pub(crate) block: Block,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Foreach {
    pub(crate) slot: Slot,
    pub(crate) list: Expression,
    pub(crate) block: Block,
    pub(crate) span: Span,
}

/// A call of a macro, which may not be there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: Box<str>,
    pub(crate) arguments: Box<[Expression]>,
    /// The block of `#@name() … #end`.
    pub(crate) body: Option<Block>,
    /// What prints if there is no such macro.
    pub(crate) literal: Box<str>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Text(Box<str>),
    /// A string with references or directives in it.
    Template(Box<Interpolation>),
    Integer(i64),
    Big(BigInt),
    Float(f64),
    Boolean(bool),
    List(Box<[Self]>),
    Map(Box<[(Self, Self)]>),
    Range(Box<(Self, Self)>),
    Reference(Box<Reference>),
    Not(Box<Self>),
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    Compare(Comparison, Box<(Self, Self)>),
    Arithmetic(Box<Arithmetic>),
    /// A word where a value should be: only directives know what it means.
    Word(Box<str>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interpolation {
    pub(crate) block: Block,
    /// Text that the literal ends in and that is not printed.
    pub(crate) drop_last: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arithmetic {
    pub(crate) operator: Operator,
    pub(crate) left: Expression,
    pub(crate) right: Expression,
    /// How the operands are written: `+` joins that to a string if an operand has no value.
    pub(crate) left_literal: Box<str>,
    pub(crate) right_literal: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The definition of a macro.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Macro {
    pub(crate) parameters: Box<[Slot]>,
    pub(crate) block: Block,
}

/// The names of all variables of a template; those that the engine itself sets come first.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    slots: HashMap<Box<str>, Slot>,
    given: [bool; Self::GIVEN.len()],
}

impl Names {
    pub(crate) const FOREACH: Slot = 0;
    pub(crate) const COUNT: Slot = 1;
    pub(crate) const HAS_NEXT: Slot = 2;
    pub(crate) const BODY_CONTENT: Slot = 3;
    pub(crate) const INPUT: Slot = 4;
    pub(crate) const UTIL: Slot = 5;
    pub(crate) const CONTEXT: Slot = 6;
    pub(crate) const STAGE_VARIABLES: Slot = 7;
    /// What a gateway gives to a template, if the template names it.
    pub(crate) const GIVEN: [Slot; 4] = [
        Self::INPUT,
        Self::UTIL,
        Self::CONTEXT,
        Self::STAGE_VARIABLES,
    ];

    pub(crate) fn new() -> Self {
        let names = [
            "foreach",
            "velocityCount",
            "velocityHasNext",
            "bodyContent",
            "input",
            "util",
            "context",
            "stageVariables",
        ];
        Self {
            slots: names.map(Box::from).into_iter().zip(0..).collect(),
            given: [false; Self::GIVEN.len()],
        }
    }

    pub(crate) fn slot(&mut self, name: &str) -> Slot {
        let slot = match self.slots.get(name) {
            Some(slot) => *slot,
            None => {
                // A template of 4 GiB cannot be parsed (its limit is far below), so the count fits.
                let slot = self.slots.len() as Slot;
                self.slots.insert(name.into(), slot);
                slot
            }
        };
        if let Some(at) = Self::GIVEN.iter().position(|given| *given == slot) {
            self.given[at] = true;
        }
        slot
    }

    pub(crate) fn find(&self, name: &str) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    /// Whether the template names this one of [`GIVEN`](Self::GIVEN).
    pub(crate) fn names_given(&self, at: usize) -> bool {
        self.given[at]
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// What parsing a source gives.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) block: Block,
    pub(crate) macros: HashMap<Box<str>, Macro>,
    pub(crate) names: Names,
}
