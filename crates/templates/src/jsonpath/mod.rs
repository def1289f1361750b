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
        self.segments.iter().all(|segment| match segment {
            Segment::Names(names) => names.len() == 1,
            Segment::Indexes(indexes) => indexes.len() == 1,
            Segment::Wildcard | Segment::Slice(..) | Segment::Filter(_) | Segment::Descend => false,
        })
    }
}
