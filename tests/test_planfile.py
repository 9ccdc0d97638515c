"""A plan that is saved and loaded is applied exactly as it was made, or refused."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sessscan.changes import plan_file
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import ConflictError, PlanChangedError, PlanFileError
from sessscan.model import Action, Fingerprint, Store
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.saved_plan import load_plan
from support.plans import Document, action_of, document_of, plan_with_every_kind
from support.program import picture as contents
from support.program import places, run
from support.small_worlds import a_talk, lose
from support.store_factory import DAY, NOW, World
from support.system import WINDOWS
from test_truth import picture

pytestmark = pytest.mark.full


@pytest.fixture
def plan(world: World) -> Plan:
    return plan_with_every_kind(world)


# Saved and applied


def test_a_loaded_plan_equals_the_saved_one(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    plan.save(file)
    loaded = load_plan(file, now=NOW)
    assert loaded == plan
    assert (loaded.to_dict(), loaded.exit_status) == (plan.to_dict(), plan.exit_status)
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert loaded.changes() == []


def test_the_file_has_the_members_of_the_schema(plan: Plan, tmp_path: Path) -> None:
    document = document_of(plan, tmp_path)
    keys = ["schema", "version", "stores", "summary", "findings", "actions", "sha256"]
    assert list(document) == keys
    assert document["schema"] == "sessscan.plan/1"
    assert list(document["stores"][0]) == ["path", "user_data", "agent_mode", "rows"]
    shown = plan.to_dict()
    assert document["summary"] == shown["summary"]
    assert document["findings"] == shown["findings"]
    for action, as_shown in zip(document["actions"], shown["actions"], strict=True):
        assert {name: action[name] for name in as_shown} == as_shown
        assert set(action) - set(as_shown) - {"absence"} == {"content", "rests_on"}
        content = base64.b64decode(action["content"])
        if action["row"]:
            assert json.loads(content) == action["row"]
        for fingerprint in action["rests_on"]:
            names = ["path", "exists", "size", "mtime_ns", "inode", "sha256"]
            assert list(fingerprint) == names


def test_a_loaded_plan_writes_the_same_bytes(world: World, plan: Plan, tmp_path: Path) -> None:
    before = picture(world.user_data)
    plan.save(tmp_path / "plan.json")
    report = load_plan(tmp_path / "plan.json", now=NOW).apply(exact=True, force=True)
    assert sorted(action.status for action in report.actions) == ["applied"] * 5 + ["held"]
    for action in plan.actions:
        if action.kind != "hold":
            assert Path(action.path).read_bytes() == action.content
    chosen = choose(report.run)
    assert chosen is not None
    undo(chosen, force=True)
    undone = {path: facts[2] for path, facts in picture(world.user_data).items()}
    assert undone == {path: facts[2] for path, facts in before.items()}


def test_a_row_may_hold_any_json(tmp_path: Path) -> None:
    path = str(tmp_path / "local_11111111-2222-4333-8444-555555555555.json")
    row = {
        "sessionId": Path(path).stem,
        "createdAt": 1,
        "lastActivityAt": 2,
        "half a pair \ud800": "\udc00",
        "large": 1 << 70,
        "deep": json.loads("[" * 200 + "]" * 200),
    }
    content = json.dumps(row).encode()
    action = Action(
        "restore", path, Path(path).stem, row=row, content=content, rests_on=(Fingerprint(path, False),)
    )
    plan = Plan(((Store(str(tmp_path), None), 0),), 0, 0, 0, (), (action,))
    plan.save(tmp_path / "plan.json")
    assert plan_file.load(Plan, tmp_path / "plan.json") == plan


def test_an_existing_file_is_never_written_over(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError):
        plan.save(tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_plan_that_could_not_be_loaded_is_not_saved(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    lose(world, made, made.ended + 1_000)
    odd = world.user_data / ".." / world.user_data.name
    with pytest.raises(PlanFileError, match="not a plain absolute path"):
        reconcile(odd, world.projects, now=NOW).save(tmp_path / "plan.json")
    assert not (tmp_path / "plan.json").exists()


# Refused, because a file has changed


CHANGES: dict[str, Callable[[World, Document], Path]] = {
    "the damaged row": lambda world, action: _rewritten(Path(action["path"])),
    "the transcript": lambda world, action: _appended(Path(action["transcript"])),
    "a tombstone": lambda world, action: _made(
        Path(action["path"]).parent / ("deleted_" + action["cli_session_id"])
    ),
    "the row is gone": lambda world, action: _removed(Path(action["path"])),
    "its place was taken": lambda world, action: _made(Path(action["path"])),
    "the index": lambda world, action: _rewritten(Path(action["path"])),
}


def _rewritten(path: Path) -> Path:
    path.write_bytes(path.read_bytes() + b" ")
    return path


def _appended(path: Path) -> Path:
    with path.open("ab") as file:
        file.write(b"{}\n")
    return path


def _made(path: Path) -> Path:
    path.write_bytes(b"1")
    return path


def _removed(path: Path) -> Path:
    path.unlink()
    return path


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("the damaged row", "restore"),
        ("the transcript", "restore"),
        ("the transcript", "adopt"),
        ("a tombstone", "restore"),
        ("the row is gone", "restore"),
        ("its place was taken", "adopt"),
        ("the index", "rebuild-index"),
    ],
)
def test_with_exact_one_changed_file_stops_all_writing(
    world: World, plan: Plan, tmp_path: Path, what: str, kind: str
) -> None:
    plan.save(tmp_path / "plan.json")
    action = action_of(plan.to_dict(), kind)
    changed = CHANGES[what](world, action)
    before = picture(world.user_data.parent / "Claude"), picture(world.projects)
    loaded = load_plan(tmp_path / "plan.json", now=NOW)
    assert loaded.changes() and all(str(changed) in line for line in loaded.changes())
    with pytest.raises(PlanChangedError, match="the plan no longer fits") as refusal:
        loaded.apply(exact=True, force=True)
    assert str(changed) in str(refusal.value)
    assert (picture(world.user_data.parent / "Claude"), picture(world.projects)) == before


def _of_another_content(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def _of_another_time(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 100))  # NTFS counts in steps of that


def _another_file(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


@pytest.mark.parametrize(
    ("what", "change", "says"),
    [
        ("path", _of_another_content, "has other content now"),
        ("path", Path.unlink, "is gone"),
        ("transcript", _of_another_time, "was written to in the meantime"),
        ("transcript", _another_file, "was replaced by another file"),
    ],
)
def test_a_change_that_leaves_the_size_is_a_change(
    plan: Plan, what: str, change: Callable[[Path], None], says: str
) -> None:
    assert plan.changes() == []
    path = Path(action_of(plan.to_dict(), "restore")[what])
    change(path)
    assert f"{path} {says}" in plan.changes()


def test_each_changed_file_is_named(world: World, plan: Plan) -> None:
    changed = {str(_rewritten(Path(a.path))) for a in plan.actions if a.kind == "restore"}
    assert {line.split(" has ")[0] for line in plan.changes()} == changed
    assert len(changed) == 2


def test_a_store_that_is_gone_is_a_change(world: World, plan: Plan) -> None:
    world.stores[0].rename(world.stores[0].with_name("elsewhere"))
    assert plan.changes() == [f"{world.stores[0]} is gone"]
    with pytest.raises(PlanChangedError):
        plan.apply(exact=True, force=True)


def test_a_file_the_plan_does_not_rest_on_may_change(world: World, plan: Plan) -> None:
    a_talk(world, NOW - DAY, cwd="/home/ada/third")
    (world.stores[0] / "scheduled-tasks.json").write_text("{}")
    assert plan.changes() == []
    assert plan.apply(exact=True, force=True).exit_status == 1  # the hold


def test_without_exact_the_other_actions_are_applied(plan: Plan) -> None:
    first = next(action for action in plan.actions if action.kind == "restore")
    _rewritten(Path(first.path))
    statuses = sorted(action.status for action in plan.apply(force=True).actions)
    assert statuses == ["applied"] * 4 + ["held", "refused"]


# On the command line


def test_a_plan_is_saved_shown_applied_and_then_refused(
    env: dict[str, str], sample: Path, tmp_path: Path
) -> None:
    file = tmp_path / "the plan.json"
    made = run(env, "reconcile", *places(sample), "--plan-out", file, "--format", "json")
    assert made.returncode == 1
    assert str(file) in made.stderr and made.stderr.count("\n") == 1
    before = contents(sample)
    shown = run(env, "reconcile", "--plan", file, "--format", "json")
    assert (shown.returncode, shown.stderr, shown.stdout) == (1, "", made.stdout)
    text = run(env, "reconcile", "--plan", file).stdout
    quoted = f'"{file}"' if WINDOWS else f"'{file}'"
    assert f"sessscan reconcile --plan {quoted} --apply" in text
    assert "make a new plan" in text and "--match ROW=TRANSCRIPT --apply" not in text
    assert contents(sample) == before

    applied = run(env, "reconcile", "--plan", file, "--apply", "--format", "json")
    report = json.loads(applied.stdout)
    assert (applied.returncode, report["run"] is not None) == (1, True)
    assert {action["status"] for action in report["actions"]} == {"applied", "held"}
    after = contents(sample)

    for more in ([], ["--apply"]):
        again = run(env, "reconcile", "--plan", file, *more)
        assert again.returncode == 3
        for action in report["actions"]:
            if action["status"] == "applied":
                assert f"the plan no longer fits: {action['path']} " in again.stderr
        assert bool(again.stdout) == (not more)
    assert "refused, nothing was written" in again.stderr
    assert contents(sample) == after
    assert run(env, "undo").returncode == 0
    assert run(env, "reconcile", "--plan", file).returncode == 1, "it fits again"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--plan", "missing"], "--plan missing: No such file"),
        (["--plan", "."], "--plan .: Is a directory"),
        (["--plan", "text"], "text is no plan: it is not JSON"),
        (["--plan", "old"], "'sessscan.plan/0'"),
        (["--plan-out", "text"], "--plan-out text: there is a file already"),
        (["--plan-out", "nowhere/plan"], "--plan-out nowhere/plan: there is no such folder"),
        (["--plan", "text", "--adopt", "--match", "a=b"], "does not go with --match, --adopt"),
        (["--plan", "text", "--plan-out", "new"], "does not go with --plan-out"),
        (["--plan", "text", "--verify"], "does not go with --plan"),
    ],
)
@pytest.mark.posix("the system says it in other words")
def test_a_plan_option_that_cannot_be_is_one_line_and_status_2(
    env: dict[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "text").write_text("mine")
    (tmp_path / "old").write_text('{"schema": "sessscan.plan/0"}')
    result = run(env, "reconcile", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("sessscan: ") and says in result.stderr
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "text").read_text() == "mine" and not (tmp_path / "new").exists()
