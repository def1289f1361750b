//! The route that a person meant who asked for one that is not there: for the log, not for serving.

use super::children::Children;
use super::{NONE, ROOT, Tree, Wanted};

impl Tree {
    /// A route near to `path`, in the way a person would mean it: for the log, not for serving.
    ///
    /// It is that of the path with another verb; or of the path without its first part (a stage that was named
    /// twice); or the one that is reached by following the path as far as it goes, with one part mistyped.
    pub(crate) fn nearest(&self, path: &str) -> Option<u32> {
        let every = u8::MAX;
        let known = |path| self.search(path, every, Wanted::All, &mut ());
        let endpoint = known(path).or_else(|| {
            let without_first = path
                .split_once('/')
                .and_then(|(_, rest)| self.search(rest, every, Wanted::Full, &mut ()));
            without_first.or_else(|| self.followed(path))
        })?;
        self.endpoints[endpoint as usize].first()
    }

    /// Follows `path` from the root, and answers an endpoint near to where that ends.
    fn followed(&self, path: &str) -> Option<u32> {
        let mut at = ROOT;
        let mut mistyped = false;
        for part in path.split('/') {
            let node = self.node(at);
            at = if let Some(child) = node.children.get(part.as_bytes()) {
                child
            } else if node.variable != NONE && !part.is_empty() {
                node.variable
            } else if let Some(child) = node.children.similar(part.as_bytes()).filter(|_| !mistyped)
            {
                mistyped = true;
                child
            } else {
                break;
            };
        }
        if at == ROOT {
            return None;
        }
        loop {
            let node = self.node(at);
            let stop = [node.endpoint, node.greedy]
                .into_iter()
                .find(|e| *e != NONE);
            if stop.is_some() {
                return stop;
            }
            at = [node.variable, node.first]
                .into_iter()
                .find(|n| *n != NONE)?;
        }
    }
}

impl Children {
    /// The child that is spelled most like `part`, at most two slips away, among the first [`COMPARED`].
    fn similar(&self, part: &[u8]) -> Option<u32> {
        let slips = match part.len() {
            2..5 => 1,
            5..=64 => 2,
            _ => return None,
        };
        let distance =
            |name: &[u8], child| slips_between(name, part, slips).map(|slips| (slips, child));
        match self {
            Self::Few(children) => children
                .iter()
                .filter_map(|(name, child)| distance(name, *child))
                .min(),
            Self::Many(children) => children
                .iter()
                .take(COMPARED)
                .filter_map(|(name, child)| distance(name, *child))
                .min(),
        }
        .map(|(_, child)| child)
    }
}

/// How many children of a resource are compared with a mistyped part: what a refused request may cost has an end.
const COMPARED: usize = 1_000;

/// How many letters are missing, added, changed or swapped between two words, if that is at most `most`. Case does not
/// count. Each slip tries four ways on, so `most` is small.
fn slips_between(a: &[u8], b: &[u8], most: u8) -> Option<u8> {
    let same = a
        .iter()
        .zip(b)
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .count();
    let (a, b) = (&a[same..], &b[same..]);
    if a.is_empty() && b.is_empty() {
        return Some(0);
    }
    if most == 0 || a.len().abs_diff(b.len()) > usize::from(most) {
        return None;
    }
    let less = most - 1;
    let swapped = match (a, b) {
        ([a0, a1, a @ ..], [b0, b1, b @ ..])
            if a0.eq_ignore_ascii_case(b1) && a1.eq_ignore_ascii_case(b0) =>
        {
            slips_between(a, b, less)
        }
        _ => None,
    };
    let skip = |word: &[u8]| word.len().min(1);
    [
        swapped,
        slips_between(&a[skip(a)..], &b[skip(b)..], less),
        slips_between(&a[skip(a)..], b, less),
        slips_between(a, &b[skip(b)..], less),
    ]
    .into_iter()
    .flatten()
    .min()
    .map(|slips| slips + 1)
}
