//! Test that the fast reader and its slow twin find the same in the same lines.

use super::extract::extract;
use super::facts::{Facts, Field};
use crate::bytes::View;
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::record::Record;
use crate::scanner::{Place, Scanner, Sink};
use crate::structure::Isa;
use crate::transcript::Defect;
use proptest::prelude::*;

/// The values of a record, or of one of its blocks.
type Values = Vec<(Field, Vec<u8>)>;

/// All that is found of a record.
#[derive(Debug, PartialEq)]
struct Found {
    line: u64,
    offset: u64,
    length: u64,
    around: String,
    values: Values,
    blocks: Vec<Values>,
    odd_escapes: usize,
}

#[derive(Default)]
struct Output {
    found: Vec<Found>,
    defects: Vec<Defect>,
    /// How many records the fast reader proved.
    proved: usize,
}

impl Output {
    fn add(&mut self, facts: &Facts, view: View, place: &Place) {
        let copy = |field: Field, range| {
            let mut value = Vec::new();
            view.copy(range, &mut value);
            (field, value)
        };
        let fields = || Field::ALL.iter().map(|(field, _, _)| *field);
        let of_block = |field: &Field| *field as usize >= Field::BlockType as usize;
        let message = facts.get(Field::Message);
        self.found.push(Found {
            line: place.line,
            offset: place.offset,
            length: place.length,
            around: format!("{:?}", place.around),
            values: fields()
                .filter(|field| !of_block(field))
                .filter_map(|field| Some(copy(field, facts.get(field)?)))
                .collect(),
            blocks: facts
                .blocks
                .iter()
                .map(|block| {
                    fields()
                        .filter(of_block)
                        .filter_map(|field| Some(copy(field, block.get(field)?)))
                        .collect()
                })
                .collect(),
            odd_escapes: facts
                .odd_escapes
                .iter()
                .filter(|at| message.as_ref().is_some_and(|message| message.contains(at)))
                .count(),
        });
    }
}

impl Sink for Output {
    fn record(&mut self, _record: &Record, _line: u64, _offset: u64) {
        unreachable!("`placed` takes all records");
    }

    fn placed(&mut self, record: &Record, place: Place) {
        let range = place.range.clone();
        extract(record.bytes(), range, &mut Vec::new(), &mut Facts::new(), |facts, view, _| {
            self.add(facts, view, &place);
        });
    }

    fn proved(&mut self, facts: &Facts, view: View, place: Place) {
        self.proved += 1;
        self.add(facts, view, &place);
    }

    fn defect(&mut self, defect: Defect) {
        self.defects.push(defect);
    }
}

fn output(mut scanner: Scanner, data: &[u8], piece: usize) -> Output {
    let mut output = Output::default();
    data.chunks(piece).for_each(|piece| scanner.feed(piece, &mut output, &CancelToken::never()));
    scanner.finish(&mut output, &CancelToken::never());
    output
}

/// Generate JSON values with what is hard for a reader, some of them wrong.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => prop::sample::select(vec![
            "\"a\"", "\"\"", "\"é\u{2028}\"", "\"\\u0000\"", "\"\\ud83d\"", "\"\\ud83d\\ude80\"",
            "\"\\\\u0000\"", "\"{[,:\\\"\"", "\"tool_use\"", "\"text\"", "1", "-0.5e+10", "0", "true",
            "false", "null", "[]", "{}", "[ 1 , {\"id\":\"no\"} ]", "\"\\u004e\\n\\/\"",
        ])
        .prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "01", "1.", "tru", "\"\\x\"", "\"\\u12g4\"", "{\"a\"}", "[1,]", "{,}", "[1 2]", "\"\u{1}\"",
            "1e", "+1", "nul", "{\"a\":1,}", "[}", "'a'", "\\",
        ])
        .prop_map(str::to_owned),
        2 => (0..400_usize).prop_map(|length| format!("\"{}\"", "lorem \\n".repeat(length / 8))),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let key = prop::sample::select(vec![
            "id",
            "type",
            "content",
            "message",
            "tool_use_id",
            "text",
            "x",
            "uuid",
            "parentUuid",
            "\\u0069d",
            "sourceToolAssistantUUID",
            "a key that is much longer than any that is known",
        ]);
        let blank = || prop::sample::select(vec!["", "", "", " ", "  ", "\t"]);
        prop_oneof![
            prop::collection::vec((blank(), inner.clone()), 0..5).prop_map(|values| {
                let values: Vec<String> =
                    values.into_iter().map(|(blank, value)| blank.to_owned() + &value).collect();
                format!("[{}]", values.join(","))
            }),
            prop::collection::vec((blank(), key, blank(), inner), 0..6).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(before, key, after, value)| {
                        format!("{before}\"{key}\"{after}:{after}{value}{before}")
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Generate a line with a record, or with something like one.
fn line() -> impl Strategy<Value = String> {
    let blocks = prop::collection::vec(value(), 0..4)
        .prop_map(|blocks| format!("{{\"id\":\"m\",\"content\":[{}]}}", blocks.join(",")));
    let key = prop::sample::select(vec!["uuid", "type", "message", "isMeta", "attachment", "x", "timestamp"]);
    let member = (key, prop_oneof![value(), blocks]).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    let record = prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")));
    let around = || prop::sample::select(vec!["", "", "", "", "", " ", "\0", "\u{1}", "x", "{}", "\r"]);
    (around(), record, around()).prop_map(|(before, record, after)| before.to_owned() + &record + after)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_fast_reader_finds_what_reading_byte_by_byte_does(
        lines in prop::collection::vec(line(), 1..8),
        piece in 1..2_000_usize,
    ) {
        // More bytes behind the lines, so that the fast reader can load whole blocks.
        let data = lines.join("\n") + "\n" + &" ".repeat(300) + "\n";
        let slow = output(Scanner::slow(Strictness::Full), data.as_bytes(), data.len());
        prop_assert_eq!(slow.proved, 0);
        for isa in Isa::available() {
            for piece in [piece, data.len()] {
                let fast = output(Scanner::proving(isa), data.as_bytes(), piece);
                prop_assert_eq!(&fast.found, &slow.found, "{:?}, in pieces of {}", isa, piece);
                prop_assert_eq!(&fast.defects, &slow.defects);
            }
        }
        let whole = |line: &&String| serde_json::from_str::<serde_json::Value>(line).is_ok() && line.starts_with('{');
        let whole = lines.iter().filter(whole).count();
        let fast = output(Scanner::proving(Isa::chosen()), data.as_bytes(), data.len());
        prop_assert!(fast.found.len() >= whole);
    }
}

#[test]
fn plain_lines_are_proved() {
    let line =
        r#"{"parentUuid":null,"type":"user","message":{"id":"m","content":[{"type":"text","text":"a"}]}}"#;
    let data = (line.to_owned() + "\n").repeat(100) + &" ".repeat(300) + "\n";
    for isa in Isa::available() {
        assert_eq!(output(Scanner::proving(isa), data.as_bytes(), data.len()).proved, 100, "{isa:?}");
    }
}
