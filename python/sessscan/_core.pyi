"""The Rust core: one stub for each file of the extension's source."""

from ._details import Details, details
from ._events import Event, EventIterator, events
from ._index import Rescan
from ._replace import ABSENT, Absent, append_durable, remove, replace, sweep
from ._row import ROW_STATES, RowKind, RowState, classify, classify_bytes, classify_many, row_prefix, row_text
from ._scan import scan, scan_bytes, scan_many, uuids
from ._scanner import Scanner
from ._shard import PartJoiner, RangeScanner
from ._table import Batches, EventBatches, columns_batch, transcript_batches
from ._transcript import Defect, Transcript, Worktree

__all__ = [
    "ABSENT",
    "ROW_STATES",
    "Absent",
    "Batches",
    "Defect",
    "Details",
    "Event",
    "EventBatches",
    "EventIterator",
    "PartJoiner",
    "RangeScanner",
    "Rescan",
    "RowKind",
    "RowState",
    "Scanner",
    "Transcript",
    "Worktree",
    "__version__",
    "append_durable",
    "classify",
    "classify_bytes",
    "classify_many",
    "columns_batch",
    "details",
    "events",
    "remove",
    "replace",
    "row_prefix",
    "row_text",
    "scan",
    "scan_bytes",
    "scan_many",
    "sweep",
    "transcript_batches",
    "uuids",
]

__version__: str
