//! The longest of many texts that another begins with.

/// Values by text, found by whatever begins with the text: a radix tree. A search looks at each byte of what is searched once, however many texts there are.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes<V> {
    root: Node<V>,
}

#[derive(Clone, Debug)]
struct Node<V> {
    value: Option<V>,
    /// Their labels' first bytes all differ.
    children: Vec<Edge<V>>,
    /// The first of those bytes.
    lowest: u8,
    /// For each byte from there on, the place of its child and one; 0 where there is none.
    places: Box<[u16]>,
}

#[derive(Clone, Debug)]
struct Edge<V> {
    /// Never empty.
    label: Box<[u8]>,
    to: Node<V>,
}

impl<V> Default for Prefixes<V> {
    fn default() -> Self {
        Self {
            root: Node::with(None),
        }
    }
}

impl<V> Prefixes<V> {
    /// Puts `value` where `text` is, in the place of what was there.
    pub(crate) fn insert(&mut self, text: &str, value: V) {
        let (mut node, mut rest) = (&mut self.root, text.as_bytes());
        while let Some(&first) = rest.first() {
            let Some(place) = node.place_of(first) else {
                node.add(Edge {
                    label: rest.into(),
                    to: Node::with(Some(value)),
                });
                return;
            };
            let edge = &mut node.children[place];
            let shared = common(&edge.label, rest);
            if shared < edge.label.len() {
                edge.split(shared);
            }
            rest = &rest[shared..];
            node = &mut edge.to;
        }
        node.value = Some(value);
    }

    /// The value of the longest text that `text` begins with.
    pub(crate) fn longest(&self, text: &str) -> Option<&V> {
        let (mut node, mut rest) = (&self.root, text.as_bytes());
        let mut found = node.value.as_ref();
        while let Some((&first, behind)) = rest.split_first()
            && let Some(place) = node.place_of(first)
        {
            let edge = &node.children[place];
            // Its first byte is this one. Where texts part at every byte there is no other.
            let label = &edge.label[1..];
            rest = match label {
                [] => behind,
                label => match behind.strip_prefix(label) {
                    Some(below) => below,
                    None => break,
                },
            };
            node = &edge.to;
            found = node.value.as_ref().or(found);
        }
        found
    }
}

impl<V> Node<V> {
    fn with(value: Option<V>) -> Self {
        Self {
            value,
            children: Vec::new(),
            lowest: 0,
            places: Box::default(),
        }
    }

    /// The place of the child whose label begins with this byte.
    fn place_of(&self, first: u8) -> Option<usize> {
        let place = self
            .places
            .get(usize::from(first.wrapping_sub(self.lowest)))?;
        usize::from(*place).checked_sub(1)
    }

    fn add(&mut self, edge: Edge<V>) {
        self.children.push(edge);
        let firsts = || self.children.iter().map(|edge| edge.label[0]);
        let (Some(lowest), Some(highest)) = (firsts().min(), firsts().max()) else {
            return;
        };
        let mut places = vec![0; usize::from(highest - lowest) + 1];
        // A byte has 256 values, so places fit.
        for (first, place) in firsts().zip(1..) {
            places[usize::from(first - lowest)] = place;
        }
        self.lowest = lowest;
        self.places = places.into();
    }
}

impl<V> Edge<V> {
    /// Puts a node behind the first `at` bytes of the label.
    fn split(&mut self, at: usize) {
        let below = Self {
            label: self.label[at..].into(),
            to: std::mem::replace(&mut self.to, Node::with(None)),
        };
        self.label = self.label[..at].into();
        self.to.add(below);
    }
}

fn common(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().zip(other);
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_through_all_finds(
            texts in prop::collection::vec("[ab/zé]{0,6}", 0..12),
            searched in "[ab/zé]{0,9}",
        ) {
            let mut prefixes = Prefixes::default();
            for text in &texts {
                prefixes.insert(text, text.clone());
            }
            let fitting = texts.iter().filter(|text| searched.starts_with(text.as_str()));
            prop_assert_eq!(prefixes.longest(&searched), fitting.max_by_key(|text| text.len()));
        }
    }
}
