"""Dagster's instance: its home under CINEMATCH_HOME and its storage for runs, events and ticks.

Here: one instance for the command, the UI and the daemon. Not here: limits, retention and the rest of ``dagster.yaml``.
Its database is never the warehouse's: the event log would use up the warehouse's budget.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dagster_postgres import DagsterPostgresStorage

from cinematch_assets.dagster_support.run_tags import BY, DEMO
from cinematch_assets.errors import SurroundingsError
from cinematch_assets.private_files import make_home, make_private_folder
from cinematch_assets.project_files import project_file
from cinematch_assets.settings import Settings
from cinematch_assets.storage.atomic_file import write_atomically
from cinematch_assets.warehouse.connection import require_tls
from cinematch_assets.warehouse.distinct_databases import require_distinct_databases
from cinematch_assets.warehouse.embedded import DAGSTER, embedded_url

if TYPE_CHECKING:
    import dagster as dg
    from dagster._config import UserConfigSchema
    from dagster._serdes import ConfigurableClassData

_CONFIGURATION = "dagster.yaml"
_IN_PROCESS = "in_process.yaml"
_NO_CAPTURE = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
_PROCESS_STATUSES = ("STARTING", "STARTED", "CANCELING")


class PlatformStorage(DagsterPostgresStorage):
    """Postgres storage that needs no variable: DAGSTER_POSTGRES_URL, or a database of its own on the embedded server.

    ``dagster.yaml`` names this class, so that each of Dagster's own commands works in a fresh checkout too.
    """

    @classmethod
    def config_type(cls) -> "UserConfigSchema":
        """Nothing to configure: the environment names the storage."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: "ConfigurableClassData | None", config_value: object) -> Self:  # noqa: ARG003 - Dagster's signature
        """Open the storage, starting the embedded server where no URL is given."""
        return cls(storage_url(Settings.from_env()), inst_data=inst_data)


def storage_url(settings: Settings) -> str:
    """Return the URL of Dagster's database; start the embedded server unless DAGSTER_POSTGRES_URL is set.

    Raises:
        InvalidSettingError: It is the warehouse's database.
    """
    url = settings.dagster_postgres_url or embedded_url(settings.home, DAGSTER)
    require_tls(url)
    if settings.warehouse_url:
        _require_distinct(settings.warehouse_url, url)
    return url


@cache
def _require_distinct(warehouse_url: str, dagster_url: str) -> None:
    """Ask the servers, once a process."""
    require_distinct_databases(warehouse_url, dagster_url)


def prepare_home(settings: Settings) -> Path:
    """Write ``dagster.yaml`` into the folder for DAGSTER_HOME, and return that folder."""
    make_home(settings.home)
    home = make_private_folder(_dagster_home(settings))
    write_atomically(home / _CONFIGURATION, [project_file(_CONFIGURATION).read_bytes()])
    return home


def _dagster_home(settings: Settings) -> Path:
    return settings.home.resolve() / "dagster"


def open_for_this_process(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance for runs in this process, whose output goes to the terminal alone.

    To capture it Dagster starts processes for each step, which Ctrl-C ends as well, with a traceback each.
    """
    import dagster as dg

    home = prepare_home(settings)
    write_atomically(home / _IN_PROCESS, [project_file(_CONFIGURATION).read_bytes(), _NO_CAPTURE.encode()])
    return dg.DagsterInstance.from_config(str(home), _IN_PROCESS)


@contextmanager
def existing_instance(settings: Settings) -> "Iterator[dg.DagsterInstance | None]":
    """Open Dagster's instance for a command; None where no run was ever started, which would start a server for it."""
    home = _dagster_home(settings)
    if settings.dagster_postgres_url is None and not (home / _CONFIGURATION).is_file():
        yield None
        return
    import dagster as dg

    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
        yield instance


def fail_orphaned_runs(settings: Settings) -> int:
    """Mark runs as failed whose processes cannot be alive, because Dagster has not started yet; return their number.

    The local launcher does not notice that a run's process was killed, and such a run would block retraining for hours.
    A storage that others may share (DAGSTER_POSTGRES_URL) is left alone: its runs may be alive on other machines.
    """
    if settings.dagster_postgres_url is not None:
        return 0
    import dagster as dg

    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
        return _fail_runs(instance, _PROCESS_STATUSES, {}) + fail_runs_of_ended_demos(instance)


def fail_killed_runs(settings: Settings, living: Callable[[], Iterable[int]]) -> int:
    """Mark runs of a prepared home as failed whose process here has ended without a word; return their number.

    The code server notices when a run's process is killed, unless both are, as by a machine that is short of memory.
    Such a run would block retraining until its time is over. As with ``fail_orphaned_runs``, a storage that others may
    share is left alone.

    Args:
        settings: which storage.
        living: the pids of this machine's processes; a run may also be in a command's, such as ``cinematch demo``.

    Raises:
        SurroundingsError: the storage cannot be read now.
    """
    if settings.dagster_postgres_url is not None:
        return 0
    import dagster as dg
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with dg.DagsterInstance.from_config(str(_dagster_home(settings))) as instance:
            return fail_runs_without_process(instance, living)
    except (dg.DagsterError, DagsterPostgresException, SQLAlchemyError, OSError) as fault:
        raise SurroundingsError(f"Dagster's storage cannot be read now ({type(fault).__name__})") from fault


def fail_runs_without_process(instance: "dg.DagsterInstance", living: Callable[[], Iterable[int]]) -> int:
    """Mark the started runs of an instance as failed whose process is none of ``living``; return their number."""
    import dagster as dg

    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    pids = {run.run_id: _pid_of(instance, run.run_id) for run in instance.get_runs(filters=started)}
    if not pids:
        return 0
    # In this order: a process that has started meanwhile is no question, and one that ended as it should said so first.
    ended = {run_id for run_id, pid in pids.items() if pid not in {None, *living()}}
    return _fail(instance, [run for run in instance.get_runs(filters=started) if run.run_id in ended])


def _pid_of(instance: "dg.DagsterInstance", run_id: str) -> int | None:
    """The process that carries a run out, as the run's log says; None before it has started."""
    import dagster as dg

    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
        event = record.event_log_entry.dagster_event
        if event is not None and (pid := event.engine_event_data.metadata.get("pid")) is not None:
            return int(str(pid.value))
    return None


def fail_runs_of_ended_demos(instance: "dg.DagsterInstance") -> int:
    """Mark runs as failed that were to run in the process of a ``cinematch demo``, when none is alive; return how many.

    Ctrl-C may come before such a run has begun, and nothing else would ever start or end it.
    """
    return _fail_runs(instance, ("NOT_STARTED", *_PROCESS_STATUSES), {BY: DEMO})


def _fail_runs(instance: "dg.DagsterInstance", statuses: Iterable[str], tags: Mapping[str, str]) -> int:
    import dagster as dg

    found = dg.RunsFilter(statuses=[dg.DagsterRunStatus(name) for name in statuses], tags=dict(tags))
    return _fail(instance, instance.get_runs(filters=found))


def _fail(instance: "dg.DagsterInstance", runs: "Sequence[dg.DagsterRun]") -> int:
    for run in runs:
        instance.report_run_failed(run, "Its process ended before it did.")
    return len(runs)
