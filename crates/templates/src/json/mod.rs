//! JSON as the service's JSON library reads it, without a copy: a tape of where each value stands in the text.

mod reader;
mod tape;

pub(crate) use self::reader::{Malformed, read};
pub(crate) use self::tape::{Node, Shape, Tape};
