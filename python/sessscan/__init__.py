"""fsck for Claude Code session stores, on a scanner as fast as memory.

`scan` and `scan_many` read transcripts, `classify` reads registry rows. `reconcile` compares the two and
returns a `Plan`; `Plan.apply` carries it out, and `undo` takes it back.
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
    DamagedSnapshotsError,
    InsecureStateError,
    JournalError,
    LockedError,
    MatchError,
    OutputFileError,
    PlanChangedError,
    PlanFileError,
    RefusedError,
    SessscanError,
    SnapshotError,
    TimeFormatError,
    UnbuildableError,
    UnconfirmedError,
    UnknownRuleError,
    UnknownRunError,
    UnknownSnapshotError,
    UsageError,
)

if TYPE_CHECKING:
    from .backtest_result import Backtest, FieldCounts, FieldDifference, MatchCounts, Mismatch, Rounds
    from .changes.journal import Run, runs
    from .changes.plan import Plan, Report
    from .changes.undo import Reversal, Undone, undo
    from .distributed.dask import read_transcripts
    from .distributed.shard import Piece, Shard, combine, scan_shard, shards
    from .model import (
        Absence,
        Action,
        ActionKind,
        Candidate,
        DesktopState,
        Evidence,
        EvidenceKind,
        Finding,
        Fingerprint,
        Missed,
        Row,
        RowFormat,
        Session,
        SessionHealth,
        SessionListing,
        Severity,
        Source,
        Status,
        Store,
        WatchEvent,
        WatchEventKind,
    )
    from .reconciliation import reconcile
    from .reconciliation.backtest import backtest
    from .reconciliation.restore import RestorePlan, restore
    from .reconciliation.saved_plan import load_plan
    from .rules import RULES, Rule, find_rule
    from .sessions.listing import find_sessions
    from .sessions.sdk import SessionInfo, get_session_info, list_sessions
    from .snapshots.capture import Captured, SnapshotReport, snapshot
    from .snapshots.select import kept_rows, kept_versions, mark_removed
    from .snapshots.store import KeptRow, RowVersion
    from .tables.arrow import (
        EventsTable,
        Table,
        actions_table,
        events_table,
        findings_table,
        rows_table,
        table,
    )
    from .watching.watch import watch

__all__ = [
    "ABSENT",
    "RULES",
    "Absence",
    "Action",
    "ActionKind",
    "AppRunningError",
    "Backtest",
    "Candidate",
    "Captured",
    "ConflictError",
    "DamagedSnapshotsError",
    "Defect",
    "DesktopState",
    "Event",
    "EventsTable",
    "Evidence",
    "EvidenceKind",
    "FieldCounts",
    "FieldDifference",
    "Finding",
    "Fingerprint",
    "InsecureStateError",
    "JournalError",
    "KeptRow",
    "LockedError",
    "MatchCounts",
    "MatchError",
    "Mismatch",
    "Missed",
    "OutputFileError",
    "Piece",
    "Plan",
    "PlanChangedError",
    "PlanFileError",
    "RefusedError",
    "Report",
    "RestorePlan",
    "Reversal",
    "Rounds",
    "Row",
    "RowFormat",
    "RowState",
    "RowVersion",
    "Rule",
    "Run",
    "Scanner",
    "Session",
    "SessionHealth",
    "SessionInfo",
    "SessionListing",
    "SessscanError",
    "Severity",
    "Shard",
    "SnapshotError",
    "SnapshotReport",
    "Source",
    "Status",
    "Store",
    "Table",
    "TimeFormatError",
    "Transcript",
    "UnbuildableError",
    "UnconfirmedError",
    "Undone",
    "UnknownRuleError",
    "UnknownRunError",
    "UnknownSnapshotError",
    "UsageError",
    "WatchEvent",
    "WatchEventKind",
    "Worktree",
    "__version__",
    "actions_table",
    "backtest",
    "classify",
    "classify_many",
    "combine",
    "events",
    "events_table",
    "find_rule",
    "find_sessions",
    "findings_table",
    "get_session_info",
    "kept_rows",
    "kept_versions",
    "list_sessions",
    "load_plan",
    "mark_removed",
    "read_transcripts",
    "reconcile",
    "replace",
    "restore",
    "rows_table",
    "runs",
    "scan",
    "scan_bytes",
    "scan_many",
    "scan_shard",
    "shards",
    "snapshot",
    "table",
    "undo",
    "watch",
]

# Loaded lazily so that `import sessscan` stays fast: by module, the names that are taken from it.
_LAZY = {
    "backtest_result": ("Backtest", "FieldCounts", "FieldDifference", "MatchCounts", "Mismatch", "Rounds"),
    "changes.journal": (
        "Run",
        "runs",
    ),
    "changes.plan": (
        "Plan",
        "Report",
    ),
    "changes.undo": (
        "Reversal",
        "Undone",
        "undo",
    ),
    "distributed.dask": ("read_transcripts",),
    "distributed.shard": (
        "Piece",
        "Shard",
        "combine",
        "scan_shard",
        "shards",
    ),
    "model": (
        "Absence",
        "Action",
        "ActionKind",
        "Candidate",
        "DesktopState",
        "Evidence",
        "EvidenceKind",
        "Finding",
        "Missed",
        "Fingerprint",
        "Row",
        "RowFormat",
        "Session",
        "SessionHealth",
        "SessionListing",
        "Severity",
        "Source",
        "Status",
        "Store",
        "WatchEvent",
        "WatchEventKind",
    ),
    "reconciliation": ("reconcile",),
    "reconciliation.saved_plan": ("load_plan",),
    "reconciliation.backtest": ("backtest",),
    "reconciliation.restore": (
        "RestorePlan",
        "restore",
    ),
    "rules": (
        "RULES",
        "Rule",
        "find_rule",
    ),
    "sessions.listing": ("find_sessions",),
    "sessions.sdk": (
        "SessionInfo",
        "get_session_info",
        "list_sessions",
    ),
    "snapshots.capture": (
        "Captured",
        "SnapshotReport",
        "snapshot",
    ),
    "snapshots.select": (
        "kept_rows",
        "kept_versions",
        "mark_removed",
    ),
    "snapshots.store": (
        "KeptRow",
        "RowVersion",
    ),
    "tables.arrow": (
        "EventsTable",
        "Table",
        "actions_table",
        "events_table",
        "findings_table",
        "rows_table",
        "table",
    ),
    "watching.watch": ("watch",),
}
_MODULE_OF = {name: module for module, names in _LAZY.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
