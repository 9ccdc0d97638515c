"""Test `sessscan report`: what the page shows, and which files it may replace."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.program import picture, places, run

pytest.importorskip("jinja2", reason="the extra `report` is not installed")
pytest.importorskip("pygal", reason="the extra `report` is not installed")

from sessscan import report, snapshot_transcripts
from sessscan.report.timeline import spans

pytestmark = pytest.mark.full

DAY = 86_400_000
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class Elements(HTMLParser):
    """Parses a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}


def add(
    projects: Path, number: int, title: str, cwd: str = "/w/a", days: float = 1, extra: bytes = b"",
    folder: str = "-w-a",
) -> Path:  # fmt: skip
    identifier = f"00000000-0000-4000-8000-{number:012}"
    at = time.time() - days * 86_400
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
    lines: list[dict[str, object]] = [
        {"parentUuid": None, "type": "user", "uuid": identifier, "timestamp": stamp, "cwd": cwd,
         "sessionId": identifier, "message": {"role": "user", "content": "hello"}},
        {"type": "custom-title", "customTitle": title, "sessionId": identifier},
    ]  # fmt: skip
    file = projects / folder / f"{identifier}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + extra)
    os.utime(file, (at, at))
    return file


def make(sample: Path) -> str:
    return report.make(sample / "Claude", sample / "projects")[0]


def test_the_page_says_what_is_wrong_and_what_to_do(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    file = sample.parent / "report.html"
    result = run(env, "report", *places(sample), "-o", file)
    assert (result.returncode, result.stdout) == (0, "")
    assert str(file) in result.stderr
    page = Elements(file.read_text(encoding="utf-8"))
    assert (
        "12 sessions are missing from the app: 9 can be put back, 2 held until you decide, 1 without a row"
        in page.text
    )
    places_ = f"--store {sample / 'Claude'} --projects {sample / 'projects'}"
    assert f"{places_} --apply" in page.text
    assert f"{places_} --adopt --apply" in page.text
    assert "was begun in the app, but no row names it" in page.text
    for title in ("VAT rounding per line", "Stock sync, second attempt", "Alert when a sensor is silent"):
        assert title in page.text
    assert "2 \u00d7 nul-run" in page.text
    assert picture(sample) == before
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_page_loads_nothing_and_runs_nothing(sample: Path) -> None:
    page = Elements(make(sample))
    assert not page.tags() & {"script", "iframe", "object", "embed", "audio", "video", "base", "form", "img"}
    addresses = [value for _, attrs in page.found for name, value in attrs.items() if name in ("src", "href")]
    assert addresses == ["data:,"]
    assert not [name for _, attrs in page.found for name in attrs if name.startswith("on")]
    charts = [attrs for tag, attrs in page.found if tag == "svg"]
    assert len(charts) == 5
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)
    tables = sum(tag == "table" for tag, _ in page.found)
    assert tables == sum(tag == "caption" for tag, _ in page.found) >= 4
    policy = next(a["content"] for t, a in page.found if t == "meta" and "http-equiv" in a)
    assert policy is not None and policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_titles_and_paths_are_text(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    add(projects, 1, HOSTILE, cwd=f"/w/{HOSTILE}", days=29, extra=b"\0\0\0\n")
    add(projects, 2, "\x1b]0;owned\x07 \u202egnp.exe")
    page = report.make([], projects)[0]
    elements = Elements(page)
    assert not elements.tags() & {"script", "img"}
    assert HOSTILE in elements.text
    assert not set(page) & {"\x1b", "\x07", "\u202e", "\0"}
    assert "\\x1b]0;owned\\x07 \\u202egnp.exe" in elements.text


@pytest.mark.parametrize(
    "text", ["\ufffe", "\uffff", "\x85", "]]>&", "{{ 1 }}", "%s {0}", "\ud800", "\u2028"]
)
def test_texts_that_could_break_xml_or_a_template(tmp_path: Path, text: str) -> None:
    projects = tmp_path / "projects"
    add(projects, 1, f"title {text}", cwd=f"/w/name{text}", days=29, extra=b"\0\n")
    page = report.make([], projects)[0]
    assert "name" in page[page.index('id="chart-folders"') :].partition("</figure>")[0]
    page.encode("utf-8")


@pytest.mark.linux("only Linux has file names of any bytes")
def test_a_path_that_is_not_utf_8(env: dict[str, str], tmp_path: Path) -> None:
    projects = tmp_path / os.fsdecode(b"pro\xff") / "projects"
    add(projects, 1, "one", days=29, extra=b"\0\0\n")
    result = run(env, "report", "--projects", projects, "-o", tmp_path / "r.html")
    assert result.returncode == 0, result.stderr
    assert "pro\\xff" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_without_stores_and_transcripts(env: dict[str, str], tmp_path: Path) -> None:
    result = run(env, "report", "-o", "-")
    assert result.returncode == 0
    text = Elements(result.stdout).text
    assert "There is no session store of the desktop app here." in text
    assert "There are no transcripts." in text
    assert list(tmp_path.glob("*.html")) == []


def test_a_large_store_has_a_small_page(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    for number in range(1500):
        add(projects, number, f"title {number} " + "x" * 400, f"/home/ada/{number}", number % 60, b"\0\n",
            f"-work-{number % 40}")  # fmt: skip
    page = report.make([], projects)[0]
    assert len(page) < 120_000
    text = Elements(page).text
    assert "1,500" in text
    assert "(the largest 12 of 1,500)" in text


def test_a_title_of_a_megabyte_is_cut(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    add(projects, 1, "<b>&" * 500_000, "/w/" + "long/" * 200_000, days=29, extra=b"\0\n")
    page = report.make([], projects)[0]
    assert len(page) < 60_000
    assert "&lt;b&gt;&amp;&lt;b&gt;" in page


def test_the_next_deletions_follow_from_the_file_times(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    for number, days in enumerate((31, 27.5, 10, 2)):
        add(projects, number, f"title {number}", days=days)
    text = Elements(report.make([], projects)[0]).text
    soon = text[text.index("Deleted first") : text.index("Sessions and sizes")]
    assert re.findall(r"title \d", soon) == ["title 0", "title 1"]
    assert "due now" in soon and "in 2 days" in soon
    (tmp_path / "settings.json").write_text('{"cleanupPeriodDays": 365}')
    text = Elements(report.make([], projects)[0]).text
    assert "No transcript will be deleted within the next 7 days." in text
    assert f"365 days: cleanupPeriodDays in {tmp_path / 'settings.json'}" in text
    (tmp_path / "settings.json").write_text("\ufeff{}", encoding="utf-8")
    text = Elements(report.make([], projects)[0]).text
    assert "kept for a time that is not known" in text and "byte order mark" in text
    assert "No transcript will be deleted" not in text


def test_what_is_kept_and_what_is_at_risk_is_counted(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    files = [add(projects, number, f"title {number}", days=days) for number, days in enumerate((28, 27, 2))]
    text = Elements(report.make([], projects)[0]).text
    assert "0 transcripts are kept" in text and "2 that will be deleted within 7 days are not" in text
    moved = tmp_path / "away.jsonl"
    files[0].rename(moved)
    snapshot_transcripts(projects)
    moved.rename(files[0])
    text = Elements(report.make([], projects)[0]).text
    assert "2 transcripts are kept" in text and "1 that will be deleted within 7 days is not" in text
    snapshot_transcripts(projects)
    text = Elements(report.make([], projects)[0]).text
    assert (
        "3 transcripts are kept" in text
        and "are not" not in text[text.index("3 transcripts are kept") :][:150]
    )


@pytest.mark.posix("a zone in TZ is POSIX's")
@pytest.mark.parametrize(
    ("zone", "words"), [("UTC", "(UTC)"), ("CET-1", "(CET, UTC+01:00)"), ("<-0330>3:30", "(UTC-03:30)")]
)
def test_the_page_names_the_time_zone(env: dict[str, str], zone: str, words: str) -> None:
    env["TZ"] = zone
    assert f"Times are those of this computer {words}." in run(env, "report", "-o", "-").stdout


def test_the_timeline_has_few_bars_and_no_gaps() -> None:
    now = 1_790_000_000_000
    for age, least, most in ((0, 1, 1), (3, 4, 4), (40, 6, 8), (500, 16, 18), (1300, 4, 5)):
        bars, unknown = spans([(now, True), (now - age * DAY, False)], now)
        assert least <= len(bars) <= most
        assert sum(bar.desktop + bar.other for bar in bars) == 2
        assert unknown == 0
    assert spans([(10**17, True), (-5, True), (None, False)], now) == ([], 3)


def test_a_file_is_replaced_only_with_force(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.html"
    precious.write_text("mine")
    result = run(env, "report", *places(sample), "-o", precious)
    assert result.returncode == 2
    assert "there is a file already: --force replaces it" in result.stderr
    assert precious.read_text() == "mine"
    assert run(env, "report", *places(sample), "-o", precious, "--force").returncode == 0
    assert precious.read_text(encoding="utf-8").startswith("<!doctype html>")
    link = tmp_path / "link.html"
    link.symlink_to(precious)
    for wrong in (link, tmp_path, tmp_path / "missing" / "report.html"):
        result = run(env, "report", *places(sample), "-o", wrong, "--force")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {link.name, precious.name}


def test_without_the_extra_it_says_what_to_install(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "pygal.py").write_text("raise ModuleNotFoundError('no pygal', name='pygal')")
    env["PYTHONPATH"] = os.pathsep.join((str(tmp_path / "without"), *sys.path))
    result = run(env, "report", *places(sample), "-o", tmp_path / "r.html")
    assert result.returncode == 2
    assert "pip install 'sessscan[report]'" in result.stderr
    assert not (tmp_path / "r.html").exists()


def test_a_transcript_that_cannot_be_read_sets_the_exit_status(env: dict[str, str], tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    file = add(projects, 1, "one")
    add(projects, 2, "two")
    file.chmod(0)
    try:
        file.read_bytes()
        pytest.skip("this user may read every file")
    except PermissionError:
        pass
    result = run(env, "report", "--projects", projects, "-o", tmp_path / "r.html")
    assert result.returncode == 4
    assert "could not be read" in (tmp_path / "r.html").read_text(encoding="utf-8")
