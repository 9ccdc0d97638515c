"""`Scanner`: bytes as they come, put away and taken up again."""

from __future__ import annotations

import random

import pytest
import sessscan

LINES = [
    b'{"type":"summary","summary":"Old words","leafUuid":"u2"}\n',
    b'{"parentUuid":null,"uuid":"u1","cwd":"/caf\xc3\xa9","timestamp":"2026-01-01T10:00:00.000Z"}\r\n',
    b'\0\0\0\n{"parentUuid":"u1","uuid":"u2","type":"user","message":{"content":"say \\"\\\\hi\\u00e9"}}\n',
    b'{"type":"custom-title","customTitle":"A {title}"}{"type":"x"}\n',
    b'{"type":"ai-ti{"type":"ai-title","aiTitle":"Of a model"}\n{"type":"torn',
]
DATA = b"".join(LINES)


@pytest.mark.parametrize("strict", [False, True])
def test_pieces_cut_anywhere(strict: bool) -> None:
    whole = sessscan.scan_bytes(DATA, session_id="s", strict=strict)
    assert whole.summary == "Old words" and len(whole.defects) == 4
    for first in range(len(DATA) + 1):
        scanner = sessscan.Scanner("s", strict=strict)
        scanner.feed(DATA[:first])
        scanner = sessscan.Scanner.restore(scanner.state())
        assert scanner.size == first
        scanner.feed(memoryview(bytearray(DATA[first:])))
        assert scanner.finish() == whole


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_in_pieces_cut_anywhere(codec: str) -> None:
    data = ("\ufeff" if codec == "utf-16-le" else "").encode(codec) + DATA.decode().encode(codec)
    whole = sessscan.scan_bytes(data, session_id="s")
    assert (whole.summary, [defect.kind for defect in whole.defects]) == ("Old words", ["utf-16"])
    for first in range(len(data) + 1):
        scanner = sessscan.Scanner("s")
        scanner.feed(data[:first])
        scanner = sessscan.Scanner.restore(scanner.state())
        assert scanner.size == first
        scanner.feed(data[first:])
        assert scanner.finish() == whole


def test_byte_by_byte_and_in_random_pieces() -> None:
    dice = random.Random(1)
    whole = sessscan.scan_bytes(DATA)
    for _ in range(100):
        scanner = sessscan.Scanner()
        at = 0
        while at < len(DATA):
            size = dice.choice([0, 1, 2, 7, 64, 100])
            scanner.feed(DATA[at : at + size])
            at += size
        assert scanner.finish() == whole


def test_a_finished_scanner_refuses_more() -> None:
    scanner = sessscan.Scanner()
    scanner.finish()
    for call in (scanner.finish, scanner.state, lambda: scanner.feed(b"x"), lambda: scanner.size):
        with pytest.raises(ValueError, match="finished"):
            call()


def test_an_invalid_state_is_refused() -> None:
    state = sessscan.Scanner().state()
    for wrong, text in [
        (b"", "no saved state"),
        (state[:-1], "damaged"),
        (state[:-1] + bytes([state[-1] ^ 1]), "damaged"),
        (state.replace(b"state\x04", b"state\x63"), "version 99"),
    ]:
        with pytest.raises(ValueError, match=text):
            sessscan.Scanner.restore(wrong)


def test_only_buffers_are_taken() -> None:
    with pytest.raises(TypeError):
        sessscan.Scanner().feed("text")  # type: ignore[arg-type]
