"""Test that a file scanned in ranges gives the same as the file scanned whole, wherever it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import sessscan
from hypothesis import given, settings
from hypothesis import strategies as st
from sessscan import _core
from support import transcripts

pytestmark = pytest.mark.full

NASTY = b"".join(
    [
        b'\xef\xbb\xbf{"type":"summary","summary":"Of this session","leafUuid":"u2"}\n',
        b'{"parentUuid":null,"uuid":"u1","cwd":"/caf\xc3\xa9","timestamp":"2026-01-01T10:00:00.000Z"}\r\n',
        b'\0\0\0\0\n\xef\xbb\xbf{"x":1}\n\r\n\n',
        b'\0\0{"parentUuid":"u1","uuid":"u2","type":"user","message":{"content":"say \\"hi\\u00e9 '
        + "größer \N{ROCKET}".encode()
        + b'"}}\0\0\0\n',
        b'{"type":"custom-title","customTitle":"A {title}"}{"type":"x"}\n',
        b'{"type":"summary","summary":"Of another","leafUuid":"elsewhere"}\n',
        b'{"type":"ai-ti{"type":"ai-title","aiTitle":"Of a model"}\n\xff\xfe\n{"type":"torn',
    ]
)


def part(
    data: bytes, start: int, end: int, *, strict: bool = False, piece: int = 7, version: str = "v"
) -> bytes:
    size = len(data)
    scanner = _core.RangeScanner("s", version=version, size=size, start=start, end=end, strict=strict)
    at = scanner.position
    assert at == max(start - 1, 0)
    while scanner.feed(data[at : at + piece]):
        at += piece
    return scanner.finish()


def joined(data: bytes, cuts: Sequence[int], *, strict: bool = False, piece: int = 7) -> sessscan.Transcript:
    edges = [0, *cuts, len(data)]
    parts = [part(data, start, end, strict=strict, piece=piece) for start, end in pairwise(edges)]
    joiner = _core.PartJoiner(parts[::-1])
    assert (joiner.size, joiner.version, joiner.strict) == (len(data), "v", strict)
    at = 0
    while joiner.in_doubt:
        joiner.feed(memoryview(data)[at : at + piece])
        at += piece
    return joiner.finish()


@pytest.mark.parametrize("strict", [False, True])
def test_two_ranges_cut_at_every_byte(strict: bool) -> None:
    whole = sessscan.scan_bytes(NASTY, session_id="s", strict=strict)
    assert (whole.summary, whole.custom_title, whole.ai_title) == (
        "Of this session",
        "A {title}",
        "Of a model",
    )
    assert {defect.kind for defect in whole.defects} == {
        "glued", "invalid", "invalid-utf8", "nul-run", "spliced", "torn",
    }  # fmt: skip
    for cut in range(1, len(NASTY)):
        assert joined(NASTY, [cut], strict=strict) == whole, cut


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le"])
def test_two_ranges_of_a_file_in_utf16(codec: str) -> None:
    data = NASTY[3:].decode(errors="replace").encode(codec)
    whole = sessscan.scan_bytes(data, session_id="s")
    assert (whole.summary, whole.custom_title) == ("Of this session", "A {title}")
    assert [defect.kind for defect in whole.defects] == ["utf-16"]
    for cut in range(1, len(data), 5):
        assert joined(data, [cut], piece=1 + cut % 90) == whole, cut


def test_three_ranges_cut_at_every_two_bytes() -> None:
    data = NASTY[:60] + NASTY[-90:]
    whole = sessscan.scan_bytes(data, session_id="s")
    for first in range(1, len(data)):
        for second in range(first + 1, len(data)):
            assert joined(data, [first, second], piece=64) == whole, (first, second)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_ranges_of_few_bytes(length: int) -> None:
    """Most ranges lie within a line, and each line covers many of them."""
    whole = sessscan.scan_bytes(NASTY, session_id="s")
    assert joined(NASTY, range(length, len(NASTY), length), piece=50) == whole


@settings(max_examples=150, deadline=None)
@given(
    data=st.one_of(transcripts.transcripts(), transcripts.damaged(), transcripts.mutated()),
    cuts=st.sets(st.floats(0, 1, exclude_max=True), max_size=6),
    piece=st.integers(20, 5_000),
    strict=st.booleans(),
)
def test_generated_transcripts_cut_anywhere(data: bytes, cuts: set[float], piece: int, strict: bool) -> None:
    edges = sorted({int(cut * len(data)) for cut in cuts} - {0})
    assert joined(data, edges, strict=strict, piece=piece) == sessscan.scan_bytes(
        data, session_id="s", strict=strict
    )


def test_a_part_is_small_however_much_was_read() -> None:
    line = b'{"parentUuid":null,"uuid":"01234567-89ab-cdef-0123-456789abcdef","cwd":"/a"}\n'
    data = line * 20_000
    assert len(part(data, 1_000, len(data) - 1_000, piece=100_000)) < 1_000


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], "byte 0 is missing"),
        ([(0, 100), (150, len(NASTY))], "byte 100 is missing"),
        ([(100, len(NASTY))], "byte 0 is missing"),
        ([(0, 100), (100, 150)], "byte 150 is missing"),
        ([(0, 100), (90, len(NASTY))], "not of one file"),
    ],
)
def test_missing_parts_are_refused(parts: list[tuple[int, int]], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        _core.PartJoiner([part(NASTY, *edges) for edges in parts])


def test_parts_of_other_files_are_refused() -> None:
    first, rest = part(NASTY, 0, 99), part(NASTY, 99, len(NASTY))
    assert _core.PartJoiner([rest, first, rest, first]).finish is not None
    for other in (
        part(NASTY, 99, len(NASTY), version="w"),
        part(NASTY, 99, len(NASTY), strict=True),
        part(NASTY + b"\n", 99, len(NASTY) + 1),
    ):
        with pytest.raises(ValueError, match="not of one file"):
            _core.PartJoiner([first, other])
    for damaged, text in (
        (rest[:-1], "damaged"),
        (b"", "no saved state"),
        (_core.Scanner().state(), "no saved"),
    ):
        with pytest.raises(ValueError, match=text):
            _core.PartJoiner([first, damaged])


def test_missing_bytes_are_refused() -> None:
    scanner = _core.RangeScanner("s", version="", size=100, start=10, end=20)
    assert scanner.feed(b"\n{}")
    with pytest.raises(ValueError, match="ended at 12 of the 100"):
        scanner.finish()
    with pytest.raises(ValueError, match="finished"):
        scanner.feed(b"")
    joiner = _core.PartJoiner([part(NASTY, 0, len(NASTY))])
    assert joiner.in_doubt
    joiner.feed(NASTY[:50])
    with pytest.raises(ValueError, match="ended at 50"):
        joiner.finish()


@pytest.mark.parametrize(("start", "end"), [(0, 11), (5, 5), (7, 6), (10, 10)])
def test_impossible_ranges_are_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no range of a file of 10 bytes"):
        _core.RangeScanner("s", version="", size=10, start=start, end=end)


def test_an_empty_file() -> None:
    scanner = _core.RangeScanner(None, version="", size=0, start=0, end=0)
    assert not scanner.feed(b"")
    assert _core.PartJoiner([scanner.finish()]).finish() == sessscan.scan_bytes(b"")
