"""Plans that edit transcripts: applied, refused, saved, recovered after a kill, and taken back."""

import dataclasses
import json
import os
import re
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from sessscan import load_plan
from sessscan.changes import journal, plan_file
from sessscan.changes.outcome import REPAIR
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import PlanChangedError, PlanFileError
from sessscan.model import Action, Edit, Fingerprint, Reached
from sessscan.reconciliation.saved_plan import confirmed
from sessscan.stores.live_sessions import in_use, live_sessions
from support.plans import document_of, write

NAME = "0a1b2c3d-0000-4000-8000-00000000000{}"
OLD = b'{"type":"user","uuid":"1"}{"type":"user","uuid":"2"}\n\0\0\0\0\0\n'
NEW = b'{"type":"user","uuid":"1"}\n{"type":"user","uuid":"2"}\n     \n'
EDITS = (
    Edit(26, b"", b"\n", "two records on a line"),
    Edit(53, b"\0", b" ", "bytes that were never written", times=5),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "usual"))
    return tmp_path / "state"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder with two transcripts that were written long ago."""
    found = tmp_path / "claude" / "projects" / "-home-ada"
    found.mkdir(parents=True)
    for number in range(2):
        path = found / f"{NAME.format(number)}.jsonl"
        path.write_bytes(OLD)
        path.chmod(0o640)
        os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)
    return found


def transcripts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def fingerprint(path: Path) -> Fingerprint:
    status = path.stat()
    return Fingerprint(str(path), True, status.st_size, status.st_mtime_ns, status.st_ino)


def repair(path: Path, edits: tuple[Edit, ...] = EDITS, **more: Any) -> Action:
    return Action(
        "repair",
        str(path),
        None,
        cli_session_id=path.stem,
        transcript=str(path),
        rests_on=(fingerprint(path),),
        edits=edits,
        reached=Reached(1, 2),
        **more,
    )


def plan_of(*actions: Action) -> Plan:
    return Plan((), 0, len(actions), 0, (), actions, schema=REPAIR)


def plan_for(folder: Path) -> Plan:
    return plan_of(*map(repair, transcripts(folder)))


def test_a_plan_is_applied_and_taken_back(folder: Path) -> None:
    report = plan_for(folder).apply()
    assert [action.status for action in report.actions] == ["applied", "applied"], report.actions
    assert report.exit_status == 0
    for path in transcripts(folder):
        backup = Path(f"{path}.corrupted-bak")
        assert (path.read_bytes(), backup.read_bytes()) == (NEW, OLD)
        if sys.platform != "win32":
            assert [stat.S_IMODE(each.stat().st_mode) for each in (path, backup)] == [0o640, 0o640]
        assert path.stat().st_mtime > time.time() - 60, "an old mtime would have the transcript swept"
    run = choose(None)
    assert run is not None
    assert (run.id, run.state, [entry.kind for entry in run.entries]) == (
        report.run,
        "complete",
        ["repair"] * 2,
    )
    undone = undo()
    assert undone is not None
    assert undone.exit_status == 0, undone
    assert [path.read_bytes() for path in transcripts(folder)] == [OLD, OLD]
    if sys.platform != "win32":
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    assert sorted(folder.iterdir()) == transcripts(folder), "the backups are gone"
    assert undo() is None


def test_a_transcript_in_utf_16_is_written_anew(folder: Path) -> None:
    path = transcripts(folder)[0]
    path.write_text('{"é":1}{"x":2}\n', encoding="utf-16")
    old = path.read_bytes()
    plan = plan_of(repair(path, (Edit(8, b"", b"\n", "two records on a line"),), utf16=True))
    report = plan.apply(force=True)
    assert report.exit_status == 0, report.actions
    assert path.read_text(encoding="utf-8") == '{"é":1}\n{"x":2}\n'
    undo()
    assert path.read_bytes() == old


def test_the_backups_name_is_numbered(folder: Path) -> None:
    path = transcripts(folder)[0]
    Path(f"{path}.corrupted-bak").write_bytes(b"an older one")
    [action] = plan_of(repair(path)).apply().actions
    assert action.backup == f"{path}.corrupted-bak.1"
    undo()
    assert Path(f"{path}.corrupted-bak").read_bytes() == b"an older one"


def test_a_transcript_that_has_changed_is_left_alone_and_the_rest_is_done(folder: Path) -> None:
    plan = plan_for(folder)
    first, second = transcripts(folder)
    with first.open("ab") as file:
        file.write(b"{}\n")
    assert len(plan.changes()) == 1
    with pytest.raises(PlanChangedError):
        plan.apply(exact=True)
    report = plan.apply(force=True)
    assert [action.status for action in report.actions] == ["refused", "applied"]
    assert report.exit_status == 4
    assert first.read_bytes() == OLD + b"{}\n"
    assert second.read_bytes() == NEW


def test_edits_that_do_not_fit_leave_the_transcript_and_no_run(folder: Path) -> None:
    path = transcripts(folder)[0]
    [action] = plan_of(repair(path, (Edit(0, b"x", b"y", "wrong"),))).apply().actions
    assert action.status == "refused"
    assert "other bytes" in (action.error or "")
    assert path.read_bytes() == OLD
    assert sorted(folder.iterdir()) == transcripts(folder)
    assert journal.runs() == ([], [])


def test_what_was_appended_since_is_not_taken_back(folder: Path) -> None:
    plan_for(folder).apply()
    first, second = transcripts(folder)
    with first.open("ab") as file:
        file.write(b'{"type":"user"}\n')
    with pytest.raises(PlanChangedError, match=re.escape(f"{first} has grown since the run")):
        undo()
    assert first.read_bytes() == NEW + b'{"type":"user"}\n'
    assert second.read_bytes() == NEW
    second.write_bytes(NEW.replace(b"1", b"3"))
    with pytest.raises(PlanChangedError, match=re.escape(f"{second} has changed since")):
        undo()


def test_a_backup_that_has_changed_is_not_put_back(folder: Path) -> None:
    plan_for(folder).apply()
    backup = Path(f"{transcripts(folder)[1]}.corrupted-bak")
    backup.write_bytes(b"x" * len(OLD))
    with pytest.raises(PlanChangedError, match="gone or has changed"):
        undo()
    assert [path.read_bytes() for path in transcripts(folder)] == [NEW, NEW]


def run_and_die(folder: Path, at: str, what: str) -> None:
    """Apply a plan, or undo the run, in a process that dies when a method of the journal is called."""
    program = f"""
        import os, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from sessscan.changes.journal import Journal
        from sessscan.changes.undo import undo
        from test_repair_plans import plan_for
        method = getattr(Journal, {at.removeprefix("after ")!r})
        def die(*given, **named):
            if {at.startswith("after ")}:
                method(*given, **named)
            os._exit(9)
        setattr(Journal, {at.removeprefix("after ")!r}, die)
        plan_for(Path({str(folder)!r})).apply() if {what == "apply"} else undo()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr


@pytest.mark.parametrize(
    ("at", "first"), [("after intent", OLD), ("done", NEW), ("after done", NEW), ("intent", OLD)]
)
def test_a_killed_run_is_completed_and_can_be_taken_back(folder: Path, at: str, first: bytes) -> None:
    run_and_die(folder, at, "apply")
    assert [path.read_bytes() for path in transcripts(folder)] == [first, OLD]
    due = [path for path in transcripts(folder) if path.read_bytes() == OLD]
    report = plan_of(*map(repair, due)).apply()
    assert report.exit_status == 0, report.actions
    assert [path.read_bytes() for path in transcripts(folder)] == [NEW, NEW]
    names = {path.name for path in folder.iterdir()}
    assert not [name for name in names if name.startswith(".sessscan-")]
    while choose(None) is not None:
        undone = undo()
        assert undone is not None
        assert undone.exit_status == 0, undone
    assert [path.read_bytes() for path in transcripts(folder)] == [OLD, OLD]
    assert sorted(folder.iterdir()) == transcripts(folder)


@pytest.mark.parametrize("at", ["undone", "after undone", "taken_back"])
def test_a_killed_undo_is_completed(folder: Path, at: str) -> None:
    plan_for(folder).apply()
    run_and_die(folder, at, "undo")
    undone = undo()
    if at != "taken_back":
        assert undone is not None
        assert undone.exit_status == 0, undone
    assert [path.read_bytes() for path in transcripts(folder)] == [OLD, OLD]
    assert sorted(folder.iterdir()) == transcripts(folder)


@pytest.mark.parametrize("at", ["undone", "after undone"])
def test_a_killed_undo_is_known_after_the_next_repair(folder: Path, at: str) -> None:
    plan_for(folder).apply()
    run_and_die(folder, at, "undo")
    back = [path for path in transcripts(folder) if path.read_bytes() == OLD]
    assert len(back) == 1
    assert plan_of(*map(repair, back)).apply(force=True).exit_status == 0
    while choose(None) is not None:
        undone = undo()
        assert undone is not None
        assert undone.exit_status == 0, undone
    assert [path.read_bytes() for path in transcripts(folder)] == [OLD, OLD]
    assert sorted(folder.iterdir()) == transcripts(folder)


@pytest.mark.posix("the old file is the backup itself only where there are hard links")
def test_what_was_appended_to_the_old_file_at_a_kill_is_carried_over(folder: Path) -> None:
    run_and_die(folder, "done", "apply")
    first = transcripts(folder)[0]
    with Path(f"{first}.corrupted-bak").open("ab") as file:
        file.write(b'{"late":1}\n')
    with first.open("ab") as file:
        file.write(b'{"later":1}\n')
    second = transcripts(folder)[1]
    assert plan_of(repair(second)).apply().exit_status == 0
    assert first.read_bytes() == NEW + b'{"later":1}\n{"late":1}\n'


def test_a_session_that_runs_is_left_alone(folder: Path, tmp_path: Path) -> None:
    sessions = folder.parent.parent / "sessions"
    sessions.mkdir()
    first, second = transcripts(folder)
    for pid, name in [(os.getpid(), first.stem.upper()), (2**22 + 1, second.stem)]:
        (sessions / f"{pid}.json").write_text(json.dumps({"pid": pid, "sessionId": name}))
    report = plan_for(folder).apply(force=True)
    assert [action.status for action in report.actions] == ["refused", "applied"]
    assert f"process {os.getpid()} is running this session" in (report.actions[0].error or "")
    assert first.read_bytes() == OLD
    (sessions / f"{os.getpid()}.json").write_text(json.dumps({"sessionId": second.stem}))
    with pytest.raises(PlanChangedError, match="is running this session"):
        undo(force=True)
    assert second.read_bytes() == NEW


def test_only_running_programs_name_sessions(tmp_path: Path) -> None:
    sessions = tmp_path / "usual" / "sessions"
    sessions.mkdir(parents=True)
    mine = sessions / f"{os.getpid()}.json"
    for content in [b"", b"[]", b"{", b"\xff", b'{"sessionId":1}', b"[" * 100_000, b'{"pid":1}']:
        mine.write_bytes(content)
        assert not list(live_sessions())
    mine.write_text('{"sessionId":"a"}')
    (sessions / "x.json").write_text('{"sessionId":"b"}')
    (sessions / "99999999999999999999.json").write_text('{"sessionId":"c"}')
    assert [(session.session_id, session.pid) for session in live_sessions()] == [("a", os.getpid())]
    os.utime(mine, (1, 1))
    assert not list(live_sessions()), "the process began after the file was written"


def test_a_transcript_that_was_just_written_is_left_alone(folder: Path) -> None:
    path = transcripts(folder)[0]
    os.utime(path)
    now = path.stat().st_mtime
    [action] = plan_of(repair(path)).apply().actions
    assert action.status == "refused"
    assert "may be in use" in (action.error or "")
    assert in_use(str(path), now=now + 29) is not None
    assert in_use(str(path), now=now + 31) is None
    assert in_use(str(path), now=now + 1, force=True) is None
    assert in_use(f"{path}.missing") is None
    [action] = plan_of(repair(path)).apply(force=True).actions
    assert action.status == "applied"


def test_a_plan_is_saved_and_loaded(folder: Path, tmp_path: Path) -> None:
    first, second = transcripts(folder)
    hold = Action("hold", str(second), None, second.stem, str(second), status="held", error="a fork")
    plan = plan_of(repair(first), hold)
    plan.save(tmp_path / "plan.json")
    assert plan_file.load(Plan, tmp_path / "plan.json") == plan


def test_a_plan_that_asks_for_more_is_refused(folder: Path, tmp_path: Path) -> None:
    plan = plan_for(folder)
    path = transcripts(folder)[0]
    elsewhere = str(path.with_name("notes.jsonl"))
    edit = {"offset": 0, "old": "", "new": "eA==", "reason": "", "times": 1}
    changes: list[dict[str, Any]] = [
        {"path": elsewhere, "transcript": elsewhere},
        {"path": str(folder / "x" / ".." / path.name)},
        {"cli_session_id": NAME.format(1)},
        {"transcript": str(transcripts(folder)[1])},
        {"kind": "restore"},
        {"kind": "hold"},
        {"kind": "hold", "status": "held"},
        {"edits": []},
        {"edits": [{**edit, "times": 0}]},
        {"edits": [{**edit, "offset": -1}]},
        {"edits": [{**edit, "offset": len(OLD) + 1}]},
        {"edits": [{**edit, "offset": 5}, {**edit, "offset": 4}]},
        {"edits": [{**edit, "new": ""}]},
        {"edits": [{**edit, "old": "eA==", "new": "", "times": 2**62}]},
        {"content": "eA=="},
        {"row": {"title": "x"}},
        {"backup": "/x"},
        {"rests_on": []},
        {"utf16": 1},
    ]
    for change in changes:
        document = document_of(plan, tmp_path)
        document["actions"][0].update(change)
        document["summary"]["actions"] = {}
        for action in document["actions"]:
            kinds = document["summary"]["actions"]
            kinds[action["kind"]] = kinds.get(action["kind"], 0) + 1
        with pytest.raises(PlanFileError):
            plan_file.load(Plan, write(document, tmp_path / "forged.json"))
    document = document_of(plan, tmp_path)
    document["about"] = "sessscan.reconcile/1"
    with pytest.raises(PlanFileError, match="about rows"):
        plan_file.load(Plan, write(document, tmp_path / "forged.json"))


def test_the_json_of_a_repair(folder: Path) -> None:
    plan = plan_of(repair(transcripts(folder)[0], (*EDITS, Edit(60, b"\xff", b"?", "no UTF-8"))))
    document = plan.to_dict()
    assert document["schema"] == "sessscan.repair/1"
    [action] = document["actions"]
    assert (action["kind"], action["path"], action["reached"]) == (
        "repair",
        str(transcripts(folder)[0]),
        {"before": 1, "after": 2},
    )
    assert action["edits"][1] == {
        "offset": 53,
        "old": "\0",
        "new": " ",
        "times": 5,
        "reason": "bytes that were never written",
    }
    assert json.loads(json.dumps(action))["edits"][2]["old"] == "\udcff"
    assert plan.missed.total == 0
    assert plan.exit_status == 1
    row = dataclasses.replace(plan, schema="sessscan.reconcile/1").to_dict()["actions"][0]
    assert row.keys() <= action.keys()
    assert not row.keys() & {"edits", "reached", "utf16"}


def test_a_saved_plan_is_carried_out_only_as_it_is_derived_again(folder: Path, tmp_path: Path) -> None:
    plan = plan_for(folder)
    first, second = plan.actions
    other = dataclasses.replace(second, edits=second.edits[:1])
    checked = confirmed(plan, {first.path: first, second.path: other})
    assert [action.status for action in checked.actions] == ["planned", "refused"]
    assert checked.actions[1].error == "left alone: its sources say otherwise: edits"
    checked = confirmed(plan, {second.path: second})
    assert [action.status for action in checked.actions] == ["refused", "planned"]
    plan.save(tmp_path / "plan.json")
    again = load_plan(tmp_path / "plan.json")
    assert {action.status for action in again.actions} == {"refused"}, "these edits are not a repair's own"
