"""A repair gives back all that survives, in its order, and nothing else; the Python SDK is the judge."""

from __future__ import annotations

import os
import time
from fnmatch import fnmatch
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from sessscan import _core
from sessscan.mending.content import BytesContent
from sessscan.mending.outcome import given_after, given_by_links
from sessscan.mending.transcript import mend
from sessscan.model import Action
from support.broken_transcripts import KINDS, damaged, halves, ids, messages, uuids
from support.rounds import rounds
from support.talks import SESSION, Talk, talk

LONG_AGO = 10_000
"""Seconds: a transcript that was written so long ago is not in use."""


def put(folder: Path, data: bytes, name: str = SESSION) -> Path:
    """Write a transcript into its project folder."""
    path = folder / "projects" / "-home-ada-app" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    long_ago = time.time() - LONG_AGO
    os.utime(path, (long_ago, long_ago))
    return path


def repaired(path: Path) -> Action | None:
    """Repair a transcript, see that there is nothing more to do, and return what was done."""
    plan = sessscan.repair(path, path.parent.parent)
    before = path.read_bytes()
    assert path.read_bytes() == before, "making a plan writes nothing"
    if not plan.actions:
        return None
    [action] = plan.actions
    report = plan.apply()
    [done] = report.actions
    assert done.status == ("applied" if action.kind == "repair" else "held"), done.error
    again = sessscan.repair(path, path.parent.parent)
    assert [one for one in again.actions if one.kind == "repair"] == []
    return done


def unended(given: list[dict[str, Any]]) -> set[str]:
    """Return the calls of the last response, which may still run."""
    last = next((one for one in reversed(given) if one["type"] == "assistant"), None)
    if last is None:
        return set()
    response = last["message"]["id"]
    return halves([one for one in given if one["type"] == "assistant" and one["message"]["id"] == response])


@pytest.mark.parametrize("kind", KINDS)
@rounds(6, thorough=60)
def test_all_that_survives_comes_back(kind: str, rounds: int, tmp_path: Path, seed: int) -> None:
    for number in range(seed, seed + rounds):
        made = talk(number)
        data = damaged(kind, made.data, Random(number))
        path = put(tmp_path, data)
        survived = {record.uuid for record in _core.survivors(data).records}
        surviving = [one for one in made.path if one["uuid"] in survived and "message" in one]
        alone = halves(surviving)
        wanted = {one["uuid"] for one in surviving if not alone & ids(one)}
        done = repaired(path)
        given = messages(path.read_bytes())
        for one in given:
            # Where nothing refers to a uuid with a byte that is no UTF-8, nothing tells which it was.
            one["uuid"] = next((uuid for uuid in made.given if fnmatch(uuid, one["uuid"])), one["uuid"])
        context = f"{kind}, seed {number}"
        assert set(uuids(given)) <= set(made.given), f"{context}: something else came back"
        # The order of a response's parts is that of their times, of which one may have the bad byte.
        if kind != "not UTF-8":
            order = [uuid for uuid in made.given if uuid in set(uuids(given))]
            assert uuids(given) == order, f"{context}: order"
        held = done is not None and (done.held or done.kind == "hold")
        assert held or wanted <= set(uuids(given)), f"{context}: some are lost"
        assert held or halves(given) <= unended(given), f"{context}: half of a tool call is given"
        if done is not None and done.reached is not None:
            assert held or done.reached.after == len(given), context
            sessscan.undo()
            assert path.read_bytes() == data, f"{context}: undo gives every byte back"


@rounds(34, thorough=170)
def test_few_are_held(rounds: int, tmp_path: Path, seed: int) -> None:
    held = 0
    for number in range(seed, seed + rounds):
        path = put(tmp_path, damaged(KINDS[number % len(KINDS)], talk(number).data, Random(number)))
        held += any(action.held or action.kind == "hold" for action in sessscan.repair(path).actions)
    assert held <= rounds // 20


@rounds(30, thorough=300)
def test_undamaged_transcripts_need_nothing(rounds: int, tmp_path: Path, seed: int) -> None:
    for number in range(seed, seed + rounds):
        made = talk(number, 4)
        if number % 3 == 1:
            made.compact()
        elif number % 3 == 2:
            made.rewind()
        made.turn(calls=2)
        assert uuids(messages(made.data)) == made.given
        put(tmp_path, made.data, f"5e55a11d-0000-4000-8000-{number:012}")
    plan = sessscan.repair((), tmp_path / "projects")
    assert plan.transcripts == rounds
    assert plan.actions == ()
    assert plan.exit_status == 0


def compacted(number: int) -> tuple[Talk, int]:
    """Return a conversation that was compacted, and the line of its boundary."""
    made = talk(number, 8)
    made.compact()
    boundary = len(made.records) - 2
    for _ in range(3):
        made.turn(calls=made.chance.choice((0, 1, 2)))
    return made, boundary


def without(made: Talk, first: int, last: int, how: str) -> bytes:
    """Return a transcript in which some lines are zeros, one run of zeros, or gone."""
    lines = made.data.split(b"\n")
    lost = lines[first:last]
    if how == "zeros":
        lines[first:last] = [bytes(len(line)) for line in lost]
    else:
        lines[first:last] = [] if how == "gone" else [bytes(sum(map(len, lost)) + len(lost) - 1)]
    return b"\n".join(lines)


@pytest.mark.parametrize("how", ["zeros", "one run", "gone"])
@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 2), (0, 2), (0, 4), (-2, 2), (-1, 3)])
@rounds(3, thorough=30)
def test_nothing_compacted_comes_back(
    first: int, last: int, how: str, rounds: int, tmp_path: Path, seed: int
) -> None:
    for number in range(seed, seed + rounds):
        made, boundary = compacted(number)
        path = put(tmp_path, without(made, boundary + first, boundary + last, how))
        repaired(path)
        given = uuids(messages(path.read_bytes()))
        assert set(given) <= set(made.given), f"seed {number}: what was compacted came back"
        assert given[-1] == made.given[-1]


@pytest.mark.parametrize("how", ["zeros", "gone"])
@pytest.mark.parametrize("lost", [1, 2])
@rounds(6, thorough=60)
def test_nothing_rewound_comes_back(lost: int, how: str, rounds: int, tmp_path: Path, seed: int) -> None:
    for number in range(seed, seed + rounds):
        made = talk(number, 6)
        made.rewind(made.chance.choice((1, 2, 3)))
        branch = len(made.records)
        made.turn(calls=2)
        made.turn(calls=1)
        path = put(tmp_path, without(made, branch, branch + lost, how))
        repaired(path)
        given = uuids(messages(path.read_bytes()))
        assert set(given) <= set(made.given), f"seed {number}: what was taken back came back"


def test_the_user_decides_what_is_held(tmp_path: Path) -> None:
    made, boundary = compacted(3)
    path = put(tmp_path, without(made, boundary, boundary + 2, "one run"))
    [action] = sessscan.repair(path).actions
    [held] = action.held
    assert held.candidates
    with pytest.raises(sessscan.MatchError, match="no damaged transcript"):
        sessscan.repair(path, parents=["ffffffff=eeeeeeee"])
    with pytest.raises(sessscan.MatchError, match="no record"):
        sessscan.repair(path, parents={held.record: "ffffffff"})
    chosen = held.candidates[0].record
    plan = sessscan.repair(path, parents=[f"{held.record[:13]}={chosen[:13]}"])
    assert plan.actions[0].held == ()
    report = plan.apply()
    assert report.exit_status == 0
    given = uuids(messages(path.read_bytes()))
    assert given[given.index(held.record) - 1] in uuids(
        messages(made.data[: made.data.index(b"compact_bound")])
    )
    assert sessscan.repair(path).actions == ()


@pytest.mark.parametrize("file", ["a saved plan", "an edited plan"])
def test_a_plan_file_is_derived_again(file: str, tmp_path: Path) -> None:
    path = put(tmp_path, damaged("nul record", talk(1).data, Random(1)))
    plan = sessscan.repair(path)
    saved = tmp_path / "plan.json"
    plan.save(saved)
    if file == "an edited plan":
        import hashlib
        import json

        document = json.loads(saved.read_text())
        document["actions"][0]["edits"][-1]["new"] = "ImV2aWwi"  # "evil"
        del document["sha256"]
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        saved.write_text(json.dumps(document))
        loaded = sessscan.load_plan(saved)
        assert [action.status for action in loaded.actions] == ["refused"]
        before = path.read_bytes()
        with pytest.raises(sessscan.PlanChangedError):
            loaded.apply(exact=True)
        assert path.read_bytes() == before
        return
    loaded = sessscan.load_plan(saved)
    assert loaded == plan
    assert loaded.apply(exact=True).exit_status == 0


def test_files_that_are_not_repaired(tmp_path: Path) -> None:
    data = damaged("nul record", talk(1).data, Random(1))
    path = put(tmp_path, data)
    just_written = put(tmp_path, data, "5e55a11d-0000-4000-8000-000000000002")
    os.utime(just_written)
    plan = sessscan.repair((), tmp_path / "projects")
    report = plan.apply()
    assert [action.status for action in report.actions] == ["applied", "refused"]
    assert "s ago" in (report.actions[1].error or "")
    assert just_written.read_bytes() == data
    assert report.exit_status == 4
    assert sessscan.repair(just_written).apply(force=True).exit_status == 0
    with pytest.raises(sessscan.UsageError, match="no such file"):
        sessscan.repair("00000000", tmp_path / "projects")
    with pytest.raises(sessscan.UsageError, match="give more of it"):
        sessscan.repair("5e55a11d", tmp_path / "projects")
    assert sessscan.repair(path).actions == ()


@pytest.mark.posix("links")
def test_links_and_devices_are_left_alone(tmp_path: Path) -> None:
    path = put(tmp_path, damaged("nul record", talk(1).data, Random(1)))
    link = path.with_name("5e55a11d-0000-4000-8000-000000000002.jsonl")
    link.symlink_to(path)
    other = path.with_name("notes.jsonl")
    other.write_bytes(path.read_bytes())
    fifo = path.with_name("5e55a11d-0000-4000-8000-000000000003.jsonl")
    os.mkfifo(fifo)
    plan = sessscan.repair([link, other, fifo])
    assert [action.kind for action in plan.actions] == ["hold", "hold"]
    assert "a link" in (plan.actions[0].error or "")
    assert "not named" in (plan.actions[1].error or "")
    assert [one.rule for one in plan.findings if one.path == str(fifo)] == ["unreadable"]
    assert plan.exit_status == 4


@rounds(17, thorough=170)
def test_the_links_alone_tell_what_a_reader_will_give(rounds: int, seed: int) -> None:
    """What is asked of a large file, whose content is not edited in memory, beside the edited content."""
    for number in range(seed, seed + rounds):
        data = damaged(KINDS[number % (len(KINDS) - 1)], talk(number).data, Random(number))
        now = [message.uuid for message in sessscan.conversation(data).messages]
        mended = mend(BytesContent(data), _core.survivors(data), now, {})
        told = given_by_links(mended.graph, mended.mending)
        assert told == given_after(mended.graph, mended.mending, mended.edits), f"seed {number}"
        assert len(told) == mended.after
