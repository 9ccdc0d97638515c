"""Which transcript a lost row belonged to: each kind of evidence, what outweighs what, the user's word."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sessscan.changes.journal import runs
from sessscan.reconciliation import reconcile
from sessscan.stores.project_folder import matches_key, normalize
from support.scenario_parts import end
from support.scenarios_of_words import in_worktree
from support.small_worlds import BEGAN, a_talk, actions, kinds, lose, lose_prefix, the
from support.store_factory import DAY, HOUR, NOW, World, compact, key
from support.transcript_factory import DESKTOP, TERMINAL, new_id, resumed, talk

MINUTE = 60_000


# --- time


@pytest.mark.parametrize(
    ("gap", "kind"),
    [
        (0, "restore"),
        (-1_000, "restore"),
        (59_000, "restore"),
        (61_000, "hold"),
        (-3_000, "hold"),
        (DAY, "hold"),
    ],
)
def test_a_row_is_saved_shortly_after_the_last_turn(world: World, gap: int, kind: str) -> None:
    made = a_talk(world)
    action = the(world, lose(world, made, made.ended + gap))
    assert action.kind == kind
    if kind == "restore":
        assert (action.source, kinds(action), action.cli_session_id) == (
            "transcript",
            ["time"],
            made.session_id,
        )
    else:
        assert [candidate.cli_session_id for candidate in action.candidates] == [made.session_id]


def test_a_rival_that_has_no_row_holds(world: World) -> None:
    made = a_talk(world)
    a_talk(world, began=made.ended - 15 * MINUTE)
    action = the(world, lose(world, made, made.ended + 1_000))
    assert action.kind == "hold"
    assert len(action.candidates) == 2
    assert action.candidates[0].cli_session_id == made.session_id, "the nearest first"


def test_another_lost_row_that_may_want_it_holds(world: World) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + 1_000)
    lose(world, None, made.ended + 5 * MINUTE + 1_000)
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and "another lost row" in action.error


@pytest.mark.parametrize(("apart", "kind"), [(20_000, "hold"), (90_000, "restore")])
def test_how_clear_is_clear(world: World, apart: int, kind: str) -> None:
    first = a_talk(world)
    second = talk(world.dice, "/home/ada/code", first.began, turns=1)
    end(second, first.ended + apart)
    world.put(second)
    paths = [lose(world, made, made.ended + 1_000) for made in (first, second)]
    found = actions(world)
    assert [found[str(path)].kind for path in paths] == [kind, kind]


def test_a_rival_that_another_row_explains_does_not(world: World) -> None:
    made = a_talk(world)
    other = a_talk(world, began=made.ended - 15 * MINUTE)
    path, other_path = lose(world, made, made.ended + 1_000), lose(world, other, other.ended + 1_000)
    found = actions(world)
    assert found[str(path)].cli_session_id == made.session_id
    assert found[str(other_path)].cli_session_id == other.session_id


def test_a_session_under_way_is_a_rival_only_if_it_did_anything(world: World) -> None:
    made = a_talk(world)
    long = a_talk(world, began=made.began - 3 * HOUR, minutes=600, turns=60)
    path = lose(world, made, made.ended + 1_000)
    assert the(world, path).kind == "hold"
    file = world.projects / key(long.cwd) / f"{long.session_id}.jsonl"
    times = [record for record in long.records if "timestamp" in record]
    long.records = [times[0], times[-1]]
    file.write_bytes(long.bytes())
    assert the(world, path).kind == "restore"


def test_the_row_of_an_unknown_session_is_a_rival(world: World) -> None:
    """One that never named a transcript, readable as it is, may own the one that is free."""
    made = a_talk(world)
    path = lose(world, made, made.ended + 1_000)
    session_id = f"local_{new_id(world.dice)}"
    fields = {"sessionId": session_id, "createdAt": made.began, "lastActivityAt": made.ended}
    world.write(world.stores[1] / f"{session_id}.json", compact(fields), made.ended + 9_000)
    assert the(world, path).kind == "hold"


def test_a_rewritten_row_nearby_shows_that_times_were_lost(world: World) -> None:
    made, other = a_talk(world), a_talk(world, began=BEGAN - 9 * HOUR)
    path = lose(world, made, made.ended + 2_000)
    session_id = world.healthy_row(other, store=world.stores[0])
    assert the(world, path).kind == "restore"
    world.write(
        world.stores[0] / f"{session_id}.json", compact(world.row(other, session_id)), made.ended + 2_700
    )
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and "restored backup" in action.error


def test_transcripts_that_were_copied_show_it_too(world: World) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + 2_000)
    for hours in range(3):
        other = talk(world.dice, "/home/ada/code", BEGAN - (20 + hours) * HOUR)
        other_path = world.put(other)
        world.healthy_row(other)
        world.write(other_path, other.bytes(), made.ended + 1_000 * hours)
    assert the(world, path).kind == "hold"


@pytest.mark.parametrize("time", [0, 315_532_800_000, NOW + 2 * DAY])
def test_times_that_cannot_be(world: World, time: int) -> None:
    made = a_talk(world)
    action = the(world, lose(world, made, time))
    assert action.kind == "hold"
    assert action.error is not None and "lost" in action.error


def test_what_is_left_of_the_row_excludes(world: World) -> None:
    """A prefix without an id, but with a directory, tells two transcripts apart."""
    made = a_talk(world, cwd="/home/ada/one")
    a_talk(world, cwd="/home/ada/two")
    session_id = f"local_{new_id(world.dice)}"
    content = compact({"sessionId": session_id, "cwd": "/home/ada/one", "title": "x"})[:-5]
    action = the(world, lose(world, made, made.ended + 1_000, content, session_id))
    assert action.cli_session_id == made.session_id


@pytest.mark.parametrize("content", [b"[]", b"null", b"{}"])
def test_what_no_crash_made_has_no_time(world: World, content: bytes) -> None:
    made = a_talk(world)
    action = the(world, lose(world, made, made.ended + 1_000, content))
    assert action.kind == "hold"
    assert action.candidates[0].cli_session_id == made.session_id


def test_another_sessions_content_has_another_time(world: World) -> None:
    made, other = a_talk(world), a_talk(world, began=BEGAN - DAY)
    their_id = world.healthy_row(other)
    path = lose(world, None, made.ended + 1_000, compact(world.row(other, their_id))[:-9])
    assert the(world, path).kind == "hold"


def test_thousands_at_once_are_held_not_guessed(world: World) -> None:
    for _ in range(80):
        made = a_talk(world, turns=1)
        lose(world, made, made.ended + 1_000)
    assert {action.kind for action in actions(world).values()} == {"hold"}


# --- the row's own words


def test_each_evidence_has_its_name(world: World) -> None:
    spare = DAY
    by_tmp, by_prefix, by_copy, imported = (a_talk(world, began=BEGAN - n * 8 * HOUR) for n in range(1, 5))
    leased = in_worktree(world, began=BEGAN - 50 * HOUR)
    world.put(leased)
    paths = {
        "tmp": lose(world, by_tmp, by_tmp.ended + spare),
        "prefix": lose_prefix(world, by_prefix, by_prefix.ended + spare, -9),
        "copy": lose(world, by_copy, by_copy.ended + spare),
        "uuid": lose(world, imported, imported.ended + spare, session_id=f"local_{imported.session_id}"),
        "lease": lose(world, leased, leased.ended + spare),
    }
    world.write(
        paths["tmp"].with_suffix(".json.tmp"),
        compact(world.row(by_tmp, paths["tmp"].stem)),
        by_tmp.ended + 2 * DAY,
    )
    world.write(
        world.stores[1] / paths["copy"].name, compact(world.row(by_copy, paths["copy"].stem)), by_copy.ended
    )
    world.lease(leased.cwd, paths["lease"].stem, leased.began)
    world.leases[0]["branch"] = None
    world.write(
        world.user_data / "git-worktrees.json", compact({"worktrees": dict(enumerate(world.leases))}), NOW
    )
    found = actions(world)
    for kind, path in paths.items():
        assert kinds(found[str(path)]) == [kind]
        assert found[str(path)].kind == "restore"
        rests_on = [fingerprint.path for fingerprint in found[str(path)].rests_on]
        assert rests_on[0] == str(path)
    sources = {kind: found[str(path)].source for kind, path in paths.items()}
    assert sources == {
        "tmp": "tmp",
        "prefix": "prefix",
        "copy": "copy",
        "uuid": "transcript",
        "lease": "transcript",
    }


def test_most_of_an_id_is_enough_and_a_little_is_not(world: World) -> None:
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    whole = compact(world.row(made, session_id))
    start = whole.index(made.session_id.encode())
    for digits, kind in ((13, "restore"), (12, "hold")):
        path = lose(world, made, made.ended + DAY, whole[: start + digits], session_id)
        action = the(world, path)
        assert action.kind == kind
        if kind == "restore":
            assert "most of its transcript's id" in action.evidence[0].detail


def test_an_id_in_a_nested_object_is_none_of_the_rows(world: World) -> None:
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    content = b'{"sessionId":"' + session_id.encode() + b'","x":{"cliSessionId":"' + made.session_id.encode()
    for rest in (b"", b'"', b'"}', b'"},'):
        assert the(world, lose(world, None, made.ended + DAY, content + rest, session_id)).kind == "hold"


def test_a_newer_tmp_outweighs_the_row_and_an_older_one_does_not(world: World) -> None:
    then, now = a_talk(world), a_talk(world, began=BEGAN + DAY)
    path = lose_prefix(world, now, now.ended + HOUR, -9)
    tmp = path.with_suffix(".json.tmp")
    world.write(tmp, compact(world.row(then, path.stem)), now.ended)
    assert the(world, path).cli_session_id == now.session_id
    world.write(tmp, compact(world.row(then, path.stem)), now.ended + 2 * HOUR)
    assert the(world, path).cli_session_id == then.session_id
    world.write(tmp, compact(world.row(then, path.stem)), now.ended + HOUR)
    action = the(world, path)
    assert action.kind == "hold", "which of the two is the newer cannot be told"
    assert {candidate.cli_session_id for candidate in action.candidates} == {then.session_id, now.session_id}


def test_what_is_left_of_the_row_outweighs_an_old_copy(world: World) -> None:
    then, now = a_talk(world), a_talk(world, began=BEGAN + DAY)
    path = lose_prefix(world, now, now.ended + HOUR, -9)
    world.write(
        path.with_name(path.name + ".corrupted-bak"), compact(world.row(then, path.stem)), now.ended + HOUR
    )
    assert the(world, path).cli_session_id == now.session_id


def test_of_two_copies_the_later_state_counts(world: World) -> None:
    then, now = a_talk(world), a_talk(world, began=BEGAN + DAY)
    path = lose(world, now, now.ended + DAY)
    for number, made in enumerate((then, now, then)):
        name = f"{path.name}.corrupted-bak.{number}"
        world.write(path.with_name(name), compact(world.row(made, path.stem)), now.ended - number)
    assert the(world, path).cli_session_id == now.session_id


def test_a_copy_whose_transcript_is_gone_does_not_stop_the_rest(world: World) -> None:
    then = talk(world.dice, "/home/ada/code", BEGAN)
    now = a_talk(world, began=BEGAN + DAY)
    path = lose(world, now, now.ended + 1_000)
    world.write(
        path.with_name(path.name + ".bak"),
        compact(world.row(then, path.stem, createdAt=now.began)),
        then.ended,
    )
    assert the(world, path).cli_session_id == now.session_id


def test_a_copy_of_the_last_write_whose_transcript_is_gone_gives_the_row_no_other(world: World) -> None:
    """The row named it when it was written last; a stranger's ended half a minute before."""
    gone = talk(world.dice, "/home/ada/code", BEGAN)
    stranger = a_talk(world, began=BEGAN - DAY)
    path = lose(world, gone, stranger.ended + 30_000)
    copy = compact(world.row(gone, path.stem, lastFocusedAt=stranger.ended + 29_000))
    world.write(path.with_name(path.name + ".bak"), copy, stranger.ended + 30_000)
    action = the(world, path)
    assert action.kind == "hold"
    assert "which is not there: that was so at its last write" in (action.error or "")


def test_the_app_promotes_no_old_tmp_and_neither_do_we(world: World) -> None:
    made = a_talk(world, began=NOW - 50 * DAY)
    path = lose(world, made, made.ended + DAY)
    world.write(path.with_suffix(".json.tmp"), compact(world.row(made, path.stem)), NOW - 30 * DAY - 1_000)
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and "more than 30 days ago" in action.error


def test_two_that_want_one_name_each_other(world: World) -> None:
    made = a_talk(world)
    paths = [lose_prefix(world, made, made.ended + DAY, -9) for _ in range(2)]
    found = actions(world)
    for path, other in (paths, paths[::-1]):
        action = found[str(path)]
        assert action.kind == "hold"
        assert action.error is not None and other.stem in action.error
        assert [candidate.cli_session_id for candidate in action.candidates] == [made.session_id]


def test_one_session_under_two_accounts_is_put_back_in_both(world: World) -> None:
    made = a_talk(world)
    session_id = f"local_{made.session_id}"
    for store in world.stores:
        world.write(store / f"{session_id}.json", bytes(99), made.ended + DAY)
    assert [action.kind for action in actions(world).values()] == ["restore", "restore"]


def test_a_claim_under_an_account_that_was_not_named_counts(world: World) -> None:
    made = a_talk(world)
    path = lose(world, None, made.ended + 1_000)
    world.healthy_row(made, store=world.stores[1])
    plan = reconcile(world.stores[0], world.projects, now=NOW)
    assert [(action.path, action.kind) for action in plan.actions] == [(str(path), "hold")]
    assert not plan.actions[0].candidates


def test_a_row_of_the_users_other_account_says_nothing_about_deleting_here(world: World) -> None:
    """A session deleted under another account is not put back without asking, but it is an error."""
    made = a_talk(world)
    path = lose_prefix(world, made, made.ended + DAY, -9)
    (world.stores[1] / f"deleted_{made.session_id}").write_text("1790000000000")
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and "deleted" in action.error


def test_the_newest_of_a_resumed_conversation_stands_for_it(world: World) -> None:
    older = talk(world.dice, "/home/ada/code", BEGAN, turns=6)
    newer = resumed(world.dice, older, DESKTOP)
    for each in (older, newer):
        world.put(each)
    path = lose(world, newer, newer.ended + 1_000)
    assert the(world, path).cli_session_id == newer.session_id
    imported = lose(world, None, BEGAN + DAY, session_id=f"local_{older.session_id}")
    action = the(world, imported)
    assert action.kind == "hold"
    assert action.candidates[0].cli_session_id == newer.session_id


def test_a_leased_session_that_was_continued_in_a_terminal_is_still_its_own(world: World) -> None:
    made = in_worktree(world, began=BEGAN)
    made.records[-1 if "entrypoint" in made.records[-1] else -2]["entrypoint"] = TERMINAL
    world.put(made)
    path = lose(world, made, made.began + DAY)
    leases = {"x": {"path": made.cwd, "leasedBy": path.stem, "createdAt": made.began}}
    world.write(world.user_data / "git-worktrees.json", compact({"worktrees": leases}), NOW)
    assert kinds(the(world, path)) == ["lease"]


# --- the user's word


def test_the_users_word(world: World) -> None:
    made, other = a_talk(world), a_talk(world)
    path = lose(world, made, made.ended + DAY)
    file = world.projects / key(made.cwd) / f"{made.session_id}.jsonl"
    bare = path.stem.removeprefix("local_")
    for row in (str(path), path.name, path.stem, bare):
        for transcript in (made.session_id, str(file), file.name, made.session_id.upper()):
            action = the(world, path, matches={row: transcript})
            assert (action.kind, action.cli_session_id, kinds(action)) == (
                "restore",
                made.session_id,
                ["match"],
            )
            assert the(world, path, matches=[f"{row}={transcript}"]).row == action.row
    assert the(world, path, matches={path.stem: other.session_id}).cli_session_id == other.session_id


def test_a_path_may_hold_an_equals_sign(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    store = tmp_path / "a=b" / "claude-code-sessions" / "x=y" / "o"
    path = world.write(store / f"local_{new_id(world.dice)}.json", b"", NOW)
    plan = reconcile(tmp_path / "a=b", world.projects, now=NOW, matches=[f"{path}={made.session_id}"])
    assert plan.actions[0].kind == "restore"


def test_words_that_cannot_be(world: World) -> None:
    made, free = a_talk(world), a_talk(world, began=BEGAN + DAY)
    healthy = world.healthy_row(made)
    lost, other = lose(world, None, NOW - DAY), lose(world, None, NOW - DAY)
    deleted = lose(world, None, NOW - DAY)
    (world.stores[0] / f"deleted_{deleted.stem.removeprefix('local_')}").write_text("1")
    side = a_talk(world, sidechain=True)
    agent = world.write(world.projects / key(made.cwd) / "agent-1.jsonl", b"{}", NOW)
    tombstoned = a_talk(world)
    (world.stores[1] / f"deleted_{tombstoned.session_id}").write_text("1")
    linked = world.stores[0] / "local_linked.json"
    linked.symlink_to(lost)
    for matches, text in (
        (["nonsense"], "not of the form"),
        ({"local_none": free.session_id}, "no row"),
        ({healthy: free.session_id}, "nothing to put back"),
        ({deleted.stem: free.session_id}, "deleted"),
        ({linked.stem: free.session_id}, "cannot be put back"),
        ({lost.stem: made.session_id}, "already belongs to"),
        ({lost.stem: new_id(world.dice)}, "no transcript"),
        ({lost.stem: str(agent)}, "no session's transcript"),
        ({lost.stem: side.session_id}, "no session of its own"),
        ({lost.stem: tombstoned.session_id}, "deleted"),
        ({lost.stem: "../../../etc/passwd"}, "no (transcript|session)"),
        ({lost.stem: free.session_id, other.stem: free.session_id}, "two rows"),
        ([f"{lost.stem}={free.session_id}", f"{lost}={free.session_id}"], "twice"),
    ):
        with pytest.raises(ValueError, match=text):
            reconcile(world.user_data, world.projects, matches=matches)
    world.write(world.stores[1] / lost.name, b"", NOW)
    with pytest.raises(ValueError, match="several rows"):
        reconcile(world.user_data, world.projects, matches={lost.stem: free.session_id})


# --- folders and their names


@pytest.mark.parametrize(
    ("directory", "folder"),
    [
        ("/home/a/my_app", "-home-a-my-app"),
        ("/home/a/my_app", "-home-a-my_app"),
        ("C:\\Users\\A\\x", "c--Users-A-x"),
        ("/home/e\u0301", "-home--"),
        ("/home/🚀", "-home---"),
        ("/" + "x" * 300, "-" + "x" * 199 + "-abc123"),
    ],
)
def test_keys(directory: str, folder: str) -> None:
    assert matches_key(directory, folder)
    assert not matches_key(directory + "y", folder.replace("-abc123", ""))
    assert not matches_key("/other", folder)


def test_one_directory_two_names() -> None:
    assert normalize("/home/a/") == normalize("/home/a")
    assert normalize("c:/users/A") == normalize("C:\\Users\\a\\")
    assert normalize("/home/e\u0301") == normalize("/home/\u00e9")
    assert normalize("/home/A") != normalize("/home/a")
    assert normalize("/") == "/"


@pytest.mark.parametrize("entrypoint", [None, TERMINAL, "claude-vscode"])
def test_a_lease_does_not_make_a_session_the_apps(world: World, entrypoint: str | None) -> None:
    made = a_talk(world, cwd="/w/a", entrypoint=entrypoint)
    path = lose(world, None, made.ended + DAY)
    leases = {"x": {"path": made.cwd, "leasedBy": path.stem}}
    world.write(world.user_data / "git-worktrees.json", compact({"worktrees": leases}), NOW)
    assert the(world, path).kind == "hold"


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "not-a-uuid"])
def test_a_row_that_names_nonsense_is_given_nothing_else(world: World, name: str) -> None:
    made = a_talk(world)
    path = lose_prefix(world, made, made.ended + 1_000, -9, cliSessionId=name)
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and name in action.error


def test_what_is_left_of_a_row_goes_with_the_users_word(world: World) -> None:
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    content = compact({"sessionId": session_id, "title": "Its own", "effort": "high", "cut": "x"})[:-3]
    path = lose(world, None, NOW - DAY, content, session_id)
    action = the(world, path, matches={session_id: made.session_id})
    assert (action.row["title"], action.row["effort"], action.row["cwd"]) == ("Its own", "high", made.cwd)
    assert action.provenance["title"] == "what is left of the row"


# --- times that sessscan wrote, and ids that are spelled otherwise


def test_a_time_that_a_run_wrote_is_no_evidence(world: World) -> None:
    now = time.time_ns() // 1_000_000
    made = a_talk(world, now - 5 * MINUTE - 2_000)
    path = lose(world, made, made.ended + 1_000)
    plan = reconcile(world.user_data, world.projects, now=now)
    assert [action.kind for action in plan.actions] == ["restore"]
    plan.apply(force=True)
    [run] = runs()[0]
    path.write_bytes(bytes(100))
    os.utime(path, ns=((run.started_at + 1) * 1_000_000,) * 2)
    [held] = reconcile(world.user_data, world.projects, now=now).actions
    assert (held.kind, "sessscan itself wrote it" in (held.error or "")) == ("hold", True)


@pytest.mark.parametrize("cut", [-1, -40])
def test_an_id_is_written_as_the_transcripts_file_spells_it(world: World, cut: int) -> None:
    made = a_talk(world)
    path = lose_prefix(world, made, made.ended + 1_000, cut, cliSessionId=made.session_id.upper())
    action = the(world, path)
    assert (action.kind, action.row["cliSessionId"]) == ("restore", made.session_id)
