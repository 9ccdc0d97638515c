"""The result of a scan."""

from typing import Any, Literal, final

@final
class Defect:
    """Something wrong with bytes of a transcript."""

    @property
    def kind(self) -> Literal["glued", "invalid", "invalid-utf8", "nul-run", "spliced", "torn", "utf-16"]:
        """What is wrong.

        - `nul-run`: a maximal run of NUL bytes.
        - `glued`: several whole objects on a line, with no newline between them.
        - `spliced`: a cut record with a whole one behind it on the same line.
        - `torn`: the last line was cut, or is still being written.
        - `invalid`: not an object, or not a whole one.
        - `invalid-utf8`: the line has bytes that are not UTF-8; its records count all the same.
        - `utf-16`: the whole file is in UTF-16. Its records count all the same, with their offsets in the
          file, and it has no other defect.
        """
    @property
    def line(self) -> int:
        """The line it begins on, from 1; blank lines count."""
    @property
    def offset(self) -> int:
        """Where it begins in the file, in bytes."""
    @property
    def length(self) -> int:
        """How many bytes it covers."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Worktree:
    """The git worktree that a session works in, as its own last `worktree-state` line says."""

    @property
    def path(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def branch(self) -> str | None: ...
    @property
    def original_cwd(self) -> str | None: ...
    @property
    def original_branch(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Transcript:
    """What a transcript says of its session. Times are epoch milliseconds UTC; None where nothing is said.

    Only keys at depth 1 of a line's objects count, the last of those that are given twice, and only values of
    the right type.
    """

    @property
    def path(self) -> str | None:
        """The path as it was given; None for bytes."""
    @property
    def size(self) -> int:
        """How many bytes were scanned."""
    @property
    def session_id(self) -> str | None:
        """The file's stem."""
    @property
    def lines(self) -> int:
        """How many lines are not blank; NUL, space, tab and CR are blank."""
    @property
    def records(self) -> int:
        """How many complete objects there are; a glued line has several."""
    @property
    def custom_title(self) -> str | None:
        """The last title that the user gave (`custom-title`)."""
    @property
    def ai_title(self) -> str | None:
        """The last title that the model found (`ai-title`)."""
    @property
    def summary(self) -> str | None:
        """The last `summary` whose leaf is a record of this file: others belong to other sessions."""
    @property
    def first_prompt(self) -> str | None:
        """The first human prompt, white space folded, at most 200 characters.

        A slash command that goes to the model is one, with its arguments (`/review PR 7`). What an editor
        puts before a prompt, the open file and the selection, is left out.
        """
    @property
    def title(self) -> str | None:
        """The first of custom title, AI title, summary and first prompt that there is."""
    @property
    def title_source(self) -> Literal["custom", "ai", "summary", "prompt"] | None:
        """Which of them `title` is."""
    @property
    def cwd(self) -> str | None:
        """The first working directory: the session's own."""
    @property
    def last_cwd(self) -> str | None:
        """The last working directory."""
    @property
    def git_branch(self) -> str | None:
        """The last git branch."""
    @property
    def version(self) -> str | None:
        """The version of the CLI that wrote last."""
    @property
    def entrypoint(self) -> str | None:
        """How the session was last entered: `cli`, `claude-desktop`, …"""
    @property
    def model(self) -> str | None:
        """The last model that answered."""
    @property
    def worktree(self) -> Worktree | None:
        """The last worktree."""
    @property
    def created_at(self) -> int | None:
        """The smallest timestamp of the session's own records; where they have none, of all."""
    @property
    def last_activity_at(self) -> int | None:
        """The largest timestamp, likewise."""
    @property
    def turns(self) -> int:
        """How many human prompts there are."""
    @property
    def is_sidechain(self) -> bool:
        """Whether it is a subagent's: there are chain records, and all have isSidechain."""
    @property
    def born_in(self) -> str | None:
        """How the session was first entered."""
    @property
    def relocated_cwd(self) -> str | None:
        """Where the session was last moved to (`relocated`)."""
    @property
    def first_uuid(self) -> str | None:
        """The uuid of the first record that has one."""
    @property
    def last_uuid(self) -> str | None:
        """The uuid of the last record that has one."""
    @property
    def own_records(self) -> int:
        """How many records have the file's stem as their sessionId."""
    @property
    def defects(self) -> tuple[Defect, ...]:
        """What is wrong with the bytes, in file order: the first 10,000 places."""
    @property
    def defect_count(self) -> int:
        """How many places there are where something is wrong."""
    @property
    def tag(self) -> str | None:
        """The user's tag: what the last `tag` record says; an empty one takes it away. Not in `to_dict`."""
    @property
    def first_prompt_is_cut(self) -> bool:
        """Whether the first prompt is longer than `first_prompt`. Not in `to_dict`."""
    @property
    def first_command(self) -> str | None:
        """In a session without prompts: the name of the first slash command. Not in `to_dict`."""
    @property
    def last_prompt(self) -> str | None:
        """The last non-empty `lastPrompt` of a `last-prompt` record. Not in `to_dict`."""
    @property
    def continued_in(self) -> str | None:
        """The session this one goes on in: the last non-empty `continuedInSessionId` of a `continued-in`
        record. Not in `to_dict`."""
    @property
    def continued_at(self) -> int | None:
        """The timestamp of that record. Not in `to_dict`."""
    @property
    def modified_at(self) -> int | None:
        """The file's mtime when it was opened for the scan; None for bytes and streams. Not in `to_dict`, and
        not compared by `==`: it is of the file, not of its content."""
    @property
    def error(self) -> OSError | None:
        """Why the file could not be read (`scan_many`); all else is then empty."""
    def to_dict(self) -> dict[str, Any]:
        """Return all attributes but those that say otherwise, as a dict that `json` can write."""
    def __eq__(self, other: object, /) -> bool: ...
