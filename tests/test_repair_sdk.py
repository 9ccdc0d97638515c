"""Both official SDKs judge repairs: of conversations as the CLI writes them, of real and of random ones."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from random import Random

import pytest
import sessscan
from sessscan import _core
from support import typescript_sdk
from support.broken_transcripts import KINDS, damaged, messages, uuids
from support.conversation_factory import damaged as damaged_randomly
from support.conversation_factory import lines
from support.real_sessions import real_files
from support.rounds import rounds
from support.talks import talk

pytestmark = pytest.mark.full


def put(projects: Path, files: list[bytes]) -> list[Path]:
    """Write transcripts that nobody has written to for long."""
    folder = projects / "-home-ada-app"
    folder.mkdir(parents=True)
    long_ago = time.time() - 10_000
    paths = []
    for number, data in enumerate(files):
        paths.append(folder / f"{number:08x}-0000-4000-8000-000000000000.jsonl")
        paths[-1].write_bytes(data)
        os.utime(paths[-1], (long_ago, long_ago))
    return paths


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where both SDKs look for transcripts."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    return tmp_path / "projects"


def given_by(paths: list[Path]) -> list[list[str]]:
    """Return the uuids that the TypeScript SDK gives of each transcript."""
    found = typescript_sdk.session_messages([path.stem for path in paths])
    return [[] if isinstance(one, str) else [uuid for _, uuid in one] for one in found]


def judge(projects: Path, whole: list[bytes], broken: list[bytes], kinds: list[str]) -> None:
    """Repair all of `broken`, and see by both SDKs that only what `whole` gave is given, in its order."""
    paths = put(projects, whole)
    wanted = given_by(paths)
    for path, data in zip(paths, broken, strict=True):
        path.write_bytes(data)
        os.utime(path, (time.time() - 10_000,) * 2)
    before = given_by(paths)
    report = sessscan.repair((), projects).apply()
    after = given_by(paths)
    actions = {action.path: action for action in report.actions}
    for number, path in enumerate(paths):
        context = f"{kinds[number]}, file {number}"
        action = actions.get(str(path))
        held = action is not None and bool(action.held or action.kind == "hold")
        names = set(wanted[number]) | {uuid for uuid in after[number] if "?" in uuid}
        # Where the last record was destroyed, a branch that was taken back may be the last one.
        names |= set(before[number])
        assert set(after[number]) <= names, f"{context}: something else came back"
        order = [uuid for uuid in wanted[number] if uuid in set(after[number])]
        assert [uuid for uuid in after[number] if uuid in set(order)] == order or held, f"{context}: order"
        survived = {record.uuid for record in _core.survivors(broken[number]).records}
        pythons = messages(path.read_bytes())
        assert set(uuids(pythons)) <= names | set(uuids(messages(whole[number]))), f"{context}: Python's"
        if not held and action is not None and wanted[number] and after[number]:
            lost = [uuid for uuid in wanted[number] if uuid in survived and uuid not in set(after[number])]
            left = {one.record for one in action.left_out} | halves_of(broken[number])
            assert len([uuid for uuid in lost if uuid not in left]) <= 4, f"{context}: {len(lost)} are lost"
    assert [one for one in sessscan.repair((), projects).actions if one.kind == "repair"] == []
    sessscan.undo()
    assert [path.read_bytes() for path in paths] == broken


def halves_of(data: bytes) -> set[str]:
    """Return the uuids of the surviving records that lost the other half of a tool call."""
    records = _core.survivors(data).records
    calls = {call for record in records for call in record.calls}
    results = {call for record in records for call in record.results}
    alone = calls ^ results
    return {record.uuid or "" for record in records if alone.intersection([*record.calls, *record.results])}


@typescript_sdk.needed
@rounds(102, thorough=1_000)
def test_conversations_as_the_cli_writes_them(projects: Path, rounds: int, seed: int) -> None:
    whole = [talk(number).data for number in range(seed, seed + rounds)]
    kinds = [KINDS[number % len(KINDS)] for number in range(rounds)]
    broken = [damaged(kind, data, Random(i)) for i, (kind, data) in enumerate(zip(kinds, whole, strict=True))]
    judge(projects, whole, broken, kinds)


def is_whole(data: bytes) -> bool:
    """Tell whether nothing of a conversation is lost."""
    conversation = sessscan.conversation(data)
    return not (
        conversation.cuts or conversation.damaged or conversation.unpaired or conversation.defect_count
    )


@typescript_sdk.needed
@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder of real transcripts")
@rounds(204, thorough=2_000)
def test_real_conversations(projects: Path, rounds: int, seed: int) -> None:
    chance = Random(seed)
    files = [path.read_bytes() for path in real_files() if not path.name.startswith("agent-")]
    # Where a conversation is broken as it is there is no truth to compare with.
    files = [data for data in files if len(messages(data)) > 3 and is_whole(data)]
    whole = [chance.choice(files) for _ in range(rounds)]
    kinds = [KINDS[number % len(KINDS)] for number in range(rounds)]
    broken = [damaged(kind, data, chance) for kind, data in zip(kinds, whole, strict=True)]
    judge(projects, whole, broken, kinds)


@rounds(120, thorough=1_500)
def test_random_conversations_are_never_made_worse(tmp_path: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    files = []
    for _ in range(rounds):
        data = lines(chance, chance.choice((1, 5, 20, 60)))
        files.append(damaged_randomly(data, chance) if chance.random() < 0.7 else data)
    projects = tmp_path / "projects"
    paths = put(projects, files)
    before = [[message.uuid for message in sessscan.conversation(data).messages] for data in files]
    plan = sessscan.repair((), projects)
    report = plan.apply()
    assert all(action.status in ("applied", "held") for action in report.actions)
    for action in report.actions:
        number = paths.index(Path(action.path))
        given = [message.uuid for message in sessscan.conversation(action.path).messages]
        left = {one.record for one in action.left_out}
        missing = [uuid for uuid in before[number] if uuid not in set(given) | left]
        assert not [uuid for uuid in missing if "\ufffd" not in uuid], number
        if action.reached is not None:
            assert action.reached.after == len(given), number
    again = sessscan.repair((), projects)
    assert [one.path for one in again.actions if one.kind == "repair"] == []
    if report.run is not None:
        sessscan.undo()
    assert [path.read_bytes() for path in paths] == files
