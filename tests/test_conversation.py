"""Compare `conversation` with the plain-Python twin, and say what is not reached, and why."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sessscan
from hypothesis import strategies as st
from sessscan import _core
from sessscan.scan_cache import conversations
from sessscan.scan_cache.conversations import check_many
from support import conversation as twin
from support.conversation_factory import damaged, lines, records
from support.conversation_parts import BOUNDARY, answer, call, file, name, prompt, result
from support.real_sessions import real_files
from support.rounds import examples

Record = dict[str, Any]

# Hypothesis's own source of chance takes a millisecond for ten decisions, and a transcript takes thousands.
CHANCES = st.integers(0, 2**32).map(random.Random)


def said(data: bytes) -> list[twin.Message]:
    return [(message.type, message.uuid) for message in sessscan.conversation(data).messages]


def numbers(messages: list[sessscan.Message]) -> list[int]:
    return [int(message.uuid[:8], 16) for message in messages]


def unreached(found: sessscan.Conversation) -> dict[int, str]:
    return {int(one.message.uuid[:8], 16): one.reason for one in found.unreached}


# The twin


@examples(300, CHANCES, st.integers(0, 60), thorough=20_000)
def test_random_conversations_are_those_of_the_twin(chance: random.Random, count: int) -> None:
    data = lines(chance, count)
    assert said(data) == twin.messages(data)


@examples(300, CHANCES, st.integers(1, 40), thorough=20_000)
def test_damaged_conversations_are_those_of_the_twin(chance: random.Random, count: int) -> None:
    data = damaged(lines(chance, count), chance)
    assert said(data) == twin.messages(data)


@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder with transcripts")
def test_real_conversations_are_those_of_the_twin() -> None:
    for path in real_files():
        data = path.read_bytes()
        assert said(data) == twin.messages(data), path


@examples(30, CHANCES, thorough=1_000)
def test_files_and_bytes_are_read_alike(tmp_path: Path, chance: random.Random) -> None:
    data = damaged(lines(chance, 40), chance)
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    one, other = sessscan.conversation(path), sessscan.conversation(bytearray(data))
    for field in (
        "messages",
        "leaf",
        "records",
        "unread",
        "size",
        "cuts",
        "unreached",
        "unpaired",
        "defects",
    ):
        assert getattr(one, field) == getattr(other, field)


@pytest.mark.parametrize("padding", [b"", b" " * 200])
def test_places_are_those_of_the_records(padding: bytes) -> None:
    text = b'{"type":"user","parentUuid":null,"message":{"content":"\xc3\xa4"},"uuid":"a"}'
    [message] = sessscan.conversation(b"{}\n" + padding + text + b"\r\n").messages
    assert (message.line, message.offset, message.length) == (2, 3 + len(padding), len(text))
    assert (message.uuid, message.parent, message.type, message.timestamp) == ("a", None, "user", None)


# Large files, of which the reader skips what a compaction replaced


def large(records: list[Record], boundary: bytes, at: int) -> bytes:
    """Return a file of more than 5 MiB, in which `boundary` begins at an offset."""
    head = file(*records)
    head += b" " * (at - len(head) - 1) + b"\n"
    return head + boundary + file(prompt(90, None), answer(91, 90)) + b"x" * 5 * 2**20


@pytest.mark.parametrize("shift", [-200, -100, -31, -30, -29, -1, 0, 1])
@pytest.mark.parametrize("first", ["type", "parentUuid"])
@pytest.mark.parametrize("far", [0, 260])
def test_where_large_files_begin(shift: int, first: str, far: int) -> None:
    keys = [first, *(key for key in BOUNDARY if key != first)]
    record = ({"x": "x" * far} if far else {}) | {key: BOUNDARY[key] for key in keys}
    data = large([prompt(1, None), prompt(2, 1)], file(record), 2**20 + shift)
    assert said(data) == twin.messages(data)
    skips = far == 0 and not (-150 < shift <= -30 and first != "type")
    reasons = {1: "compacted", 2: "compacted"} if skips else unreached(sessscan.conversation(data))
    assert unreached(sessscan.conversation(data)) == reasons


@examples(20, CHANCES, thorough=500)
def test_large_files_are_those_of_the_twin(chance: random.Random) -> None:
    made = records(chance, 60)
    pad = {"type": "x", "x": "x" * (6 * 2**20 // 60)}
    data = file(*(one for record in made for one in (record, pad)))
    assert said(data) == twin.messages(data)


# What is not reached


def test_a_branch_that_was_left_is_rewound() -> None:
    found = sessscan.conversation(
        file(prompt(1, None), answer(2, 1), prompt(3, 2), answer(4, 3), prompt(5, 2), answer(6, 5))
    )
    assert numbers(found.messages) == [1, 2, 5, 6]
    assert unreached(found) == {3: "rewound", 4: "rewound"}
    assert (found.damaged, [cut for cut in found.cuts if cut.before]) == (0, [])


def test_what_a_compaction_replaced() -> None:
    summary = prompt(5, 80, isCompactSummary=True)
    found = sessscan.conversation(file(prompt(1, None), answer(2, 1), BOUNDARY, summary, answer(6, 5)))
    assert numbers(found.messages) == [5, 6]
    assert unreached(found) == {1: "compacted", 2: "compacted"}


def test_what_another_agent_said() -> None:
    found = sessscan.conversation(file(prompt(1, None), prompt(2, 1, isSidechain=True), answer(3, 1)))
    assert unreached(found) == {2: "sidechain"}


@pytest.mark.parametrize("hole", [b"", b"\0" * 300 + b"\n", b'{"parentUuid":"x","mess\n'])
def test_a_record_that_is_gone_cuts_off_what_came_before(hole: bytes) -> None:
    before = [prompt(1, None), answer(2, 1), prompt(3, 1), answer(4, 3)]
    found = sessscan.conversation(file(*before) + hole + file(answer(6, 5), prompt(7, 6)))
    assert numbers(found.messages) == [6, 7]
    assert unreached(found) == {1: "damaged", 2: "rewound", 3: "damaged", 4: "damaged"}
    [cut] = found.cuts
    assert (cut.record.uuid, cut.parent, cut.is_reached, cut.parent_survives) == (
        name(6), name(5), True, False,
    )  # fmt: skip
    assert cut.before == found.damaged == 3


def test_two_holes() -> None:
    data = file(prompt(1, None), prompt(3, 2), prompt(4, 3), prompt(6, 5))
    found = sessscan.conversation(data)
    assert [(cut.record.line, cut.before, cut.is_reached) for cut in found.cuts] == [
        (2, 1, False), (4, 2, True),
    ]  # fmt: skip
    assert Counter(unreached(found).values()) == {"damaged": 3}


def test_a_glued_line_is_not_read_but_survives() -> None:
    data = file(prompt(1, None), answer(2, 1), prompt(3, 2), answer(4, 3))
    cut = data.replace(b"\n", b"", 2).replace(b"}{", b"}\n{", 1)
    found = sessscan.conversation(cut)
    assert numbers(found.messages) == [4]
    assert (found.records, found.unread, found.damaged) == (4, 2, 3)
    [at] = found.cuts
    assert at.parent_survives and at.before == 3


def test_a_file_of_which_no_line_is_read() -> None:
    data = file(prompt(1, None), answer(2, 1)).decode().encode("utf-16")
    found = sessscan.conversation(data)
    assert (found.messages, found.leaf, found.unread, found.damaged) == ([], None, 2, 2)
    glued = sessscan.conversation(file(prompt(1, None), answer(2, 1)).replace(b"\n", b""))
    assert (glued.messages, glued.damaged) == ([], 2)


def test_what_the_api_refuses() -> None:
    def refused(*content: Record, kind: str = "assistant") -> bool:
        data = file(prompt(1, None), answer(2, 1, *content) | {"type": kind})
        found = sessscan.conversation(data)
        # Read byte by byte, too.
        by_bytes = sessscan.conversation(data.replace(b"\n", b" \r\n"))
        assert [one.uuid for one in found.refused] == [one.uuid for one in by_bytes.refused]
        return bool(found.refused)

    def text(text: str) -> Record:
        return {"type": "text", "text": text}

    assert not refused(text("a"), text("\u00e9\U0001f680\x01"))
    assert refused(text("")) and refused(text("a"), text(" \n\t\u2003"), kind="user")
    assert refused(text("a\0b")) and refused(text("\ud83d")) and refused(text("\ude80 \ud83d\ude80"))
    assert not refused(text("\ud83d\ude80")) and not refused(text("\\u0000"))
    thinking = {"type": "thinking", "thinking": ""}
    assert refused(thinking) and refused(thinking | {"signature": ""})
    assert not refused(thinking | {"signature": "x"}) and not refused(thinking | {"thinking": "x"})
    outside = file(prompt(1, None, toolUseResult="\0\ud83d"))
    assert sessscan.conversation(outside).refused == []


def test_calls_without_results() -> None:
    pair = [answer(2, 1, call("a")), result(3, 2, "a")]
    assert sessscan.conversation(file(prompt(1, None), *pair, answer(4, 3))).unpaired == []
    running = file(prompt(1, None), *pair, answer(4, 3, call("b"), call("c")))
    assert sessscan.conversation(running).unpaired == []
    lost = file(prompt(1, None), answer(2, 1, call("a")), prompt(4, 2), answer(5, 4))
    assert numbers(sessscan.conversation(lost).unpaired) == [2]
    alone = file(prompt(1, None), result(3, 1, "a"), answer(4, 3))
    assert numbers(sessscan.conversation(alone).unpaired) == [3]


# All that is left


def test_the_records_that_are_left() -> None:
    made = [
        prompt(1, None),
        answer(2, 1, call("a")),
        result(3, 2, "a"),
        prompt(4, 3, isSidechain=True),
        {"type": "mode"},
    ]
    data = file(*made).replace(b"\n", b"", 1).replace(b"\n", b"\0\0\n", 1)
    found = _core.survivors(data)
    records = found.records
    assert [record.type for record in records] == ["user", "assistant", "user", "user", "mode"]
    assert [record.is_read for record in records] == [False, False, True, True, True]
    assert [record.is_chain for record in records] == [True, True, True, True, False]
    assert [record.is_shown for record in records] == [True, True, True, False, False]
    assert [(record.calls, record.results) for record in records[1:3]] == [(["a"], []), ([], ["a"])]
    assert [record.message_id for record in records[:2]] == [None, "msg_2"]
    for record, source in zip(records, made, strict=True):
        text = data[record.offset : record.offset + record.length]
        assert json.loads(text) == source
        if record.parent_span is None:
            assert "parentUuid" not in source
        else:
            start, length = record.parent_span
            assert json.loads(data[start : start + length]) == source["parentUuid"] == record.parent
    assert [defect.kind for defect in found.defects] == ["glued", "nul-run"]
    assert found.size == len(data) and found.defect_count == 2


@examples(100, CHANCES, thorough=5_000)
def test_the_records_that_are_left_and_the_conversation_agree(tmp_path: Path, chance: random.Random) -> None:
    data = damaged(lines(chance, 40), chance)
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    left, found = _core.survivors(path), sessscan.conversation(data)
    assert left.records == _core.survivors(data).records
    assert left.defects == found.defects
    of_chain = [record for record in left.records if record.is_chain]
    assert len(of_chain) == found.records
    assert sum(not record.is_read for record in of_chain) == found.unread
    at = {record.offset: record for record in of_chain}
    for message in found.messages:
        record = at[message.offset]
        assert record.is_read and (record.is_shown or message.is_queued)
        assert (record.line, record.length, record.timestamp) == (
            message.line, message.length, message.timestamp,
        )  # fmt: skip


# Many at once, with an index


def old(path: Path, data: bytes, age: int = 100) -> str:
    """Write a file as of some seconds ago, as far as its mtime tells."""
    path.write_bytes(data)
    os.utime(path, (time.time() - age,) * 2)
    return str(path)


def test_many_conversations_are_checked_at_once(tmp_path: Path) -> None:
    broken = file(prompt(1, None), answer(3, 2), prompt(4, 3))
    lost = file(prompt(1, None), answer(2, 1, call("a")), prompt(4, 2), answer(5, 4))
    paths = [
        old(tmp_path / f"{n}.jsonl", data) for n, data in enumerate((broken, lost, file(prompt(1, None))))
    ]
    found = check_many([*paths, str(tmp_path / "none.jsonl")], index=False)
    assert list(found) == paths
    first, second, third = found.values()
    assert (first.reached, first.damaged, first.cut) == (2, 1, (2, len(file(prompt(1, None))), first.cut[2]))
    assert (second.unpaired, second.first_unpaired[0], second.is_whole) == (1, 2, False)
    assert third.is_whole and third.reached == 1


def test_unchanged_conversations_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "SETTLED", 0)  # the tests cannot set a file's ctime back
    home = tmp_path / "home"
    paths = [old(tmp_path / f"{n}.jsonl", file(prompt(1, None), answer(3, 2))) for n in range(3)]
    read: list[str] = []
    check = _core.check_conversations

    def spy(paths: list[str], **more: Any) -> Any:
        read.extend(paths)
        return check(paths, **more)

    monkeypatch.setattr(_core, "check_conversations", spy)
    first = check_many(paths, home=home)
    assert read == paths
    read.clear()
    assert check_many(paths, home=home) == first and read == []
    old(Path(paths[1]), file(prompt(1, None), answer(2, 1)))
    again = check_many(paths, home=home)
    assert read == [paths[1]] and again == check_many(paths, index=False) != first
    read.clear()
    monkeypatch.setattr(conversations, "SETTLED", 60 * 10**9)
    assert check_many(paths, home=home) == again and read == paths, "they were changed just now"


@pytest.mark.parametrize(
    "found", ["", "[]", "x", "[1,2,3,4,5,6,7,8,9]", '{"a":1}', "[0,0,0,0,0,0,null,null]"]
)
def test_a_damaged_entry_of_the_index_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    monkeypatch.setattr(conversations, "SETTLED", 0)
    path = old(tmp_path / "x.jsonl", file(prompt(1, None), answer(3, 2)))
    first = check_many([path], home=tmp_path)
    with sqlite3.connect(tmp_path / "index.db") as database:
        assert database.execute("UPDATE conversation SET found = ?", (found,)).rowcount == 1
    database.close()
    assert check_many([path], home=tmp_path) == first


# Bad input


def test_what_is_no_conversation() -> None:
    for data in (b"", b"\n", bytes(999), b"x" * 999, b'{"type":"mode"}\n', b"\xff\xfe{\0}\0\n\0"):
        found = sessscan.conversation(data)
        assert (found.messages, found.leaf, found.cuts, found.unreached) == ([], None, [], [])
        assert len(found) == 0 and found.size == len(data)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sessscan.conversation(tmp_path / "none.jsonl")
    assert caught.value.filename == str(tmp_path / "none.jsonl")
    with pytest.raises(IsADirectoryError):
        sessscan.conversation(tmp_path)
    with pytest.raises(TypeError):
        sessscan.conversation(7)  # type: ignore[arg-type]


def test_hostile_files_take_linear_time() -> None:
    many = 20_000
    shapes: dict[str, list[Record]] = {
        "a chain": [prompt(n, n - 1 or None) for n in range(1, many)],
        "a cycle": [prompt(n, n % many + 1) for n in range(1, many)],
        "a star": [prompt(n, 1) for n in range(1, many)],
        "all cut": [prompt(n, n + many) for n in range(1, many)],
        "all aside": [prompt(n, n - 1 or None, isSidechain=True) for n in range(1, many)],
        "all one uuid": [prompt(1, 1) for _ in range(1, many)],
        "rewound": [prompt(1, None), *(prompt(n, n - 1) for n in range(2, many)), prompt(many, 1)],
        "progress": [prompt(n, n - 1 or None) | {"type": "progress"} for n in range(1, many)],
        "boundaries": [
            BOUNDARY
            | {"uuid": name(n), "compactMetadata": {"preservedSegment": {
                "headUuid": name(n + 1), "anchorUuid": name(n), "tailUuid": name(n - 1)}}}
            for n in range(1, many)
        ],
    }  # fmt: skip
    for shape, made in shapes.items():
        found = sessscan.conversation(file(*made))
        assert found.records == len(made), shape
