//! From source to tree.

mod directive;
mod expression;
mod lexer;
mod parser;
mod recovery;
mod reference;
mod scan;
mod token;
pub(crate) mod tree;

pub(crate) use self::parser::parse;
