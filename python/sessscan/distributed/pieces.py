"""Describe the work of one task: pieces of files, to be sent to any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or a range of a file."""

    url: str
    """Where fsspec finds the file."""
    size: int | None
    """Size of the whole file in bytes when it was listed; None: the file system does not say."""
    version: str | None
    """The version that was listed, such as an ETag or a time; None: the file system does not say."""
    start: int = 0
    end: int | None = None
    """The range in bytes: the lines that begin in it belong to the piece. None: the whole file."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The work of one task: whole files, or one range of a big file. It can be pickled and sent anywhere."""

    pieces: tuple[Piece, ...]
    strict: bool = False
    """Check every byte of every value."""
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What fsspec needs to open the files. They may hold credentials, so the repr leaves them out."""

    @property
    def file(self) -> str | None:
        """The file of which this shard is a range; None: its files are whole."""
        return self.pieces[0].url if self.pieces and self.pieces[0].end is not None else None
