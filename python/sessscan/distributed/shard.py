"""Divide transcripts into shards, scan a shard on any machine, and combine the results.

Needs the extra `shards` (fsspec and pyarrow), and for some protocols a package of their own, as s3fs for S3.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from .. import _core
from ..stores.locate import TRANSCRIPT_NAME
from ..tables.fields import Select, Where
from .pieces import Piece, Shard
from .reading import (
    BEYOND,
    _UnreadableError,
    check_version,
    chunks,
    clean,
    opened,
    pyarrow_module,
    version_of,
)

_MOST_FILES = 1_000
"""Files in one shard: each takes a request or two, however small it is."""


def shards(
    urls: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    target_bytes: int = 128 * 1024 * 1024,
    strict: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> list[Shard]:
    """Divide files into shards of about `target_bytes`: small files together, a bigger file in ranges.

    `urls` are files, patterns (`*`, `?`, `[`, with `**` for any depth) and folders, of any file system that
    fsspec knows. A named file is taken whatever its name; of a folder the sessions at any depth are taken:
    `<uuid>.jsonl`, except under a folder named after a session. A file that does not exist gets its error
    when it is scanned. `storage_options` go to fsspec. Only listings are read.

    Raises OSError for a folder that cannot be listed, and `ValueError` for a `target_bytes` below 1.
    """
    if target_bytes < 1:
        raise ValueError(f"target_bytes must be at least 1, not {target_bytes}")
    options = dict(storage_options or {})
    given = [urls] if isinstance(urls, str | os.PathLike) else urls
    files = {piece.url: piece for url in given for piece in _listed(os.fspath(url), options)}
    planned: list[Shard] = []
    together: list[Piece] = []
    filled = 0

    def close() -> None:
        nonlocal filled
        if together:
            planned.append(Shard(tuple(together), strict, options))
        together.clear()
        filled = 0

    for piece in files.values():
        size = piece.size or 0
        if size > target_bytes:
            # All ranges have the same length.
            count = -(-size // target_bytes)
            cuts = [size * number // count for number in range(count + 1)]
            for start, end in pairwise(cuts):
                part = Piece(piece.url, size, piece.version, start, end)
                planned.append(Shard((part,), strict, options))
            continue
        if filled + size > target_bytes or len(together) >= _MOST_FILES:
            close()
        together.append(piece)
        filled += size
    close()
    return planned


def scan_shard(
    shard: Shard,
    *,
    fields: Select | None = None,
    where: Where | None = None,
    path: bool = False,
    errors: Literal["raise", "skip"] = "raise",
) -> Any:
    """Scan a shard; return a `pyarrow.RecordBatch` with a row for each of its pieces, in their order.

    The columns are those of a `Transcript`, with the URL as `path` and times as timestamps in milliseconds
    UTC, and three more: `part`, `part_start` and `part_end`. The row of a range has only those three besides
    `path`, `session_id`, `size` and `error`; `combine` makes the file's row from its ranges' rows. A file
    that is gone, cannot be read, or has changed since it was listed has `error` set, and the others are
    scanned. sessscan starts no thread here; the file system's own package may.

    With `fields` the batch has a row for each record instead, as `sessscan.fields` gives it with the same
    `fields` (its `select`) and `where`; `path` adds a column with the record's URL. The batches of all
    shards, put together in any order, are the table; `combine` does not take them. `errors`: with `raise` a
    file that is gone, cannot be read or has changed is an OSError, with `skip` it is left out. The batch's
    schema has the metadata `sessscan`, JSON with `skipped` (a list of `path` and `error`), `defect_count` and
    `other_types`.

    Raises, with `fields`: OSError; `ValueError` and `TypeError` as `sessscan.fields` does; `OverflowError` if
    a column has more than 2 GiB of text.
    """
    if fields is not None:
        from .fields import read_shard

        return read_shard(shard, fields, where, path=path, errors=errors)
    if where is not None or path or errors != "raise":
        raise TypeError("where, path and errors go with fields: name the fields to read")
    pyarrow = pyarrow_module()
    return pyarrow.RecordBatch.from_pylist(
        [_scanned(piece, shard) for piece in shard.pieces], schema=_schema(True)
    )


def combine(batches: Iterable[Any], *, storage_options: Mapping[str, Any] | None = None) -> Any:
    """Join the results of `scan_shard` into one `pyarrow.Table` with one row for each transcript.

    Takes record batches and tables, in any order. All parts of a file must be among them, or its row has
    `error` set. Rows keep their order; a file in ranges has the place of its first range. A part that comes
    twice, because a task ran again, counts once. A big file is read again (with `storage_options`, if fsspec
    needs them) only if it holds an old-style summary that may belong to this session or to another.
    """
    pyarrow = pyarrow_module()
    tables = [pyarrow.table(batch) for batch in batches]
    table = pyarrow.concat_tables([_schema(True).empty_table(), *tables])
    own = table.select(_schema(False).names)
    starts, paths = table["part_start"].to_pylist(), table["path"].to_pylist()
    parts: dict[str, list[int]] = {}
    order: list[int] = []
    for row, (start, path) in enumerate(zip(starts, paths, strict=True)):
        if start is None:
            order.append(row)
        else:
            if path not in parts:
                order.append(table.num_rows + len(parts))
            parts.setdefault(path, []).append(row)
    options = dict(storage_options or {})
    joined = [_joined(table.take(rows).to_pylist(), options) for rows in parts.values()]
    own = pyarrow.concat_tables([own, pyarrow.Table.from_pylist(joined, schema=_schema(False))])
    return own.take(order) if parts else own


# --- Listing ---------------------------------------------------------------------------------------------


def _listed(url: str, options: Mapping[str, Any]) -> Iterator[Piece]:
    fs, path = opened(url, options)
    fs.invalidate_cache()
    if any(sign in path for sign in "*?[") and not fs.exists(path):
        found = fs.glob(path, detail=True)
    else:
        try:
            found = {path: fs.info(path)}
        except FileNotFoundError:
            yield Piece(url, 0, None)
            return
        if found[path]["type"] == "directory":
            found = fs.find(path, detail=True)
            found = {name: info for name, info in found.items() if _is_session(name, path)}
    for name, info in sorted(found.items()):
        if info["type"] != "directory":
            yield Piece(_url_of(url, fs, name), info.get("size"), version_of(info))


def _is_session(name: str, folder: str) -> bool:
    path = PurePosixPath(name)
    inside = path.parts[len(PurePosixPath(folder).parts) : -1]
    return bool(TRANSCRIPT_NAME.fullmatch(path.name)) and not any(
        TRANSCRIPT_NAME.fullmatch(f"{part}.jsonl") for part in inside
    )


def _url_of(given: str, fs: Any, name: str) -> str:
    """Return the URL of a file that was found under `given`; for local files given as paths, the path."""
    segments = given.split("::")
    for at, segment in enumerate(segments):
        if "://" in segment:
            return "::".join([*segments[:at], fs.unstrip_protocol(name), *segments[at + 1 :]])
    return str(Path(name))  # fsspec writes Windows' paths with forward slashes


# --- Reading ---------------------------------------------------------------------------------------------


def _scanned(piece: Piece, shard: Shard) -> dict[str, Any]:
    fs, path = opened(piece.url, shard.storage_options)
    session_id = clean(PurePosixPath(path).stem)
    url = clean(piece.url)
    row: dict[str, Any] = {"path": url, "size": piece.size, "session_id": session_id}
    if piece.end is not None:
        row |= {"part_start": piece.start, "part_end": piece.end}
    try:
        if piece.end is None:
            return row | _whole(fs, path, piece, session_id, shard.strict) | {"path": url}
        return row | {"part": _part(fs, path, piece, session_id, shard.strict)}
    except _UnreadableError as error:
        return row | {"error": str(error)}


def _whole(fs: Any, path: str, piece: Piece, session_id: str, strict: bool) -> dict[str, Any]:
    scanner = _core.Scanner(session_id, strict=strict)
    for chunk in chunks(fs, path, 0, piece.size, piece.size):
        scanner.feed(chunk)
    check_version(fs, path, piece.size, piece.version)
    return scanner.finish().to_dict()


def _part(fs: Any, path: str, piece: Piece, session_id: str, strict: bool) -> bytes:
    assert piece.size is not None and piece.end is not None
    scanner = _core.RangeScanner(
        session_id,
        version=piece.version or "",
        size=piece.size,
        start=piece.start,
        end=piece.end,
        strict=strict,
    )
    _feed(scanner, chunks(fs, path, scanner.position, piece.end + BEYOND, piece.size))
    check_version(fs, path, piece.size, piece.version)
    return scanner.finish()


def _feed(scanner: _core.RangeScanner | _core.PartJoiner, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        if not scanner.feed(chunk):
            break


def _joined(rows: list[dict[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a file, from the rows of its ranges."""
    first = rows[0]
    row: dict[str, Any] = {name: first[name] for name in ("path", "size", "session_id")}
    try:
        # A range that failed may have been scanned again and succeeded.
        done = {(row["part_start"], row["part_end"]) for row in rows if row["part"] is not None}
        for part in rows:
            if part["error"] is not None and (part["part_start"], part["part_end"]) not in done:
                raise _UnreadableError(part["error"])
        joiner = _core.PartJoiner([part["part"] for part in rows if part["part"] is not None])
        if joiner.in_doubt:
            fs, path = opened(first["path"], options)
            _feed(joiner, chunks(fs, path, 0, joiner.size, joiner.size))
            check_version(fs, path, joiner.size, joiner.version or None)
        return row | joiner.finish().to_dict() | {"path": first["path"]}
    except (_UnreadableError, ValueError) as error:
        return row | {"error": str(error)}


# --- Columns ---------------------------------------------------------------------------------------------


@cache
def _schema(parts: bool) -> Any:
    """Return the columns of transcripts, with the columns of parts or without them."""
    pa = pyarrow_module()
    columns = pa.schema(_core.transcript_batches([]))
    fields = [(column.name, _without_dictionaries(column.type)) for column in columns]
    if parts:
        fields += [("part", pa.large_binary()), ("part_start", pa.int64()), ("part_end", pa.int64())]
    return pa.schema(fields)


def _without_dictionaries(kind: Any) -> Any:
    """Return an Arrow type whose text is plain: batches of different machines share no dictionaries."""
    pa = pyarrow_module()
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_dictionaries(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_without_dictionaries(kind.value_type))
    return kind
