"""Test the sample store: always the same, plausible, and damaged in many ways."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import sessscan
from sessscan import _core
from sessscan.demo import make

NOW = 1_795_000_000.0


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    make(folder, NOW)
    return folder


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_sample_is_the_same_each_time(sample: Path, tmp_path: Path) -> None:
    make(tmp_path / "new", NOW + 3600)
    assert files(tmp_path / "new") == files(sample)


def test_all_files_are_from_the_past_month(sample: Path) -> None:
    times = [time / 1e9 for _, time in files(sample).values()]
    assert min(times) > NOW - 30 * 86_400
    assert max(times) < NOW


def test_the_transcripts_scan_as_transcripts(sample: Path) -> None:
    paths = sorted((sample / "projects").glob("*/*.jsonl"))
    transcripts = sessscan.scan_many(paths, strict=True)
    assert len(paths) > 24
    for transcript in transcripts:
        assert transcript.error is None
        assert transcript.title and transcript.title != "no title"
        assert transcript.cwd and transcript.cwd.startswith("/home/ada/code/")
        assert transcript.last_activity_at and transcript.created_at
        assert transcript.own_records
    damaged = [transcript for transcript in transcripts if transcript.defects]
    assert [[defect.kind for defect in transcript.defects] for transcript in damaged] == [
        ["spliced"],
        ["nul-run", "nul-run"],
    ]
    assert [action.kind for action in sessscan.repair((), sample / "projects").actions] == ["repair"] * 2
    assert {transcript.entrypoint for transcript in transcripts} == {"claude-desktop", "cli"}
    assert {transcript.title_source for transcript in transcripts} == {"ai", "custom", "prompt"}
    subagents = [path for path in (sample / "projects").rglob("agent-*.jsonl")]
    assert subagents and all(sessscan.scan(path).is_sidechain for path in subagents)


def test_all_rows_are_healthy_except_the_damaged_ones(sample: Path) -> None:
    rows = sorted((sample / "Claude").rglob("local_*.json"))
    states = [str(_core.classify(row)) for row in rows]
    assert len(rows) > 24
    assert set(states) == {"ok", "zero-filled", "empty", "truncated", "bom"}
    for row, state in zip(rows, states, strict=True):
        if state == "ok":
            fields = json.loads(row.read_bytes())
            assert abs(row.stat().st_mtime - fields["lastActivityAt"] / 1000) < 120
    assert len(list((sample / "Claude").rglob("*.tmp"))) == 2
    assert len(list((sample / "Claude").rglob("deleted_*"))) == 4


@pytest.mark.parametrize("name", ["d", "my store"])
def test_demo_prints_the_next_command(tmp_path: Path, name: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "sessscan", "demo", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    places = str(Path(name, "Claude")), str(Path(name, "projects"))
    join = subprocess.list2cmdline if sys.platform == "win32" else shlex.join
    first, second = made.stdout.splitlines()
    assert first == join(["sessscan", "reconcile", "--store", places[0], "--projects", places[1]])
    assert second == join(["sessscan", "repair", "--projects", places[1]])
    assert "sample store" in made.stderr


def test_demo_makes_nothing_in_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"")
    for given, words in ((tmp_path, "is not empty"), (tmp_path / "mine", "is not a folder")):
        made = subprocess.run(
            [sys.executable, "-m", "sessscan", "demo", given], capture_output=True, text=True, check=False
        )
        assert made.returncode == 2
        assert words in made.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
