"""``cinematch demo``: the whole loop on this machine, by the same sensors, jobs and tables as in production.

Here: the order of events and what is printed. Not here: the platform's work (``pipeline``), which the sensors request.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from cinematch_assets.cli.output import err, notes, out, print_folded, print_table, progress
from cinematch_assets.cli.recommend import print_answer
from cinematch_assets.cli.status_tables import SHORT_NAMES, print_status, read_status
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.query import recommend_for_user
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.plurals import count
from cinematch_assets.private_files import make_home
from cinematch_assets.samples.catalogue import lay_out, open_sample
from cinematch_assets.samples.sample import Sample
from cinematch_assets.samples.simulate import DEMO_DRIFTS
from cinematch_assets.settings import Settings
from cinematch_assets.storage.atomic_file import write_atomically
from cinematch_assets.warehouse.drift_alerts import read_batch_decision
from cinematch_assets.warehouse.inspection import read_split_counts
from cinematch_assets.warehouse.status import (
    AlertLine,
    count_movies,
    find_example_user,
    list_alerts,
    list_model_metrics,
)

if TYPE_CHECKING:
    import dagster as dg

_ELSEWHERE = (
    "CINEMATCH_DATABASE_URL",
    "NEON_CONNECTION_STRING",
    "DAGSTER_POSTGRES_URL",
    "CINEMATCH_DRIVE",
    "CINEMATCH_STORE",
)
_MAX_TICKS = 6
SHOWN_MOVIES = 5
_MARK, _LOCK = ".demo-data", ".demo.lock"


@dataclass(slots=True)
class Stopwatch:
    """Wall time by phase."""

    laps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Count the block's wall time under ``name``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.laps[name] = self.laps.get(name, 0.0) + time.perf_counter() - started


def run_demo(data: str) -> None:
    """Run the loop on ``data``, on the embedded server only; variables that name other places are ignored."""
    for name in _ELSEWHERE:
        if os.environ.pop(name, None):
            err.print(f"{name} is set and ignored: the demo uses CINEMATCH_HOME only")
    os.environ.setdefault("CINEMATCH_RETRAIN_COOLDOWN_S", "0")  # weeks pass in seconds here
    os.environ.setdefault("CINEMATCH_RETRY_GAP_S", "0")  # what Ctrl-C ended goes on at once
    settings = Settings.from_env()
    with _alone(settings.home):
        _run(settings, data)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one demo at a time run on a home: it marks the runs as failed that one before it left.

    Raises:
        CinematchError: Another one runs.
    """
    with (make_home(home) / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CinematchError(f"{home}: a cinematch demo runs on it already") from None
        yield


def _run(settings: Settings, data: str) -> None:
    watch = Stopwatch()
    with watch.lap("data set"), progress("fetching the data") as bar:
        sample = open_sample(data, settings.home.resolve() / "samples", progress=lambda rows: bar(f"{rows:,} rows", 0))
    notes.print(Text(sample.name, "bold").append(f": {sample.licence}", "not bold"))
    if sample.note:
        notes.print(sample.note)
    with watch.lap("database and Dagster's instance"):
        loop = Loop.open(settings, watch)
    _require_same_data(loop.platform, sample)
    lay_out(sample, Path(loop.platform.folder.spec))
    steps = len(DEMO_DRIFTS) + 2
    loop.run_until_idle(f"1/{steps} movies and ratings arrive")
    _print_catalogue(loop.platform)
    for step, drift in enumerate(DEMO_DRIFTS, start=2):
        with watch.lap("simulating batches"):
            batch = simulate_next(loop.platform, drift=drift)
        drifted = f", drawn {drift:.1f} stars higher on average" if drift else ", drawn like the history"
        arrived = f"{batch.batch_id} arrives: {count(batch.rows, 'simulated rating')}{drifted}"
        loop.run_until_idle(f"{step}/{steps} {arrived}")
    notes.print(f"\n→ {steps}/{steps} what came of it", style="bold")
    _print_outcome(loop.platform)
    _print_recommendations(loop.platform)
    if not notes.quiet:
        print_table(
            "Time by phase", ("what", "seconds"), [(name, f"{seconds:.1f}") for name, seconds in watch.laps.items()]
        )
    home = "" if settings.home == Path(".cinematch") else f"CINEMATCH_HOME={settings.home} "
    notes.print(f"\nOpen the UI with {home}cinematch dev, then http://127.0.0.1:3000")


@dataclass(frozen=True, slots=True)
class Loop:
    """The platform with its Dagster instance: does what the daemon does, a sensor tick at a time."""

    platform: Platform
    instance: "dg.DagsterInstance"
    repository: "dg.RepositoryDefinition"
    watch: Stopwatch

    @classmethod
    def open(cls, settings: Settings, watch: Stopwatch) -> "Loop":
        """Open the instance that ``cinematch dev`` will show, and load the definitions."""
        from cinematch_assets.dagster_support.instance import (
            fail_runs_of_ended_demos,
            open_for_this_process,
            prepare_home,
        )
        from cinematch_assets.dagster_support.open_platform import with_open_platform
        from cinematch_assets.definitions import defs

        logging.disable(logging.WARNING)  # what runs say is kept in the instance, for the UI
        os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
        platform = Platform.open(settings)
        repository = with_open_platform(defs(), platform).get_repository_def()
        instance = open_for_this_process(settings)
        fail_runs_of_ended_demos(instance)
        return cls(platform, instance, repository, watch)

    def run_until_idle(self, what: str) -> None:
        """Tick the sensors and run what they request, until they request nothing."""
        notes.print(f"\n→ {what}", style="bold")
        with self.watch.lap("waiting until files are written"):
            self._wait_until_written()
        for _ in range(_MAX_TICKS):
            requests = [
                (name, request) for name in ("drive_sensor", "retraining_sensor") for request in self._tick(name)
            ]
            if not requests:
                return
            for sensor, request in requests:
                self._run(sensor, request)
        raise CinematchError(f"the sensors still ask for runs after {_MAX_TICKS} ticks: see cinematch status")

    def _wait_until_written(self, deadline_s: float = 30.0) -> None:
        """Wait until no file in the folder is being written any more: the sensors ignore files until then.

        Raises:
            CinematchError: Files are still being written after ``deadline_s``.
        """
        deadline = time.monotonic() + deadline_s
        while any(
            e.for_now
            for part in ("", "batches")
            for e in self.platform.folder.list_files(part, recursive=False).skipped
        ):
            if time.monotonic() > deadline:
                raise CinematchError(
                    f"{self.platform.folder.spec}: files in it are still being written; run the demo again afterwards"
                )
            time.sleep(0.1)

    def _tick(self, name: str) -> "list[dg.RunRequest]":
        import dagster as dg

        context = dg.build_sensor_context(
            instance=self.instance,
            repository_def=self.repository,
            sensor_name=name,
            resources={"platform": self.platform},
        )
        answer = self.repository.get_sensor_def(name)(context)
        if isinstance(answer, dg.RunRequest):
            return [answer]
        if not isinstance(answer, dg.SensorResult):
            return []
        for request in answer.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return list(answer.run_requests or ())

    def _run(self, sensor: str, request: "dg.RunRequest") -> None:
        """Run what a sensor requested, tagged as the daemon would, and with the command that does it instead."""
        import dagster as dg

        from cinematch_assets.dagster_support.run_tags import BY, DEMO

        job_name = request.job_name or "retrain"
        what = f"{job_name} {request.partition_key or ''}".strip()
        with self.watch.lap(job_name), _spinner(f"{what} ..."):
            try:
                result = self.repository.get_job(job_name).execute_in_process(
                    instance=self.instance,
                    partition_key=request.partition_key,
                    asset_selection=request.asset_selection,
                    tags={
                        BY: DEMO,
                        **request.tags,
                        **dg.DagsterRun.tags_for_sensor(self.repository.get_sensor_def(sensor)),
                    },
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    raise_on_error=False,
                )
            except dg.DagsterExecutionInterruptedError:
                raise KeyboardInterrupt from None
        if _was_interrupted(result):
            raise KeyboardInterrupt
        if not result.success:
            raise CinematchError(f"{what} failed: {_first_fault(result)}")
        notes.print(f"  {what}: done")
        if request.partition_key:
            self._print_decision(request.partition_key)

    def _print_decision(self, batch_id: str) -> None:
        """Print what was decided on a batch, in a line."""
        decision = self.platform.warehouse.run(read_batch_decision, batch_id)
        if decision is not None:
            reason = decision.reason.removeprefix(f"{batch_id}: ")
            print_folded(f"  {batch_id}: {'retraining is due' if decision.due else 'no retraining'}: {reason}")


def _spinner(text: str) -> AbstractContextManager[object]:
    """Show on a terminal that something runs, unless the command is to be quiet."""
    return nullcontext() if notes.quiet else err.status(text, spinner="line")


def _was_interrupted(result: "dg.ExecuteInProcessResult") -> bool:
    """Whether Ctrl-C ended the run; Dagster records it as a failure of the step, or of the run between two."""
    import dagster as dg

    errors = [getattr(event.event_specific_data, "error", None) for event in result.all_events if event.is_failure]
    name = dg.DagsterExecutionInterruptedError.__name__
    return any(each is not None and name in {each.cls_name, each.cause and each.cause.cls_name} for each in errors)


def _first_fault(result: "dg.ExecuteInProcessResult") -> str:
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            kind, _, message = (error.cause or error).message.strip().partition(": ")
            return message or kind
    return "see its log in the UI"


def _require_same_data(platform: Platform, sample: Sample) -> None:
    """Refuse another data set in the same home: its ids would mean other movies.

    Raises:
        CinematchError: The home holds the demo of another set.
    """
    mark = platform.settings.home / _MARK
    if mark.exists() and mark.read_text().strip() != sample.name:
        raise CinematchError(
            f"{platform.settings.home} holds the demo of {mark.read_text().strip()}: "
            f"set CINEMATCH_HOME to another folder for {sample.name}"
        )
    write_atomically(mark, [f"{sample.name}\n".encode()])


def _print_catalogue(platform: Platform) -> None:
    with platform.warehouse.session() as session:
        splits = session.run(read_split_counts)
        counts = session.run(count_movies)
    notes.print(f"  {count(counts.movies, 'movie')}, {counts.with_features:,} of them with genre features")
    if notes.quiet:
        return
    print_table("Ratings", ("split", "rows", "mean", "std"), [(s.name, s.rows, s.mean, s.std) for s in splits])


def _print_outcome(platform: Platform) -> None:
    with platform.warehouse.session() as session:
        alerts = session.run(list_alerts)
        metrics = session.run(list_model_metrics)
    out.print()
    _print_drift(alerts)
    rows = [astuple(line)[:5] for line in metrics]
    print_table("Models", ("version", "rmse", "mae", "precision@10", "trained on"), rows)
    for line in metrics:
        print_folded(f"• {line.model_version}: {line.notes}")
    print_status(read_status(platform))


def _print_drift(alerts: list[AlertLine]) -> None:
    """A batch a line: each score, with a mark where it is over its threshold."""
    limits = {alert.feature_name: alert.threshold for alert in alerts}
    batches: dict[str, dict[str, AlertLine]] = {}
    for alert in alerts:
        batches.setdefault(alert.batch_id or "", {})[alert.feature_name] = alert
    print_table(
        "Drift: the score of each statistic, ! where it is over its limit",
        ("batch", *(f"{SHORT_NAMES.get(name, name)} > {limit:.2f}" for name, limit in limits.items())),
        [(batch, *(_score(scores.get(name)) for name in limits)) for batch, scores in batches.items()],
    )


def _score(alert: AlertLine | None) -> str:
    if alert is None or alert.drift_score is None:
        return ""
    return f"{alert.drift_score:.4f}{' !' if alert.alert_triggered else '  '}"


def _print_recommendations(platform: Platform) -> None:
    user = platform.warehouse.run(find_example_user)
    if user is None:
        raise CinematchError("table recommendations is empty: materialize the asset recommendations")
    print_answer(recommend_for_user(platform, user, SHOWN_MOVIES))
