//! JSONPath as the service has it: the dialect of Jayway's library.
//!
//! A module of our own: the well-kept libraries follow RFC 9535, which differs from this dialect where templates
//! notice it (a definite path gives a value and not a list, `.length()`, `=~`, bare names without `$`), and they
//! work on a JSON tree of theirs. Each node that is visited is a step of the rendering's budget.

mod evaluate;
mod filter;
mod parse;

pub(crate) use self::evaluate::{Found, evaluate, find};
pub(crate) use self::parse::parse;

/// A path that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    segments: Vec<Segment>,
    function: Option<Function>,
}

#[derive(Clone, Debug, PartialEq)]
enum Segment {
    Names(Vec<String>),
    Wildcard,
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Filter(filter::Filter),
    /// `..`: the next segment is tried on this node and all below it.
    Descend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Length,
    Min,
    Max,
    Average,
    Sum,
    Keys,
}

impl Path {
    /// Whether it can name one value only. Such a path gives that value, or nothing; any other gives a list, always.
    fn is_definite(&self) -> bool {
        match self.segments.split_last() {
            // Several names at the end give one map of them.
            Some((Segment::Names(_), before)) => before.iter().all(Segment::is_single),
            _ => self.is_single(),
        }
    }

    fn is_single(&self) -> bool {
        self.segments.iter().all(Segment::is_single)
    }
}

impl Segment {
    /// Whether it is one name or one index.
    fn is_single(&self) -> bool {
        match self {
            Self::Names(names) => names.len() == 1,
            Self::Indexes(indexes) => indexes.len() == 1,
            Self::Wildcard | Self::Slice(..) | Self::Filter(_) | Self::Descend => false,
        }
    }
}
