"""Check the rules: each has a check that finds it, texts that explain it, and a line in the README."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessscan.demo import make
from sessscan.errors import UnknownRuleError
from sessscan.model import Finding
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.checks import Checks
from sessscan.reconciliation.diagnose import STORE_CHECKS
from sessscan.rules import BY_NAME, RULES, find_rule, finding
from sessscan.stores.row_states import LOST_STATES
from support.program import places, run
from support.store_factory import NOW, build

PAGE = Path(__file__).parent.parent / "python/docs/cli.md"
RANK = ("error", "warning", "note")


def test_each_rule_has_a_check_and_each_check_has_rules() -> None:
    assert set(STORE_CHECKS.rules) == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)


def test_each_state_of_a_lost_row_has_a_rule() -> None:
    assert set(LOST_STATES) <= set(BY_NAME)


def test_a_check_makes_no_finding_under_another_rule() -> None:
    checks: Checks[str] = Checks()

    @checks.finds("orphan", "moved")
    def check(path: str) -> Iterator[Finding]:
        yield finding("moved", path, "It moved.")
        yield finding("dangling", path, "Its transcript was not found.")

    found = checks.run("/row")
    assert next(found) == Finding("moved", "warning", "/row", "It moved.")
    with pytest.raises(AssertionError, match="dangling is not a rule"):
        next(found)


def test_findings_have_a_severity_of_their_rule(tmp_path: Path) -> None:
    seen = set()
    make(tmp_path / "demo")
    plans = [reconcile(tmp_path / "demo" / "Claude", tmp_path / "demo" / "projects")]
    for seed in range(12):
        world = build(tmp_path / str(seed), seed)
        plans.append(reconcile(world.user_data, world.projects, now=NOW))
    for plan in plans:
        for found in plan.findings:
            assert found.severity in BY_NAME[found.rule].severities
            seen.add(found.rule)
    assert len(seen) > 12


def test_the_texts_are_sentences_and_name_options_that_exist(env: dict[str, str]) -> None:
    commands = ("reconcile", "repair", "restore", "scan", "snapshots")
    known = {
        found for name in commands for found in re.findall(r"--[a-z-]+", run(env, name, "--help").stdout)
    }
    for rule in RULES:
        assert not rule.brief.endswith(".")
        for text in (rule.meaning, rule.cause, rule.action, rule.advice):
            assert text[0].isupper() and text.endswith(".") and "  " not in text and "\n" not in text
            assert set(re.findall(r"--[a-z-]+", text)) <= known
            assert text.count("`") % 2 == 0
    ranks = [RANK.index(rule.severities[0]) for rule in RULES]
    assert ranks == sorted(ranks), "the worst first"


def test_the_page_of_findings_has_a_line_for_each_rule() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([a-z, ]+) \| (.+) \|$", text, re.MULTILINE)
    assert [(name, bad, what.replace("`", "")) for name, bad, what in rows if name in BY_NAME] == [
        (rule.name, ", ".join(rule.severities), rule.brief) for rule in RULES
    ]


def test_explain_lists_the_rules(env: dict[str, str]) -> None:
    result = run(env, "explain")
    assert (result.returncode, result.stderr) == (0, "")
    named = re.findall(r"^  ([a-z0-9-]+)  ", result.stdout, re.MULTILINE)
    assert named == list(BY_NAME)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_explain_prints_one_rule(env: dict[str, str]) -> None:
    result = run(env, "explain", "duplicate")
    assert (result.returncode, result.stderr) == (0, "")
    folded = " ".join(result.stdout.split())
    rule = BY_NAME["duplicate"]
    for text in (rule.name, rule.brief, "(warning)", rule.meaning, rule.cause, rule.action, rule.advice):
        assert text in folded
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("spelt", ["zero-filled", "Zero-Filled", "zero_filled", " ZERO  FILLED "])
def test_a_rule_is_found_in_other_spellings(spelt: str) -> None:
    assert find_rule(spelt).name == "zero-filled"


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("zerofilled", "zero-filled"), ("orphans", "orphan"), ("stale", "stale-index")]
)
def test_the_nearest_rule_is_named_for_an_unknown_one(wrong: str, nearest: str) -> None:
    with pytest.raises(UnknownRuleError, match=f"no rule {wrong}; the nearest is {nearest} "):
        find_rule(wrong)


def test_an_unknown_rule_is_a_usage_error_of_one_line(env: dict[str, str]) -> None:
    for wrong in ("duplicat", "\x1b[2J", "", "x" * 5000):
        result = run(env, "explain", wrong)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("sessscan: there is no rule ")
        assert result.stderr.count("\n") == 1 and "\x1b" not in result.stderr
    assert "the nearest is duplicate" in run(env, "explain", "duplicat").stderr


def test_reconcile_shows_the_brief_of_a_rule(env: dict[str, str], sample: Path) -> None:
    text = run(env, "reconcile", *places(sample)).stdout
    for rule in ("dangling", "orphan"):
        assert f"{rule}: {BY_NAME[rule].brief}" in " ".join(text.split())


def test_the_shell_completes_commands_and_rules(env: dict[str, str]) -> None:
    code = "import sys; sys.argv[0] = 'sessscan'; from sessscan.cli import main; main()"
    for words, expected in (("sessscan exp", "explain"), ("sessscan explain zer", "zero-filled")):
        asked = {
            "_SESSSCAN_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env | asked, check=False
        )
        assert found.stdout.split() == [expected]
