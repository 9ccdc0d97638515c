"""Measure what durability costs: the writer against the bare calls that it needs.

    python benches/writer.py [--rows N] [--limit RATIO]

Both replace each of N rows of 20 KB and keep the old file. The bare calls: create, write, fsync; link, fsync
the old file, fsync the folder; rename, fsync the folder; without any check before or after, and without an
exchange. The two take turns, row by row, so that other use of the disk slows both down alike. The exit status
is 1 if the writer takes more than RATIO times as long (1.3) three times in a row.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sessscan import _core

NEW, OLD = b"n" * 20_000, bytes(20_000)


def bare(folder: int, row: str) -> None:
    """Make the calls without which a power cut could lose the row or its backup."""
    new = os.open("new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    os.write(new, NEW)
    os.fsync(new)
    os.close(new)
    os.link(row, row + ".bak", src_dir_fd=folder, dst_dir_fd=folder)
    old = os.open(row, os.O_RDONLY, dir_fd=folder)
    os.fsync(old)
    os.close(old)
    os.fsync(folder)
    os.rename("new", row, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def measure(folder: Path, rows: int) -> tuple[list[float], list[float]]:
    """Return the seconds for each row: by the bare calls, and by the writer."""
    for number in range(2 * rows):
        (folder / f"{number}.json").write_bytes(OLD)
    os.sync()
    expected = hashlib.sha256(OLD).hexdigest()
    descriptor = os.open(folder, os.O_RDONLY)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * rows):
        row = f"{number}.json"
        begin = time.perf_counter()
        if number % 2:
            path = str(folder / row)
            _core.replace(path, NEW, expected=expected, backup=path + ".bak")
        else:
            bare(descriptor, row)
        times[number % 2].append(time.perf_counter() - begin)
    os.close(descriptor)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--limit", type=float, default=1.3)
    arguments = parser.parse_args()
    for _ in range(3):
        # Beside this file, since the usual temporary folder may be in memory, where syncs cost nothing.
        with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
            plain, ours = (statistics.median(times) for times in measure(Path(folder), arguments.rows))
        print(
            f"{arguments.rows} rows each, medians: bare {plain * 1e3:.2f} ms a row, the writer "
            f"{ours * 1e3:.2f} ms: {ours / plain:.2f} times"
        )
        if ours <= arguments.limit * plain:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
