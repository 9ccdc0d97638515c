"""Make the picture of a report that README shows: `python .github/report_picture.py`.

Needs sessscan with its extras `report` and `test-browser`, and Chromium. It shows the sample store with two
months of invented CLI sessions added: the top of the page in a light scheme, and its charts in a dark one.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path

from sessscan import demo, report

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
WIDTH, HEIGHT = 1000, 1560
BOTH = """<body style="margin: 10px; width: {3}px; display: flex; gap: 10px; background: #888">
<img width="{2}" src="data:image/png;base64,{0}"><img width="{2}" src="data:image/png;base64,{1}">"""

FOLDERS = (
    "shop-api",
    "shop-api",
    "shop-api",
    "website",
    "website",
    "ledger",
    "thesis",
    "weather-bot",
    "infra",
)
WORK = (
    "Why does the nightly build fail",
    "Add retries to the importer",
    "Review the schema migration",
    "Speed up the search page",
    "Write tests for the rounding rules",
    "Explain the cache invalidation",
    "Move the cron jobs to the queue",
    "Draft the release notes",
)


def enrich(projects: Path, sessions: int = 180) -> None:
    """Add sessions of the last 60 days, a few of them damaged, and settings that keep them that long."""
    dice = random.Random(5)
    (projects.parent / "settings.json").write_text('{"cleanupPeriodDays": 60}')
    for _ in range(sessions):
        identifier = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        cwd = f"/home/ada/code/{dice.choice(FOLDERS)}"
        at = time.time() - 86_400 * 60 * dice.random() ** 1.3
        common = {"isSidechain": False, "sessionId": identifier, "cwd": cwd, "entrypoint": "cli"}
        lines = []
        for turn in range(dice.randint(2, 6)):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at - 3600 + turn * 300))
            message = {"role": "user", "content": dice.choice(WORK)}
            record = {"parentUuid": None, "type": "user", "uuid": f"{identifier[:-2]}{turn:02}", **common}
            lines.append(json.dumps({**record, "timestamp": stamp, "message": message}).encode())
        filler = "x" * int(10 ** dice.uniform(3.4, 6.6))
        lines.append(json.dumps({**record, "timestamp": stamp, "type": "system", "content": filler}).encode())
        if dice.random() < 0.05:
            lines.insert(1, bytes(512))
        if dice.random() < 0.03:
            lines[-2] = lines[-2][:200] + lines[-2]
        file = projects / cwd.replace("/", "-") / f"{identifier}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\n".join(lines) + b"\n")
        os.utime(file, (at, at))


def main() -> None:
    from support.browser import Browser

    with tempfile.TemporaryDirectory() as folder:
        user_data, projects = demo.make(Path(folder) / "demo")
        enrich(projects)
        given = ["--store", "demo/Claude", "--projects", "demo/projects"]
        page, _ = report.make(user_data, projects, given=given)
        file = Path(folder) / "report.html"
        file.write_text(page.replace(f"{folder}/", ""), encoding="utf-8")
        with Browser() as browser:
            browser.show(file, width=WIDTH, height=HEIGHT)
            top = browser.screenshot()
            browser.show(file, width=WIDTH, height=HEIGHT, scheme="dark")
            browser.run_script(
                "document.getElementById('chart-deadlines').closest('section').scrollIntoView()"
            )
            both = Path(folder) / "both.html"
            both.write_text(BOTH.format(top, browser.screenshot(), WIDTH // 2, WIDTH), encoding="utf-8")
            browser.show(both, width=WIDTH + 30, height=HEIGHT // 2 + 20)
            (HERE / "report.png").write_bytes(base64.b64decode(browser.screenshot()))


if __name__ == "__main__":
    main()
