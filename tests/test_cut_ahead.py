"""Test cutting ahead on other threads: the same pieces, in bounded memory, each error in its place."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from sessscan import _core
from sessscan.keeping import ahead
from sessscan.keeping.ahead import CutAhead, Pieces
from support.rounds import rounds

THREADS = 3


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have as many threads on any machine."""
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: THREADS)


def whole(cutting: CutAhead, path: Path, size: int) -> bytes:
    """Return the bytes of a file, put together from its pieces."""
    data = b""
    while len(data) < size:
        for begin, length, digest, packed in cutting.cut(str(path), len(data), size):
            assert begin == len(data)
            data += _core.unpack(packed, length, digest)
    return data


@rounds(5, thorough=100)
def test_pieces_join_to_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, rounds: int
) -> None:
    monkeypatch.setattr(ahead, "_AMOUNT", 200_000)
    monkeypatch.setattr(ahead, "_FIRST_AMOUNT", 100_000)
    for number in range(rounds):
        dice = Random(seed + number)
        files = [tmp_path / str(name) for name in range(dice.randrange(1, 30))]
        for path in files:
            path.write_bytes(dice.randbytes(dice.choice((0, 1, 1_000, 90_000, 900_000))))
        sizes = {path: path.stat().st_size for path in files}
        with closing(CutAhead((str(path), size) for path, size in sizes.items())) as cutting:
            for path in files:
                if dice.random() < 0.7:  # others turn out to be kept already
                    size = dice.choice((sizes[path], sizes[path] // 2))
                    assert whole(cutting, path, size) == path.read_bytes()[:size]


def test_an_error_is_that_of_its_own_file(tmp_path: Path) -> None:
    files = [tmp_path / str(name) for name in range(9)]
    for path in files[::2]:
        path.write_bytes(b"{}\n")
    with closing(CutAhead((str(path), 3) for path in files)) as cutting:
        for number, path in enumerate(files):
            if number % 2:
                with pytest.raises(FileNotFoundError) as raised:
                    cutting.cut(str(path), 0, 3)
                assert raised.value.filename == str(path)
            else:
                assert whole(cutting, path, 3) == b"{}\n"


def test_only_so_many_wait_although_none_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / str(name) for name in range(200)]
    for path in files:
        path.write_bytes(b"{}\n")
    begun: list[str] = []
    cut, lock = _core.cut, threading.Lock()

    def counted(path: str, begin: int, end: int, amount: int) -> Pieces:
        with lock:
            begun.append(path)
        return cut(path, begin, end, amount)

    monkeypatch.setattr(_core, "cut", counted)
    with closing(CutAhead((str(path), 3) for path in files)) as cutting:
        for number in range(0, len(files), 20):
            cutting.cut(str(files[number]), 0, 3)
            assert len(set(begun) - {str(path) for path in files[: number + 1]}) <= 2 * THREADS
            assert len(cutting._first) <= 2 * THREADS
            own = str(files[number + 1]), 3
            assert own in cutting._first, "what comes next was begun, although others were passed over"
