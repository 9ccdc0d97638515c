"""fsck for Claude Code session stores, on a scanner as fast as memory.

`scan` and its kin read transcripts, `classify` looks at registry rows, `reconcile` brings the two together,
and `replace` is the one way in which anything is written.
"""

from typing import TYPE_CHECKING, Any

from ._core import (
    ABSENT,
    Defect,
    Event,
    RowState,
    Scanner,
    Transcript,
    Worktree,
    __version__,
    classify,
    classify_many,
    events,
    replace,
    scan,
    scan_bytes,
    scan_many,
)
from .errors import (
    AppRunningError,
    ConflictError,
    JournalError,
    LockedError,
    PlanChangedError,
    PlanFileError,
    RefusedError,
    SessscanError,
    SnapshotError,
    UnconfirmedError,
)

if TYPE_CHECKING:
    from .changes.plan import Plan, Report
    from .distributed.shard import combine, scan_shard, shards
    from .reconciliation import reconcile
    from .sessions.sdk import SessionInfo, get_session_info, list_sessions
    from .tables.arrow import (
        EventsTable,
        Table,
        actions_table,
        events_table,
        findings_table,
        rows_table,
        table,
    )

__all__ = [
    "ABSENT",
    "AppRunningError",
    "ConflictError",
    "Defect",
    "Event",
    "EventsTable",
    "JournalError",
    "LockedError",
    "Plan",
    "PlanChangedError",
    "PlanFileError",
    "RefusedError",
    "Report",
    "RowState",
    "Scanner",
    "SessionInfo",
    "SessscanError",
    "SnapshotError",
    "Table",
    "Transcript",
    "UnconfirmedError",
    "Worktree",
    "__version__",
    "actions_table",
    "classify",
    "classify_many",
    "combine",
    "events",
    "events_table",
    "findings_table",
    "get_session_info",
    "list_sessions",
    "reconcile",
    "replace",
    "rows_table",
    "scan",
    "scan_bytes",
    "scan_many",
    "scan_shard",
    "shards",
    "table",
]

# Who only scans need not wait until the reconciliation and its parsers are loaded.
_LATER = {
    "reconcile": "reconciliation",
    "Plan": "changes.plan",
    "Report": "changes.plan",
    **dict.fromkeys(
        ("EventsTable", "Table", "actions_table", "events_table", "findings_table", "rows_table", "table"),
        "tables.arrow",
    ),
    **dict.fromkeys(("SessionInfo", "get_session_info", "list_sessions"), "sessions.sdk"),
    **dict.fromkeys(("combine", "scan_shard", "shards"), "distributed.shard"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
