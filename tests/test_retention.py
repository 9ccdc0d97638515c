"""How long transcripts are kept, by the settings of the CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan.stores.retention import managed_settings, retention
from support.program import places, run

NEW, OLD = "2.1.248", "2.1.247"
DAY = 86_400_000


def transcript(version: str = NEW, entrypoint: str = "claude-desktop") -> sessscan.Transcript:
    line = f'{{"type":"user","uuid":"u","version":"{version}","entrypoint":"{entrypoint}"}}\n'
    return sessscan.scan_bytes(line.encode())


def kept(
    tmp_path: Path, settings: str | bytes | None = None, managed: str | None = None, version: str = NEW
) -> Any:
    for name, content in (("settings.json", settings), ("managed-settings.json", managed)):
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    policy = str(tmp_path / "managed-settings.json")
    return retention(str(tmp_path / "projects"), [transcript(OLD), transcript(version)], managed=policy)


@pytest.mark.parametrize(
    ("settings", "days", "words"),
    [
        (None, 30, "30 days, the default: there is no"),
        ("{}", 30, "does not say otherwise"),
        ('{"cleanupPeriodDays": 7}', 7, "7 days: cleanupPeriodDays"),
        ('{"cleanupPeriodDays": 1.5}', 1.5, "1.5 days"),
        ('{"cleanupPeriodDays": 1}', 1, "1 day: "),
    ],
)
def test_the_settings_say_how_long(tmp_path: Path, settings: str | None, days: float, words: str) -> None:
    found = kept(tmp_path, settings)
    assert (found.days, found.is_known) == (days, True)
    assert words in found.source


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('\ufeff{"cleanupPeriodDays": 1}', "byte order mark"),
        ('{"cleanupPeriodDays": 1}'.encode("utf-16"), "byte order mark"),
        ("{", "is not a JSON object"),
        ("[1]", "is not a JSON object"),
        ("[" * 100_000, "is not a JSON object"),
        (b'{"x":"\xff"}', "is not a JSON object"),
        ('{"x":"' + "y" * (2 << 20) + '"}', "is not a JSON object"),
        *(
            (f'{{"cleanupPeriodDays": {wrong}}}', "no number of days")
            for wrong in ('"7"', "true", "-1", "NaN")
        ),
        ('{"cleanupPeriodDays": 1e400}', "no number of days"),
        ('{"desktopSessionCleanupPeriodDays": null}', "no number of days"),
    ],
)
def test_settings_that_may_not_count_say_so(tmp_path: Path, settings: str | bytes, words: str) -> None:
    found = kept(tmp_path, settings)
    assert (found.days, found.desktop_days, found.is_known) == (None, None, False)
    assert words in found.source and "not known" in found.source
    assert found.due(transcript(), 0) is None and found.due(transcript(entrypoint="cli"), 0) is None


def test_a_settings_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "settings.json").mkdir()
    assert not kept(tmp_path).is_known


@pytest.mark.parametrize(
    ("settings", "managed", "version", "days"),
    [
        ('{"cleanupPeriodDays": 7}', None, NEW, None),
        ('{"cleanupPeriodDays": 7}', None, OLD, 7),
        ('{"desktopSessionCleanupPeriodDays": 90}', None, NEW, 90),
        (None, '{"cleanupPeriodDays": 5}', NEW, 5),
        ('{"cleanupPeriodDays": 7}', '{"desktopSessionCleanupPeriodDays": 6}', NEW, 6),
        (None, None, "no version", 30),
    ],
)
def test_what_the_app_made_is_kept(
    tmp_path: Path, settings: str | None, managed: str | None, version: str, days: float | None
) -> None:
    found = kept(tmp_path, settings, managed, version)
    assert found.desktop_days == days
    assert ("kept at any age" in found.source) == (days is None)
    assert found.due(transcript(), 0) == (None if days is None else days * DAY)
    assert found.due(transcript(entrypoint="cli"), 0) == found.days * DAY


def test_a_managed_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    found = kept(tmp_path, "{}", "\ufeff{}")
    assert not found.is_known and "managed-settings.json" in found.source


def test_where_managed_settings_lie() -> None:
    assert managed_settings("linux").startswith("/etc/")
    assert managed_settings("darwin").startswith("/Library/")
    assert managed_settings("win32").startswith("C:\\Program Files\\")


def test_reconcile_tells_how_long_transcripts_are_kept(env: dict[str, str], sample: Path) -> None:
    text = " ".join(run(env, "reconcile", *places(sample)).stdout.split())
    assert f"Transcripts in {sample / 'projects'} are kept for 30 days, the default" in text
    (sample / "settings.json").write_text("\ufeff{}", encoding="utf-8")
    result = run(env, "reconcile", *places(sample))
    text = " ".join(result.stdout.split())
    assert "retention: it is not known how long transcripts are kept" in text
    assert "byte order mark, which may pause or reset the rule" in text
    assert result.stderr == ""


def test_list_tells_how_long_transcripts_are_kept(env: dict[str, str], sample: Path) -> None:
    document = json.loads(run(env, "list", *places(sample), "--format", "json").stdout)
    assert document["retention"][0].startswith(f"transcripts in {sample / 'projects'} are kept for 30 days")
    assert "are kept for" not in run(env, "list", *places(sample)).stderr
    (sample / "settings.json").write_text("\ufeff{}", encoding="utf-8")
    assert "kept for a time that is not known" in run(env, "list", *places(sample)).stderr
