"""Many machines for real: worker processes of Dask, and files behind S3's protocol on loopback.

The server is moto in a process of its own, the workers are two processes of a `LocalCluster`, and the answer
is held to `sessscan.scan_bytes` of the same bytes here, also when a worker is killed in the middle.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from support.transcript_factory import new_id, talk
from test_parts import NASTY
from test_shards import rows_of

needed = "needs the extra `test-distributed`"
for module in ("dask.dataframe", "distributed", "moto.server", "s3fs"):
    pytest.importorskip(module, reason=needed)

import pyarrow  # noqa: E402
import s3fs  # noqa: E402
import sessscan.distributed.dask  # noqa: E402
from distributed import Client, LocalCluster  # noqa: E402

pytestmark = pytest.mark.full

PATIENCE = 120
"""Seconds for what takes one or two: other machines are slow, and busy."""

BIG = new_id(Random(5))


def until(done: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := done():
            return result
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {PATIENCE} s")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a fresh S3 server, which is a process of its own."""
    log = tmp_path_factory.mktemp("moto") / "log"
    code = (
        "from moto.server import ThreadedMotoServer; server = ThreadedMotoServer('127.0.0.1', 0, False);"
        "server.start(); print(server.get_host_and_port()[1], flush=True); server._thread.join()"
    )
    with log.open("wb") as errors:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=errors)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        assert port, log.read_text()
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(address), "an answer of the S3 server")
        yield address
    finally:
        process.kill()
        process.wait(PATIENCE)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/moto-api/", timeout=PATIENCE):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def options(endpoint: str) -> dict[str, Any]:
    return {
        "key": "test",
        "secret": "test",
        "endpoint_url": endpoint,
        "client_kwargs": {"region_name": "eu-west-1"},
    }


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """By key: small sessions, a damaged one, and a big one with everything in it."""
    dice = Random(11)
    made = {}
    for number in range(40):
        session = talk(dice, f"/home/ada/{number}", 1_780_000_000_000 + number, turns=1 + number)
        made[f"projects/-home-ada-{number % 4}/{session.session_id}.jsonl"] = session.bytes()
    made[f"projects/-home-ada-1/{new_id(dice)}.jsonl"] = NASTY
    big = talk(dice, "/home/ada/big", 1_780_000_000_000, session_id=BIG, turns=500).bytes()
    first, rest = big[: len(big) // 2], big[len(big) // 2 :]
    long = b'{"parentUuid":null,"cwd":"/long","x":"' + b"long \xc3\xa9" * 40_000 + b'"}\r\n'
    made[f"projects/-home-ada-2/{BIG}.jsonl"] = (
        NASTY[:-12] + b"\n" + first + b"\0" * 70_000 + long + rest + NASTY[-12:]
    )
    return made


@pytest.fixture
def bucket(options: dict[str, Any], files: dict[str, bytes]) -> Iterator[tuple[s3fs.S3FileSystem, str]]:
    """A bucket of the test's own with all the files in it."""
    fs = s3fs.S3FileSystem(**options)
    name = f"transcripts-{new_id(Random())}"
    fs.mkdir(name)
    for key, data in files.items():
        fs.pipe_file(f"{name}/{key}", data)
    yield fs, name
    fs.rm(name, recursive=True)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Two worker processes."""
    folder = tmp_path_factory.mktemp("dask")
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(folder),
        ) as cluster,
        Client(cluster, timeout=PATIENCE) as client,
    ):
        pids = set(client.run(os.getpid).values())
        assert len(pids) == 2 and os.getpid() not in pids
        yield client


def expected(files: dict[str, bytes], bucket: str) -> dict[str, dict[str, Any]]:
    """What this machine says of the same bytes, by URL."""
    rows = {}
    for key, data in files.items():
        url = f"s3://{bucket}/{key}"
        rows[url] = {**sessscan.scan_bytes(data, session_id=Path(key).stem).to_dict(), "path": url}
    return rows


def by_url(frame: Any) -> dict[str, dict[str, Any]]:
    """The frame's rows; each file must have exactly one."""
    rows = rows_of(pyarrow.Table.from_pandas(frame, preserve_index=False))
    found = {row["path"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("target", [6_000, 50_000, 10**9])
def test_the_same_as_on_one_machine(
    client: Client, bucket: Any, options: dict[str, Any], files: dict[str, bytes], target: int
) -> None:
    _, name = bucket
    frame = sessscan.distributed.dask.read_transcripts(
        f"s3://{name}/projects", target_bytes=target, storage_options=options
    )
    assert list(frame.columns) == list(sessscan.scan_bytes(b"").to_dict())
    found = frame.compute()
    assert list(found.dtypes) == list(frame.dtypes)
    assert by_url(found) == expected(files, name)
    damaged = frame[frame["turns"] > 20][["title", "turns"]].compute()
    assert len(damaged) == sum(row["turns"] > 20 for row in expected(files, name).values())


def test_both_workers_take_part(client: Client, bucket: Any, options: dict[str, Any]) -> None:
    _, name = bucket
    planned = sessscan.shards(f"s3://{name}/projects", target_bytes=20_000, storage_options=options)
    futures = client.map(sessscan.scan_shard, planned, pure=False)
    client.gather(futures)
    assert len({worker for workers in client.who_has(futures).values() for worker in workers}) == 2


def test_a_big_file_cut_at_every_kind_of_place(
    client: Client, bucket: Any, options: dict[str, Any], files: dict[str, bytes]
) -> None:
    """Also where a line is longer than several ranges, and where nearly every range begins within a line."""
    from sessscan.distributed.pieces import Piece, Shard

    _, name = bucket
    [key] = [key for key in files if BIG in key]
    data, url = files[key], f"s3://{name}/{key}"
    [whole] = sessscan.shards(url, target_bytes=10**9, storage_options=options)
    [piece] = whole.pieces
    assert piece.size == len(data)
    long = data.index(b"long \xc3\xa9")
    nuls = data.index(b"\0" * 70_000)
    at = data.index
    kinds = {
        "in the BOM": [1],
        "behind the BOM": [3],
        "in a character": [at("é".encode()) + 1, at("🚀".encode()) + 1, at("🚀".encode()) + 3],
        "between CR and LF": [at(b"\r\n") + 1],
        "before and after an LF": [at(b'"}\n') + 2, at(b'"}\n') + 3],
        "between empty lines": [at(b"\n\r\n\n") + 1, at(b"\n\r\n\n") + 2, at(b"\n\r\n\n") + 3],
        "in and around NULs": [at(b"\0"), at(b"\0") + 2, nuls + 35_000, nuls + 70_000],
        "in a long line": [long, long + 70_000, long + 140_000, long + 210_000],
        "in a title": [at(b"A {title}") + 3],
        "in an escape": [at(b"\\u00e9") + 3],
        "between glued records": [at(b"}{") + 1],
        "in a spliced line": [at(b'{"type":"ai-ti{') + 14],
        "in a torn line": [len(data) - 1, len(data) - 5],
    }  # fmt: skip
    every = sorted({cut for cuts in kinds.values() for cut in cuts})
    cases = {**kinds, "at all of them": every}
    futures = {}
    for kind, cuts in cases.items():
        edges = [0, *sorted(cuts), len(data)]
        ranges = [Piece(url, piece.size, piece.version, start, end) for start, end in pairwise(edges)]
        shards = [Shard((part,), storage_options=options) for part in ranges]
        futures[kind] = client.map(sessscan.scan_shard, shards, pure=False)
    for kind, scanned in futures.items():
        table = sessscan.combine(client.gather(scanned), storage_options=options)
        assert rows_of(table) == [expected(files, name)[url]], kind


def _slow_down() -> None:
    """Lets each shard take a while, in the worker where this runs."""
    from sessscan.distributed import dask, shard

    scan = shard.scan_shard

    def slow(work: shard.Shard) -> Any:
        time.sleep(0.25)
        return scan(work)

    slow.__module__, slow.__qualname__ = scan.__module__, scan.__qualname__
    shard.scan_shard = dask.scan_shard = slow


def test_a_worker_that_is_killed_in_the_middle(
    client: Client, bucket: Any, options: dict[str, Any], files: dict[str, bytes]
) -> None:
    _, name = bucket
    # With so many tasks for each worker the kill comes long before the end.
    client.run(_slow_down)
    before = client.run(os.getpid)
    planned = len(sessscan.shards(f"s3://{name}/projects", target_bytes=9_000, storage_options=options))
    assert planned > 60
    frame = sessscan.distributed.dask.read_transcripts(
        f"s3://{name}/projects", target_bytes=9_000, storage_options=options
    )
    future = client.compute(frame)

    def busy() -> str | None:
        """A worker that has results already and is at work on another task."""
        held, working = client.has_what(), client.processing()
        both = [worker for worker in before if len(held.get(worker, ())) > 3 and working.get(worker)]
        return both[0] if both else None

    victim = until(busy, "work on a worker")
    os.kill(before[victim], signal.SIGKILL)
    assert not future.done()
    assert by_url(future.result(timeout=PATIENCE)) == expected(files, name)
    until(lambda: len(client.scheduler_info()["workers"]) == 2, "a new worker")
    after = set(client.run(os.getpid).values())
    assert before[victim] not in after and len(after & set(before.values())) == 1


def test_objects_that_are_gone_or_changed(
    client: Client, bucket: Any, options: dict[str, Any], files: dict[str, bytes]
) -> None:
    fs, name = bucket
    keys = sorted(files, key=lambda key: len(files[key]))
    big, gone, changed, grown = keys[-1], keys[-2], keys[3], keys[4]
    frame = sessscan.distributed.dask.read_transcripts(
        [f"s3://{name}/projects", f"s3://{name}/never-there.jsonl"],
        target_bytes=20_000,
        storage_options=options,
    )
    fs.rm(f"{name}/{gone}")
    fs.pipe_file(f"{name}/{changed}", files[changed].replace(b"a", b"b"))
    for key in (grown, big):
        fs.pipe_file(f"{name}/{key}", files[key] + b"{}\n")
    found, whole = by_url(frame.compute()), expected(files, name)
    errors = {url.removeprefix(f"s3://{name}/"): row["error"] for url, row in found.items() if row["error"]}
    assert set(errors) == {gone, changed, grown, big, "never-there.jsonl"}
    assert "gone" in errors[gone] and "gone" in errors["never-there.jsonl"]
    assert all("changed" in errors[key] for key in (changed, grown, big))
    assert {url: row for url, row in found.items() if not row["error"]} == {
        url: row for url, row in whole.items() if url.removeprefix(f"s3://{name}/") not in errors
    }
