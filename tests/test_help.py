"""Test `--help`: complete, within the terminal, with an example that works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main
from sessscan.cli import app
from support.program import run
from typer.core import TyperGroup

pytestmark = pytest.mark.full

ROOT = typer.main.get_command(app)
assert isinstance(ROOT, TyperGroup)
COMMANDS = ["", *ROOT.commands]

NOT_RUN = {
    "move": "names a folder that no session of the sample is from",
    "restore": "names a row that is not in the sample",
    "watch": "runs until it is ended",
}
"""Commands whose example is only parsed."""


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A function that returns what `sessscan COMMAND --help` prints on a terminal of so many columns."""

    def help_text(command: str, columns: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        context = ROOT.context_class(ROOT, info_name="sessscan")
        if not command:
            return ROOT.get_help(context) + "\n"
        chosen = ROOT.commands[command]
        return chosen.get_help(chosen.context_class(chosen, info_name=command, parent=context)) + "\n"

    return help_text


def example(text: str) -> str:
    """Return the example, the command line at the end of a help text."""
    last = text.rstrip("\n").rsplit("\n", 1)[-1]
    assert last.startswith("  Example: sessscan"), last
    return last.removeprefix("  Example: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_describes_the_command_and_every_option(help_of: Callable[..., str], command: str) -> None:
    text = help_of(command)
    usage, summary = text.split("\n\n")[:2]
    assert (usage.startswith("Usage: ") and usage.endswith(("[OPTIONS]", "..."))) or "[" in usage
    assert re.match(r"  [A-Z].*\.", summary, re.DOTALL), "a sentence that says what it does"
    assert example(text)
    assert "Exit status: 0 " in " ".join(text.split())
    described = ROOT.commands[command] if command else ROOT
    for param in described.params:
        assert getattr(param, "help", None), f"{command} {param.name}: it has no description"
    for option in (name for param in described.params for name in param.opts if name.startswith("-")):
        assert re.search(rf"(^|\s){re.escape(option)}[\s,]", text), option


def test_the_list_of_commands_is_complete(help_of: Callable[..., str]) -> None:
    listed = re.findall(r"^  ([a-z-]+) +[A-Z].*\.$", help_of("").split("Commands:")[1], re.MULTILINE)
    assert listed == COMMANDS[1:]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_help_keeps_to_the_width_of_the_terminal(help_of: Callable[..., str], columns: int) -> None:
    wide = {command: " ".join(help_of(command).split()) for command in COMMANDS}
    for command, words in wide.items():
        text = help_of(command, columns)
        lines = [line for line in text.splitlines() if "Example: " not in line]
        assert max(map(len, lines)) <= min(columns, 80)
        assert all(line == line.rstrip() for line in lines)
        assert "".join(text.split()) == words.replace(" ", ""), "the same words, however they are laid out"
        assert example(text) == example(help_of(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_each_command_parses(help_of: Callable[..., str], command: str) -> None:
    words = shlex.split(example(help_of(command)), comments=True)
    words = words[: next((at for at, word in enumerate(words) if word in (">", "|")), len(words))]
    assert words[0] == "sessscan"
    name, given = words[1], words[2:]
    assert not command or name == command
    # Raises for an unknown option or value.
    ROOT.commands[name].make_context(name, list(given))


@pytest.mark.posix("the examples are for a POSIX shell")
@pytest.mark.skipif(shutil.which("bash") is None, reason="no shell")
def test_each_example_runs(someone: dict[str, str], help_of: Callable[..., str], tmp_path: Path) -> None:
    """Run them one after the other, for a user whose sessions are those of the sample."""
    place = tmp_path / "here"
    place.mkdir()
    transcript = next((Path(someone["HOME"]) / ".claude" / "projects").glob("*/*.jsonl"))
    shutil.copy(transcript, place / "transcript.jsonl")
    done = 0
    for command in COMMANDS:
        if command in NOT_RUN:
            continue
        line = example(help_of(command))
        result = subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            env=someone,
            cwd=place,
            check=False,
            timeout=120,
        )
        # 1: the sample has errors.
        assert result.returncode in (0, 1), f"{line}: {result.stderr}"
        assert "Traceback" not in result.stderr
        done += 1
    assert done >= 8
    assert (place / "sessions.csv").read_text().count("\n") > 20
    assert (place / "sample" / "Claude").is_dir()


def test_the_examples_that_are_not_run_belong_to_commands() -> None:
    assert set(NOT_RUN) <= set(COMMANDS)


TEXT_OR_JSON = (
    "reconcile", "repair", "move", "undo", "log", "snapshot", "snapshots", "restore", "forget", "why",
)  # fmt: skip


def test_the_formats_of_each_command() -> None:
    offered = {
        name: param.metavar
        for name, command in ROOT.commands.items()
        for param in command.params
        if "--format" in param.opts
    }
    assert offered == {
        **dict.fromkeys(TEXT_OR_JSON, "<text|json>"),
        "watch": "<text|jsonl>",
        "list": "<table|json|jsonl|csv>",
        "usage": "<table|json|jsonl|csv>",
        "scan": "<table|json|jsonl|csv|parquet|arrow>",
        "events": "<table|jsonl|parquet|arrow>",
        "fields": "<table|jsonl|csv|parquet|arrow>",
    }


@pytest.mark.parametrize(
    ("wrong", "meant"), [("reconsile", "reconcile"), ("sacn", "scan"), ("undoo", "undo")]
)
def test_an_unknown_command_is_answered_with_the_nearest(env: dict[str, str], wrong: str, meant: str) -> None:
    result = run(env, wrong)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"Did you mean '{meant}'?" in result.stderr or meant in result.stderr.split("Error:")[1]


def test_without_arguments_it_shows_its_help(env: dict[str, str]) -> None:
    result = run(env)
    assert result.returncode == 2
    assert "Commands:" in result.stderr and "Example: " in result.stderr


@pytest.mark.posix("shells of other platforms")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(env: dict[str, str], shell: str) -> None:
    # Typer takes the shell from the parent process; here the test names it.
    code = (
        "import shellingham, sys; shellingham.detect_shell = lambda *a, **k: (sys.argv.pop(), '');"
        "sys.argv[0] = 'sessscan'; from sessscan.cli import main; main()"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "--show-completion", shell],
        capture_output=True, text=True, env=env, check=True,
    ).stdout  # fmt: skip
    assert "_SESSSCAN_COMPLETE" in shown
    made = subprocess.run(
        [sys.executable, "-c", code, "--install-completion", shell],
        capture_output=True, text=True, env=env, check=True,
    )  # fmt: skip
    assert f"{shell} completion installed" in made.stdout
    home = Path(env["HOME"])
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any("_SESSSCAN_COMPLETE" in path.read_text() for path in files)
    if shell == "bash" and os.access("/bin/bash", os.X_OK):
        [script] = [path for path in files if "_SESSSCAN_COMPLETE" in path.read_text()]
        checked = f"source '{script}' && complete -p sessscan"
        assert "sessscan" in subprocess.check_output(["/bin/bash", "-c", checked], text=True, env=env)
