"""Save plans in files, load them again, and carry them out: what the commands that make plans share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .options import fail

if TYPE_CHECKING:
    from ..changes.plan import Plan, Report


def apply_plan(plan: Plan, label: str, *, exact: bool = False, force: bool) -> Report:
    """Apply a plan, with a progress bar named `label`. `exact`, `force`: see `Plan.apply`."""
    from ..render.screen import progress

    with progress(label) as advance:
        return plan.apply(exact=exact, force=force, progress=advance)


def follow(
    file: Path, load: Callable[..., Plan], label: str, *, apply: bool, force: bool
) -> tuple[Plan | Report, int]:
    """Load a plan, and apply it if asked to. Return the plan or the report, and the exit status.

    Exits with status 2 if the file cannot be read, 3 if the plan is to be applied and no longer fits.
    """
    from ..render.screen import progress, remark

    try:
        with progress("reading", of_bytes=True) as advance:
            plan = load(file, progress=advance)
    except OSError as error:
        fail(f"--plan {file}: {error.strerror or error}", 2)
    changes = plan.changes()
    for change in changes:
        remark(f"sessscan: the plan no longer fits: {change}")
    if not apply:
        return plan, 3 if changes else plan.exit_status
    if changes:
        fail("refused, nothing was written: make a new plan", 3)
    report = apply_plan(plan, label, exact=True, force=force)
    return report, report.exit_status


def check_new(file: Path) -> None:
    """Exit with status 2 if the plan cannot be saved there, before anything is read."""
    if os.path.lexists(file):
        fail(f"--plan-out {file}: there is a file already", 2)
    if not file.absolute().parent.is_dir():
        fail(f"--plan-out {file}: there is no such folder", 2)


def save(plan: Plan, file: Path) -> None:
    """Save a plan in a new file, and say what it contains. Exits with status 2 if there is one already."""
    from ..errors import ConflictError
    from ..render.screen import remark

    try:
        plan.save(file)
    except ConflictError as error:
        fail(f"--plan-out {file}: {error}", 2)
    remark(f"sessscan: the plan is in {file}; it contains rows, so keep it to yourself")
