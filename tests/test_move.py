"""Test what a move does to sessions, rows and leases, and what it leaves alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan.changes import journal
from sessscan.errors import PlanChangedError, UsageError
from support.moves import OLD, Home, line_of, session_id
from support.program import run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / ".claude"))
    return Home(Path(os.path.realpath(tmp_path)))


def statuses(plan: sessscan.Plan | sessscan.Report) -> dict[str, int]:
    found: dict[str, int] = {}
    for action in plan.actions:
        found[f"{action.kind} {action.status}"] = found.get(f"{action.kind} {action.status}", 0) + 1
    return found


# What moves along, and what stays


def test_a_session_goes_with_all_that_lies_beside_it(home: Home) -> None:
    old = home.transcript(1)
    (old.with_suffix("") / "subagents").mkdir(parents=True)
    (old.with_suffix("") / "subagents" / "agent-a.jsonl").write_bytes(b"{}\n")
    released = old.with_name(f"{session_id(1)}.desktop-released.json")
    released.write_bytes(b'{"v":1}')
    row = home.row(1, worktreeName="x")
    content, written, before = old.read_bytes(), row.read_bytes(), home.picture()

    report = home.move()

    assert report.exit_status == 0
    assert statuses(report) == {"move applied": 3, "move-row applied": 1}
    # A transcript in its new place is complete, and no row names a place before its transcript is there.
    assert [action.path for action in report.actions][2:] == [str(old), str(row)]
    new = home.key(home.new) / old.name
    assert not old.exists()
    assert new.read_bytes().startswith(content)
    assert line_of(new) == {
        "type": "relocated",
        "relocatedCwd": str(home.new),
        "sessionId": session_id(1),
    }
    assert new.read_bytes().count(b"\n") == content.count(b"\n") + 1
    assert (new.with_suffix("") / "subagents" / "agent-a.jsonl").read_bytes() == b"{}\n"
    assert new.with_name(released.name).read_bytes() == b'{"v":1}'
    place = json.dumps(str(home.new), ensure_ascii=False)
    wanted = written.decode().replace(
        f'"cwd":"{OLD}","originCwd":"{OLD}"', f'"cwd":{place},"originCwd":{place}'
    )
    assert row.read_bytes() == wanted.encode()
    assert f'"unknown":{{"cwd":"{OLD}"' in wanted

    assert home.plan().actions == ()
    assert home.plan().exit_status == 0

    undone = sessscan.undo(report.run, force=True)
    assert undone is not None
    assert undone.exit_status == 0
    assert home.picture() == before


def test_a_plan_writes_nothing(home: Home) -> None:
    home.transcript(1)
    home.row(1)
    before = home.picture()
    plan = home.plan()
    assert plan.exit_status == 1
    assert statuses(plan) == {"move planned": 1, "move-row planned": 1}
    assert home.picture() == before


def test_directories_inside_move_along(home: Home) -> None:
    tree = f"{OLD}/.claude/worktrees/dark"
    home.transcript(1, tree)
    home.transcript(2, f"{OLD}/api")
    row = home.row(1, tree, originCwd=OLD, worktreePath=tree, worktreeName="dark", branch="claude/dark")
    (home.new / "api").mkdir()
    report = home.move()
    assert report.exit_status == 0
    separator = os.sep
    inside = f"{home.new}{separator}.claude{separator}worktrees{separator}dark"
    assert line_of(home.key(inside) / f"{session_id(1)}.jsonl")["relocatedCwd"] == inside
    assert (home.key(f"{home.new}{separator}api") / f"{session_id(2)}.jsonl").exists()
    fields = json.loads(row.read_bytes())
    assert [fields[name] for name in ("cwd", "originCwd", "worktreePath")] == [inside, str(home.new), inside]
    assert (fields["worktreeName"], fields["branch"]) == ("dark", "claude/dark")


def test_a_neighbour_with_the_same_key_stays(home: Home) -> None:
    mine = home.transcript(1, "/home/ada/a-b")
    other = home.transcript(2, "/home/ada/a/b")
    longer = home.transcript(3, "/home/ada/a-b-c")
    assert mine.parent == other.parent
    home.row(1, "/home/ada/a-b")
    kept = home.row(2, "/home/ada/a/b")
    before = other.read_bytes(), kept.read_bytes()
    report = home.move("/home/ada/a-b")
    assert report.exit_status == 0
    assert statuses(report) == {"move applied": 1, "move-row applied": 1}
    assert (other.read_bytes(), kept.read_bytes()) == before
    assert longer.exists()
    assert not mine.exists()


def test_a_transcript_that_names_no_folder_is_held_where_two_share_the_key(home: Home) -> None:
    home.transcript(1, "/home/ada/a-b")
    home.transcript(2, "/home/ada/a/b")
    mute = home.transcript(3, None, home.key("/home/ada/a-b"))
    report = home.move("/home/ada/a-b")
    assert report.exit_status == 1
    [held] = [action for action in report.actions if action.status == "held"]
    assert held.path == str(mute)
    assert "/home/ada/a-b and /home/ada/a/b" in (held.error or "")
    assert mute.exists()


def test_a_transcript_that_names_no_folder_goes_with_the_only_one(home: Home) -> None:
    home.transcript(1)
    mute = home.transcript(2, None)
    assert home.move().exit_status == 0
    assert not mute.exists()


def test_a_row_tells_of_which_folder_a_mute_transcript_is(home: Home) -> None:
    home.transcript(1, "/home/ada/a/b")
    mute = home.transcript(3, None, home.key("/home/ada/a-b"))
    home.row(3, "/home/ada/a-b")
    assert home.move("/home/ada/a-b").exit_status == 0
    assert not mute.exists()


def test_a_folder_whose_key_stays_the_same_only_gets_the_line(home: Home) -> None:
    (home.folder / "a" / "b").mkdir(parents=True)
    old, new = f"{home.folder}{os.sep}a-b", home.folder / "a" / "b"
    path = home.transcript(1, old, home.key(new))
    row = home.row(1, old)
    before = home.picture()
    report = home.move(old, new)
    assert report.exit_status == 0
    assert line_of(path)["relocatedCwd"] == str(new)
    assert json.loads(row.read_bytes())["cwd"] == str(new)
    assert home.plan(old, new).actions == ()
    sessscan.undo(report.run, force=True)
    assert home.picture() == before


# What is in the way, or odd


def test_nothing_is_replaced(home: Home) -> None:
    old = home.transcript(1)
    home.transcript(2)
    row = home.row(1)
    new = home.transcript(1, str(home.new), home.key(home.new))
    before = new.read_bytes(), row.read_bytes(), old.read_bytes()
    report = home.move()
    assert report.exit_status == 1
    held = [action for action in report.actions if action.status == "held"]
    assert {action.path for action in held} == {str(old), str(row)}
    assert any(f"{new} is there already" in (action.error or "") for action in held)
    assert (new.read_bytes(), row.read_bytes(), old.read_bytes()) == before
    assert not (old.parent / f"{session_id(2)}.jsonl").exists()


def test_a_place_that_is_taken_after_the_plan_refuses_the_session(home: Home) -> None:
    old = home.transcript(1)
    row = home.row(1)
    plan = home.plan()
    new = home.transcript(1, str(home.new), home.key(home.new))
    before = home.picture()
    assert plan.changes() == [f"{new} is there now, and nothing is replaced"]
    with pytest.raises(PlanChangedError):
        plan.apply(exact=True, force=True)
    report = plan.apply(force=True)
    assert report.exit_status == 3
    assert statuses(report) == {"move refused": 1, "move-row refused": 1}
    assert home.picture() == before
    assert old.exists()
    assert row.exists()


def test_a_transcript_that_was_copied_by_hand_gets_the_line_and_its_row(home: Home) -> None:
    path = home.transcript(1, OLD, home.key(home.new))
    row = home.row(1)
    report = home.move()
    assert statuses(report) == {"move applied": 1, "move-row applied": 1}
    assert line_of(path)["relocatedCwd"] == str(home.new)
    assert json.loads(row.read_bytes())["cwd"] == str(home.new)


def test_a_second_move_follows_the_first(home: Home) -> None:
    home.transcript(1)
    home.row(1)
    home.move()
    again = home.folder / "elsewhere"
    again.mkdir()
    report = home.move(home.new, again)
    assert report.exit_status == 0
    path = home.key(again) / f"{session_id(1)}.jsonl"
    assert line_of(path)["relocatedCwd"] == str(again)
    # And back to where the last move began: its lines say so, whatever the first ones say.
    assert home.move(again, home.new).exit_status == 0
    assert line_of(home.key(home.new) / path.name)["relocatedCwd"] == str(home.new)


def test_a_session_that_was_in_several_folders_is_from_the_one_of_its_key(home: Home) -> None:
    path = home.transcript(1, "/srv/tools", home.key(OLD), cwds=(OLD, "/srv/other"))
    with pytest.raises(UsageError, match="no session is from /srv/tools"):
        home.plan("/srv/tools")
    assert home.move().exit_status == 0
    assert not path.exists()


def test_the_line_stands_on_its_own_after_a_torn_end(home: Home) -> None:
    old = home.transcript(1, more=b'{"type":"user","torn')
    content, before = old.read_bytes(), home.picture()
    report = home.move()
    new = home.key(home.new) / old.name
    assert new.read_bytes()[: len(content) + 1] == content + b"\n"
    assert line_of(new)["type"] == "relocated"
    sessscan.undo(report.run, force=True)
    assert home.picture() == before


def test_an_empty_transcript_moves_without_a_line(home: Home) -> None:
    home.transcript(1)
    empty = home.key(OLD) / f"{session_id(2)}.jsonl"
    empty.touch()
    home.age(empty)
    assert home.move().exit_status == 0
    assert (home.key(home.new) / empty.name).read_bytes() == b""


def test_what_is_left_of_a_session_moves_too(home: Home) -> None:
    home.transcript(1)
    left = home.key(OLD) / session_id(2)
    (left / "tool-results").mkdir(parents=True)
    assert home.move().exit_status == 0
    assert (home.key(home.new) / session_id(2) / "tool-results").is_dir()


def test_a_transcript_in_utf_16_is_held(home: Home) -> None:
    path = home.transcript(1)
    path.write_bytes(path.read_bytes().decode().encode("utf-16"))
    home.age(path)
    report = home.move()
    assert report.exit_status == 1
    assert [("UTF-16" in (action.error or "")) for action in report.actions] == [True]
    assert path.exists()


# Long paths, leases, other machines


@pytest.mark.posix("a path of more than 260 characters")
def test_a_long_path_needs_a_folder_that_claude_code_made(home: Home) -> None:
    home.transcript(1)
    new = home.folder / ("long-name-" * 10) / ("long-name-" * 12)
    new.mkdir(parents=True)
    report = home.move(OLD, new)
    assert report.exit_status == 1
    assert "so long" in (report.actions[0].error or "")
    made = home.projects / (project_key_200(new) + "-k3x9")
    home.transcript(9, str(new), made)
    other = home.projects / (project_key_200(new) + "-other")
    home.transcript(8, f"{new}-other", other)
    assert home.move(OLD, new).exit_status == 0
    assert line_of(made / f"{session_id(1)}.jsonl")["relocatedCwd"] == str(new)


def project_key_200(directory: Path) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in str(directory))[:200]


def test_a_long_path_is_left_by_its_hash(home: Home) -> None:
    old = "/home/ada/" + "long-name-" * 24
    home.transcript(1, old, home.projects / (project_key_200(Path("/home/ada/" + "long-name-" * 24)) + "-1a"))
    home.transcript(2, old + "x", home.projects / (project_key_200(Path(old)) + "-2b"))
    report = home.move(old)
    assert statuses(report) == {"move applied": 1}
    assert (home.key(home.new) / f"{session_id(1)}.jsonl").exists()


def test_a_lease_that_names_the_folder_is_changed_and_no_other(home: Home) -> None:
    home.transcript(1)
    tree = f"{OLD}/.claude/worktrees/x"
    leased = {"path": tree, "baseRepo": OLD, "branch": "b", "createdAt": 1.50, "leasedBy": "local_x"}
    pooled = {"path": tree, "baseRepo": OLD, "leasedBy": None}
    foreign = {"path": f"{OLD}-2/x", "baseRepo": f"{OLD}-2", "leasedBy": "local_y"}
    path = home.lease(leased, pooled, foreign)
    before = path.read_text(encoding="utf-8")
    report = home.move()
    assert statuses(report) == {"move applied": 1, "move-leases applied": 1}
    inside = str(home.new / ".claude" / "worktrees" / "x")
    wanted = before.replace(json.dumps(tree), json.dumps(inside), 1)
    wanted = wanted.replace(json.dumps(OLD), json.dumps(str(home.new)), 1)
    assert path.read_text(encoding="utf-8") == wanted
    sessscan.undo(report.run, force=True)
    assert path.read_text(encoding="utf-8") == before


def test_paths_of_windows_become_paths_of_this_machine(home: Home) -> None:
    old = "C:\\Users\\ada\\src\\App"
    path = home.transcript(1, old, home.projects / "c--users-ada-src-app")
    row = home.row(1, old, originCwd="c:\\users\\Ada\\src\\app")
    home.transcript(2, "C:\\Users\\adam", home.projects / "C--Users-adam")
    report = home.move("C:/Users/ada", home.folder, prefix=True)
    assert report.exit_status == 0
    new = str(home.folder / "src" / "App")
    assert not path.exists()
    assert line_of(home.key(new) / path.name)["relocatedCwd"] == new
    fields = json.loads(row.read_bytes())
    assert fields["cwd"] == new
    assert fields["originCwd"] == str(home.folder / "src" / "app")
    assert (home.projects / "C--Users-adam" / f"{session_id(2)}.jsonl").exists()


def test_sessions_on_another_machine_stay(home: Home) -> None:
    home.transcript(1)
    row = home.row(1, sshConfig={"sshHost": "far"})
    before = row.read_bytes()
    assert statuses(home.move()) == {"move applied": 1}
    assert row.read_bytes() == before


def test_the_order_of_use_stays(home: Home) -> None:
    names = [home.transcript(number).name for number in (3, 1, 2)]
    report = home.move()
    times = [(home.key(home.new) / name).stat().st_mtime_ns for name in names]
    assert times[1] < times[2] < times[0]
    sessscan.undo(report.run, force=True)
    times = [(home.key(OLD) / name).stat().st_mtime_ns for name in names]
    assert times[1] < times[2] < times[0]


# Undo, saved plans, mistakes


def test_undo_refuses_a_session_that_went_on(home: Home) -> None:
    home.transcript(1)
    report = home.move()
    new = home.key(home.new) / f"{session_id(1)}.jsonl"
    with new.open("ab") as file:
        file.write(b'{"type":"user"}\n')
    before = home.picture()
    with pytest.raises(PlanChangedError, match="has grown since the run"):
        sessscan.undo(report.run, force=True)
    assert home.picture() == before


def test_undo_replaces_nothing_that_came_back(home: Home) -> None:
    home.transcript(1)
    report = home.move()
    old = home.transcript(1)
    before = home.picture()
    with pytest.raises(PlanChangedError, match="is there again"):
        sessscan.undo(report.run, force=True)
    assert home.picture() == before
    assert old.exists()


def test_a_saved_plan_does_the_same(home: Home, tmp_path: Path) -> None:
    old = home.transcript(1)
    (old.with_suffix("")).mkdir()
    home.row(1)
    home.transcript(2)
    home.lease({"path": f"{OLD}/x", "baseRepo": OLD, "leasedBy": "local_x"})
    plan = home.plan()
    file = tmp_path / "plan.json"
    plan.save(file)
    loaded = sessscan.load_plan(file)
    assert loaded.moved == plan.moved
    assert [action.path for action in loaded.actions] == [action.path for action in plan.actions]
    assert [action.status for action in loaded.actions] == ["planned"] * 5
    assert loaded.changes() == []
    assert loaded.apply(exact=True, force=True).exit_status == 0
    assert not old.exists()


def test_a_saved_plan_no_longer_fits_once_a_transcript_has_changed(home: Home, tmp_path: Path) -> None:
    old = home.transcript(1)
    home.plan().save(tmp_path / "plan.json")
    with old.open("ab") as file:
        file.write(b"{}\n")
    loaded = sessscan.load_plan(tmp_path / "plan.json")
    assert [action.status for action in loaded.actions] == ["refused"]
    assert loaded.changes()


FORGED = {
    "a target outside the root": lambda action: action.update(
        target=action["target"].replace(session_id(1), f"..{os.sep}x{os.sep}{session_id(1)}")
    ),
    "a target of another root": lambda action: action.update(
        target=action["target"].replace("projects", "x")
    ),
    "no target": lambda action: action.update(target=None),
    "no file of a session": lambda action: action.update(path=action["path"].replace(".jsonl", ".txt")),
    "an edit in the middle": lambda action: action["edits"][0].update(offset=0),
    "an edit that removes": lambda action: action["edits"][0].update(old="AA=="),
    "another kind": lambda action: action.update(kind="repair"),
    "another name": lambda action: action.update(target=action["target"].replace("01-", "02-")),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_plan_is_refused_as_such(
    home: Home, tmp_path: Path, forge: Callable[[dict[str, Any]], None]
) -> None:
    home.transcript(1)
    home.plan().save(tmp_path / "plan.json")
    document = document_of(tmp_path / "plan.json")
    forge(document["actions"][0])
    document["summary"]["actions"] = {document["actions"][0]["kind"]: 1}
    with pytest.raises(sessscan.PlanFileError):
        sessscan.load_plan(sealed(document, tmp_path))


def test_a_plan_that_says_otherwise_than_the_sessions_is_refused(home: Home, tmp_path: Path) -> None:
    home.transcript(1)
    home.transcript(2)
    row = home.row(1)
    home.plan().save(tmp_path / "plan.json")
    document = document_of(tmp_path / "plan.json")
    first, _, second = document["actions"]
    line = base64.b64encode(b'{"type":"user"}\n').decode()
    first["edits"][0]["new"] = line
    second["target"] = second["target"].replace("-shop", "-else")
    forged = sealed(document, tmp_path)
    before = home.picture()
    loaded = sessscan.load_plan(forged)
    assert [action.status for action in loaded.actions] == ["refused", "planned", "refused"]
    with pytest.raises(PlanChangedError):
        loaded.apply(exact=True, force=True)
    assert home.picture() == before
    assert row.exists()


def document_of(plan: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plan.read_bytes())
    del found["sha256"]
    return found


def sealed(document: dict[str, Any], folder: Path) -> Path:
    """Write a plan file whose checksum fits, as anybody can."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    path = folder / "forged.json"
    path.write_text(json.dumps(document | {"sha256": hashlib.sha256(text.encode()).hexdigest()}))
    return path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{new}", "{new}", "are the same folder"),
        ("{folder}", "{new}", "lies inside"),
        (OLD, "{folder}/nowhere", "there is no such folder"),
        (OLD, "{folder}/file", "is not a folder"),
        ("", "{new}", "is no path"),
        (OLD, "", "is no path"),
        (OLD, "a\0b", "is no path"),
        ("/home/ada/code/shpo", "{new}", f"Did you mean {OLD}"),
        ("/somewhere/shop", "{new}", f"Did you mean {OLD}"),
    ],
)
def test_what_makes_no_sense_is_said(home: Home, old: str, new: str, says: str) -> None:
    home.transcript(1)
    (home.folder / "file").touch()
    names = {"new": str(home.new), "folder": str(home.folder)}
    with pytest.raises(UsageError, match=says):
        home.plan(old.format(**names), new.format(**names) or "")


def test_entries_of_moves_are_checked_when_a_journal_is_read(home: Home) -> None:
    home.transcript(1)
    report = home.move()
    [run] = journal.runs()[0]
    assert report.run == run.id
    text = run.journal.read_text(encoding="utf-8")
    new = json.dumps(str(home.key(home.new) / f"{session_id(1)}.jsonl"))
    for forged in (json.dumps(str(home.folder / f"{session_id(1)}.jsonl")), json.dumps("x.jsonl"), "null"):
        run.journal.write_text(text.replace(f'"target":{new}', f'"target":{forged}'), encoding="utf-8")
        assert journal.runs()[0] == []
        assert len(journal.runs()[1]) == 1


# Sessions that run


def running(home: Home, number: int) -> Path:
    """Say as the CLI does that this process runs a session."""
    folder = home.folder / ".claude" / "sessions"
    folder.mkdir(exist_ok=True)
    path = folder / f"{os.getpid()}.json"
    path.write_text(json.dumps({"pid": os.getpid(), "sessionId": session_id(number)}), encoding="utf-8")
    return path


def test_a_session_that_runs_is_held_with_its_row(home: Home) -> None:
    old = home.transcript(1)
    row = home.row(1)
    home.transcript(2)
    running(home, 1)
    before = old.read_bytes(), row.read_bytes()
    report = home.move()
    assert report.exit_status == 1
    assert statuses(report) == {"hold held": 2, "move applied": 1}
    held = [action.error or "" for action in report.actions if action.status == "held"]
    assert f"process {os.getpid()} is running it" in held[0]
    assert held[1] == "its transcript stays where it is, so its row does"
    assert (old.read_bytes(), row.read_bytes()) == before


def test_a_session_that_begins_to_run_after_the_plan_stays_whole(home: Home) -> None:
    old = home.transcript(1)
    old.with_suffix("").mkdir()
    home.row(1)
    before = home.picture()
    plan = home.plan()
    mark = running(home, 1)
    report = plan.apply(force=True)
    assert statuses(report) == {"move refused": 2, "move-row refused": 1}
    mark.unlink()
    assert home.picture() == before
    assert old.with_suffix("").is_dir()


def test_a_session_that_runs_again_is_not_taken_back(home: Home) -> None:
    home.transcript(1)
    report = home.move()
    running(home, 1)
    before = home.picture()
    with pytest.raises(PlanChangedError, match="is running this session"):
        sessscan.undo(report.run, force=True)
    assert home.picture() == before


def test_a_transcript_that_was_just_written_is_left_alone(home: Home) -> None:
    old = home.transcript(1)
    old.touch()
    report = home.plan().apply()
    assert report.exit_status == 3
    assert "may be in use" in (report.actions[0].error or "")
    assert old.exists()


# Links, rights and hostile names


@pytest.mark.posix("needs links")
def test_links_are_held_and_followed_where_that_is_safe(home: Home) -> None:
    linked = home.transcript(1)
    linked.rename(home.folder / "real.jsonl")
    linked.symlink_to(home.folder / "real.jsonl")
    home.row(1)
    new = home.folder / "link"
    new.symlink_to(home.new)
    report = home.move(OLD, new)
    assert report.exit_status == 1
    assert "is a link" in (report.actions[0].error or "")
    assert report.moved is not None
    assert report.moved.new == str(home.new)


@pytest.mark.posix("needs links")
def test_a_link_left_in_the_old_place_does_not_matter(home: Home) -> None:
    old = home.folder / "code" / "shop"
    old.parent.mkdir()
    home.transcript(1, str(old))
    old.symlink_to(home.new)
    assert home.move(old).exit_status == 0
    assert (home.key(home.new) / f"{session_id(1)}.jsonl").exists()


@pytest.mark.not_root("root may write anywhere")
def test_a_project_folder_that_may_not_be_written_leaves_the_session_whole(home: Home) -> None:
    old = home.transcript(1)
    row = home.row(1)
    home.key(home.new).mkdir()
    home.key(home.new).chmod(0o500)
    content, written = old.read_bytes(), row.read_bytes()
    report = home.move()
    home.key(home.new).chmod(0o700)
    assert report.exit_status == 4
    assert statuses(report) == {"move failed": 1, "move-row refused": 1}
    assert (old.read_bytes(), row.read_bytes()) == (content, written)
    assert home.move().exit_status == 0


def test_a_place_that_is_no_folder_holds_its_sessions(home: Home) -> None:
    old = home.transcript(1)
    home.key(home.new).touch()
    report = home.move()
    assert report.exit_status == 1
    assert "should be its project folder" in (report.actions[0].error or "")
    assert old.exists()


def test_a_hostile_directory_goes_nowhere(home: Home) -> None:
    home.transcript(1)
    for number, place in enumerate((f"{OLD}/../../../etc", f"{OLD}/\x1b[31m", f"{OLD}/" + "[" * 5000), 2):
        home.transcript(number, place, home.key(OLD))
    outside_of_it = home.transcript(9, f"{OLD}/../../../etc")
    report = home.move()
    outside = [action.target for action in report.actions if action.target is not None]
    assert all(Path(target).parent.parent == home.projects for target in outside)
    assert not (home.folder / "etc").exists()
    assert outside_of_it.exists()
    assert {path.parent.parent for path in home.projects.rglob("*.jsonl")} == {home.projects}


# The command line


def test_the_command_line(home: Home, tmp_path: Path) -> None:
    home.transcript(1)
    home.row(1)
    home.transcript(2, "D:\\ada\\x", home.projects / "D--ada-x")
    env = {**os.environ, "COLUMNS": "100", "HOME": str(home.folder), "USERPROFILE": str(home.folder)}
    places = ["--store", str(home.user_data), "--projects", str(home.projects)]

    planned = run(env, "move", OLD, home.new, *places)
    assert planned.returncode == 1
    assert "1 session and 1 row of the app can be moved" in planned.stdout
    assert "--apply" in planned.stdout
    saved = run(env, "move", OLD, home.new, *places, "--plan-out", tmp_path / "plan.json", "--format", "json")
    document = json.loads(saved.stdout)
    assert document["schema"] == "sessscan.move/1"
    assert (document["old"], document["new"], document["prefix"]) == (OLD, str(home.new), False)
    assert document["summary"]["actions"] == {"move": 1, "move-row": 1}
    target = str(home.key(home.new) / f"{session_id(1)}.jsonl")
    assert [action["target"] for action in document["actions"]] == [target, None]
    assert json.loads(document["actions"][0]["appended"][0])["relocatedCwd"] == str(home.new)
    wrong = run(env, "reconcile", "--plan", tmp_path / "plan.json")
    assert wrong.returncode == 2
    assert "sessscan move --plan" in wrong.stderr
    applied = run(env, "move", "--plan", tmp_path / "plan.json", "--apply", "--force")
    assert applied.returncode == 0, applied.stderr
    assert "sessscan undo" in applied.stdout
    log = run(env, "log")
    assert "1 transcript moved, 1 row changed" in log.stdout
    again = run(env, "move", OLD, home.new, *places, "--apply", "--force")
    assert again.returncode == 0
    assert "Nothing is left to move" in again.stdout
    mapped = run(env, "move", "--from", "D:\\ada", "--to", home.folder, *places)
    assert mapped.returncode == 1
    assert "is not there yet" in mapped.stdout
    for wrong_use in (
        ["move", OLD],
        ["move", "--from", OLD],
        ["move", OLD, str(home.new), "--to", "x"],
        ["move", OLD, "--plan", str(tmp_path / "plan.json")],
        ["move", "/nobody/was/here", str(home.new), *places],
    ):
        failed = run(env, *wrong_use)
        assert failed.returncode == 2, failed
        assert failed.stderr.startswith("sessscan: ")
