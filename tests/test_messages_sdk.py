"""Compare `conversation` and `get_session_messages` with both official SDKs.

The TypeScript SDK must give the same messages in the same order, on whatever the files hold. Each difference
of the Python SDK is listed; one that is not listed is an error, and so is one that does not occur any more.
"""

from __future__ import annotations

import inspect
import json
import pickle
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import claude_agent_sdk
import pytest
import sessscan
from support import conversation as twin
from support import typescript_sdk
from support.conversation_factory import damaged, lines, records
from support.conversation_parts import BOUNDARY, answer, call, file, name, prompt, result
from support.real_sessions import real_files
from support.rounds import rounds

pytestmark = pytest.mark.full

Record = dict[str, Any]


def session_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def put(projects: Path, files: Iterable[bytes]) -> list[str]:
    """Write transcripts and return their sessions' ids."""
    folder = projects / "-home-ada-shop"
    folder.mkdir(exist_ok=True)
    ids = []
    for number, data in enumerate(files):
        ids.append(session_id(number))
        (folder / f"{ids[-1]}.jsonl").write_bytes(data)
    return ids


def ours(data: bytes) -> list[twin.Message]:
    return [(message.type, message.uuid) for message in sessscan.conversation(data).messages]


def pythons(session: str) -> list[twin.Message]:
    return [(message.type, message.uuid) for message in claude_agent_sdk.get_session_messages(session)]


# The TypeScript SDK


def compare(projects: Path, files: Sequence[bytes]) -> int:
    """Hold the SDK, the core and the twin together; return how many messages there are in all."""
    count = 0
    theirs = typescript_sdk.session_messages(put(projects, files))
    for number, (data, said) in enumerate(zip(files, theirs, strict=True)):
        assert ours(data) == said, number
        assert twin.messages(data) == said, number
        count += len(said)
    return count


@typescript_sdk.needed
@rounds(2_000, thorough=100_000)
def test_random_conversations(projects: Path, rounds: int) -> None:
    chance = random.Random(1)
    assert compare(projects, [lines(chance, chance.choice((1, 5, 20, 80))) for _ in range(rounds)]) > rounds


@typescript_sdk.needed
@rounds(1_000, thorough=50_000)
def test_damaged_random_conversations(projects: Path, rounds: int) -> None:
    chance = random.Random(2)
    files = [damaged(lines(chance, 40), chance) for _ in range(rounds)]
    # Of two times of which one is none, the SDK tells which is first by how they are spelled.
    files = [data for data in files if all(times_are_times(record) for record in twin.parsed(data))]
    assert compare(projects, files) > rounds > len(files) > rounds * 0.8


def times_are_times(record: Record) -> bool:
    return "timestamp" not in record or twin.time_of(record) is not None


@typescript_sdk.needed
def test_large_conversations(projects: Path) -> None:
    files = []
    for seed in range(12):
        chance = random.Random(seed)
        pad = {"type": "x", "x": "x" * (6 * 2**20 // 80)}
        made = records(chance, 80)
        files.append(file(*(one for record in made for one in (record, pad))))
    assert compare(projects, files) > 50


@typescript_sdk.needed
@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder with transcripts")
@rounds(1_000, thorough=20_000)
def test_real_conversations_and_damaged_copies(projects: Path, rounds: int) -> None:
    whole = [path.read_bytes() for path in real_files()]
    assert compare(projects, whole) > len(whole)
    small = [data for data in whole if 1_000 < len(data) < 300_000]
    chance = random.Random(3)
    copies = [damaged(chance.choice(small), chance) for _ in range(rounds)]
    compare(projects, [data for data in copies if all(map(times_are_times, twin.parsed(data)))])


# The Python SDK


@dataclass(frozen=True)
class Difference:
    reason: str
    data: bytes
    theirs: list[int]
    ours: list[int]


def queued(number: int, parent: int) -> Record:
    attachment = {"type": "queued_command", "prompt": "go on"}
    return {key: value for key, value in prompt(number, parent).items() if key != "message"} | {
        "type": "attachment",
        "attachment": attachment,
    }


SEGMENT = {"preservedSegment": {"headUuid": name(2), "anchorUuid": name(80), "tailUuid": name(3)}}
KEPT = BOUNDARY | {"compactMetadata": SEGMENT}
PEER = {"isMeta": True, "origin": {"kind": "peer"}}
TURN = {"closesQuietTurn": True}
SILENT = {"message": {"role": "assistant", "content": [{"type": "text", "text": ""}]}}

DIFFERENCES = {
    "a queued command": Difference(
        "it makes no messages of queued commands",
        file(prompt(1, None), answer(2, 1, call("a")), queued(3, 2), result(4, 3, "a"), answer(5, 4)),
        [1, 2, 4, 5],
        [1, 2, 3, 4, 5],
    ),
    "preserved messages": Difference(
        "it leaves out what a compaction preserved",
        file(prompt(1, None), prompt(2, 1), answer(3, 2), KEPT, prompt(5, 80)),
        [5],
        [2, 3, 5],
    ),
    "a meta message at the end": Difference(
        "it prefers the last message that is not meta as the conversation's end",
        file(
            prompt(1, None), answer(2, 1), prompt(3, 1, isMeta=True), answer(4, 3), prompt(5, 4, isMeta=True)
        ),
        [1, 2],
        [1, 4],
    ),
    "a message of another session": Difference(
        "it hides what other sessions and channels said",
        file(prompt(1, None), prompt(2, 1, **PEER), answer(3, 2)),
        [1, 3],
        [1, 2, 3],
    ),
    "a silent end": Difference(
        "it shows an answer that says nothing",
        file(prompt(1, None), answer(2, 1) | SILENT | TURN),
        [1, 2],
        [1],
    ),
    "a byte that is not UTF-8": Difference(
        "it gives nothing of a file with a byte that is not UTF-8",
        file(prompt(1, None)).replace(b"prompt", b"\xff"),
        [],
        [1],
    ),
    "NULs before a record": Difference(
        "it drops a line that begins with NULs",
        file(prompt(1, None)) + b"\0" + file(answer(2, 1)),
        [1],
        [1, 2],
    ),
    "a constant that JSON does not have": Difference(
        "it takes `NaN` for JSON",
        file(prompt(1, None), answer(2, 1, x=float("nan"))),
        [1, 2],
        [1],
    ),
    "a side chain at the end": Difference(
        "it takes a record that only a side chain follows for one that goes on",
        file(prompt(1, None), answer(2, 1), prompt(3, 1), answer(4, 2), prompt(5, 4, isSidechain=True)),
        [1, 3],
        [1, 2, 4],
    ),
}
"""What the Python SDK gives otherwise. The reasons are in `python/docs/sdk.md` too."""


def numbers(messages: Iterable[twin.Message]) -> list[int]:
    return [int(uuid[:8], 16) for _, uuid in messages]


@pytest.mark.parametrize("case", DIFFERENCES)
def test_each_difference_of_the_python_sdk_occurs(projects: Path, case: str) -> None:
    difference = DIFFERENCES[case]
    [session] = put(projects, [difference.data])
    found = [one.uuid for one in sessscan.get_session_messages(session)]
    assert found == [uuid for _, uuid in ours(difference.data)]
    assert numbers(ours(difference.data)) == difference.ours
    assert found_by_python(session) == difference.theirs


def found_by_python(session: str) -> list[int]:
    try:
        return numbers(pythons(session))
    except UnicodeDecodeError:
        return []


@typescript_sdk.needed
def test_the_typescript_sdk_says_what_sessscan_does(projects: Path) -> None:
    compare(projects, [difference.data for difference in DIFFERENCES.values()])


def test_every_reason_is_documented() -> None:
    text = " ".join((Path(__file__).parent.parent / "python/docs/sdk.md").read_text(encoding="utf-8").split())
    assert [one.reason for one in DIFFERENCES.values() if one.reason not in text] == []


@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder with transcripts")
def test_real_conversations_differ_in_the_python_sdk_only_by_listed_reasons(projects: Path) -> None:
    files = [path.read_bytes() for path in real_files()]
    differing = 0
    for session, data in zip(put(projects, files), files, strict=True):
        theirs, own = pythons(session), ours(data)
        if theirs != own:
            differing += 1
            kinds = {json.dumps(record.get("type")) for record in twin.parsed(data)}
            assert kinds & {'"attachment"', '"progress"'} or b"isSidechain" in data, session
    assert differing < len(files) / 4


# `get_session_messages`


def test_the_arguments_and_fields_are_those_of_the_sdk() -> None:
    theirs = inspect.signature(claude_agent_sdk.get_session_messages).parameters
    own = inspect.signature(sessscan.get_session_messages).parameters
    shown = [(p.name, p.kind, p.default) for p in theirs.values()]
    assert [(p.name, p.kind, p.default) for p in own.values()][: len(shown)] == shown
    names = [(field.name, field.default) for field in fields(claude_agent_sdk.SessionMessage)]
    assert [(field.name, field.default) for field in fields(sessscan.SessionMessage)] == names


@pytest.mark.posix("paths of this platform are others")
def test_messages_are_those_of_the_python_sdk(projects: Path) -> None:
    data = file(prompt(1, None, sessionId="s"), answer(2, 1, call("a")), result(3, 2, "a"), answer(4, 3))
    [session] = put(projects, [data])
    theirs, own = claude_agent_sdk.get_session_messages(session), sessscan.get_session_messages(session)
    assert [vars(one) for one in own] == [vars(one) for one in theirs]
    assert all(isinstance(one, claude_agent_sdk.SessionMessage) for one in own)
    assert pickle.loads(pickle.dumps(own)) == own
    for limit, offset in ((None, 1), (2, 0), (2, 1), (0, 3), (9, 9), (None, -1)):
        page = claude_agent_sdk.get_session_messages(session, limit=limit, offset=max(offset, 0))
        assert [one.uuid for one in sessscan.get_session_messages(session, None, limit, offset)] == [
            one.uuid for one in page
        ]
    assert sessscan.get_session_messages(session, "/home/ada/shop") == own
    assert sessscan.get_session_messages(session, "/home/ada/other") == []
    assert sessscan.get_session_messages(session_id(9)) == sessscan.get_session_messages("../x") == []
    assert sessscan.get_session_messages(session, projects=projects) == own


def test_a_queued_command_is_a_message(projects: Path) -> None:
    [session] = put(projects, [DIFFERENCES["a queued command"].data])
    message = sessscan.get_session_messages(session)[2]
    assert (message.type, message.uuid) == ("user", name(3))
    assert message.message == {"role": "user", "content": "go on"}
