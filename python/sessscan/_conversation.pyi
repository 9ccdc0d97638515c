"""Read the conversation that a transcript holds."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Literal, final

from typing_extensions import Buffer

from ._transcript import Defect

@final
class Message:
    """A message of a conversation, and where its record is in the transcript."""

    @property
    def uuid(self) -> str:
        """Its uuid; a queued command's own, which its record need not bear."""
    @property
    def parent(self) -> str | None:
        """The uuid of the record that it follows."""
    @property
    def type(self) -> Literal["user", "assistant", "system", "attachment", "progress"]:
        """`user` or `assistant`; the record of a cut may have the others."""
    @property
    def line(self) -> int:
        """The line it is on, from 1."""
    @property
    def offset(self) -> int:
        """Where its record begins in the file, in bytes."""
    @property
    def length(self) -> int:
        """How many bytes its record has."""
    @property
    def timestamp(self) -> int | None:
        """When it was said, in epoch milliseconds."""
    @property
    def is_queued(self) -> bool:
        """It is a command that was queued while the model worked: an `attachment` record."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Cut:
    """A record that follows one which the readers do not find."""

    @property
    def record(self) -> Message: ...
    @property
    def parent(self) -> str:
        """The uuid that it follows."""
    @property
    def is_reached(self) -> bool:
        """The way from the leaf back ends here."""
    @property
    def parent_survives(self) -> bool:
        """The parent is in the file, but on a line that the readers do not take."""
    @property
    def before(self) -> int:
        """How many messages would come back if it followed the last record before it."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Unreached:
    """A message that the readers do not give, and why."""

    @property
    def message(self) -> Message: ...
    @property
    def reason(self) -> Literal["rewound", "forked", "compacted", "sidechain", "damaged"]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Conversation:
    """What the official readers give of a transcript, and what they do not reach."""

    @property
    def messages(self) -> list[Message]:
        """The messages, in the readers' order."""
    @property
    def leaf(self) -> str | None:
        """The uuid of the message with which the conversation ends."""
    @property
    def records(self) -> int:
        """How many records of conversations the file holds, reached or not."""
    @property
    def unread(self) -> int:
        """How many of them are on lines that the readers do not take."""
    @property
    def size(self) -> int:
        """How many bytes were read."""
    @property
    def cuts(self) -> list[Cut]:
        """The records whose parents the readers do not find, if a message is not reached."""
    @property
    def unreached(self) -> list[Unreached]:
        """The messages that the readers do not give, in the order of the file."""
    @property
    def damaged(self) -> int:
        """How many of them nothing but damage keeps from being given."""
    @property
    def unpaired(self) -> list[Message]:
        """The messages with a tool's call whose result is not given, or a result whose call is not.

        A call in the last answer may still be running, and does not count.
        """
    @property
    def refused(self) -> list[Message]:
        """The messages that are given and have something that the API refuses.

        A blank text, thinking with neither text nor signature, a NUL, half of a surrogate pair, or an image
        over 8000 px on a side, or over 2000 px among more than 20 images.
        """
    @property
    def defects(self) -> list[Defect]:
        """What is wrong with the file's bytes, by the whole grammar of JSON; the first 10,000."""
    @property
    def defect_count(self) -> int: ...
    def __len__(self) -> int: ...

def conversation(transcript: str | PathLike[str] | Buffer, /) -> Conversation:
    """Read the conversation of a transcript: what the TypeScript SDK's `getSessionMessages` gives.

    Its memory grows by about 64 bytes a record, not with the file.

    Args:
        transcript: A path, or the content.

    Raises:
        OSError: The file cannot be read.
    """

@final
class SurvivingRecord:
    """One record that is left in a transcript, of any type, for a repair."""

    @property
    def uuid(self) -> str | None: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def logical_parent(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...
    @property
    def subtype(self) -> str | None: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def message_id(self) -> str | None:
        """The id of the response; each of its blocks has a record of its own."""
    @property
    def calls(self) -> list[str]:
        """The ids of the tool calls that it makes."""
    @property
    def results(self) -> list[str]:
        """The ids of the tool calls whose results it has."""
    @property
    def timestamp(self) -> int | None:
        """In epoch milliseconds."""
    @property
    def line(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def parent_span(self) -> tuple[int, int] | None:
        """Where the value of `parentUuid` is in the file, its quotes included, and how many bytes it has."""
    @property
    def is_read(self) -> bool:
        """The official readers take its line: nothing is glued to it, no NUL is behind it."""
    @property
    def is_chain(self) -> bool:
        """It belongs to a conversation: its type is one of five, and it has a uuid."""
    @property
    def is_shown(self) -> bool:
        """The readers give it if they reach it."""
    @property
    def is_sidechain(self) -> bool: ...
    @property
    def is_team(self) -> bool: ...
    @property
    def is_meta(self) -> bool: ...
    @property
    def is_compact_summary(self) -> bool: ...
    @property
    def is_compact_boundary(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Survivors:
    """The records that are left in a transcript, in its order, and what is wrong with its bytes."""

    @property
    def records(self) -> list[SurvivingRecord]: ...
    @property
    def defects(self) -> list[Defect]: ...
    @property
    def defect_count(self) -> int: ...
    @property
    def size(self) -> int: ...

def survivors(transcript: str | PathLike[str] | Buffer, /) -> Survivors:
    """Read every record that is left in a transcript, also those on lines that no reader takes.

    It takes some hundred bytes a record, and is made for transcripts that are damaged.

    Args:
        transcript: A path, or the content.

    Raises:
        OSError: The file cannot be read.
    """

@final
class ConversationCheck:
    """Whether a transcript's conversation is whole. A place is a record's line, offset and length."""

    @property
    def reached(self) -> int: ...
    @property
    def damaged(self) -> int: ...
    @property
    def unread(self) -> int: ...
    @property
    def unpaired(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def defects(self) -> int: ...
    @property
    def cut(self) -> tuple[int, int, int] | None: ...
    @property
    def first_unpaired(self) -> tuple[int, int, int] | None: ...
    @property
    def first_refused(self) -> tuple[int, int, int] | None: ...
    def __eq__(self, other: object, /) -> bool: ...

def check_conversations(
    paths: Sequence[str | PathLike[str]],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[ConversationCheck | None]:
    """Check whether the conversations of transcripts are whole, in their order; None for an unreadable one.

    Args:
        paths: The transcripts.
        threads: How many to read at once; None and 0: as many as the machine runs.
        progress: Called with the number of bytes read and the number to be read.
    """

def image_size(base64: str, /) -> tuple[int, int] | None:
    """Return the width and height in pixels of the PNG, JPEG, GIF or WebP with which a text in base64 begins.

    They are read from its header; None if that does not tell them.
    """
