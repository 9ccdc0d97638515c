"""Hold the verdicts of `why` on both SDKs to what the SDKs themselves list, in both modes of the TypeScript
SDK."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from pathlib import Path

import claude_agent_sdk
import pytest
import sessscan
from sessscan.visibility.verdicts import look_around, visibility
from support import typescript_sdk
from support.real_sessions import copy_real_files, real_files
from support.rounds import rounds
from support.session_traps import PLAIN, TRAPS, lines
from support.store_factory import key
from support.system import can_link
from support.visibility_stores import make_store, session_id

pytestmark = pytest.mark.full

SDK = {"python-sdk": None, "typescript-sdk": True, "typescript-sdk-interactive": False}
"""By place what `includeProgrammatic` is."""


def verdicts(projects: Path) -> dict[str, sessscan.Visibility]:
    """Return what `why` says of each session of a store."""
    around = look_around(projects=projects)
    found = (visibility(one, around) for one in around.sessions)
    return {one.session_id: one for one in found if one.session_id is not None}


def listed(place: str) -> set[str]:
    """Return the sessions that an SDK lists."""
    programmatic = SDK[place]
    if programmatic is None:
        return {one.session_id for one in claude_agent_sdk.list_sessions()}
    return {one["session_id"] for one in typescript_sdk.list_sessions(includeProgrammatic=programmatic)}


def compare(projects: Path, place: str) -> Counter[str]:
    """Compare all verdicts on one place with its own; return how often each rule decided."""
    theirs, ours, rules = listed(place), verdicts(projects), Counter[str]()
    assert theirs <= ours.keys()
    for name, found in ours.items():
        verdict = found.of(place)  # type: ignore[arg-type]
        assert verdict.shown == ("shown" if name in theirs else "hidden"), (name, verdict)
        rules.update(reason.rule.name for reason in verdict.reasons)
    return rules


PLACES = [
    "python-sdk",
    *(pytest.param(place, marks=typescript_sdk.needed) for place in SDK if place != "python-sdk"),
]


@pytest.mark.parametrize("place", PLACES)
def test_each_known_difference_is_told_as_the_sdk_has_it(projects: Path, place: str) -> None:
    folder = projects / key("/home/ada/shop")
    folder.mkdir()
    makers = [*PLAIN.values(), *(trap.make for trap in TRAPS.values())]
    for number, make in enumerate(makers):
        (folder / f"{session_id(number)}.jsonl").write_bytes(make(session_id(number)))
    assert {"listed", "sidechain", "nothing-to-show", "empty"} <= compare(projects, place).keys()


@pytest.mark.parametrize("place", PLACES)
@rounds(4, thorough=15)
def test_generated_stores(projects: Path, place: str, seed: int, rounds: int) -> None:
    rules = Counter[str]()
    for number in range(seed, seed + rounds):
        shutil.rmtree(projects.parent)
        projects.mkdir(parents=True)
        make_store(projects, number, 250)
        rules += compare(projects, place)
    expected = {"listed", "sidechain", "nothing-to-show", "empty", "elsewhere"}
    expected |= {"continued"} if place != "python-sdk" else set()
    expected |= {"linked-folder"} if place != "python-sdk" and can_link() else set()
    expected |= {"programmatic"} if place == "typescript-sdk-interactive" else set()
    assert expected <= rules.keys()


@pytest.mark.parametrize("place", PLACES)
def test_titles_at_either_end(projects: Path, place: str) -> None:
    """Compare what a title, and what takes its place, does at either end and between."""
    folder = projects / key("/home/ada/shop")
    folder.mkdir()
    records = [
        {"type": "custom-title", "customTitle": "T"},
        {"type": "ai-title", "aiTitle": "T"},
        {"type": "last-prompt", "lastPrompt": "T"},
        {"type": "summary", "summary": "T"},
    ]
    fill = [{"type": "mode", "mode": "x" * 40_000}] * 4
    for number, (record, at) in enumerate(itertools.product(records, (0, 2, 4))):
        name = session_id(number)
        (folder / f"{name}.jsonl").write_bytes(lines(*fill[:at], record, *fill[at:]))
    assert compare(projects, place).keys() == {"listed", "nothing-to-show"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder with transcripts")
def test_real_transcripts(projects: Path, place: str) -> None:
    copy_real_files(projects)
    assert compare(projects, place)["listed"]
