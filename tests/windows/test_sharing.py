"""The app reads and writes its files while sessscan does; neither is in the other's way."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sessscan
from sessscan.stores.opening import open_stream
from support.program import picture, places, run

if sys.platform == "win32":
    from support import win32

pytestmark = pytest.mark.windows("share flags")

LINE = b'{"type":"user","message":{"role":"user","content":"hello"}}\n'


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """Make a transcript so large that a scan of it takes several reads."""
    path = tmp_path / "0a1b2c3d-0000-4000-8000-000000000000.jsonl"
    path.write_bytes(LINE * 300_000)
    return path


def row(sample: Path, kind: str) -> Path:
    """Return a lost row of the sample store that can be restored."""
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    rules = {finding.path: finding.rule for finding in plan.findings}
    return next(
        Path(action.path)
        for action in plan.actions
        if action.kind == "restore" and rules[action.path] == kind
    )


def truncated(path: Path) -> None:
    win32.truncate(path, len(LINE))
    assert path.stat().st_size == len(LINE)


def deleted(path: Path) -> None:
    path.unlink()  # DeleteFileW, as Node's fs.unlink did before it asked for POSIX semantics


def moved_away(path: Path) -> None:
    win32.replace(path, path.with_suffix(".moved"))
    assert path.with_suffix(".moved").exists()


def written(path: Path) -> None:
    with win32.opened(path, win32.READ | win32.WRITE):
        pass


def replaced(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(LINE)
    if not win32.replace_posix(new, path):
        pytest.skip("needs the rename with POSIX semantics, which wine 8 lacks")
    assert path.read_bytes() == LINE


WRITERS = [truncated, deleted, moved_away, written, replaced]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_transcript_can_be_changed_while_it_is_scanned(
    transcript: Path, write: Callable[[Path], None]
) -> None:
    size, errors = transcript.stat().st_size, []

    def progress(done: int, _: int) -> None:
        if not errors and 0 < done < size:
            try:
                write(transcript)
                errors.append(None)
            except BaseException as error:
                errors.append(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "setswitchinterval", lambda _: None)
        [found] = sessscan.scan_many([transcript], threads=1, progress=progress)
    assert errors, "the scan made no progress that was told"
    if errors[0] is not None:
        raise errors[0]
    assert found.error is None or found.records >= 0


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("follow", [False, True])
def test_a_row_can_be_changed_while_it_is_read(
    tmp_path: Path, write: Callable[[Path], None], follow: bool
) -> None:
    path = tmp_path / "local_a.json"
    path.write_bytes(LINE * 2)
    with open_stream(str(path), follow=follow):
        write(path)


def test_events_do_not_hold_a_transcript(transcript: Path) -> None:
    events = sessscan.events(transcript)
    next(events, None)
    deleted(transcript)


def test_pythons_own_open_is_in_the_way(tmp_path: Path) -> None:
    """Which is why sessscan has another: this is what the tests above would see."""
    path = tmp_path / "local_a.json"
    path.write_bytes(LINE)
    with path.open("rb"), pytest.raises(PermissionError):
        deleted(path)


@pytest.mark.parametrize("access", ["read", "write"])
def test_what_the_app_holds_open_can_be_read(sample: Path, env: dict[str, str], access: str) -> None:
    lost = row(sample, "zero-filled")
    before = run(env, "reconcile", *places(sample), "--format", "json").stdout
    with win32.opened(lost, win32.READ if access == "read" else win32.READ | win32.WRITE):
        assert run(env, "reconcile", *places(sample), "--format", "json").stdout == before


def test_a_row_that_is_held_open_for_a_while_is_put_back(sample: Path) -> None:
    lost = row(sample, "zero-filled")
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    holding, seconds = threading.Event(), 0.7

    def hold() -> None:
        with win32.opened(
            lost, win32.READ, win32.SHARE_READ
        ):  # as a virus scanner may: nobody may replace it
            holding.set()
            time.sleep(seconds)

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait()
    began = time.monotonic()
    report = plan.apply(force=True)
    took = time.monotonic() - began
    holder.join()
    [action] = [action for action in report.actions if action.path == str(lost)]
    assert (action.status, action.error) == ("applied", None)
    assert sessscan.classify(lost).kind == "ok"
    assert took > seconds / 2


def test_a_row_that_is_held_open_for_good_is_told_and_the_others_are_put_back(
    sample: Path, env: dict[str, str]
) -> None:
    lost = row(sample, "zero-filled")
    content = lost.read_bytes()
    with win32.opened(lost, win32.READ, win32.SHARE_READ):
        result = run(env, "reconcile", *places(sample), "--apply", "--force")
    assert result.returncode == 4, result.stderr
    assert lost.read_bytes() == content
    text = " ".join((result.stdout + result.stderr).split())
    assert lost.name in text and ("Access" in text or "another process" in text or "Sharing" in text)
    assert not [name for name in picture(sample / "Claude") if ".sessscan" in name]
    again = run(env, "reconcile", *places(sample), "--apply", "--force")
    assert again.returncode in (0, 1) and sessscan.classify(lost).kind == "ok"


@pytest.mark.parametrize("kind", ["zero-filled", "truncated"])
def test_a_read_only_row_is_told_at_once(sample: Path, env: dict[str, str], kind: str) -> None:
    lost = row(sample, kind)
    content = lost.read_bytes()
    win32.set_attributes(lost, win32.READ_ONLY)
    try:
        plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
        report = plan.apply(force=True)
        [action] = [action for action in report.actions if action.path == str(lost)]
        assert action.status == "failed" and "read-only" in (action.error or "")
        assert lost.read_bytes() == content and win32.attributes(lost) & win32.READ_ONLY
        assert not [name for name in picture(sample / "Claude") if ".sessscan" in name]
        assert report.exit_status == 4
    finally:
        win32.set_attributes(lost, 0)
    again = sessscan.reconcile([sample / "Claude"], [sample / "projects"]).apply(force=True)
    assert [a.status for a in again.actions if a.path == str(lost)] == ["applied"]


def test_a_hidden_row_is_put_back(sample: Path) -> None:
    lost = row(sample, "zero-filled")
    win32.set_attributes(lost, win32.HIDDEN)
    report = sessscan.reconcile([sample / "Claude"], [sample / "projects"]).apply(force=True)
    assert [action.status for action in report.actions if action.path == str(lost)] == ["applied"]
