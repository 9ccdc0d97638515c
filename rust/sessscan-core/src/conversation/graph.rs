//! Make the conversation of the records: which records there are, what follows what, and where the last one is.
//!
//! This is what the official TypeScript SDK's `getSessionMessages` does (0.3.332), step by step.

use super::entries::{Entries, Entry, Flag};
use super::ids::Id;
use super::said::Kind;
use std::collections::HashMap;

/// A set of small numbers.
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(count: usize) -> Bits {
        Bits(vec![0; count.div_ceil(64)])
    }

    pub(crate) fn has(&self, at: u32) -> bool {
        self.0[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Add a number; return whether it is new.
    pub(crate) fn add(&mut self, at: u32) -> bool {
        let new = !self.has(at);
        self.0[at as usize / 64] |= 1 << (at % 64);
        new
    }
}

/// The number of a record among those with different uuids, in the order in which these are seen first.
pub(crate) type Node = u32;

const NO_NODE: Node = Node::MAX;

/// The records that a reader sees, by their uuids, and what each follows.
pub(crate) struct Graph<'a> {
    pub(crate) entries: &'a Entries,
    /// The entry of each node: of several with one uuid the last.
    pub(crate) nodes: Vec<u32>,
    /// The node of each id.
    by_id: Vec<Node>,
    /// Parents that are not the record's own.
    relinked: HashMap<Node, Id>,
}

/// A way from a leaf back.
pub(crate) struct Chain {
    /// From the first record to the leaf.
    pub(crate) nodes: Vec<Node>,
    /// The records on it, and later those that were put back.
    pub(crate) seen: Bits,
}

impl<'a> Graph<'a> {
    /// Make the graph of those entries from the `first` on that `sees` returns true for.
    pub(crate) fn new(entries: &'a Entries, first: usize, sees: impl Fn(&Entry) -> bool) -> Graph<'a> {
        let mut by_id = vec![NO_NODE; entries.ids.len()];
        let mut nodes = Vec::new();
        for (at, entry) in entries.all.iter().enumerate().skip(first) {
            if !sees(entry) {
                continue;
            }
            let node = &mut by_id[entry.id.0 as usize];
            if *node == NO_NODE {
                *node = nodes.len() as Node;
                nodes.push(at as u32);
            } else {
                nodes[*node as usize] = at as u32;
            }
        }
        let mut graph = Graph { entries, nodes, by_id, relinked: HashMap::new() };
        graph.relink_preserved();
        graph
    }

    pub(crate) fn entry(&self, node: Node) -> &'a Entry {
        &self.entries.all[self.nodes[node as usize] as usize]
    }

    pub(crate) fn node(&self, id: Id) -> Option<Node> {
        self.by_id.get(id.0 as usize).copied().filter(|node| *node != NO_NODE)
    }

    /// Return the id of the record that a node follows.
    pub(crate) fn parent_id(&self, node: Node) -> Id {
        self.relinked.get(&node).copied().unwrap_or(self.entry(node).parent)
    }

    pub(crate) fn parent(&self, node: Node) -> Option<Node> {
        self.node(self.parent_id(node))
    }

    /// Let a node follow another record.
    pub(crate) fn relink(&mut self, node: Node, parent: Id) {
        self.relinked.insert(node, parent);
    }

    pub(crate) fn all(&self) -> std::ops::Range<Node> {
        0..self.nodes.len() as Node
    }

    /// Hang the records that compactions preserve on their anchors, and the anchors' other children behind them.
    fn relink_preserved(&mut self) {
        let entries = self.entries;
        let mut preserved: Vec<(Node, usize)> = entries
            .preserved
            .iter()
            .enumerate()
            .filter_map(|(at, (entry, _))| {
                let node = self.node(entries.all[*entry as usize].id)?;
                (self.nodes[node as usize] == *entry).then_some((node, at))
            })
            .collect();
        if preserved.is_empty() {
            return;
        }
        preserved.sort_unstable();
        let mut children: HashMap<Id, Vec<Node>> = HashMap::new();
        for node in self.all() {
            children.entry(self.parent_id(node)).or_default().push(node);
        }
        for (_, at) in preserved {
            let preserved = &entries.preserved[at].1;
            if let Some((anchor, uuids)) = &preserved.messages {
                let nodes: Option<Vec<Node>> = uuids.iter().map(|id| self.node(*id)).collect();
                let Some(nodes) = nodes.filter(|nodes| !nodes.is_empty()) else { continue };
                let mut parent = *anchor;
                for (node, id) in nodes.iter().zip(uuids) {
                    self.move_to(*node, parent, &mut children);
                    parent = *id;
                }
                self.move_children(*anchor, nodes[0], parent, &mut children);
            } else if let Some((head, anchor, tail)) = preserved.segment {
                let head = self.node(head);
                if let Some(head) = head {
                    self.move_to(head, anchor, &mut children);
                }
                self.move_children(anchor, head.unwrap_or(NO_NODE), tail, &mut children);
            }
        }
    }

    fn move_to(&mut self, node: Node, parent: Id, children: &mut HashMap<Id, Vec<Node>>) {
        if self.parent_id(node) != parent {
            self.relink(node, parent);
            children.entry(parent).or_default().push(node);
        }
    }

    /// Move the children of `anchor` but one to another parent.
    fn move_children(&mut self, anchor: Id, but: Node, parent: Id, children: &mut HashMap<Id, Vec<Node>>) {
        if anchor == Id::NONE || anchor == parent {
            return;
        }
        for node in children.remove(&anchor).unwrap_or_default() {
            // It may have been moved away meanwhile.
            if self.parent_id(node) != anchor {
                continue;
            }
            if node == but {
                children.entry(anchor).or_default().push(node);
            } else {
                self.move_to(node, parent, children);
            }
        }
    }

    /// Return the record with which the conversation ends.
    pub(crate) fn leaf(&self) -> Option<Node> {
        let leads = |entry: &Entry| {
            !entry.has(Flag::SIDECHAIN | Flag::TEAM | Flag::BRIEFING) && !entry.is(Kind::Progress)
        };
        let mut followed = Bits::new(self.entries.ids.len());
        for node in self.all() {
            let parent = self.parent_id(node);
            if parent.0 < Id::NO_TEXT.0 && leads(self.entry(node)) {
                followed.add(parent.0);
            }
        }
        let mut visited = Bits::new(self.nodes.len());
        let mut last_first: Vec<Node> = self.all().collect();
        if !self.nodes.is_sorted() {
            last_first.sort_unstable_by_key(|node| self.nodes[*node as usize]);
        }
        for node in last_first.into_iter().rev() {
            let entry = self.entry(node);
            if !leads(entry) || followed.has(entry.id.0) {
                continue;
            }
            let mut next = Some(node);
            while let Some(node) = next.filter(|node| !visited.has(*node)) {
                if self.entry(node).is_message() {
                    return Some(node);
                }
                visited.add(node);
                next = self.parent(node);
            }
        }
        self.leaf_of_any()
    }

    /// Return the last message before any end, of those that are no side chain's if there is one.
    fn leaf_of_any(&self) -> Option<Node> {
        const UNKNOWN: Node = NO_NODE - 1;
        let mut followed = Bits::new(self.entries.ids.len());
        for node in self.all() {
            let parent = self.parent_id(node);
            if parent.0 < Id::NO_TEXT.0 {
                followed.add(parent.0);
            }
        }
        // The nearest message from each node back, as far as it is known.
        let mut nearest = vec![UNKNOWN; self.nodes.len()];
        let mut best: [Option<Node>; 2] = [None; 2];
        for node in self.all().filter(|node| !followed.has(self.entry(*node).id.0)) {
            let mut path = Vec::new();
            let mut next = Some(node);
            let found = loop {
                let Some(node) = next else { break NO_NODE };
                if nearest[node as usize] != UNKNOWN {
                    break nearest[node as usize];
                }
                if self.entry(node).is_message() {
                    nearest[node as usize] = node;
                    break node;
                }
                // What comes back to this path finds nothing.
                nearest[node as usize] = NO_NODE;
                path.push(node);
                next = self.parent(node);
            };
            path.into_iter().for_each(|node| nearest[node as usize] = found);
            if found == NO_NODE {
                continue;
            }
            let aside = self.entry(found).has(Flag::SIDECHAIN | Flag::TEAM | Flag::META);
            let best = &mut best[usize::from(aside)];
            let later = |other: Node| self.nodes[other as usize] < self.nodes[found as usize];
            if best.is_none_or(later) {
                *best = Some(found);
            }
        }
        best[0].or(best[1])
    }

    /// Return the chain of a file without a message.
    pub(crate) fn no_chain(&self) -> Chain {
        Chain { nodes: Vec::new(), seen: Bits::new(self.nodes.len()) }
    }

    /// Follow the parents from a leaf back.
    pub(crate) fn chain(&self, leaf: Node) -> Chain {
        let mut seen = Bits::new(self.nodes.len());
        let mut nodes = Vec::new();
        let mut next = Some(leaf);
        while let Some(node) = next.filter(|node| seen.add(*node)) {
            nodes.push(node);
            next = self.parent(node);
        }
        nodes.reverse();
        Chain { nodes, seen }
    }
}
