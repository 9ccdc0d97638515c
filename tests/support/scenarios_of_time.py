"""Stores in which nothing is lost, and losses for which nothing but time speaks, or seems to."""

from __future__ import annotations

from support.scenario_parts import SECOND, begin, end, gone_near, lost_time, soon
from support.store_factory import HOUR, World, compact, key
from support.transcript_factory import DESKTOP, TERMINAL, forked, new_id, resumed, stub

# --- nothing is wrong


def healthy(world: World) -> None:
    for _ in range(world.dice.randint(1, 3)):
        made = begin(world)
        world.put(made)
        world.healthy_row(made)


def never_started(world: World) -> None:
    session_id = f"local_{new_id(world.dice)}"
    time = world.moment()
    fields = {"sessionId": session_id, "createdAt": time, "lastActivityAt": time, "title": "New"}
    world.healthy.append(world.write(world.store() / f"{session_id}.json", compact(fields), time))


def orphan(world: World) -> None:
    world.put(begin(world))


def strange_healthy(world: World) -> None:
    """Rows that only a careless reader stumbles over."""
    made = begin(world)
    names = ("../../etc/passwd", "", "x" * 5_000, made.session_id.upper())
    world.put(made)
    world.healthy_row(made, cliSessionId=world.dice.choice(names), weird="\ud83d"[:0] + "é", big=10**30)


def tmp_beside_healthy(world: World) -> None:
    made = begin(world)
    world.put(made)
    store = world.store()
    session_id = world.healthy_row(made, store=store)
    world.write(store / f"{session_id}.json.tmp", b'{"sessionId":"' + session_id.encode(), made.ended)


def moved(world: World) -> None:
    made = begin(world)
    world.put(made, folder=key("/somewhere/else"))
    world.healthy_row(made)


# --- time and elimination


def by_time(world: World) -> None:
    made = begin(world)
    world.put(made)
    world.lose(made, "back", time=soon(world, made), by_time=True)


def by_time_amid_noise(world: World) -> None:
    """What ends at the same moment is no desktop session: a terminal's, a subagent's, a stub."""
    made = begin(world)
    world.put(made)
    time = soon(world, made)
    for entrypoint, sidechain in ((TERMINAL, False), ("sdk-cli", False), (DESKTOP, True)):
        other = begin(world, began=made.began, cwd=made.cwd, entrypoint=entrypoint, sidechain=sidechain)
        end(other, time - 50)
        world.put(other)
    world.put(stub(world.dice, time - 100), folder=key(made.cwd))
    agent = begin(world, began=made.began, cwd=made.cwd)
    content = agent.bytes().replace(agent.session_id.encode(), made.session_id.encode())
    folder = world.projects / key(made.cwd)
    world.write(folder / f"agent-{world.dice.getrandbits(28):07x}.jsonl", content, time)
    world.write(folder / made.session_id / "subagents" / "agent-1.jsonl", content, time)
    world.lose(made, "back", time=time, by_time=True)


def two_in_a_row(world: World) -> None:
    """Ten minutes apart, each beside its own: elimination gives both."""
    first = begin(world, minutes=3)
    second = begin(world, began=first.ended + 10 * 60 * SECOND, minutes=3)
    for made in (first, second):
        world.put(made)
        world.lose(made, "back", time=made.ended + world.dice.randrange(500, 4_000), by_time=True)


def twins(world: World) -> None:
    first = begin(world)
    second = begin(world, began=first.began)
    end(second, first.ended)
    for made in (first, second):
        world.put(made)
    for made in (first, second):
        world.lose(made, "hold", time=first.ended + world.dice.randrange(500, 20_000), by_time=True)


def two_rows_one_transcript(world: World) -> None:
    made = begin(world)
    world.put(made)
    world.lose(made, "hold", time=made.ended + 2_000, by_time=True)
    world.lose(None, "hold", time=made.ended + world.dice.randrange(3_000, 50_000))


def other_orphan_near(world: World) -> None:
    """A session without a row was under way, or ended a little earlier."""
    made = begin(world, minutes=20)
    other = begin(world, began=made.began, minutes=world.dice.choice((10, 60)))
    for each in (made, other):
        world.put(each)
    world.lose(made, "either", time=soon(world, made))


def clock_jump(world: World) -> None:
    made = begin(world)
    world.put(made)
    world.lose(made, "either", time=made.ended + world.dice.choice((-1, 1)) * world.dice.randrange(HOUR))


def gone(world: World) -> None:
    world.lose(None, "hold", time=world.moment())


def terminal_near(world: World) -> None:
    made = begin(world, entrypoint=world.dice.choice((TERMINAL, "sdk-cli", "claude-vscode")))
    world.put(made)
    gone_near(world, made)


def born_unknown_near(world: World) -> None:
    made = begin(world, entrypoint=None)
    world.put(made)
    gone_near(world, made)


def continued_in_terminal_near(world: World) -> None:
    made = begin(world)
    for record in made.records[len(made.records) // 2 :]:
        if "entrypoint" in record:
            record["entrypoint"] = TERMINAL
    if world.dice.random() < 0.5:
        for record in made.records:
            if "entrypoint" in record:
                record["entrypoint"] = TERMINAL
                break
    world.put(made)
    world.lose(made, "either", time=soon(world, made))


def sidechain_near(world: World) -> None:
    made = begin(world, sidechain=True)
    world.put(made)
    gone_near(world, made)


def stub_near(world: World) -> None:
    made = stub(world.dice, world.moment())
    made.ended = made.began
    world.put(made, folder=key(world.cwd()))
    gone_near(world, made)


def claimed_near(world: World) -> None:
    """A transcript that a readable row names, or has named before, also one under another account."""
    made = begin(world)
    world.put(made)
    lost = gone_near(world, made)
    if world.dice.random() < 0.5:
        now = begin(world, began=made.began + HOUR)
        world.put(now)
        world.healthy_row(now, priorCliSessionIds=[new_id(world.dice), made.session_id])
    else:
        world.healthy_row(made)
    assert lost.talk is None


def tombstoned_transcript_near(world: World) -> None:
    made = begin(world)
    world.put(made)
    lost = gone_near(world, made)
    spelling = world.dice.choice(("deleted_{}", "deleted_local_{}", "deleted_{}.json"))
    world.write(lost.path.parent / spelling.format(made.session_id), b"1790000000000", made.ended)


def rewritten_nearby(world: World) -> None:
    """A backup was restored, or rows were migrated: healthy rows bear the same time, without a reason."""
    made = begin(world)
    world.put(made)
    lost = gone_near(world, made)
    other = begin(world, began=made.began - 100 * HOUR)
    world.put(other)
    session_id = world.healthy_row(other)
    path = next(path for path in world.healthy if path.stem == session_id)
    world.write(path, path.read_bytes(), lost_time(lost) + world.dice.randrange(-1_900, 1_900))


def older_copy_near(world: World) -> None:
    """The conversation went on in another file, which has a row."""
    made = begin(world, turns=6)
    newer = resumed(world.dice, made, DESKTOP)
    for each in (made, newer):
        world.put(each)
    world.healthy_row(newer)
    gone_near(world, made)


def resumed_session(world: World) -> None:
    """The newest file stands for the conversation."""
    older = begin(world, turns=6)
    made = resumed(world.dice, older, DESKTOP, extra=2)
    if world.dice.random() < 0.3:  # repeated uuids do not hide it
        older.records += [record for record in older.records if "uuid" in record][:3]
    for each in (older, made):
        world.put(each)
    world.lose(made, "back", time=soon(world, made), by_time=True)


def resumed_in_terminal(world: World) -> None:
    made = begin(world, turns=6)
    newer = resumed(world.dice, made, TERMINAL, extra=2)
    for each in (made, newer):
        world.put(each)
    world.lose(made, "either", time=soon(world, made))


def resumed_from_claimed_near(world: World) -> None:
    """The newer file of a conversation whose row still names the older one."""
    older = begin(world, turns=6)
    newer = resumed(world.dice, older, DESKTOP, extra=2)
    for each in (older, newer):
        world.put(each)
    world.healthy_row(older)
    gone_near(world, newer)


def fork_of_nobody_near(world: World) -> None:
    """A fork whose parent is gone: whether it ever had a row is unknown."""
    fork = forked(world.dice, begin(world, turns=4), DESKTOP, extra=2)
    world.put(fork)
    gone_near(world, fork)


def fork_near(world: World) -> None:
    """A fork that has no row, of a session that has one."""
    parent = begin(world, turns=4)
    fork = forked(world.dice, parent, world.dice.choice((DESKTOP, TERMINAL)), extra=world.dice.randrange(3))
    for each in (parent, fork):
        world.put(each)
    world.healthy_row(parent)
    gone_near(world, fork)


def forked_away(world: World) -> None:
    """The lost session was forked; the fork has a row of its own."""
    made = begin(world, turns=4)
    fork = forked(world.dice, made, DESKTOP, extra=3)
    for each in (made, fork):
        world.put(each)
    world.healthy_row(fork)
    world.lose(made, "back", time=soon(world, made), by_time=True)
