"""Let a test repeat itself a little by default, and much more under `pytest -m thorough`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

Test = Callable[..., None]


def rounds(default: int, *, thorough: int) -> pytest.MarkDecorator:
    """Parametrise a test by `rounds`: once with the default number, once with the thorough one."""
    return pytest.mark.parametrize("rounds", [default, pytest.param(thorough, marks=pytest.mark.thorough)])


def examples(
    default: int,
    *strategies: SearchStrategy[Any],
    thorough: int,
    ignore: Collection[HealthCheck] = (),
    **named: SearchStrategy[Any],
) -> Callable[[Test], Test]:
    """Draw that many examples for a test, as Hypothesis's `given` does, and more under `-m thorough`.

    Parameters of the test that no strategy is for are fixtures; one value of each serves all examples.
    """

    def decorate(test: Test) -> Test:
        parameters = inspect.signature(test).parameters
        positional = list(parameters)[len(parameters) - len(strategies) :]
        drawn = dict(zip(positional, strategies, strict=True)) | named

        @rounds(default, thorough=thorough)
        def repeated(rounds: int, **fixtures: Any) -> None:
            @functools.wraps(test)
            def example(**values: Any) -> None:
                test(**fixtures, **values)

            del example.__wrapped__  # or Hypothesis would take the fixtures for what it has to draw
            limits = settings(max_examples=rounds, deadline=None, suppress_health_check=ignore)
            limits(given(**drawn)(example))()

        repeated.__name__, repeated.__doc__ = test.__name__, test.__doc__
        repeated.__module__ = test.__module__
        first = inspect.Parameter("rounds", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        others = [parameter for name, parameter in parameters.items() if name not in drawn]
        repeated.__signature__ = inspect.Signature([first, *others])  # type: ignore[attr-defined]
        return repeated

    return decorate
