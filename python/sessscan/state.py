"""Where sessscan keeps what is its own."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of sessscan's own state: `$SESSSCAN_HOME`, else the platform's place. It need not exist."""
    chosen = os.environ.get("SESSSCAN_HOME")
    if chosen:
        return Path(chosen).absolute()
    from platformdirs import user_state_path

    return user_state_path("sessscan", appauthor=False)


def make_home() -> Path:
    """`home()`, made with mode 0700 if it is not there."""
    folder = home()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
