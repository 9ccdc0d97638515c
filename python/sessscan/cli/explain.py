"""`sessscan explain`: what a finding means."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command


def _names() -> list[str]:
    from ..rules import BY_NAME

    return list(BY_NAME)


@command("Say what a finding means.", example="sessscan explain zero-filled")
def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            metavar="RULE",
            help="The name of a finding, such as zero-filled; without it all are listed.",
            autocompletion=_names,
        ),
    ] = None,
) -> None:
    """Say what a finding means, how it comes about, what sessscan does, and what you can do.

    Without RULE all are listed, the worst first. No store is looked at.

    Exit status: 0 explained; 2 there is no such rule, and the nearest is named.
    """
    from ..errors import UnknownRuleError
    from ..render.explanation import print_rule, print_rules
    from ..rules import find_rule
    from .failure import usage

    if rule is None:
        print_rules()
        return
    try:
        found = find_rule(rule)
    except UnknownRuleError as error:
        usage(error)
    print_rule(found)
