"""`sessscan list`: what it shows, what it leaves out, and that it changes nothing."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from program import picture, places, run
from sessscan.cli.moments import moment

DAY = 86_400_000


def listed(env: dict[str, str], sample: Path, *arguments: object) -> dict[str, Any]:
    done = run(env, "list", *places(sample), "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_sample(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    found = listed(env, sample)
    assert picture(sample) == before
    assert not (Path(env["SESSSCAN_HOME"]) / "runs").exists()
    sessions = found["sessions"]
    assert found["schema"] == "sessscan.list/1" and found["errors"] == []
    assert found["total"] == found["matched"] == len(sessions) > 20
    when = [session["last_activity_at"] or session["last_modified"] for session in sessions]
    assert when == sorted(when, reverse=True)
    for session in sessions:
        lost = session["desktop"] in ("lost", "orphan")
        assert (session["health"] == "lost") == lost
        assert session["health"] != "damaged" or session["defects"]
    assert {session["health"] for session in sessions} == {"ok", "damaged", "lost"}

    # What `reconcile` would put back or calls an orphan is what is lost here.
    plan = json.loads(run(env, "reconcile", *places(sample), "--format", "json").stdout)
    orphans = {one["path"] for one in plan["findings"] if one["rule"] == "orphan"}
    assert {one["path"] for one in sessions if one["desktop"] == "orphan"} == orphans


def test_the_formats_tell_the_same(env: dict[str, str], sample: Path) -> None:
    sessions = listed(env, sample)["sessions"]
    lines = run(env, "list", *places(sample), "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == sessions
    rows = list(csv.DictReader(io.StringIO(run(env, "list", *places(sample), "--format", "csv").stdout)))
    assert [row["session_id"] for row in rows] == [session["session_id"] for session in sessions]
    assert list(rows[0]) == list(sessions[0])
    table = run(env, "list", *places(sample)).stdout.splitlines()
    assert len(table) == len(sessions) + 1
    assert all(one["session_id"] in line for one, line in zip(sessions, table[1:], strict=True))


def test_filters(env: dict[str, str], sample: Path) -> None:
    everything = listed(env, sample)["sessions"]
    folder = "/home/ada/code/website"
    inside = listed(env, sample, "--folder", folder)["sessions"]
    plain = [one for one in everything if f"{one['cwd']}/".startswith(f"{folder}/")]
    assert plain and all(one in inside for one in plain) and len(inside) < len(everything)
    # A part of a name is no folder.
    assert not listed(env, sample, "--folder", "/home/ada/code/web")["sessions"]

    words = [one["session_id"] for one in listed(env, sample, "--text", "PULL deploy")["sessions"]]
    assert everything[0]["title"] == "Deploy preview for pull requests"
    assert everything[0]["session_id"] in words and len(words) < len(everything)

    middle = everything[len(everything) // 2]["last_activity_at"]
    time = datetime.fromtimestamp(middle / 1000, UTC).isoformat()
    later = listed(env, sample, "--since", time)["sessions"]
    earlier = listed(env, sample, "--until", time)["sessions"]
    assert all(one["last_activity_at"] >= middle for one in later)
    assert all(one["last_activity_at"] <= middle for one in earlier)
    at_once = sum(one["last_activity_at"] == middle for one in everything)
    assert len(later) + len(earlier) == len(everything) + at_once

    few = listed(env, sample, "--limit", 3)
    assert few["sessions"] == everything[:3] and few["matched"] == len(everything)


def test_a_title_cannot_speak_to_the_terminal(env: dict[str, str], sample: Path) -> None:
    path = next((sample / "projects").rglob("*.jsonl"))
    title = {
        "type": "custom-title",
        "customTitle": "\x1b]0;owned\x07\x1b[31mred\u202e",
        "sessionId": path.stem,
    }
    with path.open("ab") as file:
        file.write(b"\n" + json.dumps(title).encode() + b"\n")
    shown = run(env, "list", *places(sample)).stdout
    assert "owned" in shown and not set(shown) & {"\x1b", "\x07", "\u202e"}


@pytest.mark.parametrize(
    "arguments",
    [["--since", "yesterdayish"], ["--since", "2026-03-02", "--until", "2026-03-01"], ["--limit", "0"]],
)
def test_mistakes(env: dict[str, str], sample: Path, arguments: list[str]) -> None:
    done = run(env, "list", *places(sample), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr


def test_nothing_there(env: dict[str, str]) -> None:
    done = run(env, "list", "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["sessions"] == []


def test_points_in_time() -> None:
    now = 1_790_000_000_000
    assert moment("3d", now) == now - 3 * DAY and moment("2w", now) == now - 14 * DAY
    assert (
        moment("2026-03-01T12:00:00Z", now) == moment("2026-03-01T13:00:00+01:00", now) == 1_772_366_400_000
    )
    assert moment("2026-03-01", now, end=True) == moment("2026-03-02", now) - 1
    for text in ("", "3 moons", "2026-13-01", "9" * 9 + "y", "-3d"):
        with pytest.raises(ValueError):
            moment(text, now)
