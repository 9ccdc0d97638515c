"""The limits by which matching decides, each with its reason. Times and lengths of time are milliseconds."""

from __future__ import annotations

SKEW = 2_000
"""A transcript's last line may be so much younger than the row's last write: file systems count in steps of
up to 2 s (FAT)."""
SETTLING = 2_000
"""Two files whose times differ by no more were written in the same moment, for the same reason."""

BOUND = 60_000
"""The app saves a row within so long of its session's last line, at most, and where too few rows tell."""
TELLING = 20
"""So many healthy rows must tell how soon this store's rows are saved; with fewer `BOUND` counts."""
PERCENTILE = 0.99
"""Of the healthy rows so many are saved within the time that counts, …"""
MARGIN = 2
"""… of which so many times is allowed."""

BIRTH = 5_000
"""A row may name a transcript so long before its first line: the app notes a new session about 1.8 s earlier
(FORMATS section 2, createdAt)."""

OWN_BIRTH = 60_000
"""A file made so long before its last write kept its birth when the app saved the row anew (NTFS, APFS): it
is then as old as its session. One made later was made by that save, which says nothing."""

CLEAR = 60_000
"""By time alone the second best must be at least so far off, …"""
RATIO = 10
"""… and at least so many times as far as the best."""
NEAR = 900_000
"""Activity so long before a row's last write makes a transcript a rival by time: a row may be saved that long
after its session's last turn when its window comes to the front again."""
AFTER = 600_000
"""Activity so long after it likewise: a first turn may last that long before its row is saved again."""
CROWD = 50
"""With more rivals than this time says nothing: so many sessions do not run at once, so times were lost."""
NEWBORN = 70_000
"""The row of a session that began no longer before a crash may never have reached the disk (Linux writes data
back after 30 s and looks every 5 s). So its transcript may have no row, and fit another's by chance."""

WORDS = 10_000
"""So far a row's createdAt and lastActivityAt may at most lie from its transcript's first and last line to
have anything in common with it: what backtests count as the same."""
STEADY = 500
"""What is allowed beyond what the healthy rows show of that: two clocks' readings of one moment differ."""
ALIKE = 64
"""What more transcripts without a row have in common says nothing of one."""

TOUCHED = 2_000
"""A healthy row so near in time, whose own times do not explain it, was rewritten by something else than its
session: a restored backup, a copy, a migration."""
SWEEP = 60_000
"""Within so long several such files show the same of a slower copy."""
SWEPT = 3
"""So many of them do: one or two were renamed or archived by hand."""
SAME_TIME = 3
"""So many files of one and the same time did not get it from their last writes."""

FIRST_RELEASE = 1_704_067_200_000
"""Epoch ms (2024-01-01). No row can be older than the app; 1970 and 1980 are what lost times look like."""
FUTURE = 86_400_000
"""A time may lie so far ahead of now before it counts as lost."""

LEASE_TOLERANCE = 600_000
"""A transcript may begin so long before its lease was noted, or after its row was last written: a large
repository takes minutes to check out. One that is further off belongs to another lease of the directory."""
LEASE_IDLE = 86_400_000
"""A lease goes back when its session stops (FORMATS section 2); one that stands so long after the only
transcript from its directory ended is another session's, whose transcript is not there."""

TMP_LIFE = 30 * 86_400_000
"""The app itself promotes no older `.tmp` (FORMATS section 2), so neither is one used here."""
PARTIAL_DIGITS = 12
"""So many hexadecimal digits of a cut-off id must be left: 48 bits fit no second transcript by chance, be the
uuids random or, as in version 7, led by 48 bits of time."""
FORMER_ID = 39
"""Bytes by which a row grows, at least, when the app gives it another transcript: the old one's id goes into
`priorCliSessionIds`, in quotes and with a comma."""
PAIRED_DELETION = 5_000
"""The app leaves two marks when a session is deleted, one for the row and one for the transcript: marks made
within so long of each other are one deletion's."""

SHOWN = 5
"""Candidates named in a hold."""
