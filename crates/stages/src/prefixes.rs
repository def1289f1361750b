//! The longest of many texts that another begins with.

/// Values by text, found by whatever begins with the text: a radix tree. A search looks at each byte of what is searched once, however many texts there are.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes<V> {
    root: Node<V>,
}

#[derive(Clone, Debug)]
struct Node<V> {
    value: Option<V>,
    /// In the order of their first bytes, which all differ.
    children: Vec<Edge<V>>,
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
            let place = match node.place_of(first) {
                Ok(place) => place,
                Err(place) => {
                    let leaf = Edge {
                        label: rest.into(),
                        to: Node::with(Some(value)),
                    };
                    node.children.insert(place, leaf);
                    return;
                }
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
        while let Some(&first) = rest.first() {
            let Ok(place) = node.place_of(first) else {
                break;
            };
            let edge = &node.children[place];
            let Some(below) = rest.strip_prefix(&*edge.label) else {
                break;
            };
            (node, rest) = (&edge.to, below);
            found = node.value.as_ref().or(found);
        }
        found
    }
}

impl<V> Node<V> {
    const fn with(value: Option<V>) -> Self {
        Self {
            value,
            children: Vec::new(),
        }
    }

    fn place_of(&self, first: u8) -> Result<usize, usize> {
        self.children
            .binary_search_by_key(&first, |edge| edge.label[0])
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
        self.to.children.push(below);
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
            texts in prop::collection::vec("[ab/]{0,6}", 0..12),
            searched in "[ab/]{0,9}",
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
