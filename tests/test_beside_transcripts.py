"""What is read of the small files beside a transcript, whatever they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sessscan.stores.beside_transcripts import (
    MAX_SIZE,
    Archived,
    Released,
    all_set_aside,
    archived,
    custom_title,
    released,
    set_aside,
)

NAME = "00000000-0000-4000-8000-00000000000a"
AT = 1_790_000_000_123
ISO = "2026-09-21T14:13:20.123Z"

READERS: dict[str, Callable[[str, str], Any]] = {
    f"{NAME}/custom-title.json": custom_title,
    f"{NAME}/archived.json": archived,
    f"{NAME}.desktop-released.json": released,
}
GOOD = json.dumps(
    {"customTitle": "A", "archived": True, "at": ISO, "v": 1, "releasedAt": AT, "reason": "delete"}
).encode()


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def put_json(folder: Path, name: str, value: object) -> None:
    put(folder, name, json.dumps(value).encode())


def test_a_title_is_as_it_was_written(tmp_path: Path) -> None:
    assert custom_title(str(tmp_path), NAME) is None
    put_json(tmp_path, f"{NAME}/custom-title.json", {"customTitle": " ä  🚀\n", "by": "user", "at": ISO})
    assert custom_title(str(tmp_path), NAME) == " ä  🚀\n"
    for title in ("", " \n", None, 7, ["x"]):
        put_json(tmp_path, f"{NAME}/custom-title.json", {"customTitle": title})
        assert custom_title(str(tmp_path), NAME) is None


def test_a_session_is_archived_since_a_time(tmp_path: Path) -> None:
    assert archived(str(tmp_path), NAME) is None
    for decision in (True, False):
        put_json(tmp_path, f"{NAME}/archived.json", {"archived": decision, "at": ISO, "by": "user"})
        assert archived(str(tmp_path), NAME) == Archived(decision, AT)
    put_json(tmp_path, f"{NAME}/archived.json", {"archived": True, "at": "2026-09-21T16:13:20.123+02:00"})
    assert archived(str(tmp_path), NAME) == Archived(True, AT)
    bad = ({"archived": 1, "at": ISO}, {"archived": True}, {"archived": True, "at": "soon"}, {"at": ISO})
    for value in (*bad, {"archived": True, "at": "2026-09-21"}):
        put_json(tmp_path, f"{NAME}/archived.json", value)
        assert archived(str(tmp_path), NAME) is None, value


def test_a_session_was_released(tmp_path: Path) -> None:
    name = f"{NAME}.desktop-released.json"
    assert released(str(tmp_path), NAME) is None
    for at in (AT, ISO):
        put_json(tmp_path, name, {"v": 1, "releasedAt": at, "reason": "delete"})
        assert released(str(tmp_path), NAME) == Released(AT, "delete")
    put_json(tmp_path, name, {"v": 2, "reason": "transfer"})
    assert released(str(tmp_path), NAME) == Released(None, "transfer")
    assert not Released(None, "transfer").deleted and Released(None, "delete").deleted
    for at in (True, 1e999, "x", [], None):
        put_json(tmp_path, name, {"releasedAt": at, "reason": 3})
        assert released(str(tmp_path), NAME) == Released(None, None)


def test_transcripts_that_were_set_aside(tmp_path: Path) -> None:
    kept = [
        put(tmp_path, f"{NAME}.jsonl.superseded-1790000000000", b"x"),
        put(tmp_path, f"{NAME}.orphaned-1790000000000-ab12.jsonl", b"x"),
    ]
    for name in (f"{NAME}.jsonl", f"{NAME}.jsonl.bak", f"{NAME}.orphaned-1.txt", "x.jsonl.superseded-1"):
        put(tmp_path, name, b"x")
    (tmp_path / f"{NAME}.jsonl.superseded-2").mkdir()
    upper = put(tmp_path, f"{NAME[:-1]}B.jsonl.superseded-1", b"x")
    assert set_aside(str(tmp_path), NAME) == set_aside(str(tmp_path), NAME.upper()) == sorted(map(str, kept))
    assert all_set_aside(str(tmp_path)) == {NAME: sorted(map(str, kept)), f"{NAME[:-1]}b": [str(upper)]}
    assert set_aside(str(tmp_path / "nowhere"), NAME) == []


HOSTILE = {
    "empty": b"",
    "zeros": bytes(300),
    "no JSON": b"{",
    "a list": b"[1]",
    "a text": b'"x"',
    "nested too deeply": b"[" * 200_000,
    "a number without end": b'{"customTitle":' + b"9" * 20_000 + b"}",
    "no UTF-8": b"\xff\xfe{\x00}\x00",
    "too large": GOOD + b" " * MAX_SIZE,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_other_content_says_nothing(tmp_path: Path, name: str, kind: str) -> None:
    assert READERS[name](str(tmp_path), NAME) is None
    put(tmp_path, name, GOOD)
    assert READERS[name](str(tmp_path), NAME) is not None
    put(tmp_path, name, HOSTILE[kind])
    assert READERS[name](str(tmp_path), NAME) is None


@pytest.mark.posix("links and pipes are others there")
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_says_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    elsewhere = put(tmp_path, "elsewhere.json", GOOD)
    path.symlink_to(elsewhere)
    assert READERS[name](str(tmp_path), NAME) is None
    path.unlink()
    os.mkfifo(path)
    assert READERS[name](str(tmp_path), NAME) is None
    path.unlink()
    path.mkdir()
    assert READERS[name](str(tmp_path), NAME) is None
    path.rmdir()
    path.write_bytes(GOOD)
    if os.geteuid() != 0:
        path.chmod(0)
        assert READERS[name](str(tmp_path), NAME) is None
    assert READERS[name](f"{tmp_path}\0", NAME) is None
