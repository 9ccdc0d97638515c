"""Read the fields of a shard's files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from .. import _core
from ..tables.fields import Select, Where, filters, selection
from .pieces import Piece, Shard
from .reading import BEYOND, _UnreadableError, check_version, chunks, clean, opened, pyarrow_module


def read_shard(
    shard: Shard, select: Select, where: Where | None, *, path: bool, errors: Literal["raise", "skip"]
) -> Any:
    """Return the fields of a shard's files as a `pyarrow.RecordBatch`: see `scan_shard`."""
    if errors not in ("raise", "skip"):
        raise ValueError(f'errors must be "raise" or "skip", not {errors!r}')
    pyarrow = pyarrow_module()
    chosen, conditions = selection(select), filters(where)
    if path and "path" in select:
        raise ValueError('two columns are named "path": give the selected one another name')
    tables = [pyarrow.table(_core.FieldsRange(chosen, conditions, size=0, start=0, end=0).finish())]
    counts: dict[str, Any] = {"other_types": dict.fromkeys(select, 0), "defect_count": 0, "skipped": []}
    urls: list[Any] = []
    for piece in shard.pieces:
        try:
            found, reading = _read(piece, shard, chosen, conditions)
        except _UnreadableError as error:
            if errors == "raise":
                raise OSError(f"{clean(piece.url)}: {error}") from error
            counts["skipped"].append({"path": clean(piece.url), "error": str(error)})
            continue
        tables += found
        rows = sum(table.num_rows for table in found)
        urls.append(pyarrow.repeat(clean(piece.url), rows))
        counts["defect_count"] += reading.defect_count
        for name, count in reading.other_types.items():
            counts["other_types"][name] += count
    table = pyarrow.concat_tables(tables)
    if path:
        column = pyarrow.chunked_array(urls, type="string")
        table = table.add_column(0, pyarrow.field("path", "string", nullable=False), column)
    table = table.replace_schema_metadata({"sessscan": json.dumps(counts)}).combine_chunks()
    batches = table.to_batches()
    if len(batches) > 1:
        raise OverflowError("the shard's text is larger than 2 GiB in a column: make smaller shards")
    return batches[0] if batches else pyarrow.RecordBatch.from_pylist([], schema=table.schema)


def _read(piece: Piece, shard: Shard, select: Any, conditions: Any) -> tuple[list[Any], _core.FieldsRange]:
    """Return the rows of a piece, and the reading that has counted what was wrong."""
    fs, path = opened(piece.url, shard.storage_options)
    size, end = piece.size, piece.end
    if size is None:
        # How much there is to read is known only when it was read.
        content = b"".join(chunks(fs, path, 0, None, None))
        reading = _reading(select, conditions, len(content), 0, len(content), shard.strict)
        source: Iterator[bytes] = iter((content,))
    else:
        end = size if end is None else end
        reading = _reading(select, conditions, size, piece.start, end, shard.strict)
        source = chunks(fs, path, reading.position, end + BEYOND, size)
    found = []
    pyarrow = pyarrow_module()
    for chunk in source:
        more = reading.feed(chunk)
        found.append(pyarrow.table(reading.take()))
        if not more:
            break
    check_version(fs, path, piece.size, piece.version)
    found.append(pyarrow.table(reading.finish()))
    return found, reading


def _reading(
    select: Any, conditions: Any, size: int, start: int, end: int, strict: bool
) -> _core.FieldsRange:
    return _core.FieldsRange(select, conditions, size=size, start=start, end=end, strict=strict)
