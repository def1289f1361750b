//! Trees that `#evaluate` made while a template runs: they live as long as the rendering.

use std::cell::OnceCell;

use crate::syntax::tree::Tree;

/// A list that only grows.
#[derive(Debug, Default)]
pub(crate) struct Evaluated(OnceCell<(Tree, Box<Self>)>);

impl Evaluated {
    /// Adds a tree to an empty end of the list; gives it and the new end.
    pub(crate) fn add(&self, tree: Tree) -> (&Tree, &Self) {
        let (tree, next) = self.0.get_or_init(|| (tree, Box::default()));
        (tree, next)
    }
}
