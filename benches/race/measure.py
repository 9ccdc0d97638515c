"""Run the cases in rounds: each case once, in order, in a process of its own, then the next round."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCHES = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """One measurement: a subject or a command, and what it needs."""

    name: str
    subject: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    needs: str = ""
    """The Python module, or with `command` the program, that must be installed."""
    ours: bool = False
    """Whether a wrong answer makes the exit status 1."""
    command: Callable[[Path], list[str]] | None = None
    """Instead of a subject: a command whose whole run is timed."""
    status: int = 0
    """The exit status that the command ends with."""
    output: str | None = None
    """What it prints."""

    def is_there(self) -> bool:
        if not self.needs:
            return True
        if self.command is not None:
            return shutil.which(self.needs) is not None
        return importlib.util.find_spec(self.needs) is not None


@dataclass
class Result:
    """The results of all rounds of one case."""

    case: Case
    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    """The most memory of any round, in bytes; 0 for commands."""
    extra: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    faults: int = 0
    failure: str = ""
    """Why there are no times: it is not installed, or it failed."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def race(
    cases: Sequence[Case], folder: Path, rounds: int, progress: Callable[[str], None]
) -> dict[str, Result]:
    """Run all rounds; return the results by the cases' names."""
    results = {case.name: Result(case) for case in cases}
    for number in range(rounds):
        for result in results.values():
            case = result.case
            if not case.is_there():
                result.failure = "not installed"
            if result.failure:
                continue
            progress(f"{case.name}, round {number + 1} of {rounds}")
            (_command if case.command else _subject)(result, folder)
    return results


def _subject(result: Result, folder: Path) -> None:
    case = result.case
    done = subprocess.run(
        [sys.executable, "-m", "race.worker", case.subject, str(folder), json.dumps(case.options)],
        cwd=BENCHES,
        env={**os.environ, **case.environment},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        result.failure = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        return
    said = json.loads(done.stdout)
    result.seconds.append(said["seconds"])
    result.peak = max(result.peak, said["peak"])
    result.wrong, result.faults = said["wrong"], said["faults"]
    for name, seconds in said["extra"].items():
        result.extra.setdefault(name, []).append(seconds)


def _command(result: Result, folder: Path) -> None:
    case = result.case
    assert case.command is not None
    arguments = case.command(folder)
    begin = time.perf_counter()
    done = subprocess.run(arguments, env={**os.environ, **case.environment}, capture_output=True, text=True)
    result.seconds.append(time.perf_counter() - begin)
    if done.returncode != case.status or (case.output is not None and done.stdout.strip() != case.output):
        result.wrong = [
            f"status {done.returncode}, {done.stdout.strip()[:200]!r}, {done.stderr.strip()[:200]!r}"
        ]
        result.faults = 1


def ratio(slow: Result, fast: Result) -> float:
    """Return how many times as long `slow` takes as `fast`: the median of the rounds' ratios."""
    return statistics.median(s / f for s, f in zip(slow.seconds, fast.seconds, strict=True))


def without(result: Result, start: Result) -> Result:
    """Return a command's times without its start-up time, round by round."""
    net = [max(whole - alone, 1e-9) for whole, alone in zip(result.seconds, start.seconds, strict=True)]
    return Result(result.case, net, result.peak, {}, result.wrong, result.faults, result.failure)
