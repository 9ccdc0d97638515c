//! Make small transcripts of one shape each. They fit into the processor's cache.

use std::fmt::Write;

/// The session id of all lines.
pub const SESSION: &str = "5f0c2a9e-1d7b-4a35-9c58-3e2b7d6a1f04";

/// Output of tools as JSON strings contain it, with escapes.
const CODE: &[&str] = &[
    r#"    if self.kind == \"ready\" and not path.exists():\n"#,
    r"        return {key: value for key, value in items if value is not None}\n",
    r"running 42 tests in 7 files, 41 passed, 1 failed (src/parser/line.rs:118:9)\n",
    r"C:\\Users\\ada\\engine\\src\\main.ts(12,5): error TS2304\n",
    r#"{\"type\": \"user\", \"timestamp\": \"1999-01-01T00:00:00.000Z\", \"cwd\": \"/not/here\"}\n"#,
    r"The parser keeps one token of look-ahead; that is enough, as no rule begins with two optional parts.\n",
];

/// Text with many characters beyond ASCII.
const FAR: &[&str] =
    &["Größe der Liste begrenzen — ", "検索を速くして、", "naïve façade │ ✓ 🚀 ", "plain words in between, "];

/// A generator of pseudo-random numbers that are the same each time.
struct Random(u64);

impl Random {
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

/// Return a user record with a tool's result, whose content is the JSON `content`.
fn line(number: usize, content: &str) -> String {
    marked_line(number, content, r#""toolUseResult":{"stdout":""},"#)
}

/// The same, with members (`mark`) that say that no person wrote the message.
fn marked_line(number: usize, content: &str, mark: &str) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    [
        format!(
            r#"{{"parentUuid":"00000000-0000-4000-8000-{number:012}","isSidechain":false,"type":"user","#
        ),
        format!(r#""message":{{"role":"user","content":[{{"tool_use_id":"toolu_{number}","#),
        format!(r#""type":"tool_result","content":{content}}}]}},"#),
        format!(r#""uuid":"10000000-0000-4000-8000-{number:012}","#),
        format!(r#""timestamp":"2026-08-01T00:{minute:02}:{second:02}.000Z",{mark}"userType":"external","#),
        format!(r#""entrypoint":"cli","cwd":"/home/ada/engine","sessionId":"{SESSION}","#),
        r#""version":"2.1.235","gitBranch":"main"}"#.to_owned(),
    ]
    .concat()
}

/// Make lines until they have `size` bytes; return them and their number.
fn lines(size: usize, mut one: impl FnMut(&mut Random, usize) -> String) -> (Vec<u8>, u64) {
    let mut random = Random(20_260_801);
    let mut text = String::new();
    let mut count = 0;
    while text.len() < size {
        let _ = writeln!(text, "{}", one(&mut random, count));
        count += 1;
    }
    (text.into_bytes(), count as u64)
}

/// Make a transcript of about `size` bytes with lines of about `length` bytes; return the number of lines
/// too.
pub fn usual(size: usize, length: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| {
        let length = length / 2 + random.below(length);
        let text = random.text(CODE, length);
        line(number, &format!("\"{text}\""))
    })
}

/// The same, but only the content tells that no person wrote the message, so the scanner must look at it.
pub fn unmarked(size: usize, length: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| {
        let text = random.text(CODE, length);
        marked_line(number, &format!("\"{text}\""), "")
    })
}

/// Make lines of about a hundred bytes.
pub fn short(size: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| match random.below(3) {
        0 => format!(r#"{{"type":"ai-title","aiTitle":"Step {number} of many","sessionId":"{SESSION}"}}"#),
        1 => format!(r#"{{"type":"mode","mode":"normal","sessionId":"{SESSION}"}}"#),
        _ => format!(
            r#"{{"type":"last-prompt","lastPrompt":"Step {number}, please","sessionId":"{SESSION}"}}"#
        ),
    })
}

/// Make lines of text beyond ASCII.
pub fn far(size: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| {
        let text = random.text(FAR, 1_500);
        line(number, &format!("\"{text}\""))
    })
}

/// Make one line with a picture in base64.
pub fn picture(size: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| {
        let letters: String = (0..size).map(|_| char::from(b"ABCDwxyz0189+/"[random.below(14)])).collect();
        line(number, &format!(r#"[{{"type":"image","source":{{"type":"base64","data":"{letters}"}}}}]"#))
    })
}

/// Make lines that are mostly keys and brackets.
pub fn nested(size: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| {
        let mut content = String::from("[");
        for _ in 0..40 {
            let (line, kind) = (random.below(999), random.below(9));
            let _ =
                write!(content, r#"{{"type":"k{kind}","at":{{"line":{line},"in":["a","b"]}},"ok":true}},"#);
        }
        content += "{}]";
        line(number, &content)
    })
}

/// Make lines that were cut, each followed by the next whole line: these take the slow path.
pub fn spliced(size: usize) -> (Vec<u8>, u64) {
    lines(size, |random, number| {
        let text = random.text(CODE, 1_000);
        let whole = line(number, &format!("\"{text}\""));
        format!("{}{whole}", &whole[..300])
    })
}

/// Make a row of about `size` bytes; return its file name's stem too.
pub fn row(size: usize) -> (Vec<u8>, &'static str) {
    const NAME: &str = "local_5f0c2a9e-1d7b-4a35-9c58-3e2b7d6a1f04";
    let text = Random(20_260_801).text(CODE, size);
    let row = [
        format!(r#"{{"sessionId":"{NAME}","cliSessionId":"{SESSION}","cwd":"/home/ada","#),
        r#""createdAt":1785542400000,"lastActivityAt":1785542400000,"title":"A title","#.to_owned(),
        format!(r#""remoteMcpServersConfig":[{{"name":"server","description":"{text}"}}]}}"#),
    ]
    .concat();
    (row.into_bytes(), NAME)
}
