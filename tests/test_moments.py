"""Points in time as people type them: what is accepted, and in which zone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sessscan.cli.moments import moment
from sessscan.errors import TimeFormatError
from support.program import places, run

NOW = 1_790_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the local zone: UTC+1, in summer UTC+2."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be set here")
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "ago"), [("90min", 90 * MINUTE), ("12h", 12 * HOUR), ("3d", 3 * DAY), (" 2 w ", 14 * DAY)]
)
def test_so_long_ago(text: str, ago: int) -> None:
    assert moment(text, NOW) == moment(text, NOW, end=True) == NOW - ago


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("1795594017304", "2026-11-25T08:06:57.304", 1),
        ("2026-11-25T08:06:57.304Z", "2026-11-25T08:06:57.304", 1),
        ("2026-11-25 08:06:57.304 UTC", "2026-11-25T08:06:57.304", 1),
        ("2026-11-25T09:06:57.304999999+01:00", "2026-11-25T08:06:57.304", 1),
        ("2026-11-25T08:06:57Z", "2026-11-25T08:06:57", 1_000),
        ("2026-11-25T08:06+00:00", "2026-11-25T08:06:00", MINUTE),
        ("2026-11-25T08:06-01:30", "2026-11-25T09:36:00", MINUTE),
        ("2026-11-25T08 UTC", "2026-11-25T08:00:00", HOUR),
        ("2026-11-25 UTC", "2026-11-25T00:00:00", DAY),
    ],
)
@pytest.mark.usefixtures("vienna")
def test_a_time_with_its_zone(text: str, start: str, length: int) -> None:
    assert moment(text, NOW) == utc(start)
    assert moment(text, NOW, end=True) == utc(start) + length - 1


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("2026-11-25T08:06:57.304", "2026-11-25T07:06:57.304", 1),
        ("2026-11-25 08:06:57", "2026-11-25T07:06:57", 1_000),
        ("2026-07-25T08:06", "2026-07-25T06:06:00", MINUTE),
        ("20260725T0806", "2026-07-25T06:06:00", MINUTE),
        ("2026-11-25", "2026-11-24T23:00:00", DAY),
        ("20261125", "2026-11-24T23:00:00", DAY),
        ("2026-03-29", "2026-03-28T23:00:00", 23 * HOUR),
        ("2026-10-25", "2026-10-24T22:00:00", 25 * HOUR),
    ],
)
@pytest.mark.usefixtures("vienna")
def test_a_time_without_a_zone_is_local(text: str, start: str, length: int) -> None:
    assert moment(text, NOW) == utc(start)
    assert moment(text, NOW, end=True) == utc(start) + length - 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "3", "3m", "-3d", "-5", "٣", "٣d", "12:00", "1795594017"),
        *("2026-13-01", "2026-11-25T25:00", "0001-01-01T00:00:00+14:00x", "9999-12-31"),
    ],
)
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(TimeFormatError, match="this is not a time: give 2026-03-01, "):
        moment(text, NOW, end=True)


@pytest.mark.posix("a zone in TZ is POSIX's")
def test_list_and_restore_take_the_same_local_times(env: dict[str, str], sample: Path) -> None:
    env["TZ"] = "UTC-12"  # POSIX's sign: twelve hours ahead
    sessions = json.loads(run(env, "list", *places(sample), "--format", "json").stdout)["sessions"]
    newest = datetime.fromtimestamp(sessions[0]["last_activity_at"] / 1000 + 12 * 3600, UTC)
    for option, count in (("--since", 1), ("--until", len(sessions))):
        given = [option, f"{newest:%Y-%m-%d %H:%M:%S.%f}"[:-3]]
        found = json.loads(run(env, "list", *places(sample), *given, "--format", "json").stdout)
        assert found["matched"] == count

    store = ["--store", str(sample / "Claude")]
    run(env, "snapshot", *store)
    rows = json.loads(run(env, "snapshots", "--format", "json").stdout)["rows"]
    taken = datetime.fromtimestamp(rows[0]["newest"]["taken_at"] / 1000 + 12 * 3600, UTC)
    for hour, status in ((f"{taken:%Y-%m-%d}", 0), (f"{taken:%Y-%m-%dT%H:%M}", 0), ("2026-01-01", 2)):
        result = run(env, "restore", rows[0]["path"], "--at", hour)
        assert result.returncode == status, result.stderr
    for command in ("list", "restore"):
        assert "Local time unless a zone is given." in " ".join(run(env, command, "--help").stdout.split())
