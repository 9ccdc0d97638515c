"""Files whose content is in the cloud: nothing fetches them, and what that means is told.

No test can make such a file: the attributes come from a cloud's own driver. So Windows' answer to the core is
changed on its way, and every read of such a file is noted.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sessscan
from support.program import picture

if sys.platform == "win32":
    from ctypes import wintypes

    from support import hooks

pytestmark = pytest.mark.windows("files in the cloud")

ONLINE_ONLY = 0x1000 | 0x40_0000 | 0x200  # OFFLINE, RECALL_ON_DATA_ACCESS, SPARSE_FILE: as OneDrive's are


class Cloud:
    """The files whose content counts as in the cloud, and those of them that were read."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.read: list[str] = []

    def holds(self, handle: int) -> str | None:
        """Return the file's path if it is one of them."""
        buffer = ctypes.create_unicode_buffer(32_768)
        length = ctypes.windll.kernel32.GetFinalPathNameByHandleW(wintypes.HANDLE(handle), buffer, 32_768, 0)
        path = os.path.normcase(buffer.value.removeprefix("\\\\?\\")) if length else ""
        return path if path in self.files else None

    def add(self, path: Path) -> Path:
        self.files.add(os.path.normcase(path))
        return path


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Let the core see the attributes of cloud files, and note what it reads of them."""
    cloud = Cloud()
    information = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
    reading = ctypes.WINFUNCTYPE(ctypes.c_long, wintypes.HANDLE, *8 * (ctypes.c_void_p,))

    def attributes(real: object) -> object:
        def answer(handle: int, told: object) -> int:
            done = real(handle, told)  # type: ignore[operator]
            if done and cloud.holds(handle):
                told[0] |= ONLINE_ONLY  # type: ignore[index]
            return int(done)

        return answer

    def noted(real: object) -> object:
        def answer(handle: int, *rest: object) -> int:
            if (path := cloud.holds(handle)) is not None:
                cloud.read.append(path)
            return int(real(handle, *rest))  # type: ignore[operator]

        return answer

    with ExitStack() as stack:
        stack.enter_context(hooks.replaced("GetFileInformationByHandle", information, attributes))
        stack.enter_context(hooks.replaced("NtReadFile", reading, noted))
        yield cloud


def restorable(sample: Path) -> Path:
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    return next(Path(action.path) for action in plan.actions if action.kind == "restore")


def test_the_hooks_see_what_is_read(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "0a1b2c3d-0000-4000-8000-000000000000.jsonl"
    path.write_bytes(b'{"type":"user"}\n')
    cloud.files.add("")
    assert sessscan.scan(path).records == 1 and cloud.read == []
    cloud.add(path)
    with pytest.raises(OSError, match="in the cloud"):
        sessscan.scan(path)


def test_a_scan_says_that_it_is_in_the_cloud(cloud: Cloud, sample: Path) -> None:
    paths = sorted((sample / "projects").glob("*/*.jsonl"))
    cloud.add(paths[3])
    found = sessscan.scan_many(paths)
    assert [transcript.path for transcript in found if transcript.error] == [str(paths[3])]
    assert "Always keep on this device" in str(found[3].error) and found[3].error is not None
    assert found[3].error.filename == str(paths[3])
    assert cloud.read == []


def test_a_dry_run_fetches_no_row_and_says_so(cloud: Cloud, sample: Path) -> None:
    rows = sorted((sample / "Claude").rglob("local_*.json"))
    healthy = next(row for row in rows if sessscan.classify(row).kind == "ok")
    lost = restorable(sample)
    before = picture(sample)
    cloud.add(healthy)
    cloud.add(lost)
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    for path in (lost, healthy):
        [message] = [f.message for f in plan.findings if f.path == str(path) and f.rule == "unreadable"]
        assert "in the cloud" in message
        assert not [a for a in plan.actions if a.path == str(path) and a.kind == "restore"]
    plan.apply(force=True)
    assert cloud.read == []
    assert picture(sample)[str(lost.relative_to(sample))] == before[str(lost.relative_to(sample))]


def test_a_transcript_in_the_cloud_holds_what_may_be_its(cloud: Cloud, sample: Path) -> None:
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    action = next(a for a in plan.actions if a.kind == "restore" and a.transcript)
    assert action.transcript is not None
    cloud.add(Path(action.transcript))
    again = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    [now] = [a for a in again.actions if a.path == action.path]
    assert now.kind == "hold"
    assert cloud.read == []
    cloud.files.clear()
    after = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    assert [a.kind for a in after.actions if a.path == action.path] == ["restore"]
