"""Tell the desktop app's process from others with similar names."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sessscan
from sessscan.errors import AppRunningError, ProcessListError
from sessscan.stores import processes as module
from sessscan.stores.app import find_app, is_app
from sessscan.stores.processes import Process, ask, processes
from support.program import picture

MAC = "/Applications/Claude.app/Contents"
CODE = r"C:\Users\ada\AppData\Roaming\Claude\claude-code\2.1.204\claude.exe"

APPS = [
    Process(1, "Claude", f"{MAC}/MacOS/Claude"),
    Process(1, "Claude", "/Users/ada/Applications/Claude.app/Contents/MacOS/Claude"),
    Process(1, "Claude", "/private/var/folders/x/AppTranslocation/0A/d/Claude.app/Contents/MacOS/Claude"),
    Process(1, "Claude-3p", "/Applications/Claude-3p.app/Contents/MacOS/Claude-3p"),
    Process(1, "Claude", None, (f"{MAC}/MacOS/Claude",)),
    Process(1, "Claude.exe", r"C:\Program Files\WindowsApps\Claude_1.1.3_x64__pzs8sxrjxfjjc\app\Claude.exe"),
    Process(1, "claude.exe", r"C:\Users\ada\AppData\Local\AnthropicClaude\app-1.0.9\claude.exe"),
    Process(1, "claude.exe", r"C:\Users\ada\AppData\Local\AnthropicClaude\claude.exe"),
    Process(1, "claude.exe", "c:/users/ada/appdata/local/anthropicclaude/claude.exe"),
    Process(1, "Claude.exe", None),
    Process(1, "claude-desktop", "/usr/lib/claude-desktop/claude-desktop"),
    Process(1, "claude-desktop", "/usr/bin/claude-desktop"),
    Process(1, "Claude", "/opt/Claude/claude"),
    Process(
        1, "electron", "/usr/lib/claude-desktop/node_modules/electron/dist/electron", ("electron", "app.asar")
    ),
    Process(1, "electron", "/usr/lib/electron33/electron", ("electron", "/usr/lib/claude-desktop/app.asar")),
    Process(
        1,
        "electron",
        "/nix/store/ab-electron-33/bin/electron",
        ("e", "/nix/store/cd-claude-desktop-1/app.asar"),
    ),
]

OTHERS = [
    # The command-line tool, in each way it can be installed.
    Process(1, "claude", "/home/ada/.local/share/claude/versions/2.1.204", ("claude", "--resume")),
    Process(1, "claude", "/home/ada/.local/bin/claude", ("claude",)),
    Process(1, "claude", "/Users/ada/.claude/local/claude", ("claude",)),
    Process(1, "claude", "/usr/bin/node", ("claude",)),
    Process(1, "node", "/usr/bin/node", ("node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js")),
    Process(1, "bun", "/home/ada/.bun/bin/bun", ("bun", "/home/ada/claude-desktop/notes.ts")),
    Process(1, "claude.exe", r"C:\Users\ada\.local\bin\claude.exe"),
    Process(1, "claude.exe", None, (r"C:\Users\ada\.local\bin\claude.exe",)),
    Process(1, "claude", None, ("claude",)),
    Process(1, "claude", None),
    # Copies of it that the app starts: they outlive it.
    Process(1, "claude.exe", CODE),
    Process(1, "claude", "/Users/ada/Library/Application Support/Claude/claude-code/2.1.204/claude"),
    Process(1, "claude", "/home/ada/.config/Claude/claude-code/2.1.204/claude"),
    # The app's own helpers end with it.
    Process(1, "Claude Helper", f"{MAC}/Frameworks/Claude Helper.app/Contents/MacOS/Claude Helper"),
    Process(
        1, "claude-desktop", "/usr/lib/claude-desktop/claude-desktop", ("claude-desktop", "--type=renderer")
    ),
    Process(
        1,
        "Claude.exe",
        r"C:\x\WindowsApps\Claude_1_x64__p\app\Claude.exe",
        ("Claude.exe", "--type=gpu-process"),
    ),
    # Unrelated programs.
    Process(
        1, "Claude Code URL Handler", "/Users/ada/Applications/Claude Code URL Handler.app/Contents/MacOS/x"
    ),
    Process(1, "electron", "/usr/lib/electron33/electron", ("electron", "/usr/lib/code/app.asar")),
    Process(1, "vim", "/usr/bin/vim", ("vim", "/opt/Claude/notes")),
    Process(1, "python3", "/usr/bin/python3", ("python3", "/usr/lib/claude-desktop/x.py")),
    Process(1, None, None),
]


@pytest.mark.parametrize("process", APPS, ids=str)
def test_the_app_is_recognised(process: Process) -> None:
    assert is_app(process)


@pytest.mark.parametrize("process", OTHERS, ids=str)
def test_another_process_is_not_the_app(process: Process) -> None:
    assert not is_app(process)


def test_the_message_names_the_process() -> None:
    app = find_app([OTHERS[0], Process(4711, "Claude", f"{MAC}/MacOS/Claude")])
    assert app is not None
    assert str(app) == f"process 4711, {MAC}/MacOS/Claude"


@pytest.mark.parametrize("way", module.WAYS, ids=lambda way: way[0])
def test_each_way_lists_the_processes_of_the_system(way: tuple[str, Callable[[], Iterator[Process]]]) -> None:
    name, listed = way
    try:
        mine = next(process for process in listed() if process.pid == os.getpid())
    except OSError as error:
        if name == "psutil" and sys.platform == "win32" and "NtQuerySystemInformation" in str(error):
            pytest.skip("psutil asks with a call that this Windows lacks (wine before 9)")
        raise
    assert mine.exe and os.path.samefile(mine.exe, sys.executable)  # noqa: PTH121
    assert not is_app(mine)


def test_the_processes_of_the_system_are_listed() -> None:
    mine = next(process for process in processes() if process.pid == os.getpid())
    assert mine.exe and not is_app(mine)


def refused() -> Iterator[Process]:
    """Fail as psutil does under wine, in the middle of the list."""
    yield Process(4, "System")
    raise OSError(22, "Invalid parameter: '(originated from NtQuerySystemInformation)'")


def test_where_one_way_of_asking_fails_another_is_tried() -> None:
    assert ask((("first", refused), ("second", lambda: iter([Process(7, "x")])))) == [Process(7, "x")]


def test_a_list_that_no_way_gives_is_one_sentence(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what could not be asked, and that --force goes ahead; which it does."""
    monkeypatch.setattr(module, "WAYS", (("psutil", refused), ("Toolhelp", refused)))
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    before = picture(sample)
    with pytest.raises(ProcessListError) as caught:
        plan.apply()
    assert picture(sample) == before
    text = str(caught.value)
    assert "the system does not list its processes (psutil: " in text
    assert "; Toolhelp: " in text and "use --force" in text and "\n" not in text
    assert plan.apply(force=True).run is not None


@pytest.mark.alone
@pytest.mark.linux("a process is renamed by renaming its program")
def test_a_running_app_is_refused(tmp_path: object) -> None:
    """A real process runs, whose program lies where the app's would."""
    import shutil

    from sessscan.stores.app import refuse_if_app_runs

    program = Path(str(tmp_path)) / "claude-desktop"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    refuse_if_app_runs()
    with subprocess.Popen([program, "60"]) as process:
        try:
            with pytest.raises(AppRunningError, match=str(process.pid)):
                refuse_if_app_runs()
        finally:
            process.kill()


@pytest.mark.posix("there is no such state")
def test_a_process_that_has_ended_is_not_listed() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 30
    while child.pid in {process.pid for process in processes()}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.wait()
