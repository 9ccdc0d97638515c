"""Name the run of the system since it was started."""

from __future__ import annotations

from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux makes a new UUID at each start: see random(4)."""

_STEP = 10
"""Seconds. No two boots begin within them, and within one boot the time that is told moves by less: where it
is the present time less the time since then, by a second or two."""


def name() -> str:
    """Return a name that no other boot of this system has; an empty one if none can be told.

    In a container it is the host's boot, whose memory holds what is not yet written. Where only the time of
    the boot can be told, a clock that was set meanwhile gives the same boot another name.
    """
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        pass
    import psutil  # type: ignore[import-untyped, unused-ignore]  # its types are a package of their own

    try:
        return f"{psutil.boot_time() // _STEP:.0f}"
    except (OSError, RuntimeError, psutil.Error):
        return ""
