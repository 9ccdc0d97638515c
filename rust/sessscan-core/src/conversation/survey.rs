//! Tell whether many conversations are whole: in numbers only, in little memory.

use super::{Conversation, Message, Reason, conversation_with};
use crate::cancel::CancelToken;
use crate::scanner::Scanner;
use crate::structure::Isa;
use crate::threads;
use std::cmp::Reverse;
use std::io;
use std::path::Path;

/// What was found of one conversation. A place is a line, and the offset and length of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many messages the readers give.
    pub reached: u64,
    /// How many more they would give if nothing were damaged.
    pub damaged: u64,
    /// How many records are on lines that the readers do not take.
    pub unread: u64,
    /// How many messages have a call without its result, or a result without its call.
    pub unpaired: u64,
    /// How many messages have something that the API refuses.
    pub refused: u64,
    /// How many places of the file are damaged.
    pub defects: u64,
    /// The last record whose parent is not found, where messages are cut off.
    pub cut: Option<(u64, u64, u64)>,
    /// The first message of those that are unpaired.
    pub first_unpaired: Option<(u64, u64, u64)>,
    /// The first message of those that are refused.
    pub first_refused: Option<(u64, u64, u64)>,
}

impl Checked {
    fn of(conversation: &Conversation) -> Checked {
        let place = |message: &Message| (message.line, message.offset, message.length);
        let damaged = conversation.count(Reason::Damaged) as u64;
        let cuts = if damaged > 0 { conversation.cuts() } else { Vec::new() };
        let (unpaired, refused) = (conversation.unpaired(), conversation.refused());
        Checked {
            reached: conversation.len() as u64,
            damaged,
            unread: conversation.unread() as u64,
            unpaired: unpaired.len() as u64,
            refused: refused.len() as u64,
            defects: conversation.defects().1,
            cut: cuts.iter().rev().find(|cut| cut.before > 0).map(|cut| place(&cut.record)),
            first_unpaired: unpaired.first().map(place),
            first_refused: refused.first().map(place),
        }
    }
}

/// Check the conversations of files on `threads` threads, the calling one included. The results are in the order
/// of `paths`.
///
/// Once `token` is cancelled, results are missing.
pub fn check_many<P: AsRef<Path> + Sync>(
    paths: &[P],
    threads: usize,
    token: &CancelToken,
) -> Vec<io::Result<Checked>> {
    let mut order: Vec<usize> = (0..paths.len()).collect();
    if threads > 1 {
        // The largest first, so that no thread is left alone with a big one at the end.
        let size = |at: &usize| paths[*at].as_ref().metadata().map_or(0, |metadata| metadata.len());
        order.sort_by_cached_key(|at| Reverse(size(at)));
    }
    let check = |at: &usize, scanner: &mut Scanner, token: &CancelToken| {
        conversation_with(paths[*at].as_ref(), scanner, token).map(|found| Checked::of(&found))
    };
    let scanner = || Scanner::proving(Isa::chosen());
    let mut done = threads::run(&order, threads, scanner, check, token);
    done.sort_unstable_by_key(|(at, _)| **at);
    done.into_iter().map(|(_, result)| result).collect()
}
