"""Test that a watch keeps a thousand sessions that grow at once, in memory that does not grow with them."""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path
from random import Random

import psutil
import pytest
import sessscan
from sessscan.keeping.select import kept_sizes
from support.rounds import rounds
from support.watching import watching

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.posix("signals of another kind")]

TIMES, GROWTH = 3, 20_000
MEBIBYTES = 24
"""Less than half of the 57 MiB that a thousand sessions append."""


@rounds(100, thorough=1_000)
def test_many_sessions_that_grow_at_once_are_kept_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    dice = Random(4)
    folder = tmp_path / "projects" / "-home-ada"
    folder.mkdir(parents=True)
    paths = [folder / f"{uuid.UUID(int=dice.getrandbits(128), version=4)}.jsonl" for _ in range(rounds)]
    for path in paths:
        path.write_bytes(b'{"type":"mode"}\n')

    def kept() -> bool:
        sizes = kept_sizes()
        return all(sizes.get(str(path)) == path.stat().st_size for path in paths)

    (tmp_path / "Claude" / "claude-code-sessions").mkdir(parents=True)
    places = ("--store", tmp_path / "Claude", "--projects", folder.parent, "--transcripts")
    with watching({**os.environ}, *places) as watch:
        watch.until(kept)
        process = psutil.Process(watch.process.pid)
        before = process.memory_info().rss
        for _ in range(TIMES):
            for path in paths:
                with path.open("ab") as file:
                    file.write(b'{"type":"user","text":"%s"}\n' % dice.randbytes(GROWTH // 2).hex().encode())
            began = time.monotonic()
            watch.until(kept)
            grew = (process.memory_info().rss - before) / (1 << 20)
            print(f"kept after {time.monotonic() - began:.1f} s, {grew:.1f} MiB more than at first")
            assert grew < MEBIBYTES
        assert watch.end(signal.SIGTERM) == 0
    for path in dice.sample(paths, 50):
        assert b"".join(sessscan.transcript_versions(path)[0].pieces()) == path.read_bytes()
