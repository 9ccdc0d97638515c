"""Print what extras of `pyproject.toml` require, one requirement a line, without sessscan itself.

    python requirements.py EXTRA...

The base dependencies are included. `pip install -r` of the output builds nothing.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def requirements(extra: str) -> Iterator[str]:
    """Yield the requirements of an extra, with those of the extras that it names."""
    for requirement in PROJECT["optional-dependencies"][extra]:
        own = re.fullmatch(r"sessscan\[(.+)\]", requirement)
        if own is None:
            yield requirement
        else:
            for name in own[1].split(","):
                yield from requirements(name)


def main() -> None:
    for requirement in PROJECT["dependencies"]:
        print(requirement)
    for extra in sys.argv[1:]:
        for requirement in requirements(extra):
            print(requirement)


if __name__ == "__main__":
    main()
