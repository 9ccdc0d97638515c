//! Tell which commands that were queued while the model worked the reader makes messages of.

use super::entries::{Entry, Flag, Taken};
use super::graph::{Chain, Graph, Node};
use super::ids::Id;
use super::said::{Beginning, Kind};
use std::collections::{HashMap, HashSet};

/// A record of the conversation, and the uuid that it is given with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) entry: u32,
    pub(crate) id: Id,
}

/// How often each queued command was taken in, and which copies of a delivery were.
#[derive(Default)]
struct Deliveries {
    counts: HashMap<Taken, usize>,
    copies: HashSet<Id>,
}

impl Graph<'_> {
    /// Return the messages of a chain that the reader gives.
    pub(crate) fn given(&self, whole: Vec<Node>, chain: &Chain, first: usize) -> Vec<Given> {
        let entry_of = |node: &Node| self.nodes[*node as usize];
        let mut list: Vec<u32> = whole.iter().map(entry_of).collect();
        let trailing_from = list.len();
        let all = &self.entries.all;
        if self.entries.queued.keys().any(|entry| *entry as usize >= first) {
            list.extend(self.trailing(&whole, chain, first));
        } else {
            list.retain(|entry| all[*entry as usize].is_shown());
            return list.into_iter().map(|entry| Given { entry, id: all[entry as usize].id }).collect();
        }
        let outputs = self.outputs(&list);
        let before_reply = self.before_replies(&list, &outputs);
        let delivered = self.delivered(&list, first);
        let mut ids: HashSet<Id> = list.iter().map(|entry| all[*entry as usize].id).collect();
        let mut given = Vec::new();
        for (at, entry) in list.iter().copied().enumerate() {
            let record = &all[entry as usize];
            if record.is_shown() {
                given.push(Given { entry, id: record.id });
            }
            let Some(command) = self.entries.queued.get(&entry).filter(|command| command.is_shown) else {
                continue;
            };
            let takes = delivered.get(&at).copied().unwrap_or(before_reply[at] || at >= trailing_from);
            let id = if command.source == Id::NONE { record.id } else { command.source };
            if !takes || id != record.id && !ids.insert(id) || record.has(Flag::SIDECHAIN | Flag::TEAM) {
                continue;
            }
            given.push(Given { entry, id });
        }
        given
    }

    /// Return the entries of queued commands that come after the leaf.
    fn trailing(&self, whole: &[Node], chain: &Chain, first: usize) -> Vec<u32> {
        let Some(leaf) = chain.nodes.last() else { return Vec::new() };
        let all = &self.entries.all;
        let mut children: HashMap<Id, Vec<u32>> = HashMap::new();
        for (at, entry) in all.iter().enumerate().skip(first) {
            let Some(node) = self.node(entry.id).filter(|_| entry.has(Flag::READ) && !entry.is_message())
            else {
                continue;
            };
            let relinked = self.parent_id(node);
            children.entry(entry.parent).or_default().push(at as u32);
            if relinked != entry.parent {
                children.entry(relinked).or_default().push(at as u32);
            }
        }
        let mut passed: HashSet<Id> = whole.iter().map(|node| self.entry(*node).id).collect();
        // What another branch's messages follow belongs to that branch.
        let mut of_others: HashSet<Id> = HashSet::new();
        let own_parent = |entry: &Entry| self.node(entry.parent);
        for entry in all[first..].iter().filter(|entry| entry.has(Flag::READ)) {
            if !entry.is_message() || entry.has(Flag::SIDECHAIN | Flag::TEAM) || passed.contains(&entry.id) {
                continue;
            }
            let mut next = own_parent(entry);
            while let Some(node) = next {
                let entry = self.entry(node);
                if passed.contains(&entry.id) || !of_others.insert(entry.id) {
                    break;
                }
                next = own_parent(entry);
            }
        }
        let mut found = Vec::new();
        let mut stack: Vec<u32> = vec![self.nodes[*leaf as usize]];
        let mut is_leaf = true;
        while let Some(at) = stack.pop() {
            let id = all[at as usize].id;
            if !std::mem::replace(&mut is_leaf, false) {
                if !passed.insert(id) {
                    continue;
                }
                if all[at as usize].has(Flag::QUEUED) && !of_others.contains(&id) {
                    found.push(at);
                }
            }
            let mut next = children.get(&id).cloned().unwrap_or_default();
            next.sort_by_key(|at| all[*at as usize].time);
            stack.extend(next.into_iter().rev().filter(|at| !passed.contains(&all[*at as usize].id)));
        }
        found
    }

    /// Return the places in a list of what a command of the terminal printed.
    fn outputs(&self, list: &[u32]) -> HashSet<usize> {
        let all = &self.entries.all;
        let mut outputs = HashSet::new();
        // What follows a caveat, up to the next answer or other text: a command's name, then what it printed.
        let (mut before_name, mut after_name) = (false, false);
        for (at, entry) in list.iter().enumerate() {
            let entry = &all[*entry as usize];
            if entry.is(Kind::User) && entry.has(Flag::META) {
                before_name |= entry.begins(Beginning::Caveat);
            } else if entry.is(Kind::User) && entry.begins(Beginning::CommandName) && before_name {
                (before_name, after_name) = (false, true);
                outputs.insert(at);
            } else if entry.is(Kind::User) && entry.begins(Beginning::CommandOutput) && after_name {
                before_name = false;
                outputs.insert(at);
            } else if entry.is_message() {
                (before_name, after_name) = (false, false);
            }
        }
        outputs
    }

    /// Return for each place in a list whether a reply comes next, before a prompt does.
    fn before_replies(&self, list: &[u32], outputs: &HashSet<usize>) -> Vec<bool> {
        let mut replies = vec![false; list.len()];
        let mut reply = false;
        for (at, entry) in list.iter().enumerate().rev() {
            let entry = &self.entries.all[*entry as usize];
            replies[at] = reply;
            let follows = self.node(entry.id).is_some_and(|node| self.parent_id(node) != Id::NONE);
            let is_result = entry.has(Flag::RESULT) && follows;
            if entry.is(Kind::Assistant) || entry.is(Kind::User) && (is_result || entry.has(Flag::NOTE)) {
                reply = true;
            } else if entry.is(Kind::User) && !entry.has(Flag::META | Flag::SUMMARY) && !outputs.contains(&at)
            {
                reply = false;
            }
        }
        replies
    }

    /// Return for the places of queued commands in a list, of which notes say that they were taken in, whether
    /// this copy was.
    fn delivered(&self, list: &[u32], first: usize) -> HashMap<usize, bool> {
        let deliveries = self.deliveries(first);
        let mut places: HashMap<Taken, Vec<usize>> = HashMap::new();
        for (at, entry) in list.iter().enumerate() {
            if let Some(command) = self.entries.queued.get(entry) {
                let taken = if command.delivery != Id::NONE {
                    Taken::Delivery(command.delivery)
                } else {
                    Taken::Command(command.source)
                };
                if deliveries.counts.contains_key(&taken) {
                    places.entry(taken).or_default().push(at);
                }
            }
        }
        let mut delivered = HashMap::new();
        for (taken, places) in places {
            let last = places.len().saturating_sub(deliveries.counts[&taken]);
            for (number, at) in places.into_iter().enumerate() {
                let is = match taken {
                    Taken::Delivery(_) => deliveries.copies.contains(&self.entries.all[list[at] as usize].id),
                    Taken::Command(_) => number >= last,
                };
                delivered.insert(at, is);
            }
        }
        delivered
    }

    fn deliveries(&self, first: usize) -> Deliveries {
        let mut found = Deliveries::default();
        for (_, taken) in self.entries.taken.iter().filter(|(at, _)| first == 0 || *at as usize > first) {
            *found.counts.entry(*taken).or_default() += 1;
        }
        let mut queued: Vec<(&u32, _)> =
            self.entries.queued.iter().filter(|(entry, _)| **entry as usize >= first).collect();
        queued.sort_unstable_by_key(|(entry, _)| **entry);
        let mut copies: HashMap<Id, Vec<Id>> = HashMap::new();
        let mut digests: HashMap<Id, u128> = HashMap::new();
        let mut known = HashSet::new();
        for (entry, command) in queued {
            let entry = &self.entries.all[*entry as usize];
            if !entry.has(Flag::READ) {
                continue;
            }
            if command.delivery != Id::NONE {
                if known.insert(entry.id) {
                    copies.entry(command.delivery).or_default().push(entry.id);
                }
            } else if command.source != Id::NONE
                && *digests.entry(command.source).or_insert(command.digest) != command.digest
            {
                // Two different commands with one uuid: it does not tell which was taken in.
                found.counts.remove(&Taken::Command(command.source));
            }
        }
        for (delivery, copies) in copies {
            let count = found.counts.get(&Taken::Delivery(delivery)).copied().unwrap_or(0);
            found.copies.extend(&copies[copies.len().saturating_sub(count)..]);
        }
        found
    }
}
