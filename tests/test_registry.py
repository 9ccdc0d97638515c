"""Read the rows of a store and list the files beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sessscan.model import CODE, COWORK, Row, RowFormat, Store
from sessscan.stores import rows as registry
from sessscan.stores.rows import read_store
from sessscan.stores.worktrees import read_worktrees

A = "local_0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
GOOD: dict[str, Any] = {"sessionId": A, "cliSessionId": "x", "createdAt": 1, "lastActivityAt": 2.5}


def rows(folder: Path, row_format: RowFormat = CODE) -> dict[str, Row]:
    return {row.session_id: row for row in read_store(Store(str(folder), None, row_format)).rows}


def one(folder: Path, content: bytes, row_format: RowFormat = CODE) -> Row:
    (folder / f"{A}.json").write_bytes(content)
    return rows(folder, row_format)[A]


def compact(fields: object) -> bytes:
    return json.dumps(fields).encode()


STATES = [
    (compact(GOOD), "ok"),
    (b" \n" + compact(GOOD) + b"\n", "ok"),
    (b"", "empty"),
    (bytes(144_258), "zero-filled"),
    (compact(GOOD)[:-1], "truncated"),
    (compact(GOOD)[:30] + bytes(400), "truncated"),
    (b"{nonsense}", "not-json"),
    (compact(GOOD)[:-1] + b',"x":NaN}', "not-json"),
    (compact(GOOD).decode().encode("utf-16"), "utf-16"),
    (compact(GOOD).decode().encode("utf-16-le"), "utf-16"),
    (compact(GOOD)[:-1].decode().encode("utf-16"), "utf-16"),
    (b"\xef\xbb\xbf" + compact(GOOD), "bom"),
    (b"[]", "not-a-row"),
    (b"null", "not-a-row"),
    (compact(GOOD | {"createdAt": "1"}), "not-a-row"),
    (compact(GOOD | {"createdAt": True}), "not-a-row"),
    (compact(GOOD | {"sessionId": "local_other"}), "id-mismatch"),
    (compact(GOOD | {"pad": "x" * (10 << 20)}), "oversize"),
    # What pysimdjson refuses, or reads in another way than the app.
    (compact(GOOD | {"title": "\ud83d", "big": 10**40}), "ok"),
    (b'{"sessionId":"other",' + compact(GOOD)[1:], "ok"),
    (compact(GOOD)[:-1] + b',"sessionId":"other"}', "id-mismatch"),
    (compact(GOOD)[:-1] + b',"deep":' + b"[" * 2000 + b"]" * 2000 + b"}", "ok"),
]


@pytest.mark.parametrize(("content", "state"), STATES, ids=range(len(STATES)))
@pytest.mark.parametrize("simd", [True, False])
def test_each_content_has_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, state: str, simd: bool
) -> None:
    """The states are the same with pysimdjson and without it (it has no wheels for newer Pythons)."""
    if not simd:
        monkeypatch.setattr(registry, "simdjson", None)
    row = one(tmp_path, content)
    assert row.state == state
    assert row.size == len(content)
    if state == "ok":
        assert row.fields["cliSessionId"] == "x"


def test_the_last_of_two_equal_keys_counts(tmp_path: Path) -> None:
    row = one(tmp_path, compact(GOOD)[:-1] + b',"cliSessionId":"y"}')
    assert (row.state, row.fields["cliSessionId"]) == ("ok", "y")


def test_a_truncated_row_says_where_its_readable_part_ends(tmp_path: Path) -> None:
    row = one(tmp_path, compact(GOOD)[:70] + bytes(60))
    assert (row.state, row.offset, row.length) == ("truncated", 70, 60)
    assert row.fields == {"sessionId": A}


def test_former_transcripts_are_read(tmp_path: Path) -> None:
    assert one(tmp_path, compact(GOOD | {"priorCliSessionIds": ["p", 3, "q"]})).fields[
        "priorCliSessionIds"
    ] == [
        "p",
        3,
        "q",
    ]
    assert one(tmp_path, compact(GOOD | {"priorCliSessionIds": "p"})).state == "ok"


def test_a_cowork_row_needs_more_members(tmp_path: Path) -> None:
    assert one(tmp_path, compact(GOOD), row_format=COWORK).state == "not-a-row"
    assert one(tmp_path, compact(GOOD | {"processName": "p", "cwd": "/"}), row_format=COWORK).state == "ok"


def test_links_and_special_files_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(compact(GOOD))
    (tmp_path / "local_link.json").symlink_to(tmp_path / "good.json")
    (tmp_path / "local_nowhere.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "local_folder.json").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "local_fifo.json")
    states = {name: row.state for name, row in rows(tmp_path).items()}
    assert states["local_link"] == states["local_nowhere"] == "linked"
    assert states["local_folder"] == states.get("local_fifo", "not-a-row") == "not-a-row"


@pytest.mark.not_root("root may read everything")
def test_a_row_without_permission_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / f"{A}.json").write_bytes(compact(GOOD))
    (tmp_path / f"{A}.json").chmod(0)
    row = rows(tmp_path)[A]
    assert (row.state, row.error) == ("unreadable", "Permission denied")


def test_files_with_other_names_are_not_rows(tmp_path: Path) -> None:
    for name in (
        "scheduled-tasks.json",
        "Local_x.json",
        "local_x.JSON",
        "local_x",
        "deleted_x",
        "x_local_.json",
    ):
        (tmp_path / name).write_text("")
    assert rows(tmp_path) == {}


@pytest.mark.posix("names are text there")
def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"local_\xff")
    (tmp_path / f"{name}.json").write_bytes(compact(GOOD))
    assert rows(tmp_path)[name].state == "id-mismatch"


def test_tombstones_are_read_in_every_spelling(tmp_path: Path) -> None:
    for name in ("deleted_AA", "deleted_local_bb", "deleted_cc.json", "deleted_local_dd.json"):
        (tmp_path / name).write_text("1790000000000")
    assert read_store(Store(str(tmp_path), None)).tombstones == {"aa", "bb", "cc", "dd"}


def test_temporaries_and_copies_are_listed(tmp_path: Path) -> None:
    for name in (f"{A}.json.tmp", f"{A}.json.corrupted-bak", f"{A}.json.corrupted-bak.1", f"{A}.txt"):
        (tmp_path / name).write_text("")
    contents = read_store(Store(str(tmp_path), None))
    assert [(leftover.session_id, Path(leftover.path).name) for leftover in contents.temporaries] == [
        (A, f"{A}.json.tmp")
    ]
    assert [leftover.session_id for leftover in contents.copies] == [A, A]


def test_a_store_that_does_not_exist_is_empty() -> None:
    contents = read_store(Store("/nowhere/at/all", None))
    assert (contents.rows, contents.errors) == ([], [])


def test_leases_are_read_from_the_list_of_worktrees(tmp_path: Path) -> None:
    file = tmp_path / "git-worktrees.json"
    entries = {
        "a": {"path": "/w/a", "branch": "b", "createdAt": 5_000, "pooledAt": 9_000, "leasedBy": "local_1"},
        "b": {"path": "/w/b", "createdAt": "1970-01-01T00:00:07.000Z", "leasedBy": "local_2"},
        "c": {"path": "/w/c", "leasedBy": None},
        "d": {"path": 3, "leasedBy": "local_3"},
        "e": "nonsense",
    }
    file.write_text(json.dumps({"schemaVersion": 2, "worktrees": entries}))
    leases = [
        (lease.session_id, lease.path, lease.branch, lease.since)
        for lease in read_worktrees(str(tmp_path)).leases
    ]
    assert leases == [("local_1", "/w/a", "b", 9_000), ("local_2", "/w/b", None, 7_000)]
    for content in ("", "[]", "{", '{"worktrees":3}', '{"worktrees":[]}'):
        file.write_text(content)
        assert read_worktrees(str(tmp_path)).leases == []
    file.unlink()
    assert read_worktrees(str(tmp_path)).error is None
