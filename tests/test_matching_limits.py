"""Each limit by which matching decides, tried at both sides of its edge. Times are milliseconds.

The numbers stand here again on purpose: a limit that is changed by one step must fail a test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.scenario_parts import end as end_at
from support.scenarios_of_words import in_worktree
from support.small_worlds import BEGAN, actions, lose, lose_prefix
from support.store_factory import DAY, HOUR, NOW, Lost, World, compact, key
from support.transcript_factory import Talk, new_id, stamp, talk

SECOND, MINUTE = 1_000, 60_000


def kind_of(world: World, path: Path) -> str:
    """Return what would be done about one row: `restore` or `hold`."""
    return actions(world)[str(path)].kind


def ending(world: World, time: int, *, minutes: float = 30, **more: object) -> Talk:
    """Put a session's transcript whose last line, and file, are from a time."""
    made = talk(world.dice, more.pop("cwd", "/home/ada/code"), time - int(minutes * MINUTE), turns=2, **more)  # type: ignore[arg-type]
    end_at(made, time)
    path = world.put(made)
    os.utime(path, ns=(time * 1_000_000, time * 1_000_000))
    return made


# --- a row and its transcript


@pytest.mark.parametrize(
    ("gap", "kind"), [(60_000, "restore"), (60_001, "hold"), (-2_000, "restore"), (-2_001, "hold")]
)
def test_a_row_fits_a_transcript_that_ended_within_a_minute_before_or_two_seconds_after(
    world: World, gap: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    assert kind_of(world, lose(world, made, BEGAN + gap)) == kind


@pytest.mark.parametrize(
    ("rows", "usual", "gap", "kind"),
    [
        (20, 1_000, 4_000, "restore"),  # twice 1 s, and 2 s for the steps of file systems
        (20, 1_000, 4_001, "hold"),
        (19, 1_000, 59_000, "restore"),  # too few rows tell
        (20, 40_000, 60_000, "restore"),  # never more than a minute
        (20, 40_000, 60_001, "hold"),
    ],
)
def test_how_soon_rows_are_saved_is_learnt_from_twenty_healthy_ones(
    world: World, rows: int, usual: int, gap: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    for number in range(rows):
        other = ending(world, BEGAN - (number + 2) * DAY, cwd=f"/home/ada/{number}")
        session_id = f"local_{new_id(world.dice)}"
        content = compact(world.row(other, session_id))
        world.write(world.stores[0] / f"{session_id}.json", content, other.ended + usual)
    assert kind_of(world, lose(world, made, BEGAN + gap)) == kind


@pytest.mark.parametrize(("slow", "kind"), [(1, "hold"), (2, "restore")])
def test_one_row_in_a_hundred_may_have_been_saved_late(world: World, slow: int, kind: str) -> None:
    """The 99th percentile counts: of 100 healthy rows the slowest does not, the next one does."""
    made = ending(world, BEGAN)
    for number in range(100):
        other = ending(world, BEGAN - (number + 2) * DAY, cwd=f"/home/ada/{number}")
        session_id = f"local_{new_id(world.dice)}"
        gap = 20_000 if number < slow else 1_000
        world.write(
            world.stores[0] / f"{session_id}.json", compact(world.row(other, session_id)), other.ended + gap
        )
    assert kind_of(world, lose(world, made, BEGAN + 30_000)) == kind


# --- rivals by time


@pytest.mark.parametrize(("before", "kind"), [(900_000, "hold"), (900_001, "restore")])
def test_a_session_that_ended_a_quarter_of_an_hour_before_is_a_rival(
    world: World, before: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    ending(world, BEGAN + SECOND - before, minutes=40)
    assert kind_of(world, lose(world, made, BEGAN + SECOND)) == kind


@pytest.mark.parametrize(("after", "kind"), [(600_000, "hold"), (600_001, "restore")])
def test_a_session_that_began_ten_minutes_after_is_a_rival(world: World, after: int, kind: str) -> None:
    made = ending(world, BEGAN)
    ending(world, BEGAN + SECOND + after + HOUR, minutes=60)
    assert kind_of(world, lose(world, made, BEGAN + SECOND)) == kind


@pytest.mark.parametrize(("apart", "kind"), [(60_000, "restore"), (59_999, "hold")])
def test_the_second_best_must_be_a_minute_off(world: World, apart: int, kind: str) -> None:
    made = ending(world, BEGAN)
    other = ending(world, BEGAN - apart, minutes=50)
    paths = [lose(world, made, BEGAN), lose(world, other, BEGAN - apart)]
    assert {kind_of(world, path) for path in paths} == {kind}


@pytest.mark.parametrize(("apart", "kind"), [(100_000, "restore"), (99_999, "hold")])
def test_the_second_best_must_be_ten_times_as_far(world: World, apart: int, kind: str) -> None:
    made = ending(world, BEGAN)
    other = ending(world, BEGAN + 10_000 + apart, minutes=50)
    path = lose(world, made, BEGAN + 10_000)
    lose(world, other, other.ended)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("before", "kind"), [(900_000, "hold"), (900_001, "restore")])
def test_a_transcript_that_tells_nothing_is_a_rival_by_the_time_of_its_file(
    world: World, before: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    path = lose(world, made, BEGAN + SECOND)
    zeroed = world.projects / "-other" / f"{new_id(world.dice)}.jsonl"
    world.write(zeroed, bytes(500), BEGAN + SECOND - before)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("others", "crowded"), [(49, False), (50, True)])
def test_more_than_fifty_sessions_at_once_cannot_be_told_apart(
    world: World, others: int, crowded: bool
) -> None:
    path = lose(world, ending(world, BEGAN), BEGAN + SECOND)
    for number in range(others):
        ending(world, BEGAN - (number + 1) * SECOND, cwd=f"/home/ada/{number}")
    action = actions(world)[str(path)]
    assert ("more sessions than can be told apart" in (action.error or "")) == crowded
    assert action.kind == "hold"


@pytest.mark.parametrize(("age", "kind"), [(70_000, "hold"), (70_001, "restore")])
def test_a_session_that_has_just_begun_may_have_no_row(world: World, age: int, kind: str) -> None:
    """It counts only where another transcript without a row may be the lost row's."""
    ending(world, BEGAN - 6 * HOUR)
    written = BEGAN + SECOND
    made = ending(world, BEGAN)
    first, *rest = [record for record in made.records if "timestamp" in record]
    first["timestamp"] = stamp(written - age)
    for record in rest:
        record["timestamp"] = stamp(BEGAN)
    world.write(world.projects / key(made.cwd) / f"{made.session_id}.jsonl", made.bytes(), BEGAN)
    assert kind_of(world, lose(world, made, written)) == kind


# --- times that tell nothing


@pytest.mark.parametrize(("others", "kind"), [(1, "restore"), (2, "hold")])
def test_three_rows_of_one_time_did_not_get_it_from_their_last_writes(
    world: World, others: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    path = lose(world, made, BEGAN + SECOND)
    for number in range(others):
        other = ending(world, BEGAN - (number + 2) * DAY, cwd=f"/home/ada/{number}")
        session_id = f"local_{new_id(world.dice)}"
        fields = world.row(other, session_id, lastFocusedAt=BEGAN)
        world.write(world.stores[0] / f"{session_id}.json", compact(fields), BEGAN + SECOND)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("apart", "kind"), [(2_000, "hold"), (2_001, "restore")])
def test_a_row_rewritten_within_two_seconds_shows_that_times_were_lost(
    world: World, apart: int, kind: str
) -> None:
    made, other = ending(world, BEGAN), ending(world, BEGAN - DAY)
    path = lose(world, made, BEGAN + SECOND)
    session_id = f"local_{new_id(world.dice)}"
    content = compact(world.row(other, session_id))
    world.write(world.stores[0] / f"{session_id}.json", content, BEGAN + SECOND + apart)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(
    ("count", "apart", "kind"), [(3, 60_000, "hold"), (2, 60_000, "restore"), (3, 60_001, "restore")]
)
def test_three_files_rewritten_within_a_minute_show_it_too(
    world: World, count: int, apart: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    path = lose(world, made, BEGAN + SECOND)
    for number in range(count):
        other = ending(world, BEGAN - (number + 2) * DAY, cwd=f"/home/ada/{number}")
        world.healthy_row(other, store=world.stores[0])
        file = world.projects / key(other.cwd) / f"{other.session_id}.jsonl"
        # None of them nearer than `apart`, and no three of one time.
        away = apart - number if apart <= 60_000 else (apart, apart, -apart)[number]
        world.write(file, other.bytes(), BEGAN + SECOND + away)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(
    ("time", "kind"),
    [
        (1_704_067_200_000, "restore"),
        (1_704_067_199_999, "hold"),
        (NOW + DAY, "restore"),
        (NOW + DAY + 1, "hold"),
    ],
)
def test_no_row_is_older_than_the_app_or_more_than_a_day_ahead(world: World, time: int, kind: str) -> None:
    made = ending(world, time)
    assert kind_of(world, lose(world, made, time)) == kind


# --- evidence that is older than the row


def backed_up(world: World, made: Talk, written: int, **more: object) -> Lost:
    """Lose a row of which a copy is left that names a transcript."""
    path = lose(world, made, written)
    fields = world.row(made, path.stem, lastFocusedAt=made.ended, **more)
    world.write(path.with_name(path.name + ".bak"), compact(fields), made.ended)
    return next(one for one in world.lost if one.path == path)


@pytest.mark.parametrize(("lead", "kind"), [(5_000, "hold"), (5_001, "restore")])
def test_a_row_may_name_a_session_five_seconds_before_its_first_line(
    world: World, lead: int, kind: str
) -> None:
    made = ending(world, BEGAN)
    written = BEGAN + 3 * HOUR
    lost = backed_up(world, made, written)
    ending(world, written + lead + HOUR, minutes=60)
    assert kind_of(world, lost.path) == kind


@pytest.mark.parametrize(("gap", "kind"), [(60_000, "restore"), (60_001, "hold")])
def test_a_transcript_explains_a_write_up_to_a_minute_after_it(world: World, gap: int, kind: str) -> None:
    """Another session of the folder that was under way at the time counts only where it does not."""
    made = ending(world, BEGAN)
    lost = backed_up(world, made, BEGAN + gap)
    long = talk(world.dice, made.cwd, BEGAN - HOUR, turns=60, minutes=120)
    world.put(long)
    assert kind_of(world, lost.path) == kind


@pytest.mark.parametrize(("idle", "kind"), [(DAY, "restore"), (DAY + 1, "hold")])
def test_a_lease_outlives_its_session_by_a_day_at_most(world: World, idle: int, kind: str) -> None:
    made = in_worktree(world, began=BEGAN)
    world.put(made)
    path = lose(world, made, made.ended + idle)
    leases = {"x": {"path": made.cwd, "leasedBy": path.stem, "createdAt": made.began}}
    world.write(world.user_data / "git-worktrees.json", compact({"worktrees": leases}), NOW)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("early", "kind"), [(600_000, "restore"), (600_001, "hold")])
def test_a_transcript_may_begin_ten_minutes_before_its_lease(world: World, early: int, kind: str) -> None:
    made = in_worktree(world, began=BEGAN)
    world.put(made)
    path = lose(world, made, made.ended + HOUR)
    leases = {"x": {"path": made.cwd, "leasedBy": path.stem, "createdAt": made.began + early}}
    world.write(world.user_data / "git-worktrees.json", compact({"worktrees": leases}), NOW)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("branch", "kind"), [("own", "restore"), ("claude/another", "hold")])
def test_a_lease_of_another_branch_proves_nothing(world: World, branch: str, kind: str) -> None:
    made = in_worktree(world, began=BEGAN)
    world.put(made)
    path = lose(world, made, made.ended + HOUR)
    own = (made.worktree or {})["worktreeBranch"]
    lease = {"path": made.cwd, "leasedBy": path.stem, "createdAt": made.began}
    lease["branch"] = own if branch == "own" else branch
    world.write(world.user_data / "git-worktrees.json", compact({"worktrees": {"x": lease}}), NOW)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("age", "kind"), [(30 * DAY, "restore"), (30 * DAY + 1, "hold")])
def test_an_unfinished_save_counts_for_thirty_days(world: World, age: int, kind: str) -> None:
    made = ending(world, NOW - 40 * DAY)
    path = lose(world, made, NOW - 35 * DAY)
    world.write(path.with_suffix(".json.tmp"), compact(world.row(made, path.stem)), NOW - age)
    assert kind_of(world, path) == kind


@pytest.mark.parametrize(("earlier", "whole"), [(2_000, True), (2_001, False)])
def test_an_unfinished_save_within_two_seconds_of_the_row_is_the_last_one(
    world: World, earlier: int, whole: bool
) -> None:
    """It is then written as it is; an older one is built anew, with what happened since."""
    made = ending(world, BEGAN)
    path = lose(world, made, BEGAN + SECOND)
    content = b" " + compact(world.row(made, path.stem))
    world.write(path.with_suffix(".json.tmp"), content, BEGAN + SECOND - earlier)
    action = actions(world)[str(path)]
    assert action.kind == "restore"
    assert (action.content == content) == whole


@pytest.mark.parametrize(("digits", "kind"), [(12, "restore"), (11, "hold")])
def test_twelve_digits_of_an_id_are_enough(world: World, digits: int, kind: str) -> None:
    made = ending(world, BEGAN)
    session_id = f"local_{new_id(world.dice)}"
    whole = compact(world.row(made, session_id))
    start = whole.index(made.session_id.encode())
    dashes = 1 if digits > 8 else 0
    cut = lose(world, made, BEGAN + DAY, whole[: start + digits + dashes], session_id)
    assert kind_of(world, cut) == kind


@pytest.mark.parametrize(("apart", "kind"), [(5_000, "restore"), (5_001, "hold")])
def test_two_marks_within_five_seconds_are_one_deletion(world: World, apart: int, kind: str) -> None:
    """A mark whose row and transcript are both unknown may be that of the transcript that fits."""
    made = ending(world, BEGAN)
    path = lose(world, made, BEGAN + SECOND)
    for time in (BEGAN + HOUR, BEGAN + HOUR + apart):
        (world.stores[0] / f"deleted_{new_id(world.dice)}").write_text(str(time))
    assert kind_of(world, path) == kind


def test_what_was_granted_under_another_account_is_not_granted_here(world: World) -> None:
    made = ending(world, BEGAN)
    path = lose(world, made, BEGAN + SECOND)
    fields = world.row(made, path.stem, permissionMode="bypassPermissions", alwaysAllowedReasons=["Bash(*)"])
    world.write(world.stores[1] / path.name, compact(fields), BEGAN + 500)
    row = actions(world)[str(path)].row
    assert (row["permissionMode"], row["alwaysAllowedReasons"]) == ("default", [])


def test_a_prefix_says_what_the_last_write_said(world: World) -> None:
    made = ending(world, BEGAN)
    ending(world, BEGAN + HOUR)
    assert kind_of(world, lose_prefix(world, made, BEGAN + 2 * HOUR, -9)) == "restore"
