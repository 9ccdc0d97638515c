"""The invented sessions of the sample store, and how each is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CODE = "/home/ada/code"


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the sample store, and what is left of it."""

    title: str
    prompt: str
    project: str
    day: float
    """When it began: days after the first day, with the time of day as a fraction."""
    minutes: float
    turns: int
    titled: Literal["custom", "ai", "prompt"] = "ai"
    """Where its title comes from. For `prompt` the title is the first prompt."""
    row: Literal["ok", "zero-filled", "empty", "truncated", "bom", "tmp", "none"] = "ok"
    """The state of its row: `ok`, a kind of damage, `tmp` (only a leftover `.tmp` is there), or `none`."""
    proof: Literal["", "lease", "imported", "tmp", "tombstone"] = ""
    """What else tells about the row: a worktree's `lease`; `imported`: its id is the transcript's; a whole
    `.tmp` beside it; `tombstone`: the user deleted the session."""
    size: int = 0
    """Size of a zero-filled row in bytes; 0: the size of the undamaged row."""
    worktree: str = ""
    entrypoint: str = "claude-desktop"
    transcript: Literal["ok", "gone", "nul-run", "spliced", "shared"] = "ok"
    """`nul-run` and `spliced`: damaged; `shared`: the row names the transcript of the session before it."""
    epoch: int = 0
    """When the first day begins, in epoch ms."""
    saved: float = 12.0
    """Seconds after its last activity at which the app saved the row."""


SESSIONS = (
    Session(
        "Add cursor pagination to /orders",
        "The /orders endpoint is slow with big offsets. Can we page by cursor instead?",
        "shop-api",
        0.40,
        95,
        14,
    ),
    Session(
        "Fix flaky checkout test",
        "test_checkout_total fails about once in ten runs in CI, find out why",
        "shop-api",
        0.55,
        42,
        6,
        row="zero-filled",
        size=144_258,
    ),
    Session(
        "Upgrade to Postgres 18",
        "What do we have to change to move from Postgres 16 to 18?",
        "shop-api",
        1.35,
        130,
        19,
        titled="custom",
        transcript="spliced",
    ),
    Session(
        "Dark mode for the docs site",
        "Add a dark mode that follows the system setting",
        "website",
        1.60,
        70,
        9,
        row="zero-filled",
        size=98_304,
        proof="lease",
        worktree="dark-mode",
    ),
    Session(
        "Résumé page: print stylesheet",
        "The résumé page should fit on one A4 sheet when printed",
        "website",
        2.38,
        33,
        5,
    ),
    Session(
        "Import bank statements (CAMT.053)",
        "Write an importer for CAMT.053 files into the ledger",
        "ledger",
        2.58,
        210,
        31,
        titled="custom",
        row="truncated",
    ),
    Session(
        "Double-entry invariants",
        "Which invariants should the ledger check on every posting?",
        "ledger",
        3.42,
        58,
        8,
    ),
    Session(
        "Retry with backoff in the forecast client",
        "The forecast API answers 503 now and then, retry properly",
        "weather-bot",
        3.61,
        47,
        7,
        row="zero-filled",
        proof="tmp",
    ),
    Session(
        "Frost warnings by e-mail",
        "Send a mail in the evening when frost is forecast for the night",
        "weather-bot",
        4.37,
        88,
        12,
    ),
    Session(
        "Why is the cache never hit?", "Why is the cache never hit?", "shop-api", 4.60, 25, 4, titled="prompt"
    ),
    Session(
        "Invoice PDF layout",
        "The totals row of the invoice slips onto a second page",
        "shop-api",
        5.40,
        64,
        10,
        row="tmp",
    ),
    Session(
        "Rate limit the login route",
        "Limit login attempts by account and by address",
        "shop-api",
        5.63,
        52,
        8,
    ),
    Session(
        "Chapter 3: related work",
        "Help me order the related work by idea instead of by year",
        "thesis",
        6.35,
        118,
        17,
        row="zero-filled",
    ),
    Session(
        "Plot style for all figures",
        "Make one matplotlib style and use it in every figure",
        "thesis",
        6.58,
        39,
        6,
    ),
    Session(
        "Stock sync, first attempt",
        "Keep the stock level in step with the warehouse's file",
        "shop-api",
        7.40,
        61,
        9,
        row="zero-filled",
        saved=30,
    ),
    Session(
        "Stock sync, second attempt",
        "Let's start the stock sync again, from events this time",
        "shop-api",
        7.4005,
        61,
        11,
        row="zero-filled",
        saved=34,
    ),
    Session(
        "Migrate the blog to Astro",
        "Move the blog from Jekyll to Astro, keep every address",
        "website",
        8.36,
        175,
        26,
    ),
    Session(
        "Compress the hero images",
        "The landing page weighs 4 MB, bring it under 800 KB",
        "website",
        8.59,
        28,
        4,
        row="empty",
    ),
    Session("Year-end closing entries", "Generate the closing entries for a year", "ledger", 9.39, 83, 12),
    Session(
        "VAT rounding per line",
        "Round VAT per line, not per invoice, and show me what changes",
        "ledger",
        9.61,
        49,
        7,
        proof="imported",
        row="zero-filled",
    ),
    Session(
        "Alert when a sensor is silent",
        "If a sensor has not reported for an hour, say so",
        "weather-bot",
        10.41,
        37,
        6,
        transcript="nul-run",
    ),
    Session(
        "日本語の予報文", "Write the forecast text in Japanese too, 丁寧な文体で", "weather-bot", 10.62, 45, 7
    ),
    Session(
        "Old experiments with SQLite",
        "Try whether SQLite would be enough for the shop",
        "shop-api",
        11.38,
        22,
        3,
        row="none",
        proof="tombstone",
    ),
    Session(
        "Throwaway: regex for postcodes",
        "A regex for Austrian and Swiss postcodes",
        "shop-api",
        11.60,
        9,
        2,
        row="zero-filled",
        proof="tombstone",
    ),
    Session(
        "Refund flow",
        "Walk me through the refund flow and where money can get lost",
        "shop-api",
        12.40,
        77,
        11,
        transcript="gone",
    ),
    Session("Search as you type", "Add search as you type to the catalogue", "website", 12.63, 91, 13),
    Session(
        "Search as you type",
        "Add search as you type to the catalogue",
        "website",
        12.63,
        91,
        13,
        transcript="shared",
        saved=60,
    ),
    Session(
        "Backups to object storage",
        "Nightly backups of the database to object storage, encrypted",
        "shop-api",
        13.37,
        66,
        9,
        row="none",
    ),
    Session(
        "zsh prompt without a framework",
        "Rewrite my zsh prompt without oh-my-zsh",
        "dotfiles",
        13.60,
        31,
        5,
        row="none",
        entrypoint="cli",
    ),
    Session(
        "Rebase helper",
        "An alias that rebases my branches one after the other",
        "dotfiles",
        6.61,
        55,
        7,
        row="none",
        entrypoint="cli",
    ),
    Session("Health check endpoint", "Add /healthz and /readyz", "shop-api", 14.41, 18, 3, row="bom"),
    Session(
        "Queue instead of cron",
        "Replace the cron jobs by a queue",
        "shop-api",
        14.58,
        102,
        15,
        worktree="job-queue",
    ),
    Session("Abstract, 250 words", "Cut the abstract to 250 words", "thesis", 15.40, 27, 5),
    Session(
        "Deploy preview for pull requests",
        "Deploy each pull request to its own address",
        "website",
        15.61,
        72,
        10,
        titled="custom",
    ),
)

# The prompts after the first one, and the answers, drawn at random.
FOLLOW_UPS = (
    "Yes, go ahead.",
    "Run the tests, please.",
    "Why did you choose that over the simpler way?",
    "That broke the build, have a look at the log.",
    "Good. Now the same for the other module.",
    "Can you show me only the diff?",
    "Leave the public names as they are.",
    "Write it down in the changelog too.",
    "Hm, what happens if the file is empty?",
    "Commit that with a short message.",
)
ANSWERS = (
    "I'll look at how it is done now before changing anything.",
    "Found it: the value is read before the transaction is committed, so now and then it is the old one.",
    "All 214 tests pass. The slowest took 1.3 s.",
    "There are two ways. The simpler one holds the lock for the whole request, so I would rather not.",
    "Done. I kept the names as they were and left a note where the order matters.",
    "The build failed on an import that was only used in the part that I removed; it is fixed.",
)
