//! Put back what the way through the parents passes by where tools were called in parallel.
//!
//! A response is written as one record a block, each with the same `message.id`, and each result follows the
//! record of its own call: only one of them is on the way.

use super::entries::{Entries, Flag};
use super::graph::{Chain, Graph, Node};
use super::ids::Id;
use std::collections::{HashMap, HashSet};

/// What is put back behind each record.
type Inserts = HashMap<Node, Vec<Node>>;

impl Graph<'_> {
    fn calls(&self, node: Node) -> impl Iterator<Item = Id> {
        Entries::ids_of(&self.entries.calls, self.nodes[node as usize] as usize)
    }

    fn results(&self, node: Node) -> impl Iterator<Item = Id> {
        Entries::ids_of(&self.entries.results, self.nodes[node as usize] as usize)
    }

    fn is_result(&self, node: Node) -> bool {
        self.entry(node).has(Flag::RESULT) && self.parent_id(node) != Id::NONE
    }

    fn is_by_the_same(&self, one: Node, other: Node) -> bool {
        let agent = |node: Node| self.entries.agent(self.nodes[node as usize] as usize);
        self.entry(one).has(Flag::SIDECHAIN) == self.entry(other).has(Flag::SIDECHAIN)
            && agent(one) == agent(other)
    }

    /// Return the chain with the calls and results that belong to its responses.
    pub(crate) fn with_siblings(&self, chain: &mut Chain) -> Vec<Node> {
        let mut anchors: HashMap<Id, Node> = HashMap::new();
        for node in &chain.nodes {
            let message = self.entry(*node).message;
            if message != Id::NONE {
                anchors.insert(message, *node);
            }
        }
        let is_left_out = |node: &Node| {
            !chain.seen.has(*node)
                && (self.is_result(*node) || anchors.contains_key(&self.entry(*node).message))
        };
        if anchors.is_empty() || !self.all().any(|node| is_left_out(&node)) {
            return chain.nodes.clone();
        }
        let inserts = self.inserts(chain, &anchors);
        let mut whole = Vec::with_capacity(chain.nodes.len());
        for node in &chain.nodes {
            whole.push(*node);
            whole.extend(inserts.get(node).into_iter().flatten());
        }
        whole
    }

    fn inserts(&self, chain: &mut Chain, anchors: &HashMap<Id, Node>) -> Inserts {
        let mut members: HashMap<Id, Vec<Node>> = HashMap::new();
        // Who made each call; None if two responses claim to have.
        let mut callers: HashMap<Id, Option<Node>> = HashMap::new();
        let mut results = Vec::new();
        for node in self.all() {
            let message = self.entry(node).message;
            if message != Id::NONE {
                if anchors.contains_key(&message) {
                    members.entry(message).or_default().push(node);
                }
                for call in self.calls(node) {
                    let same = |caller: Node| self.entry(caller).message == message;
                    callers
                        .entry(call)
                        .and_modify(|caller| *caller = caller.filter(|caller| same(*caller)).map(|_| node))
                        .or_insert(Some(node));
                }
            } else if self.is_result(node) && !chain.seen.has(node) {
                results.push(node);
            }
        }
        let caller = |call: Id| callers.get(&call).copied().flatten();
        let mut of_caller: HashMap<Id, Vec<Node>> = HashMap::new();
        for node in results {
            let mut of = vec![self.parent_id(node)];
            let entry = self.nodes[node as usize] as usize;
            let source = Entries::ids_of(&self.entries.sources, entry).filter_map(|id| self.node(id));
            let callers = self.results(node).filter_map(caller);
            for by in source.chain(callers).filter(|by| self.is_by_the_same(node, *by)) {
                let id = self.entry(by).id;
                if !of.contains(&id) {
                    of.push(id);
                }
            }
            of.into_iter().for_each(|id| of_caller.entry(id).or_default().push(node));
        }
        let on_chain: HashSet<Id> = chain.nodes.iter().flat_map(|node| self.results(*node)).collect();

        let mut inserts = Inserts::new();
        let mut done = HashSet::new();
        for node in chain.nodes.clone() {
            let message = self.entry(node).message;
            if message == Id::NONE || !done.insert(message) {
                continue;
            }
            let members = &members[&message];
            let is_member: HashSet<Id> = members.iter().map(|node| self.entry(*node).id).collect();
            let mut siblings: Vec<Node> =
                members.iter().copied().filter(|node| !chain.seen.has(*node)).collect();
            let (mut own, mut strays) = (Vec::new(), Vec::new());
            let mut collected = HashSet::new();
            for member in members {
                for result in of_caller.get(&self.entry(*member).id).into_iter().flatten() {
                    if chain.seen.has(*result) || !collected.insert(*result) {
                        continue;
                    }
                    let list =
                        if is_member.contains(&self.parent_id(*result)) { &mut own } else { &mut strays };
                    list.push(*result);
                }
            }
            if !strays.is_empty() {
                let mut answered: HashSet<Id> = own.iter().flat_map(|node| self.results(*node)).collect();
                strays.sort_unstable();
                for stray in strays {
                    let is_open = |call: Id| {
                        !answered.contains(&call)
                            && !on_chain.contains(&call)
                            && caller(call).is_some_and(|by| is_member.contains(&self.entry(by).id))
                    };
                    if self.results(stray).any(is_open) {
                        answered.extend(self.results(stray));
                        own.push(stray);
                    }
                }
            }
            siblings.sort_by_key(|node| self.entry(*node).time);
            own.sort_by_key(|node| self.entry(*node).time);
            siblings.append(&mut own);
            siblings.iter().for_each(|node| {
                chain.seen.add(*node);
            });
            if !siblings.is_empty() {
                inserts.insert(anchors[&message], siblings);
            }
        }
        inserts
    }
}
