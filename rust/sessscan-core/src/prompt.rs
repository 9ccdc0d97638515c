//! Read what a human typed: the text of a `user` record without what programs put before and around it.
//!
//! An editor puts the open file and the selection before a prompt, as `<ide_opened_file>…</ide_opened_file>`
//! and `<ide_selection>…</ide_selection>`. A slash command that goes to the model is written as
//! `<command-message>…</command-message> <command-name>/name</command-name>
//! <command-args>…</command-args>`. One that the terminal itself answers begins with its name.
//!
//! A tag ends at the first end tag of its name. One that does not end is text like any other.

use crate::record::{Key, Record};
use crate::text::{self, Folded};
use crate::value::long::{LONG, LongValues};
use crate::value::{self, Values, member};
use std::ops::Range;

/// The beginnings of texts of user records that no human wrote (FORMATS, Turns: from the official SDK's
/// source).
const NOT_HUMAN: [&str; 7] = [
    "<command-name>",
    "<local-command",
    "[Request interrupted",
    "<task-notification>",
    "<bash-",
    "<system-reminder>",
    "<teammate-message",
];

/// How many characters the longest of these has.
const BEGINNING: usize = 20;

/// A tag that has a meaning: how it begins and ends.
type Tag = (&'static str, &'static str);

const CONTEXT: [Tag; 2] =
    [("<ide_opened_file>", "</ide_opened_file>"), ("<ide_selection>", "</ide_selection>")];
const MESSAGE: Tag = ("<command-message>", "</command-message>");
const NAME: Tag = ("<command-name>", "</command-name>");
const ARGUMENTS: Tag = ("<command-args>", "</command-args>");

/// What a human typed.
pub(crate) enum Input {
    /// The first characters of a prompt, white space folded.
    Prompt(String),
    /// The name of a slash command that the record begins with.
    Command(String),
}

/// Return what a human typed in a `user` record: a prompt's first `wanted` characters, or a command that is
/// named in them. None if no human wrote the record.
pub(crate) fn human_input(record: &Record, wanted: usize, scratch: &mut Vec<u8>) -> Option<Input> {
    let by_the_machine = record.is_given(Key::ToolUseResult)
        || [Key::IsMeta, Key::IsCompactSummary, Key::IsSidechain].iter().any(|key| record.is_true(*key));
    if by_the_machine {
        return None;
    }
    let message = record.range(Key::Message)?;
    match record.bytes().plain.and_then(|plain| plain.values(message.end)) {
        Some(values) => input_in(&values, message.start, wanted),
        None if message.len() > LONG => {
            input_in(&LongValues::new(record.bytes().line, message.end), message.start, wanted)
        }
        None => input_in(record.view().copy(message, scratch), 0, wanted),
    }
}

fn input_in<V: Values + ?Sized>(values: &V, message: usize, wanted: usize) -> Option<Input> {
    /// How many texts are kept while it is not known whether a tool wrote them.
    const MANY: usize = 1_000;
    let content = member(values, message, b"content")?;
    let mut texts = Vec::new();
    let mut count = 0;
    each_text(values, content.clone(), |text| {
        count += 1;
        if count <= MANY {
            texts.push(text);
        }
    })?;
    let mut reader = PromptReader::new(wanted);
    let mut scratch = Vec::new();
    let mut has_text = false;
    let mut read = |text: Range<usize>| {
        if reader.is_done() {
            return;
        }
        if std::mem::replace(&mut has_text, true) {
            reader.push(" ");
        }
        value::decode_pieces(values, text, &mut scratch, |piece| {
            reader.push(piece);
            reader.is_done()
        });
    };
    texts.into_iter().for_each(&mut read);
    if count > MANY {
        let mut number = 0;
        each_text(values, content, |text| {
            number += 1;
            if number > MANY {
                read(text);
            }
        })?;
    }
    let Prompt { beginning, folded, .. } = reader.finish();
    let human = !beginning.is_empty() && !NOT_HUMAN.iter().any(|prefix| beginning.starts_with(prefix));
    let text = folded.into_text();
    if human {
        return Some(Input::Prompt(text));
    }
    let (name, _) = text.strip_prefix(NAME.0)?.split_once(NAME.1)?;
    let name = name.trim_matches(' ');
    (!name.is_empty()).then(|| Input::Command(name.to_owned()))
}

/// Call `visit` with the range between the quotes of each of a message's texts; None if a tool wrote the
/// content.
fn each_text<V: Values + ?Sized>(
    values: &V,
    content: Range<usize>,
    mut visit: impl FnMut(Range<usize>),
) -> Option<()> {
    if let Some(text) = value::inside(values, content.clone()).filter(|text| values.decodes(text.clone())) {
        visit(text);
        return Some(());
    }
    let mut by_a_tool = false;
    value::elements(values, content.start, |block| {
        let (mut kind, mut text) = (0..0, None);
        let is_object = value::members(values, block.start, |key, value| match key {
            b"type" => kind = value,
            b"text" => text = value::inside(values, value),
            _ => {}
        });
        if is_object.is_some() {
            by_a_tool |= value::spells(values, kind.clone(), b"tool_result");
            if value::spells(values, kind, b"text")
                && let Some(text) = text.filter(|text| values.decodes(text.clone()))
            {
                visit(text);
            }
        }
    })?;
    (!by_a_tool).then_some(())
}

/// What is needed of a prompt's text.
#[derive(Clone)]
struct Prompt {
    /// The first characters, without white space before them.
    beginning: String,
    /// How many more characters `beginning` takes.
    room: usize,
    /// Whether the text goes on behind `beginning`, with more than white space.
    goes_on: bool,
    /// Whether what comes next is another word.
    begins_a_word: bool,
    folded: Folded,
}

impl Prompt {
    fn new(wanted: usize) -> Prompt {
        Prompt {
            beginning: String::new(),
            room: BEGINNING,
            goes_on: false,
            begins_a_word: false,
            folded: Folded::new(wanted),
        }
    }

    fn push(&mut self, text: &str) {
        if self.begins_a_word {
            let word = text.trim_start_matches(text::is_space);
            if !word.is_empty() {
                self.begins_a_word = false;
                self.append(" ");
                self.append(word);
            }
        } else {
            self.append(text);
        }
    }

    fn append(&mut self, text: &str) {
        self.folded.push(text);
        let text = if self.beginning.is_empty() { text.trim_start_matches(text::is_space) } else { text };
        let mut characters = text.chars();
        for c in characters.by_ref().take(self.room) {
            self.beginning.push(c);
            self.room -= 1;
        }
        self.goes_on = self.goes_on || characters.any(|c| !text::is_space(c));
    }

    /// Begin another word: one blank takes the place of the white space around here.
    fn next_word(&mut self) {
        if !self.goes_on {
            let whole = self.beginning.trim_end_matches(text::is_space).len();
            self.room += self.beginning[whole..].chars().count();
            self.beginning.truncate(whole);
        }
        self.begins_a_word = true;
    }

    fn is_full(&self) -> bool {
        self.folded.is_full() && self.room == 0
    }
}

/// The place in a text that a reader of it has come to.
#[derive(Clone, Copy)]
enum Place {
    /// The start, or the end of a context.
    Start,
    /// In a context that ends with this tag.
    Context(&'static str),
    Message,
    BeforeName,
    Name,
    BeforeArguments,
    Arguments,
    /// In a text that is a prompt as it stands.
    Text,
    /// Behind a command.
    Done,
}

/// A reader of a prompt's text, which comes in pieces cut anywhere.
struct PromptReader {
    place: Place,
    /// The bytes of the pieces that are not read yet, because a tag may begin in them.
    unread: String,
    /// The text behind the last context, as it stands.
    text: Prompt,
    /// The command with its arguments.
    command: Prompt,
    /// The same while the end of the arguments is not known.
    with_arguments: Prompt,
    wanted: usize,
}

impl PromptReader {
    fn new(wanted: usize) -> PromptReader {
        let [text, command, with_arguments] = [(); 3].map(|()| Prompt::new(wanted));
        PromptReader { place: Place::Start, unread: String::new(), text, command, with_arguments, wanted }
    }

    /// Return whether more text changes nothing.
    fn is_done(&self) -> bool {
        match self.place {
            Place::Text => self.text.is_full(),
            Place::Done => true,
            Place::BeforeArguments | Place::Arguments => self.command.is_full(),
            _ => false,
        }
    }

    fn push(&mut self, piece: &str) {
        let begins = || piece.trim_start_matches(text::is_space).bytes().next();
        if matches!(self.place, Place::Start) && self.unread.is_empty() && begins().is_some_and(|c| c != b'<')
        {
            // Most prompts are no more than that.
            self.place = Place::Text;
        }
        match self.place {
            Place::Text => return self.text.push(piece),
            Place::Done => return,
            _ => self.unread.push_str(piece),
        }
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        while let Some(length) = self.read(rest) {
            rest = &rest[length..];
        }
        if !matches!(self.place, Place::Text | Place::Done) {
            self.unread = rest.to_owned();
        }
    }

    /// Read some of the text and return its length; None if no more can be read before more is known.
    fn read(&mut self, rest: &str) -> Option<usize> {
        let space = rest.len() - rest.trim_start_matches(text::is_space).len();
        let next = &rest[space..];
        let (tags, otherwise): (&[(Tag, Place)], Place) = match self.place {
            Place::Start => (
                &[
                    (CONTEXT[0], Place::Context(CONTEXT[0].1)),
                    (CONTEXT[1], Place::Context(CONTEXT[1].1)),
                    (MESSAGE, Place::Message),
                ],
                Place::Text,
            ),
            Place::BeforeName => (&[(NAME, Place::Name)], Place::Text),
            Place::BeforeArguments => (&[(ARGUMENTS, Place::Arguments)], Place::Done),
            Place::Context(end) => return self.read_to(end, Place::Start, rest),
            Place::Message => return self.read_to(MESSAGE.1, Place::BeforeName, rest),
            Place::Name => return self.read_to(NAME.1, Place::BeforeArguments, rest),
            Place::Arguments => return self.read_to(ARGUMENTS.1, Place::Done, rest),
            Place::Text => {
                self.text.push(rest);
                return None;
            }
            Place::Done => return None,
        };
        if let Some(((tag, _), place)) = tags.iter().find(|((tag, _), _)| next.starts_with(tag)) {
            let length = space + tag.len();
            self.text.push(&rest[..length]);
            self.place = *place;
            if matches!(place, Place::Arguments) {
                self.with_arguments = self.command.clone();
                self.with_arguments.next_word();
            }
            return Some(length);
        }
        if tags.iter().any(|((tag, _), _)| tag.starts_with(next)) {
            // White space that goes on for ever is not to be kept.
            self.text.push(&rest[..space]);
            return (space > 0).then_some(space);
        }
        self.place = otherwise;
        Some(0)
    }

    /// Read what is inside a tag, up to its end, behind which the text is at `place`.
    fn read_to(&mut self, end: &str, place: Place, rest: &str) -> Option<usize> {
        let found = rest.find(end);
        // The end tag may begin in the last bytes.
        let inside = found.unwrap_or_else(|| floor(rest, (rest.len() + 1).saturating_sub(end.len())));
        match self.place {
            Place::Name => self.command.push(&rest[..inside]),
            Place::Arguments => self.with_arguments.push(&rest[..inside]),
            _ => {}
        }
        let read = inside + found.map_or(0, |_| end.len());
        self.text.push(&rest[..read]);
        if found.is_none() {
            return (read > 0).then_some(read);
        }
        match self.place {
            Place::Context(_) => self.text = Prompt::new(self.wanted),
            Place::Arguments => std::mem::swap(&mut self.command, &mut self.with_arguments),
            _ => {}
        }
        self.place = place;
        Some(read)
    }

    /// Return the prompt, once all of the text was pushed.
    fn finish(mut self) -> Prompt {
        match self.place {
            Place::BeforeArguments | Place::Arguments | Place::Done => self.command,
            _ => {
                self.text.push(&self.unread);
                self.text
            }
        }
    }
}

/// Return the last position up to `at` that is between two characters.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Return the prompt's folded text and its beginning, reading pieces of `piece` characters.
    fn read(text: &str, piece: usize, wanted: usize) -> (String, String) {
        let mut reader = PromptReader::new(wanted);
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(piece) {
            if reader.is_done() {
                break;
            }
            reader.push(&piece.iter().collect::<String>());
        }
        let prompt = reader.finish();
        (prompt.folded.into_text(), prompt.beginning)
    }

    /// Return the same from the whole text, by its definition.
    fn read_whole(text: &str, wanted: usize) -> (String, String) {
        let trim = |text: &str| text.trim_matches(text::is_space).to_owned();
        let mut rest = text.trim_start_matches(text::is_space);
        while let Some(behind) = CONTEXT
            .iter()
            .find_map(|(begin, end)| rest.strip_prefix(begin)?.split_once(end).map(|(_, behind)| behind))
        {
            rest = behind.trim_start_matches(text::is_space);
        }
        let command = || {
            let (_, behind) = rest.strip_prefix(MESSAGE.0)?.split_once(MESSAGE.1)?;
            let behind = behind.trim_start_matches(text::is_space);
            let (name, behind) = behind.strip_prefix(NAME.0)?.split_once(NAME.1)?;
            let behind = behind.trim_start_matches(text::is_space);
            let arguments = behind.strip_prefix(ARGUMENTS.0).and_then(|rest| rest.split_once(ARGUMENTS.1));
            Some(trim(&format!("{} {}", trim(name), trim(arguments.unwrap_or_default().0))))
        };
        let typed = command().unwrap_or_else(|| rest.to_owned());
        let mut folded = Folded::new(wanted);
        folded.push(&typed);
        (folded.into_text(), typed.chars().take(BEGINNING).collect())
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "<ide_opened_file>",
            "</ide_opened_file>",
            "<ide_opened_file>the user opened é</ide_opened_file>",
            "<ide_selection>",
            "</ide_selection>",
            "<ide_selection>\n{}\n</ide_selection>",
            "<ide_",
            "<command-message>",
            "</command-message>",
            "<command-message>review is running…</command-message>",
            "<command-name>",
            "</command-name>",
            "<command-name>/review</command-name>",
            "<command-args>",
            "</command-args>",
            "<command-args>PR 7</command-args>",
            "<command-args> \n</command-args>",
            "<command-name>  [Request  </command-name><command-args> interrupted</command-args>",
            "<bash-input>",
            " ",
            "\n\n",
            "\u{3000}",
            "<",
            "é",
            "a prompt",
            "😀",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn pieces_give_the_prompt_of_the_whole_text(text in text(), piece in 1..40_usize, wanted in 0..30_usize) {
            let (folded, beginning) = read(&text, piece, wanted);
            let (all, expected_beginning) = read_whole(&text, wanted);
            prop_assert_eq!(folded, all);
            // White space behind the text decides nothing.
            prop_assert_eq!(
                beginning.trim_end_matches(text::is_space),
                expected_beginning.trim_end_matches(text::is_space)
            );
        }
    }
}
