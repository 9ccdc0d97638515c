"""Test the report in a real browser: headless Chromium, driven by selenium."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed (the extra `test-browser`)")
pytest.importorskip("pygal", reason="the extra `report` is not installed")

from sessscan import report
from sessscan.demo import make
from support.browser import CHROMIUM, DRIVER, Browser
from test_report import HOSTILE, add

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver on this machine"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample store's report, with a hostile session that appears in every list."""
    folder = tmp_path_factory.mktemp("report")
    user_data, projects = make(folder / "sample")
    add(
        projects,
        1,
        HOSTILE,
        cwd=f"/w/{HOSTILE}/" + "long" * 60,
        days=29,
        extra=b"\0" * 600_000 + b"\n{\n" * 9,
    )
    (folder / "report.html").write_text(report.make(user_data, projects)[0], encoding="utf-8")
    return folder / "report.html"


def test_the_page_renders(browser: Browser, page: Path) -> None:
    browser.show(page, width=1120)
    assert browser.driver.title == "Claude Code sessions: sessscan report"
    assert browser.run_script("return document.querySelectorAll('h1').length") == 1
    headings = browser.run_script("return [...document.querySelectorAll('h2')].map(e => e.textContent)")
    assert headings[:3] == ["What to do", "Can be put back (9)", "Held: the evidence does not decide (2)"]
    assert headings[3:] == ["About to be deleted", "Sessions and sizes", "Folders", "Damage"]
    boxes = browser.run_script(
        "return [...document.querySelectorAll('figure')].map(f => [f.id, f.querySelector('svg')"
        ".getBoundingClientRect().height, Math.max(...[...f.querySelectorAll('g.bar rect')]"
        ".map(r => r.getBoundingClientRect().width * r.getBoundingClientRect().height))])"
    )
    assert {name for name, _, _ in boxes} == {
        "chart-deadlines", "chart-timeline", "chart-sizes", "chart-folders", "chart-defects"
    }  # fmt: skip
    assert all(height > 60 and bar > 200 for _, height, bar in boxes), boxes


def test_the_page_requests_nothing(browser: Browser, page: Path) -> None:
    browser.requests(), browser.console_messages()
    browser.show(page, width=1120)
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
    assert browser.run_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    assert browser.console_messages() == []


def test_a_script_in_a_title_does_nothing(browser: Browser, page: Path) -> None:
    browser.show(page, width=1120)
    assert browser.run_script("return document.querySelectorAll('script, img, iframe').length") == 0
    assert browser.driver.title == "Claude Code sessions: sessscan report"
    shown = browser.run_script("return [...document.querySelectorAll('tbody th')].map(e => e.textContent)")
    assert sum(HOSTILE in text for text in shown) >= 3


def test_the_policy_stops_a_script_that_got_into_the_page(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        page.read_text(encoding="utf-8").replace("</body>", f"{HOSTILE}</body>"), encoding="utf-8"
    )
    browser.console_messages()
    browser.show(broken, width=1120)
    assert browser.run_script("return document.querySelectorAll('script, img').length") == 2
    assert browser.driver.title == "Claude Code sessions: sessscan report"
    assert any("Content Security Policy" in message for message in browser.console_messages())
    allowed = tmp_path / "allowed.html"  # without the policy the script runs
    text = broken.read_text(encoding="utf-8")
    allowed.write_text(text.replace("Content-Security-Policy", "X-Nothing"), encoding="utf-8")
    browser.show(allowed, width=1120)
    assert browser.driver.title == "owned"


def test_texts_are_legible_in_light_and_dark_schemes(browser: Browser, page: Path) -> None:
    pictures, contrasts = {}, {}
    for scheme in ("light", "dark"):
        browser.show(page, width=1120, scheme=scheme)
        pictures[scheme] = browser.screenshot()
        contrasts[scheme] = browser.run_script(CONTRASTS)
    assert base64.b64decode(pictures["light"])[:4] == b"\x89PNG"
    assert pictures["light"] != pictures["dark"]
    for scheme, found in contrasts.items():
        assert len(found) > 50
        assert [pair for pair in found if pair[0] < 4.5] == [], scheme


CONTRASTS = """
const parts = c => c.match(/[\\d.]+/g).map(Number);
const light = c => parts(c).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor, p = parts(c);
    if (p.length < 4 || p[3] > 0) return c; } return 'rgb(255, 255, 255)'; };
return [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && e.getClientRects().length)
    .map(e => { const s = getComputedStyle(e), svg = e.ownerSVGElement;
        const a = light(svg ? s.fill : s.color), b = light(behind(svg || e));
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName, e.textContent]; });
"""


@pytest.mark.parametrize("width", [320, 360, 768, 1120])
def test_nothing_is_wider_than_the_screen(browser: Browser, page: Path, width: int) -> None:
    browser.show(page, width=width)
    assert browser.run_script("return innerWidth") == width
    assert browser.run_script("return document.documentElement.scrollWidth") <= width
    wide = browser.run_script(
        "return [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length && "
        "getComputedStyle(e).position != 'absolute' && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.tagName + ' ' + e.textContent.slice(0, 40))"
    )
    assert wide == []
