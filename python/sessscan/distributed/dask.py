"""Read transcripts into a Dask data frame. Needs the extra `dask`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import groupby
from typing import Any, Literal

from ..tables.fields import Select, Where
from .pieces import Shard
from .shard import combine, scan_shard, shards


def read_transcripts(
    urls: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    target_bytes: int = 128 * 1024 * 1024,
    strict: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Return a `dask.dataframe` with one row for each transcript, in columns of Arrow types.

    The arguments are those of `sessscan.shards`, which is called here, so files are listed now; they are
    scanned when the frame is computed. Each partition is a shard, or one big file whose ranges are scanned in
    tasks of their own and joined in another. The columns are those of `sessscan.combine`. The work of a
    lost worker is repeated by others. A file that is gone or has changed since it was listed has `error` set.

    Raises what `sessscan.shards` raises.
    """
    try:
        import dask.dataframe as dd
        from dask import delayed
    except ImportError as error:
        raise ImportError("read_transcripts needs Dask: pip install 'sessscan[dask]'") from error
    planned = shards(urls, target_bytes=target_bytes, strict=strict, storage_options=storage_options)
    frames = []
    for _, group in groupby(planned, key=lambda shard: shard.file or id(shard)):
        # Bound by partial: Dask would search arguments for its own collections, which is slow.
        scans = [delayed(partial(scan_shard, shard), name="scan_shard", pure=False)() for shard in group]
        frames.append(delayed(partial(_frame, storage_options), name="combine", pure=False)(scans))
    meta = _frame(None, [])
    if not frames:
        return dd.from_pandas(meta, npartitions=1)
    return dd.from_delayed(frames, meta=meta, prefix="transcripts", verify_meta=False)


def read_fields(
    urls: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    select: Select,
    where: Where | None = None,
    *,
    path: bool = False,
    errors: Literal["raise", "skip"] = "raise",
    target_bytes: int = 128 * 1024 * 1024,
    strict: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Return a `dask.dataframe` with one row for each record, in columns of Arrow types.

    `select`, `where`, `path` and `errors` are those of `sessscan.scan_shard`, which reads a partition each
    time; the other arguments are those of `sessscan.shards`, which is called here, so files are listed now.
    Rows keep the order of the files. Raises what these two raise.
    """
    try:
        import dask.dataframe as dd
        from dask import delayed
    except ImportError as error:
        raise ImportError("read_fields needs Dask: pip install 'sessscan[dask]'") from error
    read = partial(_fields_frame, fields=select, where=where, path=path, errors=errors)
    meta = read(Shard((), strict))
    planned = shards(urls, target_bytes=target_bytes, strict=strict, storage_options=storage_options)
    frames = [delayed(partial(read, shard), name="fields", pure=False)() for shard in planned]
    if not frames:
        return dd.from_pandas(meta, npartitions=1)
    return dd.from_delayed(frames, meta=meta, prefix="fields", verify_meta=False)


def _fields_frame(shard: Shard, **options: Any) -> Any:
    import pandas

    return scan_shard(shard, **options).to_pandas(types_mapper=pandas.ArrowDtype)


def _frame(storage_options: Mapping[str, Any] | None, batches: list[Any]) -> Any:
    import pandas

    return combine(batches, storage_options=storage_options).to_pandas(types_mapper=pandas.ArrowDtype)
