//! Where two answers differ.

use std::fmt;

/// One place where the answers of two versions differ. Secrets are left out of it, and long values are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// `status`, `header content-type`, `body`, or `body` with a JSON pointer: `body /items/0/price`.
    pub place: String,
    /// What production answered there.
    pub live: String,
    /// What the other version answered.
    pub mirrored: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            live,
            mirrored,
        } = self;
        write!(f, "{place}: {live} became {mirrored}")
    }
}

/// What stands for something that is not there.
pub(super) const ABSENT: &str = "(absent)";

/// What stands for a secret.
pub(super) const SECRET: &str = "…";

/// The differences of a pair, up to a few: the first say enough.
#[derive(Default)]
pub(super) struct Differences {
    found: Vec<Difference>,
    /// There are more.
    pub(super) more: bool,
}

const MOST: usize = 8;

impl Differences {
    pub(super) fn push(&mut self, place: impl Into<String>, live: String, mirrored: String) {
        if self.is_full() {
            self.more = true;
            return;
        }
        self.found.push(Difference {
            place: place.into(),
            live: cut(live),
            mirrored: cut(mirrored),
        });
    }

    /// Whether looking for more is of no use.
    pub(super) const fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    pub(super) const fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) fn into_vec(self) -> Vec<Difference> {
        self.found
    }
}

/// The beginning of a value.
fn cut(mut text: String) -> String {
    const LONGEST: usize = 80;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}
