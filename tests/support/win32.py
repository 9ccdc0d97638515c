"""Call Windows itself, for tests: open files as Node does, set attributes and times."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    raise ImportError("these calls are Windows'")

from ctypes import wintypes

kernel = ctypes.WinDLL("kernel32", use_last_error=True)

READ, WRITE, DELETE = 0x8000_0000, 0x4000_0000, 0x1_0000
WRITE_ATTRIBUTES = 0x100
SHARE_READ, SHARE_WRITE, SHARE_DELETE = 1, 2, 4
SHARE_ALL = SHARE_READ | SHARE_WRITE | SHARE_DELETE
READ_ONLY, HIDDEN = 0x1, 0x2
_OPEN_EXISTING = 3
_BACKUP_SEMANTICS = 0x0200_0000
_REPLACE_EXISTING = 1
_POSIX_RENAME = 0x1 | 0x2  # FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS
_RENAME_INFO_EX = 22
_INVALID_PARAMETER, _NOT_SUPPORTED = 87, 50
_FROM_1601_TO_1970 = 116_444_736_000_000_000

kernel.CreateFileW.argtypes = (
    wintypes.LPCWSTR,
    wintypes.DWORD,
    wintypes.DWORD,
    wintypes.LPVOID,
    wintypes.DWORD,
    wintypes.DWORD,
    wintypes.HANDLE,
)
kernel.CreateFileW.restype = wintypes.HANDLE
kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
kernel.SetFileTime.argtypes = (wintypes.HANDLE, *3 * (ctypes.POINTER(wintypes.FILETIME),))
kernel.MoveFileExW.argtypes = (wintypes.LPCWSTR, wintypes.LPCWSTR, wintypes.DWORD)
kernel.SetFileAttributesW.argtypes = (wintypes.LPCWSTR, wintypes.DWORD)
kernel.GetFileAttributesW.argtypes = (wintypes.LPCWSTR,)
kernel.SetFileInformationByHandle.argtypes = (
    wintypes.HANDLE,
    ctypes.c_int,
    wintypes.LPVOID,
    wintypes.DWORD,
)
kernel.SetFilePointerEx.argtypes = (wintypes.HANDLE, ctypes.c_longlong, wintypes.LPVOID, wintypes.DWORD)
kernel.SetEndOfFile.argtypes = (wintypes.HANDLE,)


def _check(done: int) -> None:
    if not done:
        raise ctypes.WinError(ctypes.get_last_error())


@contextmanager
def opened(path: Path, access: int = READ, share: int = SHARE_ALL) -> Iterator[int]:
    """Hold a file open; by default as Node does, with every share flag (libuv, fs__open)."""
    handle = kernel.CreateFileW(str(path), access, share, None, _OPEN_EXISTING, _BACKUP_SEMANTICS, None)
    if handle in (None, wintypes.HANDLE(-1).value):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        yield handle
    finally:
        kernel.CloseHandle(handle)


def truncate(path: Path, size: int = 0) -> None:
    """Cut a file, as Node's `fs.truncate` does: through a handle of its own."""
    with opened(path, READ | WRITE) as handle:
        _check(kernel.SetFilePointerEx(handle, size, None, 0))
        _check(kernel.SetEndOfFile(handle))


def replace(new: Path, target: Path) -> None:
    """Rename a file over another, as Node's `fs.rename` did before it asked for POSIX semantics."""
    _check(kernel.MoveFileExW(str(new), str(target), _REPLACE_EXISTING))


def replace_posix(new: Path, target: Path) -> bool:
    """Rename a file over another with POSIX semantics; False where this system has none."""
    name = str(target)

    class Info(ctypes.Structure):
        _fields_ = (
            ("flags", wintypes.DWORD),
            ("root", wintypes.HANDLE),
            ("length", wintypes.DWORD),
            ("name", wintypes.WCHAR * (len(name) + 1)),
        )

    info = Info(_POSIX_RENAME, None, 2 * len(name), name)
    with opened(new, DELETE) as handle:
        done = kernel.SetFileInformationByHandle(
            handle, _RENAME_INFO_EX, ctypes.byref(info), ctypes.sizeof(info)
        )
        if not done and ctypes.get_last_error() in (_INVALID_PARAMETER, _NOT_SUPPORTED):
            return False
        _check(done)
    return True


def set_attributes(path: Path, attributes: int) -> None:
    """Set a file's attributes."""
    _check(kernel.SetFileAttributesW(str(path), attributes or 0x80))


def attributes(path: Path) -> int:
    """Return a file's attributes."""
    return int(kernel.GetFileAttributesW(str(path)))


def set_birth(path: Path, milliseconds: int) -> None:
    """Set when a file was created, epoch ms."""
    ticks = milliseconds * 10_000 + _FROM_1601_TO_1970
    time = wintypes.FILETIME(ticks & 0xFFFF_FFFF, ticks >> 32)
    with opened(path, WRITE_ATTRIBUTES) as handle:
        _check(kernel.SetFileTime(handle, ctypes.byref(time), None, None))
