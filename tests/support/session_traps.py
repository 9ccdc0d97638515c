"""Make transcripts on which the official SDK's session list and sessscan's differ, each with the reason.

A trap says what either gives for each field in which they differ. The texts of `REASONS` are in
`python/docs/sdk.md` too. On all of `PLAIN` there is no difference at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Record = dict[str, Any]

REASONS = {
    "middle": "it reads 64 KiB at each end of a file, and misses a title, tag or branch between them",
    "nested": "it takes a key inside a tool's input or result for a key of the session",
    "foreign": "it takes an old summary of another conversation for the title",
    "order": "it takes the first time in the file for the creation, though times are not in "
    "order and some belong to other sessions",
    "command": "for a session that began with a slash command it shows the next prompt that is no command",
    "prompt": "it has other rules for what a person typed: `<bash-input>` counts as a prompt, "
    "`<tick>` does not",
    "arguments": "of a slash command it shows no arguments",
    "editor": "it takes what an editor puts before a prompt for a part of it",
    "spelled": "it takes a line for a tag, a prompt or a sidechain only if the CLI would spell it just so",
    "emptied": "an empty title makes it forget the title before",
    "sidechain": "it decides by the first line alone whether a transcript is a subagent's",
    "damaged": "it misses what a damaged line holds",
    "picture": "it does not list a session whose prompts are nothing but images or documents",
    "surrogate": "it keeps half of a surrogate pair, which cannot be printed",
}


def user(session: str, text: Any, minute: int = 0, **more: Any) -> Record:
    """Make a prompt, with the envelope last, as the CLI has written it since 2.1.76."""
    record: Record = {"parentUuid": None, "isSidechain": False, "type": "user"}
    record |= {"message": {"role": "user", "content": text}, "uuid": f"u-{minute}"}
    record["timestamp"] = f"2026-03-01T12:{minute:02}:00.000Z"
    return record | {"cwd": "/home/ada/shop", "sessionId": session, "gitBranch": "main"} | more


def assistant(session: str, content: list[Any], minute: int = 1, **more: Any) -> Record:
    record = user(session, "", minute) | {"type": "assistant"}
    return record | {"message": {"role": "assistant", "model": "m", "content": content}} | more


def lines(*records: Record | str | bytes) -> bytes:
    """Return records as the bytes of a file; text gets a line end, bytes stay as they are."""
    out = b""
    for record in records:
        if isinstance(record, bytes):
            out += record
        else:
            text = record if isinstance(record, str) else json.dumps(record, separators=(",", ":"))
            out += text.encode("utf-8", "surrogatepass") + b"\n"
    return out


def filler(session: str) -> list[Record]:
    """Make more than the SDK reads at either end of a file."""
    return [assistant(session, [{"type": "text", "text": "x" * 7_000}], 2) for _ in range(20)]


def tool(**given: Any) -> list[Any]:
    return [{"type": "tool_use", "id": "t", "name": "Bash", "input": given}]


@dataclass(frozen=True)
class Trap:
    """A transcript on which the SDK and sessscan differ."""

    reason: str
    """A key of `REASONS`."""
    make: Callable[[str], bytes]
    """Makes the file of a session with this id."""
    differs: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """By field the SDK's value and sessscan's."""
    only: Literal["theirs", "ours"] | None = None
    """Who lists it, if only one does: the SDK or sessscan."""


def _both(text: str) -> dict[str, tuple[Any, Any]]:
    return {"summary": ("hello", text), "custom_title": (None, text)}


PLAIN: dict[str, Callable[[str], bytes]] = {
    "prompt": lambda s: lines(user(s, "hello"), assistant(s, [{"type": "text", "text": "hi"}])),
    "long prompt": lambda s: lines(user(s, "word " * 90)),
    "prompt of 200 characters": lambda s: lines(user(s, "é" * 200)),
    "prompt of two lines": lambda s: lines(user(s, "one\ntwo")),
    "blanks in a row": lambda s: lines(user(s, " one  \t two\n\n three ")),
    "long prompt with blanks": lambda s: lines(user(s, "word  \n" * 90)),
    "blanks in blocks": lambda s: lines(
        user(s, [{"type": "text", "text": " "}, {"type": "text", "text": "one  two"}])
    ),
    "an editor's context in a block": lambda s: lines(
        user(
            s,
            [
                {"type": "text", "text": "<ide_selection>x</ide_selection>"},
                {"type": "text", "text": "fix  it"},
            ],
        )
    ),
    "prompt in blocks": lambda s: lines(user(s, [{"type": "text", "text": "hello"}])),
    "custom title": lambda s: lines(
        user(s, "hello"),
        {"type": "custom-title", "customTitle": "A „name“", "sessionId": s},
        {"type": "ai-title", "aiTitle": "not this", "sessionId": s},
    ),
    "model's title": lambda s: lines(user(s, "x"), {"type": "ai-title", "sessionId": s, "aiTitle": "Ä"}),
    "last prompt": lambda s: lines(user(s, "x"), {"type": "last-prompt", "lastPrompt": "y", "sessionId": s}),
    "its own summary": lambda s: lines(user(s, "x"), {"type": "summary", "summary": "S", "leafUuid": "u-0"}),
    "tag": lambda s: lines(user(s, "x"), *({"type": "tag", "tag": t, "sessionId": s} for t in "ab")),
    "tag that was taken away": lambda s: lines(
        user(s, "x"), *({"type": "tag", "tag": t, "sessionId": s} for t in ("a", ""))
    ),
    "nothing but a command": lambda s: lines(
        user(s, "<command-name>/goal</command-name>\n<command-args></command-args>")
    ),
    "a command with its message": lambda s: lines(
        user(s, "<command-message>init is running</command-message>\n<command-name>/init</command-name>")
    ),
    "a command, then a prompt": lambda s: lines(
        user(s, "<command-name>/clear</command-name>"), user(s, "hello", 1)
    ),
    "by the machine": lambda s: lines(user(s, "no", isMeta=True), user(s, "yes", 1)),
    "branch changed": lambda s: lines(user(s, "x"), user(s, "y", 1, gitBranch="b")),
    "directory changed": lambda s: lines(user(s, "x"), user(s, "y", 1, cwd="/elsewhere")),
    "no directory": lambda s: lines({k: v for k, v in user(s, "x").items() if k != "cwd"}),
    "no time": lambda s: lines({k: v for k, v in user(s, "x").items() if k != "timestamp"}),
    "large": lambda s: lines(user(s, "hello"), *filler(s), {"type": "ai-title", "aiTitle": "T"}),
    "torn": lambda s: lines(user(s, "hello"), b'{"parentUuid":"u-0","isSidech'),
    # Neither lists these.
    "empty": lambda s: b"",
    "subagent": lambda s: lines(user(s, "x", isSidechain=True)),
    "begun by a subagent's line": lambda s: lines(user(s, "no", isSidechain=True), user(s, "hello", 1)),
    "only state": lambda s: lines({"type": "mode", "mode": "plan", "sessionId": s}),
    "zeros": lambda s: bytes(5_000),
}

TRAPS: dict[str, Trap] = {
    "title in the middle": Trap(
        "middle",
        lambda s: lines(
            user(s, "hello"), *filler(s), {"type": "custom-title", "customTitle": "Named"}, *filler(s)
        ),
        _both("Named"),
    ),
    "custom title in the middle, model's at the end": Trap(
        "middle",
        lambda s: lines(
            user(s, "hello"),
            *filler(s),
            {"type": "custom-title", "customTitle": "Named"},
            *filler(s),
            {"type": "ai-title", "aiTitle": "Found"},
        ),
        {"summary": ("Found", "Named"), "custom_title": ("Found", "Named")},
    ),
    "last prompt in the middle": Trap(
        "middle",
        lambda s: lines(
            user(s, "hello"), *filler(s), {"type": "last-prompt", "lastPrompt": "later"}, *filler(s)
        ),
        {"summary": ("hello", "later")},
    ),
    "tag in the middle": Trap(
        "middle",
        lambda s: lines(user(s, "hello"), {"type": "tag", "tag": "kept"}, *filler(s)),
        {"tag": (None, "kept")},
    ),
    "branch in the middle": Trap(
        "middle",
        lambda s: lines(
            user(s, "hello"),
            *filler(s),
            user(s, "x", 3, gitBranch="feature"),
            *({"type": "system", "content": "x" * 7_000} for _ in range(20)),
        ),
        {"git_branch": ("main", "feature")},
    ),
    "first prompt beyond the head": Trap(
        "middle",
        lambda s: lines(*filler(s), user(s, "hello", 3)),
        only="ours",
    ),
    "title in a tool's input": Trap(
        "nested",
        lambda s: lines(user(s, "hello"), assistant(s, tool(type="custom-title", customTitle="no title"))),
        {"summary": ("no title", "hello"), "custom_title": ("no title", None)},
    ),
    "summary in a tool's input": Trap(
        "nested",
        lambda s: lines(user(s, "hello"), assistant(s, tool(summary="I did it"))),
        {"summary": ("I did it", "hello")},
    ),
    "directory in a tool's input": Trap(
        "nested",
        lambda s: lines(assistant(s, tool(cwd="/not/here"), 0), user(s, "hello", 1)),
        {"cwd": ("/not/here", "/home/ada/shop")},
    ),
    "branch in a tool's input": Trap(
        "nested",
        lambda s: lines(user(s, "hello"), assistant(s, [], 1) | {"toolUseResult": {"gitBranch": "other"}}),
        {"git_branch": ("other", "main")},
    ),
    "time in a snapshot": Trap(
        "nested",
        lambda s: lines(
            {"type": "file-history-snapshot", "snapshot": {"timestamp": "2020-01-01T00:00:00.000Z"}},
            user(s, "hello"),
        ),
        {"created_at": (1_577_836_800_000, 1_772_366_400_000)},
    ),
    "last prompt that is a tool's": Trap(
        "nested",
        lambda s: lines(user(s, "hello"), assistant(s, tool(lastPrompt="no"))),
        {"summary": ("no", "hello")},
    ),
    "summary of another conversation": Trap(
        "foreign",
        lambda s: lines({"type": "summary", "summary": "Other", "leafUuid": "far"}, user(s, "hello")),
        {"summary": ("Other", "hello")},
    ),
    "nothing but such summaries": Trap(
        "foreign",
        lambda s: lines({"type": "summary", "summary": "Other", "leafUuid": "far"}),
        only="theirs",
    ),
    "times not in order": Trap(
        "order",
        lambda s: lines(user(s, "hello", 9), user(s, "x", 3)),
        {"created_at": (1_772_366_940_000, 1_772_366_580_000)},
    ),
    "copied from another session": Trap(
        "order",
        lambda s: lines(user("another", "hello", 0), user(s, "x", 3)),
        {"created_at": (1_772_366_400_000, 1_772_366_580_000)},
    ),
    "a command's message, then a prompt": Trap(
        "command",
        lambda s: lines(
            user(s, "<command-message>a</command-message>\n<command-name>/init</command-name>"),
            user(s, "hello", 1),
        ),
        {"summary": ("hello", "/init"), "first_prompt": ("hello", "/init")},
    ),
    "a command with arguments": Trap(
        "arguments",
        lambda s: lines(
            user(
                s,
                "<command-message>a</command-message> <command-name>/review</command-name> "
                "<command-args>PR 7</command-args>",
            )
        ),
        {"summary": ("/review", "/review PR 7"), "first_prompt": ("/review", "/review PR 7")},
    ),
    "an editor's context": Trap(
        "editor",
        lambda s: lines(user(s, "<ide_opened_file>a.py</ide_opened_file>\nfix  it")),
        dict.fromkeys(
            ("summary", "first_prompt"),
            ("<ide_opened_file>a.py</ide_opened_file> fix  it", "fix  it"),
        ),
    ),
    "a command's name in a prompt": Trap(
        "command",
        lambda s: lines(user(s, "why <command-name>/x</command-name>?"), user(s, "hello", 1)),
        {
            "summary": ("hello", "why <command-name>/x</command-name>?"),
            "first_prompt": ("hello", "why <command-name>/x</command-name>?"),
        },
    ),
    "a shell's input": Trap(
        "prompt",
        lambda s: lines(user(s, "<bash-input>ls</bash-input>"), user(s, "hello", 1)),
        {
            "summary": ("<bash-input>ls</bash-input>", "hello"),
            "first_prompt": ("<bash-input>ls</bash-input>", "hello"),
        },
    ),
    "a tick": Trap(
        "prompt",
        lambda s: lines(user(s, "<tick>"), user(s, "hello", 1)),
        {"summary": ("hello", "<tick>"), "first_prompt": ("hello", "<tick>")},
    ),
    "a tag that begins otherwise": Trap(
        "spelled",
        lambda s: lines(user(s, "hello"), {"sessionId": s, "type": "tag", "tag": "kept"}),
        {"tag": (None, "kept")},
    ),
    "a prompt that quotes the format": Trap(
        "spelled",
        lambda s: lines(user(s, "hello", more=["tool_result"]), user(s, "later", 1)),
        {"summary": ("later", "hello"), "first_prompt": ("later", "hello")},
    ),
    "an empty title": Trap(
        "emptied",
        lambda s: lines(
            user(s, "hello"), *({"type": "custom-title", "customTitle": title} for title in ("Named", ""))
        ),
        _both("Named"),
    ),
    "a subagent's after a state line": Trap(
        "sidechain",
        lambda s: lines({"type": "mode", "mode": "plan"}, user(s, "hello", isSidechain=True)),
        only="theirs",
    ),
    "two records on a line": Trap(
        "damaged",
        lambda s: lines(lines(user(s, "hello"))[:-1] + lines(user(s, "x", 1)), user(s, "later", 2)),
        {"summary": ("later", "hello"), "first_prompt": ("later", "hello")},
    ),
    "zeros before a prompt": Trap(
        "damaged",
        lambda s: lines(bytes(300) + lines(user(s, "hello")), user(s, "later", 2)),
        {"summary": ("later", "hello"), "first_prompt": ("later", "hello")},
    ),
    "nothing but an image": Trap(
        "picture",
        lambda s: lines(user(s, [{"type": "image", "source": {"type": "base64", "data": "x"}}])),
        only="ours",
    ),
    "half a surrogate pair": Trap(
        "surrogate",
        lambda s: lines(user(s, "hello"), '{"type":"custom-title","customTitle":"a\\ud83d"}'),
        {"summary": ("a\ud83d", "a\ufffd"), "custom_title": ("a\ud83d", "a\ufffd")},
    ),
}
