//! Go into a value of a record, and find in it what is at the paths that are wanted.
//!
//! Only containers on the way are looked into; what lies beside it is passed over, in a plain line by blocks of
//! 64 bytes. Of a key given twice the last one counts. A container that turns out not to be JSON has no members
//! and elements.

use super::plan::{Node, Span};
use crate::record::RecordBytes;
use crate::text;
use crate::value::long::LongValues;
use crate::value::plain::{BlockValues, PlainRegion, PlainValues};
use crate::value::{Values, skip_space, value};
use std::ops::Range;

/// Find the values at the paths under `node` in the value at `range`.
pub(crate) fn walk(bytes: RecordBytes, range: Range<usize>, node: &Node, spans: &mut [Span]) {
    match bytes.plain {
        Some(plain) if plain.values(range.end).is_some() => walk_plain(plain, range, node, spans),
        _ => walk_in(&LongValues::new(bytes.line, range.end), range.start, node, spans),
    }
}

/// Walk with the instruction set of the reader that proved the line.
fn walk_plain(plain: PlainRegion, range: Range<usize>, node: &Node, spans: &mut [Span]) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::structure::{Avx2, Avx512, Isa};

        #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        fn avx512(values: PlainValues, start: usize, node: &Node, spans: &mut [Span]) {
            walk_in(&BlockValues::<Avx512>::new(values), start, node, spans);
        }

        #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        fn avx2(values: PlainValues, start: usize, node: &Node, spans: &mut [Span]) {
            walk_in(&BlockValues::<Avx2>::new(values), start, node, spans);
        }

        let Some(values) = plain.values(range.end) else { return };
        match plain.isa() {
            // SAFETY: `Isa::available` found these instructions in this processor.
            Isa::Avx512 => return unsafe { avx512(values, range.start, node, spans) },
            // SAFETY: `Isa::available` found these instructions in this processor.
            Isa::Avx2 => return unsafe { avx2(values, range.start, node, spans) },
            _ => {}
        }
    }
    let Some(values) = plain.values(range.end) else { return };
    #[cfg(target_arch = "aarch64")]
    if plain.isa() == crate::structure::Isa::Neon {
        return walk_in(&BlockValues::<crate::structure::Neon>::new(values), range.start, node, spans);
    }
    walk_in(&BlockValues::<crate::structure::Scalar>::new(values), range.start, node, spans);
}

/// A container that is looked into.
struct Open<'n> {
    node: &'n Node,
    start: usize,
    /// The number of the next element of an array; None: it is an object.
    element: Option<u64>,
}

/// How a container goes on.
enum Next<'n> {
    /// With a value, and what is wanted of it.
    Value(usize, Option<&'n Node>),
    /// It ends before this position.
    End(usize),
}

#[inline(always)]
fn walk_in<V: Values>(values: &V, start: usize, node: &Node, spans: &mut [Span]) {
    let Some(mut current) = open(values, start, node) else { return };
    let mut around: Vec<Open> = Vec::new();
    let mut at = skip_space(values, start + 1);
    let mut begins = true;
    loop {
        // Where the current container goes on; None: it is no JSON.
        let mut after = match next(values, &mut current, at, begins) {
            Some(Next::Value(value_at, wanted)) => {
                if let Some(wanted) = wanted {
                    forget(wanted, spans);
                    if !wanted.children.is_empty()
                        && let Some(inner) = open(values, value_at, wanted)
                    {
                        around.push(std::mem::replace(&mut current, inner));
                        (at, begins) = (skip_space(values, value_at + 1), true);
                        continue;
                    }
                }
                let value = value(values, value_at);
                if let (Some(place), Some(value)) = (wanted.and_then(|wanted| wanted.place), &value) {
                    spans[place] = Some(value.clone());
                }
                value.map(|value| value.end)
            }
            Some(Next::End(end)) => {
                if let Some(place) = current.node.place {
                    spans[place] = Some(current.start..end);
                }
                let Some(outer) = around.pop() else { return };
                current = outer;
                Some(end)
            }
            None => None,
        };
        loop {
            let closes = if current.element.is_some() { b']' } else { b'}' };
            let behind = after.map(|after| skip_space(values, after));
            match behind.and_then(|behind| Some((behind, values.byte(behind)?))) {
                Some((behind, b',')) => {
                    (at, begins) = (skip_space(values, behind + 1), false);
                    break;
                }
                Some((behind, byte)) if byte == closes => {
                    (at, begins) = (behind, true);
                    break;
                }
                _ => {}
            }
            // The container is no JSON: nothing is in it, and what is around it goes on behind it.
            current.node.below.iter().for_each(|place| spans[*place] = None);
            after = values.end(current.start);
            if let (Some(place), Some(end)) = (current.node.place, after) {
                spans[place] = Some(current.start..end);
            }
            let Some(outer) = around.pop() else { return };
            current = outer;
        }
    }
}

/// Return the container that begins at a position; None if none does.
#[inline(always)]
fn open<'n, V: Values>(values: &V, start: usize, node: &'n Node) -> Option<Open<'n>> {
    let element = match values.byte(start)? {
        b'{' => None,
        b'[' => Some(0),
        _ => return None,
    };
    Some(Open { node, start, element })
}

/// Forget what an earlier member of the same name had.
#[inline(always)]
fn forget(node: &Node, spans: &mut [Span]) {
    node.place.iter().chain(&node.below).for_each(|place| spans[*place] = None);
}

/// Return what is at a position in a container: a value, or its end if it `may_end` there. None if that is no
/// JSON.
#[inline(always)]
fn next<'n, V: Values>(values: &V, current: &mut Open<'n>, at: usize, may_end: bool) -> Option<Next<'n>> {
    let byte = values.byte(at)?;
    let Some(number) = &mut current.element else {
        if byte == b'}' && may_end {
            return Some(Next::End(at + 1));
        }
        if byte != b'"' {
            return None;
        }
        let (end, plain) = values.string_end(at)?;
        let child = child_named(values, current.node, at + 1..end - 1, plain)?;
        let colon = skip_space(values, end);
        if values.byte(colon)? != b':' {
            return None;
        }
        return Some(Next::Value(skip_space(values, colon + 1), child));
    };
    if byte == b']' && may_end {
        return Some(Next::End(at + 1));
    }
    let child = current.node.children.iter().find(|child| child.step.index == Some(*number));
    *number += 1;
    Some(Next::Value(at, child.map(|child| &child.node)))
}

/// Return what is wanted of the member whose key is between two quotes; None if that is no JSON. `plain`: it is
/// known to have no escapes.
#[inline(always)]
fn child_named<'n, V: Values>(
    values: &V,
    node: &'n Node,
    key: Range<usize>,
    plain: bool,
) -> Option<Option<&'n Node>> {
    for child in &node.children {
        if child.plain && values.equals(key.clone(), child.step.name.as_bytes()) {
            return Some(Some(&child.node));
        }
    }
    if plain {
        return Some(None);
    }
    child_decoded(values, node, key)
}

#[cold]
#[inline(never)]
fn child_decoded<'n, V: Values>(values: &V, node: &'n Node, key: Range<usize>) -> Option<Option<&'n Node>> {
    /// A byte of a decoded key takes at most this many bytes, as an escape.
    const ESCAPE: usize = 6;
    let longest = node.children.iter().map(|child| child.step.name.len()).max().unwrap_or(0);
    if key.len() > longest * ESCAPE {
        return values.decodes(key).then_some(None);
    }
    let mut scratch = Vec::new();
    let name = text::decode(values.copy(key, &mut scratch))?;
    let child = node.children.iter().find(|child| child.step.name == name);
    Some(child.map(|child| &child.node))
}
