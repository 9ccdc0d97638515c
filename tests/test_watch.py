"""Run `sessscan watch` as a process while other processes save, damage and delete rows."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psutil
import pytest
import sessscan
from sessscan import classify
from sessscan.model import WatchEvent
from sessscan.snapshots.store import Snapshots
from sessscan.stores.locate import user_data_folders
from sessscan.watching.watch import watch as watch_stores
from support.program import picture, places, run
from support.watching import Watching, damage, watching

pytestmark = [
    pytest.mark.full,
    pytest.mark.posix("signals of another kind"),
]


@pytest.fixture
def store(sample: Path) -> Path:
    [folder] = (sample / "Claude" / "claude-code-sessions").glob("*/*")
    return folder


@pytest.fixture
def rows(store: Path) -> list[Path]:
    """Return the paths of the healthy rows."""
    return [path for path in sorted(store.glob("local_*.json")) if classify(path).kind == "ok"]


def save(path: Path, title: str) -> bytes:
    """Save a row as the app does: write a new file and rename it over the old one. Return its content."""
    content = json.dumps({**json.loads(path.read_bytes()), "title": title}).encode()
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_bytes(content)
    fresh.replace(path)
    return content


# What is reported


def test_damage_is_reported_and_a_deletion_in_the_app_is_not(
    env: dict[str, str], sample: Path, store: Path, rows: list[Path]
) -> None:
    cut, zeroed, gone, deleted, *_ = rows
    with watching(env, *places(sample)) as watch:
        times = {
            "truncated": (cut, damage("truncate", cut)),
            "zero-filled": (zeroed, damage("zero", zeroed)),
            "missing": (gone, damage("remove", gone)),
        }
        damage("delete", deleted)
        for rule, (path, moment) in times.items():
            event = watch.event("finding", path)
            assert event["rule"] == rule and event["severity"] == "error"
            assert event["session_id"] == path.stem
            assert event["message"]
            assert 0 <= event["time"] / 1000 - moment < 10  # two seconds on an idle machine
        assert watch.events_of("finding", zeroed)[0]["length"] == zeroed.stat().st_size
        last = rows[4]  # once this later one is reported, no earlier event is still to come
        damage("remove", last)
        watch.event("finding", last)
        assert not watch.events_of("finding", deleted)
        assert all(len(watch.events_of("finding", path)) == 1 for path, _ in times.values())
        cut.write_bytes(json.dumps({"sessionId": cut.stem, "createdAt": 1, "lastActivityAt": 2}).encode())
        assert "again" in watch.event("resolved", cut)["message"]
        damage("zero", cut)
        watch.until(lambda: len(watch.events_of("finding", cut)) == 2)
        # A tombstone that is written late.
        (store / f"deleted_{gone.stem.removeprefix('local_')}").write_text("1790000000000")
        assert "deleted" in watch.event("resolved", gone)["message"]
        assert watch.end(signal.SIGTERM) == 0
    # The snapshots remember which sessions were deleted, since the app may remove its tombstones.
    with Snapshots.open(Path(env["SESSSCAN_HOME"])) as snapshots:
        names = snapshots.deleted_by_name(store)
    assert names[deleted.name] and names[gone.name] and not names[last.name]


def test_rows_that_are_lost_already_are_reported_at_the_start(
    env: dict[str, str], sample: Path, rows: list[Path]
) -> None:
    assert run(env, "snapshot", "--store", sample / "Claude").returncode == 0
    damage("remove", rows[0])
    damage("delete", rows[1])
    findings = json.loads(run(env, "reconcile", *places(sample), "--format", "json").stdout)["findings"]
    errors = {finding["path"]: finding["rule"] for finding in findings if finding["severity"] == "error"}
    assert errors[str(rows[0])] == "missing" and str(rows[1]) not in errors and len(errors) > 5
    with watching(env, *places(sample)) as watch:
        for path in errors:
            watch.event("finding", Path(path))
        assert watch.end(signal.SIGTERM) == 0
        assert {event["path"]: event["rule"] for event in watch.events} == errors


def test_rows_are_kept_as_they_are_saved_and_saving_is_not_reported(
    env: dict[str, str], sample: Path, rows: list[Path]
) -> None:
    row, other = rows[:2]
    with watching(env, *places(sample)) as watch:
        for number in range(8):
            content = save(row, f"save {number}")
            # A write in place: for a moment the row is empty, then half written.
            other.write_bytes(b"")
            time.sleep(0.02)
            other.write_bytes(content[: len(content) // 2])
            time.sleep(0.02)
            other.write_bytes(content.replace(row.stem.encode(), other.stem.encode()))
            time.sleep(0.05)
        with Snapshots.open(Path(env["SESSSCAN_HOME"])) as snapshots:
            for path in (row, other):
                watch.until(lambda path=path: snapshots.versions(path)[0].data == path.read_bytes())
        held = {file.path for file in psutil.Process(watch.process.pid).open_files()}
        assert held and not {str(path) for path in rows} & held  # the database is open, no row is
        damage("remove", rows[2])
        watch.event("finding", rows[2])
        assert not watch.events_of("finding", row) and not watch.events_of("finding", other)
        assert watch.end(signal.SIGTERM) == 0


def test_control_characters_in_names_do_not_reach_the_terminal(env: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "st\x1b[31more"
    store.mkdir()
    (store / "local_1\x1b[2J\n.json").write_bytes(bytes(9))
    command = [sys.executable, "-m", "sessscan", "watch", "--store", str(store)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            rest, remarks = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "zero-filled" in line and "local_1\\x1b[2J\\x0a.json" in line
    assert "\x1b" not in line + rest + remarks and rest == ""


# Folders that appear and vanish


def test_a_vanished_folder_is_reported_once_and_watched_again_when_it_is_back(
    env: dict[str, str], sample: Path, store: Path, rows: list[Path]
) -> None:
    aside = sample / "elsewhere"
    with watching(env, *places(sample)) as watch:
        (sample / "Claude").rename(aside)  # the system does not report that a parent is renamed
        event = watch.event("finding", store)
        assert event["rule"] == "missing" and event["session_id"] is None
        assert not any(watch.events_of("finding", path) for path in rows)
        (aside / rows[0].relative_to(sample / "Claude")).unlink()
        aside.rename(sample / "Claude")
        watch.event("resolved", store)
        assert watch.event("finding", rows[0])["rule"] == "missing"
        shutil.copytree(store, aside)
        shutil.rmtree(store)
        watch.until(lambda: len(watch.events_of("finding", store)) == 2)
        shutil.copytree(aside, store)
        watch.until(lambda: len(watch.events_of("resolved", store)) == 2)
        damage("truncate", rows[1])
        assert watch.event("finding", rows[1])["rule"] == "truncated"
        assert watch.end(signal.SIGTERM) == 0


def test_a_store_that_does_not_exist_yet_is_watched_once_it_is_created(
    env: dict[str, str], tmp_path: Path, rows: list[Path]
) -> None:
    user_data = Path(user_data_folders(sys.platform, env, env["HOME"])[0])
    store = user_data / "claude-code-sessions" / "account" / "organisation"
    with watching(env) as watch:
        assert "there is none yet" in watch.remark("watching")
        store.mkdir(parents=True)
        row = store / rows[0].name
        row.write_bytes(rows[0].read_bytes())
        with Snapshots.open(Path(env["SESSSCAN_HOME"])) as snapshots:
            watch.until(lambda: snapshots.versions(row))
        damage("zero", row)
        watch.event("finding", row)
        other = store.parent / "another" / rows[1].name
        other.parent.mkdir()
        other.write_bytes(b"")
        assert watch.event("finding", other)["rule"] == "empty"
        assert watch.end(signal.SIGTERM) == 0


def test_folders_are_scanned_where_the_system_cannot_report_changes(
    env: dict[str, str], sample: Path, rows: list[Path]
) -> None:
    with watching({**env, "WATCHFILES_FORCE_POLLING": "1"}, *places(sample)) as watch:
        damage("truncate", rows[0])
        watch.event("finding", rows[0])


# The notify command


def test_the_command_gets_each_finding_and_does_not_delay_the_watch(
    env: dict[str, str], sample: Path, store: Path, rows: list[Path], tmp_path: Path
) -> None:
    for path in store.glob("local_*.json"):
        if path not in rows:
            path.unlink()
    script = tmp_path / "notify it.py"
    script.write_text(
        "import sys, time\n"
        "text = sys.stdin.read()\n"
        "with open(sys.argv[1], 'a') as file: file.write(text)\n"
        "print('not among the results')\n"
        "time.sleep(2)\n"
        "sys.exit(7)\n"
    )
    out = tmp_path / "notes; $(exit)"
    command = shlex.join([sys.executable, str(script), str(out)])
    with watching(env, *places(sample), "--notify", command) as watch:
        for path in rows[:2]:
            damage("truncate", path)
        for path in rows[:2]:
            watch.event("finding", path)
        watch.remark("the command failed with status 7")
        watch.until(lambda: out.read_text().count("\n") == 2)
        assert watch.end(signal.SIGTERM) == 0
        notes = [json.loads(line) for line in out.read_text().splitlines()]
        assert sorted(map(str, notes)) == sorted(map(str, watch.events))
        assert {note["path"] for note in notes} == {str(path) for path in rows[:2]}


def test_a_command_that_cannot_be_run_is_reported(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    with watching(env, *places(sample), "--notify", str(tmp_path / "nothing")) as watch:
        assert "No such file" in watch.remark("--notify")
        watch.until(lambda: watch.events)
        assert watch.end(signal.SIGTERM) == 0
    for wrong in ("", "'"):
        result = run(env, "watch", *places(sample), "--notify", wrong)
        assert result.returncode == 2 and "--notify" in result.stderr


# Repairs


@pytest.mark.alone
def test_rows_are_put_back_once_the_app_is_closed_and_held_rows_stay_held(
    env: dict[str, str], sample: Path, rows: list[Path], tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in rows}
    app = tmp_path / "claude-desktop"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", app)
    linux = sys.platform == "linux"  # on other systems a renamed program does not change the process name
    with (
        subprocess.Popen([app, "300"]) as running,
        watching(env, *places(sample), "--repair") as watch,
    ):
        try:
            damage("zero", rows[0])
            damage("remove", rows[1])
            for path in rows[:2]:
                watch.event("finding", path)
            if linux:
                watch.remark("the desktop app is running")
                assert classify(rows[0]).kind == "zero-filled" and not rows[1].exists()
        finally:
            running.kill()
            running.wait()
        runs = {watch.event("repaired", path)["run"] for path in rows[:2]}
        assert {path: path.read_bytes() for path in rows[:2]} == {p: before[p] for p in rows[:2]}
        held = watch.until(lambda: [e for e in watch.events if e["event"] == "held"])
        assert all(classify(event["path"]) != "ok" for event in held)
        # A row that was undone is not put back again.
        for name in runs:
            assert run(env, "undo", name).returncode == 0
        watch.until(lambda: len(watch.events_of("finding", rows[0])) == 2)
        assert "taken that back" in watch.event("held", rows[0])["message"]
        assert classify(rows[0]).kind == "zero-filled"
        assert watch.end(signal.SIGTERM) == 0


def test_without_repair_the_stores_are_not_changed(
    env: dict[str, str], sample: Path, rows: list[Path]
) -> None:
    before = picture(sample)
    with watching(env, *places(sample)) as watch:
        watch.until(lambda: watch.events)
        assert watch.end(signal.SIGTERM) == 0
    assert picture(sample) == before


# The function of the library


def test_the_library_watches_until_it_is_stopped(
    sample: Path, rows: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    stop = threading.Event()
    events: list[WatchEvent] = []

    def on_event(event: WatchEvent) -> None:
        events.append(event)
        if event.finding.path == str(rows[0]):
            stop.set()

    damage("zero", rows[0])
    watch_stores(sample / "Claude", sample / "projects", on_event=on_event, stop=stop)
    assert {event.kind for event in events} == {"finding"}
    assert "zero-filled" in {event.finding.rule for event in events}


# The process


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 0), ("SIGHUP", 0), ("SIGINT", 130)])
def test_signals_end_the_watch_cleanly(env: dict[str, str], sample: Path, name: str, status: int) -> None:
    with watching(env, *places(sample)) as watch:
        if name == "SIGINT":
            second = run(env, "watch", *places(sample))
            assert second.returncode == 3
            assert f"process {watch.process.pid}" in second.stderr and "SESSSCAN_HOME" in second.stderr
        assert watch.end(getattr(signal, name)) == status
        assert [line for line in watch.remarks if "watching" not in line and "missing from" not in line] == []


def test_a_signal_that_was_ignored_stays_ignored(env: dict[str, str], sample: Path, rows: list[Path]) -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with watching(env, *places(sample)) as watch:
            watch.process.send_signal(signal.SIGHUP)
            damage("truncate", rows[0])
            watch.event("finding", rows[0])
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_idle_watch_uses_under_two_percent_of_a_core(env: dict[str, str], sample: Path) -> None:
    with watching(env, *places(sample), "--repair") as watch:
        watch.until(lambda: watch.events)
        _wait_until_idle(watch)
        process = psutil.Process(watch.process.pid)
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(5)
        after, lasted = process.cpu_times(), time.monotonic() - began
        used = after.user + after.system - before.user - before.system
        assert used / lasted < 0.02


def _wait_until_idle(watch: Watching) -> None:
    """Wait until all lost rows are put back or held."""
    watch.until(
        lambda: (
            {e["path"] for e in watch.events if e["event"] == "finding"}
            <= {e["path"] for e in watch.events if e["event"] != "finding"}
        )
    )


def test_a_state_folder_that_cannot_be_created_is_an_error(
    env: dict[str, str], sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = run({**env, "SESSSCAN_HOME": str(tmp_path / "file")}, "watch", *places(sample))
    assert result.returncode == 3 and result.stderr.count("\n") == 1
    assert os.fspath(tmp_path / "file") in result.stderr


# Transcripts


def whole_transcript(sample: Path) -> Path:
    """Return a transcript of the sample that is whole, and that nobody has written to for long."""
    return next(
        path
        for path in sorted((sample / "projects").glob("*/*.jsonl"))
        if sessscan.scan(path).turns > 5 and not sessscan.repair(path).actions
    )


def zero_a_record(path: Path) -> bytes:
    """Overwrite a record of a transcript with zeros, in place; return what was there before."""
    data = path.read_bytes()
    begin = data.index(b'{"parentUuid"', data.index(b'"tool_result"', len(data) // 2))
    end = data.index(b"\n", begin)
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(end - begin))
    return data


def test_damage_to_a_transcript_is_reported_with_the_command(env: dict[str, str], sample: Path) -> None:
    path = whole_transcript(sample)
    with watching(env, *places(sample)) as watch:
        data = zero_a_record(path)
        event = watch.event("finding", path)
        assert event["rule"] in ("damaged-transcript", "broken-chain")
        assert f"sessscan repair {path} --apply" in event["message"]
        path.write_bytes(data)
        assert "whole" in watch.event("resolved", path)["message"]
        assert not watch.events_of("repaired", path)


def test_a_transcript_is_repaired_once_nobody_writes_to_it(env: dict[str, str], sample: Path) -> None:
    path = whole_transcript(sample)
    with watching(env, *places(sample), "--repair", "--transcripts") as watch:
        zero_a_record(path)
        watch.event("finding", path)
        assert not watch.events_of("repaired", path), "it was written just now"
        os.utime(path, (time.time() - 100,) * 2)
        event = watch.event("repaired", path)
        assert f"sessscan undo {event['run']}" in event["message"]
        assert not sessscan.repair(path).actions


def test_transcripts_are_kept_as_they_grow(
    env: dict[str, str], sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSSCAN_HOME", env["SESSSCAN_HOME"])
    path = whole_transcript(sample)

    def kept() -> bytes:
        try:
            return b"".join(sessscan.transcript_versions(path)[0].pieces())
        except sessscan.UnknownSnapshotError:
            return b""

    with watching(env, *places(sample), "--transcripts") as watch:
        watch.until(lambda: kept() == path.read_bytes())
        for number in range(3):
            with path.open("ab") as file:
                file.write(b'{"type":"system","n":%d}\n' % number)
            began = time.monotonic()
            watch.until(lambda: kept() == path.read_bytes())
            print(f"kept after {time.monotonic() - began:.1f} s")
        whole = path.read_bytes()
        path.unlink()
        (path.parent / f"{uuid.UUID(int=5)}.jsonl").write_bytes(b"{}\n")
        assert watch.end(signal.SIGTERM) == 0
    assert kept() == whole
    assert sessscan.transcript_versions(path.with_stem(str(uuid.UUID(int=5))))
    run_id = sessscan.restore_transcript(path).apply(force=True).run
    assert run_id is not None and path.read_bytes() == whole


def test_transcripts_are_not_kept_unless_asked_for(
    env: dict[str, str], sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSSCAN_HOME", env["SESSSCAN_HOME"])
    with watching(env, *places(sample), "--repair") as watch:
        whole_transcript(sample).write_bytes(b"{}\n")
        time.sleep(2)
        assert watch.end(signal.SIGTERM) == 0
    assert sessscan.kept_transcripts() == []
