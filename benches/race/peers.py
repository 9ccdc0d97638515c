"""Read title, cwd, first and last time of a transcript with other libraries.

Each reader is written as an expert of the library would, to be right on whole files and to skip a damaged
line: the last title that the user gave, else the last that the model gave; the first cwd; the smallest and
the largest timestamp of the session's own records. Times are compared as text, which is fastest, and right
while all have the same format. Imports and other preparations come first and are not timed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

Answers = dict[str, Any]
Reader = Callable[[Path], Answers]


def _answers(
    custom: str | None, ai: str | None, cwd: str | None, first: str | None, last: str | None
) -> Answers:
    return {
        "title": custom or ai or None,
        "cwd": cwd or None,
        "created_at": _milliseconds(first),
        "last_activity_at": _milliseconds(last),
    }


def _milliseconds(stamp: str | None) -> int | None:
    return None if not stamp else round(datetime.fromisoformat(stamp).timestamp() * 1000)


# --- A line at a time -------------------------------------------------------------------------------------


def _with_loads(loads: Callable[[bytes], Any]) -> Reader:
    def read(path: Path) -> Answers:
        session_id = path.stem
        custom = ai = cwd = ""
        first, last = "~", ""
        with path.open("rb") as file:
            for line in file:
                try:
                    record = loads(line)
                except ValueError:
                    try:
                        record = json.loads(line)  # a lone surrogate, which most libraries refuse
                    except ValueError:
                        continue
                get = record.get
                if (stamp := get("timestamp")) and get("sessionId") == session_id:
                    if stamp < first:
                        first = stamp
                    if stamp > last:
                        last = stamp
                if not cwd:
                    cwd = get("cwd") or ""
                kind = get("type")
                if kind == "custom-title":
                    custom = get("customTitle") or custom
                elif kind == "ai-title":
                    ai = get("aiTitle") or ai
        return _answers(custom, ai, cwd, first if last else None, last)

    return read


def plain_json() -> Reader:
    return _with_loads(json.loads)


def orjson() -> Reader:
    from orjson import loads

    return _with_loads(loads)


def pysimdjson() -> Reader:
    import simdjson

    parse = simdjson.Parser().parse

    def read(path: Path) -> Answers:
        session_id = path.stem
        custom = ai = cwd = ""
        first, last = "~", ""
        record: Any
        with path.open("rb") as file:
            for line in file:
                try:
                    record = parse(line)
                except (ValueError, RuntimeError):
                    try:
                        record = json.loads(line)  # a lone surrogate or a large number
                    except ValueError:
                        continue
                get = record.get
                if (stamp := get("timestamp")) and get("sessionId") == session_id:
                    if stamp < first:
                        first = stamp
                    if stamp > last:
                        last = stamp
                if not cwd:
                    cwd = get("cwd") or ""
                kind = get("type")
                if kind == "custom-title":
                    custom = get("customTitle") or custom
                elif kind == "ai-title":
                    ai = get("aiTitle") or ai
                del record, get  # the parser cannot be used again before
        return _answers(custom, ai, cwd, first if last else None, last)

    return read


def msgspec() -> Reader:
    import msgspec

    class Line(msgspec.Struct, gc=False):
        """The fields that are needed; msgspec skips the others without building objects."""

        type: str | None = None
        cwd: str | None = None
        sessionId: str | None = None
        timestamp: str | None = None
        customTitle: str | None = None
        aiTitle: str | None = None

    decode = msgspec.json.Decoder(Line).decode

    def read(path: Path) -> Answers:
        session_id = path.stem
        custom = ai = cwd = ""
        first, last = "~", ""
        with path.open("rb") as file:
            for line in file:
                try:
                    record = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    try:
                        record = msgspec.convert(json.loads(line), Line)
                    except (ValueError, msgspec.ValidationError):
                        continue
                if (stamp := record.timestamp) and record.sessionId == session_id:
                    if stamp < first:
                        first = stamp
                    if stamp > last:
                        last = stamp
                if not cwd:
                    cwd = record.cwd or ""
                if record.type == "custom-title":
                    custom = record.customTitle or custom
                elif record.type == "ai-title":
                    ai = record.aiTitle or ai
        return _answers(custom, ai, cwd, first if last else None, last)

    return read


# --- A file at a time -------------------------------------------------------------------------------------

COLUMNS = ("type", "cwd", "sessionId", "timestamp", "customTitle", "aiTitle")


def duckdb(threads: int | None) -> Reader:
    import duckdb

    database = duckdb.connect()
    if threads is not None:
        database.execute(f"set threads = {threads}")
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in COLUMNS)
    query = f"""
        select
            arg_max("customTitle", line) filter ("type" = 'custom-title' and "customTitle" <> ''),
            arg_max("aiTitle", line) filter ("type" = 'ai-title' and "aiTitle" <> ''),
            arg_min("cwd", line) filter ("cwd" <> ''),
            min("timestamp") filter ("sessionId" = $session),
            max("timestamp") filter ("sessionId" = $session)
        from (
            select *, row_number() over () as line
            from read_json($path, format = 'newline_delimited', columns = {{{columns}}}, ignore_errors = true,
                           maximum_object_size = 33554432)
        )
    """

    def read(path: Path) -> Answers:
        row = database.execute(query, {"path": str(path), "session": path.stem}).fetchone()
        assert row is not None
        return _answers(*row)

    return read


def polars() -> Reader:
    """Read with polars; POLARS_MAX_THREADS sets the threads when it is imported."""
    import polars
    from polars import col

    schema = polars.Schema({name: polars.String() for name in COLUMNS})

    def read(path: Path) -> Answers:
        lines = polars.scan_ndjson(path, schema=schema, ignore_errors=True)
        own = col("timestamp").filter(col("sessionId") == path.stem)
        asked = lines.select(
            custom=col("customTitle")
            .filter((col("type") == "custom-title") & (col("customTitle") != ""))
            .last(),
            ai=col("aiTitle").filter((col("type") == "ai-title") & (col("aiTitle") != "")).last(),
            cwd=col("cwd").filter(col("cwd") != "").first(),
            first=own.min(),
            last=own.max(),
        )
        return _answers(*asked.collect().row(0))

    return read
