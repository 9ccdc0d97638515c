"""Losses of which something is left that speaks: the row itself, its `.tmp`, copies, its name, its lease."""

from __future__ import annotations

import os
from typing import Any

from support.scenario_parts import begin, later, lost_time, soon
from support.store_factory import DAY, HOUR, NOW, Lost, World, compact, key
from support.system import WINDOWS, can_link
from support.transcript_factory import DESKTOP, TERMINAL, Talk, new_id, resumed, talk

# --- the row's own words


def deleted(world: World) -> None:
    made = begin(world)
    world.put(made)
    lost = world.lose(made, "nothing", time=soon(world, made))
    bare = lost.session_id.removeprefix("local_")
    spelling = world.dice.choice((f"deleted_{bare}", f"deleted_local_{bare}", f"deleted_{bare.upper()}"))
    world.write(lost.path.parent / spelling, b"1790000000000", made.ended)


def deleted_by_transcript(world: World) -> None:
    made = begin(world)
    world.put(made)
    session_id = f"local_{new_id(world.dice)}"
    content = compact(world.row(made, session_id))[:-200]
    lost = world.lose(made, "nothing", time=later(world, made), content=content, session_id=session_id)
    world.write(lost.path.parent / f"deleted_{made.session_id}", b"1790000000000", made.ended)


def tmp(world: World) -> None:
    made = begin(world)
    world.put(made)
    lost = world.lose(made, "back", time=later(world, made))
    lost.exact = compact(world.row(made, lost.session_id))
    world.write(lost.path.with_suffix(".json.tmp"), lost.exact, later(world, made) + 2 * HOUR)


def tmp_older_than_row(world: World) -> None:
    made = begin(world, turns=3)
    world.put(made)
    lost = world.lose(made, "back", time=later(world, made), grants=True, derived=False)
    fields = world.row(made, lost.session_id, lastActivityAt=made.began, completedTurns=1)
    world.write(lost.path.with_suffix(".json.tmp"), compact(fields), made.began + 1_000)


def tmp_too_old(world: World) -> None:
    made = begin(world, began=NOW - 40 * DAY)
    world.put(made)
    lost = world.lose(made, "either", time=NOW - 38 * DAY, grants=True, derived=False)
    world.write(lost.path.with_suffix(".json.tmp"), compact(world.row(made, lost.session_id)), NOW - 31 * DAY)


def tmp_of_another(world: World) -> None:
    other = begin(world)
    world.put(other)
    their_id = f"local_{new_id(world.dice)}"
    if world.dice.random() < 0.5:
        world.healthy_row(other, their_id)
    lost = world.lose(None, "hold", time=other.ended + 3 * HOUR)
    world.write(lost.path.with_suffix(".json.tmp"), compact(world.row(other, their_id)), lost_time(lost))


def tmp_torn(world: World) -> None:
    made = begin(world)
    world.put(made)
    lost = world.lose(made, "either", time=later(world, made), grants=True, derived=False)
    content = compact(world.row(made, lost.session_id))
    world.write(
        lost.path.with_suffix(".json.tmp"), content[: world.dice.randrange(len(content))], lost_time(lost)
    )


def tmp_alone(world: World) -> None:
    """The row was never made: only what was to become it is there."""
    made = begin(world)
    world.put(made)
    session_id = f"local_{new_id(world.dice)}"
    store = world.store()
    content, age, expect = compact(world.row(made, session_id)), made.ended + 3 * HOUR, "made"
    trap = world.dice.choice(("none", "none", "tombstone", "claimed", "torn", "old", "other"))
    if trap == "tombstone":
        bare = world.dice.choice((session_id, session_id.removeprefix("local_")))
        world.write(store / f"deleted_{bare}", b"1790000000000", made.ended)
    elif trap == "claimed":
        world.healthy_row(made)
    elif trap == "torn":
        content = content[:-30]
    elif trap == "old":
        age = NOW - 31 * DAY
    elif trap == "other":
        content = compact(world.row(made, f"local_{new_id(world.dice)}"))
    if trap != "none":
        expect = "nothing"
    path = store / f"{session_id}.json"
    world.write(path.with_suffix(".json.tmp"), content, age)
    world.lost.append(Lost(path, session_id, made, expect, "tmp_alone", content, state=trap))


def prefix(world: World) -> None:
    """Cut anywhere, with or without a tail of zeros."""
    made = begin(world)
    world.put(made)
    session_id = f"local_{new_id(world.dice)}"
    whole = compact(world.row(made, session_id))
    cut = world.dice.randrange(1, len(whole))
    start = whole.index(b'"cliSessionId":"') + 16
    content = whole[:cut] + bytes(world.dice.choice((0, 0, 1, len(whole) - cut)))
    expect = "back" if cut > start + 16 else "either"
    lost = world.lose(made, expect, time=later(world, made), content=content, session_id=session_id)
    lost.grants, lost.derived, lost.mute = True, False, expect == "either"
    if cut >= start and cut < start + 36:
        lost.derived = True


def prefix_gone(world: World) -> None:
    made = begin(world)
    session_id = f"local_{new_id(world.dice)}"
    content = compact(world.row(made, session_id))[:-300]
    world.lose(made, "hold", time=soon(world, made), content=content, session_id=session_id)
    world.put(begin(world, began=made.began, minutes=1))


def prefix_of_another(world: World) -> None:
    """What is left is another session's, or names what is no transcript."""
    made = begin(world)
    world.put(made)
    if world.dice.random() < 0.5:
        their_id = world.healthy_row(made)
        content = compact(world.row(made, their_id))[:-200]
        world.lose(None, "hold", time=later(world, made), content=content)
    else:
        session_id = f"local_{new_id(world.dice)}"
        content = compact(world.row(made, session_id, cliSessionId="../../../x"))[:-200]
        world.lose(None, "hold", time=later(world, made), content=content, session_id=session_id)


def two_prefixes_one_transcript(world: World) -> None:
    made = begin(world)
    world.put(made)
    for _ in range(2):
        session_id = f"local_{new_id(world.dice)}"
        content = compact(world.row(made, session_id))[:-100]
        world.lose(made, "hold", time=later(world, made), content=content, session_id=session_id)


def prefix_of_claimed(world: World) -> None:
    made = begin(world)
    world.put(made)
    world.healthy_row(made)
    session_id = f"local_{new_id(world.dice)}"
    content = compact(world.row(made, session_id))[:-100]
    world.lose(made, "hold", time=later(world, made), content=content, session_id=session_id)


def refused(world: World) -> None:
    """Rows that parse, but that the app does not take: their own content is the source."""
    made = begin(world)
    if world.dice.random() < 0.8:
        world.put(made)
    session_id = f"local_{new_id(world.dice)}"
    fields = world.row(made, session_id)
    kind = world.dice.choice(("bom", "id", "missing", "type"))
    if world.dice.random() < 0.02:
        kind = "large"
    exact = None
    if kind == "id":
        fields["sessionId"] = world.dice.choice(
            (f"local_{new_id(world.dice)}", session_id.removeprefix("local_"))
        )
    elif kind == "missing":
        for name in world.dice.sample(("sessionId", "createdAt", "lastActivityAt"), world.dice.randint(1, 2)):
            del fields[name]
    elif kind == "type":
        fields["createdAt"], fields["lastActivityAt"] = str(made.began), None
    elif kind == "large":
        fields["enabledMcpTools"] = {"x": "y" * (11 << 20)}
    content = compact(fields)
    if kind == "bom":
        exact, content = content, b"\xef\xbb\xbf" + content
    expect = "back"
    if kind == "type" and not (world.projects / key(made.cwd) / f"{made.session_id}.jsonl").exists():
        expect = "either"
    lost = world.lose(made, expect, time=later(world, made), content=content, session_id=session_id)
    lost.exact, lost.grants, lost.derived = exact, True, False


def refused_of_another(world: World) -> None:
    """A copy of another session's row under this name."""
    other = begin(world)
    world.put(other)
    their_id = world.healthy_row(other)
    world.lose(None, "hold", time=later(world, other), content=compact(world.row(other, their_id)))


def swapped(world: World) -> None:
    """Another lost session's content under this name: it is that one's transcript that it names."""
    other = begin(world)
    world.put(other)
    theirs = world.lose(other, "either", time=soon(world, other))
    content = compact(world.row(other, theirs.session_id))
    cut = world.dice.choice((len(content), -50))
    world.lose(None, "hold", time=later(world, other), content=content[:cut], mute=False)


def copies(world: World) -> None:
    made = begin(world, turns=3)
    world.put(made)
    lost = world.lose(made, "back", time=later(world, made), derived=False)
    name, others = lost.path.name, [store for store in world.stores if store != lost.path.parent]
    fields = world.row(
        made, lost.session_id, lastActivityAt=made.began, completedTurns=1, bridgeSessionId="b"
    )
    places = [lost.path.with_name(name + ".corrupted-bak"), lost.path.with_name(name + ".corrupted-bak.1")]
    organisation = lost.path.parent
    backup = world.user_data / "claude-code-sessions.bak" / organisation.parent.name / organisation.name
    places += [backup / name, *(store / name for store in others)]
    place = world.dice.choice(places)
    if place.parent in world.stores and place.name == name:
        world.healthy.append(place)
    lost.grants = place.parent == lost.path.parent
    world.write(place, compact(fields), made.ended)
    if world.dice.random() < 0.5 and not lost.path.with_name(name + ".corrupted-bak").exists():
        world.write(lost.path.with_name(name + ".corrupted-bak"), bytes(500), made.ended)


def stale_copy(world: World) -> None:
    """The copy is older than the resume."""
    older = begin(world, turns=6)
    made = resumed(world.dice, older, DESKTOP, extra=3)
    for each in (older, made):
        world.put(each)
    lost = world.lose(made, "either", time=soon(world, made), derived=False, grants=True)
    path = lost.path.with_name(lost.path.name + ".bak")
    world.write(path, compact(world.row(older, lost.session_id)), older.ended)


# --- names and leases


def imported(world: World) -> None:
    made = begin(world, entrypoint=TERMINAL)
    world.put(made)
    world.lose(made, "back", time=later(world, made), session_id=f"local_{made.session_id}")


def in_worktree(world: World, **more: Any) -> Talk:
    root = world.dice.choice(("/home/ada/code/shop", "C:\\Users\\Ada\\src\\app"))
    name = f"w{world.dice.randrange(10**6)}"
    separator = "\\" if "\\" in root else "/"
    path = separator.join((root, ".claude", "worktrees", name))
    state = {
        "originalCwd": root,
        "worktreePath": path,
        "worktreeName": name,
        "worktreeBranch": f"claude/{name}",
        "originalBranch": "main",
    }
    return begin(world, cwd=path, worktree=state, **more)


def leased(world: World) -> None:
    made = in_worktree(world)
    world.put(made, folder=world.dice.choice((key(made.cwd), key("/moved/elsewhere"))))
    lost = world.lose(made, "back", time=later(world, made))
    branch = (made.worktree or {})["worktreeBranch"]
    world.lease(made.cwd, lost.session_id, made.began - 5_000, branch)


def leased_and_moved(world: World) -> None:
    """The transcript was moved to the worktree's key; its first lines are from the repository."""
    made = in_worktree(world)
    root = (made.worktree or {})["originalCwd"]
    for record in made.records:
        if "cwd" in record:
            record["cwd"] = root
    relocated = {"type": "relocated", "relocatedCwd": made.cwd, "sessionId": made.session_id}
    made.records.append(relocated)
    world.put(made)
    lost = world.lose(made, "back", time=later(world, made))
    world.lease(made.cwd, lost.session_id, made.began, (made.worktree or {})["worktreeBranch"])


def leased_directory_reused(world: World) -> None:
    """The only transcript there is from an earlier lease, or a terminal's, or there are two."""
    other = in_worktree(world)
    trap = world.dice.choice(("older", "terminal", "unknown", "two", "branch"))
    since = other.began - 5_000
    if trap == "older":
        since = other.ended + HOUR
    elif trap == "terminal":
        other = talk(world.dice, other.cwd, other.began, entrypoint=TERMINAL, worktree=other.worktree)
    elif trap == "unknown":
        other = talk(world.dice, other.cwd, other.began, entrypoint=None, worktree=other.worktree)
    elif trap == "two":
        world.put(talk(world.dice, other.cwd, other.began, worktree=other.worktree))
    world.put(other)
    lost = world.lose(None, "hold", time=later(world, other))
    world.lease(other.cwd, lost.session_id, since)
    if trap != "branch":
        world.leases[-1]["branch"] = None


def leases_in_doubt(world: World) -> None:
    """Two directories at once, or one directory to two sessions."""
    first = in_worktree(world)
    world.put(first)
    lost = world.lose(None, "hold", time=later(world, first))
    world.lease(first.cwd, lost.session_id, first.began)
    if world.dice.random() < 0.5:
        world.lease(first.cwd + "2", lost.session_id, first.began)
    else:
        world.lease(first.cwd, f"local_{new_id(world.dice)}", first.began)
    for lease in world.leases:
        if lease["path"] == first.cwd:
            lease["branch"] = None


# --- what can only be held


def linked(world: World) -> None:
    made = begin(world)
    if not can_link():
        world.put(made)
        return
    world.put(made)
    session_id = f"local_{new_id(world.dice)}"
    target = world.write(world.user_data / "elsewhere.json", compact(world.row(made, session_id)), made.ended)
    path = world.store() / f"{session_id}.json"
    path.symlink_to(target)
    world.lost.append(Lost(path, session_id, made, "hold", "linked", state="linked"))


def no_file(world: World) -> None:
    session_id = f"local_{new_id(world.dice)}"
    path = world.store() / f"{session_id}.json"
    path.mkdir()
    world.lost.append(Lost(path, session_id, None, "hold", "no_file", state="not-a-row"))


def no_text(world: World) -> None:
    """A name that is not UTF-8, where there are such names."""
    made = begin(world)
    if WINDOWS:
        world.put(made)
        return
    world.put(made, folder=os.fsdecode(b"project-\xff\xfe"))
    world.lose(
        made, "hold", time=soon(world, made), session_id=f"local_{world.dice.random()}" + os.fsdecode(b"\xff")
    )


def agent_mode(world: World) -> None:
    made = begin(world)
    world.put(made)
    store = world.user_data / "local-agent-mode-sessions" / new_id(world.dice) / new_id(world.dice)
    world.lose(made, "hold", time=soon(world, made), store=store)
