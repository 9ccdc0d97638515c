"""List the processes of Windows by its Toolhelp functions, which every version of it has."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

if sys.platform != "win32":
    raise ImportError("only Windows has these functions")

from ctypes import wintypes

_PROCESSES = 0x2  # TH32CS_SNAPPROCESS
_QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION, which is granted for processes of other users too
_NO_MORE_FILES = 18
_LONGEST_PATH = 32_768


class _Entry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("name", wintypes.WCHAR * 260),
    )


_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel.CreateToolhelp32Snapshot.argtypes = (wintypes.DWORD, wintypes.DWORD)
_kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
for _walk in (_kernel.Process32FirstW, _kernel.Process32NextW):
    _walk.argtypes = (wintypes.HANDLE, ctypes.POINTER(_Entry))
    _walk.restype = wintypes.BOOL
_kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
_kernel.OpenProcess.restype = wintypes.HANDLE
_kernel.QueryFullProcessImageNameW.argtypes = (
    wintypes.HANDLE,
    wintypes.DWORD,
    wintypes.LPWSTR,
    wintypes.PDWORD,
)
_kernel.QueryFullProcessImageNameW.restype = wintypes.BOOL
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.CloseHandle.restype = wintypes.BOOL


def processes() -> Iterator[tuple[int, str, str | None]]:
    """Yield the id, the name and the program's path of each process; None where the path is not told."""
    snapshot = _kernel.CreateToolhelp32Snapshot(_PROCESSES, 0)
    if snapshot in (None, wintypes.HANDLE(-1).value):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        entry = _Entry(size=ctypes.sizeof(_Entry))
        found = _kernel.Process32FirstW(snapshot, entry)
        while found:
            yield entry.pid, entry.name, _program(entry.pid)
            found = _kernel.Process32NextW(snapshot, entry)
        if (code := ctypes.get_last_error()) != _NO_MORE_FILES:
            raise ctypes.WinError(code)
    finally:
        _kernel.CloseHandle(snapshot)


def _program(pid: int) -> str | None:
    process = _kernel.OpenProcess(_QUERY, False, pid)
    if not process:
        return None
    try:
        path = ctypes.create_unicode_buffer(_LONGEST_PATH)
        length = wintypes.DWORD(_LONGEST_PATH)
        told = _kernel.QueryFullProcessImageNameW(process, 0, path, length)
        return path.value if told else None
    finally:
        _kernel.CloseHandle(process)
