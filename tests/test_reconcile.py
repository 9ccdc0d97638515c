"""The pipeline as a whole: what goes in, what comes out, and that it touches nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import sessscan
from sessscan.errors import ConflictError, PlanFileError
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.backtest import backtest
from sessscan.reconciliation.saved_plan import load_plan
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, NOW, World, key
from support.transcript_factory import talk
from test_truth import picture


def test_the_contract(world: World) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + 1_000, bytes(10))
    lose(world, None, NOW - 3 * DAY)
    world.healthy_row(talk(world.dice, "/x", BEGAN - DAY), store=world.stores[1])
    plan = reconcile(world.user_data, world.projects, now=NOW)
    told = json.loads(json.dumps(plan.to_dict()))
    assert list(told) == ["schema", "run", "stores", "summary", "findings", "actions"]
    assert (told["schema"], told["run"]) == ("sessscan.reconcile/1", None)
    assert sorted(store["rows"] for store in told["stores"]) == [1, 2]
    summary = told["summary"]
    assert (summary["rows"], summary["transcripts"]) == (3, 1)
    assert summary["findings"] == {"zero-filled": 1, "empty": 1, "dangling": 1}
    assert summary["actions"] == {"restore": 1, "hold": 1}
    assert list(told["findings"][0]) == [
        "rule",
        "severity",
        "path",
        "session_id",
        "transcript",
        "offset",
        "length",
        "message",
    ]
    restore = next(action for action in told["actions"] if action["kind"] == "restore")
    assert list(restore) == [
        "kind",
        "path",
        "session_id",
        "cli_session_id",
        "transcript",
        "source",
        "evidence",
        "candidates",
        "row",
        "provenance",
        "status",
        "backup",
        "error",
    ]
    assert (restore["path"], restore["status"], restore["error"]) == (str(path), "planned", None)
    held = next(action for action in told["actions"] if action["kind"] == "hold")
    assert (held["status"], held["row"], held["source"]) == ("held", {}, None)
    assert plan.exit_status == 1


def test_a_dry_run_touches_nothing(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    lose(world, made, made.ended + 1_000)
    before = picture(tmp_path)
    reconcile(world.user_data, world.projects, now=NOW)
    assert picture(tmp_path) == before


def test_no_module_bears_the_name_of_a_public_function() -> None:
    """The import system would put the module in the function's place."""
    folder = Path(sessscan.__file__).parent
    assert not {path.stem for path in folder.iterdir()} & set(sessscan.__all__)


def test_places_that_are_none(world: World, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reconcile(tmp_path / "gone", world.projects)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        reconcile(world.user_data, tmp_path / "file")


def test_many_stores_and_roots(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    other = tmp_path / "others"
    lose(world, made, made.ended + 1_000)
    elsewhere = talk(world.dice, "/home/ada", BEGAN + DAY)
    world.write(other / key("/home/ada") / f"{elsewhere.session_id}.jsonl", elsewhere.bytes(), NOW)
    plan = reconcile([str(store) for store in world.stores], [world.projects, other], now=NOW)
    assert (len(plan.stores), plan.transcripts) == (2, 2)


def test_progress_is_told_in_bytes(world: World) -> None:
    a_talk(world)
    seen: list[tuple[int, int]] = []
    plan = reconcile(world.user_data, world.projects, progress=lambda done, total: seen.append((done, total)))
    assert seen
    assert seen[-1] == (plan.bytes, plan.bytes), "there is nothing else to read in this store"


# --- orphans


def test_adopt(world: World) -> None:
    made = a_talk(world)
    store = world.stores[0]
    assert reconcile(store, world.projects, now=NOW).actions == ()
    (action,) = reconcile(store, world.projects, now=NOW, adopt=True).actions
    assert (action.kind, action.path) == ("adopt", str(store / f"local_{made.session_id}.json"))
    assert action.row["cliSessionId"] == made.session_id
    assert not action.rests_on[0].exists
    assert reconcile(store, world.projects, now=NOW, adopt=True).exit_status == 0


def test_an_orphan_goes_to_the_account_it_is_from_or_nowhere(world: World) -> None:
    made = a_talk(world)
    assert reconcile(world.user_data, world.projects, now=NOW, adopt=True).actions == ()
    world.healthy_row(a_talk(world, began=BEGAN - DAY, cwd=made.cwd), store=world.stores[1])
    (action,) = reconcile(world.user_data, world.projects, now=NOW, adopt=True).actions
    assert Path(action.path).parent == world.stores[1]
    world.healthy_row(a_talk(world, began=BEGAN - 2 * DAY, cwd=made.cwd), store=world.stores[0])
    assert reconcile(world.user_data, world.projects, now=NOW, adopt=True).actions == ()


def test_an_orphan_that_a_held_row_may_belong_to_is_not_given_away(world: World) -> None:
    made = a_talk(world)
    lose(world, made, made.ended + 2 * DAY)
    actions = reconcile(world.stores[0], world.projects, now=NOW, adopt=True).actions
    assert [action.kind for action in actions] == ["hold"]


# --- the legacy index


def test_a_stale_index_is_brought_up_to_date_on_request(world: World) -> None:
    made, other = a_talk(world), a_talk(world)
    for each in (made, other):
        world.healthy_row(each, title=each.title)
    path = world.projects / key(made.cwd) / "sessions-index.json"
    mtime = (path.parent / f"{made.session_id}.jsonl").stat().st_mtime_ns // 1_000_000
    kept = {"sessionId": made.session_id, "fileMtime": mtime, "messageCount": 7}
    for content in (json.dumps({"version": 1, "originalPath": "/o", "entries": [kept]}), "{", "[]"):
        path.write_text(content)
        assert reconcile(world.user_data, world.projects, now=NOW).actions == ()
        plan = reconcile(world.user_data, world.projects, now=NOW, rebuild_index=True)
        (action,) = plan.actions
        assert (action.kind, action.path, plan.exit_status) == ("rebuild-index", str(path), 0)
        document = json.loads(action.content)
        entries = {entry["sessionId"]: entry for entry in document["entries"]}
        assert set(entries) == {made.session_id, other.session_id}
        assert entries[made.session_id].get("messageCount") == (7 if "messageCount" in content else None)
        assert document["originalPath"] == ("/o" if "/o" in content else made.cwd)
        report = plan.apply(force=True)
        assert [done.status for done in report.actions] == ["applied"]
        again = reconcile(world.user_data, world.projects, now=NOW, rebuild_index=True)
        assert (again.findings, again.actions) == ((), ())


# --- a plan on disk, and the proof of the pudding


def test_a_plan_is_saved_and_carried_out_as_it_was(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + 1_000)
    lose(world, None, NOW - 3 * DAY)
    plan = reconcile(world.user_data, world.projects, now=NOW)
    plan.save(tmp_path / "plan.json")
    with pytest.raises(ConflictError):
        plan.save(tmp_path / "plan.json")
    loaded = load_plan(tmp_path / "plan.json", now=NOW)
    assert loaded == plan
    report = loaded.apply(force=True)
    assert sorted(action.status for action in report.actions) == ["applied", "held"]
    assert json.loads(path.read_bytes())["cliSessionId"] == made.session_id
    again = load_plan(tmp_path / "plan.json", now=NOW).apply(force=True)
    assert sorted(action.status for action in again.actions) == ["held", "refused"]
    assert again.exit_status == 3


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema":"sessscan.plan/1"}', '{"schema":"sessscan.plan/2"}']
)
def test_what_is_no_plan(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(PlanFileError, match="no plan"):
        load_plan(tmp_path / "plan.json", now=NOW)


def test_healthy_rows_rebuilt_as_if_lost(world: World) -> None:
    made, other = a_talk(world), a_talk(world, began=BEGAN + DAY)
    world.healthy_row(made, title=made.title)
    changed = world.healthy_row(other, title="Not as in the transcript", isArchived=True)
    world.healthy_row(talk(world.dice, "/x", BEGAN))
    found = backtest(world.user_data, world.projects)
    assert (found.rows, found.skipped) == (2, 1)
    told = json.loads(json.dumps(found.to_dict()))["fields"]
    assert (told["cwd"]["same"], told["cwd"]["different"], told["createdAt"]["same"]) == (2, 0, 2)
    assert (told["title"]["same"], told["title"]["different"]) == (1, 1)
    assert told["title"]["rows"][0]["is"] == "Not as in the transcript"
    assert Path(told["isArchived"]["rows"][0]["path"]).stem == changed
    assert "permissionMode" not in told, "nobody can know what was granted"


# --- size


def test_time_does_not_grow_with_the_square(world: World) -> None:
    """Thousands of rows lost at once, an hour apart: each finds its own."""
    spent = []
    for count in (250, 1_000):
        for _ in range(count - len(world.lost)):
            world.clock = (world.clock or BEGAN) - 3_600_000
            made = talk(world.dice, "/home/ada/code", world.clock, turns=1)
            world.put(made)
            world.lose(made, "back", time=made.ended + 3_000, content=b"", store=world.stores[0])
        begin = time.process_time()
        plan = reconcile(world.user_data, world.projects, now=NOW)
        spent.append(time.process_time() - begin)
        right = {str(lost.path): lost.talk.session_id for lost in world.lost if lost.talk is not None}
        assert {action.path: action.cli_session_id for action in plan.actions} == right
    assert spent[1] < 10 * spent[0], f"four times the rows took {spent[1] / spent[0]:.1f} times as long"
