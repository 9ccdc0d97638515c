"""Read the responses of transcripts, each once, although the CLI writes it several times.

The CLI writes a record for each part of a response (a text, a thinking block, a call), each with the usage
that was known then: those written while the response still streamed count fewer output tokens than the last.
A resumed session begins with copies of another's records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from ..tables.fields import fields
from .files import TokenFile

SELECT = {
    "time": "timestamp:time",
    "message": "message.id:str",
    "request": "requestId:str",
    "uuid": "uuid:str",
    "session": "sessionId:str",
    "cwd": "cwd:str",
    "model": "message.model:str",
    "sidechain": "isSidechain:bool",
    "input": "message.usage.input_tokens:int",
    "output": "message.usage.output_tokens:int",
    "cache_creation": "message.usage.cache_creation_input_tokens:int",
    "cache_creation_5m": "message.usage.cache_creation.ephemeral_5m_input_tokens:int",
    "cache_creation_1h": "message.usage.cache_creation.ephemeral_1h_input_tokens:int",
    "cache_read": "message.usage.cache_read_input_tokens:int",
}
"""What is read of each record, in this order. The usage is the API's own, as it counts it."""


SYNTHETIC = "<synthetic>"
"""The model of records that the CLI makes itself, such as the message of an error."""


class Tokens(NamedTuple):
    """Tokens by kind, as the API's `usage` counts them: the kinds do not overlap, but for the lifetimes."""

    input: int = 0
    """Without those that were written to the cache or read from it."""
    output: int = 0
    cache_creation: int = 0
    """Written to the cache, for any lifetime."""
    cache_creation_5m: int = 0
    """Those of `cache_creation` that are kept five minutes; 0 where the record does not tell."""
    cache_creation_1h: int = 0
    cache_read: int = 0


class Response(NamedTuple):
    """One response of the API."""

    time: int | None
    """When its first record was written, in epoch ms UTC; None where no record has a time."""
    file: TokenFile
    """Where it was written first."""
    session: str | None
    model: str | None
    of_subagent: bool
    cwd: str | None
    first: Tokens
    """As its first record counts."""
    final: Tokens
    """As the record with the most output counts: the usage of a stream is cumulative."""


_Row = tuple[Any, ...]
"""A record as it was read: its path and line, and the values of `SELECT` in that order."""
_LINE, _TIME, _MODEL, _INPUT, _OUTPUT = 1, 2, 8, 10, 11


@dataclass(slots=True)
class _InFile:
    """The records of a response in one file."""

    file: int
    first: _Row
    final: _Row

    def add(self, row: _Row) -> None:
        """Take another record into account."""
        if row[_LINE] < self.first[_LINE]:
            self.first = row
        if (row[_OUTPUT] or 0) > max(self.final[_OUTPUT] or 0, 0):
            self.final = row


@dataclass(slots=True)
class _Span:
    """The first and the last time of a file's responses."""

    first: int | None = None
    last: int | None = None

    def extend(self, time: int) -> None:
        if self.first is None or time < self.first:
            self.first = time
        if self.last is None or time > self.last:
            self.last = time


@dataclass
class Responses:
    """The responses of some files, and what could not be read."""

    responses: list[Response] = field(default_factory=list)
    """In the order in which they were found."""
    errors: list[OSError] = field(default_factory=list)
    """Why a file could not be read, or not to its end."""
    other_types: int = 0
    """Counts of tokens that are no numbers of 64 bits, and count as absent."""
    defect_count: int = 0
    """Damaged places in the files: the records on them that are whole count."""


_Key = tuple[str, str | None]


def read_responses(
    files: Sequence[TokenFile],
    *,
    threads: int | None = None,
) -> Responses:
    """Return each response in the files once: those of one message id and request id are one.

    A record without a message id is a response of its own, however often its uuid was copied. Of two files
    with the same response the one counts whose record is older, then the one that began earlier, then the one
    that ended earlier: a resumed session goes on longer than the one that it copied.
    """
    found = Responses()
    spans: dict[int, _Span] = defaultdict(_Span)
    copies: dict[_Key, list[_InFile]] = {}
    for number, row in _rows(files, found, threads):
        _, line, time, message, request, uuid = row[:6]
        if time is not None:
            spans[number].extend(time)
        if message is not None:
            key: _Key = ("m" + message, request)
        else:
            key = (f"u{uuid}", None) if uuid is not None else (f"l{line}", files[number].path)
        known = copies.get(key)
        if known is None:
            copies[key] = [_InFile(number, row, row)]
        elif known[-1].file == number:  # the files are read one after the other
            known[-1].add(row)
        else:
            known.append(_InFile(number, row, row))
    found.responses = [_response(of, files, spans) for of in copies.values()]
    return found


def _rows(
    files: Sequence[TokenFile],
    found: Responses,
    threads: int | None,
) -> Iterator[tuple[int, _Row]]:
    """Yield each record that counts tokens of the API, with the number of its file."""
    number_of = {file.path: number for number, file in enumerate(files)}
    table = fields(
        list(number_of),
        SELECT,
        where={"type": "assistant"},
        path=True,
        line=True,
        errors="skip",
        threads=threads,
    )
    for row in chain.from_iterable(table.rows()):
        if (row[_INPUT] is not None or row[_OUTPUT] is not None) and row[_MODEL] != SYNTHETIC:
            yield number_of[row[0]], row
    found.errors.extend(table.skipped)
    found.other_types = sum(table.other_types[name] for name in table.other_types if name in Tokens._fields)
    found.defect_count = table.defect_count


def _response(copies: list[_InFile], files: Sequence[TokenFile], spans: dict[int, _Span]) -> Response:
    last = float("inf")

    def age(copy: _InFile) -> tuple[float, float, float, str]:
        span = spans.get(copy.file, _Span())
        times = (copy.first[_TIME], span.first, span.last)
        one, two, three = (last if time is None else time for time in times)
        return one, two, three, files[copy.file].path

    oldest = min(copies, key=age) if len(copies) > 1 else copies[0]
    file = files[oldest.file]
    _, _, time, _, _, _, session, cwd, model, sidechain, *counts = oldest.first
    first = _tokens(counts)
    if len(copies) == 1 and oldest.final is oldest.first:
        final = first
    else:
        final = max((_tokens(copy.final[_INPUT:]) for copy in copies), key=lambda tokens: tokens.output)
    return Response(
        time,
        file,
        file.session or (session.lower() if session else None),
        model,
        file.of_subagent or sidechain is True,
        cwd,
        first,
        final,
    )


def _tokens(counts: Iterable[int | None]) -> Tokens:
    """Return counts of which those that are absent or below 0 are 0."""
    return Tokens._make([count if count is not None and count > 0 else 0 for count in counts])
