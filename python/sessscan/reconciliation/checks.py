"""Register the functions that make findings, with the rules under which they make them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from ..model import Finding

Subject = TypeVar("Subject")
Check = Callable[[Subject], Iterable[Finding]]


class Checks(Generic[Subject]):
    """The functions that look at subjects of one type, each with the rules under which it finds something."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self._checks: list[tuple[tuple[str, ...], Check[Subject]]] = []

    def finds(self, *rules: str) -> Callable[[Check[Subject]], Check[Subject]]:
        """Register the decorated function as the one that finds things under `rules`."""

        def register(check: Check[Subject]) -> Check[Subject]:
            self.rules.extend(rules)
            self._checks.append((rules, check))
            return check

        return register

    def run(self, subject: Subject) -> Iterator[Finding]:
        """Yield what each function finds in `subject`, in the order in which they were registered."""
        for rules, check in self._checks:
            for found in check(subject):
                if found.rule not in rules:
                    raise AssertionError(f"{found.rule} is not a rule that its check is registered for")
                yield found
