"""Compare `list_sessions` and `get_session_info` with those of the official TypeScript SDK, field by field.

The transcripts are those on which the Python SDK is compared (`test_sdk.py`), and some with files beside
them, which only the TypeScript SDK reads. A difference that is not listed is an error, and so is one that is
listed and does not occur any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import claude_agent_sdk
import pytest
import sessscan
from support import typescript_sdk
from support.real_sessions import copy_real_files, real_files, unexplained
from support.session_traps import PLAIN, TRAPS, Trap, assistant, filler, lines, user
from support.store_factory import build, key

pytestmark = [pytest.mark.full, typescript_sdk.needed]

BEGAN = 1_772_000_000_000
FIELDS = (
    "session_id", "summary", "last_modified", "file_size", "custom_title", "first_prompt", "git_branch",
    "cwd", "tag", "created_at", "archived",
)  # fmt: skip
SHOP = "/home/ada/shop"

REASONS = {
    "shell": "it shows `<bash-input>ls</bash-input>` as `! ls`",
    "tag": "It takes no text that begins with a tag for a prompt",
    "pasted": "it takes the tags off what was pasted",
    "units": "it counts characters beyond the first plane twice",
    "moved": "Of a session that was moved it gives the directory it was moved to",
    "linked": "It does not follow links to project folders",
    "rounded": "it rounds the milliseconds of `last_modified`",
}
"""What it does otherwise than the Python SDK, and than sessscan. In `python/docs/sdk.md` too."""

AS_THE_PYTHON_SDK = set(TRAPS) - {
    "title in a tool's input",
    "summary in a tool's input",
    "last prompt that is a tool's",
    "a tag that begins otherwise",
    "nothing but an image",
    "a shell's input",
    "an editor's context",
}
"""The traps on which it says what the Python SDK says. On the first five it says what sessscan says."""

OWN: dict[str, Trap] = {
    "a shell's input": Trap(
        "shell",
        TRAPS["a shell's input"].make,
        {"summary": ("! ls", "hello"), "first_prompt": ("! ls", "hello")},
    ),
    "a tag": Trap(
        "tag",
        lambda s: lines(user(s, "<b>bold</b> text"), user(s, "hello", 1)),
        {"summary": ("hello", "<b>bold</b> text"), "first_prompt": ("hello", "<b>bold</b> text")},
    ),
    "an editor's context": Trap("tag", TRAPS["an editor's context"].make, only="ours"),
    "pasted": Trap(
        "pasted",
        lambda s: lines(user(s, 'see <pasted_content id="ab12">\n1\n</pasted_content id="ab12">\n')),
        dict.fromkeys(
            ("summary", "first_prompt"),
            ("see 1", 'see <pasted_content id="ab12"> 1 </pasted_content id="ab12">'),
        ),
    ),
    "emoji": Trap(
        "units",
        lambda s: lines(user(s, "🚀" * 150)),
        dict.fromkeys(("summary", "first_prompt"), ("🚀" * 100 + "…", "🚀" * 150)),
    ),
    "moved": Trap(
        "moved",
        lambda s: lines(user(s, "hello"), {"type": "relocated", "relocatedCwd": "/new", "sessionId": s}),
        {"cwd": ("/new", SHOP)},
    ),
}


def session_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def put(projects: Path, number: int, data: bytes, *, cwd: str = SHOP) -> Path:
    """Write a transcript; a higher number gives a later mtime."""
    path = projects / key(cwd) / f"{session_id(number)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=((BEGAN + number * 1_000) * 1_000_000,) * 2)
    return path


def beside(path: Path, name: str, content: object) -> None:
    """Write a file into the folder that a transcript has beside it."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    data = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(data, encoding="utf-8")


def differences(theirs: Mapping[str, Any] | None, ours: sessscan.SessionInfo | None) -> dict[str, Any]:
    """Return by field what each says where they differ; under `listed` who lists it, if only one does."""
    if theirs is None or ours is None:
        return {} if theirs is ours else {"listed": "ours" if theirs is None else "theirs"}
    pairs = {name: (theirs.get(name), getattr(ours, name)) for name in FIELDS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def compared(projects: Path, files: Mapping[str, Callable[[str], bytes]]) -> dict[str, dict[str, Any]]:
    """Return the differences on each of some transcripts."""
    for number, make in enumerate(files.values(), 1):
        put(projects, number, make(session_id(number)))
    theirs = {one["session_id"]: one for one in typescript_sdk.list_sessions()}
    ours = {one.session_id: one for one in sessscan.list_sessions()}
    names = {session_id(number): name for number, name in enumerate(files, 1)}
    assert set(theirs) | set(ours) <= set(names)
    singles = dict(zip(names, typescript_sdk.get_session_infos(list(names)), strict=True))
    for session in names:
        single = differences(singles[session], sessscan.get_session_info(session))
        assert single == differences(theirs.get(session), ours.get(session)), names[session]
    return {name: differences(theirs.get(one), ours.get(one)) for one, name in names.items()}


# One transcript each


def test_plain_sessions_have_the_same_values(projects: Path) -> None:
    assert {name: found for name, found in compared(projects, PLAIN).items() if found} == {}


def test_each_trap_differs_as_is_listed(projects: Path) -> None:
    found = compared(
        projects, {name: trap.make for name, trap in TRAPS.items()} | {n: t.make for n, t in OWN.items()}
    )
    for name, trap in {**TRAPS, **OWN}.items():
        if name in OWN or name in AS_THE_PYTHON_SDK:
            expected = trap.differs if trap.only is None else {"listed": trap.only}
        else:
            expected = {}
        assert found[name] == expected, name


def test_every_reason_is_documented() -> None:
    text = " ".join((Path(__file__).parent.parent / "python/docs/sdk.md").read_text(encoding="utf-8").split())
    assert [reason for reason in REASONS.values() if reason not in text] == []
    assert {trap.reason for trap in OWN.values()} == set(REASONS) - {"linked", "rounded"}


def test_milliseconds_are_rounded(projects: Path) -> None:
    path = put(projects, 1, PLAIN["prompt"](session_id(1)))
    moment = BEGAN * 1_000_000 + 999_600
    os.utime(path, ns=(moment, moment))
    if path.stat().st_mtime_ns != moment:
        pytest.skip("this file system keeps no nanoseconds")
    [theirs], [ours] = typescript_sdk.list_sessions(), sessscan.list_sessions()
    assert differences(theirs, ours) == {"last_modified": (BEGAN + 1, BEGAN)}


def test_a_linked_project_folder_is_not_followed(projects: Path, tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "elsewhere", 1, PLAIN["prompt"](session_id(1)))
    (projects / key(SHOP)).symlink_to(elsewhere.parent)
    assert typescript_sdk.list_sessions() == []
    assert [one.session_id for one in sessscan.list_sessions()] == [session_id(1)]


# Files beside a transcript

NAMED = {"type": "custom-title", "customTitle": "In a line"}
TITLED = {"type": "ai-title", "aiTitle": "The model's"}

HELLO = user("", "hello")

TITLES: dict[str, tuple[Callable[[str], bytes], object, str]] = {
    "no line": (lambda s: lines(user(s, "hello")), {"customTitle": "Beside"}, "Beside"),
    "a line at the end": (
        lambda s: lines(user(s, "hello"), *filler(s), NAMED),
        {"customTitle": "x"},
        "In a line",
    ),
    "a line at the beginning": (lambda s: lines(NAMED, user(s, "x"), *filler(s)), {"customTitle": "B"}, "B"),
    "a short file": (lambda s: lines(user(s, "hello"), NAMED), {"customTitle": "x"}, "In a line"),
    "the model's title": (lambda s: lines(user(s, "hello"), TITLED), {"customTitle": "Beside"}, "Beside"),
    "controls": (
        lambda s: lines(user(s, "hello")),
        {"customTitle": " a\x07\u200b\nb\u2028c\u202ed  e ", "by": "user"},
        "a b c d  e",
    ),
    "long": (lambda s: lines(user(s, "hello")), {"customTitle": "ä" * 300}, "ä" * 200),
    "blank": (lambda s: lines(user(s, "hello")), {"customTitle": " \n "}, "hello"),
    "a number": (lambda s: lines(user(s, "hello")), {"customTitle": 7}, "hello"),
    "no JSON": (lambda s: lines(user(s, "hello")), "{", "hello"),
    "a list": (lambda s: lines(user(s, "hello")), ["x"], "hello"),
}


def test_titles_beside_transcripts(projects: Path) -> None:
    for number, (make, content, _) in enumerate(TITLES.values(), 1):
        beside(put(projects, number, make(session_id(number))), "custom-title.json", content)
    theirs = typescript_sdk.list_sessions()
    ours = sessscan.list_sessions()
    singles = typescript_sdk.get_session_infos([one.session_id for one in ours])
    for their, own, single in zip(theirs, ours, singles, strict=True):
        assert differences(their, own) == differences(single, own) == {}
    wanted = dict(zip(map(session_id, range(1, 99)), TITLES.values(), strict=False))
    assert {one.session_id: one.summary for one in ours} == {s: title for s, (_, _, title) in wanted.items()}
    others = {one.session_id: one.summary for one in claude_agent_sdk.list_sessions()}
    assert others[session_id(1)] == "hello"  # the Python SDK reads none of them


def at(minute: int) -> str:
    return f"2026-03-01T12:{minute:02}:00.000Z"


QUEUED = {"type": "queued_command", "prompt": "go on", "commandMode": "prompt"}


def queued(session: str, **more: Any) -> dict[str, Any]:
    record = {key: value for key, value in user(session, "", 9).items() if key != "message"}
    return record | {"type": "attachment", "attachment": QUEUED | more}


ARCHIVED = {"archived": True, "at": at(5)}

ARCHIVES: dict[str, tuple[Callable[[str], bytes], object, bool | None]] = {
    "archived": (lambda s: lines(user(s, "x", 1)), ARCHIVED, True),
    "not any more": (lambda s: lines(user(s, "x", 1)), {"archived": False, "at": at(5)}, False),
    "a later prompt": (
        lambda s: lines(user(s, "x", 1), user(s, "y", 9)),
        ARCHIVED,
        False,
    ),
    "a later answer": (
        lambda s: lines(user(s, "x", 1), assistant(s, [], 9)),
        ARCHIVED,
        True,
    ),
    "a later meta": (
        lambda s: lines(user(s, "x", 1), user(s, "y", 9, isMeta=True)),
        ARCHIVED,
        True,
    ),
    "a later result": (
        lambda s: lines(user(s, "x", 1), user(s, [{"type": "tool_result", "tool_use_id": "t"}], 9)),
        ARCHIVED,
        True,
    ),
    "a queued prompt": (lambda s: lines(user(s, "x", 1), queued(s)), ARCHIVED, False),
    "a queued note": (
        lambda s: lines(user(s, "x", 1), queued(s, isMeta=True)),
        ARCHIVED,
        True,
    ),
    "a task's note": (
        lambda s: lines(user(s, "x", 1), queued(s, origin={"kind": "task"})),
        ARCHIVED,
        True,
    ),
    "with an offset": (
        lambda s: lines(user(s, "x", 1)),
        {"archived": True, "at": "2026-03-01T14:00:00+02:00", "by": "user"},
        False,
    ),
    "no time": (lambda s: lines(user(s, "x", 1)), {"archived": True}, None),
    "a number": (lambda s: lines(user(s, "x", 1)), {"archived": 1, "at": at(5)}, None),
    "no JSON": (lambda s: lines(user(s, "x", 1)), "", None),
}


def test_archive_marks_beside_transcripts(projects: Path) -> None:
    for number, (make, content, _) in enumerate(ARCHIVES.values(), 1):
        beside(put(projects, number, make(session_id(number))), "archived.json", content)
    theirs = {one["session_id"]: one for one in typescript_sdk.list_sessions()}
    ours = {one.session_id: one for one in sessscan.list_sessions()}
    for number, (name, (_, _, wanted)) in enumerate(ARCHIVES.items(), 1):
        session = session_id(number)
        assert differences(theirs[session], ours[session]) == {}, name
        assert ours[session].archived is wanted, name


# Sessions that are hidden


def answer(session: str, minute: int, **more: Any) -> dict[str, Any]:
    record = assistant(session, [{"type": "text", "text": "done"}], minute, **more)
    return record | {"message": record["message"] | {"stop_reason": "end_turn"}}


def continued(session: str, to: str) -> dict[str, Any]:
    return {"type": "continued-in", "timestamp": at(3), "sessionId": session, "continuedInSessionId": to}


def test_sessions_that_go_on_elsewhere(projects: Path) -> None:
    other, stub, missing = session_id(90), session_id(91), session_id(92)
    files: dict[str, tuple[Callable[[str], list[Any]], bool]] = {
        "it goes on": (lambda s: [continued(s, other)], False),
        "in a stub": (lambda s: [continued(s, stub)], True),
        "in what is not there": (lambda s: [continued(s, missing)], True),
        "in no session": (lambda s: [continued(s, "../x")], True),
        "and was prompted again": (lambda s: [continued(s, other), user(s, "back", 5)], True),
        "and answered again": (lambda s: [continued(s, other), answer(s, 5)], True),
        "and got an error": (lambda s: [continued(s, other), answer(s, 5, isApiErrorMessage=True)], False),
        "and began to answer": (lambda s: [continued(s, other), assistant(s, [], 5)], False),
        "and was titled": (lambda s: [continued(s, other), NAMED], False),
        "in another one at last": (lambda s: [continued(s, missing), continued(s, other)], False),
    }
    put(projects, 90, lines(user(other, "on")))
    put(projects, 91, lines(NAMED))
    for number, (more, _) in enumerate(files.values(), 1):
        put(projects, number, lines(user(session_id(number), "hello"), *more(session_id(number))))
    theirs, ours = typescript_sdk.list_sessions(), sessscan.list_sessions()
    for their, own in zip(theirs, ours, strict=True):
        assert differences(their, own) == {}
    shown = {one.session_id for one in ours}
    for number, (name, (_, wanted)) in enumerate(files.items(), 1):
        assert (session_id(number) in shown) is wanted, name
    assert sessscan.get_session_info(session_id(1)) is not None
    assert typescript_sdk.get_session_infos([session_id(1)]) != [None]
    assert session_id(1) in {
        one.session_id for one in claude_agent_sdk.list_sessions()
    }  # it does not hide them


def test_sessions_of_programs(projects: Path) -> None:
    ways: dict[str, tuple[dict[str, Any], bool]] = {
        "terminal": ({"entrypoint": "cli"}, True),
        "nothing said": ({}, True),
        "Python": ({"entrypoint": "sdk-py"}, False),
        "TypeScript": ({"entrypoint": "sdk-ts"}, False),
        "command line": ({"entrypoint": "sdk-cli"}, False),
        "desktop": ({"entrypoint": "claude-desktop"}, True),
        "daemon": ({"entrypoint": "cli", "sessionKind": "daemon"}, False),
        "its worker": ({"sessionKind": "daemon-worker"}, False),
        "another kind": ({"sessionKind": "interactive"}, True),
    }
    for number, (more, _) in enumerate(ways.values(), 1):
        put(projects, number, lines({"type": "mode", "mode": "plan"}, user(session_id(number), "x", **more)))
    last = len(ways) + 1
    put(
        projects,
        last,
        lines(*(user(session_id(last), "x", n, entrypoint=e) for n, e in enumerate(("sdk-py", "cli")))),
    )
    for include in (True, False):
        theirs = typescript_sdk.list_sessions(includeProgrammatic=include)
        ours = sessscan.list_sessions(include_programmatic=include)
        assert [one["session_id"] for one in theirs] == [one.session_id for one in ours]
        shown = {one.session_id for one in ours}
        for number, (name, (_, wanted)) in enumerate(ways.items(), 1):
            assert (session_id(number) in shown) is (wanted or include), name
        assert (session_id(last) in shown) is include
    page = typescript_sdk.list_sessions(includeProgrammatic=False, limit=2, offset=1)
    ours = sessscan.list_sessions(None, 2, 1, include_programmatic=False)
    assert [one["session_id"] for one in page] == [one.session_id for one in ours] != []


# Whole stores


def compare_all(projects: Path) -> tuple[int, int]:
    """Compare all sessions; return how many there are, and how many differ, each by a listed reason."""
    theirs = {one["session_id"]: one for one in typescript_sdk.list_sessions()}
    ours = {one.session_id: one for one in sessscan.list_sessions()}
    differing = 0
    for path in projects.rglob("*.jsonl"):
        one, other = theirs.get(path.stem), ours.get(path.stem)
        if other is not None and Path(other.path) != path:
            continue  # an older copy
        assert unexplained(path, one, other) == [], (path, one, other)
        differing += bool(differences(one, other))
    return len(theirs.keys() | ours.keys()), differing


@pytest.mark.parametrize("seed", range(3))
def test_random_stores_differ_only_by_the_listed_reasons(tmp_path: Path, projects: Path, seed: int) -> None:
    world = build(tmp_path / "world", seed)
    projects.rmdir()
    world.projects.rename(projects)
    count, differing = compare_all(projects)
    assert differing < count


@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder with transcripts")
def test_real_transcripts_differ_only_by_the_listed_reasons(projects: Path) -> None:
    copy_real_files(projects)
    count, differing = compare_all(projects)
    assert differing < count
