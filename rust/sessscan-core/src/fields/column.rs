//! Collect the values of a column, each made of the bytes that a record has for it.

use super::path::FieldType;
use crate::grammar::{Machine, Step, Strictness};
use crate::text;
use crate::time;
use std::borrow::Cow;

/// The values of one column: of each row a value, which means nothing where the row is not `valid`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldColumn {
    /// The values.
    pub values: FieldValues,
    /// Whether each row has a value.
    pub valid: Vec<bool>,
    /// How many values were of another type than the column's.
    pub other_types: u64,
}

/// The values of one type, in a layout that Arrow can take over.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValues {
    /// Of type `int`, and of type `time` in epoch milliseconds.
    Ints(Vec<i64>),
    /// Of type `float`.
    Floats(Vec<f64>),
    /// Of type `bool`.
    Bools(Vec<bool>),
    /// Of types `str`, `json` and `text`: all texts, one after the other, and where each ends.
    Texts(String, Vec<i32>),
}

/// Converts values to columns, with memory that is used again.
pub(crate) struct Converter {
    scratch: Vec<u8>,
    machine: Machine,
}

impl Default for Converter {
    fn default() -> Converter {
        Converter { scratch: Vec::new(), machine: Machine::new(Strictness::Full) }
    }
}

impl FieldColumn {
    pub(crate) fn new(kind: FieldType) -> FieldColumn {
        let values = match kind {
            FieldType::Int | FieldType::Time => FieldValues::Ints(Vec::new()),
            FieldType::Float => FieldValues::Floats(Vec::new()),
            FieldType::Bool => FieldValues::Bools(Vec::new()),
            FieldType::Str | FieldType::Json | FieldType::Text => {
                FieldValues::Texts(String::new(), Vec::new())
            }
        };
        FieldColumn { values, valid: Vec::new(), other_types: 0 }
    }

    /// How many bytes of memory the values take.
    pub(crate) fn bytes(&self) -> usize {
        let values = match &self.values {
            FieldValues::Ints(values) => size_of_val(&**values),
            FieldValues::Floats(values) => size_of_val(&**values),
            FieldValues::Bools(values) => size_of_val(&**values),
            FieldValues::Texts(texts, ends) => texts.len() + size_of_val(&**ends),
        };
        values + self.valid.len()
    }

    /// The bytes of all its texts.
    pub fn text_bytes(&self) -> usize {
        match &self.values {
            FieldValues::Texts(texts, _) => texts.len(),
            _ => 0,
        }
    }

    /// Return a row's text; None if it has none, or the column holds no texts.
    pub fn text(&self, row: usize) -> Option<&str> {
        let FieldValues::Texts(texts, ends) = &self.values else { return None };
        let begin = row.checked_sub(1).map_or(0, |before| ends[before]);
        self.valid[row].then(|| &texts[begin as usize..ends[row] as usize])
    }

    /// Append a row whose value has these bytes, or none.
    pub(crate) fn push(&mut self, kind: FieldType, raw: Option<&[u8]>, converter: &mut Machine) {
        let raw = raw.filter(|raw| *raw != b"null");
        let valid = match (&mut self.values, raw) {
            (FieldValues::Ints(values), raw) => {
                let value = raw.and_then(|raw| if kind == FieldType::Time { time(raw) } else { int(raw) });
                values.push(value.unwrap_or(0));
                value.is_some()
            }
            (FieldValues::Floats(values), raw) => {
                let value = raw.and_then(float);
                values.push(value.unwrap_or(0.0));
                value.is_some()
            }
            (FieldValues::Bools(values), raw) => {
                values.push(raw == Some(b"true"));
                matches!(raw, Some(b"true" | b"false"))
            }
            (FieldValues::Texts(texts, ends), raw) => {
                let text = raw.and_then(|raw| as_text(kind, raw, converter));
                let text = text.filter(|text| i32::try_from(texts.len() + text.len()).is_ok());
                texts.push_str(text.as_deref().unwrap_or(""));
                ends.push(texts.len() as i32);
                text.is_some()
            }
        };
        self.valid.push(valid);
        self.other_types += u64::from(raw.is_some() && !valid);
    }

    /// Append the rows of another column of the same type.
    pub(crate) fn append(&mut self, other: FieldColumn) {
        match (&mut self.values, other.values) {
            (FieldValues::Ints(values), FieldValues::Ints(more)) => values.extend(more),
            (FieldValues::Floats(values), FieldValues::Floats(more)) => values.extend(more),
            (FieldValues::Bools(values), FieldValues::Bools(more)) => values.extend(more),
            (FieldValues::Texts(texts, ends), FieldValues::Texts(more, more_ends)) => {
                let begin = texts.len() as i32;
                texts.push_str(&more);
                ends.extend(more_ends.into_iter().map(|end| begin + end));
            }
            _ => unreachable!("both columns were made for one type"),
        }
        self.valid.extend(other.valid);
        self.other_types += other.other_types;
    }
}

impl Converter {
    /// Append a row whose value is at a range of a record's bytes, or that has none.
    #[inline]
    pub(crate) fn push(
        &mut self,
        column: &mut FieldColumn,
        kind: FieldType,
        copy: Option<impl FnOnce(&mut Vec<u8>)>,
    ) {
        let raw = copy.map(|copy| {
            copy(&mut self.scratch);
            &self.scratch[..]
        });
        column.push(kind, raw, &mut self.machine);
    }
}

/// Return what is between the quotes, if the value is a string.
fn inside(raw: &[u8]) -> Option<&[u8]> {
    match raw {
        [b'"', inside @ .., b'"'] => Some(inside),
        _ => None,
    }
}

fn as_text<'a>(kind: FieldType, raw: &'a [u8], machine: &mut Machine) -> Option<Cow<'a, str>> {
    match inside(raw) {
        Some(inside) if kind != FieldType::Json => text::decode(inside),
        None if kind == FieldType::Str => None,
        _ => is_json(raw, machine).then(|| String::from_utf8_lossy(raw)),
    }
}

fn time(raw: &[u8]) -> Option<i64> {
    let raw = inside(raw)?;
    time::parse(raw).or_else(|| raw.contains(&b'\\').then(|| time::parse(text::decode(raw)?.as_bytes()))?)
}

fn int(raw: &[u8]) -> Option<i64> {
    // An integer of JSON has no plus and no zero before other digits.
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
    std::str::from_utf8(raw).ok().filter(|_| canonical)?.parse().ok()
}

fn float(raw: &[u8]) -> Option<f64> {
    let number = is_number(raw).then(|| std::str::from_utf8(raw).ok())??;
    number.parse().ok().filter(|value: &f64| value.is_finite())
}

fn is_number(raw: &[u8]) -> bool {
    fn digits(raw: &[u8]) -> Option<&[u8]> {
        let count = raw.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(&raw[count..])
    }
    fn end(raw: &[u8]) -> Option<&[u8]> {
        let rest = match raw.strip_prefix(b"-").unwrap_or(raw) {
            [b'0', rest @ ..] => rest,
            raw => digits(raw)?,
        };
        let rest = match rest {
            [b'.', rest @ ..] => digits(rest)?,
            rest => rest,
        };
        match rest {
            [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] => digits(rest),
            rest => Some(rest),
        }
    }
    end(raw).is_some_and(<[u8]>::is_empty)
}

/// Return whether bytes are a value of RFC 8259, whatever bytes its strings have.
fn is_json(raw: &[u8], machine: &mut Machine) -> bool {
    // The automaton reads objects, so that the value is made a member of one.
    machine.reset();
    for byte in b"{\"\":" {
        machine.step(*byte);
    }
    let mut at = 0;
    while at < raw.len() {
        at += machine.skip(&raw[at..]);
        let Some(byte) = raw.get(at) else { break };
        let ends_member = *byte == b',' && machine.depth() == 1 && !machine.in_string();
        machine.step(*byte);
        if ends_member || machine.depth() == 0 {
            return false;
        }
        at += 1;
    }
    machine.step(b'}') == Step::Closed { complete: true } && machine.depth() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column_of(kind: FieldType, values: &[&str]) -> FieldColumn {
        let mut machine = Machine::new(Strictness::Full);
        let mut column = FieldColumn::new(kind);
        values.iter().for_each(|raw| column.push(kind, Some(raw.as_bytes()), &mut machine));
        column
    }

    #[test]
    fn values_of_another_type_are_null_and_counted() {
        let values = ["null", "1", "-0", "1.0", "9223372036854775808", "1e999", "01", "\"1\"", "true", "[]"];
        let valid = |kind| {
            let column = column_of(kind, &values);
            assert_eq!(column.other_types, column.valid[1..].iter().filter(|valid| !**valid).count() as u64);
            let valid = values.iter().zip(&column.valid).filter(|(_, valid)| **valid);
            valid.map(|(raw, _)| *raw).collect::<Vec<_>>()
        };
        assert_eq!(valid(FieldType::Int), ["1", "-0"]);
        assert_eq!(valid(FieldType::Float), ["1", "-0", "1.0", "9223372036854775808"]);
        assert_eq!(valid(FieldType::Str), ["\"1\""]);
        assert_eq!(valid(FieldType::Bool), ["true"]);
        assert!(valid(FieldType::Time).is_empty());
        let json = ["1", "-0", "1.0", "9223372036854775808", "1e999", "\"1\"", "true", "[]"];
        assert_eq!(valid(FieldType::Json), json);
        assert_eq!(valid(FieldType::Text), json);
    }

    #[test]
    fn texts_are_decoded_and_json_is_left_as_it_is() {
        let raw = r#""a\u0041\ud83d""#;
        assert_eq!(column_of(FieldType::Text, &[raw]).text(0), Some("aA\u{fffd}"));
        assert_eq!(column_of(FieldType::Json, &[raw]).text(0), Some(raw));
        for wrong in ["{\"a\":}", "[1,]", "{\"a\":1}}", "1}", "1,\"b\":2", "tru", "", "\"\\q\"", "[\u{1}]"] {
            let column = column_of(FieldType::Json, &[wrong]);
            assert_eq!((column.text(0), column.other_types), (None, 1), "{wrong}");
        }
        let mut column = column_of(FieldType::Str, &["\"a\"", "1", "\"bc\""]);
        column.append(column_of(FieldType::Str, &["\"\"", "null", "\"d\""]));
        let texts: Vec<_> = (0..6).map(|row| column.text(row)).collect();
        assert_eq!(texts, [Some("a"), None, Some("bc"), Some(""), None, Some("d")]);
        assert_eq!(column.other_types, 1);
    }

    #[test]
    fn times_may_be_written_with_escapes() {
        let values = [r#""1970-01-01T00:00:01Z""#, r#""1970-01-01T00\u003a00:02Z""#, "\"1970\"", "7"];
        let column = column_of(FieldType::Time, &values);
        assert_eq!(
            (column.values, column.valid),
            (FieldValues::Ints(vec![1_000, 2_000, 0, 0]), vec![true, true, false, false])
        );
        assert_eq!(column.other_types, 2);
    }
}
