"""The rules by which findings are named, and all there is to say of each: the one place where that stands.

`diagnose` finds them, `reconcile` shows them by their `brief`, and `sessscan explain` prints the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding. The texts are plain prose, a paragraph each."""

    name: str
    severities: tuple[Severity, ...]
    """How bad it is; where it can be either, the usual one first."""
    brief: str
    """In a few words, fit to stand behind the name."""
    meaning: str
    cause: str
    action: str
    """What sessscan does about it."""
    advice: str
    """What the person can do."""


_ROW: tuple[Severity, ...] = ("error", "note")
"""A row that the app cannot read is an error, unless the user deleted its session."""

_PUT_BACK = (
    "Quit the desktop app, run `sessscan reconcile --apply`, and start it again. If the row is held, "
    "`sessscan reconcile` shows which sessions it may be, with the `--match` to type for the one you "
    "recognise."
)
_FROM_THE_REST = (
    "What can still be read of the row is kept, and the rest comes from the transcript. The damaged file "
    "stays beside the row, as `.corrupted-bak`."
)
_FROM_NOTHING = (
    "Nothing of the row is left, so it looks for what proves which transcript it was: the app's unfinished "
    "save of it, a readable copy, a transcript that bears the row's own id, the git worktree lent to it, "
    "and last the times, if they leave no doubt. Then it builds the row anew; else it holds it, with the "
    "candidates."
)

RULES: tuple[Rule, ...] = (
    Rule(
        "zero-filled",
        _ROW,
        "every byte is zero",
        meaning="The row has its right length, but every byte of it is zero. The app skips it without a "
        "word, so the session is missing from its list, although its transcript is whole.",
        cause="A crash or a power cut. The app had written and renamed the file, but its content had not "
        "reached the disk yet; after the restart the file system shows zeros in its place.",
        action=_FROM_NOTHING,
        advice=_PUT_BACK,
    ),
    Rule(
        "empty",
        _ROW,
        "the file is empty",
        meaning="The row is a file of 0 bytes. The app skips it, so the session is missing from its list.",
        cause="A crash or a power cut before the content reached the disk, or a disk that was full.",
        action=_FROM_NOTHING,
        advice=_PUT_BACK,
    ),
    Rule(
        "truncated",
        _ROW,
        "the file breaks off",
        meaning="The row begins as it should and ends in the middle; zeros may follow. The app cannot read "
        "it, so the session is missing from its list.",
        cause="A crash, a power cut or a full disk in the middle of a write.",
        action=_FROM_THE_REST,
        advice=_PUT_BACK,
    ),
    Rule(
        "not-json",
        _ROW,
        "the content is damaged",
        meaning="Somewhere in the row there are bytes that do not belong there. The app cannot read it, so "
        "the session is missing from its list.",
        cause="A bad sector, a program that wrote into the file, or a merge by a tool that keeps folders in "
        "step.",
        action="What stands before the damage is kept, and the rest comes from the transcript. Where it "
        "names no transcript the row is treated as one of which nothing is left.",
        advice=f"{_PUT_BACK} If it happens again, check the disk.",
    ),
    Rule(
        "not-a-row",
        _ROW,
        "what the app needs is missing",
        meaning="The content is JSON, but lacks what the app asks for: sessionId, createdAt and "
        "lastActivityAt (and processName and cwd for agent mode), each of its right type. Or it is no file "
        "at all.",
        cause="Another program or an older version wrote it, or it was edited by hand.",
        action="All that it says is kept, and what is missing comes from the transcript. What is no file is "
        "held.",
        advice=_PUT_BACK,
    ),
    Rule(
        "id-mismatch",
        _ROW,
        "it names another session than its file name does",
        meaning="The sessionId in the row is not the file's name. The app skips such a row.",
        cause="The file was copied or renamed, or a tool that keeps folders in step made a second copy of "
        "it.",
        action="If the id inside is that of a session known here, the content says nothing about this row, "
        "and is not used. Else the row keeps its content and gets the id of its name.",
        advice=f"{_PUT_BACK} If you made the copy yourself, remove it instead.",
    ),
    Rule(
        "bom",
        _ROW,
        "it begins with a byte order mark, which the app does not take",
        meaning="Three invisible bytes (EF BB BF) stand before the row's content. The rest may be whole, "
        "but the app takes no row that begins so.",
        cause="The file was saved by an editor or a script on Windows.",
        action="It writes the same content without the mark.",
        advice=_PUT_BACK,
    ),
    Rule(
        "oversize",
        _ROW,
        "it is larger than the app reads",
        meaning="The row is larger than 10 MiB, the most that the app reads.",
        cause="Connector settings or permissions that were written into it again and again.",
        action="It keeps the row's content, without the largest parts that the app can do without, until it "
        "fits.",
        advice=f"{_PUT_BACK} Set up connectors anew where the session misses them.",
    ),
    Rule(
        "linked",
        _ROW,
        "it is a link, which the app does not follow",
        meaning="In the row's place there is a symbolic link. The app does not follow links.",
        cause="Somebody moved the file and left a link, as tools that manage or sync dotfiles do.",
        action="It holds the row: it writes neither through a link nor over one.",
        advice="Quit the desktop app and put the file itself in the link's place.",
    ),
    Rule(
        "missing",
        _ROW,
        "the row is gone, but sessscan has kept it",
        meaning="A row of which sessscan has a snapshot is not there any more, and nothing says that you "
        "have deleted its session. So the session is missing from the app's list. It is only a note where "
        "another row names the same conversation.",
        cause="The file was never renamed into its place (a full disk, a move between file systems), a tool "
        "that keeps folders in step or cleans up removed it, or the whole store was lost.",
        action="It puts the row back from the snapshot, byte for byte, brought up to date where its "
        "conversation has gone on. A session that you delete in the app stays deleted: the app leaves a "
        "mark, and sessscan remembers it.",
        advice="Quit the desktop app, run `sessscan reconcile --apply`, and start it again. If you removed "
        "the file yourself, `sessscan snapshots --forget ROW` says so once and for all.",
    ),
    Rule(
        "unreadable",
        ("error", "warning", "note"),
        "not to be opened or read",
        meaning="The system refuses to open or read the file or folder. For a row that is an error; for a "
        "transcript, a folder or the list of worktrees a warning. The command ends with status 4.",
        cause="Permissions (it belongs to another user, or was restored by root), or a failing disk.",
        action="It reads all else, writes nothing about this file, and lets nothing rest on what it may "
        "hold.",
        advice="Look at the owner and permissions of the path, and at the system's log for disk errors; "
        "then run `sessscan reconcile` again.",
    ),
    Rule(
        "dangling",
        ("warning",),
        "sessions whose transcript is gone",
        meaning="The row can be read, but the transcript it names is not among those looked at. The app "
        "lists the session and cannot open it.",
        cause="The CLI deletes transcripts after 30 days (`cleanupPeriodDays` in its settings); or they are "
        "kept in another folder, on another machine or under another user.",
        action="Nothing: the row is whole, and the transcript cannot be made from it.",
        advice="If the transcripts lie elsewhere, name the folder with `--projects`. If a backup has the "
        "file, put it back. Else archive the session in the app.",
    ),
    Rule(
        "duplicate",
        ("warning",),
        "conversations that are listed twice",
        meaning="Two rows name one transcript: the app lists one conversation twice, and both write to it.",
        cause="The session was imported, or resumed in another window, while the app already had a row for "
        "it.",
        action="Nothing: both rows can be read, and nobody but you knows which one you use.",
        advice="Go on in one of the two and archive the other. Do not delete it: that may delete the "
        "transcript, which both share.",
    ),
    Rule(
        "damaged-transcript",
        ("warning",),
        "transcripts with damaged places",
        meaning="Parts of the transcript are no whole records: runs of zeros, a record cut by the next one, "
        "or two on one line. A last line that breaks off is normal while a session runs, and is none of "
        "these.",
        cause="A crash or a full disk while it was written, or two programs that wrote to it at once.",
        action="It reads every whole record around the damage, and never writes to a transcript.",
        advice="Nothing has to be done: the rest is whole. `sessscan scan --format json FILE` shows each "
        "place with its line, offset and length.",
    ),
    Rule(
        "lost-lease",
        ("warning",),
        "worktrees lent to sessions that are not there",
        meaning="The app's list of git worktrees says that one is lent to a session, but no row that the "
        "app can read bears that name.",
        cause="The session's row was lost, or deleted while it still had the worktree.",
        action="It takes the lease as evidence: with exactly one transcript from that directory that no row "
        "names, it proves which one the lost row belonged to. The list itself is not changed.",
        advice="Put the row back, if it is among the lost ones. Else look into the directory for work that "
        "is not committed before you remove it with `git worktree remove`.",
    ),
    Rule(
        "leftover-tmp",
        ("note",),
        "an unfinished save of the app",
        meaning="Beside the rows there is a `local_….json.tmp`: a row that the app had written, and not yet "
        "renamed.",
        cause="The app was stopped between the two steps, or the system refused the renaming.",
        action="It uses it where the row itself is lost or damaged and the copy is whole and under 30 days "
        "old. Beside a row that can be read it is only told, even if it is newer.",
        advice="Leave it there until its session is back. Newer versions of the app take it up themselves "
        "where the row is missing.",
    ),
    Rule(
        "orphan",
        ("note",),
        "sessions of the app without a row; --adopt makes rows for them",
        meaning="The transcript's session was begun in the desktop app, but no row names it, and you have "
        "not deleted it. So the app does not list it.",
        cause="The row was never written (a full disk), or was lost together with its file.",
        action="With `--adopt` it makes a row for it, where it can tell which account it is from. Never for "
        "an older copy of a conversation that went on, nor for one that a held row may belong to.",
        advice="Quit the desktop app and run `sessscan reconcile --adopt --apply`.",
    ),
    Rule(
        "moved",
        ("note",),
        "transcripts that lie in another place than their rows say",
        meaning="The transcript lies under another project folder than the one of the row's directory.",
        cause="The project's directory was renamed or moved, or the transcripts were copied from another "
        "machine.",
        action="Nothing: the row names its transcript by id, and the place does not matter for that.",
        advice="Nothing, as long as the session opens. If it does not, move the transcript into the project "
        "folder of the directory, or the directory back to its place.",
    ),
    Rule(
        "title-drift",
        ("note",),
        "titles that differ from the transcript's",
        meaning="The app lists the session under another title than the one that was given to it in its "
        "transcript.",
        cause="The session was renamed in the terminal (`/rename`), or in the app, which does not tell the "
        "transcript.",
        action="Nothing: a row that can be read is not touched.",
        advice="Rename the session in the app, if you like the other title better.",
    ),
    Rule(
        "stale-index",
        ("note",),
        "old indexes, out of date; --rebuild-index writes them anew",
        meaning="A project folder's `sessions-index.json` is damaged, or does not list what is in the "
        "folder.",
        cause="The CLI has not kept these files up since about February 2026.",
        action="With `--rebuild-index` it writes the index anew from the transcripts, with backup and undo "
        "like all else.",
        advice="Nothing has to be done: nothing depends on it. For a tool of your own that reads it: "
        "`sessscan reconcile --rebuild-index --apply`.",
    ),
)

BY_NAME = {rule.name: rule for rule in RULES}


def find_rule(name: str) -> Rule:
    """The rule of a name, however it is spelt; `ValueError` with the nearest one where there is none."""
    spelt = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    if spelt in BY_NAME:
        return BY_NAME[spelt]
    from difflib import get_close_matches

    [nearest] = get_close_matches(spelt, BY_NAME, n=1, cutoff=0.0)
    raise ValueError(f"there is no rule {name}; the nearest is {nearest} (`sessscan explain` lists them all)")
