"""Compare the core with the plain-Python scan of `support/reference.py` on generated transcripts.

`pytest -m thorough` compares four times as many. If the environment variable `SESSSCAN_CORPUS` names a folder
of real transcripts, they are compared too: whole, and in thousands of damaged copies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from hypothesis import strategies as st
from race import content, sessions
from support import damage, reference, transcripts
from support.rounds import examples, rounds
from support.transcripts import all_fields

pytestmark = pytest.mark.full


def core(data: bytes, session_id: str | None = transcripts.SESSION, *, strict: bool) -> dict[str, Any]:
    found = all_fields(sessscan.scan_bytes(data, session_id=session_id, strict=strict))
    assert found.pop("error") is None
    return found


def as_dict(event: sessscan.Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("line", "offset", "kind", "value", "source")}


def compare(data: bytes) -> None:
    """Check that a strict scan and a usual one give what the reference gives."""
    expected = reference.scan_bytes(data, transcripts.SESSION)
    assert core(data, strict=True) == expected
    assert core(data, strict=False) == expected


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of one transcript, named after its session."""
    return tmp_path_factory.mktemp("transcripts") / f"{transcripts.SESSION}.jsonl"


@examples(60, transcripts.transcripts(), thorough=1_000)
def test_undamaged_transcripts(data: bytes) -> None:
    compare(data)


@pytest.mark.parametrize("kind", damage.DAMAGES, ids=lambda kind: kind.__name__)
@examples(12, data=st.data(), thorough=160)
def test_each_kind_of_damage(kind: damage.Damage, data: st.DataObject) -> None:
    compare(data.draw(transcripts.damaged(kind)))


@examples(50, transcripts.damaged(), thorough=600)
def test_several_kinds_of_damage_together(data: bytes) -> None:
    compare(data)


@examples(
    40,
    thorough=400,
    data=st.one_of(transcripts.transcripts(), transcripts.damaged()),
    codec=st.sampled_from(("utf-16-le", "utf-16-be")),
    mark=st.sampled_from(("\ufeff", "")),
    cut=st.integers(0, 3),
)
def test_transcripts_in_utf16(file: Path, data: bytes, codec: str, mark: str, cut: int) -> None:
    encoded = (mark + data.decode(errors="replace")).encode(codec)
    encoded = encoded[: len(encoded) - cut]
    compare(encoded)
    file.write_bytes(encoded)
    assert [as_dict(event) for event in sessscan.events(file)] == reference.events(encoded)


@examples(80, transcripts.mutated(), thorough=1_200)
def test_transcripts_with_arbitrary_bytes_changed(data: bytes) -> None:
    assert core(data, strict=True) == reference.scan_bytes(data, transcripts.SESSION)


@examples(60, transcripts.mutated(), st.sampled_from((None, transcripts.PARENT_SESSION, "")), thorough=240)
def test_records_of_another_session_or_of_none(data: bytes, session_id: str | None) -> None:
    assert core(data, session_id, strict=True) == reference.scan_bytes(data, session_id)


@examples(
    30,
    thorough=320,
    data=st.one_of(transcripts.transcripts(), transcripts.damaged()),
    kinds=st.sampled_from((("title", "cwd", "timestamp"), ("cwd",), ("timestamp", "title"), ())),
)
def test_events_of_files(file: Path, data: bytes, kinds: tuple[str, ...]) -> None:
    file.write_bytes(data)
    for strict in (True, False):
        found = all_fields(sessscan.scan(file, strict=strict))
        assert found.pop("error") is None
        assert found == reference.scan(file)
        assert found == {**core(data, strict=strict), "path": str(file)}
    assert [as_dict(event) for event in sessscan.events(file, kinds)] == reference.events(data, kinds)


@pytest.mark.parametrize("seed", range(4))
def test_files_of_many_megabytes(file: Path, seed: int) -> None:
    """Damage files that are read in pieces, or by several threads, also where the pieces meet."""
    random = Random(seed)
    session = sessions.Session(random, content.make(seed), "/home/ada/engine", 5_000_000)
    session.session_id = session.writer = transcripts.SESSION
    parts = list(session.lines())
    middle = len(parts) // 2
    parts[middle:middle] = [
        b"\0" * 1_500_000,
        *parts[:3],
        b'{"cwd":"' + b"long " * 600_000 + b'"}\n',
        b"\r\n" * 9_000,
    ]
    data = b"".join(parts)
    for _ in range(40):
        kind = random.choice(
            (damage.nul_line, damage.nul_beside_record, damage.splice, damage.glue, damage.nul_inside)
        )
        begin = random.randrange(len(data))
        end = begin + 20_000
        data = data[:begin] + kind(data[begin:end], random) + data[end:]
    file.write_bytes(data)
    expected = reference.scan(file)
    assert sessscan.scan(file).modified_at == file.stat().st_mtime_ns // 1_000_000
    for strict in (True, False):
        found = all_fields(sessscan.scan(file, strict=strict))
        assert found.pop("error") is None
        assert found == expected
        assert {**core(data, strict=strict), "path": str(file)} == expected
    assert [as_dict(event) for event in sessscan.events(file)] == reference.events(file)


# --- Real transcripts -------------------------------------------------------------------------------------

CORPUS = Path(os.environ.get("SESSSCAN_CORPUS", ""))
FILES = sorted(CORPUS.rglob("*.jsonl")) if os.environ.get("SESSSCAN_CORPUS") else []
needs_corpus = pytest.mark.skipif(not FILES, reason="SESSSCAN_CORPUS names no folder with transcripts")


def excerpts(seed: int) -> Iterator[bytes]:
    """Yield some consecutive lines of one real file after the other, endlessly."""
    random = Random(seed)
    while True:
        for file in FILES:
            lines = [line for line in file.read_bytes().split(b"\n") if len(line) < 100_000] or [b""]
            begin = random.randrange(len(lines))
            yield b"\n".join(lines[begin : begin + random.randint(1, 12)])[:100_000]


@needs_corpus
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CORPUS)))
def test_each_real_file(file: Path) -> None:
    expected = reference.scan(file)
    for strict in (True, False):
        found = all_fields(sessscan.scan(file, strict=strict))
        assert found.pop("error") is None
        assert found == expected
    assert [as_dict(event) for event in sessscan.events(file)] == reference.events(file)


@needs_corpus
@rounds(500, thorough=2_000)
def test_mutated_copies_of_real_files(rounds: int) -> None:
    for seed, excerpt in zip(range(rounds), excerpts(1), strict=False):
        for data in damage.mutated_copies(excerpt, seed, 4):
            assert core(data, strict=True) == reference.scan_bytes(data, transcripts.SESSION), seed


@needs_corpus
@rounds(500, thorough=2_000)
def test_damaged_copies_of_real_files(rounds: int) -> None:
    for seed, excerpt in zip(range(rounds), excerpts(2), strict=False):
        for data in damage.damaged_copies(excerpt, seed, 4):
            compare(data)
