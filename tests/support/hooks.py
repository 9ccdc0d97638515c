"""Replace functions of Windows that the core imports, to show it files that no test can make.

Importable on Windows alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

if sys.platform != "win32":
    raise ImportError("only Windows has import tables")

from ctypes import wintypes

from sessscan import _core

_PAGE_READWRITE = 4
_IMPORTS_AT = 0x90  # of the PE32+ header: the second data directory's address
_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel.GetModuleHandleW.restype = ctypes.c_void_p
_kernel.VirtualProtect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, wintypes.DWORD, wintypes.PDWORD)


def _number(address: int, kind: Any = ctypes.c_uint32) -> int:
    return int(kind.from_address(address).value)


def _slots(name: bytes) -> Iterator[int]:
    """Yield the addresses at which `_core.pyd` keeps the address of an imported function."""
    base = _kernel.GetModuleHandleW(_core.__file__)
    table = base + _number(base + _number(base + 0x3C) + _IMPORTS_AT)
    while _number(table + 12):  # one descriptor of 20 bytes for each DLL
        names, addresses = base + (_number(table) or _number(table + 16)), base + _number(table + 16)
        while entry := _number(names, ctypes.c_uint64):
            if not entry >> 63 and ctypes.string_at(base + entry + 2) == name:
                yield addresses
            names, addresses = names + 8, addresses + 8
        table += 20


@contextmanager
def replaced(name: str, prototype: Any, make: Any) -> Iterator[None]:
    """Put `make(real)` in the place of a function that the core imports, whose real one is `real`."""
    slots = list(_slots(name.encode()))
    assert slots, f"the core does not import {name}"
    real = [_number(slot, ctypes.c_uint64) for slot in slots]
    hook = prototype(make(prototype(real[0])))
    address = ctypes.cast(hook, ctypes.c_void_p).value
    try:
        for slot in slots:
            _write(slot, address or 0)
        yield
    finally:
        for slot, old in zip(slots, real, strict=True):
            _write(slot, old)


def _write(slot: int, address: int) -> None:
    before = wintypes.DWORD()
    if not _kernel.VirtualProtect(slot, 8, _PAGE_READWRITE, before):
        raise ctypes.WinError(ctypes.get_last_error())
    ctypes.c_uint64.from_address(slot).value = address
    _kernel.VirtualProtect(slot, 8, before.value, before)
