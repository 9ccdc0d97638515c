"""Rows put back from snapshots: byte for byte, up to date, and never a session that was deleted."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.saved_plan import load_plan
from sessscan.snapshots.capture import capture_rows
from sessscan.snapshots.database import FILE
from sessscan.snapshots.store import Snapshots
from support.program import picture, places, run
from support.small_worlds import BEGAN, a_talk
from support.store_factory import DAY, NOW, World, build, compact, key
from support.transcript_factory import DESKTOP, Talk, line, new_id, resumed, stamp

pytestmark = pytest.mark.full

Damage = Callable[[Path, bytes, Random], None]


def plan_of(world: World, **more: Any) -> Plan:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def keep(world: World) -> dict[Path, bytes]:
    """Takes a snapshot; the healthy rows' contents."""
    assert plan_of(world, snapshot=True).remarks == ()
    return {path: path.read_bytes() for path in world.healthy}


def put_back(world: World, path: Path) -> Action:
    [action] = [action for action in plan_of(world).actions if action.path == str(path)]
    return action


def healthy(world: World, **more: Any) -> tuple[Talk, Path]:
    made = a_talk(world)
    world.healthy_row(made, store=world.stores[0], **more)
    return made, world.healthy[-1]


# --- every damage of FORMATS


def overwrite(content: Callable[[bytes, Random], bytes]) -> Damage:
    return lambda path, whole, dice: void(path.write_bytes(content(whole, dice)))


def void(_: object) -> None:
    return None


def zero_tail(whole: bytes, dice: Random) -> bytes:
    kept = dice.randrange(len(whole))
    return whole[:kept] + bytes(len(whole) - kept)


def overwritten(whole: bytes, dice: Random) -> bytes:
    place = dice.randrange(1, len(whole) - 1)
    return whole[:place] + b"\x00\x01" + whole[place + 2 :]


OTHER_ID = "local_00000000-0000-4000-8000-000000000000"

DAMAGES: dict[str, Damage] = {
    "zero-filled": overwrite(lambda whole, dice: bytes(len(whole))),
    "empty": overwrite(lambda whole, dice: b""),
    "truncated": overwrite(lambda whole, dice: whole[: dice.randrange(len(whole))]),
    "zero-tail": overwrite(zero_tail),
    "overwritten": overwrite(overwritten),
    "junk": overwrite(lambda whole, dice: dice.randbytes(300)),
    "bom": overwrite(lambda whole, dice: b"\xef\xbb\xbf" + whole),
    "no-row": overwrite(lambda whole, dice: b'{"schemaVersion":2}'),
    "oversize": overwrite(lambda whole, dice: whole[:-1] + b',"x":"' + b"x" * (10 << 20) + b'"}'),
    "other-id": lambda path, whole, dice: void(
        path.write_bytes(whole.replace(path.stem.encode(), OTHER_ID.encode()))
    ),
    "only-the-tmp": lambda path, whole, dice: void(path.rename(f"{path}.tmp")),
    "gone": lambda path, whole, dice: path.unlink(),
}


def no_wrong_match(world: World, plan: Plan) -> None:
    expected = {str(one.path): one.talk for one in world.lost}
    for action in plan.actions:
        if action.kind == "restore" and action.path in expected:
            made = expected[action.path]
            right = None if made is None else made.session_id
            assert action.cli_session_id == right, f"wrong match by {action.evidence}"


@pytest.mark.parametrize("first", range(1, 25, 6))
def test_a_store_damaged_in_every_way_is_mended_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Stores with all kinds of neighbours, lost rows among them, of which nothing must come out otherwise."""
    for seed in range(first, first + 6):
        monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / f"state{seed}"))
        world = build(tmp_path / str(seed), seed)
        whole = keep(world)
        dice = Random(seed)
        kinds = list(DAMAGES)
        dice.shuffle(kinds)
        done = {}
        for number, (path, content) in enumerate(whole.items()):
            done[path] = kinds[number % len(kinds)]
            DAMAGES[done[path]](path, content, dice)
        damaged = picture(world.user_data)
        plan = plan_of(world)
        assert picture(world.user_data) == damaged, "a dry run writes nothing into the store"
        actions = {action.path: action for action in plan.actions}
        for path, content in whole.items():
            told = f"seed {seed}, {done[path]}, {path.name}"
            action = actions.get(str(path))
            assert action is not None and action.kind == "restore", f"{told}: {action and action.error}"
            assert action.content == content, f"{told}: {action.source}"
            assert action.source == "snapshot" and set(action.provenance.values()) == {"its snapshot"}, told
        no_wrong_match(world, plan)
        report = plan.apply(force=True)
        assert {path: path.read_bytes() for path in whole} == whole
        assert all(action.status in ("applied", "held") for action in report.actions)
        # What was held may be decided now that its neighbours can be read; what was mended is left alone.
        again = plan_of(world)
        left = {action.path: action for action in again.actions if Path(action.path) in whole}
        # A row that names no transcript was put back as it was, and can be linked now that it can be read.
        right = {path: world.owned[path].session_id for path in left}
        assert {path: (one.kind, one.cli_session_id) for path, one in left.items()} == {
            path: ("relink", name) for path, name in right.items()
        }
        no_wrong_match(world, again)
        assert report.run is not None or not whole
        if report.run is not None:
            taken = choose(report.run)
            assert taken is not None
            undo(taken, force=True)
        assert picture(world.user_data) == damaged, "and taken back to the byte"


@pytest.mark.parametrize("lost", ["organisation", "registry"])
def test_a_whole_store_that_is_gone(world: World, tmp_path: Path, lost: str) -> None:
    import shutil

    for _ in range(3):
        healthy(world)
    whole = keep(world)
    registry = world.user_data / "claude-code-sessions"
    shutil.rmtree(registry if lost == "registry" else world.stores[0])
    plan = plan_of(world)
    assert plan.summary["findings"] == {"missing": 3} and plan.exit_status == 1
    plan.save(tmp_path / "plan.json")
    report = load_plan(tmp_path / "plan.json", now=NOW).apply(exact=True, force=True)
    assert report.exit_status == 0
    assert {path: path.read_bytes() for path in whole} == whole
    assert os.name != "posix" or world.stores[0].stat().st_mode & 0o777 == 0o700
    assert plan_of(world).findings == ()


@pytest.mark.skipif(os.name != "posix", reason="folders are not synced there")
def test_each_folder_that_is_made_is_synced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the rows would be lost with them if the power failed: the core syncs the last folder alone."""
    import shutil

    healthy(world)
    keep(world)
    shutil.rmtree(world.user_data / "claude-code-sessions")
    synced = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    assert plan_of(world).apply(force=True).exit_status == 0
    above = [world.user_data, world.stores[0].parent.parent, world.stores[0].parent]
    assert [folder.stat().st_ino for folder in above] == synced


def test_nothing_is_made_where_there_is_no_user_data(world: World) -> None:
    healthy(world)
    keep(world)
    world.user_data.rename(world.user_data.with_name("Moved"))
    empty = world.user_data.with_name("Elsewhere")
    empty.mkdir()
    assert reconcile(empty, world.projects, now=NOW).actions == ()


# --- brought up to date


def go_on(world: World, made: Talk, *records: dict[str, Any], minutes: int = 60) -> int:
    """One more prompt and answer, and further lines before them; when the last was."""
    time = made.ended + minutes * 60_000
    last = next(record for record in reversed(made.records) if record.get("type") == "user")
    more = {**last, "uuid": new_id(world.dice), "timestamp": stamp(time)}
    path = world.projects / key(made.cwd) / f"{made.session_id}.jsonl"
    with path.open("ab") as file:
        for record in (*records, more):
            file.write(line(record))
    return time


def test_only_what_moved_on_changes_and_every_other_byte_stays(world: World) -> None:
    made, path = healthy(world, title="From the app", effort=1.0, extra="ä\u2028")
    text = path.read_bytes().replace(b'"effort":1.0', b'"effort" : 1.0e0')
    path.write_bytes(text)
    os.utime(path, ns=((made.ended + 2_000) * 1_000_000,) * 2)
    keep(world)
    title = {"type": "custom-title", "customTitle": "New „name“", "sessionId": made.session_id}
    time = go_on(world, made, title)
    path.write_bytes(bytes(len(text)))
    action = put_back(world, path)
    expected = text
    for old, new in (
        (f'"lastActivityAt":{made.ended}', f'"lastActivityAt":{time}'),
        (f'"completedTurns":{made.turns}', f'"completedTurns":{made.turns + 1}'),
        ('"title":"From the app"', '"title":"New „name“"'),
        (f'"titleSource":"{"user" if made.custom else "auto"}"', '"titleSource":"user"'),
    ):
        assert expected.count(old.encode()) == 1
        expected = expected.replace(old.encode(), new.encode())
    assert action.content == expected
    changed = {name for name, origin in action.provenance.items() if origin != "its snapshot"}
    assert changed - {"titleSource"} == {"lastActivityAt", "completedTurns", "title"}
    assert action.provenance["title"].startswith("custom-title, line ")


def test_a_title_given_in_the_app_stays_while_the_conversation_goes_on(world: World) -> None:
    made, path = healthy(world, title="Given in the app", titleSource="user")
    keep(world)
    time = go_on(world, made, {"type": "ai-title", "aiTitle": "Made up", "sessionId": made.session_id})
    path.write_bytes(b"")
    action = put_back(world, path)
    assert (action.row["title"], action.row["lastActivityAt"]) == ("Given in the app", time)


def test_neither_times_nor_turns_go_back(world: World) -> None:
    """What the app saved last may be more than the transcript tells."""
    made, path = healthy(world)
    later = {"lastActivityAt": made.ended + 7_200_000, "completedTurns": 99}
    world.write(path, compact(json.loads(path.read_bytes()) | later), made.ended + 2_000)
    keep(world)
    go_on(world, made)
    path.write_bytes(b"")
    row = put_back(world, path).row
    assert {name: row[name] for name in later} == later


def test_a_session_that_had_no_title_yet(world: World) -> None:
    made, path = healthy(world)
    fields = json.loads(path.read_bytes())
    del fields["title"], fields["titleSource"]
    world.write(path, compact(fields), made.ended + 2_000)
    keep(world)
    go_on(world, made, {"type": "custom-title", "customTitle": "At last", "sessionId": made.session_id})
    path.write_bytes(b"")
    action = put_back(world, path)
    assert action.content.endswith(b',"title":"At last","titleSource":"user"}')


def test_what_the_app_has_saved_since_comes_first(world: World) -> None:
    made, path = healthy(world, isArchived=False)
    kept = keep(world)[path]
    later = json.loads(kept) | {"isArchived": True, "lastActivityAt": made.ended + 60_000, "title": "Later"}
    world.write(Path(f"{path}.tmp"), compact(later), made.ended + 61_000)
    world.write(path, bytes(400), made.ended + 61_000 + 5)
    action = put_back(world, path)
    assert (action.source, action.content) == ("tmp", compact(later))
    Path(f"{path}.tmp").unlink()
    cut = compact(later)[: compact(later).index(b',"isArchived"')]
    world.write(path, cut, made.ended + 61_000)
    action = put_back(world, path)
    assert action.source == "snapshot"
    assert (action.row["title"], action.row["isArchived"]) == ("Later", False)
    assert action.provenance["title"] == "what is left of the row"
    world.write(path, b"\xef\xbb\xbf" + compact(later), made.ended + 61_000)
    assert put_back(world, path).content == compact(later)


def test_what_is_left_of_an_older_save_does_not_come_first(world: World) -> None:
    made, path = healthy(world)
    kept = keep(world)[path]
    older = json.loads(kept) | {"title": "Older"}
    world.write(path, compact(older)[: compact(older).index(b',"isArchived"')], made.ended + 61_000)
    assert put_back(world, path).content == kept


# --- which transcript


def test_what_the_row_named_later_counts_more(world: World) -> None:
    _, path = healthy(world)
    other = a_talk(world, BEGAN + 3_600_000)
    keep(world)
    later = compact(world.row(other, path.stem))
    world.write(path, later[:-200], other.ended + 1_000)
    action = put_back(world, path)
    assert action.cli_session_id == other.session_id


def test_another_row_took_its_transcript_since(world: World) -> None:
    made, path = healthy(world)
    keep(world)
    world.healthy_row(made, store=world.stores[0])
    path.write_bytes(b"")
    action = put_back(world, path)
    assert action.kind == "hold" and action.error and "a row that the app can read" in action.error
    path.unlink()
    plan = plan_of(world)
    assert [(f.rule, f.severity) for f in plan.findings] == [("missing", "note")]
    assert (plan.actions, plan.exit_status) == ((), 0)


def test_two_rows_of_one_transcript_stay_two(world: World) -> None:
    made, path = healthy(world)
    world.healthy_row(made, store=world.stores[0])
    whole = keep(world)
    path.unlink()
    assert put_back(world, path).content == whole[path]
    assert [action.status for action in plan_of(world).apply(force=True).actions] == ["applied"]
    path.unlink()
    world.healthy[-1].write_bytes(b"")
    assert {Path(a.path): a.content for a in plan_of(world).actions} == whole
    assert [action.status for action in plan_of(world).apply(force=True).actions] == ["applied"] * 2


def test_a_row_written_while_the_snapshot_was_taken(world: World) -> None:
    """`/clear`, and the row was saved again between the reading of it and the end of the snapshot."""
    before, path = healthy(world)
    keep(world)
    after = a_talk(world, began=before.ended + DAY)
    world.lose(after, "hold", time=after.ended + 1_000, session_id=path.stem, store=path.parent)
    [action] = plan_of(world).actions
    assert action.kind == "hold" and after.session_id in (action.error or "")


@pytest.mark.parametrize(("longer", "kind"), [(38, "restore"), (39, "hold")])
def test_a_row_that_grew_by_an_id_may_name_another_transcript(world: World, longer: int, kind: str) -> None:
    """The session went on after the snapshot; hours later the row was written again, longer than it was."""
    made, path = healthy(world)
    size = len(keep(world)[path])
    with contextlib.closing(sqlite3.connect(Path(os.environ["SESSSCAN_HOME"]) / FILE)) as database, database:
        database.execute("UPDATE version SET taken_at = ?", (made.ended + 3_000,))
    ended = go_on(world, made)
    path.write_bytes(bytes(size + longer))
    os.utime(path, ns=((ended + 5 * 3_600_000) * 1_000_000,) * 2)
    [action] = plan_of(world).actions
    assert action.kind == kind, action


def test_its_transcript_is_gone(world: World) -> None:
    made, path = healthy(world)
    whole = keep(world)
    (world.projects / key(made.cwd) / f"{made.session_id}.jsonl").unlink()
    time.sleep(0.05)  # a file's clock may be a tick behind, and the row must not seem written before
    path.write_bytes(b"")
    action = put_back(world, path)
    assert action.content == whole[path] and action.transcript is None
    assert [evidence.kind for evidence in action.evidence] == ["snapshot", "missing"]


def test_its_conversation_went_on_in_another_since(world: World) -> None:
    made, path = healthy(world)
    keep(world)
    path.write_bytes(b"")
    newer = resumed(world.dice, made, DESKTOP)
    with Snapshots.open() as snapshots:
        taken = snapshots.versions(path)[0].taken_at
    newer.records[-1]["timestamp"] = stamp(taken + 60_000)
    world.put(newer)
    action = put_back(world, path)
    assert action.kind == "hold"
    assert {candidate.cli_session_id for candidate in action.candidates} == {
        made.session_id,
        newer.session_id,
    }


# --- deleted stays deleted


@pytest.mark.parametrize("what", ["row", "transcript"])
@pytest.mark.parametrize("damage", ["gone", "zero-filled"])
def test_a_deleted_session_stays_deleted(world: World, what: str, damage: str) -> None:
    made, path = healthy(world)
    whole = keep(world)
    DAMAGES[damage](path, whole[path], world.dice)
    name = path.stem.removeprefix("local_") if what == "row" else made.session_id
    tombstone = path.parent / f"deleted_{name}"
    tombstone.write_bytes(b"1790000000000")
    plan = plan_of(world, snapshot=True)
    assert plan.actions == () and plan.exit_status == 0
    if damage == "gone":
        tombstone.unlink()
        assert plan_of(world).actions == (), "remembered when the tombstone is gone"


def test_a_row_seen_again_is_not_deleted(world: World) -> None:
    _, path = healthy(world)
    whole = keep(world)
    with Snapshots.open() as snapshots:
        snapshots.mark_removed(path)
        path.unlink()
        assert plan_of(world).actions == ()
        path.write_bytes(whole[path])
        capture_rows(snapshots, [path])
    path.unlink()
    assert put_back(world, path).content == whole[path]


def test_a_row_that_moved_to_another_account_is_not_missing(world: World) -> None:
    _, path = healthy(world)
    keep(world)
    path.rename(world.stores[1] / path.name)
    assert plan_of(world).actions == ()


def test_an_adopted_row_that_was_taken_back_is_not_missing(world: World) -> None:
    healthy(world)
    a_talk(world, BEGAN + 86_400_000)
    report = plan_of(world, adopt=True).apply(force=True)
    assert [action.status for action in report.actions] == ["applied"]
    keep(world)
    taken = choose(report.run)
    assert taken is not None
    undo(taken, force=True)
    assert plan_of(world).actions == ()


def test_a_store_that_cannot_be_listed_misses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(world)
    keep(world)
    scandir = os.scandir

    def refused(path: Any = ".") -> Any:
        if str(path) == str(world.stores[0]):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    plan = plan_of(world)
    assert plan.actions == () and {finding.rule for finding in plan.findings} == {"unreadable", "orphan"}


# --- when a snapshot is taken, and when it cannot be


def test_the_library_takes_none_unless_asked(world: World, tmp_path: Path) -> None:
    healthy(world)
    plan_of(world)
    assert not (tmp_path / "state").exists()
    keep(world)
    assert (tmp_path / "state" / FILE).exists()


@pytest.mark.parametrize("how", ["damaged", "newer"])
def test_a_reconciliation_goes_on_without_it(world: World, tmp_path: Path, how: str) -> None:
    _, path = healthy(world)
    keep(world)
    file = tmp_path / "state" / FILE
    if how == "damaged":
        file.write_bytes(b"no database at all, whatever it was" * 99)
    else:
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version=9")
        database.close()
    before = file.read_bytes()
    path.write_bytes(path.read_bytes()[:-1])
    plan = plan_of(world)
    assert [action.kind for action in plan.actions] == ["restore"]
    assert plan.actions[0].source == "prefix"
    assert len(plan.remarks) == 1 and str(file) in plan.remarks[0]
    assert file.read_bytes() == before
    world.healthy.append(world.stores[0] / "local_x.json")
    world.healthy_row(a_talk(world, BEGAN + 86_400_000), store=world.stores[0])
    plan = plan_of(world, snapshot=True)
    assert len(plan.remarks) == 1
    kept = file if how == "newer" else file.with_name(f"{FILE}.damaged")
    assert kept.read_bytes() == before
    assert (how == "damaged") == (plan_of(world).remarks == ())


# --- the commands


def rows_of(sample: Path) -> list[Path]:
    found = sorted((sample / "Claude").rglob("local_*.json"))
    return [path for path in found if sessscan.classify(path).kind == "ok"]


def test_from_the_command_line(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    store = ("--store", sample / "Claude")
    rows = rows_of(sample)
    before = picture(sample)
    result = run(env, "reconcile", *places(sample), "--no-snapshot")
    assert result.returncode == 1 and not (tmp_path / "state" / FILE).exists()
    assert run(env, "snapshots").stdout.startswith("There are no snapshots yet")
    assert run(env, "restore", rows[0].name).returncode == 2
    result = run(env, "snapshot", *store, "--format", "json")
    told = json.loads(result.stdout)
    assert (result.returncode, sorted(told["kept"])) == (0, [str(path) for path in rows])
    assert len(told["passed_over"]) + len(rows) == told["rows"]
    assert run(env, "reconcile", *places(sample)).returncode == 1
    assert picture(sample) == before
    told = json.loads(run(env, "snapshots", "--format", "json").stdout)
    assert [row["path"] for row in told["rows"]] == [str(path) for path in rows]

    row, whole = rows[0], rows[0].read_bytes()
    evil = json.loads(whole) | {"title": "\x1b[31mevil\u202e"}
    row.write_bytes(compact(evil))
    assert run(env, "snapshot", *store).stdout.startswith("1 row has changed")
    result = run(env, "snapshots", row.name)
    assert result.returncode == 0 and "~ title: " in result.stdout
    assert "\x1b" not in result.stdout and "\u202e" not in result.stdout
    told = json.loads(run(env, "snapshots", row.stem, "--format", "json").stdout)
    assert [change["member"] for change in told["versions"][0]["changes"]] == ["title"]
    assert told["versions"][1]["changes"] is None

    result = run(env, "restore", row)
    assert (result.returncode, "nothing to put back" in result.stdout) == (0, True)
    at = str(told["versions"][1]["taken_at"])
    result = run(env, "restore", row.stem, "--at", at)
    assert result.returncode == 1 and "Nothing has been changed" in result.stdout
    assert row.read_bytes() == compact(evil)
    result = run(env, "restore", row.stem, "--at", at, "--apply", "--format", "json", "--force")
    assert (result.returncode, row.read_bytes()) == (0, whole)
    report = json.loads(result.stdout)
    assert report["actions"][0]["source"] == "snapshot" and report["run"]
    assert run(env, "undo", "--force").returncode == 0
    assert row.read_bytes() == compact(evil)
    for wrong in (["nowhere"], [row.name, "--at", "soon"], [row.name, "--at", "1999-12-31"]):
        result = run(env, "restore", *wrong)
        assert result.returncode == 2 and result.stderr.startswith("sessscan: ")

    (row.parent / f"deleted_{row.stem.removeprefix('local_')}").write_bytes(b"1790000000000")
    result = run(env, "restore", row.name, "--at", at, "--apply", "--force")
    assert result.returncode == 3 and "deleted sessions stay deleted" in result.stderr


def test_a_row_that_is_gone_is_restored_or_forgotten(env: dict[str, str], sample: Path) -> None:
    store = places(sample)
    rows = rows_of(sample)
    assert run(env, "reconcile", *store, "--apply", "--force").returncode == 1
    whole = rows[0].read_bytes()
    rows[0].unlink()
    result = run(env, "reconcile", *store)
    assert "the row is gone, but sessscan has kept it" in " ".join(result.stdout.split())
    assert run(env, "snapshots", "--forget").returncode == 2
    assert run(env, "snapshots", rows[0].name, "--forget").returncode == 0
    told = json.loads(run(env, "reconcile", *store, "--format", "json").stdout)
    assert str(rows[0]) not in {finding["path"] for finding in told["findings"]}
    assert run(env, "restore", rows[0], "--apply", "--force").returncode == 0
    assert rows[0].read_bytes() == whole


def test_a_damaged_database_is_told_and_replaced(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    run(env, "snapshot", "--store", sample / "Claude")
    (tmp_path / "state" / FILE).write_bytes(b"rubbish " * 2_000)
    result = run(env, "snapshots")
    assert result.returncode == 4 and "is damaged" in result.stderr
    result = run(env, "reconcile", *places(sample))
    assert result.returncode == 1 and "a new one was created" in result.stderr
    result = run(env, "snapshot", "--store", sample / "Claude")
    assert (result.returncode, result.stderr) == (0, "")
