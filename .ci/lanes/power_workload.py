"""What runs while the power may fail: the core's own writer, and what it says to have done.

    python power_workload.py FOLDER MARK ROUNDS STYLE

Each step is announced and, when the writer has come back, acknowledged in the file MARK. STYLE `writer` is
the whole of it, `no-sync` what the controls need that take a sync away from it, `in-place` what it must
not be.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

ROWS = 3


def content(row: int, version: int) -> bytes:
    """A row's content: longer than a block, and no two versions alike."""
    return f"row {row} version {version} ".encode() * 400


def name(row: int) -> str:
    return f"local_{row}.json"


def backup(row: int, version: int) -> str:
    """Where `version` is kept when the next one replaces it."""
    return f"{name(row)}.corrupted-bak.{version}"


def main() -> None:
    folder, mark, rounds, style = sys.argv[1:]
    # The controls need no more of the package than this, and every import costs time under strace.
    from sessscan import _core

    marks = os.open(mark, os.O_WRONLY)

    def say(text: str) -> None:
        os.write(marks, text.encode() + b"\n")

    os.chdir(folder)
    versions = [0] * ROWS
    for step in range(int(rounds)):
        row = step % ROWS
        old = versions[row]
        new = versions[row] = old + 1
        say(f"start row {row} {new}")
        if style == "in-place":
            Path(name(row)).write_bytes(content(row, new))
        else:
            _core.replace(name(row), content(row, new), expected=content(row, old), backup=backup(row, old))
        say(f"done row {row} {new}")
        # Somebody syncs something all the time; here it is the journal.
        say(f"start journal {step} 0")
        _core.append_durable("journal", f"{step}\n".encode())
        say(f"done journal {step} 0")
        if style == "writer" and step % 4 == 3:
            made = f"local_made_{step}.json"
            say(f"start made {step} 0")
            _core.replace(made, content(9, step), expected=_core.ABSENT)
            say(f"done made {step} 0")
        if style == "writer" and step % 8 == 7:
            say(f"start removed {step} 0")
            _core.remove(f"local_made_{step}.json", expected=content(9, step))
            say(f"done removed {step} 0")
    with contextlib.suppress(OSError):
        say("end all 0 0")


if __name__ == "__main__":
    main()
