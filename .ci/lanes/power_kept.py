"""Keep transcripts while the power may fail, and compare what is kept afterwards with what was reported.

    python power_kept.py FOLDER MARK ROUNDS STYLE

In each round the transcripts in FOLDER grow, or are rewritten, and `sessscan.snapshot_transcripts` keeps
them. The file MARK gets a line before that and another after it. Nobody syncs the transcripts themselves.
STYLE is `kept`, or `kept-no-sync`, the control whose database syncs nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

TRANSCRIPTS = 3
REWRITTEN = 4
"""After so many rounds a transcript is rewritten instead of appended to."""


def session(number: int) -> str:
    """Return a session's id; two of the three have the same first digit, and share a file of the state."""
    return f"{number // 2}{number}1b2c3d-0000-4000-8000-000000000000"


def content(number: int, step: int) -> bytes:
    """Return what a transcript holds after a step: a line of its own in front since it was last rewritten."""
    since = step // REWRITTEN * REWRITTEN
    lines = [b'{"type":"mode","mode":"%d"}\n' % since, _lines(f"{number}", 150_000)]
    lines += [_lines(f"{number} {each}", 20_000) for each in range(since, step + 1)]
    return b"".join(lines)


def _lines(seed: str, size: int) -> bytes:
    dice, made = Random(seed), bytearray()
    while len(made) < size:
        made += b'{"type":"user","text":"%s"}\n' % dice.randbytes(200).hex().encode()
    return bytes(made)


def violations(folder: Path, events: Iterable[object]) -> Iterator[str]:
    """Yield what of that which was reported is not kept, and what is kept that never was."""
    import sessscan

    os.environ["SESSSCAN_HOME"] = str(folder / "state")
    marks = [event.split() for event in events if isinstance(event, str)]
    reported = {int(step) for phase, kind, step, _ in marks if (phase, kind) == ("done", "kept")}
    begun = {int(step) for _, kind, step, _ in marks if kind == "kept"}
    try:
        yield from sessscan.verify_snapshots()
        for number in range(TRANSCRIPTS):
            try:
                versions = sessscan.transcript_versions(session(number))
            except sessscan.UnknownSnapshotError:
                versions = []
            kept = {b"".join(version.pieces()) for version in versions}
            possible = {content(number, step): step for step in begun}
            for data in kept - possible.keys():
                yield f"transcript {number} has a version of {len(data)} bytes that it never was"
            missing = reported - {possible[data] for data in kept & possible.keys()}
            if missing:
                steps = sorted(missing)
                yield f"transcript {number} as it was in steps {steps} was reported as kept, and is not"
    except sessscan.SnapshotError as error:
        yield str(error)


def main() -> None:
    place, mark, rounds, style = sys.argv[1:]
    os.environ["SESSSCAN_HOME"] = str(Path(place, "state"))
    import sessscan
    from sessscan.keeping import database, store

    if style == "kept-no-sync":
        each_time = ("synchronous=OFF", *database.LAYOUT.each_time[1:])
        store.LAYOUT = dataclasses.replace(database.LAYOUT, each_time=each_time)
    marks = os.open(mark, os.O_WRONLY)

    def say(text: str) -> None:
        os.write(marks, text.encode() + b"\n")

    folder = Path(place, "projects", "-home-ada")
    folder.mkdir(parents=True)
    paths = [folder / f"{session(number)}.jsonl" for number in range(TRANSCRIPTS)]
    for step in range(int(rounds)):
        for number, path in enumerate(paths):
            data = content(number, step)
            if step % REWRITTEN:
                with path.open("ab") as file:
                    file.write(data[path.stat().st_size :])
            else:
                path.write_bytes(data)
        say(f"start kept {step} 0")
        report = sessscan.snapshot_transcripts(folder.parent)
        assert len(report.kept) == TRANSCRIPTS, report
        say(f"done kept {step} 0")
    with contextlib.suppress(OSError):
        say("end all 0 0")


if __name__ == "__main__":
    main()
