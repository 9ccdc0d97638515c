"""Describe the machine and the versions that were measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("sessscan", "orjson", "pysimdjson", "msgspec", "duckdb", "polars", "claude-agent-sdk", "typer")


def widths() -> list[str]:
    """Return the instruction sets of this processor that sessscan can use, the widest first.

    If that cannot be found out, only `scalar`, which every processor has.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return ["neon", "scalar"]
    flags = set(_cpuinfo("flags").split())
    found = []
    if {"avx2", "pclmulqdq", "bmi2"} <= flags:
        found.append("avx2")
        if {"avx512f", "avx512bw"} <= flags:
            found.insert(0, "avx512")
    return [*found, "scalar"]


def describe() -> dict[str, object]:
    """Return processor, system and versions, as values for JSON."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if shutil.which("rg"):
        done = subprocess.run(["rg", "--version"], capture_output=True, text=True)
        versions["ripgrep"] = done.stdout.split()[1]
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "widths": widths(),
        "load": _load(),
        "versions": versions,
    }


def _load() -> float | None:
    """Return how many processes wanted a processor in the last minute."""
    return round(os.getloadavg()[0], 2) if sys.platform != "win32" else None


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
