"""Name the fields of a row that must not simply be carried over from another state or another account."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "permissionMode": "default",
    "remoteMcpServersConfig": [],
    "alwaysAllowedReasons": [],
    "sessionPermissionUpdates": [],
    "spawnSeed": {},
}
"""What the app writes for a session to which nothing was granted yet."""
PASSING = frozenset(
    (
        "interruptedByQuitAt",
        "armedWorkAtQuit",
        "pendingFirstStart",
        "transcriptUnavailable",
        "stagedTranscriptPath",
    )
)
"""Fields about the moment they were written in: later they make the app resume, delete or report."""
ELSEWHERE = frozenset(("importedFrom", "sshConfig", "wslConfig"))
ELSEWHERE_PARTS = ("bridge", "cloud", "remote", "scratch")
"""What a copy under another account must not bring with it: ties to that account, and connections."""
GRANTS = frozenset(DEFAULTS)
"""What a copy under another account was granted there; here nothing is known to be."""
