"""Test scans with threads, forks, Ctrl-C and progress callbacks, of unreadable files, and their memory."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import sessscan
from support.transcript_factory import stamp

pytestmark = pytest.mark.full

MIB = 1 << 20
LATENCY = 0.1 + 0.02
"""Seconds from Ctrl-C to the exception: 100 ms, and two ticks of the clock that counts processor time."""
unix = pytest.mark.posix("signals and forks are unix's")
linux = pytest.mark.linux("/proc is Linux's")


def lines(name: str, count: int) -> bytes:
    return b"".join(
        f'{{"parentUuid":null,"isSidechain":false,"type":"user","message":{{"role":"user","content":"{name} '
        f'{number} {"so much " * (number % 99)}"}},"uuid":"{name}-{number}","timestamp":"'
        f'{stamp(1_700_000_000_000 + number)}","cwd":"/{name}/{number % 7}","sessionId":"{name}"}}\n'.encode()
        for number in range(count)
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Make a folder that is removed at once, unlike pytest's own: the files in it are big."""
    with tempfile.TemporaryDirectory(prefix="sessscan-test-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def big(folder: Path) -> Path:
    """Make a transcript of 300 MB."""
    path = folder / "big.jsonl"
    block = lines("big", 2_000)
    with path.open("wb") as file:
        for _ in range(300_000_000 // len(block) + 1):
            file.write(block)
    return path


@pytest.fixture(scope="module")
def middling(folder: Path) -> Path:
    """Make a transcript that takes some tenths of a second to scan strictly."""
    path = folder / "middling.jsonl"
    path.write_bytes(lines("middling", 2_000) * 160)
    return path


@pytest.fixture(scope="module")
def zeros(folder: Path) -> Path:
    """Make a transcript of 1 GB of zeros, as a crash leaves it."""
    path = folder / "zeros.jsonl"
    with path.open("wb") as file:
        file.truncate(1_000_000_000)
    return path


@pytest.fixture(scope="module")
def long_lines(folder: Path) -> Path:
    """Make a transcript with lines as long as the longest ever seen."""
    path = folder / "line.jsonl"
    with path.open("wb") as file:
        for _ in range(16):
            file.write(b'{"type":"user","filler":[' + b'"[so much]",' * MIB + b"0]}\n")
    return path


@pytest.fixture(scope="module")
def torn_line(folder: Path) -> Path:
    """Make a transcript of one line of 300 MB that does not end."""
    path = folder / "torn.jsonl"
    with path.open("wb") as file:
        file.write(b'{"type":"user","filler":"')
        for _ in range(25):
            file.write(rb"so much\n[\"{" * MIB)
    return path


def child(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]


ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run(script: str, *arguments: object, timeout: float = 60) -> str:
    """Return what a script printed that runs in a process of its own."""
    done = subprocess.run(
        child(script, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
    return done.stdout


# --- Threads ----------------------------------------------------------------------------------------------


def test_ten_threads_scan_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(5)]
    for path, count in zip(paths, (0, 1, 40, 3_000, 9_000), strict=True):
        path.write_bytes(lines(path.stem, count))
    expected = [sessscan.scan(path) for path in paths]
    first_events = [list(itertools.islice(sessscan.events(path), 50)) for path in paths]
    together = threading.Barrier(10)

    def work(number: int) -> None:
        together.wait()
        for turn in range(12):
            which = (number + turn) % len(paths)
            assert sessscan.scan(paths[which]) == expected[which]
            assert sessscan.scan_many(paths, threads=1 + turn % 3) == expected
            assert list(itertools.islice(sessscan.events(paths[which]), 50)) == first_events[which]

    with ThreadPoolExecutor(10) as pool:
        for done in [pool.submit(work, number) for number in range(10)]:
            done.result()


def test_many_threads_read_one_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines("a", 5_000))
    expected = [event.offset for event in sessscan.events(path, ("timestamp",))]
    stream = sessscan.events(path, ("timestamp",))
    with ThreadPoolExecutor(10) as pool:
        parts = list(pool.map(lambda _: [event.offset for event in stream], range(10)))
    assert sorted(itertools.chain(*parts)) == expected


@pytest.mark.alone
def test_other_threads_run_during_a_scan(middling: Path) -> None:
    ticks: list[float] = []
    over = threading.Event()

    def tick() -> None:
        while not over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    began = time.perf_counter()
    sessscan.scan_many([middling], threads=1, strict=True)
    took = time.perf_counter() - began
    over.set()
    ticker.join()
    meanwhile = [began, *(moment for moment in ticks if began < moment < began + took), began + took]
    longest = max(after - before for before, after in itertools.pairwise(meanwhile))
    assert took > 0.05, "it was over too soon to tell"
    # If the scan held the interpreter lock, the other thread would not have run meanwhile.
    assert longest < took / 2
    assert len(meanwhile) > 10


@linux
def test_a_scan_starts_no_more_threads_than_requested(middling: Path) -> None:
    script = """
        import os, sys, sessscan
        for threads in (1, 3):
            counts = []
            def look(done, total):
                counts.append(len(os.listdir("/proc/self/task")))
            sessscan.scan_many([sys.argv[1]] * 3, threads=threads, strict=True, progress=look)
            print(len(counts), max(counts))
        print(len(os.listdir("/proc/self/task")))
    """
    alone, three, after = run(script, middling).splitlines()
    looks, most = map(int, alone.split())
    assert looks > 2
    assert most == 1
    assert int(three.split()[1]) == 3
    assert int(after) == 1, "threads that outlive their scan would be lost in a fork"


def test_a_scan_gets_by_with_fewer_threads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(200)]
    for path in paths:
        path.write_bytes(lines("a", 300))
    found = sessscan.scan_many(paths, threads=1_000_000)
    assert [transcript.records for transcript in found] == [300] * len(paths)


# --- Forks ------------------------------------------------------------------------------------------------


@unix
def test_a_forked_child_can_scan(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.jsonl").write_bytes(lines("a", 100 if number else 9_000))
    script = """
        import os, pathlib, signal, sys, threading, warnings
        import sessscan
        warnings.simplefilter("ignore")  # it warns of forks with threads, which is what this tests
        paths = sorted(pathlib.Path(sys.argv[1]).iterdir())
        expected = sessscan.scan_many(paths, threads=4)
        over = threading.Event()
        def scan_on():
            while not over.is_set():
                sessscan.scan_many(paths, threads=3)
        others = [threading.Thread(target=scan_on) for _ in range(2)] if sys.argv[2] == "busy" else []
        for other in others:
            other.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(0 if sessscan.scan_many(paths, threads=4) == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
        over.set()
        assert sessscan.scan_many(paths, threads=4) == expected
    """
    run(script, tmp_path, "idle")
    run(script, tmp_path, "busy")


def records_of(path: Path) -> int:
    return sum(transcript.records for transcript in sessscan.scan_many([path, path], threads=2))


@pytest.mark.parametrize("how", multiprocessing.get_all_start_methods())
def test_pools_of_processes_can_scan(tmp_path: Path, how: str) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(6)]
    for path in paths:
        path.write_bytes(lines("a", 3_000))
    sessscan.scan_many(paths, threads=4)
    with multiprocessing.get_context(how).Pool(2) as pool:
        assert pool.map_async(records_of, paths).get(timeout=60) == [6_000] * len(paths)


# --- Ctrl-C and progress ----------------------------------------------------------------------------------

SCANS = {
    "scan": "[sessscan.scan(path, strict=True) for _ in range(9)]",
    "one thread": "sessscan.scan_many([path] * 100, threads=1)",
    "threads": "sessscan.scan_many([path] * 100, threads=3)",
    "strict": "sessscan.scan_many([path] * 100, threads=3, strict=True)",
    "events": "[None for _ in range(100) for event in sessscan.events(path, ())]",
    "details": "sessscan._core.details([path] * 100, threads=3)",
    "conversation": "[sessscan.conversation(path) for _ in range(30)]",
    "conversations": "sessscan._core.check_conversations([path] * 100, threads=3)",
    "no map to be had": "[sessscan.scan(path, strict=True) for _ in range(9)]",
}


@pytest.mark.alone
@unix
@pytest.mark.parametrize("how", SCANS)
def test_ctrl_c_ends_a_scan(big: Path, how: str) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_AS, (now(), now()))" if how.startswith("no map") else ""
    latency = interrupted(SCANS[how], big, limit)
    assert latency < LATENCY


@pytest.mark.alone
@unix
def test_ctrl_c_while_rows_are_classified(folder: Path) -> None:
    path = folder / "local_row.json"
    path.write_bytes(b'{"filler":"' + b"x" * (9 * MIB) + b'"}')
    assert interrupted("sessscan.classify_many([path] * 9_000)", path) < LATENCY


@pytest.mark.alone
@unix
def test_ctrl_c_in_zeros(zeros: Path) -> None:
    assert interrupted("for _ in range(9): sessscan.scan(path)", zeros) < LATENCY


@pytest.mark.alone
@unix
@pytest.mark.parametrize("strict", [False, True])
def test_ctrl_c_in_long_lines(long_lines: Path, strict: bool) -> None:
    assert interrupted(f"for _ in range(40): sessscan.scan(path, strict={strict})", long_lines) < LATENCY


@pytest.mark.alone
@unix
@pytest.mark.parametrize("strict", [False, True])
def test_ctrl_c_in_a_line_that_does_not_end(torn_line: Path, strict: bool) -> None:
    assert interrupted(f"for _ in range(9): sessscan.scan(path, strict={strict})", torn_line) < LATENCY


def interrupted(scan: str, path: Path, setup: str = "") -> float:
    """Return how many seconds a scan goes on after Ctrl-C, the best of three tries.

    On a busy machine the clock also counts what other processes do, so the smaller of the time by the clock
    and the scan's own processor time counts.
    """
    script = f"""
        import resource, sys, time
        import sessscan
        path = sys.argv[1]
        def now():
            "The address space in use, and some more for Python, but not for a map."
            return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (7 << 20)
        sessscan.scan_bytes(b"")
        {setup or "pass"}
        print("scanning", flush=True)
        try:
            {scan}
        except KeyboardInterrupt:
            print("interrupted", time.process_time(), flush=True)
        else:
            print("went through", flush=True)
    """
    latencies = []
    for wait in (0.15, 0.3, 0.2):
        command = child(script, path)
        with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "scanning\n"
            time.sleep(wait)
            used = sum(psutil.Process(process.pid).cpu_times()[:2])
            process.send_signal(signal.SIGINT)
            began = time.perf_counter()
            word, _, used_in_the_end = process.stdout.readline().partition(" ")
            elapsed = time.perf_counter() - began
            assert word == "interrupted"
            latencies.append(min(elapsed, float(used_in_the_end) - used))
    return min(latencies)


class Stop(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_is_reported(middling: Path, tmp_path: Path, threads: int) -> None:
    small = tmp_path / "small.jsonl"
    small.write_bytes(lines("small", 10))
    paths = [middling, small, middling]
    told: list[tuple[int, int, int]] = []
    sessscan.scan_many(
        paths,
        threads=threads,
        strict=True,
        progress=lambda done, total: told.append((done, total, threading.get_ident())),
    )
    total = sum(path.stat().st_size for path in paths)
    assert len(told) > 2
    assert {here for _, _, here in told} == {threading.get_ident()}
    assert {of for _, of, _ in told} == {total}
    assert all(before[0] <= after[0] for before, after in itertools.pairwise(told))
    assert told[-1][:2] == (total, total)


SUMMARY = b'{"type":"summary","summary":"s","leafUuid":"of another session"}\n'


@pytest.mark.parametrize(
    "contents",
    [[], [b""], [b"{}\n"], [SUMMARY], [SUMMARY + lines("a", 90_000)], [None], [b"{}\n", None, b"{}"]],
    ids=["no file", "empty", "one line", "read twice", "long, read twice", "missing", "one missing"],
)
def test_progress_ends_at_its_total(tmp_path: Path, contents: list[bytes | None]) -> None:
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / f"{number}.jsonl")
        if content is not None:
            paths[-1].write_bytes(content)
    told: list[tuple[int, int]] = []
    sessscan.scan_many(paths, progress=lambda done, total: told.append((done, total)))
    total = sum(len(content or b"") for content in contents)
    assert told[-1] == (total, total)
    assert all(done <= total for done, _ in told)


@pytest.mark.alone
@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_of_progress_ends_the_scan(big: Path, threads: int) -> None:
    calls = []

    def progress(done: int, total: int) -> None:
        calls.append(done)
        raise Stop(done)

    began = time.perf_counter()
    with pytest.raises(Stop):
        sessscan.scan_many([big] * 50, threads=threads, strict=True, progress=progress)
    assert len(calls) == 1
    assert time.perf_counter() - began < 5  # the whole scan takes minutes


# --- What is no transcript --------------------------------------------------------------------------------


def test_a_file_that_cannot_be_scanned_has_an_error_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    good = tmp_path / "good.jsonl"
    good.write_bytes(lines("good", 3))
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    wrong: dict[Path, tuple[type[OSError], int]] = {
        tmp_path / "missing.jsonl": (FileNotFoundError, errno.ENOENT),
        tmp_path: (IsADirectoryError, errno.EISDIR),
    }
    if sys.platform != "win32":
        wrong[plain / "below.jsonl"] = (NotADirectoryError, errno.ENOTDIR)
        wrong[tmp_path / ("x" * 300)] = (OSError, errno.ENAMETOOLONG)
        loop = tmp_path / "loop.jsonl"
        loop.symlink_to(loop)
        wrong[loop] = (OSError, errno.ELOOP)
        dangling = tmp_path / "dangling.jsonl"
        dangling.symlink_to(tmp_path / "nowhere")
        wrong[dangling] = (FileNotFoundError, errno.ENOENT)
    paths = [path for one in wrong for path in (good, one)] + [good]
    for threads in (1, 3):
        found = sessscan.scan_many(paths, threads=threads)
        assert [transcript.path for transcript in found] == [str(path) for path in paths]
        for path, transcript in zip(paths, found, strict=True):
            if path == good:
                assert transcript.error is None
                assert transcript.records == 3
            else:
                assert type(transcript.error) is wrong[path][0]
                assert transcript.error.errno == wrong[path][1]
                assert transcript.error.filename == str(path)
                assert transcript.records == 0
    for path, (kind, number) in wrong.items():
        with pytest.raises(kind) as raised:
            sessscan.scan(path)
        assert (raised.value.errno, raised.value.filename) == (number, str(path))
        with pytest.raises(kind) as raised:
            list(sessscan.events(path))
        assert (raised.value.errno, raised.value.filename) == (number, str(path))


@unix
def test_a_file_without_permission_has_an_error(folder: Path) -> None:
    shut = folder / "shut.jsonl"
    shut.write_bytes(b"{}\n")
    shut.chmod(0)
    folder.chmod(0o755)
    script = """
        import os, sys
        import sessscan
        from sessscan import errors
        if os.geteuid() == 0:
            os.seteuid(65534)
        path = sys.argv[1]
        error = sessscan.scan_many([path])[0].error
        print(type(error).__name__, error.errno, error.filename == path)
    """
    assert run(script, shut).split() == ["PermissionError", str(errno.EACCES), "True"]


@unix
@pytest.mark.parametrize("kind", ["fifo", "socket", "/dev/zero", "/proc/self/mem"])
def test_other_than_regular_files_neither_block_nor_read_for_ever(tmp_path: Path, kind: str) -> None:
    path = Path(kind)
    if kind == "fifo":
        path = tmp_path / "fifo.jsonl"
        os.mkfifo(path)
    elif kind == "socket":
        path = tmp_path / "socket"
        if len(str(path)) > 100:
            pytest.skip("the path is too long for a socket")
        socket.socket(socket.AF_UNIX).bind(str(path))
    elif not path.exists():
        pytest.skip(f"there is no {kind}")
    good = tmp_path / "good.jsonl"
    good.write_bytes(b"{}\n")
    script = """
        import resource, sys
        import sessscan
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        odd, good = sessscan.scan_many(sys.argv[1:], threads=1)
        assert good.error is None and good.records == 1
        assert isinstance(odd.error, OSError) and odd.error.errno and odd.error.filename == sys.argv[1]
        for call in (sessscan.scan, sessscan.events):
            try:
                tuple(call(sys.argv[1]))
            except OSError as error:
                assert error.errno and error.filename == sys.argv[1]
            else:
                raise AssertionError("no error")
    """
    run(script, path, good, timeout=10)


# --- Memory -----------------------------------------------------------------------------------------------

MEMORY = """
    import sys
    import sessscan
    def peak():
        return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
    path = sys.argv[1]
    sessscan.scan_bytes(b"{}")
    before = peak()
    SCAN
    print(peak() - before)
"""


@linux
@pytest.mark.parametrize("how", ["scan", "threads", "events", "strict", "fields"])
def test_memory_does_not_grow_with_the_file(big: Path, how: str) -> None:
    whole = 'sessscan.fields(path, {"message": "message:json", "type": "type"}, threads=8)'
    scan = {
        "scan": "assert sessscan.scan(path).records > 100_000",
        "threads": "assert sessscan.scan_many([path] * 4, threads=4)[3].records > 100_000",
        "events": "assert sum(1 for _ in sessscan.events(path)) > 100_000",
        "strict": "assert sessscan.scan_many([path], threads=1, strict=True)[0].records > 100_000",
        "fields": f"assert sum(map(len, {whole}.rows())) > 100_000",
    }[how]
    assert int(run(MEMORY.replace("SCAN", scan), big)) < 64 * 1024


@linux
def test_memory_of_a_conversation_grows_with_its_records(big: Path) -> None:
    records = sessscan.scan(big).records
    peak = int(run(MEMORY.replace("SCAN", "sessscan.conversation(path)"), big))
    assert peak * 1024 < 64 * MIB + 64 * records


@linux
def test_memory_of_a_conversation_does_not_grow_with_the_zeros(zeros: Path) -> None:
    scan = "assert sessscan.conversation(path).defects[0].length == 1_000_000_000"
    assert int(run(MEMORY.replace("SCAN", scan), zeros)) < 64 * 1024


@linux
def test_memory_does_not_grow_with_the_zeros(zeros: Path) -> None:
    scan = "assert sessscan.scan(path).defects[0].length == 1_000_000_000"
    assert int(run(MEMORY.replace("SCAN", scan), zeros)) < 64 * 1024


@linux
@pytest.mark.parametrize("strict", [False, True])
def test_memory_does_not_stay_large_after_a_long_line(big: Path, tmp_path: Path, strict: bool) -> None:
    path = tmp_path / "first.jsonl"
    with path.open("wb") as file:
        file.write(b'{"filler":"' + b"so much " * 2 * MIB + b'"}\n')
        file.write(big.read_bytes()[: 150 * MIB])
    scan = f"assert sessscan.scan_many([path], threads=1, strict={strict})[0].records > 50_000"
    assert int(run(MEMORY.replace("SCAN", scan), path)) < 64 * 1024


@linux
@pytest.mark.parametrize("kind", ["user", "assistant"])
def test_memory_does_not_grow_with_the_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "4c1c0d6e-1111-4222-8333-944455556666.jsonl"
    text = b'some text, \\"quoted\\", and\\nmore of it. ' * 20_000
    with path.open("wb") as file:
        file.write(f'{{"parentUuid":null,"type":"{kind}","message":{{"model":"m","content":"'.encode())
        for _ in range(250):
            file.write(text)
        file.write(b'"},"cwd":"/here"}\n')
    scan = "t = sessscan.scan(path); assert (t.records, t.cwd, t.size > 180_000_000) == (1, '/here', True), t"
    assert int(run(MEMORY.replace("SCAN", scan), path)) < 64 * 1024
    scan = "assert sessscan.conversation(path).defects == []"
    assert int(run(MEMORY.replace("SCAN", scan), path)) < 64 * 1024
