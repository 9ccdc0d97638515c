"""Every example in the README and in the documentation runs, on the sample store.

A block `python no-run` says its reason, behind these words or in a line before it that begins with "Not run",
and is only compiled.
"""

from __future__ import annotations

import re
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sessscan.demo import make
from support.program import run

TOP = Path(__file__).parent.parent
PAGES = [TOP / "README.md", *sorted((TOP / "python/docs").glob("*.md"))]
EXTRAS = {"cli.md": ("jinja2", "pygal"), "distributed.md": ("pyarrow", "fsspec")}
"""What a page's examples need besides sessscan."""


@dataclass
class Block:
    line: int
    info: str
    before: str
    code: str

    @property
    def language(self) -> str:
        return self.info.split(" ")[0]

    @property
    def runs(self) -> bool:
        return not self.info.startswith("python no-run")


def blocks(page: Path) -> list[Block]:
    found, text = [], page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\S[^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        before = text[: match.start()].rstrip().rpartition("\n")[2]
        found.append(Block(text.count("\n", 0, match.start()) + 2, match[1], before, match[2]))
    return found


def name(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_run(
    page: Path, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in EXTRAS.get(page.name, ()):
        pytest.importorskip(module)
    make(tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    own = {**env, "CLAUDE_CONFIG_DIR": str(tmp_path / "demo"), "XDG_CONFIG_HOME": str(tmp_path / "demo")}
    namespace: dict[str, Any] = {"__name__": "example"}
    printed: str | None = None
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.language == "python":
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
            if not block.runs:
                reason = block.info.removeprefix("python no-run").strip() or block.before.startswith(
                    "Not run"
                )
                assert reason, f"{where}: why does it not run?"
                continue
            said = StringIO()
            with redirect_stdout(said):
                exec(code, namespace)
            printed = said.getvalue()
        elif block.language == "text" and printed is not None:
            assert printed == block.code, where
            printed = None
        elif block.language == "sh":
            for line in block.code.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] != ["sessscan"]:
                    continue  # what installs, or needs a shell, is tried by .ci/run
                result = run(own, *words[1:], cwd=tmp_path)
                assert result.returncode in (0, 1), f"{where}: {line}\n{result.stderr}"


def test_there_are_examples() -> None:
    for page in (TOP / "README.md", TOP / "python/docs/tour.md"):
        assert any(block.language == "python" and block.runs for block in blocks(page))


def test_the_map_names_what_is_there() -> None:
    text = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## The map of the code")[2].partition("\n## ")[0]
    named = [
        path for path in re.findall(r"`([^`\s]+)`", table) if "/" in path or path in ("tests", "benches")
    ]
    assert len(named) > 20
    assert [path for path in named if not (TOP / path).exists()] == []
