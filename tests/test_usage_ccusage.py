"""Compare tokens with those that ccusage counts in the same files, each difference with its reason."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan.tokens.files import find_files
from support import ccusage
from support.rounds import rounds
from support.token_records import KINDS, record, store, uuid_of, write

pytestmark = [ccusage.needed, pytest.mark.full]

DIFFERENCES = Path(__file__).parents[1] / "python" / "docs" / "usage.md"
USAGE = {"input_tokens": 10, "output_tokens": 200, "cache_read_input_tokens": 7}


def ours(projects: Path, by: Any) -> dict[str | None, dict[str, int]]:
    found = sessscan.usage(projects=projects, by=by, count="first", timezone="UTC")
    return {
        group.key: {kind: getattr(group.tokens, kind) for kind in KINDS}
        for group in found.groups
        if group.key != "<synthetic>"
    }


def summed(entries: list[tuple[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for key, tokens in entries:
        for kind, count in tokens.items():
            found[key][kind] += count
    return dict(found)


@rounds(3, thorough=40)
def test_the_first_records_of_generated_stores(projects: Path, seed: int, rounds: int) -> None:
    for number in range(rounds):
        config = projects.parent / str(number)
        root = config / "projects"
        store(root, seed + 1000 * number)
        daily, monthly = ccusage.call(config, "daily"), ccusage.call(config, "monthly")
        assert ours(root, "day") == {one["date"]: ccusage.tokens(one) for one in daily["daily"]}
        assert ours(root, "month") == {one["month"]: ccusage.tokens(one) for one in monthly["monthly"]}
        assert ours(root, "model") == summed(list(ccusage.by_model(daily["daily"])))


def of_one(projects: Path, *records: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return ccusage's tokens of a transcript, and ours."""
    write(projects / "-home-ada" / f"{uuid_of(1)}.jsonl", list(records))
    theirs = ccusage.call(projects.parent, "daily")
    total = sessscan.usage(projects=projects, count="first", timezone="UTC").total.tokens
    return ccusage.tokens(theirs["totals"]), {kind: getattr(total, kind) for kind in KINDS}


def without(key: str, one: dict[str, Any]) -> dict[str, Any]:
    """Return a record without a key, which may be in its message."""
    message = {name: value for name, value in one["message"].items() if name != key}
    return {name: value for name, value in one.items() if name != key} | {"message": message}


PLAIN = record("m1", "r1", USAGE)
BESIDE = record("m2", "r2", USAGE)

CASES = {
    "speed": (1, 2, [PLAIN, record("m2", "r2", USAGE | {"speed": None})]),
    "content": (1, 2, [PLAIN, {**BESIDE, "message": {**BESIDE["message"], "content": "Done."}}]),
    "version": (1, 2, [PLAIN, {**BESIDE, "version": "dev"}]),
    "requestId": (2, 1, [without("requestId", PLAIN)] * 2),
    "message.id": (2, 1, [without("id", PLAIN)] * 2),
    "timestamp": (1, 2, [PLAIN, without("timestamp", BESIDE)]),
    "zone": (1, 2, [PLAIN, {**BESIDE, "timestamp": "2026-02-26T21:00:00+01:00"}]),
    "input_tokens": (1, 2, [PLAIN, record("m2", "r2", {"output_tokens": 200, "cache_read_input_tokens": 7})]),
    "type": (2, 1, [PLAIN, {**BESIDE, "type": "user"}]),
}
"""By the word in the documentation: how many responses ccusage and sessscan count, and of which records."""


@pytest.mark.parametrize("name", CASES)
def test_each_listed_difference_is_one(projects: Path, name: str) -> None:
    theirs, mine, records = CASES[name]
    tokens = of_one(projects, *records)
    assert [each["output_tokens"] for each in tokens] == [200 * theirs, 200 * mine]
    assert f"`{name}`" in DIFFERENCES.read_text(encoding="utf-8"), "it is not in the documentation"


def test_damaged_lines_are_read_by_us_alone(projects: Path) -> None:
    path = projects / "-home-ada" / f"{uuid_of(1)}.jsonl"
    write(path, [PLAIN])
    path.write_text(path.read_text(encoding="utf-8").strip() + json.dumps(BESIDE) + "\n", encoding="utf-8")
    assert ccusage.call(projects.parent, "daily") == []
    assert sessscan.usage(projects=projects).total.tokens.responses == 2
    assert "glued" in DIFFERENCES.read_text(encoding="utf-8")


_LISTED = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def refused_by_ccusage(one: dict[str, Any]) -> bool:
    """Tell whether a record of a response is one that ccusage leaves out, for a listed reason."""
    usage, message = one["message"]["usage"], one["message"]
    return (
        usage.get("speed", "standard") not in ("standard", "fast")
        or not isinstance(message.get("content", []), list)
        or not re.match(r"\d+\.\d+\.\d+", one.get("version", "0.0.0"))
        or _LISTED.fullmatch(one.get("timestamp", "")) is None
        or any(kind not in usage for kind in KINDS[:2])
    )


@pytest.mark.skipif("SESSSCAN_CORPUS" not in os.environ, reason="no corpus is given")
def test_real_transcripts(projects: Path) -> None:
    """The totals of both are equal once each listed difference is taken away."""
    source = find_files([os.environ["SESSSCAN_CORPUS"]], None).files
    for number, file in enumerate(source):
        target = projects / f"-p{number}" / Path(file.path).name
        target.parent.mkdir()
        target.symlink_to(file.path)
    theirs = ccusage.call(projects.parent, "daily")["totals"]
    total = sessscan.usage(projects=projects, count="first", timezone="UTC").total.tokens
    difference = {kind: ccusage.tokens(theirs)[kind] - getattr(total, kind) for kind in KINDS}
    assert difference == listed_differences(projects)


def listed_differences(projects: Path) -> dict[str, int]:
    """Return by how much ccusage counts more than sessscan, for the listed reasons alone."""
    more: dict[str, int] = dict.fromkeys(KINDS, 0)
    kept: set[str] = set()
    whole: set[str] = set()
    records = []
    for path in sorted(projects.rglob("*.jsonl")):
        for line in path.read_bytes().decode("utf-8", "replace").split("\n"):
            try:
                one = json.loads(line)
                usage = one["message"]["usage"]
                if one["message"].get("model") == "<synthetic>":
                    continue
                if one["type"] == "assistant" and any(isinstance(usage.get(kind), int) for kind in KINDS[:2]):
                    records.append(one)
            except (ValueError, KeyError, TypeError):
                continue
    records.sort(key=lambda one: one.get("timestamp", ""))
    for one in records:
        usage = one["message"]["usage"]
        message, request = one["message"].get("id"), one.get("requestId")
        ours = f"{message}:{request}" if message else one["uuid"]
        by_us = ours not in whole
        whole.add(ours)
        by_them = not refused_by_ccusage(one) and (not (message and request) or ours not in kept)
        if by_them and message and request:
            kept.add(ours)
        for kind in KINDS:
            more[kind] += (by_them - by_us) * usage.get(kind, 0)
    return more
