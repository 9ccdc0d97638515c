"""Count and select what the page shows. Its size does not grow with the store."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._core import Transcript
from ..changes.plan import Plan
from ..errors import SnapshotError
from ..keeping.select import kept_sizes
from ..render.text import folded
from ..stores.locate import real_path
from ..stores.retention import Retention, retention
from .timeline import Span, spans

DAY = 86_400_000
SOON = 7
"""A transcript that is deleted within so many days is listed as about to be deleted."""
LISTED = 12
"""The most entries that a list has."""

SIZES = ("<10 kB", "<100 kB", "<1 MB", "<10 MB", "<100 MB", "more")
DEADLINES = ((0, "due now"), (3, "3 days"), (7, "a week"), (14, "2 weeks"), (30, "30 days"))
LATER = "later"
UNDATED = "no date"
"""Kept at any age, or it is not known how long."""


@dataclass(frozen=True)
class Session:
    """What the page shows of one transcript. Times are epoch milliseconds."""

    title: str
    folder: str
    size: int
    path: str
    modified: int
    due: int | None
    """When the CLI will delete it; None for never, and where that is not known."""
    defects: dict[str, int] = field(default_factory=dict)


@dataclass
class Folder:
    """A working directory, with the number and the size of its sessions."""

    path: str
    sessions: int = 0
    size: int = 0


@dataclass(frozen=True)
class Facts:
    """All facts that the page shows."""

    now: int
    plan: Plan
    sessions: int
    size: int
    median: int
    timeline: list[Span]
    untimed: int
    """Sessions whose time is unknown or impossible."""
    sizes: list[int]
    largest: list[Session]
    folders: list[Folder]
    """The largest folders."""
    other_folders: Folder
    """The sum of all others."""
    folder_count: int
    defects: dict[str, int]
    damaged: list[Session]
    damaged_count: int
    deadlines: dict[str, int]
    soon: list[Session]
    soon_count: int
    kept: int
    """How many transcripts are kept, as long as they are now."""
    at_risk: int
    """How many of those that are about to be deleted are not."""
    periods: dict[str, int]
    """The cleanup periods in words, each with the number of transcripts that it applies to."""
    periods_known: bool
    """Whether it is known of all transcripts how long they are kept."""
    unread: int


def gather(plan: Plan, transcripts: Sequence[Transcript], now: int) -> Facts:
    """Gather the facts from a plan and scanned transcripts. Reads only settings and file times."""
    periods: dict[str, Retention] = {}
    sources: Counter[str] = Counter()
    found: list[Session] = []
    times: list[tuple[int | None, bool]] = []
    unread = sum(finding.rule == "unreadable" for finding in plan.findings)
    for transcript in transcripts:
        path = transcript.path or ""
        if transcript.error is not None or not transcript.size:
            continue
        try:
            modified = os.stat(path).st_mtime_ns // 1_000_000  # noqa: PTH116  # ten thousand of them
        except OSError:
            continue  # removed since it was scanned
        root = _root(path)
        if root not in periods:
            periods[root] = retention(root, transcripts)
        sources[periods[root].source] += 1
        found.append(
            Session(
                folded(transcript.title or "") or "(no title)",
                transcript.cwd or "",
                transcript.size,
                path,
                modified,
                periods[root].due(transcript, modified),
                Counter(defect.kind for defect in transcript.defects),
            )
        )
        times.append((transcript.last_activity_at or modified, transcript.born_in == "claude-desktop"))
    timeline, untimed = spans(times, now)
    folders = _folders(found)
    others = folders[LISTED:]
    damaged = [session for session in found if session.defects]
    ends = [(s.due, number, s) for number, s in enumerate(found) if s.due is not None]
    soon = [session for due, _, session in sorted(ends) if due <= now + SOON * DAY]
    sizes = sorted(session.size for session in found)
    kept = _kept(found)
    defects: Counter[str] = Counter()
    for session in damaged:
        defects.update(session.defects)
    return Facts(
        now=now,
        plan=plan,
        sessions=len(found),
        size=sum(sizes),
        median=sizes[len(sizes) // 2] if sizes else 0,
        timeline=timeline,
        untimed=untimed,
        sizes=[sum(_size_class(size) == index for size in sizes) for index in range(len(SIZES))],
        largest=sorted(found, key=lambda session: -session.size)[:LISTED],
        folders=folders[:LISTED],
        other_folders=Folder("", sum(f.sessions for f in others), sum(f.size for f in others)),
        folder_count=len(folders),
        defects=dict(defects.most_common()),
        damaged=sorted(damaged, key=lambda session: -sum(session.defects.values()))[:LISTED],
        damaged_count=len(damaged),
        deadlines=_deadlines(found, now),
        soon=soon[:LISTED],
        soon_count=len(soon),
        kept=len(kept),
        at_risk=sum(session.path not in kept for session in soon),
        periods=dict(sources.most_common(3)),
        periods_known=all(period.is_known for period in periods.values()),
        unread=unread,
    )


def _root(path: str) -> str:
    """Return the projects' root that a transcript is under."""
    return str(Path(path).parent.parent)


def _kept(found: Sequence[Session]) -> set[str]:
    """Return the paths of the transcripts that are kept whole; none where what is kept cannot be read."""
    try:
        sizes = kept_sizes()
    except SnapshotError:
        return set()
    if not sizes:
        return set()
    real = {folder: real_path(folder) for folder in {os.path.dirname(one.path) for one in found}}  # noqa: PTH120
    return {
        session.path
        for session in found
        for folder, name in (os.path.split(session.path),)
        if sizes.get(os.path.join(real[folder], name)) == session.size  # noqa: PTH118
    }


def _folders(found: Sequence[Session]) -> list[Folder]:
    folders: dict[str, Folder] = {}
    for session in found:
        folder = folders.setdefault(session.folder, Folder(session.folder))
        folder.sessions += 1
        folder.size += session.size
    return sorted(folders.values(), key=lambda folder: -folder.size)


def _size_class(size: int) -> int:
    """Return the index of a size in `SIZES`."""
    return min(max(len(str(size)) - 4, 0), len(SIZES) - 1)


def _deadlines(found: Sequence[Session], now: int) -> dict[str, int]:
    """Count the sessions by how soon they are deleted."""
    counts = dict.fromkeys((*(name for _, name in DEADLINES), LATER), 0)
    for session in found:
        if session.due is None:
            counts[UNDATED] = counts.get(UNDATED, 0) + 1
            continue
        left = (session.due - now) / DAY
        counts[next((name for days, name in DEADLINES if left <= days), LATER)] += 1
    return counts
