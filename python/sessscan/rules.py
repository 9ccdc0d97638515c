"""List the rules: the names of the findings, how severe each is, and the texts that explain it.

To add a finding, add its rule here and a function to `reconciliation.diagnose`, registered under the rule's
name. `reconcile` shows a rule's `brief`, and `sessscan explain` the other texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UnknownRuleError
from .model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding. Each text is a paragraph of plain prose."""

    name: str
    severities: tuple[Severity, ...]
    """The usual severity first, then what else it can be."""
    brief: str
    """A few words to show after the name."""
    meaning: str
    cause: str
    action: str
    """What sessscan does about it."""
    advice: str
    """What the user can do."""


_ROW: tuple[Severity, ...] = ("error", "note")
"""A row that the app cannot read is an error, unless the user deleted its session."""

_PUT_BACK = (
    "Quit the desktop app, run `sessscan reconcile --apply`, and start the app again. If the row is held, "
    "`sessscan reconcile` shows which sessions it may be, with the `--match` to type for the one you "
    "recognise."
)
_FROM_THE_REST = (
    "It keeps what can still be read of the row and takes the rest from the transcript. The damaged file "
    "stays beside the row, as `.corrupted-bak`."
)
_FROM_NOTHING = (
    "Nothing of the row is left, so sessscan looks for evidence of which transcript it belonged to: the "
    "app's unfinished save of it, a readable copy, a transcript whose id is the row's own, the git worktree "
    "lent to it, and last the times, if only one transcript fits them. Then it builds a new row; otherwise "
    "it holds the row and shows the candidates."
)

RULES: tuple[Rule, ...] = (
    Rule(
        "zero-filled",
        _ROW,
        "every byte is zero",
        meaning="The row has its right length, but every byte of it is zero. The app skips it silently, so "
        "the session is missing from its list, although its transcript is whole.",
        cause="A crash or a power cut. The app had written and renamed the file, but its content had not "
        "reached the disk yet; after the restart the file system shows zeros instead.",
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
        meaning="The row begins as it should but ends in the middle; zeros may follow. The app cannot read "
        "it, so the session is missing from its list.",
        cause="A crash, a power cut or a full disk in the middle of a write.",
        action=_FROM_THE_REST,
        advice=_PUT_BACK,
    ),
    Rule(
        "not-json",
        _ROW,
        "the content is damaged",
        meaning="The row contains bytes that do not belong there. The app cannot read it, so the session is "
        "missing from its list.",
        cause="A bad sector, a program that wrote into the file, or a merge by a tool that syncs folders.",
        action="It keeps what comes before the damage and takes the rest from the transcript. If that part "
        "names no transcript, the row is treated as one of which nothing is left.",
        advice=f"{_PUT_BACK} If it happens again, check the disk.",
    ),
    Rule(
        "not-a-row",
        _ROW,
        "what the app needs is missing",
        meaning="The content is JSON, but lacks what the app needs: sessionId, createdAt and "
        "lastActivityAt (and processName and cwd for agent mode), each of the right type. Or it is not a "
        "file at all.",
        cause="Another program or an older version wrote it, or it was edited by hand.",
        action="It keeps all that the row says and takes what is missing from the transcript. What is not a "
        "file is held.",
        advice=_PUT_BACK,
    ),
    Rule(
        "id-mismatch",
        _ROW,
        "it names another session than its file name does",
        meaning="The sessionId in the row is not the file's name. The app skips such a row.",
        cause="The file was copied or renamed, or a tool that syncs folders made a second copy of it.",
        action="If another session here has the id that is in the row, the content belongs to that session "
        "and is not used. Otherwise the row keeps its content and gets the id from its file name.",
        advice=f"{_PUT_BACK} If you made the copy yourself, remove it instead.",
    ),
    Rule(
        "bom",
        _ROW,
        "it begins with a byte order mark, which the app does not take",
        meaning="There are three invisible bytes (EF BB BF) before the row's content. The rest may be whole, "
        "but the app rejects a row that begins with them.",
        cause="The file was saved by an editor or a script on Windows.",
        action="It writes the same content without the mark.",
        advice=_PUT_BACK,
    ),
    Rule(
        "utf-16",
        _ROW,
        "it is in UTF-16, which the app does not take",
        meaning="The row's text is encoded in UTF-16. Its content may be whole, but the app reads UTF-8 and "
        "rejects it.",
        cause="The file was written anew by PowerShell, whose redirection and Out-File write UTF-16, or an "
        "editor saved it so.",
        action="It writes the same content in UTF-8.",
        advice=_PUT_BACK,
    ),
    Rule(
        "oversize",
        _ROW,
        "it is larger than the app reads",
        meaning="The row is larger than 10 MiB, the most that the app reads.",
        cause="Connector settings or permissions that were added to it again and again.",
        action="It leaves out the largest parts that the app can do without until the row fits, and keeps "
        "the others.",
        advice=f"{_PUT_BACK} If connectors are missing in the session then, set them up again.",
    ),
    Rule(
        "linked",
        _ROW,
        "it is a link, which the app does not follow",
        meaning="There is a symbolic link instead of the row. The app does not follow links.",
        cause="The file was moved and a link left instead, as tools do that manage or sync dotfiles.",
        action="It holds the row: it writes neither through a link nor over one.",
        advice="Quit the desktop app and replace the link by the file itself.",
    ),
    Rule(
        "missing",
        _ROW,
        "the row is gone, but sessscan has kept it",
        meaning="A row of which sessscan has a snapshot is not there any more, and nothing says that you "
        "have deleted its session. So the session is missing from the app's list. It is only a note if "
        "another row names the same conversation.",
        cause="The file was not renamed to its final name (a full disk, a move between file systems), a "
        "tool that syncs folders or cleans up removed it, or the whole store was lost.",
        action="It puts the row back from the snapshot, byte for byte, or brought up to date if the "
        "conversation has continued since. A session that you delete in the app stays deleted: the app "
        "leaves a mark, and sessscan remembers it.",
        advice="Quit the desktop app, run `sessscan reconcile --apply`, and start it again. If you removed "
        "the file yourself, say so with `sessscan snapshots --forget ROW`; then it is not reported again.",
    ),
    Rule(
        "unreadable",
        ("error", "warning", "note"),
        "it cannot be opened or read",
        meaning="The system refuses to open or read the file or folder. For a row that is an error; for a "
        "transcript, a folder or the list of worktrees a warning. The exit status of the command is 4.",
        cause="Permissions (it belongs to another user, or was restored by root), or a failing disk.",
        action="It reads everything else, leaves this file alone, and concludes nothing from what may be in "
        "it.",
        advice="Check the owner and permissions of the path, and the system's log for disk errors; then "
        "run `sessscan reconcile` again.",
    ),
    Rule(
        "orphan",
        ("warning",),
        "sessions of the app without a row; --adopt makes rows for them",
        meaning="The transcript's session was begun in the desktop app, but no row names it, and you have "
        "not deleted it. So the app does not list it.",
        cause="The app's registry was emptied or replaced, by an update, a reset, a new profile or a move "
        "to another machine; or the row was never written (a full disk), or was lost with its file.",
        action="With `--adopt` it makes a row for it, if it can tell which account it is from, or "
        "`--account` says so. It makes none for an older copy of a conversation that continued in another "
        "transcript, nor for a transcript that a held row may belong to.",
        advice="Quit the desktop app and run `sessscan reconcile --adopt --apply`.",
    ),
    Rule(
        "dangling",
        ("warning", "note"),
        "sessions whose transcript was not found",
        meaning="The transcript that a row names is not in the folders that were read, or is an empty file. "
        "The app lists the session and cannot open it. It is only a note where no row names the session, "
        "but an old sessions-index.json.",
        cause="Which of these it was cannot be told: the CLI deleted it when it had not been written for the "
        "time that its settings say (`cleanupPeriodDays`), something else deleted or moved it, or it is in "
        "another folder, on another machine or under another user.",
        action="It tells what is left of the session: files of its helpers and tools, file versions, "
        "prompts, a transcript that was set aside. The row is left as it is.",
        advice="If the transcripts are elsewhere, name the folder with `--projects`. If a backup has the "
        "file, or one was set aside, put it back under its name. Otherwise archive the session in the app.",
    ),
    Rule(
        "unlinked",
        ("warning",),
        "the row has lost its link to a transcript",
        meaning="The app can read the row, which counted turns, but it names no transcript, one that is not "
        "there or one that holds no conversation, while another fits it; or it says that its transcript is "
        "not available although it is there. The app lists the session and cannot open it. A row without "
        "turns rightly names none.",
        cause="The app noted another id than the transcript has, or dropped it when it once did not find the "
        "transcript; or the conversation went on in a transcript that the row was not told of.",
        action="It compares what the row says (folder, times, title, turns) with the transcripts that no row "
        "names, and looks for what named one: a snapshot, a copy, the row's own name, a worktree. Where that "
        "decides, it sets `cliSessionId`, adds the old one to `priorCliSessionIds`, drops "
        "`transcriptUnavailable` and errors, and changes no other byte. Otherwise it holds the row.",
        advice="Quit the desktop app, run `sessscan reconcile --apply`, and start it again. If the row is "
        "held, `sessscan reconcile` shows which transcripts it may be about, with the `--match` to type.",
    ),
    Rule(
        "hollow",
        ("warning",),
        "sessions whose transcript holds no conversation",
        meaning="The row counted turns of a conversation, or the transcript held one when it was kept, but "
        "now it holds none: no message of yours and no answer, only lines about the session. The app opens "
        "it as an empty conversation.",
        cause="A program rewrote the transcript and kept only some lines of it, or a crash cut it short.",
        action="It tells what is left of the session, when it was last kept as it was, and which session "
        "without a row may hold the conversation. The row and the transcript are left as they are.",
        advice="Do not go on in the empty session. If the transcript was kept, `sessscan restore SESSION` "
        "shows how it comes back. If a backup has it, put it back under its name while the app is closed.",
    ),
    Rule(
        "transcript-gone",
        ("warning", "note"),
        "transcripts that are kept and not there any more",
        meaning="The transcript was kept by `sessscan snapshot --transcripts`, and its file is gone. It is "
        "only a note if it was old enough for the CLI to remove it, as its settings say.",
        cause="The CLI removes transcripts that were not written for `cleanupPeriodDays`. Otherwise "
        "something else removed or moved it. A session that was deleted in the app is not reported.",
        action="It tells when the transcript was kept last. It is never put back by itself.",
        advice="Run `sessscan restore SESSION`; with `--apply` it puts the transcript back under its "
        "own name.",
    ),
    Rule(
        "shrunk",
        ("warning",),
        "transcripts that are shorter than they were",
        meaning="A transcript only grows, but this one is shorter than it was when it was kept.",
        cause="A crash cut it, or a program rewrote it and left out a part, up to all of the conversation.",
        action="It tells when the transcript was last whole. It is never put back by itself.",
        advice="Do not go on in the session. Run `sessscan restore SESSION`; with `--apply` it puts the "
        "transcript back, and keeps what is there now.",
    ),
    Rule(
        "duplicate",
        ("warning",),
        "conversations that are listed twice",
        meaning="Two rows name one transcript: the app lists one conversation twice, and both write to it.",
        cause="The session was imported, or resumed in another window, while the app already had a row for "
        "it.",
        action="Nothing: both rows can be read, and only you know which one you use.",
        advice="Continue in one of the two and archive the other. Do not delete it: that may delete the "
        "transcript, which both share.",
    ),
    Rule(
        "moved",
        ("warning",),
        "transcripts that are not where the app looks for them",
        meaning="The transcript is there, but not in the project folder of the row's directory. The app "
        "opens a transcript only from the folder whose name it makes from that directory, so it lists the "
        "session and cannot open it.",
        cause="The project's directory was renamed or moved, its project folder was renamed or nested in "
        "another by hand, or the transcripts were copied from another machine.",
        action="It proposes `sessscan move OLD NEW`, with both folders where it is clear which these are.",
        advice="Run `sessscan move OLD NEW`: where the project was, and where it is now. It shows what it "
        "would do, and with --apply moves the transcript, with all that lies beside it, and changes the row.",
    ),
    Rule(
        "damaged-transcript",
        ("warning",),
        "transcripts with damaged places",
        meaning="Parts of the transcript are not whole records: runs of zeros, a record cut off by the next "
        "one, or two on one line. A last line that breaks off is normal while a session runs and does not "
        "count.",
        cause="A crash or a full disk while it was written, or two programs that wrote to it at once.",
        action="It reads every whole record around the damage. With `sessscan repair` it shows what can be "
        "read again, and with --apply repairs it.",
        advice="Run `sessscan repair`. `sessscan scan --format json FILE` shows each place with its line, "
        "offset and length.",
    ),
    Rule(
        "broken-chain",
        ("warning",),
        "transcripts of which messages cannot be reached",
        meaning="Each record of a conversation names the one that it follows. The CLI and the SDKs go from "
        "the last message back along these names; where one leads to a record that is destroyed, all that "
        "came before is out of reach, although it is still in the file.",
        cause="A record was zeroed, torn or overwritten by a crash, a full disk or two programs that wrote "
        "at once.",
        action="With `sessscan repair` it links the message after the hole to the last one before it, where "
        "nothing speaks against that, and with --apply writes it.",
        advice="Run `sessscan repair` before you resume the session: it goes on without those messages "
        "otherwise. `sessscan.conversation(path)` tells which they are.",
    ),
    Rule(
        "unpaired-call",
        ("warning",),
        "conversations with a tool's call or result alone",
        meaning="In the conversation that the CLI would send, a tool's call has no result, or a result no "
        "call. The API refuses that with status 400, so the session cannot go on. A call in the last answer "
        "may still be running, and does not count.",
        cause="The record with the other half is destroyed, or the session broke off between the two.",
        action="With `sessscan repair --unbrick` it shows the least edit that mends each; --apply makes it.",
        advice="If the session cannot be resumed, run `sessscan repair --unbrick` on it.",
    ),
    Rule(
        "refused-content",
        ("warning",),
        "conversations with something that the API refuses",
        meaning="A message of the conversation has a blank text, thinking with neither text nor signature, a "
        "NUL, half of a surrogate pair, or an image over 8000 px on a side (2000 px among more than 20). The "
        "API refuses the whole conversation for it.",
        cause="A tool's output that was cut in the middle of a character, an answer that was interrupted, or "
        "a program that wrote into the transcript.",
        action="With `sessscan repair --unbrick` it shows the least edit that mends each; --apply makes it.",
        advice="If the session cannot be resumed, run `sessscan repair --unbrick` on it.",
    ),
    Rule(
        "lost-lease",
        ("warning",),
        "worktrees lent to sessions that are not there",
        meaning="The app's list of git worktrees says that one is lent to a session, but no row that the "
        "app can read has that name.",
        cause="The session's row was lost, or deleted while it still had the worktree.",
        action="It uses the lease as evidence: if exactly one transcript from that directory is named by no "
        "row, the lost row belonged to that one. The list itself is not changed.",
        advice="Put the row back, if it is among the lost ones. Otherwise look for uncommitted work in the "
        "directory before you remove it with `git worktree remove`.",
    ),
    Rule(
        "leftover-tmp",
        ("note",),
        "an unfinished save of the app",
        meaning="There is a `local_….json.tmp` beside the rows: a row that the app had written and not yet "
        "renamed.",
        cause="The app was stopped between the two steps, or the system refused the renaming.",
        action="It uses the copy if the row itself is lost and the copy is whole and less than 30 days old. "
        "Beside a row that can be read it is only reported, even if it is newer.",
        advice="Leave it there until its session is back. Newer versions of the app use it themselves if "
        "the row is missing.",
    ),
    Rule(
        "conflict-copy",
        ("note",),
        "copies of rows that a sync tool made",
        meaning="Beside a row lies a copy of it, named as tools that sync folders name the second state of a "
        "file. The app does not read the copy.",
        cause="The store is in a folder that is synced, and two machines wrote the row.",
        action="It makes no session of the copy. If the row itself is lost, the copy counts as evidence.",
        advice="Remove the copy once the session opens as you expect.",
    ),
    Rule(
        "remote",
        ("note",),
        "sessions whose transcript is on another machine",
        meaning="The row says that the session runs over SSH or in WSL. Its transcript is on that machine, "
        "and not among those that were read.",
        cause="The session was begun with a connection to that machine.",
        action="Nothing: what is on the other machine cannot be looked at from here.",
        advice="Open the session in the app while the other machine can be reached.",
    ),
    Rule(
        "folder-gone",
        ("note",),
        "sessions whose folder is not there any more",
        meaning="The directory that the session worked in is not there. Only directories of this machine "
        "count: in your home, or beside others that are there.",
        cause="The project was deleted, renamed or moved, or a git worktree was removed.",
        action="If it is clear where the folder is now, it proposes `sessscan move OLD NEW`: by git's own "
        "notes, by a remote or a branch, or because only one folder has that name.",
        advice="If the project is elsewhere now, run `sessscan move OLD NEW`; with --apply its sessions move "
        "there.",
    ),
    Rule(
        "invalid-utf8",
        ("note",),
        "the row has bytes that are not UTF-8",
        meaning="Somewhere in the row are bytes that are not UTF-8. The app reads the row all the same, and "
        "shows \ufffd where they are: in a title, or in a folder, which it then does not find.",
        cause="A script or an editor saved the file in another encoding, such as Windows-1252.",
        action="Nothing: the app can read the row. sessscan reads it as the app does.",
        advice="If the title or the folder is wrong in the app, rename the session there, or save the file "
        "as UTF-8 while the app is closed.",
    ),
    Rule(
        "forgotten",
        ("note",),
        "sessions that only an old index names",
        meaning="A project folder's `sessions-index.json` names a session whose transcript was not found and "
        "that no row names.",
        cause="The transcript was deleted or moved after the index was written, by whatever it was.",
        action="It shows what the index says of the session, and what else is left of it. A rebuilt index "
        "does not list the session; the backup of the old one still does.",
        advice="If you miss the session, look for its transcript in a backup, by the id in the finding.",
    ),
    Rule(
        "retention",
        ("note",),
        "it is not known how long transcripts are kept",
        meaning="The CLI deletes transcripts that were not written for a time that its settings say. A "
        "settings file may not count, so it is not known how long that time is.",
        cause="The file cannot be read, or says no number of days: a byte order mark at its beginning is "
        "enough.",
        action="It says which file it is, and makes no promise about when transcripts are deleted.",
        advice="Save the file as JSON in UTF-8 without a byte order mark. To keep transcripts longer, set "
        "`cleanupPeriodDays` in it to more days.",
    ),
    Rule(
        "rewritten",
        ("note",),
        "transcripts that were rewritten since they were kept",
        meaning="A transcript only grows, but bytes of this one are others than they were when it was kept, "
        "although it is not shorter.",
        cause="A program or a person edited it, or a crash filled a part of it with zeros. What `sessscan "
        "repair` has edited is not reported.",
        action="It tells when the transcript was kept as it had been.",
        advice="If something is missing, `sessscan restore SESSION --at TIME` shows how to put it back as "
        "it was.",
    ),
    Rule(
        "title-drift",
        ("note",),
        "titles that differ from the transcript's",
        meaning="The app lists the session under another title than the one it was given in its transcript.",
        cause="The session was renamed in the terminal (`/rename`), or in the app, which does not write "
        "that into the transcript.",
        action="Nothing: it does not change a row that can be read.",
        advice="Rename the session in the app if you prefer the other title.",
    ),
    Rule(
        "stale-index",
        ("note",),
        "old indexes that are out of date; --rebuild-index rebuilds them",
        meaning="A project folder's `sessions-index.json` is damaged, or does not list what is in the "
        "folder.",
        cause="The CLI has not updated these files since about February 2026.",
        action="With `--rebuild-index` it writes a new index from the transcripts, with backup and undo as "
        "for rows.",
        advice="You need not do anything: nothing depends on it. For a tool of your own that reads it, run "
        "`sessscan reconcile --rebuild-index --apply`.",
    ),
)

BY_NAME = {rule.name: rule for rule in RULES}

Named = tuple[str | None, str | None, int | None]
"""By what a person knows a session: its title, its directory, and when it was last used (epoch ms)."""

NOBODY: Named = (None, None, None)


def finding(
    rule: str,
    path: str,
    message: str,
    *,
    severity: Severity | None = None,
    session_id: str | None = None,
    transcript: str | None = None,
    offset: int | None = None,
    length: int | None = None,
    about: Named = NOBODY,
) -> Finding:
    """Return a finding under a rule, of the rule's usual severity unless another is given.

    `about`: what the session it concerns is called, so that nobody has to know it by its path.
    """
    if severity is None:
        severity = BY_NAME[rule].severities[0]
    return Finding(rule, severity, path, message, session_id, transcript, offset, length, *about)


def find_rule(name: str) -> Rule:
    """Return the rule called `name`, in capitals or not, with dashes, underscores or spaces.

    Raises `UnknownRuleError`, which names the nearest rule.
    """
    spelt = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    if spelt in BY_NAME:
        return BY_NAME[spelt]
    from difflib import get_close_matches

    [nearest] = get_close_matches(spelt, BY_NAME, n=1, cutoff=0.0)
    raise UnknownRuleError(
        f"there is no rule {name}; the nearest is {nearest} (`sessscan explain` lists them all)"
    )
