"""Test readable rows that have lost their link: each kind, what misleads, and that nothing else changes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import MatchError, UnbuildableError
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.building.relink import linked
from sessscan.render.verdict import verdict
from sessscan.snapshots.capture import snapshot
from support.program import run
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, HOUR, NOW, World, compact, key
from support.transcript_factory import TERMINAL, Talk, new_id, resumed, stamp, stub, talk
from test_truth import picture

GONE = "99999999-9999-4999-8999-999999999999"


def plan(world: World, **more: Any) -> Plan:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def unlinked(world: World, made: Talk, name: object = GONE, **more: Any) -> Path:
    """Make the row of a session with another `cliSessionId`, or without one."""
    row = world.row(made, f"local_{new_id(world.dice)}", **{"title": made.title, **more})
    if name is None:
        del row["cliSessionId"]
    else:
        row["cliSessionId"] = name
    path = world.stores[0] / f"{row['sessionId']}.json"
    return world.write(path, compact(row), made.ended + 2_000)


def a_session(world: World, began: int = BEGAN, **more: Any) -> Talk:
    """Make a session whose title is its own, and whose turns are few and known."""
    made = a_talk(world, began, **{"turns": 3, **more})
    if made.title is None or not made.title.startswith(("Named", "Titled")):
        made.title = f"Titled {made.session_id}"
        made.records.append({"type": "ai-title", "aiTitle": made.title, "sessionId": made.session_id})
        world.put(made)
    return made


def a_stub(world: World, time: int) -> Talk:
    """Make the state lines of a session in which nothing was said, without a title."""
    made = stub(world.dice, time)
    made.records = [record for record in made.records if record["type"] != "custom-title"]
    return made


def action_for(world: World, path: Path, **more: Any) -> Action | None:
    return next((one for one in plan(world, **more).actions if one.path == str(path)), None)


def rules_of(world: World, path: Path) -> list[str]:
    return [finding.rule for finding in plan(world).findings if finding.path == str(path)]


def assert_relinked(world: World, path: Path, made: Talk, *kinds: str) -> Action:
    action = action_for(world, path)
    assert action is not None and action.kind == "relink", action
    assert (action.cli_session_id, action.status) == (made.session_id, "planned")
    assert Path(action.transcript or "").stem == made.session_id
    assert [evidence.kind for evidence in action.evidence] == list(kinds or ("words",))
    assert rules_of(world, path) == ["unlinked"]
    return action


def assert_held(world: World, path: Path, *offered: Talk, says: str = "") -> Action:
    action = action_for(world, path)
    assert action is not None and (action.kind, action.status) == ("hold", "held"), action
    assert {one.cli_session_id for one in action.candidates} == {made.session_id for made in offered}
    assert says in (action.error or ""), action.error
    assert rules_of(world, path) == ["unlinked"]
    return action


# Each kind of lost link


@pytest.mark.parametrize("name", [None, GONE, "", 7, "../../etc/passwd"], ids=str)
def test_a_row_that_names_no_transcript_that_is_there_is_linked_again(world: World, name: object) -> None:
    made = a_session(world)
    path = unlinked(world, made, name)
    action = assert_relinked(world, path, made)
    assert action.row["cliSessionId"] == made.session_id
    expected = [name] if isinstance(name, str) and name else None
    assert action.row.get("priorCliSessionIds") == expected


def test_a_null_link_and_a_note_that_the_transcript_is_not_available(world: World) -> None:
    made = a_session(world)
    notes = {"transcriptUnavailable": True, "error": "ENOENT", "errorCode": 3, "unerring": 1}
    path = unlinked(world, made, **notes)
    row = json.loads(path.read_bytes())
    path.write_bytes(compact({**row, "cliSessionId": None}))
    action = assert_relinked(world, path, made)
    assert not {"transcriptUnavailable", "error", "errorCode"} & set(action.row)
    assert action.row["unerring"] == 1


def test_a_transcript_that_is_back_where_it_was(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made, made.session_id, transcriptUnavailable=True)
    before = json.loads(path.read_bytes())
    action = assert_relinked(world, path, made, "own")
    del before["transcriptUnavailable"]
    assert action.content == compact(before), "nothing but the note is gone"


def test_a_note_on_a_transcript_that_lies_elsewhere_stays(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    world.put(made, folder="-home-ada-other")
    path = unlinked(world, made, made.session_id, transcriptUnavailable=True)
    assert action_for(world, path) is None
    assert rules_of(world, path) == ["moved"]


def test_a_hollow_transcript_beside_one_that_fits(world: World) -> None:
    made = a_session(world)
    empty = a_stub(world, made.ended)
    world.put(empty, folder=key(made.cwd))
    path = unlinked(world, made, empty.session_id)
    action = assert_relinked(world, path, made)
    assert action.row["priorCliSessionIds"] == [empty.session_id]


def test_a_stub_that_says_where_its_conversation_continues(world: World) -> None:
    made = a_session(world, began=BEGAN + DAY)
    empty = a_stub(world, BEGAN)
    empty.records.append(
        {"type": "continued-in", "sessionId": empty.session_id, "continuedInSessionId": made.session_id}
    )
    world.put(empty, folder=key(made.cwd))
    earlier = talk(world.dice, made.cwd, BEGAN)
    path = unlinked(world, earlier, empty.session_id)
    assert_relinked(world, path, made, "continued")


def test_what_nothing_fits_stays_as_it_is(world: World) -> None:
    gone, never = talk(world.dice, "/home/ada/code", BEGAN), talk(world.dice, "/home/ada/code", BEGAN)
    empty = a_stub(world, BEGAN)
    world.put(empty, folder=key(gone.cwd))
    rows = [unlinked(world, gone), unlinked(world, never, None), unlinked(world, gone, empty.session_id)]
    found = plan(world)
    assert found.actions == ()
    assert [rules_of(world, row) for row in rows] == [["dangling"], ["unlinked"], ["hollow"]]
    assert (found.missed.unlinked, found.missed.hollow, found.exit_status) == (1, 1, 0)


def test_a_row_without_turns_rightly_has_no_link(world: World) -> None:
    made = a_session(world)
    for turns in (0, None, True, "3"):
        path = unlinked(world, made, None, completedTurns=turns)
        assert (action_for(world, path), rules_of(world, path)) == (None, [])


@pytest.mark.parametrize("machine", [{"sshConfig": {"sshHost": "box"}}, {"wslConfig": {"distro": "Ubuntu"}}])
def test_a_session_of_another_machine_is_left_alone(world: World, machine: dict[str, Any]) -> None:
    made = a_session(world)
    rows = [unlinked(world, made, name, **machine) for name in (GONE, None)]
    assert [action_for(world, row) for row in rows] == [None, None]


# What speaks for a transcript, and what does not


WRONG: dict[str, Callable[[Talk], dict[str, Any]]] = {
    "another folder": lambda made: {"cwd": "/home/ada/other", "originCwd": "/home/ada/other"},
    "no folder": lambda made: {"cwd": None, "originCwd": None},
    "begun later": lambda made: {"createdAt": made.began - 5_001},
    "begun before": lambda made: {"createdAt": made.began + 2_001},
    "ended later": lambda made: {"lastActivityAt": made.ended - 2_001},
    "ended before": lambda made: {"lastActivityAt": made.ended + 2_001},
    "neither title nor turns": lambda made: {"title": "Another", "completedTurns": made.turns + 1},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_one_disagreement_makes_a_hold(world: World, wrong: str) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    row = json.loads(path.read_bytes()) | WRONG[wrong](made)
    path.write_bytes(compact(row))
    assert_held(world, path, made)


@pytest.mark.parametrize(
    "right",
    [
        lambda made: {"createdAt": made.began - 5_000, "lastActivityAt": made.ended - 2_000},
        lambda made: {"createdAt": made.began + 2_000, "lastActivityAt": made.ended + 2_000},
        lambda made: {"title": "Renamed in the app"},
        lambda made: {"completedTurns": made.turns + 1},
    ],
)
def test_what_may_differ(world: World, right: Callable[[Talk], dict[str, Any]]) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    path.write_bytes(compact(json.loads(path.read_bytes()) | right(made)))
    assert_relinked(world, path, made)


@pytest.mark.parametrize(
    ("rows", "off", "kind"),
    [
        (20, 2_500, "relink"),
        (20, 3_500, "relink"),
        (20, 2_499, "hold"),
        (20, 3_501, "hold"),
        (19, 3_000, "hold"),
    ],
)
def test_how_late_a_row_is_is_learnt_from_twenty_healthy_ones(
    world: World, rows: int, off: int, kind: str
) -> None:
    for number in range(rows):
        other = a_talk(world, BEGAN - (number + 2) * DAY)
        world.healthy_row(other, lastActivityAt=other.ended + 3_000)
    made = a_session(world)
    path = unlinked(world, made, lastActivityAt=made.ended + off)
    action = action_for(world, path)
    assert action is not None and action.kind == kind


def near(world: World, made: Talk, *, began: int = 0, ended: int = 0, **more: Any) -> Talk:
    """Make another session of the same folder that begins and ends so long after one."""
    other = talk(world.dice, more.pop("cwd", made.cwd), made.began + began, turns=1, **more)
    other.records = [record for record in other.records if "parentUuid" in record]
    other.records[-1]["timestamp"] = stamp(made.ended + ended)
    other.ended = made.ended + ended
    world.put(other)
    return other


@pytest.mark.parametrize(
    ("began", "ended", "kind"),
    [(60_000, 60_000, "hold"), (60_001, 0, "relink"), (0, 60_001, "relink"), (-60_000, -60_000, "hold")],
)
def test_another_that_begins_and_ends_within_a_minute_makes_a_hold(
    world: World, began: int, ended: int, kind: str
) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    near(world, made, began=began - 1_800, ended=ended)
    action = action_for(world, path)
    assert action is not None and action.kind == kind, action


def test_one_in_another_folder_is_no_rival(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    near(world, made, cwd="/home/ada/elsewhere")
    assert_relinked(world, path, made)


def test_a_transcript_of_the_folder_that_tells_no_time_makes_a_hold(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    world.write(world.projects / key(made.cwd) / f"{GONE[:-1]}8.jsonl", bytes(4_000), made.ended)
    assert_held(world, path, made, says="tells no time")


def test_a_transcript_that_another_row_names_is_nobodys_else(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    world.healthy_row(made, store=world.stores[-1])
    assert action_for(world, path) is None
    assert "dangling" in rules_of(world, path)


def test_a_transcript_that_another_row_has_named_before_is_its_own(world: World) -> None:
    made, later = a_session(world), a_session(world, began=BEGAN + DAY)
    path = unlinked(world, made)
    world.healthy_row(later, priorCliSessionIds=[made.session_id])
    assert action_for(world, path) is None


@pytest.mark.parametrize("mark", ["row", "transcript", "old link", "released"])
def test_a_deleted_session_is_left_alone(world: World, mark: str) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    names = {"row": path.stem.removeprefix("local_"), "transcript": made.session_id, "old link": GONE}
    if mark == "released":
        name = world.projects / key(made.cwd) / f"{made.session_id}.desktop-released.json"
        name.write_text('{"v":1,"releasedAt":"2026-09-01T00:00:00.000Z","reason":"delete"}')
    else:
        (path.parent / f"deleted_{names[mark]}").write_text("1790000000000")
    assert action_for(world, path) is None
    assert "unlinked" not in rules_of(world, path)


def test_two_rows_that_want_one_transcript_are_both_held(world: World) -> None:
    made = a_session(world)
    for path in [unlinked(world, made), unlinked(world, made, None)]:
        action = action_for(world, path)
        assert action is not None and action.kind == "hold"
        assert "wants the same transcript" in (action.error or "")


def test_a_lost_row_of_about_that_time_may_have_had_it(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    lost = lose(world, made, made.ended + 59_000, bytes(900))
    action = assert_held(world, path, made, says="may have belonged")
    theirs = action_for(world, lost)
    assert theirs is not None and theirs.kind == "hold", "time alone does not decide either"
    lost.unlink()
    assert action_for(world, path) != action


def test_what_a_row_is_linked_to_is_no_rival_of_a_lost_row(world: World) -> None:
    """Else only a second run would put the lost row back."""
    made = a_session(world)
    other = a_session(world, made.ended + HOUR)
    path = unlinked(world, other)
    lost = lose(world, made, other.ended + HOUR)
    row = compact(world.row(made, lost.stem, title=made.title))
    world.write(lost.with_name(f"{lost.name}.tmp"), row, made.began + 1_000)
    assert_relinked(world, path, other)
    action = action_for(world, lost)
    assert action is not None and (action.kind, action.cli_session_id) == ("restore", made.session_id), action
    path.unlink()
    action = action_for(world, lost)
    assert action is not None and action.kind == "hold" and other.session_id in (action.error or "")


@pytest.mark.parametrize("entrypoint", [TERMINAL, None])
def test_a_session_that_was_not_the_apps_alone_is_held(world: World, entrypoint: str | None) -> None:
    made = a_session(world, entrypoint=entrypoint)
    path = unlinked(world, made)
    action = action_for(world, path)
    assert action is None or (action.kind == "hold" and "desktop app" in (action.error or ""))


def test_of_a_resumed_conversation_the_newest_file_is_meant(world: World) -> None:
    older = a_session(world)
    newer = resumed(world.dice, older, "claude-desktop", extra=4)
    world.put(newer)
    path = unlinked(world, newer, priorCliSessionIds=[older.session_id])
    assert_relinked(world, path, newer, "continued", "words")


def test_what_the_row_named_before_is_only_offered(world: World) -> None:
    """After `/clear` a row names a new transcript, of which there is no file until something is said."""
    made = a_session(world)
    path = unlinked(world, made, priorCliSessionIds=[made.session_id])
    assert_held(world, path, made, says="named")


@pytest.mark.parametrize("kind", ["snapshot", "copy", "tmp", "uuid", "lease"])
def test_what_named_the_transcript_decides_if_it_was_active_then(world: World, kind: str) -> None:
    made = a_session(world)
    says: dict[str, Any] = {"createdAt": made.began - HOUR, "title": "Another", "completedTurns": 40}
    if kind == "lease":  # stands in for title and turns alone
        del says["createdAt"]
    path = unlinked(world, made, **says)
    if kind == "uuid":
        path = path.rename(path.with_name(f"local_{made.session_id}.json"))
        path.write_bytes(compact(json.loads(path.read_bytes()) | {"sessionId": path.stem}))
    bad = path.read_bytes()
    good = compact(json.loads(bad) | {"cliSessionId": made.session_id})
    if kind == "snapshot":
        path.write_bytes(good)
        snapshot([world.user_data])
        path.write_bytes(bad)
    elif kind in ("copy", "tmp"):
        path.with_name(f"{path.name}.{'bak' if kind == 'copy' else 'tmp'}").write_bytes(good)
    elif kind == "lease":
        world.lease(made.cwd, path.stem, made.began)
        table = {"schemaVersion": 2, "worktrees": {"x": world.leases[0]}}
        (world.user_data / "git-worktrees.json").write_bytes(compact(table))
    assert_relinked(world, path, made, kind)
    path.write_bytes(compact(json.loads(bad) | {"lastActivityAt": made.ended + HOUR}))
    assert_held(world, path, made, says="was last active")


@pytest.mark.posix("folders can be made unreadable there")
@pytest.mark.not_root("root may read everything")
def test_what_cannot_be_looked_at_makes_a_hold(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    hidden = world.projects / "-home-ada-hidden"
    hidden.mkdir(mode=0)
    try:
        assert_held(world, path, made, says="cannot be looked at")
    finally:
        hidden.chmod(0o700)


# What is written


def test_every_other_byte_stays(world: World) -> None:
    made = a_session(world)
    text = (
        '{ "sessionId":"local_x" ,"error":1,"errorAt" : [1,{"error":2}],\n"cliSessionId" : null,"n":1.50e+02,'
        '"é":"\\u00e9\\/", "priorCliSessionIds":[ "a" , "b" ] ,"transcriptUnavailable":true,"big":1'
        + "0" * 40
        + ',"error":2}\n'
    )
    content, changed = linked(text.encode(), made.session_id)
    expected = text.replace("null", f'"{made.session_id}"')
    errors = ' ,"error":1,"errorAt" : [1,{"error":2}]', ' ,"transcriptUnavailable":true', ',"error":2'
    for gone in errors:
        assert expected.count(gone) == 1
        expected = expected.replace(gone, "")
    assert content == expected.encode()
    assert set(changed) == {"cliSessionId"}


NEW, PRIOR = b'"cliSessionId":"n"', b'"priorCliSessionIds":'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"cliSessionId":"o"}', b"{" + NEW + b"," + PRIOR + b'["o"]}'),
        (b"{" + PRIOR + b'[],"cliSessionId":"o"}', b"{" + PRIOR + b'["o"],' + NEW + b"}"),
        (b"{" + PRIOR + b'["a" ],"cliSessionId":"o"}', b"{" + PRIOR + b'["a","o" ],' + NEW + b"}"),
        (b"{" + PRIOR + b'["o"],"cliSessionId":"o"}', b"{" + PRIOR + b'["o"],' + NEW + b"}"),
        (b"{" + PRIOR + b'7,"cliSessionId":"o"}', b"{" + PRIOR + b'["o"],' + NEW + b"}"),
        (
            b'{"cliSessionId":"a","cliSessionId":"o"}',
            b'{"cliSessionId":"a",' + NEW + b"," + PRIOR + b'["o"]}',
        ),
        (b'{"error":1}', b"{" + NEW + b"}"),
        (b'{"a":"\xff","transcriptUnavailable":1}', b'{"a":"\xff",' + NEW + b"}"),
        (b"{" + NEW + b',"error":1}', b"{" + NEW + b"}"),
        (b'{"cliSessionId":"N"}', b"{" + NEW + b"}"),
    ],
)
def test_the_members_that_change(before: bytes, after: bytes) -> None:
    assert linked(before, "n")[0] == after


def test_it_is_written_undone_and_found_no_second_time(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made, None)
    before = picture(world.user_data)
    found = plan(world)
    assert picture(world.user_data) == before, "a dry run writes nothing"
    assert found.exit_status == 0, "the app can read the row"
    assert (found.missed.relinkable, found.missed.total) == (1, 1)
    report = found.apply(force=True)
    assert [action.status for action in report.actions] == ["applied"]
    row = json.loads(path.read_bytes())
    assert row["cliSessionId"] == made.session_id
    again = plan(world)
    assert (again.actions, again.findings) == ((), ())
    assert report.run is not None
    chosen = choose(report.run)
    assert chosen is not None
    undo(chosen, force=True)
    assert {p: f[2] for p, f in picture(world.user_data).items()} == {p: f[2] for p, f in before.items()}


@pytest.mark.parametrize("event", ["claimed", "deleted", "twin", "row", "transcript"])
def test_what_comes_after_the_plan_refuses_it(world: World, event: str) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    found = plan(world)
    if event == "claimed":
        world.healthy_row(made)
    elif event == "deleted":
        (path.parent / f"deleted_{made.session_id}").write_text("1790000000000")
    elif event == "twin":
        twin = near(world, made)
        file = world.projects / key(made.cwd) / f"{twin.session_id}.jsonl"
        os.utime(file, ns=(found.actions[0].absence.newest_change_ns + 10**9,) * 2)  # type: ignore[union-attr]
    elif event == "row":
        path.write_bytes(path.read_bytes().replace(b"acceptEdits", b"default"))
    else:
        with (world.projects / key(made.cwd) / f"{made.session_id}.jsonl").open("ab") as file:
            file.write(b'{"type":"mode"}\n')
    before = path.read_bytes()
    report = found.apply(force=True)
    assert [action.status for action in report.actions] == ["refused"]
    assert path.read_bytes() == before


# The user's word


@pytest.mark.parametrize("name", [None, GONE])
def test_the_user_may_say_which_transcript_it_is(world: World, name: str | None) -> None:
    mine, other = a_session(world), a_session(world, began=BEGAN + DAY, cwd="/home/ada/other")
    path = unlinked(world, mine, name)
    action = action_for(world, path, matches=[f"{path.stem}={other.session_id}"])
    assert action is not None and (action.kind, action.cli_session_id) == ("relink", other.session_id)
    assert [evidence.kind for evidence in action.evidence] == ["match", "place"]
    assert "cannot open the session" in action.evidence[1].detail


def test_the_users_word_on_what_is_no_lost_link_is_refused(world: World) -> None:
    healthy, free = a_session(world), a_session(world, began=BEGAN + DAY)
    whole = world.healthy_row(healthy)
    idle = unlinked(world, free, None, completedTurns=0)
    for row, says in ((whole, "nothing to put back"), (idle.stem, "without turns")):
        with pytest.raises(MatchError, match=says):
            plan(world, matches=[f"{row}={free.session_id}"])
    lost = unlinked(world, free)
    with pytest.raises(MatchError, match="already belongs to"):
        plan(world, matches=[f"{lost.stem}={healthy.session_id}"])


# What a person sees


def test_a_held_session_that_the_app_lists_is_not_missing_from_it(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made, title="Another", completedTurns=9)
    found = plan(world)
    assert (found.missed.unlinked_to_choose, found.missed.lost, found.missed.total) == (1, 0, 1)
    line = verdict(found.missed, stores=1, rows=1)
    assert line == "1 session is missing: 1 held until you decide."
    assert found.exit_status == 0, f"{path} can be read"


def test_a_row_that_is_nested_too_deeply_is_held(world: World) -> None:
    made = a_session(world)
    path = unlinked(world, made)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b',"deep":' + b"[" * 900 + b"]" * 900 + b"}")
    action = action_for(world, path)
    assert action is not None
    deeper = content[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path.write_bytes(deeper)
    plan(world).apply(force=True)
    assert path.read_bytes() in (deeper, linked_or_same(deeper, made.session_id))


def linked_or_same(content: bytes, name: str) -> bytes:
    try:
        return linked(content, name)[0]
    except UnbuildableError:
        return content


def test_the_first_line_the_session_and_the_next_step(world: World, env: dict[str, str]) -> None:
    made, other = a_session(world), a_session(world, began=BEGAN + DAY, cwd="/home/ada/other")
    unlinked(world, made)
    held = unlinked(world, other, title="Another", completedTurns=9)
    args = ("reconcile", "--store", str(world.user_data), "--projects", str(world.projects))
    shown = run(env, *args)
    text = " ".join(shown.stdout.split())
    assert text.startswith(
        "2 sessions are missing: 1 can be linked to its transcript again, 1 held until you decide."
    )
    assert made.title in text and made.cwd in text and "sessscan reconcile" in text
    assert "Another" in text and f"--match {held.stem}={other.session_id}" in text
    assert shown.returncode == 0
    document = json.loads(run(env, *args, "--format", "json").stdout)
    assert document["summary"]["actions"] == {"relink": 1, "hold": 1}
    assert document["summary"]["findings"]["unlinked"] == 2
    done = run(env, *args, "--apply", "--force")
    assert "1 session is back" in " ".join(done.stdout.split()) and done.returncode == 0
