"""Tell whether the desktop app is running, which would overwrite a repaired row from its memory.

The command-line tool is called `claude` too, and the app starts copies of it, so a process's name proves
nothing. Where its program lies does, or, for a program that runs others (electron), its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import AppRunningError
from .processes import Process, processes

# The main program of a bundle. `Claude Helper.app` inside it and `Claude Code URL Handler.app`, which the
# command-line tool installs, are other programs.
_MACOS = re.compile(r"/Claude(?:[ -]?3p)?\.app/Contents/MacOS/Claude[^/]*$", re.IGNORECASE)

# MSIX: ...\WindowsApps\Claude_1.2.3.0_x64__pzs8sxrjxfjjc\app\Claude.exe; classic:
# ...\AppData\Local\AnthropicClaude\app-1.2.3\claude.exe. The command-line tool is a claude.exe as well, in
# .local\bin, in npm's folders, and in claude-code\<version> under the app's own userData folder.
_WINDOWS = re.compile(
    r"\\(?:WindowsApps\\Claude[^\\]*_[^\\]*\\(?:app\\)?|AnthropicClaude[^\\]*\\(?:app-[^\\]*\\)?)claude[^\\]*\.exe$",
    re.IGNORECASE,
)

# Linux packages put the app under a folder of this name (/usr/lib/claude-desktop, /opt/claude-desktop,
# /nix/store/…-claude-desktop-1.2) or under /opt/Claude; it is `claude-desktop`, `claude` or electron.
_LINUX_FOLDER = re.compile(r"/(?:[^/]*claude-desktop[^/]*|opt/claude)/", re.IGNORECASE)
_LINUX_PROGRAM = re.compile(r"^(?:claude-desktop(?:-bin)?|claude|electron[\d.]*)$", re.IGNORECASE)

# Where nothing but the name is known, these count as the app: a wrong refusal costs a --force, a wrong write
# the repair. The tool's own process is called `claude`, `claude.exe`, `node` or `bun`.
_NAMES = frozenset({"Claude", "Claude.exe", "claude-desktop"})


def is_app(process: Process) -> bool:
    """Tell whether `process` is the desktop app's main process."""
    if any(argument.startswith("--type=") for argument in process.cmdline):
        return False  # a Chromium helper (renderer, gpu, utility), which ends with its main process
    program = process.exe or (process.cmdline[0] if process.cmdline else "")
    if not program:
        return process.name in _NAMES
    if _MACOS.search(program) or _WINDOWS.search(program.replace("/", "\\")):
        return True
    base = program.rpartition("/")[2]
    if not _LINUX_PROGRAM.match(base):
        return False
    if base.lower().startswith("claude-desktop"):
        return True
    if base.lower().startswith("electron"):
        return any(_LINUX_FOLDER.search(argument) for argument in (program, *process.cmdline[1:]))
    return bool(_LINUX_FOLDER.search(program))


def find_app(candidates: Iterable[Process] | None = None) -> Process | None:
    """Return the desktop app's process among `candidates` (by default all of the system), or None.

    Raises `ProcessListError` if the system does not list its processes.
    """
    return next((p for p in (processes() if candidates is None else candidates) if is_app(p)), None)


def refuse_if_app_runs() -> None:
    """Raise `AppRunningError`, naming the process, if the desktop app is running.

    Raises `ProcessListError` if that cannot be told.
    """
    app = find_app()
    if app is not None:
        raise AppRunningError(
            f"the Claude desktop app is running ({app}). It keeps its sessions in memory and would overwrite "
            "what is put back: quit it and try again. If these files are not the app's own (a copy, a sample "
            "store), use --force."
        )
