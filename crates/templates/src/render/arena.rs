//! What a rendering makes while it runs and then borrows from: the trees of `#evaluate`, the texts of `$util.parseJson`.

use std::cell::OnceCell;

/// A list that only grows.
#[derive(Debug)]
pub(crate) struct Arena<T>(OnceCell<(T, Box<Self>)>);

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> Arena<T> {
    /// Adds to an empty end of the list; gives what was added and the new end.
    pub(crate) fn add(&self, added: T) -> (&T, &Self) {
        let (added, next) = self.0.get_or_init(|| (added, Box::default()));
        (added, next)
    }
}

/// One after the other: the list may be longer than the stack is deep.
impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        let mut rest = self.0.take();
        while let Some((_, mut next)) = rest {
            rest = next.0.take();
        }
    }
}
