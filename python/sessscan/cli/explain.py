"""`sessscan explain`: explain what a finding means."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command


def _names() -> list[str]:
    from ..rules import BY_NAME

    return list(BY_NAME)


@command("Explain what a finding means.", example="sessscan explain zero-filled")
def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            metavar="RULE",
            help="The name of a finding, such as zero-filled. Default: list all.",
            autocompletion=_names,
        ),
    ] = None,
) -> None:
    """Explain what a finding means, what causes it, what sessscan does, and what you can do.

    Without RULE all rules are listed, the most severe first. No store is read.

    Exit status: 0 explained; 2 there is no such rule; the nearest one is named.
    """
    from ..render.explanation import print_rule, print_rules
    from ..rules import find_rule

    if rule is None:
        print_rules()
    else:
        print_rule(find_rule(rule))
