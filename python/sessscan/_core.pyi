"""The Rust core: one stub for each file of the extension's source."""

import sys

from ._conversation import (
    Conversation,
    ConversationCheck,
    Cut,
    Message,
    SurvivingRecord,
    Survivors,
    Unreached,
    check_conversations,
    conversation,
    image_size,
    survivors,
)
from ._details import Details, details
from ._edit import copy_new, edit
from ._events import Event, EventIterator, events
from ._fields import FieldsBatches, FieldsRange, FieldsRows
from ._index import Rescan
from ._open import born_at
from ._pieces import cut, digest, unpack
from ._replace import ABSENT, Absent, append_durable, relocate, remove, replace, sweep
from ._row import ROW_STATES, RowKind, RowState, classify, classify_bytes, classify_many, row_prefix, row_text
from ._scan import scan, scan_bytes, scan_many, uuids
from ._scanner import Scanner
from ._shard import PartJoiner, RangeScanner
from ._signature import changed
from ._table import Batches, EventBatches, columns_batch, transcript_batches
from ._transcript import Defect, Transcript, Worktree

if sys.platform == "win32":
    from ._open import changed_at as changed_at
    from ._open import open_handle as open_handle

__all__ = [
    "ABSENT",
    "ROW_STATES",
    "Absent",
    "Batches",
    "Conversation",
    "ConversationCheck",
    "Cut",
    "Defect",
    "Details",
    "Event",
    "EventBatches",
    "EventIterator",
    "FieldsBatches",
    "FieldsRange",
    "FieldsRows",
    "Message",
    "PartJoiner",
    "RangeScanner",
    "Rescan",
    "RowKind",
    "RowState",
    "Scanner",
    "SurvivingRecord",
    "Survivors",
    "Transcript",
    "Unreached",
    "Worktree",
    "__version__",
    "append_durable",
    "born_at",
    "changed",
    "check_conversations",
    "classify",
    "classify_bytes",
    "classify_many",
    "columns_batch",
    "conversation",
    "copy_new",
    "cut",
    "details",
    "digest",
    "edit",
    "events",
    "image_size",
    "relocate",
    "remove",
    "replace",
    "row_prefix",
    "row_text",
    "scan",
    "scan_bytes",
    "scan_many",
    "survivors",
    "sweep",
    "transcript_batches",
    "unpack",
    "uuids",
]

__version__: str
