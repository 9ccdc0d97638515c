"""Measure `scan_shard` on one core, from local files and from S3 on loopback.

The time is this process's processor time (user and system), not the clock's: other work on the machine and
waiting for the server do not count. `python benches/shards.py` needs the extras `bench` and
`test-distributed`; files are in the page cache.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import sessscan
from race import content, machine, sessions

FILES, SIZE = 40, 5_000_000
"""Transcripts, and their average size in bytes: that of a million of 5 TB."""

SERVER = (
    "from moto.server import ThreadedMotoServer; server = ThreadedMotoServer('127.0.0.1', 0, False);"
    "server.start(); print(server.get_host_and_port()[1], flush=True); server._thread.join()"
)


def processor_seconds(work: Callable[[], Any]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def scan(planned: list[Any]) -> None:
    for shard in planned:
        batch = sessscan.scan_shard(shard)
        assert batch["error"].null_count == batch.num_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    import s3fs

    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            options = {
                "key": "test",
                "secret": "test",
                "endpoint_url": f"http://127.0.0.1:{port}",
                "client_kwargs": {"region_name": "eu-west-1"},
            }
            dice, said = Random(1), content.make(1)
            s3 = s3fs.S3FileSystem(**options)
            s3.mkdir("bench")
            files = []
            for _ in range(FILES):
                session = sessions.Session(dice, said, "/home/ada/engine", int(SIZE * dice.uniform(0.2, 1.8)))
                file = Path(folder) / f"{session.session_id}.jsonl"
                file.write_bytes(b"".join(session.lines()))
                s3.put_file(str(file), f"bench/{file.name}")
                files.append(file)
            size = sum(file.stat().st_size for file in files)
            local = sessscan.shards(folder)
            remote = sessscan.shards("s3://bench", storage_options=options)
            ways: dict[str, Callable[[], Any]] = {
                "scan_many, one thread": lambda: sessscan.scan_many(files, threads=1),
                "scan_shard, local files": lambda: scan(local),
                "S3 on loopback, read only": lambda: [s3.cat_file(f"bench/{file.name}") for file in files],
                "scan_shard, S3 on loopback": lambda: scan(remote),
            }
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(rounds + 1):
                for name, way in ways.items():
                    seconds = processor_seconds(way)
                    if number:  # the first round warms up
                        taken[name].append(seconds)
        finally:
            server.kill()
    on = machine.describe()
    print(
        f"{on['processor']}, {on['widths'][0]}, load {on['load']}; {FILES} transcripts, {size / 1e6:.0f} MB"
    )
    for name, seconds in taken.items():
        rate = size / median(seconds)
        spread = f"{size / max(seconds) / 1e6:.0f}-{size / min(seconds) / 1e6:.0f}"
        print(
            f"{name:28} {rate / 1e6:6.0f} MB/s a core ({spread}); 5 TB: {5e12 / rate / 3600:.2f} core-hours"
        )


if __name__ == "__main__":
    main()
