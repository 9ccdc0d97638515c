"""Scan a transcript in plain Python: slow, short, and meant to be read.

This is written from the rules alone, with nothing but the standard library. The tests compare the core with
it on generated transcripts, and the benches give the core's speed as a multiple of its speed.

Every line goes through a full JSON parser, so the answers are those of `strict=True`: each byte of each value
is checked against RFC 8259.
"""

from __future__ import annotations

import datetime
import io
import json
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, BinaryIO

BOM = b"\xef\xbb\xbf"
PADDING = b"\0 \t\r"
PADDING_RUN = re.compile(rb"[\0 \t\r]*")
RECORD_BEGINS = re.compile(rb'\{"(?:parentUuid|type)":')
NUL_RUN = re.compile(rb"\0+")
MOST_DEFECTS = 10_000
UTF_16 = re.compile(rb"(?P<little>\xff\xfe|(?:[^\0]\0){8})|(?P<big>\xfe\xff|(?:\0[^\0]){8})", re.DOTALL)

PROMPT_LENGTH = 200

NOT_A_PROMPT = (
    "<command-name>",
    "<local-command",
    "[Request interrupted",
    "<task-notification>",
    "<bash-",
    "<system-reminder>",
    "<teammate-message",
)

CONTEXT = re.compile(
    r"\s*(?:<ide_opened_file>.*?</ide_opened_file>|<ide_selection>.*?</ide_selection>)", re.DOTALL
)
COMMAND = re.compile(
    # What is in a tag ends at the first end tag.
    r"(?><command-message>.*?</command-message>)\s*(?><command-name>(.*?)</command-name>)"
    r"(?:\s*<command-args>(.*?)</command-args>)?",
    re.DOTALL,
)

WORKTREE_KEYS = {
    "path": "worktreePath",
    "name": "worktreeName",
    "branch": "worktreeBranch",
    "original_cwd": "originalCwd",
    "original_branch": "originalBranch",
}


# --- Entry points ----------------------------------------------------------------------------------------


def scan(path: str | Path) -> dict[str, Any]:
    """Return the metadata of the transcript at `path`, whose session the file is named after."""
    with Path(path).open("rb") as stream:
        return _transcript(stream, str(path), Path(path).stem)


def scan_bytes(data: bytes, session_id: str | None = None) -> dict[str, Any]:
    """Return the metadata of a transcript whose content is `data`."""
    return _transcript(io.BytesIO(data), None, session_id)


def events(
    source: str | Path | bytes, kinds: Container[str] = ("title", "cwd", "timestamp")
) -> list[dict[str, Any]]:
    """Return the events of a transcript (a path, or its content), in order."""
    if isinstance(source, bytes):
        return _events(io.BytesIO(source), kinds)
    with Path(source).open("rb") as stream:
        return _events(stream, kinds)


def details(source: str | Path | bytes) -> Details:
    """The titles, directories, activity and uuids of a transcript (a path, or its content)."""
    if isinstance(source, bytes):
        return Details(io.BytesIO(source))
    with Path(source).open("rb") as stream:
        return Details(stream)


# --- From bytes to records --------------------------------------------------------------------------------


class Reading:
    """One pass over a transcript. Size, lines and defects are complete when `records` is exhausted."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.size = 0
        self.lines = 0
        self.defects: list[dict[str, Any]] = []

    def records(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Yield the line of each record, the offset of its first byte, and the record."""
        begin = self.stream.read(16)
        self.stream.seek(0)
        utf16 = UTF_16.match(begin)
        yield from self._utf16_records(utf16["big"] is not None) if utf16 else self._text_records(BOM)

    def _utf16_records(self, is_big: bool) -> Iterator[tuple[int, int, dict[str, Any]]]:
        data = self.stream.read()
        codec = "utf-16-be" if is_big else "utf-16-le"
        text = data[: len(data) // 2 * 2].decode(codec, "surrogatepass")
        mark = text.startswith("\ufeff")
        half = "\ufffd" if len(data) % 2 else ""
        utf8 = (LONE_SURROGATE.sub("\ufffd", text[mark:]) + half).encode()
        reading = Reading(io.BytesIO(utf8))
        for line, offset, record in reading._text_records(b""):
            yield line, 2 * mark + len(utf8[:offset].decode().encode(codec)), record
        self.size = len(data)
        self.lines = reading.lines
        self._defect("utf-16", 1, 0, len(data))

    def _text_records(self, mark: bytes) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Do the same for UTF-8. `mark` is dropped where the text begins with it."""
        for number, line in enumerate(self.stream, 1):  # a binary stream's lines end at 0x0A and nowhere else
            start = self.size
            self.size += len(line)
            if b"\0" in line:
                for run in NUL_RUN.finditer(line):
                    self._defect("nul-run", number, start + run.start(), len(run[0]))

            ended = line.endswith(b"\n")
            content = line.removesuffix(b"\n").removesuffix(b"\r") if ended else line
            if number == 1 and content.startswith(mark):
                content = content[len(mark) :]
                start += len(mark)
            padding = _after_padding(content, 0)
            if padding == len(content):
                continue
            self.lines += 1

            try:
                text = content.decode()
            except UnicodeDecodeError:
                self._defect("invalid-utf8", number, start, len(content))
                text = content.decode(errors="replace")

            found = _object_at(text, padding)
            if found and not text[found[1] :].strip(PADDING.decode()):
                yield number, start + padding, found[0]
            else:
                for at, record in self._damaged_line(content, number, start, ended):
                    yield number, start + at, record

    def _damaged_line(
        self, content: bytes, number: int, start: int, ended: bool
    ) -> list[tuple[int, dict[str, Any]]]:
        """Return the records of a line that is not one record, each with its offset in `content`."""
        head, rest = _objects(content, 0)
        if rest == len(content):
            self._defect("glued", number, start, len(content))
            return head
        tail, tail_begins = _tail(content, rest)
        if tail:
            self._defect("spliced", number, start + rest, tail_begins - rest)
        else:
            self._defect("invalid" if ended else "torn", number, start + rest, len(content) - rest)
        return head + tail

    def _defect(self, kind: str, line: int, offset: int, length: int) -> None:
        self.defects.append({"kind": kind, "line": line, "offset": offset, "length": length})


def _after_padding(content: bytes, at: int) -> int:
    return PADDING_RUN.match(content, at).end()  # type: ignore[union-attr]


def _objects(content: bytes, at: int) -> tuple[list[tuple[int, dict[str, Any]]], int]:
    """Return the complete objects that follow one another from `at` on, and where the rest begins."""
    # Latin-1 has one character for each byte, so offsets in the text are offsets in the file. What is JSON
    # stays the same: bytes above 0x7F are allowed in strings, where any character is, and nowhere else.
    text = content.decode("latin-1")
    objects: list[tuple[int, dict[str, Any]]] = []
    while True:
        at = _after_padding(content, at)
        found = _object_at(text, at)
        if found is None:
            return objects, at
        end = found[1]
        record, _ = _object_at(content[at:end].decode(errors="replace"), 0) or found
        objects.append((at, record))
        at = end


def _tail(content: bytes, rest: int) -> tuple[list[tuple[int, dict[str, Any]]], int]:
    """Return the first run of complete objects that reaches the line's end, and where it begins."""
    if not content.rstrip(PADDING).endswith(b"}"):
        return [], len(content)
    text = content.decode("latin-1")
    dead_ends: set[int] = set()
    for begin in RECORD_BEGINS.finditer(content, rest + 1):
        at = begin.start()
        run = []
        while at < len(content) and at not in dead_ends:
            run.append(at)
            found = _object_at(text, at)
            if found is None:
                break
            at = _after_padding(content, found[1])
        if at == len(content):
            return _objects(content, begin.start())[0], begin.start()
        dead_ends.update(run)
    return [], len(content)


# --- JSON -------------------------------------------------------------------------------------------------


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int | float:
    """Python refuses an int of more than 4,300 digits, JSON does not."""
    return int(digits) if len(digits) < 4_300 else float(digits)


DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse)
SPACE = re.compile(r"[ \t\n\r]*")
SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def _object_at(text: str, at: int) -> tuple[dict[str, Any], int] | None:
    """Return the complete JSON object that begins exactly at `at`, and where it ends."""
    if not text.startswith("{", at):
        return None
    try:
        return DECODER.raw_decode(text, at)
    except RecursionError:
        pass
    except ValueError:
        return None
    try:
        return _deep_object_at(text, at)
    except ValueError:
        return None


def _deep_object_at(text: str, at: int) -> tuple[dict[str, Any], int]:
    """Do the same without recursion, for objects nested deeper than Python's decoder allows."""
    containers: list[Any] = []
    keys: list[str] = []

    def after_space(at: int) -> int:
        return SPACE.match(text, at).end()  # type: ignore[union-attr]

    def read_key(at: int) -> int:
        at = after_space(at)
        if not text.startswith('"', at):
            raise ValueError("a key was expected")
        key, at = DECODER.raw_decode(text, at)
        at = after_space(at)
        if not text.startswith(":", at):
            raise ValueError("a colon was expected")
        keys.append(key)
        return at + 1

    while True:
        at = after_space(at)
        value: Any
        if text.startswith('"', at):
            value, at = DECODER.raw_decode(text, at)
        elif text.startswith(("{", "["), at):
            value = {} if text[at] == "{" else []
            closing = "}" if text[at] == "{" else "]"
            at = after_space(at + 1)
            if text.startswith(closing, at):
                at += 1
            else:
                containers.append(value)
                if closing == "}":
                    at = read_key(at)
                continue
        else:
            scalar = SCALAR.match(text, at)
            if scalar is None:
                raise ValueError("a value was expected")
            value = DECODER.decode(scalar[0])
            at = scalar.end()

        while containers:
            container = containers[-1]
            if isinstance(container, dict):
                container[keys.pop()] = value
            else:
                container.append(value)
            at = after_space(at)
            if text.startswith(",", at):
                at += 1
                if isinstance(container, dict):
                    at = read_key(at)
                break
            if not text.startswith("}" if isinstance(container, dict) else "]", at):
                raise ValueError("a comma or the end was expected")
            at += 1
            value = containers.pop()
        else:
            return value, at


# --- One record ------------------------------------------------------------------------------------------

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _string(record: dict[str, Any], key: str) -> str | None:
    """Return the value of a key if it is a string."""
    value = record.get(key)
    if not isinstance(value, str):
        return None
    return value if value.isascii() else LONE_SURROGATE.sub("\ufffd", value)


def _object(record: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Return the value of a key if it is an object."""
    value = record.get(key)
    return value if isinstance(value, dict) else None


TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
EPOCH = datetime.date(1970, 1, 1).toordinal()
DAYS_IN_400_YEARS = 146_097


def time_of(record: dict[str, Any]) -> int | None:
    """Return the top-level timestamp in epoch milliseconds, if it is an RFC 3339 time."""
    match = TIME.fullmatch(_string(record, "timestamp") or "")
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, zone_hour, zone_minute = match.groups()[6:]
    # A second of 60 is a leap second, counted as the second after :59.
    if hour > 23 or minute > 59 or second > 60 or int(zone_hour or 0) > 23 or int(zone_minute or 0) > 59:
        return None
    try:
        # Python has no year 0, and the calendar repeats every 400 years.
        day_number = datetime.date(year or 400, month, day).toordinal() - (0 if year else DAYS_IN_400_YEARS)
    except ValueError:
        return None
    minutes = ((day_number - EPOCH) * 24 + hour) * 60 + minute
    offset = int(zone_hour or 0) * 60 + int(zone_minute or 0)
    minutes -= -offset if sign == "-" else offset
    return (minutes * 60 + second) * 1000 + int((fraction or "").ljust(3, "0")[:3])


def _human_text(record: dict[str, Any]) -> str | None:
    """Return the text of a user record, unless a tool wrote it."""
    message = _object(record, "message")
    if record.get("type") != "user" or record.get("toolUseResult") is not None or message is None:
        return None
    if any(record.get(flag) is True for flag in ("isMeta", "isCompactSummary", "isSidechain")):
        return None
    text = _string(message, "content")
    if text is None:
        content = message.get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        if any(block.get("type") == "tool_result" for block in blocks):
            return None
        texts = [_string(block, "text") for block in blocks if block.get("type") == "text"]
        text = " ".join(text for text in texts if text is not None)
    return text


def _typed(text: str) -> str:
    """Return what was typed of a text: a command that goes to the model, or all but the editor's context."""
    while context := CONTEXT.match(text):
        text = text[context.end() :]
    text = text.lstrip()
    command = COMMAND.match(text)
    return " ".join((part or "").strip() for part in command.groups()).strip() if command else text


def _human_prompt(text: str | None) -> str | None:
    """Return the text if a person typed it."""
    return None if text is None or not text.strip() or text.startswith(NOT_A_PROMPT) else text


def _command(text: str | None) -> str | None:
    """Return the slash command that the text begins with, if the first characters hold its whole name."""
    match = re.match(
        "<command-name>(.*?)</command-name>", " ".join((text or "").split())[: PROMPT_LENGTH + 1]
    )
    return match[1].strip(" ") or None if match else None


def _given_title(record: dict[str, Any]) -> tuple[str, str] | None:
    """Return the title of a title record, and its source: `custom` or `ai`."""
    if record.get("type") == "custom-title" and (title := _string(record, "customTitle")):
        return title, "custom"
    if record.get("type") == "ai-title" and (title := _string(record, "aiTitle")):
        return title, "ai"
    return None


# --- All records -----------------------------------------------------------------------------------------


def _transcript(stream: BinaryIO, path: str | None, session_id: str | None) -> dict[str, Any]:
    reading = Reading(stream)
    records = own_records = turns = 0
    titles: dict[str, str] = {}
    summaries: list[tuple[str, str]] = []
    uuids: list[str] = []
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    worktree: dict[str, str | None] | None = None
    first_prompt: str | None = None
    first_command: str | None = None
    times: list[int] = []
    own_times: list[int] = []
    continued_at: int | None = None
    sidechain: list[bool] = []

    for _, _, record in reading.records():
        records += 1
        kind = record.get("type")
        own = session_id is not None and _string(record, "sessionId") == session_id
        own_records += own

        for key in ("cwd", "gitBranch", "version", "entrypoint"):
            if value := _string(record, key):
                first.setdefault(key, value)
                last[key] = value
        if kind == "relocated" and (value := _string(record, "relocatedCwd")):
            last["relocatedCwd"] = value
        if kind == "tag" and (value := _string(record, "tag")) is not None:
            last["tag"] = value
        if kind == "last-prompt" and (value := _string(record, "lastPrompt")):
            last["lastPrompt"] = value
        if kind == "continued-in" and (value := _string(record, "continuedInSessionId")):
            last["continuedIn"] = value
            continued_at = time_of(record)
        if kind == "assistant" and (message := _object(record, "message")) is not None:
            model = _string(message, "model")
            if model and model != "<synthetic>":
                last["model"] = model
        if kind == "worktree-state" and (session := _object(record, "worktreeSession")) is not None:
            worktree = {name: _string(session, key) for name, key in WORKTREE_KEYS.items()}

        if given := _given_title(record):
            titles[given[1]] = given[0]
        if kind == "summary":
            leaf, summary = _string(record, "leafUuid"), _string(record, "summary")
            if leaf is not None and summary is not None:
                summaries.append((leaf, summary))
        if (uuid := _string(record, "uuid")) is not None:
            uuids.append(uuid)

        if (time := time_of(record)) is not None:
            times.append(time)
            if own:
                own_times.append(time)
        text = _human_text(record)
        text = None if text is None else _typed(text)
        if (prompt := _human_prompt(text)) is not None:
            turns += 1
            if first_prompt is None:
                first_prompt = " ".join(prompt.split())
        elif first_command is None:
            first_command = _command(text)
        if "parentUuid" in record:
            sidechain.append(record.get("isSidechain") is True)

    known = set(uuids)
    for leaf, summary in summaries:
        if leaf in known:
            titles["summary"] = summary
    first_prompt_is_cut = first_prompt is not None and len(first_prompt) > PROMPT_LENGTH
    if first_prompt is not None:
        first_command = None
        first_prompt = titles["prompt"] = first_prompt[:PROMPT_LENGTH]
    title_source = next((s for s in ("custom", "ai", "summary", "prompt") if titles.get(s)), None)
    named = [uuid for uuid in uuids if uuid]
    relevant_times = own_times or times

    return {
        "path": path,
        "size": reading.size,
        "session_id": session_id,
        "lines": reading.lines,
        "records": records,
        "custom_title": titles.get("custom"),
        "ai_title": titles.get("ai"),
        "summary": titles.get("summary"),
        "first_prompt": first_prompt,
        "title": titles[title_source] if title_source else None,
        "title_source": title_source,
        "cwd": first.get("cwd"),
        "last_cwd": last.get("cwd"),
        "git_branch": last.get("gitBranch"),
        "version": last.get("version"),
        "entrypoint": last.get("entrypoint"),
        "model": last.get("model"),
        "worktree": worktree,
        "created_at": min(relevant_times, default=None),
        "last_activity_at": max(relevant_times, default=None),
        "turns": turns,
        "is_sidechain": bool(sidechain) and all(sidechain),
        "defects": sorted(reading.defects, key=lambda d: (d["line"], d["offset"], d["length"], d["kind"]))[
            :MOST_DEFECTS
        ],
        "defect_count": len(reading.defects),
        "born_in": first.get("entrypoint"),
        "relocated_cwd": last.get("relocatedCwd"),
        "tag": last.get("tag") or None,
        "last_prompt": last.get("lastPrompt"),
        "continued_in": last.get("continuedIn"),
        "continued_at": continued_at,
        "first_prompt_is_cut": first_prompt_is_cut,
        "first_command": first_command,
        "first_uuid": named[0] if named else None,
        "last_uuid": named[-1] if named else None,
        "own_records": own_records,
    }


def _events(stream: BinaryIO, kinds: Container[str]) -> list[dict[str, Any]]:
    found = []
    cwd = None
    for line, offset, record in Reading(stream).records():
        said: list[tuple[str, Any, str | None]] = []
        if given := _given_title(record):
            said.append(("title", *given))
        if (here := _string(record, "cwd")) and here != cwd:
            cwd = here
            said.append(("cwd", here, None))
        if (time := time_of(record)) is not None:
            said.append(("timestamp", time, None))
        found += [
            {"line": line, "offset": offset, "kind": kind, "value": value, "source": source}
            for kind, value, source in said
            if kind in kinds
        ]
    return found


# --- Details ----------------------------------------------------------------------------------------------

SPAN_GAP = 60_000
"""Milliseconds; times closer together are one span of activity."""


class Details:
    """What the records of a transcript say, all of it kept: nothing here is bounded."""

    def __init__(self, stream: BinaryIO) -> None:
        self.titles: list[tuple[int, str, str, int | None]] = []
        self.cwds: list[tuple[int, str]] = []
        self.records: list[tuple[str, str]] = []
        """Of each record with a uuid: the uuid, and its session id in lower case."""
        self._said: list[tuple[int, tuple[str, str] | None, int | None]] = []
        """Of each record: its line, the title it gives with its source, its time."""
        before: dict[str, str] = {}
        last_time = None
        for line, _, record in Reading(stream).records():
            given, time = _given_title(record), time_of(record)
            self._said.append((line, given, time))
            if given and before.get(given[1]) != given[0]:
                before[given[1]] = given[0]
                self.titles.append((line, given[1], given[0], last_time))
            if (cwd := _string(record, "cwd")) and (not self.cwds or self.cwds[-1][1] != cwd):
                self.cwds.append((line, cwd))
            if uuid := _string(record, "uuid"):
                self.records.append((uuid, (_string(record, "sessionId") or "").lower()))
            last_time = last_time if time is None else time

    def title_line(self, source: str, value: str) -> int | None:
        lines = [line for line, given, _ in self._said if given == (value, source)]
        return lines[-1] if lines else None

    def title_at(self, source: str, time: float) -> str | None:
        then = current = None
        for _, given, at in self._said:
            if given and given[1] == source:
                current = given[0]
            if at is not None and at > time:
                break
            if at is not None:
                then = current
        return then

    @property
    def activity(self) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for time in sorted(time for _, _, time in self._said if time is not None):
            if spans and time - spans[-1][1] < SPAN_GAP:
                spans[-1] = spans[-1][0], time
            else:
                spans.append((time, time))
        return spans

    @property
    def uuid_count(self) -> int:
        return len({uuid for uuid, _ in self.records})

    def count_shared(self, other: Details) -> int:
        return len({uuid for uuid, _ in self.records} & {uuid for uuid, _ in other.records})

    def count_shared_under(self, other: Details, session_id: str | None = None) -> int:
        theirs = {uuid for uuid, _ in other.records}
        return sum(uuid in theirs and session_id in (None, own) for uuid, own in self.records)
