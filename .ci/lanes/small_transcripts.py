"""Make two damaged transcripts for the lanes, and repair them or take that back.

python small_transcripts.py FOLDER repair|undo
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sessscan.changes.outcome import REPAIR
from sessscan.changes.plan import Plan
from sessscan.changes.undo import undo
from sessscan.errors import RefusedError
from sessscan.model import Action, Edit, Fingerprint

OLD = b'{"type":"user"}{"type":"user"}\n' + bytes(20_000) + b"\n"
NEW = b'{"type":"user"}\n{"type":"user"}\n' + b" " * 20_000 + b"\n"
GLUED = Edit(15, b"", b"\n", "two records on a line")
NEVER_WRITTEN = Edit(31, b"\0", b" ", "bytes that were never written", times=20_000)


class SmallTranscripts:
    """Transcripts in `folder`, with sessscan's state beside them. `SESSSCAN_HOME` is set to that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "projects" / "-home-ada"
        ids = [f"0a1b2c3d-0000-4000-8000-00000000000{number}" for number in range(2)]
        self.paths = [str(self.project / f"{each}.jsonl") for each in ids]
        self.rows = self.paths
        self.user_data = folder / "projects"
        self.replaced = Path(self.paths[0])
        self.make()
        self.old = self.content()
        # The second one keeps its length, so its new file may share the old one's blocks.
        self.new = {self.paths[0]: NEW, self.paths[1]: OLD[:31] + b" " * 20_000 + b"\n"}
        self.names = self.listing()

    def make(self) -> None:
        """Make the transcripts anew, as if they were written long ago, and an empty state."""
        os.environ["SESSSCAN_HOME"] = str(self.folder / "state")
        self.project.mkdir(parents=True)
        for path in self.paths:
            Path(path).write_bytes(OLD)
            os.utime(path, (1, 1))

    def plan(self) -> Plan:
        """Return a plan for those that are still damaged."""
        damaged = [path for path in self.paths if Path(path).read_bytes() == OLD]
        return Plan((), 0, 0, 0, (), tuple(map(self._repair, damaged)), schema=REPAIR)

    def _repair(self, path: str) -> Action:
        edits = (GLUED, NEVER_WRITTEN) if path == self.paths[0] else (NEVER_WRITTEN,)
        status = Path(path).stat()
        seen = Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino)
        name = Path(path).stem
        return Action("repair", path, None, name, path, edits=edits, rests_on=(seen,))

    def content(self) -> dict[str, bytes | None]:
        return {path: Path(path).read_bytes() if Path(path).exists() else None for path in self.paths}

    def program(self, command: str) -> list[str]:
        """Return the arguments of Python for a command."""
        return [__file__, str(self.folder), "undo" if "undo" in command else "repair"]

    def listing(self) -> list[str]:
        return sorted(path.name for path in self.project.iterdir())


def main() -> int:
    folder, command = sys.argv[1:]
    os.environ.setdefault("SESSSCAN_HOME", str(Path(folder) / "state"))
    try:
        if command == "undo":
            undone = undo(force=True)
            if undone is None:
                print("There is no run to take back.")
            return 0 if undone is None else undone.exit_status
        transcripts = SmallTranscripts.__new__(SmallTranscripts)
        project = Path(folder) / "projects" / "-home-ada"
        transcripts.paths = sorted(map(str, project.glob("*.jsonl")))
        report = transcripts.plan().apply(force=True)
        for action in report.actions:
            print(action.path, action.status, action.error)
        return report.exit_status
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
