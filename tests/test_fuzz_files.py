"""Fuzz the readers of every file that sessscan reads besides transcripts.

A valid file is damaged, in its bytes or in its values, and read. The reader must raise the error that it
declares, or go on; what it makes of the file is tested elsewhere. `pytest -m thorough` tries many more.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from sessscan.changes import journal, plan_file
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import JournalError, PlanFileError
from sessscan.render.data import print_json
from sessscan.render.runs import log_document, print_log
from sessscan.state import home
from support.hostile_place import VICTIM, Place, compact, row
from support.rounds import examples

pytestmark = pytest.mark.full

ODD = (
    None, True, False, 0, -1, 1 << 63, 1 << 200, -(1 << 200), 0.5, 1e308, float("inf"), float("nan"), "", "x",
    "\x00", "\ud800", "\x1b[2J", "../../x", "/", "a" * 5_000, "2026-13-45T99:99:99Z", [], {}, [[]], {"": {}},
    VICTIM.format(0), f"local_{VICTIM.format(0)}",
)  # fmt: skip
"""Values that no program writes there."""

fuzzed = partial(examples, 60, thorough=500, ignore=(HealthCheck.too_slow, HealthCheck.data_too_large))


def places_in(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value of a document."""
    yield path
    if isinstance(document, dict | list):
        for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
            yield from places_in(value, (*path, key))


def change(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the document with another value in one place; with `...` without that place."""
    if not path:
        return None if value is ... else value
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


@st.composite
def documents(draw: st.DrawFn, whole: Any) -> Any:
    """Generate a document with one to three wrong values."""
    document = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places_in(document))))
        document = change(document, path, copy.deepcopy(draw(st.sampled_from((*ODD, ...)))))
    return document


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Generate bytes that were cut, zeroed, overwritten, doubled or interrupted."""
    data = whole
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        to = draw(st.integers(at, min(len(data), at + 200)))
        middle = draw(
            st.sampled_from(
                (b"", bytes(to - at), data[at:to] * 2, b"\xff\xfe", b"\n", b"}", b'"', b"[" * 9, b"\\u")
            )
        )
        data = data[:at] + middle + draw(st.sampled_from((data[to:], b"")))
    return data


@st.composite
def either(draw: st.DrawFn, whole: Any) -> bytes:
    """Generate a file whose bytes or whose values are damaged."""
    if draw(st.booleans()):
        return draw(damaged(compact(whole)))
    return json.dumps(draw(documents(whole))).encode()


class NewPlace(ExitStack):
    """A new `Place` and a new state folder for each file that is tried."""

    def __enter__(self) -> NewPlace:
        super().__enter__()
        folder = Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.enter_context(mock.patch.dict(os.environ, SESSSCAN_HOME=str(folder / "state")))
        self.place = Place(folder)
        return self


def name(number: int) -> str:
    return f"local_{VICTIM.format(number)}"


ROW = json.loads(row(name(1), VICTIM.format(1), title="A title", priorCliSessionIds=[VICTIM.format(2)]))
LEASE = {"path": "/home/ada", "leasedBy": name(0), "createdAt": 1, "pooledAt": None, "branch": "b"}
WORKTREES = {"schemaVersion": 2, "worktrees": {"one": LEASE, "two": LEASE}}
INDEX = {
    "version": 1,
    "originalPath": "/home/ada",
    "entries": [
        {
            "sessionId": VICTIM.format(0),
            "fullPath": f"/home/ada/{VICTIM.format(0)}.jsonl",
            "fileMtime": 1,
            "firstPrompt": "Hello",
            "summary": "A title",
            "messageCount": 2,
            "created": "2026-09-21T10:00:01.000Z",
            "modified": "2026-09-21T10:00:01.000Z",
            "gitBranch": "main",
            "projectPath": "/home/ada",
            "isSidechain": False,
        }
    ],
}


@fuzzed(either(ROW))
def test_rows_and_the_files_beside_them(content: bytes) -> None:
    with NewPlace() as new:
        for suffix in (".json", ".json.tmp", ".json.bak"):
            new.place.put(name(1) + suffix, content)
        new.place.put(name(2) + ".json", content)
        # A damaged row may come to name the lost one's transcript. Then that is held and stays as it was.
        before = {path: path.read_bytes() for path in new.place.store.iterdir()}
        new.place.plan().apply(force=True)
        while (run := choose(None)) is not None:
            assert undo(run, force=True).exit_status == 0
        assert {path: path.read_bytes() for path in new.place.store.iterdir()} == before


@fuzzed(either(WORKTREES))
def test_worktree_files(content: bytes) -> None:
    with NewPlace() as new:
        (new.place.user_data / "git-worktrees.json").write_bytes(content)
        new.place.plan()


@fuzzed(either(INDEX))
def test_index_files(content: bytes) -> None:
    with NewPlace() as new:
        index = new.place.project / "sessions-index.json"
        index.write_bytes(content)
        plan = new.place.plan(rebuild_index=True)
        for action in plan.actions:
            if action.path == str(index) and action.status == "planned":
                json.loads(action.content)


def a_plan() -> Any:
    with NewPlace() as new:
        path = new.place.outside / "plan"
        new.place.plan().save(path)
        return json.loads(path.read_bytes())


PLAN = a_plan()


@fuzzed(documents(PLAN), st.booleans())
def test_plans(document: Any, signed: bool) -> None:
    if signed and isinstance(document, dict):
        document.pop("sha256", None)
        with suppress(ValueError):
            document["sha256"] = plan_file._checksum(document)
    read_plan(json.dumps(document).encode())


@fuzzed(damaged(compact(PLAN)))
def test_plans_whose_bytes_are_damaged(content: bytes) -> None:
    read_plan(content)


def read_plan(content: bytes) -> None:
    with NewPlace() as new:
        path = new.place.outside / "plan"
        path.write_bytes(content)
        with suppress(PlanFileError):
            plan_file.load(Plan, path)


def a_journal() -> list[Any]:
    with NewPlace() as new:
        new.place.apply_and_undo()
        [run] = journal.runs()[0]
        return [json.loads(line) for line in run.journal.read_bytes().splitlines()]


JOURNAL = a_journal()


@fuzzed(documents(JOURNAL))
def test_journals(document: Any) -> None:
    lines = document if isinstance(document, list) else [document]
    read_journal(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@fuzzed(damaged(b"".join(compact(line) + b"\n" for line in JOURNAL)))
def test_journals_whose_bytes_are_damaged(content: bytes) -> None:
    read_journal(content)


def read_journal(content: bytes) -> None:
    with NewPlace():
        folder = home() / "runs" / str(JOURNAL[0]["run"])
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(content)
        found, wrong = journal.runs()
        assert len(found) + len(wrong) <= 1
        assert all(isinstance(error, JournalError) for error in wrong)
        with redirect_stdout(StringIO()):
            print_log(found)
            print_json(log_document(found))
