"""What can be measured: each prepares, runs once under the clock, and says what is wrong with the answer.

A subject gets the folder of a set, what is so (the set's `truth.json`), and its options. sessscan and the
reference have to get everything right; from the peers no more is wanted than the four answers.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import peers

Truth = dict[str, Any]
ANSWERS = ("title", "cwd", "created_at", "last_activity_at")


@dataclass
class Subject:
    run: Callable[[], Any]
    """What is timed."""
    wrong: Callable[[Any], list[str]]
    """What of its answer is wrong, one text a thing."""
    warm: Callable[[Path], object] = lambda path: None
    """The same on a tiny transcript, so that what is made at the first call is not timed."""
    extra: dict[str, float] = field(default_factory=dict)
    """Other times that it took, in seconds."""


def nothing(folder: Path, truth: Truth) -> Subject:
    """The interpreter alone."""
    return Subject(lambda: None, lambda _: [])


# --- One transcript ---------------------------------------------------------------------------------------


def sessscan_scan(folder: Path, truth: Truth, threads: int | None = None, strict: bool = False) -> Subject:
    import sessscan

    path = folder / truth["path"]
    return Subject(
        lambda: sessscan.scan_many([path], threads=threads, strict=strict)[0],
        lambda found: _differences(found.to_dict(), truth["transcript"]),
        lambda tiny: sessscan.scan_many([tiny], threads=threads, strict=strict),
    )


def reference_scan(folder: Path, truth: Truth) -> Subject:
    sys.path.append(str(Path(__file__).parents[2] / "tests"))
    from support import reference

    path = folder / truth["path"]
    return Subject(
        lambda: reference.scan(path),
        lambda found: _differences(found, truth["transcript"]),
        reference.scan,
    )


def peer(folder: Path, truth: Truth, name: str, **options: Any) -> Subject:
    read: peers.Reader = getattr(peers, name)(**options)
    path = folder / truth["path"]
    answers = {key: truth["transcript"][key] for key in ANSWERS}
    return Subject(lambda: read(path), lambda found: _differences(found, answers), read)


def sessscan_events(folder: Path, truth: Truth) -> Subject:
    """All events. The time to the first one is an extra."""
    import sessscan

    path = folder / truth["path"]
    extra: dict[str, float] = {}

    def run() -> Counter[str]:
        begin = time.perf_counter()
        events = sessscan.events(path)
        found: Counter[str] = Counter((next(events).kind,))
        extra["first"] = time.perf_counter() - begin
        found.update(event.kind for event in events)
        return found

    def warm(tiny: Path) -> None:
        for _ in sessscan.events(tiny):
            pass

    return Subject(run, lambda found: _differences(found, truth["events"]), warm, extra)


def _differences(found: dict[str, Any] | Counter[str], expected: dict[str, Any]) -> list[str]:
    return [
        f"{key} is {found[key]!r}, not {value!r}" for key, value in expected.items() if found[key] != value
    ]


# --- A store of transcripts -------------------------------------------------------------------------------


def sessscan_store(folder: Path, truth: Truth, threads: int | None = None) -> Subject:
    """Every file read whole, the folders' listing included."""
    import sessscan

    def run() -> list[sessscan.Transcript]:
        return sessscan.scan_many(_store_paths(folder), threads=threads)

    def wrong(found: list[sessscan.Transcript]) -> list[str]:
        by_id = {transcript.session_id: transcript.to_dict() for transcript in found}
        faults: list[str] = []
        for one in truth["transcripts"]:
            expected = one["transcript"]
            transcript = by_id.pop(expected["session_id"], None)
            if transcript is None:
                faults.append(f"{one['path']} is missing")
            else:
                faults += [f"{one['path']}: {fault}" for fault in _differences(transcript, expected)]
        return faults + [f"{name} was never there" for name in by_id]

    return Subject(run, wrong, lambda tiny: sessscan.scan_many([tiny], threads=threads))


def stat_loop(folder: Path, truth: Truth) -> Subject:
    """The least that it takes to see that no file has changed."""
    paths = _store_paths(folder)
    stat = os.stat

    def run() -> int:
        return sum([stat(path).st_size for path in paths])

    return Subject(
        run, lambda size: [] if size == truth["bytes"] else [f"{size} bytes, not {truth['bytes']}"]
    )


def index_rescan(folder: Path, truth: Truth, appended: int = 0) -> Subject:
    """The files once more, with the index; before it so many bytes are appended to a copy of one of them."""
    import sessscan
    from sessscan.scan_cache import scan as index

    scratch = tempfile.TemporaryDirectory()
    home = Path(scratch.name)
    paths = _store_paths(folder)
    grown = sorted(paths)[len(paths) // 2]
    copy = shutil.copy(grown, home) if appended else grown
    paths[paths.index(grown)] = copy
    time.sleep(0.1)  # what was made just now is not trusted
    index.scan_many(paths, home=home)
    if appended:
        with open(grown, "rb") as file:  # noqa: PTH123
            lines = file.read().splitlines(keepends=True)
        with open(copy, "ab") as file:  # noqa: PTH123
            number = 0
            while number < appended:
                number += file.write(lines[number % len(lines)].rstrip(b"\n") + b"\n")

    def wrong(found: list[sessscan.Transcript]) -> list[str]:
        by_path = {transcript.path: transcript for transcript in found}
        anew = by_path.pop(copy)
        faults = [] if anew == sessscan.scan(copy) else [f"{copy}: not what a full scan says"]
        scratch.cleanup()
        for one in truth["transcripts"]:
            path = str(folder / one["path"])
            if path != grown:
                differences = _differences(by_path.pop(path).to_dict(), one["transcript"])
                faults += [f"{one['path']}: {fault}" for fault in differences]
        return faults + [f"{name} was never there" for name in by_path]

    return Subject(lambda: index.scan_many(paths, home=home), wrong)


def _store_paths(folder: Path) -> list[str]:
    return [entry.path for project in os.scandir(folder / "projects") for entry in os.scandir(project.path)]


def sdk_list_sessions(folder: Path, truth: Truth) -> Subject:
    """The ends of every file, 65,536 bytes each."""
    os.environ["CLAUDE_CONFIG_DIR"] = str(folder)
    from claude_agent_sdk import list_sessions

    def wrong(found: list[Any]) -> list[str]:
        by_id = {info.session_id: info for info in found}
        faults: Counter[str] = Counter()
        for one in truth["transcripts"]:
            expected = one["transcript"]
            info = by_id.get(expected["session_id"])
            if info is None:
                faults["sessions missing"] += 1
                continue
            faults["wrong or missing titles"] += info.custom_title != (
                expected["custom_title"] or expected["ai_title"]
            )
            faults["wrong directories"] += info.cwd != expected["cwd"]
            faults["wrong creation times"] += info.created_at != expected["created_at"]
        return [f"{count:,} {fault}" for fault, count in faults.items() if count]

    return Subject(list_sessions, wrong)


# --- A registry -------------------------------------------------------------------------------------------


def sessscan_reconcile(folder: Path, truth: Truth) -> Subject:
    """A dry run."""
    import sessscan

    stores, projects = folder / truth["store"], folder / truth["projects"]
    return Subject(
        lambda: sessscan.reconcile(stores, projects, now=truth["now"]),
        lambda plan: _differences(plan.summary, truth["summary"]),
        # With stores of no rows everything is imported that there is to import.
        lambda tiny: sessscan.reconcile([], [tiny.parent]),
    )


def bare_reading(folder: Path, truth: Truth) -> Subject:
    """The least that a reconciliation has to do: pysimdjson over the rows, the scan over the transcripts."""
    import sessscan
    import simdjson

    registry = folder / truth["registry"]
    rows = sorted(str(path) for path in registry.glob("local_*.json"))
    transcripts = sorted(str(path) for path in (folder / truth["projects"]).rglob("*.jsonl"))

    def run() -> tuple[int, list[sessscan.Transcript]]:
        parse = simdjson.Parser().parse
        whole = 0
        for row in rows:
            with open(row, "rb") as file:  # noqa: PTH123  # a Path for each would be slower
                data = file.read()
            try:
                parse(data)
            except ValueError:
                continue
            whole += 1
        return whole, sessscan.scan_many(transcripts)

    def wrong(found: tuple[int, list[sessscan.Transcript]]) -> list[str]:
        summary = truth["summary"]
        expected = (summary["rows"] - summary["findings"]["zero-filled"], summary["transcripts"])
        answer = (found[0], sum(transcript.records > 0 for transcript in found[1]))
        return [] if answer == expected else [f"{answer} rows and transcripts, not {expected}"]

    return Subject(run, wrong, lambda tiny: sessscan.scan_many([tiny]))


SUBJECTS: dict[str, Callable[..., Subject]] = {
    subject.__name__: subject
    for subject in (
        nothing,
        sessscan_scan,
        reference_scan,
        peer,
        sessscan_events,
        sessscan_store,
        stat_loop,
        index_rescan,
        sdk_list_sessions,
        sessscan_reconcile,
        bare_reading,
    )
}
