"""Value types that several packages pass to each other.

Here: frozen records without behaviour, the seed of resampling. Not here: the shapes of tables (``schemas``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SEED = 20_260_101
"""Seed of every resampling behind a decision or a report: equal inputs give equal results."""


@dataclass(frozen=True, slots=True)
class DriveFile:
    """One file in a listing of the folder; its content is identified by ``md5`` and ``size``, never by its time."""

    id: str
    """Stays the same while the content changes; letters, digits, ``-`` and ``_`` only."""
    path: str
    """Relative to the folder, with ``/``: for messages and for finding tables, never for naming stored objects."""
    name: str
    size: int
    """Bytes."""
    md5: str
    """Of the content, 32 lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class SkippedEntry:
    """Something in the folder that is not a file to read, and why."""

    path: str
    reason: str
    for_now: bool = False
    """True when it is still being written, so that a later listing may have it as a file."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    r"""A row that broke a rule.

    ``row_number`` counts data rows from 1: the header and empty lines are not counted. ``raw_row`` is the row's text
    as the file has it (rows of Parquet as CSV); bytes that are not text, and NUL, are written ``\x00``.
    """

    row_number: int
    raw_row: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RejectedMovie:
    """A movie that broke a rule, or a file that could not be read, with the file that it is in.

    ``row_number`` counts the movies of the file from 1. ``raw_row`` is cut after 2,000 characters: the landed file is
    kept, and a large one should not be stored twice.
    """

    file_id: str
    name: str
    row: RejectedRow


@dataclass(frozen=True, slots=True)
class DriftAlert:
    """One row of ``drift_alerts``; the fields carry the columns' names."""

    feature_name: str
    drift_score: float | None
    """None where it is undefined, as the standard deviation of a single rating is."""
    threshold: float
    alert_triggered: bool
    notes: str
    baseline_rows: int
    batch_rows: int


@dataclass(frozen=True, slots=True)
class WaitingDecision:
    """A decision to retrain that has no outcome yet."""

    id: int
    batch_id: str
    md5: str
    """Of the batch's content that the decision is about."""
    reason: str
    decided_at: datetime | None = None


WorkKind = Literal[
    "movies",
    "ratings",
    "features",
    "collection",
    "batch",
    "assessment",
    "report",
    "model",
    "retraining",
    "recommendations",
    "folder",
    "folder entry",
]
WorkState = Literal["running", "waiting", "given_up", "left_out"]


@dataclass(frozen=True, slots=True)
class OutstandingWork:
    """A piece of work that was asked for and is not done: one row of ``ops.outstanding_work``."""

    kind: WorkKind
    work: str
    """Which one: a batch, a file's path, or the kind again where there is only one."""
    content: str
    """What it is about; attempts count for this content alone."""
    state: WorkState
    """``running``: a run is queued or under way. ``waiting``: it goes on by itself. ``given_up``: only other content, a
    new release or a person helps. ``left_out``: an entry of the folder that is not read."""
    reason: str
    next_step: str
    """What happens next by itself, or what a person has to do."""
    attempts: int = 0
    """Runs that failed for this content."""
    retry_at: datetime | None = None
    """When the next attempt starts; None when it does not depend on time."""
    since: datetime | None = None
    """When it became outstanding with this content; None until it is stored."""

    @property
    def name(self) -> str:
        """Its kind and which one, for people."""
        return self.work if self.work == self.kind else f"{self.kind} {self.work}"

    @property
    def needs_a_person(self) -> bool:
        """Whether nothing happens by itself."""
        return self.state in {"given_up", "left_out"}


NotificationKind = Literal[
    "file refused",
    "batch failed",
    "given up",
    "left out",
    "folder",
    "drift",
    "promoted",
    "rejected",
    "awaiting approval",
    "champion changed",
    "erasure",
    "batch late",
    "lists stale",
    "storage",
    "token",
    "automation",
]


@dataclass(frozen=True, slots=True)
class Notification:
    """A fact that people are told, as plain text: what sends or shows it has to escape it."""

    id: int
    kind: str
    subject: str
    body: str
    next_step: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """What needs a person and is no work that was asked for: one row of ``ops.conditions`` while it lasts."""

    name: str
    """Which one; it is told once while it lasts."""
    kind: NotificationKind
    reason: str
    next_step: str
    since: datetime | None
    """None when it is not known: then it counts from when it was recorded."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The newest tick of a sensor, None before the first, and whether a person turned the sensor off."""

    name: str
    at: datetime | None
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class Automation:
    """Signs of life of Dagster's sensors and of the daemon that evaluates them; None when it never ran."""

    ticks: tuple[Tick, ...] = ()
    heartbeat_at: datetime | None = None
