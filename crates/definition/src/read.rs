//! Reading with a list of what was not understood.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Pointer;

/// What was read, and which fields of it nothing knows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// The fields that no field of the value took up, each by its pointer.
    pub unknown: Vec<Pointer>,
}

/// A field that does not hold what it must.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadError {
    /// The field.
    pub pointer: Pointer,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.as_str().is_empty() {
            "/"
        } else {
            self.pointer.as_str()
        };
        write!(f, "{pointer}: {}", self.message)
    }
}

impl std::error::Error for ReadError {}

/// Reads an object under the service's names and lists the fields of it that are not known.
///
/// # Errors
///
/// The first field that does not hold what it must.
///
/// # Examples
///
/// ```
/// use portcullis_definition::{Stage, read};
///
/// let stage = serde_json::json!({"stageName": "dev", "methodSettings": {"*/*": {"colour": 1}}});
/// let read = read::<Stage>(&stage)?;
/// assert_eq!(read.value.stage_name, "dev");
/// assert_eq!(read.unknown[0].as_str(), "/methodSettings/*~1*/colour");
/// # Ok::<(), portcullis_definition::ReadError>(())
/// ```
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<Read<T>, ReadError> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored_pointer(&path));
    match T::deserialize(serde_ignored::Deserializer::new(deserializer, &mut note)) {
        Ok(value) => Ok(Read { value, unknown }),
        Err(error) => Err(ReadError {
            pointer: failed_pointer(&track.path()),
            message: error.to_string(),
        }),
    }
}

fn ignored_pointer(path: &serde_ignored::Path<'_>) -> Pointer {
    use serde_ignored::Path;

    match path {
        Path::Root => Pointer::root(),
        Path::Seq { parent, index } => ignored_pointer(parent).child(index),
        Path::Map { parent, key } => ignored_pointer(parent).child(key),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => ignored_pointer(parent),
    }
}

fn failed_pointer(path: &serde_path_to_error::Path) -> Pointer {
    use serde_path_to_error::Segment;

    let mut pointer = Pointer::root();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push(index),
            Segment::Map { key } => pointer.push(key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
