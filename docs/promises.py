"""What the platform promises, a line each.

Here: the promises in the order of their page, and what is known not to hold. Not here: the tests, whose marker names
the key; the figures (``docs/guarantees.json``); the page (``docs.guarantees``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: the key that tests name, its text, and what of it is known not to hold or was not shown."""

    key: str
    text: str
    gap: str = ""


PROMISES: dict[str, tuple[Promise, ...]] = {
    "Kills, outages, many at once": (
        Promise(
            "kills",
            "kill -9 at 20 random points of a batch's way and of a retraining's, of a run, of all services or of the "
            "database: rows, alerts, decisions, attempts, champions and lists equal those of an undisturbed run",
        ),
        Promise(
            "killed-orders",
            "A process that is killed before any of its orders to Postgres leaves a load, a promotion, a release or a "
            "migration whole or absent",
        ),
        Promise(
            "one-batch",
            "The same batch by 8 processes, 25 rounds: each row once, the metadata of one load, no alert twice",
        ),
        Promise("two-batches", "Two batches, and two contents of one batch, at once: each whole, none mixed"),
        Promise(
            "batch-beside-promotion", "A batch that arrives beside a promotion is neither lost nor merged unlearned"
        ),
        Promise(
            "sessions",
            "Sessions ended and Postgres restarted in the middle of COPY, of an assessment, of the gate's decision and "
            "of training, directly and through PgBouncer: nothing half done, and the next run ends as undisturbed",
        ),
        Promise("asleep", "A database that is asleep, or still starting, at first contact is waited for"),
        Promise(
            "services",
            "Daemon, webserver, code server and embedded server killed while sensors, runs and a backfill are under "
            "way: each is started again, and the work ends",
        ),
        Promise(
            "full-disk", "A disk that is full for two minutes, at each stage: a sentence, no row lost, then it goes on"
        ),
        Promise("read-only", "A database that is read-only for a while, at each stage: the same"),
        Promise(
            "clock",
            "A clock that is set back: no work is done twice, and none waits for the former time to come again",
            "Dagster's own daemon: after a step back it evaluates each sensor again only at the time of its last tick, "
            "so that nothing new starts by itself for as long as the step was",
        ),
    ),
    "Folder and store": (
        Promise("drive", "Faults of Google Drive: bytes are right or an error names the cause, and a listing goes on"),
        Promise(
            "s3", "Faults of S3: one of each kind is got over, one that stays is one error, nothing half is stored"
        ),
    ),
    "Hostile and broken input": (
        Promise(
            "damaged-files",
            "60 corrupt files over all kinds, 5,000 damaged ones at random: read or refused in one sentence",
        ),
        Promise(
            "generated-files",
            "Whatever rows, encodings and types a generator makes: nothing is lost, and CSV and Parquet agree",
        ),
        Promise("bombs", "Files that claim or unpack to gigabytes are refused in a sentence and 400 MB"),
        Promise("hostile-names", "Text from outside steers no terminal, page, table or path"),
        Promise("roles", "Each role may do what is written down and no more: every role, table, function and verb"),
        Promise("secrets", "No secret in output, logs, events, process lists, tables or files, working or failing"),
    ),
    "Models": (
        Promise(
            "hostile-models",
            "An artifact runs no code, takes no memory that it claims, and loads by its registered hash alone",
        ),
        Promise(
            "gate", "20 bad models are rejected at the gate, good ones promoted, and small losses do not add up unseen"
        ),
        Promise(
            "determinism", "Same data, same seed, same model, byte for byte; a version is rebuilt from landed files"
        ),
    ),
    "Time": (
        Promise(
            "weeks",
            "52 simulated weeks: the size of database and Dagster's storage is bounded, the memory of daemon and "
            "code server flat",
            "the weeks follow one another at once, so nothing gets old enough for the retention by age",
        ),
        Promise("budget", "A year of a million ratings and 60,000 movies fits 450 MB"),
        Promise(
            "upgrade",
            "Every released schema and artifact format is upgraded without losing a row, and goes down one step and up "
            "again",
        ),
    ),
    "People": (
        Promise(
            "erasure",
            "`cinematch forget`: 0 bytes of a person in database, store, reports and Dagster's storage, and a champion "
            "that equals, byte for byte, one that never knew them",
        ),
        Promise("erasure-returns", "What comes later does not bring them back: files, batches, corrections, rollbacks"),
        Promise("erasure-kills", "An erasure that is killed, at ten points, goes on and ends the same"),
        Promise(
            "audit",
            "Who did what and why stands in a table that `ml_pipeline` and the owner cannot change or delete from",
        ),
    ),
    "Backup, packages, network": (
        Promise("backup", "A backup restored onto an empty server: equal rows, the same answers, the next batch loads"),
        Promise("supply-chain", "Every package is pinned by hash, and its licence is known and admissible"),
        Promise(
            "network", "Demo, `dev`, sensors and runs need no network and connect to nothing that was not configured"
        ),
    ),
}
"""By the page's headings."""
