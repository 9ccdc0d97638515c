"""What the page says, counted: however large a store is, this is small."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._core import Transcript
from ..changes.plan import Plan
from ..render.text import folded
from .cleanup import Period, period
from .timeline import Span, spans

DAY = 86_400_000
SOON = 7
"""Days within which a deletion is about to happen."""
LISTED = 12
"""So many entries a list has at most."""

SIZES = ("<10 kB", "<100 kB", "<1 MB", "<10 MB", "<100 MB", "more")
DEADLINES = ((0, "due now"), (3, "3 days"), (7, "a week"), (14, "2 weeks"), (30, "30 days"))
LATER = "later"


@dataclass(frozen=True)
class Session:
    """One transcript, as far as the page shows it. Times are epoch milliseconds."""

    title: str
    folder: str
    size: int
    path: str
    modified: int
    due: int
    defects: dict[str, int] = field(default_factory=dict)


@dataclass
class Folder:
    """One working directory and its sessions."""

    path: str
    sessions: int = 0
    size: int = 0


@dataclass(frozen=True)
class Facts:
    """All that is on the page."""

    now: int
    plan: Plan
    sessions: int
    size: int
    median: int
    timeline: list[Span]
    untimed: int
    """Sessions whose time is not known or cannot be."""
    sizes: list[int]
    largest: list[Session]
    folders: list[Folder]
    """The largest ones."""
    other_folders: Folder
    folder_count: int
    defects: dict[str, int]
    damaged: list[Session]
    damaged_count: int
    deadlines: dict[str, int]
    soon: list[Session]
    soon_count: int
    periods: dict[str, int]
    """Where it is said how long transcripts are kept, and for how many that holds."""
    unread: int


def gather(plan: Plan, transcripts: Sequence[Transcript], now: int) -> Facts:
    """Counts everything once. Only the times of the files are read from the disk."""
    periods: dict[str, Period] = {}
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
            continue  # gone meanwhile
        root = _root(path)
        if root not in periods:
            periods[root] = period(root)
        sources[periods[root].source] += 1
        found.append(
            Session(
                folded(transcript.title or "") or "(no title)",
                transcript.cwd or "",
                transcript.size,
                path,
                modified,
                modified + round(periods[root].days * DAY),
                Counter(defect.kind for defect in transcript.defects),
            )
        )
        times.append((transcript.last_activity_at or modified, transcript.born_in == "claude-desktop"))
    timeline, untimed = spans(times, now)
    folders = _folders(found)
    rest = folders[LISTED:]
    damaged = [session for session in found if session.defects]
    soon = sorted((s for s in found if s.due <= now + SOON * DAY), key=lambda session: session.due)
    sizes = sorted(session.size for session in found)
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
        sizes=[sum(_decade(size) == place for size in sizes) for place in range(len(SIZES))],
        largest=sorted(found, key=lambda session: -session.size)[:LISTED],
        folders=folders[:LISTED],
        other_folders=Folder("", sum(f.sessions for f in rest), sum(f.size for f in rest)),
        folder_count=len(folders),
        defects=dict(defects.most_common()),
        damaged=sorted(damaged, key=lambda session: -sum(session.defects.values()))[:LISTED],
        damaged_count=len(damaged),
        deadlines=_deadlines(found, now),
        soon=soon[:LISTED],
        soon_count=len(soon),
        periods=dict(sources.most_common(3)),
        unread=unread,
    )


def _root(path: str) -> str:
    """The projects' root that a transcript is under."""
    return str(Path(path).parent.parent)


def _folders(found: Sequence[Session]) -> list[Folder]:
    folders: dict[str, Folder] = {}
    for session in found:
        folder = folders.setdefault(session.folder, Folder(session.folder))
        folder.sessions += 1
        folder.size += session.size
    return sorted(folders.values(), key=lambda folder: -folder.size)


def _decade(size: int) -> int:
    """The place in SIZES."""
    return min(max(len(str(size)) - 4, 0), len(SIZES) - 1)


def _deadlines(found: Sequence[Session], now: int) -> dict[str, int]:
    """How many are deleted by when."""
    counts = dict.fromkeys((*(name for _, name in DEADLINES), LATER), 0)
    for session in found:
        left = (session.due - now) / DAY
        counts[next((name for days, name in DEADLINES if left <= days), LATER)] += 1
    return counts
