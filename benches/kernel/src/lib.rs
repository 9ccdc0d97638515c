//! Small transcripts of one shape each, that stay in the processor's cache.

use std::fmt::Write;

/// The session whose lines these are.
pub const SESSION: &str = "5f0c2a9e-1d7b-4a35-9c58-3e2b7d6a1f04";

/// What a tool prints, as it stands in JSON: with escapes.
const CODE: &[&str] = &[
    r#"    if self.kind == \"ready\" and not path.exists():\n"#,
    r"        return {key: value for key, value in items if value is not None}\n",
    r"running 42 tests in 7 files, 41 passed, 1 failed (src/parser/line.rs:118:9)\n",
    r"C:\\Users\\ada\\engine\\src\\main.ts(12,5): error TS2304\n",
    r#"{\"type\": \"user\", \"timestamp\": \"1999-01-01T00:00:00.000Z\", \"cwd\": \"/not/here\"}\n"#,
    r"The parser keeps one token of look-ahead; that is enough, as no rule begins with two optional parts.\n",
];

/// The same from beyond ASCII.
const FAR: &[&str] =
    &["Größe der Liste begrenzen — ", "検索を速くして、", "naïve façade │ ✓ 🚀 ", "plain words in between, "];

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn text(&mut self, from: &[&str], length: usize) -> String {
        let mut text = String::new();
        while text.len() < length {
            text += from[self.below(from.len())];
        }
        text
    }
}

/// A line of the talk, the envelope behind the message, with `content` (JSON) as what a tool gave.
fn line(number: usize, content: &str) -> String {
    marked_line(number, content, r#""toolUseResult":{"stdout":""},"#)
}

/// The same; `mark` says that no person wrote it.
fn marked_line(number: usize, content: &str, mark: &str) -> String {
    format!(
        r#"{{"parentUuid":"00000000-0000-4000-8000-{number:012}","isSidechain":false,"type":"user","message":{{"role":"user","content":[{{"tool_use_id":"toolu_{number}","type":"tool_result","content":{content}}}]}},"uuid":"10000000-0000-4000-8000-{number:012}","timestamp":"2026-08-01T00:{:02}:{:02}.000Z",{mark}"userType":"external","entrypoint":"cli","cwd":"/home/ada/engine","sessionId":"{SESSION}","version":"2.1.235","gitBranch":"main"}}"#,
        number / 60 % 60,
        number % 60,
    )
}

/// Lines until there are so many bytes; also, how many lines.
fn lines(size: usize, mut one: impl FnMut(&mut Dice, usize) -> String) -> (Vec<u8>, u64) {
    let mut dice = Dice(20_260_801);
    let mut text = String::new();
    let mut count = 0;
    while text.len() < size {
        let _ = writeln!(text, "{}", one(&mut dice, count));
        count += 1;
    }
    (text.into_bytes(), count as u64)
}

/// A transcript of about `size` bytes with lines of about `length`, and how many they are.
pub fn usual(size: usize, length: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| {
        let length = length / 2 + dice.below(length);
        let text = dice.text(CODE, length);
        line(number, &format!("\"{text}\""))
    })
}

/// The same, where only the content itself says that no person wrote it, and so has to be looked at.
pub fn unmarked(size: usize, length: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| {
        let text = dice.text(CODE, length);
        marked_line(number, &format!("\"{text}\""), "")
    })
}

/// Only lines of about a hundred bytes.
pub fn short(size: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| match dice.below(3) {
        0 => format!(r#"{{"type":"ai-title","aiTitle":"Step {number} of many","sessionId":"{SESSION}"}}"#),
        1 => format!(r#"{{"type":"mode","mode":"normal","sessionId":"{SESSION}"}}"#),
        _ => format!(
            r#"{{"type":"last-prompt","lastPrompt":"Step {number}, please","sessionId":"{SESSION}"}}"#
        ),
    })
}

/// Text from beyond ASCII.
pub fn far(size: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| {
        let text = dice.text(FAR, 1_500);
        line(number, &format!("\"{text}\""))
    })
}

/// One line, a picture in base64: nothing but letters.
pub fn picture(size: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| {
        let letters: String = (0..size).map(|_| char::from(b"ABCDwxyz0189+/"[dice.below(14)])).collect();
        line(number, &format!(r#"[{{"type":"image","source":{{"type":"base64","data":"{letters}"}}}}]"#))
    })
}

/// Lines that are mostly keys and brackets.
pub fn nested(size: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| {
        let mut content = String::from("[");
        for _ in 0..40 {
            let (line, kind) = (dice.below(999), dice.below(9));
            let _ =
                write!(content, r#"{{"type":"k{kind}","at":{{"line":{line},"in":["a","b"]}},"ok":true}},"#);
        }
        content += "{}]";
        line(number, &content)
    })
}

/// Lines that were cut, each with the next whole one behind it: the slow path.
pub fn spliced(size: usize) -> (Vec<u8>, u64) {
    lines(size, |dice, number| {
        let text = dice.text(CODE, 1_000);
        let whole = line(number, &format!("\"{text}\""));
        format!("{}{whole}", &whole[..300])
    })
}

/// A row of about `size` bytes, and the name it goes by.
pub fn row(size: usize) -> (Vec<u8>, &'static str) {
    const NAME: &str = "local_5f0c2a9e-1d7b-4a35-9c58-3e2b7d6a1f04";
    let text = Dice(20_260_801).text(CODE, size);
    let row = format!(
        r#"{{"sessionId":"{NAME}","cliSessionId":"{SESSION}","cwd":"/home/ada","createdAt":1785542400000,"lastActivityAt":1785542400000,"title":"A title","remoteMcpServersConfig":[{{"name":"server","description":"{text}"}}]}}"#
    );
    (row.into_bytes(), NAME)
}
