"""`sessscan.list_sessions` against the SDK's own, on one store: each difference is named with its reason.

A difference that is not named fails, and so does one that is named and does not occur any more.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from store_factory import key
from transcript_factory import Talk, new_id, stamp, talk

theirs = pytest.importorskip("claude_agent_sdk")

BEGAN = 1_790_000_000_000
HALF_WINDOW = 64 * 1024  # the SDK reads so many bytes at each end of a file
ABSENT = "listed"
"""In place of a field's name: one of the two does not list the session."""

DIFFERENCES = {
    ("late", "custom_title"): "the title stands where neither of the SDK's two windows is",
    ("late", "summary"): "so it shows something else as the title",
    ("nested", "git_branch"): "the SDK takes a key in a tool's input for the record's own",
    ("undated", "created_at"): "the SDK takes a time in a snapshot for that of a record",
    ("sidechain-later", ABSENT): "the SDK looks for a subagent's mark in the first line only",
}


def filler(size: int) -> dict[str, Any]:
    return {"type": "system", "content": "x" * size}


def cases() -> Iterator[tuple[str, Talk]]:
    dice = Random(11)

    def made(**more: Any) -> Talk:
        one = talk(dice, "/home/ada/code/shop", BEGAN, turns=2, **more)
        kept = ("user", "assistant")
        one.records = [record for record in one.records if record["type"] in kept]
        for record in one.records:  # without what would be a decoy in itself
            if record["type"] == "assistant":
                record["message"] = {"model": "m", "content": [{"type": "text", "text": "Done."}]}
        return one

    yield "plain", made()

    one = made()
    one.records.append({"type": "custom-title", "customTitle": "Given", "sessionId": one.session_id})
    one.records.append({"type": "ai-title", "aiTitle": "Guessed", "sessionId": one.session_id})
    yield "titles", one

    one = made()
    one.records.append({"type": "tag", "tag": "urgent", "sessionId": one.session_id})
    one.records.append({"type": "last-prompt", "lastPrompt": "What now?", "sessionId": one.session_id})
    yield "tag-and-last-prompt", one

    one = made()
    one.records.append({"type": "tag", "tag": "urgent", "sessionId": one.session_id})
    one.records.append({"type": "tag", "tag": "", "sessionId": one.session_id})
    yield "tag-taken-away", one

    one = made()
    title = {"type": "custom-title", "customTitle": "In the middle", "sessionId": one.session_id}
    one.records += [filler(2 * HALF_WINDOW), title, filler(2 * HALF_WINDOW)]
    yield "late", one

    one = made()
    content = [{"type": "tool_use", "id": "t", "name": "x", "input": {"gitBranch": "of-a-tool"}}]
    one.records.append({"type": "assistant", "message": {"model": "m", "content": content}})
    yield "nested", one

    one = made()
    snapshot = {"timestamp": stamp(BEGAN - 86_400_000), "messageId": new_id(dice)}
    one.records.insert(0, {"type": "file-history-snapshot", "snapshot": snapshot})
    yield "undated", one

    yield "sidechain", made(sidechain=True)

    one = made(sidechain=True)
    one.records.insert(0, {"type": "mode", "mode": "normal", "sessionId": one.session_id})
    yield "sidechain-later", one

    one = made()
    one.records = [{"type": "mode", "mode": "normal", "sessionId": one.session_id}]
    yield "nothing-said", one


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Talk]:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    made = dict(cases())
    for number, one in enumerate(made.values()):
        path = tmp_path / "projects" / key(one.cwd) / f"{one.session_id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.bytes())
        os.utime(path, (BEGAN // 1000 + number, BEGAN // 1000 + number))
    return made


def difference(one: Any, other: Any) -> set[str]:
    if one is None or other is None:
        return set() if one is other else {ABSENT}
    names = [field.name for field in dataclasses.fields(one)]
    return {name for name in names if getattr(one, name) != getattr(other, name)}


def test_each_difference_has_a_reason(store: dict[str, Talk]) -> None:
    a = {one.session_id: one for one in theirs.list_sessions()}
    b = {one.session_id: one for one in sessscan.list_sessions()}
    assert a.keys() | b.keys() <= {one.session_id for one in store.values()}
    found = {
        (name, field)
        for name, one in store.items()
        for field in difference(a.get(one.session_id), b.get(one.session_id))
    }
    assert found == DIFFERENCES.keys()


def test_one_session_has_the_same_differences(store: dict[str, Talk]) -> None:
    found = set()
    for name, one in store.items():
        a, b = theirs.get_session_info(one.session_id), sessscan.get_session_info(one.session_id)
        found |= {(name, field) for field in difference(a, b)}
    assert found == DIFFERENCES.keys()
    assert sessscan.get_session_info("no uuid") is theirs.get_session_info("no uuid") is None


def test_where_they_differ_ours_is_what_was_written(store: dict[str, Talk]) -> None:
    ours = {name: sessscan.get_session_info(one.session_id) for name, one in store.items()}
    late, nested, undated = ours["late"], ours["nested"], ours["undated"]
    assert late is not None and (late.custom_title, late.title_source) == ("In the middle", "custom")
    assert nested is not None and nested.git_branch == "main"
    assert undated is not None and undated.created_at == BEGAN
    assert undated.last_activity_at == store["undated"].ended
    assert ours["sidechain-later"] is None


def test_the_same_call_and_the_same_fields() -> None:
    for name in ("list_sessions", "get_session_info"):
        own = inspect.signature(getattr(sessscan, name)).parameters
        for parameter in inspect.signature(getattr(theirs, name)).parameters.values():
            mine = own[parameter.name]
            assert (mine.kind, mine.default) == (parameter.kind, parameter.default), parameter
    fields = [field.name for field in dataclasses.fields(theirs.SDKSessionInfo)]
    assert [field.name for field in dataclasses.fields(sessscan.SessionInfo)][: len(fields)] == fields


def test_order_limit_and_offset(store: dict[str, Talk]) -> None:
    hidden = store["sidechain-later"].session_id
    everything = [one.session_id for one in theirs.list_sessions() if one.session_id != hidden]
    assert [one.session_id for one in sessscan.list_sessions()] == everything
    for limit in (None, 0, -1, 1, 3, 99):
        for offset in (0, -2, 1, 4, 99):
            most = limit if limit and limit > 0 else None
            expected = everything[max(offset, 0) :][:most]
            assert [one.session_id for one in sessscan.list_sessions(None, limit, offset)] == expected


def test_a_directory(store: dict[str, Talk], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    own = os.path.realpath(folder)
    one = dataclasses.replace(store["plain"], session_id=new_id(Random(5)))
    one.records = json.loads(json.dumps(one.records).replace("/home/ada/code/shop", own))
    path = tmp_path / "projects" / key(own) / f"{one.session_id}.jsonl"
    path.parent.mkdir()
    path.write_bytes(one.bytes())
    for module in (theirs, sessscan):
        found = module.list_sessions(str(folder), include_worktrees=False)
        assert [info.session_id for info in found] == [one.session_id]
        assert module.list_sessions(str(tmp_path / "elsewhere"), include_worktrees=False) == []
        assert module.get_session_info(one.session_id, str(folder)).cwd == own


def test_health(store: dict[str, Talk], tmp_path: Path) -> None:
    path = next(tmp_path.rglob(f"{store['plain'].session_id}.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + bytes(512) + b"".join(lines[1:]))
    health = {one.session_id: one.health for one in sessscan.list_sessions()}
    assert health.pop(store["plain"].session_id) == "damaged"
    assert set(health.values()) == {"ok"}
