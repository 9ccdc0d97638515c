"""Define what can be measured: each subject prepares, runs once while timed, and checks the answer.

A subject gets the folder of its data, the expected results (`truth.json` there), and its options. sessscan
and the reference must get everything right; the peers only the four answers.
"""

from __future__ import annotations

import hashlib
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
    """The function that is timed."""
    wrong: Callable[[Any], list[str]]
    """Returns a text for each error in the answer."""
    warm: Callable[[Path], object] = lambda path: None
    """Does the same with a tiny transcript, so that one-time work of the first call is not timed."""
    extra: dict[str, float] = field(default_factory=dict)
    """Other times that were measured, in seconds."""


def nothing(folder: Path, truth: Truth) -> Subject:
    """Measure the interpreter alone."""
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
    """Measure all events. The time to the first one is an extra."""
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


def sessscan_conversation(folder: Path, truth: Truth) -> Subject:
    import sessscan

    path = folder / truth["path"]
    return Subject(
        lambda: sessscan.conversation(path),
        lambda found: _wrong_messages([message.uuid for message in found.messages], truth),
        sessscan.conversation,
    )


def sdk_messages(folder: Path, truth: Truth) -> Subject:
    """Measure the official SDK, which parses every line."""
    config = tempfile.TemporaryDirectory()
    project = Path(config.name, "projects", "-p")
    project.mkdir(parents=True)
    path = folder / truth["path"]
    (project / path.name).symlink_to(path)
    os.environ["CLAUDE_CONFIG_DIR"] = config.name
    from claude_agent_sdk import get_session_messages

    def wrong(found: list[Any]) -> list[str]:
        config.cleanup()
        return _wrong_messages([message.uuid for message in found], truth)

    return Subject(lambda: get_session_messages(path.stem), wrong)


def _wrong_messages(uuids: list[str], truth: Truth) -> list[str]:
    digest = hashlib.sha256("".join(uuids).encode()).hexdigest()
    return _differences({"messages": len(uuids), "uuids": digest}, truth["conversation"])


def _differences(found: dict[str, Any] | Counter[str], expected: dict[str, Any]) -> list[str]:
    return [
        f"{key} is {found[key]!r}, not {value!r}" for key, value in expected.items() if found[key] != value
    ]


# --- A store of transcripts -------------------------------------------------------------------------------


def sessscan_store(folder: Path, truth: Truth, threads: int | None = None) -> Subject:
    """Measure reading every file whole, with listing the folders."""
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
    """Measure one `os.stat` a file, the least that shows that no file has changed."""
    paths = _store_paths(folder)
    stat = os.stat

    def run() -> int:
        return sum([stat(path).st_size for path in paths])

    return Subject(
        run, lambda size: [] if size == truth["bytes"] else [f"{size} bytes, not {truth['bytes']}"]
    )


def index_rescan(folder: Path, truth: Truth, appended: int = 0) -> Subject:
    """Measure a rescan with the index, after `appended` bytes were appended to a copy of one file."""
    import sessscan
    from sessscan.scan_cache import scan as index

    scratch = tempfile.TemporaryDirectory()
    home = Path(scratch.name)
    paths = _store_paths(folder)
    grown = sorted(paths)[len(paths) // 2]
    copy = shutil.copy(grown, home) if appended else grown
    paths[paths.index(grown)] = copy
    time.sleep(0.1)  # the index does not trust files that were just written
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
    """Measure the official SDK, which reads 65,536 bytes at each end of every file."""
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
    """Measure a dry run of `reconcile`."""
    import sessscan

    stores, projects = folder / truth["store"], folder / truth["projects"]
    return Subject(
        lambda: sessscan.reconcile(stores, projects, now=truth["now"]),
        lambda plan: _differences(plan.summary, truth["summary"]),
        # A store without rows is enough to import everything.
        lambda tiny: sessscan.reconcile([], [tiny.parent]),
    )


def bare_reading(folder: Path, truth: Truth) -> Subject:
    """Measure the least that a reconciliation needs: parse rows with pysimdjson, scan transcripts."""
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
        sessscan_conversation,
        sdk_messages,
        sessscan_store,
        stat_loop,
        index_rescan,
        sdk_list_sessions,
        sessscan_reconcile,
        bare_reading,
    )
}
