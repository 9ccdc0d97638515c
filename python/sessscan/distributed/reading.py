"""Read files that fsspec finds, in the version that was listed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

_CHUNK = 16 * 1024 * 1024
"""Bytes of one request: so many that its fixed cost hardly counts, and few enough to hold in memory."""

BEYOND = 64 * 1024
"""Bytes after a range that are requested with it, to reach the end of its last line: 99 of 100 lines are
shorter."""

_VERSIONS = ("ETag", "etag", "md5", "md5Hash", "generation", "sha", "CRC")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Keys by which file systems tell one version of a file from another, the most reliable first."""


class _UnreadableError(Exception):
    """The reason why a file cannot be read, for the `error` of its row."""


def version_of(info: Mapping[str, Any]) -> str | None:
    for key in (*_VERSIONS, *_TIMES):
        if value := info.get(key):
            # A listing may give the same time as a number, a single request as a datetime, or the reverse.
            version = str(value.timestamp() if isinstance(value, datetime) else value)
            # Windows does not tell the inode in a listing.
            known = key == "mtime" and "ino" in info and os.name != "nt"
            return f"{version} {info['ino']}" if known else version
    return None


def chunks(fs: Any, path: str, start: int, soon: int | None, size: int | None) -> Iterator[bytes]:
    """Yield the bytes of a file from `start` on, for as long as the caller takes them; most likely to
    `soon`."""
    try:
        if size is None or soon is None:
            yield fs.cat_file(path)
            return
        more = BEYOND
        while start < size:
            if start >= soon:
                # The last line is longer than expected: request more and more at a time.
                more = min(4 * more, _CHUNK)
                soon = start + more
            end = min(start + _CHUNK, soon, size)
            chunk = fs.cat_file(path, start=start, end=end)
            yield chunk
            start += len(chunk)
            if start < end:
                raise _UnreadableError(
                    f"it was changed since it was listed: it ends at byte {start} of {size}"
                )
    except ImportError:
        raise
    except FileNotFoundError as error:
        raise _UnreadableError(f"it is gone since it was listed: {text_of(error)}") from error
    # A file system's package raises whatever its network library raises.
    except Exception as error:
        if isinstance(error, _UnreadableError):
            raise
        raise _UnreadableError(f"it cannot be read: {text_of(error)}") from error


def check_version(fs: Any, path: str, size: int | None, version: str | None) -> None:
    """Raise `_UnreadableError` if the file that was just read is not the version that was listed."""
    if size is None and version is None:
        return
    try:
        fs.invalidate_cache(path)
        info = fs.info(path)
    except FileNotFoundError as error:
        raise _UnreadableError(f"it is gone since it was listed: {text_of(error)}") from error
    except Exception as error:
        raise _UnreadableError(f"its version cannot be checked: {text_of(error)}") from error
    now = (info.get("size"), version_of(info))
    if now[0] != size or (version is not None and now[1] != version):
        raise _UnreadableError(
            f"it was changed since it was listed: {size} bytes ({version}), now {now[0]} ({now[1]})"
        )


def opened(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError("reading from anywhere needs fsspec: pip install 'sessscan[shards]'") from error
    return url_to_fs(url, **options)  # type: ignore[no-any-return]


def text_of(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}")


def clean(text: str) -> str:
    """Replace the lone surrogates that Python makes of file names that are not UTF-8."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def pyarrow_module() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("record batches need pyarrow: pip install 'sessscan[shards]'") from error
    return pyarrow
