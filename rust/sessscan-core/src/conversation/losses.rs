//! Tell what the reader does not reach, and why.

use super::entries::{Entries, Entry, Flag};
use super::graph::{Bits, Chain, Graph, Node};
use super::ids::Id;
use super::queued::Given;
use std::collections::HashMap;

/// Why the reader does not give a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It went back to an earlier record, from which the conversation goes on.
    Rewound,
    /// It belongs to another branch, or to a conversation of its own.
    Forked,
    /// A compaction replaced it.
    Compacted,
    /// It was said by another agent.
    Sidechain,
    /// A record between it and the conversation is destroyed, or its own line is.
    Damaged,
}

impl Reason {
    /// Return its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Rewound => "rewound",
            Reason::Forked => "forked",
            Reason::Compacted => "compacted",
            Reason::Sidechain => "sidechain",
            Reason::Damaged => "damaged",
        }
    }
}

/// A record whose parent the reader does not see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) entry: u32,
    pub(crate) parent: Id,
    /// The way from the leaf ends here.
    pub(crate) is_reached: bool,
    /// The parent is in the file, but on a line that the reader does not take.
    pub(crate) parent_survives: bool,
    /// How many messages would come back if this record followed the last one before it.
    pub(crate) before: u64,
}

/// What the reader does not reach.
#[derive(Default)]
pub(crate) struct Losses {
    pub(crate) cuts: Vec<Cut>,
    /// The messages that are not given, in the order of the file.
    pub(crate) unreached: Vec<(u32, Reason)>,
}

fn is_aside(entry: &Entry) -> bool {
    entry.has(Flag::SIDECHAIN | Flag::TEAM)
}

impl Losses {
    pub(crate) fn find(reader: &Graph, chain: &Chain, given: &[Given], first: usize) -> Losses {
        let entries = reader.entries;
        let mut is_given = Bits::new(entries.all.len());
        given.iter().for_each(|given| {
            is_given.add(given.entry);
        });
        // A record that was written twice is given once.
        let is_last = |at: usize| {
            let node = reader.node(entries.all[at].id);
            node.is_none_or(|node| reader.nodes[node as usize] == at as u32)
        };
        let left_out: Vec<u32> = (0..entries.all.len())
            .filter(|at| {
                let entry = &entries.all[*at];
                entry.is_message()
                    && (entry.is_shown() || is_aside(entry))
                    && !is_given.has(*at as u32)
                    && is_last(*at)
            })
            .map(|at| at as u32)
            .collect();
        if left_out.is_empty() {
            return Losses::default();
        }
        let mut whole = Graph::new(entries, first, |_| true);
        let mut cuts = cuts(reader, &whole, chain, first);
        let mut links: HashMap<Node, usize> = HashMap::new();
        link(&mut whole, &cuts, &mut links);
        let Some(leaf) = whole.leaf() else { return Losses { cuts, unreached: Vec::new() } };
        let mut undamaged = whole.chain(leaf);
        // From the leaf back: what comes after a cut was reached without its link.
        let mut cut = None;
        let mut cut_of: HashMap<u32, usize> = HashMap::new();
        for node in undamaged.nodes.iter().rev() {
            if let Some(cut) = cut {
                cut_of.insert(whole.nodes[*node as usize], cut);
            }
            cut = links.get(node).copied().or(cut);
        }
        let restored = whole.with_siblings(&mut undamaged);
        let restored = whole.given(restored, &undamaged, first);
        let mut comes_back = Bits::new(entries.all.len());
        for given in &restored {
            if comes_back.add(given.entry)
                && !is_given.has(given.entry)
                && let Some(cut) = cut_of.get(&given.entry)
            {
                cuts[*cut].before += 1;
            }
        }
        let mut reasons = Reasons::new(&whole, &undamaged);
        let unreached = left_out
            .into_iter()
            .filter_map(|at| {
                let entry = &entries.all[at as usize];
                let reason = if comes_back.has(at) {
                    Reason::Damaged
                } else if is_aside(entry) {
                    Reason::Sidechain
                } else if (at as usize) < first {
                    Reason::Compacted
                } else {
                    reasons.of(whole.node(entry.id)?)
                };
                Some((at, reason))
            })
            .collect();
        Losses { cuts, unreached }
    }
}

/// Return the records, but side chains', whose parents the reader does not see.
fn cuts(reader: &Graph, whole: &Graph, chain: &Chain, first: usize) -> Vec<Cut> {
    let entries = reader.entries;
    let mut skipped = Bits::new(entries.ids.len());
    entries.all[..first].iter().for_each(|entry| {
        skipped.add(entry.id.0);
    });
    let mut cuts = Vec::new();
    for node in whole.all() {
        let entry = whole.entry(node);
        let number = whole.nodes[node as usize];
        let in_reader = reader.node(entry.id).filter(|node| reader.nodes[*node as usize] == number);
        let parent = whole.parent_id(node);
        let parent_survives = whole.node(parent).is_some();
        let is_seen = parent_survives && (in_reader.is_none() || reader.node(parent).is_some());
        let is_skipped = parent.0 < Id::NO_TEXT.0 && skipped.has(parent.0);
        if parent.0 >= Id::NO_TEXT.0 || is_seen || is_skipped || is_aside(entry) {
            continue;
        }
        let is_reached = in_reader.is_some_and(|node| chain.seen.has(node));
        cuts.push(Cut { entry: number, parent, is_reached, parent_survives, before: 0 });
    }
    cuts.sort_unstable_by_key(|cut| cut.entry);
    cuts
}

/// Let each record whose parent is gone follow the last one before it in the file.
fn link(whole: &mut Graph, cuts: &[Cut], links: &mut HashMap<Node, usize>) {
    let entries = whole.entries;
    let mut from = 0;
    let mut last = None;
    for (number, cut) in cuts.iter().enumerate() {
        for at in from..cut.entry {
            let entry = &entries.all[at as usize];
            if !is_aside(entry) && whole.node(entry.id).is_some_and(|node| whole.nodes[node as usize] == at) {
                last = Some(entry.id);
            }
        }
        from = cut.entry;
        let Some(node) = whole.node(entries.all[cut.entry as usize].id) else { continue };
        links.insert(node, number);
        if let Some(last) = last.filter(|_| !cut.parent_survives) {
            whole.relink(node, last);
        }
    }
}

/// Why records are not on a chain.
struct Reasons<'a> {
    graph: &'a Graph<'a>,
    chain: &'a Chain,
    /// The place on the chain of each of its nodes.
    places: HashMap<Node, usize>,
    known: HashMap<Node, Reason>,
}

impl<'a> Reasons<'a> {
    fn new(graph: &'a Graph<'a>, chain: &'a Chain) -> Reasons<'a> {
        let places = chain.nodes.iter().enumerate().map(|(at, node)| (*node, at)).collect();
        Reasons { graph, chain, places, known: HashMap::new() }
    }

    fn of(&mut self, node: Node) -> Reason {
        let mut path = vec![node];
        let reason = loop {
            let branch = path[path.len() - 1];
            if let Some(reason) = self.known.get(&branch) {
                break *reason;
            }
            // What comes back to this path begins anew.
            self.known.insert(branch, Reason::Forked);
            match self.graph.parent(branch) {
                None => break self.of_beginning(branch),
                Some(parent) => match self.places.get(&parent) {
                    Some(place) => break self.of_branch(branch, *place),
                    None => path.push(parent),
                },
            }
        };
        path.into_iter().for_each(|node| {
            self.known.insert(node, reason);
        });
        reason
    }

    fn position(&self, node: Node) -> u32 {
        self.graph.nodes[node as usize]
    }

    /// Return why a branch that leaves the chain at a place is not on it.
    fn of_branch(&self, branch: Node, place: usize) -> Reason {
        let next = self.chain.nodes.get(place + 1);
        let goes_on_later = next.is_some_and(|next| self.position(*next) > self.position(branch));
        if goes_on_later { Reason::Rewound } else { Reason::Forked }
    }

    /// Return why what follows a record that follows nothing is not on the chain.
    fn of_beginning(&self, beginning: Node) -> Reason {
        let is_compacted = self.chain.nodes.first().is_some_and(|first| {
            self.position(*first) > self.position(beginning)
                && self.graph.entry(*first).has(Flag::BOUNDARY | Flag::SUMMARY)
        });
        if is_compacted { Reason::Compacted } else { Reason::Forked }
    }
}

/// Calls without a result, and results without a call, among the messages that are given.
///
/// The calls of the last answer may still be running.
pub(crate) fn unpaired(entries: &Entries, given: &[Given]) -> Vec<(u32, Id)> {
    let answer = given.iter().rposition(|given| !entries.all[given.entry as usize].has(Flag::CALL));
    let running = answer.map_or(0, |at| at + 1);
    let mut calls: HashMap<Id, u32> = HashMap::new();
    let mut unpaired = Vec::new();
    let mut answered: std::collections::HashSet<Id> = std::collections::HashSet::new();
    for (at, given) in given.iter().enumerate() {
        if entries.all[given.entry as usize].has(Flag::CALL) {
            for id in Entries::ids_of(&entries.calls, given.entry as usize) {
                if at < running {
                    calls.insert(id, given.entry);
                } else {
                    answered.insert(id);
                }
            }
        }
    }
    for given in given {
        for id in Entries::ids_of(&entries.results, given.entry as usize) {
            if calls.remove(&id).is_some() {
                answered.insert(id);
            } else if !answered.contains(&id) {
                unpaired.push((given.entry, id));
            }
        }
    }
    unpaired.extend(calls.into_iter().map(|(id, entry)| (entry, id)));
    unpaired.sort_unstable();
    unpaired
}
