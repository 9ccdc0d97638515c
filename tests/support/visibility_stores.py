"""Make stores of transcripts of which a session list hides some, for every reason and several at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from support.session_traps import Record, assistant, filler, lines, user
from support.store_factory import key
from support.system import can_link

BEGAN = 1_772_000_000_000
DIRECTORIES = ("/home/ada/shop", "/home/ada/shop/web", "/home/ada/with_underscore", "/srv/日本")
ENTRYPOINTS = ("cli", "claude-desktop", "claude-vscode", "sdk-cli", "sdk-ts", "sdk-py", "sdk-other", "")
KINDS = ("interactive", "daemon", "daemon-worker", "daemon-other", "")
TEXTS = (
    "hello",
    "",
    " \n\t ",
    "\ufeff\u2028",
    "\x1c",
    "<b>bold</b> text",
    "< b> no tag",
    "<Tag> in capitals",
    "<tick>",
    "<goal> x",
    "<local-command-stdout>x</local-command-stdout>",
    "<command-name>/init</command-name>",
    "<command-name></command-name>",
    "<command-name>a\u2028b</command-name>",
    "say <command-name>/x</command-name>",
    "<bash-input>ls</bash-input>",
    "<bash-stdout>x</bash-stdout>",
    "[Request interrupted by user]",
    "[Request interrupted by user for tool use] and more",
    "<ide_opened_file>a.py</ide_opened_file>",
    "<ide_opened_file>a.py</ide_opened_file> fix it",
    "<ide_selection>x</ide_selection>\n",
    '<pasted_content id="ab12">\ntext\n</pasted_content id="ab12">',
    '<pasted_content id="ab12">\n<b> x\n</pasted_content id="ab12">',
    '<pasted_content id="ab12">\n\n</pasted_content id="ab12">',
    'see\n\n\n<pasted_content id="00ff">\n1\n2\n</pasted_content id="00ff">\n\n',
    '<pasted_content id="xyz1">\n1\n</pasted_content id="xyz1">',
    '<pasted_content id="ab12">\nnot closed',
    "<system-reminder>x</system-reminder>",
    "\u00a0<task-notification>",
)


def session_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def make_store(projects: Path, seed: int, count: int) -> None:
    """Write so many sessions, each with a few parts taken by chance, and files beside them."""
    dice = Random(seed)
    for number in range(count):
        session = session_id(number)
        data = _transcript(dice, session, count)
        for cwd in dice.sample(DIRECTORIES, dice.choices((1, 2), (9, 1))[0]):
            folder = projects / key(cwd)
            if dice.random() < 0.04:
                folder /= "nested"
            path = folder / f"{session}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            if can_link() and dice.random() < 0.03:
                (projects.parent / "linked").mkdir(exist_ok=True)
                (real := projects.parent / "linked" / f"{session}.jsonl").write_bytes(data)
                path.symlink_to(real)
            else:
                path.write_bytes(data)
            moment = (BEGAN + number * 1000) * 1_000_000
            os.utime(path, ns=(moment, moment))
            if dice.random() < 0.08:
                _put_title_beside(dice, path)
            data = data if dice.random() < 0.5 else _transcript(dice, session, count)
    if can_link():
        _link_a_folder(dice, projects, count)


def _link_a_folder(dice: Random, projects: Path, count: int) -> None:
    """Put some more sessions, and copies of others, into a project folder that is a link."""
    real = projects.parent / "real"
    real.mkdir(exist_ok=True)
    for number in (*range(count, count + 6), *dice.sample(range(count), 3)):
        (real / f"{session_id(number)}.jsonl").write_bytes(_transcript(dice, session_id(number), count))
    (projects / key("/home/ada/linked")).symlink_to(real, target_is_directory=True)


def _put_title_beside(dice: Random, path: Path) -> None:
    beside = path.with_suffix("")
    beside.mkdir(exist_ok=True)
    title: object = dice.choice(("Beside", "", "  ", "\u200b\u2028 \x07", "\ufeff", 7, None))
    content = dice.choice((json.dumps({"customTitle": title}), "[]", "{", ""))
    (beside / "custom-title.json").write_text(content, encoding="utf-8")


def _transcript(dice: Random, session: str, count: int) -> bytes:
    if dice.random() < 0.03:
        return dice.choice((b"", bytes(3000), b"\n", b"null\n", b"\xff\xfe{\x00}\x00"))
    parts = dice.choices(_PARTS, k=dice.randrange(1, 6))
    records: list[Record | str | bytes] = []
    for part in parts:
        records += part(dice, session, count)
    if dice.random() < 0.25:  # what is in the middle of a long file is not seen
        at = dice.randrange(len(records) + 1)
        records[at:at] = filler(session) * dice.choice((1, 2))
    spaced = dice.random() < 0.15
    data = lines(*(_spaced(one) if spaced and isinstance(one, dict) else one for one in records))
    return _damaged(dice, data) if dice.random() < 0.15 else data


def _spaced(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False)


def _damaged(dice: Random, data: bytes) -> bytes:
    """Return the bytes with some cut off, zeroed, glued or put in."""
    at = dice.randrange(len(data) + 1)
    kind = dice.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes(min(200, len(data) - at)) + data[at + 200 :]
    if kind == 2:
        return data.replace(b"\n", b"", 1)
    if kind == 3:
        return data[:at] + dice.choice((b'{"type":"', b"\xff", b"\\", b'"', b"}{", b"\r")) + data[at:]
    return b"\xef\xbb\xbf" + data


def _envelope(dice: Random) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if dice.random() < 0.5:
        more["entrypoint"] = dice.choice(ENTRYPOINTS)
    if dice.random() < 0.2:
        more["sessionKind"] = dice.choice(KINDS)
    for name, value in (("isSidechain", True), ("isMeta", True), ("isCompactSummary", True)):
        if dice.random() < 0.12:
            more[name] = value
    return more


def _content(dice: Random) -> Any:
    if dice.random() < 0.6:
        return dice.choice(TEXTS)
    blocks: list[Any] = [{"type": "text", "text": dice.choice(TEXTS)} for _ in range(dice.randrange(3))]
    if dice.random() < 0.3:
        blocks.append({"type": dice.choice(("image", "document", "other")), "source": {"data": "x"}})
    if dice.random() < 0.1:
        blocks.append({"type": "tool_result", "tool_use_id": "t"})
    if dice.random() < 0.05:
        blocks.insert(0, dice.choice((None, 7, "text", [])))
    return blocks


def _prompt(dice: Random, session: str, _: int) -> list[Record | str]:
    record = user(session, _content(dice), dice.randrange(60), **_envelope(dice))
    if dice.random() < 0.05:
        record["message"] = dice.choice((None, "text", [], {"content": None}))
    return [record]


def _answer(dice: Random, session: str, _: int) -> list[Record | str]:
    given = dice.choice(
        (
            {"title": "x"},
            {"customTitle": "nested"},
            {"lastPrompt": "nested"},
            {"entrypoint": "sdk-ts"},
            {"summary": "nested", "isSidechain": True},
        )
    )
    record = assistant(session, [{"type": "tool_use", "id": "t", "input": given}], 5, **_envelope(dice))
    if dice.random() < 0.5:
        record["message"]["stop_reason"] = dice.choice(("end_turn", None, 7))
    if dice.random() < 0.2:
        record["isApiErrorMessage"] = dice.choice((True, False, None))
    return [record]


def _state(dice: Random, session: str, _: int) -> list[Record | str]:
    value = dice.choice(("Named", "", None, 7))
    return [
        dice.choice(
            (
                {"type": "custom-title", "customTitle": value, "sessionId": session},
                {"sessionId": session, "customTitle": value, "type": "custom-title"},
                {"type": "ai-title", "aiTitle": value},
                {"type": "last-prompt", "lastPrompt": value},
                {"type": "summary", "summary": value, "leafUuid": "far"},
                {"type": "mode", "mode": "plan", "sessionId": session},
                {"type": "other", "customTitle": value, "lastPrompt": ""},
                {"type": "queue-operation", "content": '{"type":"custom-title","customTitle":"quoted"}'},
                {"type": "file-history-snapshot", "snapshot": {"aiTitle": "nested", "entrypoint": "sdk-cli"}},
            )
        )
    ]


def _continued(dice: Random, session: str, count: int) -> list[Record | str]:
    target: Any = dice.choice((session_id(dice.randrange(count + 20)), session, "../x", 7))
    mark = {"type": "continued-in", "timestamp": "2026-03-01T12:00:00.000Z", "sessionId": session}
    record: Record = mark | {"continuedInSessionId": target}
    return [record, *(_answer(dice, session, count) if dice.random() < 0.3 else [])]


def _odd(dice: Random, session: str, _: int) -> list[Record | str]:
    return [
        dice.choice(
            (
                '{"type":"user","message":{"content":NaN}}',
                '{"type":"user","message":{"content":"hi"},"n":' + "9" * 5000 + "}",
                '{"type":"user","message":{"content":"hi"}} trailing',
                '{"half":1{"type":"custom-title","customTitle":"Spliced"}',
                '{"half":[{"type":"custom-title","customTitle":"Nested"}',
                '"type":"user" "parentUuid": no JSON',
                '{"type":"custom-title","customTitle":"a\\ud83d"}',
                '{"entrypoint":"sdk\\u002dcli","parentUuid":null}',
                '{"x":"y","entrypoint":"sdk-ts',
                "",
                "null",
                "[]",
            )
        )
    ]


_PARTS: tuple[Callable[[Random, str, int], list[Record | str]], ...] = (
    *(_prompt,) * 4,
    *(_answer,) * 2,
    *(_state,) * 3,
    _continued,
    _odd,
)
