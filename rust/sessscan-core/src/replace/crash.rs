//! Simulate a disk in memory, and enumerate every state that a power cut may leave it in.
//!
//! A write stays in the cache until it is synced. A crash keeps each unsynced write, drops it, tears it, or
//! keeps only the length that it gave the file; and it keeps or undoes each unsynced change of a directory,
//! in every combination. After a failed sync the writes before it stay uncertain for good: the next sync
//! reports success without writing them, as Linux does.

use super::fs::{Fs, Kind, Rename, Stamp, Stat};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::SystemTime;

const ROOT: u64 = 1;
/// The most bytes that one write takes, so that a content needs several writes.
const WRITE_LIMIT: usize = 8;

type Names = BTreeMap<OsString, u64>;

/// The content of a file or directory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    File(Vec<u8>),
    Dir(Names),
}

/// All files and directories of the disk, by inode.
pub(super) type Tree = BTreeMap<u64, Node>;

/// A change that a crash may undo until it is synced.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Truncate(usize),
    Add(OsString, u64),
    Move(OsString, OsString),
    Exchange(OsString, OsString),
    Remove(OsString),
}

/// The effect of a crash on one unsynced change.
#[derive(Clone, Copy, Debug)]
enum CrashEffect {
    Dropped,
    Kept,
    Torn,
    /// The file has the length that the write gave it, but the bytes are zero.
    Zeros,
}

impl Change {
    fn effects(&self) -> &'static [CrashEffect] {
        match self {
            Change::Write { .. } => {
                &[CrashEffect::Dropped, CrashEffect::Kept, CrashEffect::Torn, CrashEffect::Zeros]
            }
            _ => &[CrashEffect::Dropped, CrashEffect::Kept],
        }
    }

    /// Apply the change. A change to a name that does not exist, because an earlier change was undone, does
    /// nothing.
    fn apply(&self, node: &mut Node, effect: CrashEffect) {
        match (self, node, effect) {
            (_, _, CrashEffect::Dropped) => {}
            (Change::Write { at, data }, Node::File(content), effect) => {
                let data = if matches!(effect, CrashEffect::Torn) { &data[..data.len() / 2] } else { data };
                let end = at + data.len();
                content.resize(content.len().max(end), 0);
                if !matches!(effect, CrashEffect::Zeros) {
                    content[*at..end].copy_from_slice(data);
                }
            }
            (Change::Truncate(size), Node::File(content), _) => content.resize(*size, 0),
            (Change::Add(name, inode), Node::Dir(names), _) => drop(names.insert(name.clone(), *inode)),
            (Change::Move(from, to), Node::Dir(names), _) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            (Change::Exchange(one, two), Node::Dir(names), _) => {
                if let (Some(&first), Some(&second)) = (names.get(one), names.get(two)) {
                    names.insert(one.clone(), second);
                    names.insert(two.clone(), first);
                }
            }
            (Change::Remove(name), Node::Dir(names), _) => drop(names.remove(name)),
            (change, node, _) => panic!("{change:?} of {node:?}"),
        }
    }
}

/// Whether a crash may undo a change.
#[derive(Clone, Copy, PartialEq)]
enum Durability {
    Durable,
    Pending,
    /// A sync failed: no later sync makes the change durable.
    Uncertain,
}

#[derive(Clone, Debug)]
enum Event {
    Made(u64, Node),
    Changed(u64, Change),
    Synced(u64),
    SyncFailed(u64),
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    /// The call with this number, counted from 0.
    Once(usize),
    /// The call with this number and all after it: the process is killed.
    From(usize),
}

struct State {
    durable: Tree,
    tree: Tree,
    events: Vec<Event>,
    calls: usize,
}

/// A change that another program makes just before the call with this number.
pub(super) type Interference = (usize, fn(&Disk));

/// A simulated disk.
pub(super) struct Disk {
    state: RefCell<State>,
    pub(super) fault: Fault,
    pub(super) exchange: bool,
    pub(super) link: bool,
    pub(super) share: bool,
    pub(super) meanwhile: Option<Interference>,
}

impl Disk {
    /// Make a disk on which this tree is durable.
    pub(super) fn new(tree: Tree) -> Disk {
        let state = State { durable: tree.clone(), tree, events: Vec::new(), calls: 0 };
        Disk {
            state: state.into(),
            fault: Fault::None,
            exchange: true,
            link: true,
            share: true,
            meanwhile: None,
        }
    }

    /// Make an empty disk.
    pub(super) fn empty() -> Disk {
        Disk::new(Tree::from([(ROOT, Node::Dir(Names::new()))]))
    }

    pub(super) fn calls(&self) -> usize {
        self.state.borrow().calls
    }

    /// Return the number of events so far. A crash may come after each.
    pub(super) fn events(&self) -> usize {
        self.state.borrow().events.len()
    }

    /// Make all changes durable.
    pub(super) fn make_durable(&self) {
        let state = &mut *self.state.borrow_mut();
        state.durable = state.tree.clone();
        state.events.clear();
    }

    /// Create a file with this content, or a directory if there is none, without syncing it; return its
    /// inode.
    pub(super) fn make(&self, path: &Path, content: Option<&[u8]>) -> u64 {
        let dir = self.find(path.parent().unwrap()).unwrap();
        let node = match content {
            Some(_) => Node::File(Vec::new()),
            None => Node::Dir(Names::new()),
        };
        let inode = self.state.borrow_mut().add(node);
        self.state.borrow_mut().change(dir, Change::Add(path.file_name().unwrap().to_owned(), inode));
        if let Some(content) = content {
            self.state.borrow_mut().change(inode, Change::Write { at: 0, data: content.to_vec() });
        }
        inode
    }

    /// Rename a file over another one.
    pub(super) fn rename_over(&self, from: &Path, to: &Path) {
        let dir = self.find(from.parent().unwrap()).unwrap();
        let [from, to] = [from, to].map(|path| path.file_name().unwrap().to_owned());
        self.state.borrow_mut().change(dir, Change::Move(from, to));
    }

    /// Return how many times files were exchanged.
    pub(super) fn exchanges(&self) -> usize {
        let exchange = |event: &&Event| matches!(event, Event::Changed(_, Change::Exchange(..)));
        self.state.borrow().events.iter().filter(exchange).count()
    }

    pub(super) fn size(&self, file: u64) -> usize {
        self.state.borrow().content(file).len()
    }

    pub(super) fn find(&self, path: &Path) -> Option<u64> {
        find(&self.state.borrow().tree, path)
    }

    /// Call `each` with every state that a crash after the first `events` events can leave; return their
    /// number.
    pub(super) fn crashes(&self, events: usize, mut each: impl FnMut(&Tree)) -> usize {
        let state = self.state.borrow();
        let mut tree = state.durable.clone();
        let mut changes: Vec<(u64, &Change, Durability)> = Vec::new();
        for event in &state.events[..events] {
            let mark = |changes: &mut Vec<(u64, &Change, Durability)>, synced: &u64, durability| {
                let pending =
                    |it: &&mut (u64, &Change, Durability)| it.0 == *synced && it.2 == Durability::Pending;
                changes.iter_mut().filter(pending).for_each(|it| it.2 = durability);
            };
            match event {
                Event::Made(inode, node) => drop(tree.insert(*inode, node.clone())),
                Event::Changed(inode, change) => changes.push((*inode, change, Durability::Pending)),
                Event::Synced(synced) => mark(&mut changes, synced, Durability::Durable),
                Event::SyncFailed(synced) => mark(&mut changes, synced, Durability::Uncertain),
            }
        }
        let effects = |change: &Change, durability| {
            if durability == Durability::Durable { &[CrashEffect::Kept][..] } else { change.effects() }
        };
        let total: usize =
            changes.iter().map(|(_, change, durability)| effects(change, *durability).len()).product();
        assert!(total <= 1 << 16, "{total} states of one crash");
        for mut number in 0..total {
            let mut tree = tree.clone();
            for (inode, change, durability) in &changes {
                let effects = effects(change, *durability);
                change.apply(tree.get_mut(inode).unwrap(), effects[number % effects.len()]);
                number /= effects.len();
            }
            each(&tree);
        }
        total
    }

    fn call<T>(&self, call: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let number = self.calls();
        self.state.borrow_mut().calls += 1;
        if let Some((at, change)) = self.meanwhile
            && at == number
        {
            change(self);
        }
        match self.fault {
            Fault::Once(at) if number == at => Err(rustix::io::Errno::IO.into()),
            Fault::From(at) if number >= at => Err(rustix::io::Errno::IO.into()),
            _ => call(&mut self.state.borrow_mut()),
        }
    }

    fn sync(&self, inode: u64) -> io::Result<()> {
        let synced = self.call(|_| Ok(()));
        let state = &mut *self.state.borrow_mut();
        match (&synced, self.fault, &state.tree[&inode]) {
            (Ok(()), ..) => state.events.push(Event::Synced(inode)),
            (Err(_), Fault::Once(_), Node::File(_)) => state.events.push(Event::SyncFailed(inode)),
            // A killed process syncs nothing. After a failed sync of a directory, file systems become
            // read-only rather than lose names.
            _ => {}
        }
        synced
    }
}

pub(super) fn find(tree: &Tree, path: &Path) -> Option<u64> {
    path.iter().skip(1).try_fold(ROOT, |inode, name| match &tree[&inode] {
        Node::Dir(names) => names.get(name).copied(),
        Node::File(_) => None,
    })
}

impl State {
    fn add(&mut self, node: Node) -> u64 {
        let inode = self.tree.keys().next_back().unwrap() + 1;
        self.events.push(Event::Made(inode, node.clone()));
        self.tree.insert(inode, node);
        inode
    }

    fn change(&mut self, inode: u64, change: Change) {
        change.apply(self.tree.get_mut(&inode).unwrap(), CrashEffect::Kept);
        self.events.push(Event::Changed(inode, change));
    }

    fn names(&self, dir: u64) -> &Names {
        let Node::Dir(names) = &self.tree[&dir] else { panic!("{dir} is no directory") };
        names
    }

    fn content(&self, file: u64) -> &[u8] {
        let Node::File(content) = &self.tree[&file] else { panic!("{file} is no file") };
        content
    }

    fn lookup(&self, dir: u64, name: &OsStr) -> io::Result<u64> {
        self.names(dir).get(name).copied().ok_or(io::ErrorKind::NotFound.into())
    }

    fn absent(&self, dir: u64, name: &OsStr) -> io::Result<()> {
        if self.names(dir).contains_key(name) { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    fn stat(&self, inode: u64) -> Stat {
        let (kind, size) = match &self.tree[&inode] {
            Node::File(content) => (Kind::File, content.len() as u64),
            Node::Dir(_) => (Kind::Directory, 0),
        };
        let all = self.tree.values().filter_map(|node| match node {
            Node::Dir(names) => Some(names.values().filter(|&&named| named == inode).count() as u64),
            Node::File(_) => None,
        });
        // These tests do not depend on times.
        let stamp = Stamp { device: 1, inode, size, modified: 0 };
        Stat { kind, stamp, changed: 0, links: all.sum() }
    }
}

/// An open file and the position of the next read or write.
pub(super) struct Handle {
    inode: u64,
    at: usize,
}

impl Fs for Disk {
    type Dir = u64;
    type File = Handle;

    fn open_dir(&self, path: &Path) -> io::Result<u64> {
        self.call(|state| match find(&state.tree, path) {
            Some(inode) if matches!(state.tree[&inode], Node::Dir(_)) => Ok(inode),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    }
    fn open(&self, dir: &u64, name: &OsStr) -> io::Result<Handle> {
        self.call(|state| Ok(Handle { inode: state.lookup(*dir, name)?, at: 0 }))
    }
    fn create(&self, dir: &u64, name: &OsStr) -> io::Result<Handle> {
        self.call(|state| {
            state.absent(*dir, name)?;
            let inode = state.add(Node::File(Vec::new()));
            state.change(*dir, Change::Add(name.to_owned(), inode));
            Ok(Handle { inode, at: 0 })
        })
    }
    fn open_append(&self, dir: &u64, name: &OsStr) -> io::Result<Handle> {
        self.call(|state| {
            let inode = state.lookup(*dir, name)?;
            Ok(Handle { inode, at: state.content(inode).len() })
        })
    }
    fn read(&self, file: &mut Handle, buffer: &mut [u8]) -> io::Result<usize> {
        self.call(|state| {
            let rest = state.content(file.inode).get(file.at..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            file.at += length;
            Ok(length)
        })
    }
    fn seek(&self, file: &mut Handle, offset: u64) -> io::Result<()> {
        self.call(|_| {
            file.at = offset as usize;
            Ok(())
        })
    }
    fn share(&self, from: &Handle, to: &Handle) -> io::Result<()> {
        if !self.share {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.call(|state| {
            let data = state.content(from.inode).to_vec();
            state.change(to.inode, Change::Write { at: 0, data });
            Ok(())
        })
    }
    fn write(&self, file: &mut Handle, data: &[u8]) -> io::Result<usize> {
        self.call(|state| {
            let data = &data[..data.len().min(WRITE_LIMIT)];
            state.change(file.inode, Change::Write { at: file.at, data: data.to_vec() });
            file.at += data.len();
            Ok(data.len())
        })
    }
    fn truncate(&self, file: &Handle, size: u64) -> io::Result<()> {
        self.call(|state| {
            state.change(file.inode, Change::Truncate(size as usize));
            Ok(())
        })
    }
    fn stat(&self, file: &Handle) -> io::Result<Stat> {
        self.call(|state| Ok(state.stat(file.inode)))
    }
    fn stat_at(&self, dir: &u64, name: &OsStr) -> io::Result<Stat> {
        self.call(|state| Ok(state.stat(state.lookup(*dir, name)?)))
    }
    fn copy_attributes(&self, _: &Handle, _: &Handle) {}
    fn set_modified(&self, _: &Handle, _: SystemTime) {}
    fn sync(&self, file: &Handle) -> io::Result<()> {
        self.sync(file.inode)
    }
    fn sync_dir(&self, dir: &u64) -> io::Result<()> {
        self.sync(*dir)
    }
    fn link(&self, dir: &u64, from: &OsStr, to: &OsStr) -> io::Result<()> {
        if !self.link {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.call(|state| {
            let inode = state.lookup(*dir, from)?;
            state.absent(*dir, to)?;
            state.change(*dir, Change::Add(to.to_owned(), inode));
            Ok(())
        })
    }
    fn rename(&self, dir: &u64, from: &OsStr, to: &OsStr, mode: Rename) -> io::Result<()> {
        if mode != Rename::Over && !self.exchange {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.call(|state| {
            state.lookup(*dir, from)?;
            let (from, to) = (from.to_owned(), to.to_owned());
            let change = match mode {
                Rename::Over => Change::Move(from, to),
                Rename::New => {
                    state.absent(*dir, &to)?;
                    Change::Move(from, to)
                }
                Rename::Exchange => {
                    state.lookup(*dir, &to)?;
                    Change::Exchange(from, to)
                }
            };
            state.change(*dir, change);
            Ok(())
        })
    }
    fn unlink(&self, dir: &u64, name: &OsStr) -> io::Result<()> {
        self.call(|state| {
            state.lookup(*dir, name)?;
            state.change(*dir, Change::Remove(name.to_owned()));
            Ok(())
        })
    }
    fn list(&self, dir: &u64) -> io::Result<Vec<OsString>> {
        self.call(|state| Ok(state.names(*dir).keys().cloned().collect()))
    }
}
