"""25 million ratings through the real assets on one machine, beside one million: seconds and memory by asset.

    python -m benchmarks.end_to_end [--ratings 1_000_000 25_000_000] [--movies PATH] [--reuse]

Files are dropped into the folder of a fresh home with an embedded server. The jobs load_catalog, retrain, ingest_batch
(4 % of the ratings, drifted) and retrain again are carried out by ``dagster job execute``, a process each, in the
environment of ``cinematch dev``. What a step took is from Dagster's event log. Figures are kept as JSON in
``benchmarks/.cache`` after each job; ``--reuse`` takes sizes that are complete there from it. The exit code is 1 when
all processes together held more than 6 GB, when the batch was no reason to retrain, or when it was not merged.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.end_to_end_files import BATCH, Files, make_files
from benchmarks.measuring import report
from benchmarks.watching import Sample, Use, use_between, watched
from cinematch_assets.dagster_support.instance import prepare_home, storage_url
from cinematch_assets.drift.report import MAX_ROWS
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.embedded import embedded_url, stop_server
from cinematch_assets.warehouse.migrations import migrate
from cinematch_assets.warehouse.server_files import server_folder
from cinematch_assets.warehouse.server_state import read_server_state

CACHE = Path(__file__).parent / ".cache" / "end_to_end"
MEMORY_LIMIT_MB = 6_000
GROWTH_LIMIT = 1.1
WARM_UP = 480_000
"""Ratings of a size that is run first, so that no other one compiles kernels or Python's modules. It has more than
3,000 users, above which lists are made by other kernels than below."""
START_UP = "start-up and between steps"
_BEGINS, _ENDS = dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS


@dataclass(frozen=True, slots=True)
class Job:
    """A run of one of the platform's jobs; ``name`` is what the table calls it."""

    name: str
    job: str
    partition: str | None = None


JOBS = (
    Job("load", "load_catalog"),
    Job("first model", "retrain"),
    Job("batch", "ingest_batch", BATCH),
    Job("retraining", "retrain"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """An asset, or the checks of one, in a run; or what the run did outside of them."""

    run: str
    step: str
    seconds: float
    use: Use
    phases: list[str] = field(default_factory=list)
    """What its log says about durations."""


@dataclass(slots=True)
class Size:
    """What was measured at a number of ratings."""

    ratings: int
    users: int
    movies: int
    real_titles: int
    batch: int
    day: str
    steps: list[Step] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Metadata of each materialization, by run and asset."""
    database_mb: float = 0.0
    server_files_mb: float = 0.0
    store_mb: float = 0.0
    complete: bool = False

    def keep(self) -> None:
        """Write it, so that a run that is cut off loses nothing."""
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / f"{self.ratings}.json").write_text(json.dumps(asdict(self), indent=1))

    @property
    def peak_mb(self) -> float:
        """The most that all processes of a run and the server held at one time."""
        return max(each.use.total_mb for each in self.steps)

    def step(self, run: str, step: str) -> Step | None:
        """Return what was measured of a step."""
        return next((each for each in self.steps if (each.run, each.step) == (run, step)), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, nargs="+", default=[1_000_000, 25_000_000], help="sizes, rising")
    parser.add_argument("--movies", type=Path, help="movies.csv or .parquet as of MovieLens; without it all synthetic")
    parser.add_argument("--reuse", action="store_true", help="take sizes that were measured before from the cache")
    parser.add_argument("--without-warm-up", action="store_true", help="kernels and modules are compiled already")
    asked = parser.parse_args()
    if not asked.without_warm_up:
        measure(make_files(CACHE / "files", WARM_UP, asked.movies))
    sizes = []
    for ratings in asked.ratings:
        kept = read_kept(ratings) if asked.reuse else None
        sizes.append(kept or measure(make_files(CACHE / "files", ratings, asked.movies)))
        write_report(sizes)
    return int(not all(is_wanted(size) for size in sizes))


def read_kept(ratings: int) -> Size | None:
    """Return what was measured before, when it is complete."""
    path = CACHE / f"{ratings}.json"
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    steps = [Step(**(each | {"use": Use(**each["use"])})) for each in kept.pop("steps")]
    size = Size(**kept, steps=steps)
    return size if size.complete else None


def measure(files: Files) -> Size:
    """Run all jobs on a fresh home."""
    size = Size(
        files.ratings, files.users, files.movies, files.real_titles, files.batch, f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    )
    with fresh_home() as settings, dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        drive = settings.home / "drive"
        files.lay_out(drive)
        for job in JOBS:
            if job.partition is not None:
                files.lay_out_batch(drive)
                instance.add_dynamic_partitions("batch_id", [job.partition])
            log = run_job(settings.home, instance, job, size)
            size.database_mb = read_server_state(embedded_url(settings.home)).size_mb
            size.server_files_mb = _folder_mb(server_folder(settings.home))
            size.store_mb = _folder_mb(settings.home / "store")
            size.keep()
            if log is not None:
                sys.exit(f"{job.name}: job {job.job} failed:\n{log[-4000:]}")
        size.complete = True
        size.keep()
    return size


@contextmanager
def fresh_home() -> Iterator[Settings]:
    """Make a home with both databases, and this process's environment that of ``cinematch dev`` on it."""
    with tempfile.TemporaryDirectory(prefix="cm-bench-") as folder:
        Path(folder).chmod(0o755)  # the server's user has to pass
        home = Path(folder) / "home"
        os.environ |= {
            "CINEMATCH_HOME": str(home),
            "CINEMATCH_STORAGE_BUDGET_MB": "100000",  # of no free tier
            "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        }
        settings = Settings.from_env()
        try:
            storage_url(settings)
            migrate(embedded_url(home))
            os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
            yield settings
        finally:
            stop_server(home)


def run_job(home: Path, instance: dg.DagsterInstance, job: Job, size: Size) -> str | None:
    """Run a job in a process of its own, note its steps and what assets say; return its output when it failed."""
    words = ["-m", "dagster", "job", "execute", "-m", "cinematch_assets.definitions", "-j", job.job]
    if job.partition is not None:
        words += ["--tags", json.dumps({"dagster/partition": job.partition})]
    log = home / "logs" / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.time()
    with log.open("w") as output:
        running = subprocess.Popen([sys.executable, *words], stdout=output, stderr=subprocess.STDOUT)
        with watched(running.pid, home) as samples:
            running.wait()
    end = time.time()
    (record,) = instance.get_run_records(limit=1)
    steps = list(_steps(job, instance, record.dagster_run.run_id, samples))
    inside = sum(each.use.processor_s for each in steps)
    whole = use_between(samples, start, end)
    begin = use_between(samples, start, start + 1)
    outside = Use(whole.processor_s - inside, begin.process_mb, begin.server_mb, begin.total_mb)
    _say(f"{job.name}: {end - start:.1f} s, at most {whole.total_mb:,.0f} MB")
    size.steps += [*steps, Step(job.name, START_UP, end - start - sum(each.seconds for each in steps), outside)]
    size.facts[job.name] = _facts(instance, record.dagster_run.run_id)
    is_good = running.returncode == 0 and record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
    return None if is_good else log.read_text()


def _steps(job: Job, instance: dg.DagsterInstance, run_id: str, samples: Sequence[Sample]) -> Iterator[Step]:
    begun: dict[str, float] = {}
    phases: dict[str, list[str]] = {}
    for entry in instance.all_logs(run_id):
        step = entry.step_key or ""
        kind = entry.dagster_event.event_type if entry.dagster_event else None
        if kind is None and " done in " in entry.user_message:
            phases.setdefault(step, []).append(entry.user_message)
        elif kind is _BEGINS:
            begun[step] = entry.timestamp
        elif kind is _ENDS:
            use = use_between(samples, begun[step], entry.timestamp)
            yield Step(job.name, step, entry.timestamp - begun[step], use, phases.get(step, []))
            _say(f"{job.name}: {step}: {entry.timestamp - begun[step]:.1f} s, {use.total_mb:,.0f} MB")


def _facts(instance: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        assert made is not None
        values = {name: value.value for name, value in made.metadata.items()}
        found[made.asset_key.to_user_string()] = {
            name: value for name, value in values.items() if isinstance(value, str | bool | int | float)
        }
    return found


def is_wanted(size: Size) -> bool:
    """Return whether the batch drifted and was merged, and the memory was enough."""
    drift, gate = size.facts["batch"]["drift_report"], size.facts["retraining"]["model_metrics"]
    return bool(drift["retraining_due"] and gate["promoted"] and size.peak_mb <= MEMORY_LIMIT_MB)


def write_report(sizes: Sequence[Size]) -> None:
    """Write the table of what was measured so far."""
    *earlier, last = sizes
    header = ["run", "asset"]
    for size in sizes:
        header += [f"{size.ratings:,}: s", "processor s", "peak MB: run + server"]
    header += [f"growth from {size.ratings:,}" for size in earlier]
    rows = []
    for each in last.steps:
        row = [each.run, each.step]
        for size in sizes:
            found = size.step(each.run, each.step)
            row += _cells(found) if found else ["", "", ""]
        rows.append((*row, *(_shown(_growth(size, last, each)) for size in earlier)))
    report("end_to_end", "End to end through the assets", tuple(header), [*rows, _total(sizes)], _notes(sizes))


def _cells(step: Step) -> list[str]:
    use = step.use
    return [f"{step.seconds:.1f}", f"{use.processor_s:.1f}", f"{use.process_mb:,.0f} + {use.server_mb:,.0f}"]


def _total(sizes: Sequence[Size]) -> tuple[str, ...]:
    *earlier, last = sizes
    row = ["all", ""]
    for size in sizes:
        seconds = sum(each.seconds for each in size.steps)
        row += [f"{seconds:.1f}", f"{_processor_s(size):.1f}", f"{size.peak_mb:,.0f} at one time"]
    shares = (_processor_s(last) / _processor_s(size) * size.ratings / last.ratings for size in earlier)
    return (*row, *(_shown(share) for share in shares))


def _processor_s(size: Size) -> float:
    return sum(each.use.processor_s for each in size.steps)


def _growth(first: Size, last: Size, step: Step) -> float:
    """Processor time of a step at the last size over that at the first, over the ratio of ratings; 1 is linear."""
    before = first.step(step.run, step.step)
    return step.use.processor_s / max(before.use.processor_s if before else 0, 0.01) * first.ratings / last.ratings


def _shown(growth: float) -> str:
    return f"**{growth:.2f}**" if growth > GROWTH_LIMIT else f"{growth:.2f}"


def _notes(sizes: Sequence[Size]) -> list[str]:
    *earlier, last = sizes
    notes = []
    for size in sizes:
        notes.append(
            f"* {size.ratings:,} ratings of {size.users:,} users and {size.movies:,} movies, {size.real_titles:,} of"
            f" them with the titles of --movies, and a batch of {size.batch:,}, on {size.day} UTC: at most"
            f" {size.peak_mb:,.0f} MB ({MEMORY_LIMIT_MB:,} allowed); then the database has"
            f" {size.database_mb:,.0f} MiB, all files of the server {size.server_files_mb:,.0f} MB, the store"
            f" {size.store_mb:,.0f} MB."
        )
        notes += [f"* {size.ratings:,}: {sentence}" for sentence in _outcome(size)]
    if earlier:
        notes.append(
            "* Growth is processor time at the largest size over that at a smaller one, over the ratio of ratings: 1 is"
            f" linear, and {GROWTH_LIMIT:g} the most that is wanted."
        )
    for size in earlier:
        found = {f"{each.step} ({each.run})": _growth(size, last, each) for each in last.steps}
        over = [f"{name} {growth:.2f}" for name, growth in found.items() if growth > GROWTH_LIMIT]
        notes.append(f"* Over it from {size.ratings:,}: {', '.join(over) or 'nothing'}.")
    notes += [
        f"* Evidently's report is made of at most {MAX_ROWS:,} rows of the batch and as many of the history.",
        "* Seconds of a step are from Dagster's event log. Processor time and memory (PSS, the peak of samples every",
        "  0.1 s) are of the run's process and of all processes of the server. Fixed costs make the larger size look",
        "  better.",
    ]
    return notes


def _outcome(size: Size) -> Iterator[str]:
    drift = size.facts.get("batch", {}).get("drift_report")
    gate = size.facts.get("retraining", {}).get("model_metrics")
    lists = size.facts.get("retraining", {}).get("recommendations")
    if drift and gate and lists:
        yield f"drift: {drift['reason']}."
        yield f"retraining: {'promoted' if gate['promoted'] else 'rejected'}, {gate['reason']}."
        yield f"lists for {lists['users']:,} users, {lists['rows']:,} rows."


def _folder_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
