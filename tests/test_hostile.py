"""Attack the readers of a store that somebody else may have written, each time with the smallest input.

Nothing hangs or crashes, nothing outside the store is written, or read through a name inside it, and a lost
session beside the attack is put back all the same.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan import _core
from sessscan.changes import journal
from support.hostile_place import NOW, VICTIM, Place, compact, row, transcript

pytestmark = pytest.mark.full

posix = pytest.mark.posix("there is no such thing on Windows")


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Fail a test after half a minute: a read of a FIFO could wait for ever."""
    if sys.platform == "win32":
        yield
        return

    def give_up(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    return Place(tmp_path)


def picture(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return everything in a folder: links as they are, contents, times, modes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        regular = stat.S_ISREG(status.st_mode)
        content = path.read_bytes() if regular else str(path.readlink()) if path.is_symlink() else None
        found[str(path)] = (status.st_mode, status.st_uid, content, status.st_mtime_ns if regular else 0)
    return found


# --- output

CONTROL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\x08\u202egnp.exe\u2066\u2028\u200f\ufeff\x00\ud800[link=x]{0}%s"


def test_control_characters_in_titles_and_names_do_not_reach_the_terminal(place: Place) -> None:
    place.add_transcript(VICTIM.format(0), CONTROL)
    place.put(
        f"local_{VICTIM.format(1)}.json", row(f"local_{VICTIM.format(1)}", "gone", title=CONTROL, cwd=CONTROL)
    )
    if sys.platform != "win32":
        place.put("local_\x1b]2;x\x07\u202e.json", b"")
        (place.projects / "-\x1b[31m").mkdir()
        (place.projects / "-\x1b[31m" / f"{VICTIM.format(2)}.jsonl").write_bytes(
            transcript(VICTIM.format(2), CONTROL)
        )
    outputs = [place.command("reconcile"), place.command("reconcile", "--apply", "--force")]
    for arguments in (
        ["log"],
        ["scan", str(place.projects)],
        ["events", *map(str, place.project.iterdir())],
        ["undo"],
    ):
        command = [sys.executable, "-m", "sessscan", *arguments]
        outputs.append(subprocess.run(command, capture_output=True, timeout=60))
    for output in outputs:
        assert b"Traceback" not in output.stderr
        text = (output.stdout + output.stderr).decode("utf-8").replace(os.linesep, "\n")
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", text
        ), text
    assert b"owned" in outputs[0].stdout + outputs[1].stdout


def test_json_output_with_such_a_title_is_valid(place: Place) -> None:
    place.add_transcript(VICTIM.format(0), CONTROL)
    done = place.command("reconcile", "--format", "json")
    [action] = json.loads(done.stdout)["actions"]
    assert action["row"]["title"] == CONTROL.replace("\ud800", "\ufffd")
    assert done.stdout.isascii() or not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)


# --- names that lead out of the store

TRAVERSALS = ("../../x", "..", "/etc/passwd", "..\\..\\x", "x\x00y", "", "a/b", "C:x", ".", "~")


@pytest.mark.parametrize("cli", TRAVERSALS)
def test_a_cli_session_id_that_is_a_path(place: Place, cli: str) -> None:
    # A transcript that would match perfectly lies where the path leads.
    for target in (place.outside / "x.jsonl", place.projects / "x.jsonl", place.projects.parent / "x.jsonl"):
        target.write_bytes(transcript("x"))
    name = f"local_{VICTIM.format(1)}"
    place.put(f"{name}.json", row(name, cli)[:-2])
    place.put(
        f"local_{VICTIM.format(2)}.json", row(f"local_{VICTIM.format(2)}", cli, priorCliSessionIds=[cli])
    )
    before = picture(place.outside)
    report = place.apply_and_undo()
    for action in report.actions:
        assert action.transcript is None or Path(action.transcript).parent == place.project, action
    assert picture(place.outside) == before


@pytest.mark.parametrize("path", ["../../outside", "/", "", "/home/ada\x00", "\ud800", "/home/ada/../../etc"])
def test_leases_with_paths_that_lead_elsewhere(place: Place, path: str) -> None:
    lease = {"path": path, "leasedBy": f"local_{VICTIM.format(0)}", "createdAt": NOW, "branch": path}
    (place.user_data / "git-worktrees.json").write_bytes(
        compact({"worktrees": {"a": lease, "b": [lease], "c": 1}})
    )
    before = picture(place.outside)
    place.apply_and_undo()
    assert picture(place.outside) == before


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 99, b"[" * 100_000, b'{"worktrees":' * 9, b"\xff\xfe{}", b"[1]"]
)
def test_a_malformed_worktree_file(place: Place, content: bytes) -> None:
    (place.user_data / "git-worktrees.json").write_bytes(content)
    place.apply_and_undo()


# --- other things in place of files


@posix
def test_links_in_place_of_rows(place: Place) -> None:
    target = place.outside / "secret.json"
    target.write_bytes(bytes(100))
    whole = place.outside / f"local_{VICTIM.format(2)}.json"
    whole.write_bytes(row(whole.stem, VICTIM.format(2)))
    (place.store / f"local_{VICTIM.format(1)}.json").symlink_to(target)
    (place.store / f"local_{VICTIM.format(2)}.json").symlink_to(whole)
    (place.store / f"local_{VICTIM.format(3)}.json").symlink_to(place.outside / "nowhere")
    before = picture(place.outside)
    report = place.apply_and_undo()
    linked = [finding.path for finding in report.findings if finding.rule == "linked"]
    assert len(linked) == 3
    assert not {action.path for action in report.actions if action.status == "applied"} & set(linked)
    assert picture(place.outside) == before


@posix
def test_links_in_place_of_temporaries_copies_and_backups(place: Place) -> None:
    # A whole row outside the store, offered as the app's unfinished save, as a copy, and as a backup.
    lost = place.put(f"local_{VICTIM.format(1)}.json", bytes(100))
    bait = place.outside / "bait"
    bait.write_bytes(row(lost.stem, VICTIM.format(1), title="Bait"))
    for suffix in (".tmp", ".bak", ".corrupted-bak"):
        Path(str(lost) + suffix).symlink_to(bait)
        Path(str(place.lost) + suffix).symlink_to(bait)
    (place.store / ".sessscan-1-ff").symlink_to(bait)
    before = picture(place.outside)
    report = place.apply_and_undo()
    assert all("Bait" not in (action.row.get("title") or "") for action in report.actions)
    assert picture(place.outside) == before
    assert Path(str(place.lost) + ".corrupted-bak").is_symlink()


@posix
def test_links_in_place_of_folders(place: Place) -> None:
    other = Place(place.outside)
    account = place.user_data / "claude-code-sessions" / VICTIM.format(7)
    account.symlink_to(other.store.parent)
    (place.store.parent / VICTIM.format(6)).symlink_to(other.store)
    (place.projects / "-linked").symlink_to(other.project)
    (place.projects / "-loop").symlink_to(place.projects)
    before = picture(place.outside)
    report = place.apply_and_undo()
    assert all(action.path.startswith(str(place.user_data)) for action in report.actions)
    assert len({Path(action.path).resolve() for action in report.actions}) == len(report.actions)
    assert picture(place.outside) == before, "undone behind the links too"


@posix
def test_links_in_sessscans_own_state(place: Place, tmp_path: Path) -> None:
    victim = place.outside / "victim"
    victim.write_bytes(b"not to be touched")
    state = tmp_path / "state"
    state.mkdir()
    (state / "lock").symlink_to(victim)
    with pytest.raises(sessscan.RefusedError):
        place.plan().apply(force=True)
    assert victim.read_bytes() == b"not to be touched"


@posix
def test_fifos_and_devices_in_place_of_files(place: Place) -> None:
    names = (f"local_{VICTIM.format(1)}.json", f"local_{VICTIM.format(2)}.json.tmp", ".sessscan-1-ff")
    for name in names:
        os.mkfifo(place.store / name)
    place.put(f"local_{VICTIM.format(2)}.json", b"")
    os.mkfifo(place.project / f"{VICTIM.format(3)}.jsonl")
    os.mkfifo(place.user_data / "git-worktrees.json")
    os.mkfifo(Path(str(place.lost) + ".corrupted-bak"))
    assert sessscan.classify(place.store / names[0]).kind == "not-a-row"
    command = [sys.executable, "-m", "sessscan", "scan", str(place.projects)]
    assert subprocess.run(command, capture_output=True, timeout=20).returncode == 4
    place.apply_and_undo()


def test_folders_in_place_of_files(place: Place) -> None:
    (place.store / f"local_{VICTIM.format(1)}.json").mkdir()
    (place.store / f"local_{VICTIM.format(1)}.json.tmp").mkdir()
    (place.project / f"{VICTIM.format(3)}.jsonl").mkdir()
    (place.user_data / "git-worktrees.json").mkdir()
    Path(str(place.lost) + ".corrupted-bak").mkdir()
    place.apply_and_undo()


# --- huge input


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    if path.stat().st_blocks * 512 > size // 2:
        pytest.skip("no sparse files here")
    return path


@posix
def test_ten_gigabytes_of_zeros_for_a_row(place: Place) -> None:
    huge = sparse(place.store / f"local_{VICTIM.format(1)}.json", 10 << 30)
    begin = time.monotonic()
    assert sessscan.classify(huge).kind == "zero-filled"
    report = place.apply_and_undo()
    assert time.monotonic() - begin < 25
    assert huge.stat().st_size == 10 << 30
    assert str(huge) in {finding.path for finding in report.findings}


def long_ago(path: Path) -> None:
    """Give a file a time at which no lost row was written."""
    time = NOW / 1000 - 10 * 86_400
    os.utime(path, (time, time))


@posix
def test_a_transcript_of_nothing_but_zeros(place: Place) -> None:
    huge = sparse(place.project / f"{VICTIM.format(3)}.jsonl", 256 << 20)
    long_ago(huge)
    scanned = sessscan.scan(huge)
    assert [(defect.kind, defect.length) for defect in scanned.defects] == [("nul-run", 256 << 20)]
    place.apply_and_undo()


def test_a_row_of_fifty_megabytes(place: Place) -> None:
    name = f"local_{VICTIM.format(1)}"
    place.put(f"{name}.json", row(name, VICTIM.format(5), title="x" * (50 << 20)))
    report = place.apply_and_undo()
    assert "oversize" in {finding.rule for finding in report.findings}


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"sessionId":"x","a":['])
def test_json_nested_a_million_levels_deep(place: Place, opening: bytes) -> None:
    deep = opening * 1_000_000
    name = f"local_{VICTIM.format(1)}"
    place.put(f"{name}.json", deep)
    place.put(
        f"local_{VICTIM.format(2)}.json",
        compact({"sessionId": f"local_{VICTIM.format(2)}"})[:-1] + b',"a":' + deep,
    )
    closing = b"]" * 1_000_000
    place.put(f"local_{VICTIM.format(3)}.json", b"[" * 1_000_000 + closing)
    (place.project / f"{VICTIM.format(4)}.jsonl").write_bytes(deep + b"\n")
    nested = b'{"type":"user","parentUuid":null,"message":' + b"[" * 1_000_000 + closing + b"}\n"
    (place.project / f"{VICTIM.format(5)}.jsonl").write_bytes(nested)
    for number in (4, 5):
        long_ago(place.project / f"{VICTIM.format(number)}.jsonl")
    place.apply_and_undo()


def test_every_row_is_damaged(place: Place) -> None:
    damages = (b"", bytes(3), b"{", b"[]", b"\xff", b"\xef\xbb\xbf{}", b"null", b'{"sessionId":1}')
    rows = [
        place.put(f"local_{number:08}-0000-4000-8000-000000000000.json", damages[number % 8])
        for number in range(400)
    ]
    report = place.apply_and_undo()
    assert report.rows == len(rows) + 1
    assert {str(path) for path in rows} <= {finding.path for finding in report.findings}


def test_a_title_of_a_megabyte_and_very_many_titles(place: Place) -> None:
    place.add_transcript(VICTIM.format(0), "x" * (1 << 20))
    with (place.project / f"{VICTIM.format(3)}.jsonl").open("wb") as file:
        file.write(compact({"type": "custom-title", "customTitle": "t", "sessionId": "s"}) + b"\n")
        file.write(b'{"type":"custom-title","customTitle":"t"}\n' * 100_000)
    done = place.command("reconcile")
    assert done.returncode == 1
    assert len(done.stdout) < 20_000
    place.apply_and_undo()


# --- owners and names


@posix
@pytest.mark.root("only root can give files away")
def test_files_of_other_owners_keep_their_owner_and_mode(place: Place) -> None:
    os.chown(place.lost, 12345, 23456)
    place.lost.chmod(0o640)
    report = place.plan().apply(force=True)
    assert report.actions[0].status == "applied"
    status = place.lost.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o640)


@posix
@pytest.mark.root("only root can become another user")
def test_files_that_may_not_be_read(tmp_path: Path, place: Place) -> None:
    theirs = place.put(f"local_{VICTIM.format(1)}.json", bytes(100))
    theirs.chmod(0)
    secret = place.add_transcript(VICTIM.format(2))
    secret.chmod(0)
    code = (
        "import json, os, sys\n"
        "from sessscan import reconcile\n"
        "os.setgroups([])\n"
        "os.setgid(65534)\n"
        "os.setuid(65534)\n"
        f"plan = reconcile({str(place.user_data)!r}, {str(place.projects)!r}, now={NOW})\n"
        "print(json.dumps([[f.rule, f.path] for f in plan.findings] + [plan.exit_status]))\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            if not folder.is_relative_to(Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", "/tmp"))):
                pytest.skip("the folder of temporary files is private")
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *findings, status = json.loads(done.stdout)
    assert ["unreadable", str(theirs)] in findings
    assert ["zero-filled", str(place.lost)] in findings
    assert status == 4


@posix
def test_names_that_are_not_utf8(place: Place) -> None:
    try:
        place.put(os.fsdecode(b"local_\xff\xfe.json"), bytes(9))
    except OSError:
        pytest.skip("the file system takes no such names")
    folder = place.projects / os.fsdecode(b"-\xff")
    folder.mkdir()
    (folder / f"{VICTIM.format(3)}.jsonl").write_bytes(transcript(VICTIM.format(3)))
    (folder / os.fsdecode(b"\xfe.jsonl")).write_bytes(transcript("x"))
    place.apply_and_undo()
    for form in ("text", "json"):
        done = place.command("reconcile", "--format", form)
        assert done.returncode == 1 and b"Traceback" not in done.stderr
        done.stdout.decode("utf-8")


# --- a damaged journal of sessscan


def test_a_journal_with_nonsense_in_it(place: Place, tmp_path: Path) -> None:
    place.apply_and_undo()
    [run] = journal.runs()[0]
    lines = run.journal.read_bytes().splitlines(keepends=True)
    for path in ("/x\0y", "\ud800", "relative", "", "/"):
        entry = json.loads(lines[1]) | {"path": path, "backup": path + ".corrupted-bak"}
        run.journal.write_bytes(lines[0] + compact(entry) + b"\n" + b"".join(lines[2:]))
        found, wrong = journal.runs()
        assert (found and not wrong and path == "/") or (wrong and not found)
    for value in (b"[" * 100_000, b"1e999", b"9" * 5000, b'"\xff"', b"{}", b"null"):
        run.journal.write_bytes(lines[0] + value + b"\n" + lines[1])
        assert journal.runs()[1]
    for time_ns in (1 << 70, -1 << 70, 1.5, True):
        entry = json.loads(lines[1])
        entry["before"]["mtime_ns"] = time_ns
        run.journal.write_bytes(lines[0] + compact(entry) + b"\n" + lines[2])
        assert journal.runs()[1]


def test_a_row_cut_anywhere_is_classified() -> None:
    whole = row(f"local_{VICTIM.format(0)}", VICTIM.format(0), title="é\ud83d\ude00\\u0000")
    for cut in range(len(whole)):
        for tail in (b"", b"\0" * 7, b"\xff", b"}", b'"', b"\\u"):
            data = whole[:cut] + tail
            assert _core.classify_bytes(data, stem="local_x").kind
            assert set(_core.row_prefix(data)) <= {*json.loads(whole)}
            _core.scan_bytes(data)
