"""Run the program as a user does, and compare folders before and after."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(env: dict[str, str], *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `sessscan` with the arguments, in a pipe."""
    command = [sys.executable, "-m", "sessscan", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=env, cwd=cwd, check=False, timeout=60
    )


def picture(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and the time of every file in a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def places(sample: Path) -> list[str]:
    """Return the options for a sample store."""
    return ["--store", str(sample / "Claude"), "--projects", str(sample / "projects")]


def on_a_terminal(env: dict[str, str], columns: int, *arguments: str) -> str:
    """Return what the program sends to a real terminal of that width."""
    import fcntl
    import pty
    import struct
    import termios

    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    command = [sys.executable, "-m", "sessscan", *arguments]
    with subprocess.Popen(command, stdout=other, stderr=other, stdin=other, env=env) as process:
        os.close(other)
        seen = b""
        while True:
            try:
                block = os.read(main, 65536)
            except OSError:
                break
            if not block:
                break
            seen += block
        process.wait()
    os.close(main)
    return seen.decode("utf-8", "strict")
