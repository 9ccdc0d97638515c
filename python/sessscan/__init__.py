"""fsck for Claude Code session stores, on a scanner as fast as memory."""

from ._core import (
    Defect,
    Event,
    Transcript,
    Worktree,
    events,
    scan,
    scan_bytes,
    scan_many,
    uuids,
)

__all__ = [
    "Defect",
    "Event",
    "Transcript",
    "Worktree",
    "events",
    "scan",
    "scan_bytes",
    "scan_many",
    "uuids",
]
