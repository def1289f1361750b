//! JSON pointers (RFC 6901).

use std::fmt;

/// A JSON pointer (RFC 6901): where in a document a thing stands.
///
/// ```
/// use portcullis_definition::Pointer;
///
/// let pointer = Pointer::root().child("paths").child("/pets").child("get");
/// assert_eq!(pointer.as_str(), "/paths/~1pets/get");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The member or the item of that name below this pointer.
    #[must_use]
    pub fn child(&self, segment: impl fmt::Display) -> Self {
        let mut pointer = self.clone();
        pointer.push(segment);
        pointer
    }

    /// Goes down to the member or the item of that name.
    pub fn push(&mut self, segment: impl fmt::Display) {
        self.0.push('/');
        for char in segment.to_string().chars() {
            match char {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                other => self.0.push(other),
            }
        }
    }

    /// The text of the pointer: empty for the whole document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, with `~1` and `~0` decoded.
    pub fn segments(&self) -> impl Iterator<Item = String> + '_ {
        self.0
            .split('/')
            .skip(1)
            .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes the text of a pointer as it is.
impl From<String> for Pointer {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_tildes_are_escaped_and_come_back() {
        let pointer = Pointer::root().child("a/b~c").child(0);
        assert_eq!(pointer.as_str(), "/a~1b~0c/0");
        assert_eq!(pointer.segments().collect::<Vec<_>>(), ["a/b~c", "0"]);
    }
}
