"""Find the folder in which sessscan keeps its own state: journals, snapshots, the scan cache, the lock."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the state folder: `$SESSSCAN_HOME`, else the platform's default. It need not exist."""
    chosen = os.environ.get("SESSSCAN_HOME")
    if chosen:
        return Path(chosen).absolute()
    from platformdirs import user_state_path

    return user_state_path("sessscan", appauthor=False)


def make_home() -> Path:
    """Return the state folder, made with mode 0700 if it does not exist."""
    folder = home()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
