"""Write with the core's writer while the power may fail, and record each step in a file.

    python power_workload.py FOLDER MARK ROUNDS STYLE

The file MARK gets a line before each step and another after the writer has returned. STYLE is `writer` (all
kinds of steps), `no-sync` (the steps of the controls without a sync: replace and append), or `in-place` (the
control that overwrites files).
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

ROWS = 3
TRANSCRIPT = "0a1b2c3d-0000-4000-8000-000000000000.jsonl"


def content(row: int, version: int) -> bytes:
    """Return a row's content: longer than a block and different for each version."""
    return f"row {row} version {version} ".encode() * 400


def transcript(version: int) -> bytes:
    """Return a transcript of several blocks, whose version is in its middle.

    Every other version is as long as the one before: then the new file shares blocks where it can.
    """
    filler = b"x" * 15_000
    return filler + (b"%06d!" if version % 4 in (1, 2) else b"%06d") % version + filler


def edit(version: int) -> tuple[int, bytes, bytes, int]:
    """Return the edit that makes this version of the one before."""
    old, new = (transcript(each)[15_000:-15_000] for each in (version - 1, version))
    return 15_000, old, new, 1


def name(row: int) -> str:
    return f"local_{row}.json"


def backup(row: int, version: int) -> str:
    """Return the name of the backup of `version`, which the next version replaces."""
    return f"{name(row)}.corrupted-bak.{version}"


def transcript_backup(version: int) -> str:
    """Return the name of the backup of this version of the transcript."""
    return f"{TRANSCRIPT}.corrupted-bak.{version}"


def main() -> None:
    folder, mark, rounds, style = sys.argv[1:]
    # Imported alone and late, because each import takes time under strace.
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
        # Other programs sync files all the time; here the journal stands for them.
        say(f"start journal {step} 0")
        _core.append_durable("journal", f"{step}\n".encode())
        say(f"done journal {step} 0")
        if style == "writer":
            version = step + 1
            status = Path(TRANSCRIPT).stat()
            seen = (status.st_size, status.st_mtime_ns, status.st_ino)
            say(f"start transcript {version} 0")
            _core.edit(TRANSCRIPT, [edit(version)], seen=seen, backup=transcript_backup(version - 1))
            say(f"done transcript {version} 0")
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
