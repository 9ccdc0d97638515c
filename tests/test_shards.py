"""Check that `shards`, `scan_shard` and `combine` together give the answer of one machine."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from support.transcript_factory import new_id, talk
from test_parts import NASTY

fsspec = pytest.importorskip("fsspec", reason="needs the extra `shards`")
pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `shards`")

from sessscan.distributed.pieces import Piece, Shard  # noqa: E402

pytestmark = pytest.mark.full


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a projects folder: sessions of all sizes, one empty, one damaged, and other files."""
    dice = Random(3)
    root = tmp_path / "projects"
    for number in range(12):
        session = talk(
            dice, f"/home/ada/{number}", 1_780_000_000_000 + number, turns=1 + number * number // 8
        )
        folder = root / f"-home-ada-{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{session.session_id}.jsonl").write_bytes(session.bytes())
    (folder / f"{new_id(dice)}.jsonl").write_bytes(b"")
    (folder / f"{new_id(dice)}.jsonl").write_bytes(NASTY)
    inside = folder / new_id(dice) / "subagents"
    inside.mkdir(parents=True)
    for other in (folder / "agent-1.jsonl", folder / "notes.txt", inside / f"{new_id(dice)}.jsonl"):
        other.write_bytes(session.bytes())
    return root


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()


def rows_of(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a table, with their times as `Transcript` has them."""
    for name in ("created_at", "last_activity_at"):
        number = table[name].cast(pyarrow.int64())
        table = table.set_column(table.schema.names.index(name), name, number)
    return table.to_pylist()  # type: ignore[no-any-return]


def run(planned: list[Shard]) -> list[dict[str, Any]]:
    """Scan shards as other machines would, from a pickle and in another order, and return the rows."""
    Random(1).shuffle(planned)
    batches = [sessscan.scan_shard(pickle.loads(pickle.dumps(shard))) for shard in planned]
    return sorted(rows_of(sessscan.combine(batches)), key=lambda row: row["path"])


def on_one_machine(files: list[Path]) -> list[dict[str, Any]]:
    return [transcript.to_dict() for transcript in sessscan.scan_many(sorted(files))]


def errors(planned: list[Shard]) -> dict[str, str | None]:
    return {row["path"]: row["error"] for row in run(planned)}


def sessions(store: Path) -> list[Path]:
    found = [path for path in store.glob("*/*.jsonl") if not path.name.startswith("agent-")]
    assert len(found) == 14
    return found


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("target", [50, 2_000, 10_000, 10**9])
def test_the_same_as_on_one_machine(store: Path, target: int, strict: bool) -> None:
    planned = sessscan.shards(store, target_bytes=target, strict=strict)
    for shard in planned:
        assert sum((piece.end or piece.size or 0) - piece.start for piece in shard.pieces) <= target
        assert shard.file is None or len(shard.pieces) == 1
    assert len(planned) == 1 or target < 10**9
    assert run(planned) == on_one_machine(sessions(store))


def test_files_patterns_and_folders(store: Path, memory: Any) -> None:
    for path in sessions(store):
        memory.pipe_file(f"/bucket/{path.parent.name}/{path.name}", path.read_bytes())
    memory.pipe_file("/bucket/x/odd [name].jsonl", NASTY)
    expected = {
        path.name: row | {"path": None}
        for path, row in zip(sorted(sessions(store)), on_one_machine(sessions(store)), strict=True)
    }
    for urls in (
        "memory://bucket",
        "memory:///bucket/",
        "memory://bucket/*/????????-*.jsonl",
        "memory://bucket/**/*-*-*.jsonl",
    ):
        rows = run(sessscan.shards(urls, target_bytes=3_000))
        assert {Path(row["path"]).name: row | {"path": None} for row in rows} == expected, urls
        assert all(row["path"].startswith("memory:///bucket/-home") for row in rows)
    [odd] = run(sessscan.shards("memory://bucket/x/odd [name].jsonl", target_bytes=40))
    assert (odd["session_id"], odd["summary"]) == ("odd [name]", "Of this session")
    assert run(sessscan.shards(["memory://bucket/x", "memory://bucket/x/*.txt"])) == []
    twice = ["memory://bucket/x/odd [name].jsonl", "memory://bucket/x", "memory://bucket/x/*"]
    assert len(run(sessscan.shards(twice, target_bytes=40))) == 1


def test_files_inside_an_archive(store: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "store.zip", "w") as archive:
        for path in sessions(store):
            archive.write(path, f"projects/{path.parent.name}/{path.name}")
    rows = run(sessscan.shards(f"zip://projects::{tmp_path / 'store.zip'}", target_bytes=5_000))
    assert [row | {"path": None} for row in rows] == [
        row | {"path": None} for row in on_one_machine(sessions(store))
    ]
    assert all(row["path"].endswith(f".jsonl::{tmp_path / 'store.zip'}") for row in rows)


def test_local_files_as_paths_and_as_urls(store: Path) -> None:
    path = sessions(store)[0]
    assert run(sessscan.shards([path])) == [sessscan.scan(path).to_dict()]
    uri = path.as_uri().replace("///", "//") if os.name == "nt" else path.as_uri()  # as fsspec spells it
    assert run(sessscan.shards(path.as_uri()))[0]["path"] == uri


def test_a_cut_at_every_byte(memory: Any) -> None:
    memory.pipe_file("/s.jsonl", NASTY)
    size = len(NASTY)
    [whole] = sessscan.shards("memory://s.jsonl")
    [piece] = whole.pieces
    expected = {**sessscan.scan_bytes(NASTY, session_id="s").to_dict(), "path": piece.url}
    assert run([whole]) == [expected]
    for cut in range(1, size):
        ranges = [Piece(piece.url, size, piece.version, *edges) for edges in ((0, cut), (cut, size))]
        assert run([Shard((part,)) for part in ranges]) == [expected], cut


def test_lines_that_reach_over_many_ranges(memory: Any) -> None:
    long = b'{"parentUuid":null,"cwd":"/a","x":"' + b"long " * 900_000 + b'"}\n'
    data = (
        b'{"type":"ai-title","aiTitle":"A"}\n'
        + long * 2
        + b'{"type":"ai-title","aiTitle":"B"}\n\0\0\0'
        + long[:-1]
    )
    memory.pipe_file("/s.jsonl", data)
    planned = sessscan.shards("memory://s.jsonl", target_bytes=1_000_000)
    assert len(planned) == 14
    expected = sessscan.scan_bytes(data, session_id="s")
    assert run(planned) == [{**expected.to_dict(), "path": "memory:///s.jsonl"}]


def test_one_request_for_a_piece(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/s.jsonl", b'{"parentUuid":null,"cwd":"/a"}\n' * 30_001)
    planned = sessscan.shards("memory://s.jsonl", target_bytes=200_000)
    read: list[str] = []
    cat_file = type(memory).cat_file
    monkeypatch.setattr(
        type(memory), "cat_file", lambda self, path, **more: read.append(path) or cat_file(self, path, **more)
    )
    run(planned)
    assert len(planned) == len(read) == 5


def test_rows_keep_their_order(store: Path) -> None:
    planned = sessscan.shards(store, target_bytes=3_000)
    table = sessscan.combine(map(sessscan.scan_shard, planned))
    assert table["path"].to_pylist() == list(dict.fromkeys(p.url for shard in planned for p in shard.pieces))
    assert sessscan.combine([]).num_rows == 0
    assert sessscan.combine([]).schema == table.schema


def test_the_columns_are_the_fields_of_a_transcript(store: Path) -> None:
    names = list(sessscan.scan_bytes(b"").to_dict())
    [shard] = sessscan.shards(store)
    batch = sessscan.scan_shard(shard)
    assert batch.schema.names == [*names, "part", "part_start", "part_end"]
    assert sessscan.combine([batch]).schema.names == names
    assert batch["part"].null_count == batch.num_rows == 14


# --- What goes wrong -------------------------------------------------------------------------------------


def _remove(path: Path) -> None:
    path.unlink()


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")


def _shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _swap(path: Path) -> None:
    """Replace a file by another of the same size."""
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes().replace(b"a", b"b"))
    other.replace(path)


def _fold(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "text"),
    [(_remove, "gone"), (_grow, "changed"), (_shrink, "changed"), (_swap, "changed"), (_fold, "")],
)
@pytest.mark.parametrize("target", [1_000, 10**9])
def test_a_file_that_has_changed_since_it_was_listed(
    store: Path, change: Callable[[Path], None], text: str, target: int
) -> None:
    planned = sessscan.shards(store, target_bytes=target)
    victim = max(sessions(store), key=lambda path: path.stat().st_size)
    expected = on_one_machine(sessions(store))
    change(victim)
    rows = run(planned)
    [bad] = [row for row in rows if row["error"] is not None]
    assert bad["path"] == str(victim) and text in bad["error"]
    assert bad["session_id"] == victim.stem and bad["records"] is None
    assert [row for row in rows if row is not bad] == [row for row in expected if row["path"] != str(victim)]


def test_a_file_that_changes_between_its_ranges(store: Path) -> None:
    victim = max(sessions(store), key=lambda path: path.stat().st_size)
    planned = sessscan.shards(victim, target_bytes=victim.stat().st_size // 3)
    first = sessscan.scan_shard(planned[0])
    _grow(victim)
    [row] = rows_of(sessscan.combine([first, *map(sessscan.scan_shard, planned[1:])]))
    assert "changed" in row["error"]
    again = sessscan.shards(victim, target_bytes=victim.stat().st_size // 3)
    [row] = rows_of(sessscan.combine([first, *map(sessscan.scan_shard, again[1:])]))
    assert "not of one file" in row["error"] or "missing" in row["error"]
    assert run(again) == [sessscan.scan(victim).to_dict()]


def test_missing_and_repeated_parts(store: Path) -> None:
    victim = max(sessions(store), key=lambda path: path.stat().st_size)
    batches = [sessscan.scan_shard(shard) for shard in sessscan.shards(victim, target_bytes=1_000)]
    assert rows_of(sessscan.combine(batches * 2)) == [sessscan.scan(victim).to_dict()]
    [row] = rows_of(sessscan.combine(batches[1:]))
    assert "byte 0 is missing" in row["error"]
    # A task that failed for a while and was run again.
    failed = sessscan.shards(victim, target_bytes=1_000)[2]
    aside = victim.rename(victim.with_suffix(".aside"))
    gone = sessscan.scan_shard(failed)
    aside.rename(victim)
    assert rows_of(sessscan.combine([gone, *batches])) == [sessscan.scan(victim).to_dict()]
    [row] = rows_of(sessscan.combine([gone, *batches[:2], *batches[3:]]))
    assert "gone" in row["error"]


def test_a_file_that_was_never_there(store: Path) -> None:
    path = sessions(store)[0]
    found = errors(sessscan.shards([store / "typo.jsonl", path, "memory://nowhere/x.jsonl"]))
    assert found[str(path)] is None
    assert "gone" in str(found[str(store / "typo.jsonl")]) and "gone" in str(
        found["memory://nowhere/x.jsonl"]
    )


def test_a_file_is_read_again_only_for_an_old_summary(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = b'{"parentUuid":null,"uuid":"u1","cwd":"/a"}\n'
    summary = b'{"type":"summary","summary":"Old","leafUuid":"u1"}\n'
    read: list[str] = []
    cat_file = type(memory).cat_file
    monkeypatch.setattr(
        type(memory), "cat_file", lambda self, path, **more: read.append(path) or cat_file(self, path, **more)
    )
    # Where the leaf stands in the same range as the summary, after it, all is known.
    for data, looks in ((chain * 4, 0), (summary + chain * 4, 0), (chain * 4 + summary, 1)):
        memory.pipe_file("/s.jsonl", data)
        batches = [sessscan.scan_shard(s) for s in sessscan.shards("memory://s.jsonl", target_bytes=120)]
        read.clear()
        [row] = rows_of(sessscan.combine(batches))
        assert (row["error"], len(read)) == (None, looks)
        assert row["summary"] == sessscan.scan_bytes(data).summary
    memory.pipe_file("/s.jsonl", data + b"\n")
    assert "changed" in rows_of(sessscan.combine(batches))[0]["error"]
    memory.rm("/s.jsonl")
    assert "gone" in rows_of(sessscan.combine(batches))[0]["error"]


def test_a_file_system_that_fails(store: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its package raises becomes the error of that file only."""
    for name in ("good", "bad"):
        memory.pipe_file(f"/{name}.jsonl", NASTY)
    cat_file = type(memory).cat_file

    def fail(self: Any, path: str, **more: Any) -> bytes:
        if "bad" in path:
            raise RuntimeError("no connection")
        return cat_file(self, path, **more)  # type: ignore[no-any-return]

    planned = sessscan.shards(["memory://good.jsonl", "memory://bad.jsonl"])
    monkeypatch.setattr(type(memory), "cat_file", fail)
    assert errors(planned) == {
        "memory:///good.jsonl": None,
        "memory:///bad.jsonl": "it cannot be read: RuntimeError: no connection",
    }


@pytest.mark.linux("other systems have no such names")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.jsonl")
    path.write_bytes(NASTY)
    [row] = run(sessscan.shards(path))
    assert (row["session_id"], row["path"]) == ("\ufffd", str(tmp_path / "\ufffd.jsonl"))
    assert row["custom_title"] == "A {title}"
    planned = sessscan.shards(path, target_bytes=100)
    path.unlink()
    assert "gone" in run(planned)[0]["error"]


def test_times_that_python_has_no_dates_for(memory: Any) -> None:
    data = b"".join(b'{"timestamp":"%d-03-01T00:00:00.000Z"}\n' % year for year in (9999, 1000))
    memory.pipe_file("/s.jsonl", data.replace(b"1000", b"0000"))
    [row] = run(sessscan.shards("memory://s.jsonl", target_bytes=40))
    assert (row["created_at"], row["last_activity_at"]) == (-62_162_035_200_000, 253_375_862_400_000)


def test_wrong_arguments(store: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sessscan.shards(store, target_bytes=0)
    with pytest.raises(ValueError, match="Protocol not known"):
        sessscan.shards("nosuch://a")
    with pytest.raises(pyarrow.ArrowInvalid):
        sessscan.combine([pyarrow.table({"path": ["x"]})])


def test_credentials_are_not_shown(memory: Any) -> None:
    memory.pipe_file("/s.jsonl", b"{}\n")
    [shard] = sessscan.shards("memory://s.jsonl", storage_options={"token": "secret"})
    assert shard.storage_options == {"token": "secret"} and "secret" not in repr(shard)


# --- In a process of its own -----------------------------------------------------------------------------


def python(code: str, *args: str) -> str:
    run = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_libraries_are_loaded_lazily() -> None:
    code = (
        "import sys, sessscan, sessscan.distributed.dask; sessscan.shards;"
        "print([name for name in ('fsspec', 'pyarrow', 'dask', 'pandas') if name in sys.modules])"
    )
    assert python(code).strip() == "[]"


def test_without_the_extra(store: Path) -> None:
    code = (
        "import sys, sessscan, sessscan.distributed.dask\n"
        "for name in ('fsspec', 'pyarrow', 'dask'): sys.modules[name] = None\n"
        "for call in (sessscan.shards, sessscan.distributed.dask.read_transcripts, sessscan.combine):\n"
        "    try: call([sys.argv[1]])\n"
        "    except ImportError as error: print(error)\n"
    )
    said = python(code, str(store))
    assert (
        said.count("pip install 'sessscan[shards]'") == 2 and said.count("pip install 'sessscan[dask]'") == 1
    )


@pytest.mark.linux("threads are counted in /proc")
def test_it_starts_no_threads(store: Path) -> None:
    code = (
        "import os, sys, sessscan\n"
        "shards = sessscan.shards(sys.argv[1], target_bytes=4000)\n"
        "sessscan.scan_shard(shards[0])\n"
        "before = set(os.listdir('/proc/self/task'))\n"
        "for shard in shards: sessscan.scan_shard(shard)\n"
        "print(len(shards) > 5, set(os.listdir('/proc/self/task')) - before)\n"
    )
    assert python(code, str(store)).strip() == "True set()"


# --- Fields -----------------------------------------------------------------------------------------------

FIELDS = {"type": "type", "time": "timestamp:time", "role": "message.role", "content": "message.content:json"}


@pytest.mark.parametrize("target_bytes", [300, 5_000, 1 << 30])
@pytest.mark.parametrize("strict", [False, True])
def test_fields_of_shards_are_those_of_one_machine(store: Path, target_bytes: int, strict: bool) -> None:
    where = {"type": ["user", "assistant", "custom-title"]}
    planned = sessscan.shards(store, target_bytes=target_bytes, strict=strict)
    batches = [sessscan.scan_shard(shard, fields=FIELDS, where=where, path=True) for shard in planned]
    files = list(dict.fromkeys(piece.url for shard in planned for piece in shard.pieces))
    whole = sessscan.fields(files, FIELDS, where, path=True, strict=strict)
    table = pyarrow.Table.from_batches(batches)
    assert table.to_pylist() == pyarrow.table(whole).to_pylist()
    counts = [json.loads(batch.schema.metadata[b"sessscan"]) for batch in batches]
    assert sum(one["defect_count"] for one in counts) == whole.defect_count > 0
    assert sum(one["other_types"]["time"] for one in counts) == whole.other_types["time"]


def test_fields_of_a_file_that_is_gone(store: Path) -> None:
    planned = sessscan.shards(store)
    gone = planned[0].pieces[0].url
    Path(gone).unlink()
    with pytest.raises(OSError, match="it is gone since it was listed"):
        sessscan.scan_shard(planned[0], fields=FIELDS)
    batch = sessscan.scan_shard(planned[0], fields=FIELDS, errors="skip")
    [skipped] = json.loads(batch.schema.metadata[b"sessscan"])["skipped"]
    assert skipped["path"] == gone
    assert batch.num_rows > 0


def test_options_of_fields_without_fields(store: Path) -> None:
    [shard] = sessscan.shards(store)
    with pytest.raises(TypeError, match="go with fields"):
        sessscan.scan_shard(shard, where={"type": "user"})
    with pytest.raises(ValueError, match='"path"'):
        sessscan.scan_shard(shard, fields={"path": "cwd"}, path=True)


def test_fields_of_files_of_unknown_size(memory: Any) -> None:
    memory.pipe("/a.jsonl", b'{"type":"user"}\n{"type":"torn')
    shard = Shard((Piece("memory://a.jsonl", None, None),))
    batch = sessscan.scan_shard(shard, fields={"type": "type"}, path=True)
    assert batch.to_pylist() == [{"path": "memory://a.jsonl", "type": "user"}]


def test_dask_reads_fields(store: Path) -> None:
    pytest.importorskip("dask.dataframe", reason="needs the extra `dask`")
    pytest.importorskip("pandas")
    frame = sessscan.read_fields(store, FIELDS, {"type": "user"}, path=True, target_bytes=4_000)
    assert frame.npartitions > 2
    rows = frame.compute()
    planned = sessscan.shards(store, target_bytes=4_000)  # small files come together, so the order follows
    files = list(dict.fromkeys(piece.url for shard in planned for piece in shard.pieces))
    whole = pyarrow.table(sessscan.fields(files, FIELDS, {"type": "user"}, path=True))
    assert rows["content"].tolist() == whole["content"].to_pylist()
    assert list(rows.columns) == whole.schema.names
    empty = sessscan.read_fields(store / "nothing-here-*", FIELDS).compute()
    assert list(empty.columns) == list(FIELDS)
