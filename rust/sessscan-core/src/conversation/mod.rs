//! Find the conversation that a transcript holds, as the official readers give it, and what they do not reach.
//!
//! One pass collects the records (`entries`), of lines that were proved right (`walk`) or read byte by byte
//! (`extract`). What follows what is then worked out in memory (`graph`, `siblings`, `queued`), and compared
//! with what would be reached if nothing were damaged (`losses`).

mod entries;
mod extract;
mod extras;
pub(crate) mod facts;
mod graph;
mod ids;
mod images;
mod losses;
mod queued;
mod refused;
mod said;
mod siblings;
mod survey;
mod survivors;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

use crate::cancel::CancelToken;
use crate::scan::scan_into;
use crate::scanner::Scanner;
use crate::source::Source;
use crate::structure::Isa;
use crate::transcript::Defect;
use entries::{Entries, Flag};
use graph::Graph;
use ids::Id;
pub use images::size_of as image_size;
use losses::Losses;
pub use losses::Reason;
use queued::Given;
use said::Kind;
use std::io;
use std::path::Path;
pub use survey::{Checked, check_many};
pub use survivors::{ChainRecord, Survivors, survivors, survivors_in};

/// A conversation, and what of its transcript it does not reach.
pub struct Conversation {
    entries: Entries,
    given: Vec<Given>,
    leaf: Option<u32>,
    losses: Losses,
    unpaired: Vec<(u32, Id)>,
    /// The records given whose images are too large among as many as there are.
    crowded: Vec<u32>,
    size: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its uuid. A queued command bears its own, not its record's.
    pub uuid: String,
    /// The uuid of the record that it follows.
    pub parent: Option<String>,
    /// `user` or `assistant`.
    pub kind: &'static str,
    /// The line of its record, from 1.
    pub line: u64,
    /// Where its record begins in the file, and how many bytes it has.
    pub offset: u64,
    /// How many bytes its record has.
    pub length: u64,
    /// When it was said, in epoch milliseconds.
    pub timestamp: Option<i64>,
    /// It is a command that was queued while the model worked.
    pub is_queued: bool,
}

/// A record whose parent the reader does not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutAt {
    /// The record.
    pub record: Message,
    /// The uuid that it follows.
    pub parent: String,
    /// The way from the leaf ends here.
    pub is_reached: bool,
    /// The parent is in the file, but on a line that the reader does not take.
    pub parent_survives: bool,
    /// How many messages before it would come back if it followed the last record before it.
    pub before: u64,
}

impl Conversation {
    fn find(mut entries: Entries, size: u64, token: &CancelToken) -> io::Result<Conversation> {
        let first = entries.first(size);
        let reader = Graph::new(&entries, first, |entry| entry.has(Flag::READ));
        token.check(0)?;
        let leaf = reader.leaf();
        token.check(0)?;
        let mut chain = leaf.map_or_else(|| reader.no_chain(), |leaf| reader.chain(leaf));
        let whole = reader.with_siblings(&mut chain);
        token.check(0)?;
        let given = reader.given(whole, &chain, first);
        token.check(0)?;
        let losses = Losses::find(&reader, &chain, &given, first);
        let unpaired = losses::unpaired(&entries, &given);
        let crowded = entries.crowded(given.iter().map(|given| given.entry));
        let leaf = leaf.map(|leaf| reader.nodes[leaf as usize]);
        drop(reader);
        entries.forget_details();
        Ok(Conversation { entries, given, leaf, losses, unpaired, crowded, size })
    }

    /// Return how many messages the reader gives.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Return whether the reader gives no message.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Return one of the messages that the reader gives.
    pub fn message(&self, at: usize) -> Message {
        let Given { entry, id } = self.given[at];
        self.message_of(entry, id)
    }

    /// Return the uuid of the record with which it ends.
    pub fn leaf(&self) -> Option<String> {
        self.entries.ids.text(self.entries.all[self.leaf? as usize].id)
    }

    /// Return how many records of conversations are in the file.
    pub fn records(&self) -> usize {
        self.entries.all.len()
    }

    /// Return how many of them are on lines that the reader does not take.
    pub fn unread(&self) -> usize {
        self.entries.all.iter().filter(|entry| !entry.has(Flag::READ)).count()
    }

    /// Return the records whose parents the reader does not see.
    pub fn cuts(&self) -> Vec<CutAt> {
        let cuts = self.losses.cuts.iter().map(|cut| CutAt {
            record: self.message_of(cut.entry, self.entries.all[cut.entry as usize].id),
            parent: self.entries.ids.text(cut.parent).unwrap_or_default(),
            is_reached: cut.is_reached,
            parent_survives: cut.parent_survives,
            before: cut.before,
        });
        cuts.collect()
    }

    /// Return how many messages the reader does not give.
    pub fn unreached_len(&self) -> usize {
        self.losses.unreached.len()
    }

    /// Return one of the messages that the reader does not give, and why.
    pub fn unreached(&self, at: usize) -> (Message, Reason) {
        let (entry, reason) = self.losses.unreached[at];
        (self.message_of(entry, self.entries.all[entry as usize].id), reason)
    }

    /// Return how many messages the reader does not give for one reason.
    pub fn count(&self, reason: Reason) -> usize {
        self.losses.unreached.iter().filter(|(_, one)| *one == reason).count()
    }

    /// Return the messages with a call whose result is not given, or a result whose call is not.
    pub fn unpaired(&self) -> Vec<Message> {
        let mut entries: Vec<u32> = self.unpaired.iter().map(|(entry, _)| *entry).collect();
        entries.dedup();
        entries.iter().map(|entry| self.message_of(*entry, self.entries.all[*entry as usize].id)).collect()
    }

    /// Return the messages that are given and have something that the API refuses.
    pub fn refused(&self) -> Vec<Message> {
        let all = &self.entries.all;
        let refused = self.given.iter().filter(|given| {
            all[given.entry as usize].has(Flag::REFUSED) || self.crowded.contains(&given.entry)
        });
        refused.map(|given| self.message_of(given.entry, given.id)).collect()
    }

    /// Return what is wrong with the file's bytes, and how often.
    pub fn defects(&self) -> (&[Defect], u64) {
        (&self.entries.defects, self.entries.defect_count)
    }

    /// Return how many bytes were read.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn message_of(&self, entry: u32, id: Id) -> Message {
        let at = entry as usize;
        let entry = &self.entries.all[at];
        Message {
            uuid: self.entries.ids.text(id).unwrap_or_default(),
            parent: self.entries.ids.text(entry.parent),
            kind: entry.kind_name(),
            line: entry.line(),
            offset: entry.offset,
            length: self.entries.length(at),
            timestamp: entry.millis(),
            is_queued: entry.is(Kind::Attachment),
        }
    }
}

/// How often a file that is written to is read until two readings agree.
const ATTEMPTS: usize = 6;

/// Read the conversation of a file. An error of kind `Interrupted` means that `token` was cancelled.
pub fn conversation(path: &Path, token: &CancelToken) -> io::Result<Conversation> {
    conversation_with(path, &mut Scanner::proving(Isa::chosen()), token)
}

fn conversation_with(path: &Path, scanner: &mut Scanner, token: &CancelToken) -> io::Result<Conversation> {
    let without_reports = token.without_reports();
    let mut before: Option<(u64, u64)> = None;
    for attempt in 0..ATTEMPTS {
        // Bytes are reported once, however often they are read.
        let token = if attempt == 0 { token } else { &without_reports };
        let mut source = Source::open(path)?;
        before = before.filter(|(size, _)| *size <= source.size());
        if let Some((size, _)) = before {
            source.rewind(size);
        }
        let mut entries = Entries::new();
        let end = scan_into(&mut source, scanner, &mut entries, token)?;
        if source.shrank() {
            before = None;
            continue;
        }
        if before.is_none() && !source.changed() {
            return Conversation::find(entries, end.offset, token);
        }
        // A file that was written to meanwhile most likely grew. What comes out twice is taken.
        let print = (end.offset, entries.fingerprint());
        if before == Some(print) {
            return Conversation::find(entries, end.offset, token);
        }
        before = if before.is_none() { Some(print) } else { None };
    }
    Err(io::Error::other("the file changed each time it was read"))
}

/// Read the conversation in bytes. An error of kind `Interrupted` means that `token` was cancelled.
pub fn conversation_in(data: &[u8], token: &CancelToken) -> io::Result<Conversation> {
    let mut entries = Entries::new();
    scan_into(&mut Source::Memory(data), &mut Scanner::proving(Isa::chosen()), &mut entries, token)?;
    Conversation::find(entries, data.len() as u64, token)
}
