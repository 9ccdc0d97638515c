"""Files that version 0.1.0 wrote are read, and can be acted on, by the present code."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan.changes import journal, plan_file
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.reconciliation import reconcile
from sessscan.scan_cache.scan import scan_many
from sessscan.snapshots.store import Snapshots
from support.program import picture, places, run

SAVED = Path(__file__).parent / "data" / "0.1.0"
"""All of it was written about one demo store: the plan, then the run that applied it (with `--adopt`)."""

FOLDER = "/nowhere/sessscan-0.1.0"
"""Where that store lay, as the files name it."""

RUN = "20261129T094450Z-4a38"

pytestmark = pytest.mark.posix("the saved paths are POSIX paths")


def saved_plan() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SAVED / "plan.json").read_bytes())
    return document


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """sessscan's own state as 0.1.0 left it, with a journal that names the store in `tmp_path`."""
    folder = tmp_path / "state"
    shutil.copytree(SAVED / "state", folder)
    file = folder / "runs" / RUN / "journal.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace(FOLDER, str(tmp_path)), encoding="utf-8")
    monkeypatch.setenv("SESSSCAN_HOME", str(folder))
    return folder


@pytest.fixture
def before_the_run(state: Path) -> dict[str, tuple[bytes, int]]:
    """Rebuild the store as the run left it; return its files as they were before the run.

    What a row became is in the plan, and most damaged rows held nothing but zeros. The few other files of the
    store are saved as they are.
    """
    content = {
        Path(action["path"]).name: base64.b64decode(action["content"]) for action in saved_plan()["actions"]
    } | {file.name: file.read_bytes() for file in (SAVED / "store").iterdir()}
    found = journal.read(state / "runs" / RUN / "journal.jsonl")
    assert found is not None
    before = {}
    for entry in found.entries:
        row = Path(entry.path)
        row.parent.mkdir(parents=True, exist_ok=True)
        row.write_bytes(content[row.name])
        assert hashlib.sha256(content[row.name]).hexdigest() == entry.after.sha256
        if entry.before is not None and entry.backup is not None:
            backup = Path(entry.backup)
            backup.write_bytes(content.get(backup.name, bytes(entry.before.size)))
            assert entry.before.mtime_ns is not None
            before[row.name] = (backup.read_bytes(), entry.before.mtime_ns)
    return before


def test_the_plan_shows_the_same_findings_and_actions() -> None:
    plan = plan_file.load(Plan, SAVED / "plan.json")
    shown = json.loads((SAVED / "reconcile.json").read_bytes())
    assert json.loads(json.dumps(plan.to_dict())) == shown
    assert plan.exit_status == 1
    assert plan.summary["actions"] == {"restore": 9, "hold": 2}


def test_the_plan_would_write_the_same_bytes_and_rests_on_the_same_files() -> None:
    plan = plan_file.load(Plan, SAVED / "plan.json")
    for action, saved in zip(plan.actions, saved_plan()["actions"], strict=True):
        assert action.content == base64.b64decode(saved["content"])
        assert [
            {name: getattr(fingerprint, name) for name in fingerprint.__slots__}
            for fingerprint in action.rests_on
        ] == saved["rests_on"]


def test_the_plan_saved_again_is_the_same_but_for_the_version(tmp_path: Path) -> None:
    plan_file.load(Plan, SAVED / "plan.json").save(tmp_path / "plan.json")
    again = json.loads((tmp_path / "plan.json").read_bytes())
    as_saved = saved_plan()
    assert again.keys() == as_saved.keys()
    assert {**again, "version": None, "sha256": None} == {**as_saved, "version": None, "sha256": None}


def test_the_plan_names_what_has_changed() -> None:
    [store] = saved_plan()["stores"]
    assert plan_file.load(Plan, SAVED / "plan.json").changes() == [f"{store['path']} is gone"]


def test_the_journal_lists_the_run(state: Path) -> None:
    [found], wrong = journal.runs()
    assert wrong == []
    assert (found.id, found.state, found.version) == (RUN, "complete", "0.1.0")
    assert found.started_at == 1795945490063
    assert [entry.kind for entry in found.entries] == ["restore"] * 9 + ["adopt"]
    assert {entry.outcome for entry in found.entries} == {"done"}
    assert found.in_effect == found.entries
    assert found.entries[0].title == "Dark mode for the docs site"


def test_the_run_can_be_taken_back(before_the_run: dict[str, tuple[bytes, int]], tmp_path: Path) -> None:
    found = choose(RUN)
    assert found is not None
    undone = undo(found, force=True)
    assert undone.exit_status == 0
    assert [reversal.status for reversal in undone.reversals] == ["done"] * 10
    files = {Path(name).name: facts for name, facts in picture(tmp_path / "demo").items()}
    assert files == before_the_run
    [found], _ = journal.runs()
    assert found.state == "taken-back"


def test_the_command_line_shows_the_run_and_takes_it_back(
    before_the_run: dict[str, tuple[bytes, int]], env: dict[str, str]
) -> None:
    assert RUN in run(env, "log").stdout
    assert run(env, "undo", RUN, "--force").returncode == 0


def test_the_snapshots_give_each_row_back(state: Path) -> None:
    with Snapshots.open() as snapshots:
        rows = snapshots.rows()
        assert len(rows) == 18 and snapshots.damaged_copy is None
        for row in rows:
            assert row.path.startswith(FOLDER)
            [version] = snapshots.versions(row.path)
            content = version.data
            assert hashlib.sha256(content).hexdigest() == version.sha256
            assert json.loads(content)["sessionId"] == row.session_id
            assert json.loads(content)["title"] == version.title


def test_the_index_is_taken_up_or_made_anew(state: Path, sample: Path) -> None:
    paths = sorted((sample / "projects").rglob("*.jsonl"))
    assert scan_many(paths) == sessscan.scan_many(paths)
    time.sleep(1)  # a file that has only just been written is read once more
    scan_many(paths)
    bytes_read: list[int] = []
    assert scan_many(paths, progress=lambda done, of: bytes_read.append(of)) == sessscan.scan_many(paths)
    assert not any(bytes_read), "the index knows them now"


def test_the_json_has_the_same_keys(sample: Path, env: dict[str, str]) -> None:
    old = json.loads((SAVED / "reconcile.json").read_bytes())
    new = json.loads(run(env, "reconcile", *places(sample), "--format", "json").stdout)
    assert _keys(new) == _keys(old)
    assert _keys(
        json.loads(json.dumps(reconcile(sample / "Claude", sample / "projects").to_dict()))
    ) == _keys(old)


FREE = ("row", "provenance", "findings of summary", "actions of summary")
"""Objects whose keys are not the contract's: fields of the app, names of rules and kinds."""


def _keys(value: Any, name: str = "") -> dict[str, list[str]]:
    """Return the keys of every object of a document, in order, by the name it has there."""
    found: dict[str, list[str]] = {}
    if isinstance(value, list):
        for item in value:
            found |= _keys(item, name)
    elif isinstance(value, dict) and name not in FREE:
        found[name] = list(value)
        for key, item in value.items():
            found |= _keys(item, f"{key} of summary" if name == "summary" else key)
    return found
