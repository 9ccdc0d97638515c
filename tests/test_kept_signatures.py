"""Whether a transcript changed since it was kept is told alike by the core and, plainly, by Python."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest
import sessscan
from sessscan import _core
from sessscan.keeping import capture
from sessscan.keeping.read import Signature, Stamp
from support.rounds import rounds


def _known(dice: Random, path: Path, signature: Signature) -> str | None:
    """Return what may have been known of a file: its signature, that of another time, or something odd."""
    text = signature.of(Stamp.of(str(path)), time.time_ns() + dice.choice((0, 10**10, 10**13)))
    parts = text.split(":", 4)
    match dice.randrange(9):
        case 0:
            at = dice.randrange(5)
            parts[at] = dice.choice(("", "0", "-1", "another", "x", str(dice.randrange(1 << 70))))
        case 1:
            parts = parts[: dice.randrange(5)]
        case 2:
            return None
    return ":".join(parts)


@rounds(40, thorough=500)
@pytest.mark.posix("elsewhere the core leaves all to Python")
def test_the_core_and_python_tell_alike_what_has_changed(tmp_path: Path, rounds: int) -> None:
    dice, told = Random(1), 0
    signatures = [Signature(boot) for boot in ("this", "another", "")]
    for number in range(rounds):
        folder = tmp_path / f"\udcff{number}"
        folder.mkdir()
        paths = [folder / f"{n}.jsonl" for n in range(8)]
        for path in paths:
            path.write_bytes(dice.randbytes(dice.randrange(3)))
            times = dice.choice((10**18, 10**18 + 1, -(10**12) - 7, 0))
            os.utime(path, ns=(times, times))
        known = [_known(dice, path, dice.choice(signatures)) for path in paths]
        for path in dice.sample(paths, 2):
            path.write_bytes(dice.randbytes(dice.randrange(3)))
        paths[0].unlink()
        signature = dice.choice(signatures)
        expected = [
            at
            for at, path in enumerate(paths)
            if not path.exists() or not signature.fits(known[at], Stamp.of(str(path)))
        ]
        folders = [(str(folder), [path.name for path in paths], known)]
        assert _core.changed(folders, signature.boot) == [expected]
        told += len(paths) - len(expected)
    assert told > rounds, "some must be unchanged"


def test_there_are_as_many_signatures_as_names() -> None:
    with pytest.raises(ValueError, match="as many"):
        _core.changed([("/", ["a"], [])], "this")


def test_a_change_that_keeps_size_and_mtime_is_seen(tmp_path: Path) -> None:
    """Also on Windows, where `st_ctime` is the time of birth."""
    folder = tmp_path / "projects" / "-a"
    folder.mkdir(parents=True)
    path = folder / "00000000-0000-4000-8000-000000000000.jsonl"
    path.write_bytes(b'{"n":1}\n')
    status = path.stat()
    time.sleep(0.05)
    for data in (b'{"n":1}\n', b'{"n":2}\n'):
        path.write_bytes(data)
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        time.sleep(0.05)
        sessscan.snapshot_transcripts(tmp_path / "projects")
    versions = sessscan.transcript_versions(path)
    assert [b"".join(version.pieces()) for version in versions] == [b'{"n":2}\n', b'{"n":1}\n']


def test_a_transcript_that_cannot_be_looked_at_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "projects" / "-a"
    folder.mkdir(parents=True)
    paths = [folder / f"{digit}0000000-0000-4000-8000-000000000000.jsonl" for digit in "001"]
    for path in paths:
        path.write_bytes(b"{}\n")
    look = Stamp.of

    def refused(path: str) -> Stamp:
        if path == str(paths[0]):
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(capture.Stamp, "of", refused)
    report = sessscan.snapshot_transcripts(tmp_path / "projects")
    assert report.failed == [(str(paths[0]), "Permission denied")] and report.kept == [str(paths[2])]
    assert report.exit_status == 4
