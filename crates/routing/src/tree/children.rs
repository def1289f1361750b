//! The static children of a node.

use rustc_hash::FxHashMap;

/// The static children by their part. The hash need not withstand chosen keys: clients look up, and add nothing.
#[derive(Clone, Debug)]
pub(super) enum Children {
    Few(Vec<(Box<[u8]>, u32)>),
    Many(FxHashMap<Box<[u8]>, u32>),
}

impl Children {
    pub(super) const fn none() -> Self {
        Self::Few(Vec::new())
    }

    /// The child and its part, if there is exactly one.
    pub(super) fn only(&self) -> Option<(&[u8], u32)> {
        match self {
            Self::Few(children) => match &children[..] {
                [(part, child)] => Some((part, *child)),
                _ => None,
            },
            Self::Many(_) => None,
        }
    }

    /// The child for the part of `path` that begins at `start`, and where that part ends.
    #[inline]
    pub(super) fn leading(&self, path: &[u8], start: usize) -> Option<(u32, usize)> {
        match self {
            // A few are compared in place: where the part ends need not be looked for.
            Self::Few(children) => {
                let rest = &path[start..];
                children.iter().find_map(|(name, child)| {
                    let after = rest.strip_prefix(&**name)?;
                    let whole = after.first().is_none_or(|byte| *byte == b'/');
                    whole.then_some((*child, start + name.len()))
                })
            }
            Self::Many(children) => {
                let end = part_end(path, start);
                children.get(&path[start..end]).map(|child| (*child, end))
            }
        }
    }

    pub(super) fn get(&self, part: &[u8]) -> Option<u32> {
        match self {
            Self::Few(children) => children
                .iter()
                .find_map(|(name, child)| (**name == *part).then_some(*child)),
            Self::Many(children) => children.get(part).copied(),
        }
    }

    pub(super) fn insert(&mut self, part: &[u8], child: u32) {
        match self {
            Self::Few(children) if children.len() < FEW => children.push((part.into(), child)),
            Self::Few(children) => {
                let mut many: FxHashMap<_, _> = children.drain(..).collect();
                many.insert(part.into(), child);
                *self = Self::Many(many);
            }
            Self::Many(children) => {
                children.insert(part.into(), child);
            }
        }
    }
}

/// Up to how many children a look at each is quicker than a hash.
const FEW: usize = 6;

/// Where the part that begins at `start` ends.
#[inline]
pub(super) fn part_end(path: &[u8], start: usize) -> usize {
    path[start..]
        .iter()
        .position(|byte| *byte == b'/')
        .map_or(path.len(), |length| start + length)
}
