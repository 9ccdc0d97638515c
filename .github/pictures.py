"""Make the terminal pictures that README shows, from the sample store: `python .github/pictures.py`.

Needs sessscan installed. The dates in the pictures depend on the day, as the sample's do.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text
from sessscan import demo

HERE = Path(__file__).parent


def run(folder: str, *arguments: str) -> str:
    """Return what a command prints on a colour terminal of 96 columns."""
    environment = {
        **os.environ,
        "SESSSCAN_HOME": f"{folder}/state",
        "COLUMNS": "96",
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
    }
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "sessscan", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stdout


def picture(name: str, command: str, output: str, lines: int) -> None:
    """Write the first lines of an output as an SVG of a terminal."""
    console = Console(record=True, width=98, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", style="bold"))
    shown = output.splitlines()
    console.print(Text.from_ansi("\n".join(shown[:lines])))
    if len(shown) > lines:
        console.print(Text("…", style="dim"))
    console.save_svg(str(HERE / f"{name}.svg"), title="sessscan")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo.make(Path(folder) / "demo")
        store = ("--store", "demo/Claude", "--projects", "demo/projects")
        command = f"sessscan reconcile {' '.join(store)}"
        picture("reconcile", command, run(folder, "reconcile", *store), 42)


if __name__ == "__main__":
    main()
