"""fsck for Claude Code session stores, on a scanner as fast as memory.

`scan` and `scan_many` read transcripts, `classify` reads registry rows. `reconcile` compares the two and
returns a `Plan`; `Plan.apply` carries it out, and `undo` takes it back.
"""

from typing import TYPE_CHECKING, Any

from ._core import (
    ABSENT,
    Conversation,
    Cut,
    Defect,
    Event,
    Message,
    RowState,
    Scanner,
    Transcript,
    Unreached,
    Worktree,
    __version__,
    classify,
    classify_many,
    conversation,
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
    ProcessListError,
    RefusedError,
    SessscanError,
    SnapshotError,
    TimeFormatError,
    TooLargeError,
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
    from .distributed.dask import read_fields, read_transcripts
    from .distributed.pieces import Piece, Shard
    from .distributed.shard import combine, scan_shard, shards
    from .keeping.capture import TranscriptsReport, snapshot_transcripts
    from .keeping.forget import Forgotten, forget
    from .keeping.select import KeptTranscript, kept_transcripts, transcript_versions, verify_snapshots
    from .keeping.store import TranscriptVersion
    from .mending import repair
    from .mending.saved import load_plan
    from .model import (
        Absence,
        Action,
        ActionKind,
        Candidate,
        DesktopState,
        Edit,
        Evidence,
        EvidenceKind,
        Finding,
        Fingerprint,
        FolderMove,
        HeldParent,
        LeftOut,
        Missed,
        ParentCandidate,
        Reached,
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
    from .reconciliation.restore_transcript import TranscriptRestorePlan, restore_transcript
    from .relocation import move
    from .rules import RULES, Rule, find_rule
    from .sessions.listing import find_sessions
    from .sessions.messages import SessionMessage, get_session_messages
    from .sessions.sdk import SessionInfo, get_session_info, list_sessions
    from .snapshots.capture import Captured, SnapshotReport, snapshot
    from .snapshots.select import kept_rows, kept_versions, mark_removed
    from .snapshots.store import KeptRow, RowVersion
    from .tables.arrow import Table
    from .tables.fields import FieldsTable, fields
    from .tables.results import actions_table, findings_table, rows_table
    from .tables.transcripts import EventsTable, events_table, table
    from .tokens.usage import usage
    from .usage_result import TokenSum, Usage, UsageBy, UsageCount, UsageGroup
    from .visibility.verdicts import why
    from .visibility_result import (
        Basis,
        Shown,
        Surface,
        SurfaceVerdict,
        Visibility,
        VisibilityReason,
        VisibilityRule,
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
    "Basis",
    "Candidate",
    "Captured",
    "ConflictError",
    "Conversation",
    "Cut",
    "DamagedSnapshotsError",
    "Defect",
    "DesktopState",
    "Edit",
    "Event",
    "EventsTable",
    "Evidence",
    "EvidenceKind",
    "FieldCounts",
    "FieldDifference",
    "FieldsTable",
    "Finding",
    "Fingerprint",
    "FolderMove",
    "Forgotten",
    "HeldParent",
    "InsecureStateError",
    "JournalError",
    "KeptRow",
    "KeptTranscript",
    "LeftOut",
    "LockedError",
    "MatchCounts",
    "MatchError",
    "Message",
    "Mismatch",
    "Missed",
    "OutputFileError",
    "ParentCandidate",
    "Piece",
    "Plan",
    "PlanChangedError",
    "PlanFileError",
    "ProcessListError",
    "Reached",
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
    "SessionMessage",
    "SessscanError",
    "Severity",
    "Shard",
    "Shown",
    "SnapshotError",
    "SnapshotReport",
    "Source",
    "Status",
    "Store",
    "Surface",
    "SurfaceVerdict",
    "Table",
    "TimeFormatError",
    "TokenSum",
    "TooLargeError",
    "Transcript",
    "TranscriptRestorePlan",
    "TranscriptVersion",
    "TranscriptsReport",
    "UnbuildableError",
    "UnconfirmedError",
    "Undone",
    "UnknownRuleError",
    "UnknownRunError",
    "UnknownSnapshotError",
    "Unreached",
    "Usage",
    "UsageBy",
    "UsageCount",
    "UsageError",
    "UsageGroup",
    "Visibility",
    "VisibilityReason",
    "VisibilityRule",
    "WatchEvent",
    "WatchEventKind",
    "Worktree",
    "__version__",
    "actions_table",
    "backtest",
    "classify",
    "classify_many",
    "combine",
    "conversation",
    "events",
    "events_table",
    "fields",
    "find_rule",
    "find_sessions",
    "findings_table",
    "forget",
    "get_session_info",
    "get_session_messages",
    "kept_rows",
    "kept_transcripts",
    "kept_versions",
    "list_sessions",
    "load_plan",
    "mark_removed",
    "move",
    "read_fields",
    "read_transcripts",
    "reconcile",
    "repair",
    "replace",
    "restore",
    "restore_transcript",
    "rows_table",
    "runs",
    "scan",
    "scan_bytes",
    "scan_many",
    "scan_shard",
    "shards",
    "snapshot",
    "snapshot_transcripts",
    "table",
    "transcript_versions",
    "undo",
    "usage",
    "verify_snapshots",
    "watch",
    "why",
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
    "distributed.dask": ("read_fields", "read_transcripts"),
    "distributed.pieces": ("Piece", "Shard"),
    "distributed.shard": (
        "combine",
        "scan_shard",
        "shards",
    ),
    "keeping.capture": (
        "TranscriptsReport",
        "snapshot_transcripts",
    ),
    "keeping.forget": (
        "Forgotten",
        "forget",
    ),
    "keeping.select": (
        "KeptTranscript",
        "kept_transcripts",
        "transcript_versions",
        "verify_snapshots",
    ),
    "keeping.store": ("TranscriptVersion",),
    "mending": ("repair",),
    "mending.saved": ("load_plan",),
    "model": (
        "Absence",
        "Action",
        "ActionKind",
        "Candidate",
        "DesktopState",
        "Edit",
        "Evidence",
        "EvidenceKind",
        "Finding",
        "Fingerprint",
        "FolderMove",
        "HeldParent",
        "LeftOut",
        "Missed",
        "ParentCandidate",
        "Reached",
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
    "reconciliation.backtest": ("backtest",),
    "reconciliation.restore": (
        "RestorePlan",
        "restore",
    ),
    "reconciliation.restore_transcript": (
        "TranscriptRestorePlan",
        "restore_transcript",
    ),
    "relocation": ("move",),
    "rules": (
        "RULES",
        "Rule",
        "find_rule",
    ),
    "sessions.listing": ("find_sessions",),
    "sessions.messages": ("SessionMessage", "get_session_messages"),
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
    "tables.arrow": ("Table",),
    "tables.fields": ("FieldsTable", "fields"),
    "tables.results": ("actions_table", "findings_table", "rows_table"),
    "tables.transcripts": ("EventsTable", "events_table", "table"),
    "visibility.verdicts": ("why",),
    "visibility_result": (
        "Basis",
        "Shown",
        "Surface",
        "SurfaceVerdict",
        "Visibility",
        "VisibilityReason",
        "VisibilityRule",
    ),
    "tokens.usage": ("usage",),
    "usage_result": ("TokenSum", "Usage", "UsageBy", "UsageCount", "UsageGroup"),
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
