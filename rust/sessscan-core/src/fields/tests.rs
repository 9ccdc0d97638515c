//! Test that the fields that the fast reader finds are those of the byte-by-byte one, of a plain search for each path,
//! and of serde_json, however the bytes are cut.

use super::column::FieldValues;
use super::path::parse;
use super::sink::Rows;
use super::*;
use crate::bytes::{Buffer, Region};
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::record::{KeyNames, Record, Slot};
use crate::scanner::{Scanner, Sink};
use crate::structure::Isa;
use crate::text;
use crate::value::{elements, member};
use proptest::prelude::*;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// All that a plan finds: the lines, the columns with their values as text, and the defects.
#[derive(Debug, PartialEq)]
struct Found {
    lines: Vec<u64>,
    columns: Vec<(Vec<Option<String>>, u64)>,
    defects: Vec<(usize, crate::Defect)>,
    defect_count: u64,
}

fn found(batch: FieldsBatch) -> Found {
    let columns = batch.columns.iter().map(|column| {
        let value = |row: usize| match &column.values {
            FieldValues::Ints(values) => values[row].to_string(),
            FieldValues::Floats(values) => values[row].to_string(),
            FieldValues::Bools(values) => values[row].to_string(),
            FieldValues::Texts(..) => column.text(row).unwrap_or("").to_owned(),
        };
        assert_eq!(column.valid.len(), batch.rows());
        let values = (0..batch.rows()).map(|row| column.valid[row].then(|| value(row)));
        (values.collect(), column.other_types)
    });
    Found {
        columns: columns.collect(),
        lines: batch.lines,
        defects: batch.defects,
        defect_count: batch.defect_count,
    }
}

fn plan(paths: &[String], conditions: &[(&str, Vec<String>)]) -> Arc<FieldsPlan> {
    let names: Vec<String> = (0..paths.len()).map(|column| column.to_string()).collect();
    let select: Vec<_> = names.iter().zip(paths).map(|(name, path)| (&**name, (&**path, None))).collect();
    Arc::new(FieldsPlan::new(&select, conditions).unwrap())
}

fn scanner(plan: &FieldsPlan, strictness: Strictness, isa: Isa) -> Scanner {
    Scanner::for_keys(plan.names.clone(), strictness, isa)
}

fn in_pieces(mut scanner: Scanner, plan: &Arc<FieldsPlan>, data: &[u8], piece: usize) -> Found {
    let mut rows = Rows::new(plan.clone(), 0);
    data.chunks(piece.max(1)).for_each(|piece| scanner.feed(piece, &mut rows, &CancelToken::never()));
    scanner.finish(&mut rows, &CancelToken::never());
    found(rows.take())
}

/// Scan the data in windows, each with the following data behind its end.
fn in_windows(mut scanner: Scanner, plan: &Arc<FieldsPlan>, data: &[u8], window: usize) -> Found {
    let mut rows = Rows::new(plan.clone(), 0);
    let mut buffer = Buffer::new();
    buffer.append(data);
    buffer.append(&[b' '; 1024]);
    let whole = buffer.region();
    let mut at = 0;
    for end in (window..data.len()).step_by(window).chain([data.len()]) {
        // SAFETY: the part begins where `whole` begins, so it is aligned and has the same readable bytes;
        // `buffer` outlives it.
        let part = unsafe { Region::new(whole.view().part(0..end), whole.readable()) };
        at += scanner.read_region(part, at, &mut rows, &CancelToken::never());
    }
    let encoding = scanner.encoding().clone();
    scanner.refill(encoding, &data[at..], Vec::new());
    scanner.finish(&mut rows, &CancelToken::never());
    found(rows.take())
}

fn in_ranges(plan: &Arc<FieldsPlan>, data: &[u8], cuts: &[usize], piece: usize) -> Found {
    let mut all = FieldsBatch::empty(plan);
    let mut lines = 0;
    for cut in cuts.windows(2) {
        let range = cut[0] as u64..cut[1] as u64;
        let mut reader =
            FieldsRange::new(plan.clone(), Strictness::Structure, data.len() as u64, range).unwrap();
        let mut pieces = data[reader.position() as usize..].chunks(piece.max(1));
        let mut batch = FieldsBatch::empty(plan);
        while pieces.next().is_some_and(|piece| reader.feed(piece)) {
            batch.append(reader.take());
        }
        batch.append(reader.take());
        let (rest, more) = reader.finish().unwrap();
        batch.append(rest);
        batch.lines.iter_mut().for_each(|line| *line += lines);
        batch.defects.iter_mut().for_each(|(_, defect)| defect.line += lines);
        lines += more;
        all.append(batch);
    }
    found(all)
}

/// Searches each record for one path, a step at a time, byte by byte.
struct Search {
    steps: Vec<path::Step>,
    values: Vec<Option<Vec<u8>>>,
}

impl Sink for Search {
    fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
        let value = record.range(Slot::of_wanted(0)).map(|range| {
            let mut value = Vec::new();
            record.view().copy(range, &mut value);
            value
        });
        self.values
            .push(self.steps.iter().try_fold(value, |value, step| Some(search(&value?, step))).flatten());
    }
}

fn search(value: &[u8], step: &path::Step) -> Option<Vec<u8>> {
    let range = if value.first() == Some(&b'[') {
        let mut all = Vec::new();
        elements(value, 0, |range| all.push(range))?;
        all.get(step.index? as usize)?.clone()
    } else {
        member(value, 0, step.name.as_bytes())?
    };
    Some(value[range].to_vec())
}

/// Return the values of each record at a path.
fn searched(path: &str, data: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut steps = parse(path).unwrap();
    let names = KeyNames::Wanted(vec![steps.remove(0).name].into());
    let mut search = Search { steps, values: Vec::new() };
    let mut scanner = Scanner::slow_for_keys(names, Strictness::Structure);
    scanner.feed(data, &mut search, &CancelToken::never());
    scanner.finish(&mut search, &CancelToken::never());
    search.values
}

/// What a value is as text.
fn as_text(raw: &[u8]) -> Option<String> {
    match raw {
        b"null" => None,
        [b'"', inside @ .., b'"'] => text::decode(inside).map(|text| text.into_owned()),
        _ => {
            serde_json::from_str::<serde::de::IgnoredAny>(&String::from_utf8_lossy(raw)).ok()?;
            Some(String::from_utf8_lossy(raw).into_owned())
        }
    }
}

fn check(paths: &[String], data: &[u8], piece: usize, cuts: &[usize]) {
    let plan = plan(paths, &[]);
    let slow = Scanner::slow_for_keys(plan.names.clone(), Strictness::Structure);
    let slow = in_pieces(slow, &plan, data, data.len());
    for (path, (values, _)) in paths.iter().zip(&slow.columns) {
        let searched: Vec<_> = searched(path, data).iter().map(|raw| as_text(raw.as_deref()?)).collect();
        assert_eq!(values, &searched, "{path}");
    }
    for isa in Isa::available() {
        let scanner = || scanner(&plan, Strictness::Structure, isa);
        assert_eq!(in_pieces(scanner(), &plan, data, data.len()), slow, "{isa:?}");
        assert_eq!(in_pieces(scanner(), &plan, data, piece), slow, "{isa:?}, pieces of {piece}");
        assert_eq!(in_windows(scanner(), &plan, data, piece), slow, "{isa:?}, windows of {piece}");
    }
    assert_eq!(in_ranges(&plan, data, cuts, piece), slow, "ranges {cuts:?}, pieces of {piece}");
}

/// Keys as JSON writes them.
const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "type",
    "0",
    "1",
    "a.b",
    "\\u0061",
    "é",
    "\\u00e9",
    "a longer key than others have it",
    "a\\\\",
    "\\\"",
    "",
];

fn paths() -> impl Strategy<Value = Vec<String>> {
    let step = prop::sample::select(vec![
        "a",
        "a",
        "a",
        "b",
        "b",
        "c",
        "type",
        "0",
        "1",
        "é",
        r"a\.b",
        r"a\\",
        "\"",
        "a longer key than others have it",
    ]);
    let path = prop::collection::vec(step, 1..5).prop_map(|steps| steps.join("."));
    prop::collection::vec(path, 1..7)
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => prop::sample::select(vec![
            "1", "-0", "12.5e3", "true", "false", "null", "\"\"", "\"x\"", "\"\\u0061\\n\"", "\"é\"", "\"{\\\"a\\\":1}\"",
            "\"[\"", "123456789012345678901234567890",
        ])
        .prop_map(str::to_owned),
        1 => (0..300_usize).prop_map(|length| format!("\"{}\"", "x\\\\".repeat(length))),
    ];
    let space = prop::sample::select(vec!["", "", "", " ", "\t"]);
    scalar.prop_recursive(4, 24, 4, move |inner| {
        let key = prop::sample::select(KEYS);
        let members = prop::collection::vec((key, space.clone(), inner.clone()), 0..5);
        prop_oneof![
            2 => members.prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}{space}")).collect();
                format!("{{{}}}", members.join(","))
            }),
            1 => prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(", "))),
        ]
    })
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let members = prop::collection::vec((prop::sample::select(KEYS), value()), 0..6);
    let record = members.prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    });
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\n\n", "", " \n", "\0\n"]);
    // Lines that are repeated are read in another way.
    let lines = prop::collection::vec((record, end, 1..4_usize), 0..7);
    lines.prop_map(|lines| {
        let line = |(record, end, times): &(String, &str, usize)| format!("{record}{end}").repeat(*times);
        lines.iter().map(line).collect::<String>().into_bytes()
    })
}

fn cuts(length: usize, cuts: Vec<prop::sample::Index>) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.index(length.max(1))).collect();
    cuts.extend([0, length]);
    cuts.sort_unstable();
    cuts.dedup();
    if cuts.len() == 1 {
        cuts.push(0);
    }
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 1_000 }))]

    #[test]
    fn all_readers_find_the_same(
        paths in paths(),
        data in lines(),
        piece in 1..400_usize,
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        check(&paths, &data, piece, &cuts(data.len(), at));
    }

    #[test]
    fn all_readers_find_the_same_in_damage(
        paths in paths(),
        mut data in lines(),
        hits in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                prop::sample::select(b"\"\\{}[],: \r\n\0\x01\t1tn\x80\xff\xe2a".to_vec()),
                0..3_u8,
            ),
            1..6,
        ),
        piece in 1..400_usize,
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        for (at, byte, change) in hits {
            if data.is_empty() { break }
            let at = at.index(data.len());
            match change {
                0 => data[at] = byte,
                1 => data.insert(at, byte),
                _ => drop(data.remove(at)),
            }
        }
        check(&paths, &data, piece, &cuts(data.len(), at));
    }

    #[test]
    fn values_are_those_of_serde_json(paths in paths(), records in prop::collection::vec(value(), 1..4)) {
        let records: Vec<String> = records.into_iter().map(|value| format!("{{\"a\":{value},\"b\":{value}}}")).collect();
        let data = records.iter().map(|record| format!("{record}\n")).collect::<String>();
        let json: Vec<String> = paths.iter().map(|path| format!("{path}:json")).collect();
        let plan = plan(&json, &[]);
        let scanner = Scanner::for_keys(plan.names.clone(), Strictness::Full, Isa::chosen());
        let found = in_pieces(scanner, &plan, data.as_bytes(), 1_000);
        prop_assert_eq!(found.lines.len(), records.len());
        for (row, record) in records.iter().enumerate() {
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            for (path, (values, _)) in paths.iter().zip(&found.columns) {
                let value = parse(path).unwrap().iter().try_fold(&record, |value, step| match value {
                    serde_json::Value::Object(members) => members.get(&step.name),
                    serde_json::Value::Array(elements) => elements.get(step.index? as usize),
                    _ => None,
                });
                let ours = values[row].as_ref().map(|text| serde_json::from_str(text).unwrap());
                prop_assert_eq!(ours.as_ref(), value.filter(|value| !value.is_null()), "{} of {}", path, record);
            }
        }
    }
}

const RECORDS: &[u8] = br#"{"type":"user","n":1,"message":{"role":"user"}}
{"type":"assistant","n":2,"message":{"role":"assistant"}}
{"type":"\u0061ssistant","n":3}
{"type":7,"n":4,"message":{"role":"user"}}
{"n":5}
{"type":"user","type":"assistant","n":6,"message":{"role":"x","role":"us\u0065r"}}
"#;

/// What each reader finds of one record under some paths.
fn of_one_record(paths: &[&str], line: &str) -> Vec<Option<String>> {
    let plan = plan(&paths.iter().map(|path| path.to_string()).collect::<Vec<_>>(), &[]);
    let read =
        |isa| in_pieces(scanner(&plan, Strictness::Structure, isa), &plan, line.as_bytes(), line.len());
    let all: Vec<Found> = Isa::available().into_iter().map(read).collect();
    assert!(all.iter().all(|found| *found == all[0] && found.lines == [1]));
    all[0].columns.iter().map(|(values, _)| values[0].clone()).collect()
}

#[test]
fn of_a_key_given_twice_nothing_is_left_of_the_first() {
    let line = "{\"x\":{\"a\":{\"b\":1,\"c\":2},\"a\":{\"c\":3}}}\n";
    assert_eq!(of_one_record(&["x.a.b", "x.a.c"], line), [None, Some("3".to_owned())]);
}

#[test]
fn nothing_is_in_a_container_that_is_no_json() {
    let line = "{\"x\":{\"a\":{\"b\":1 oops},\"d\":4}}\n";
    assert_eq!(of_one_record(&["x.a.b", "x.d"], line), [None, Some("4".to_owned())]);
}

#[test]
fn conditions_compare_decoded_strings() {
    let taken = |conditions: &[(&str, &[&str])]| {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(path, texts)| (*path, texts.iter().map(|text| (*text).to_owned()).collect()))
            .collect();
        let plan = plan(&["n".to_owned()], &conditions);
        let slow = Scanner::slow_for_keys(plan.names.clone(), Strictness::Structure);
        let found = in_pieces(slow, &plan, RECORDS, RECORDS.len());
        for isa in Isa::available() {
            assert_eq!(in_pieces(scanner(&plan, Strictness::Structure, isa), &plan, RECORDS, 1_000), found);
        }
        found.columns[0].0.iter().map(|value| value.clone().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(taken(&[]), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(taken(&[("type", &["assistant"])]), ["2", "3", "6"]);
    assert_eq!(taken(&[("type", &["user", "assistant"])]), ["1", "2", "3", "6"]);
    assert_eq!(taken(&[("message.role", &["user"])]), ["1", "4", "6"]);
    assert_eq!(taken(&[("message.role", &["user"]), ("type", &["assistant"])]), ["6"]);
    assert!(taken(&[("type", &["7"])]).is_empty());
    assert!(taken(&[("n", &["5"])]).is_empty());
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let select = |columns: &[(&str, &str)]| {
        let columns: Vec<_> = columns.iter().map(|(name, path)| (*name, (*path, None))).collect();
        FieldsPlan::new(&columns, &[]).map(drop)
    };
    assert_eq!(select(&[]), Err(FieldsError::Empty));
    assert_eq!(select(&[("a", "x"), ("a", "y")]), Err(FieldsError::Twice("a".into())));
    assert!(matches!(select(&[("a", "x..y")]), Err(FieldsError::Path { .. })));
    let keys: Vec<String> = (0..=MOST_KEYS).map(|key| format!("k{key}")).collect();
    let columns: Vec<_> = keys.iter().map(|key| (&**key, &**key)).collect();
    assert_eq!(select(&columns), Err(FieldsError::TooMany(MOST_KEYS + 1)));
    assert_eq!(select(&columns[1..]), Ok(()));
    let conditions = [("type", Vec::new())];
    assert_eq!(
        FieldsPlan::new(&[("a", ("x", None))], &conditions).map(drop),
        Err(FieldsError::NoTexts("type".into()))
    );
}

fn numbered(lines: Range<usize>) -> Vec<u8> {
    let mut data = Vec::new();
    for number in lines {
        let text = "x".repeat(number % 300);
        writeln!(data, "{{\"n\":{number},\"message\":{{\"text\":\"{text}\",\"n\":{number}}}}}").unwrap();
        if number % 500 == 0 {
            writeln!(data, "{{\"torn\":").unwrap();
        }
    }
    data
}

/// Read files with the reader, on so many threads; also the place of each file that failed.
fn read(
    plan: &Arc<FieldsPlan>,
    paths: &[PathBuf],
    threads: usize,
) -> (Vec<(usize, usize)>, Found, Vec<usize>) {
    let mut reader = FieldsReader::new(plan.clone(), paths.into(), Strictness::Structure, threads);
    let mut all = FieldsBatch::empty(plan);
    let mut failed = Vec::new();
    while let Some(next) = reader.next(&CancelToken::never()) {
        match next {
            Ok(batch) => all.append(batch),
            Err(error) => failed.push(error.file),
        }
    }
    (all.files.clone(), found(all), failed)
}

#[test]
fn many_files_are_read_in_their_order_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    let mut write = |name: &str, data: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, data).unwrap();
        paths.push(path);
    };
    // Ranges are 64 KiB here: small files, big ones, one that is mapped, and one in UTF-16.
    write("empty", b"");
    write("small", &numbered(0..20));
    write("big", &numbered(20..3_000));
    write("mapped", &numbered(3_000..20_000));
    let text = String::from_utf8(numbered(20_000..22_000)).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write("utf16", &utf16);
    for number in 0..600 {
        write(&format!("{number}"), &numbered(22_000 + number..22_001 + number));
    }
    paths.insert(3, folder.path().join("missing"));
    paths.insert(0, folder.path().to_owned());
    let plan = plan(&["n".to_owned(), "message.n:int".to_owned(), "message.text".to_owned()], &[]);
    let (files, alone, failed) = read(&plan, &paths, 1);
    assert_eq!(failed, [0, 4]);
    assert_eq!(alone.columns[0].0.len(), 22_600);
    for (number, value) in alone.columns[0].0.iter().enumerate() {
        assert_eq!(value.as_deref(), Some(&*number.to_string()));
        assert_eq!(alone.columns[1].0[number].as_deref(), Some(&*number.to_string()));
        assert_eq!(alone.columns[2].0[number].as_ref().map(String::len), Some(number % 300));
    }
    // Of the file in UTF-16, only the encoding is a defect.
    assert_eq!(
        alone.defect_count,
        1 + (0..22_600).step_by(500).filter(|at| !(20_000..22_000).contains(at)).count() as u64
    );
    assert_eq!(alone.defects.len() as u64, alone.defect_count);
    assert_eq!(files.iter().map(|(file, _)| *file).collect::<Vec<_>>()[..4], [2, 3, 5, 6]);
    // Each line that is damaged comes after that of its number.
    let mapped: Vec<u64> =
        alone.defects.iter().filter(|(file, _)| *file == 5).map(|(_, defect)| defect.line).collect();
    assert_eq!(mapped[..3], [2, 503, 1_004]);
    let alone = (files, alone, failed);
    for threads in [2, 3, 8] {
        assert_eq!(read(&plan, &paths, threads), alone, "{threads} threads");
    }
}

#[test]
fn a_reading_can_be_cancelled() {
    use std::cell::Cell;
    use std::ops::ControlFlow;

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), numbered(0..20_000)).unwrap();
    let plan = plan(&["n".to_owned()], &[]);
    let paths: Arc<[PathBuf]> = vec![file.path().to_owned()].into();
    for after in [0, 1_000_000] {
        let read = Cell::new(0);
        let report = |bytes| {
            read.set(read.get() + bytes);
            if read.get() >= after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut reader = FieldsReader::new(plan.clone(), paths.clone(), Strictness::Structure, 2);
        let token = CancelToken::new(&report);
        let error = std::iter::from_fn(|| reader.next(&token)).find_map(Result::err).unwrap();
        assert_eq!(error.error.kind(), std::io::ErrorKind::Interrupted);
    }
}
