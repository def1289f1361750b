//! The tree of resources that both kinds of API are matched in.

mod children;
mod nearest;

use crate::method::{RouteMethod, Verb};
use crate::template::{Part, PathTemplate};
use children::{Children, part_end};

/// Resources by their parts. What stands at a resource is an index into the routes of whoever owns the tree.
///
/// Matching takes the most specific branch at each level and comes back if that leads nowhere. Each node knows its
/// parent, and slashes in the path say where the parent's part began: so coming back needs no stack, and a path of ten
/// thousand parts, or a template of as many, recurses nowhere and allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    endpoints: Vec<Endpoint>,
}

/// The resources that a search is content with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those whose parts match one by one, and greedy ones.
    All,
    /// Only those whose parts match one by one.
    Full,
    /// Only greedy ones.
    Greedy,
}

/// The methods of one resource.
#[derive(Clone, Debug)]
struct Endpoint {
    verbs: [u32; 7],
    any: u32,
}

#[derive(Clone, Debug)]
struct Node {
    children: Children,
    chain: Chain,
    parent: u32,
    /// The child that is a variable.
    variable: u32,
    /// The first static child, which stands for all of them when the log wants a route near a path.
    first: u32,
    /// The methods of the resource itself, and of its greedy child.
    endpoint: u32,
    greedy: u32,
    /// The verbs of `endpoint` and of `greedy`.
    own: u8,
    own_greedy: u8,
    /// The verbs of all resources from here down, without the greedy ones and of the greedy ones.
    below: u8,
    below_greedy: u8,
}

/// A short cut: from a node with one static child, over nodes that have one static child and no other branch.
///
/// It skips nothing that a search could turn to later, since the nodes between have no other way on.
#[derive(Clone, Debug, Default)]
struct Chain {
    /// The parts up to the node it leads to, joined by slashes. Empty if there is none.
    parts: Box<[u8]>,
    to: u32,
}

/// Counts the nodes that a search looks at; `()` does not, and costs nothing.
pub(crate) trait Steps {
    fn step(&mut self);
}

impl Steps for () {
    fn step(&mut self) {}
}

impl Steps for usize {
    fn step(&mut self) {
        *self += 1;
    }
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::under(ROOT)],
            endpoints: Vec::new(),
        }
    }

    /// Puts `route` at the template's resource. Answers `false` if the resource has the method already.
    ///
    /// `variable` is told of each part that is a variable, with the node it stands under and its place in the template; if it refuses the part,
    /// nothing is put anywhere and the answer is `true`.
    pub(crate) fn insert(
        &mut self,
        template: &PathTemplate,
        method: RouteMethod,
        route: u32,
        mut variable: impl FnMut(u32, usize, Part<'_>) -> bool,
    ) -> bool {
        let mut at = ROOT;
        let mut greedy = false;
        for (number, part) in template.parts().enumerate() {
            match part {
                Part::Literal(literal) => at = self.child(at, literal),
                Part::Variable(_) | Part::Greedy(_) if !variable(at, number, part) => return true,
                Part::Variable(_) => at = self.variable_child(at),
                Part::Greedy(_) => greedy = true,
            }
        }

        let existing = match greedy {
            true => self.node(at).greedy,
            false => self.node(at).endpoint,
        };
        let endpoint = match existing {
            NONE => {
                let new = index(self.endpoints.len());
                self.endpoints.push(Endpoint::EMPTY);
                new
            }
            endpoint => endpoint,
        };
        let slot = self.endpoints[endpoint as usize].slot(method);
        if *slot != NONE {
            return false;
        }
        *slot = route;

        let verbs = method.methods().bits();
        let node = &mut self.nodes[at as usize];
        if greedy {
            node.greedy = endpoint;
            node.own_greedy |= verbs;
        } else {
            node.endpoint = endpoint;
            node.own |= verbs;
        }
        loop {
            let node = &mut self.nodes[at as usize];
            let below = match greedy {
                true => &mut node.below_greedy,
                false => &mut node.below,
            };
            // What is known here is known further up.
            if *below & verbs == verbs {
                return true;
            }
            *below |= verbs;
            if at == ROOT {
                return true;
            }
            at = node.parent;
        }
    }

    /// Works out the short cuts, once everything has been inserted.
    pub(crate) fn finish(&mut self) {
        let mut passed = vec![false; self.nodes.len()];
        // A node is older than its children, so each chain is met at its head.
        for head in 0..self.nodes.len() {
            if passed[head] {
                continue;
            }
            let mut parts = Vec::new();
            let mut to = head;
            while let Some((part, child)) = self.nodes[to].children.only() {
                if !parts.is_empty() {
                    parts.push(b'/');
                }
                parts.extend_from_slice(part);
                to = child as usize;
                let node = &self.nodes[to];
                if node.variable != NONE || node.greedy != NONE {
                    break;
                }
                passed[to] = true;
            }
            self.nodes[head].chain = Chain {
                parts: parts.into(),
                to: index(to),
            };
        }
    }

    /// The resource that `path` reaches with one of `verbs`, a set of bits. `path` has no slash at its front.
    #[inline]
    pub(crate) fn search(
        &self,
        path: &str,
        verbs: u8,
        wanted: Wanted,
        steps: &mut impl Steps,
    ) -> Option<u32> {
        let bytes = path.as_bytes();
        let (full, greedy) = match wanted {
            Wanted::All => (verbs, verbs),
            Wanted::Full => (verbs, 0),
            Wanted::Greedy => (0, verbs),
        };
        let leads = |node: &Node| (node.below & full) | (node.below_greedy & greedy) != 0;

        let mut at = ROOT;
        let mut node = self.node(ROOT);
        // Where the next part begins; one past the end when there is none.
        let mut start = usize::from(path.is_empty());
        'forward: loop {
            steps.step();
            if start > bytes.len() {
                if node.own & full != 0 {
                    return Some(node.endpoint);
                }
            } else {
                if let Some(end) = node.chain.end(bytes, start) {
                    let next = self.node(node.chain.to);
                    if leads(next) {
                        (at, node, start) = (node.chain.to, next, end + 1);
                        continue 'forward;
                    }
                }
                if let Some((child, end)) = node.children.leading(bytes, start) {
                    let next = self.node(child);
                    if leads(next) {
                        (at, node, start) = (child, next, end + 1);
                        continue 'forward;
                    }
                }
                if node.variable != NONE {
                    let next = self.node(node.variable);
                    let end = part_end(bytes, start);
                    // A variable is never empty.
                    if end > start && leads(next) {
                        (at, node, start) = (node.variable, next, end + 1);
                        continue 'forward;
                    }
                }
                if node.own_greedy & greedy != 0 {
                    return Some(node.greedy);
                }
            }

            // Nothing here: back to the nearest ancestor with a branch that was not taken.
            loop {
                if at == ROOT {
                    return None;
                }
                let end = start - 1;
                start = part_start(bytes, end);
                let left = at;
                at = node.parent;
                node = self.node(at);
                if node.variable != NONE && node.variable != left {
                    let next = self.node(node.variable);
                    if end > start && leads(next) {
                        (at, node, start) = (node.variable, next, end + 1);
                        continue 'forward;
                    }
                }
                if node.own_greedy & greedy != 0 {
                    return Some(node.greedy);
                }
            }
        }
    }

    /// The route of an endpoint that answers `verb`: its own, or else the one for any.
    #[inline]
    pub(crate) fn route(&self, endpoint: u32, verb: Verb) -> Option<u32> {
        let endpoint = &self.endpoints[endpoint as usize];
        match endpoint.verbs[verb.index()] {
            NONE => Some(endpoint.any).filter(|any| *any != NONE),
            route => Some(route),
        }
    }

    /// The verbs that `path` reaches some resource with.
    pub(crate) fn allowed(&self, path: &str) -> u8 {
        Verb::all()
            .map(Verb::bit)
            .filter(|bit| self.search(path, *bit, Wanted::All, &mut ()).is_some())
            .fold(0, |bits, bit| bits | bit)
    }

    fn child(&mut self, parent: u32, part: &str) -> u32 {
        let new = index(self.nodes.len());
        let node = &mut self.nodes[parent as usize];
        if let Some(child) = node.children.get(part.as_bytes()) {
            return child;
        }
        node.children.insert(part.as_bytes(), new);
        if node.first == NONE {
            node.first = new;
        }
        self.nodes.push(Node::under(parent));
        new
    }

    fn variable_child(&mut self, parent: u32) -> u32 {
        let new = index(self.nodes.len());
        let node = &mut self.nodes[parent as usize];
        if node.variable == NONE {
            node.variable = new;
            self.nodes.push(Node::under(parent));
            return new;
        }
        node.variable
    }

    #[inline]
    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }
}

impl Endpoint {
    const EMPTY: Self = Self {
        verbs: [NONE; 7],
        any: NONE,
    };

    fn slot(&mut self, method: RouteMethod) -> &mut u32 {
        match method {
            RouteMethod::Any => &mut self.any,
            verb => &mut self.verbs[verb as usize],
        }
    }

    fn first(&self) -> Option<u32> {
        let mut routes = self.verbs.into_iter().chain([self.any]);
        routes.find(|route| *route != NONE)
    }
}

impl Node {
    fn under(parent: u32) -> Self {
        Self {
            children: Children::none(),
            chain: Chain::default(),
            parent,
            variable: NONE,
            first: NONE,
            endpoint: NONE,
            greedy: NONE,
            own: 0,
            own_greedy: 0,
            below: 0,
            below_greedy: 0,
        }
    }
}

impl Chain {
    /// Where the parts of the chain end in `path`, if they are the ones that begin at `start`.
    #[inline]
    fn end(&self, path: &[u8], start: usize) -> Option<usize> {
        if self.parts.is_empty() {
            return None;
        }
        let end = start + self.parts.len();
        let whole = path.get(end).is_none_or(|byte| *byte == b'/');
        (whole && path.get(start..end)? == &*self.parts).then_some(end)
    }
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// A position in one of the tables.
pub(crate) fn index(position: usize) -> u32 {
    u32::try_from(position)
        .ok()
        .filter(|position| *position != NONE)
        .expect("a table of four thousand million entries does not fit into memory")
}

#[inline]
fn part_start(path: &[u8], end: usize) -> usize {
    path[..end]
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1)
}
