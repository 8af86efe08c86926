"""The definitions as Dagster loads them, once for all tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from cinematch_assets.dagster_support.open_platform import with_open_platform
from cinematch_assets.definitions import defs
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.project_files import project_file


@cache
def loaded() -> dg.Definitions:
    """Everything in ``defs/``."""
    return defs()


@cache
def repository() -> dg.RepositoryDefinition:
    """The same as the repository that a code server would serve."""
    return loaded().get_repository_def()


@contextmanager
def logging_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in memory that logs as ``dagster.yaml`` says; its files are in ``folder``, which is made."""
    folder.mkdir()
    settings = {"python_logs": yaml.safe_load(project_file("dagster.yaml").read_text())["python_logs"]}
    with dg.DagsterInstance.ephemeral(tempdir=str(folder), settings=settings) as instance:
        yield instance


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_job(
    name: str, platform: Platform, instance: dg.DagsterInstance, *, config: Any = None, **how: Any
) -> dg.ExecuteInProcessResult:
    """Run a job in this process on ``platform``; a failure is a result, not an exception."""
    job = with_open_platform(loaded(), platform).get_repository_def().get_job(name)
    return job.execute_in_process(instance=instance, run_config=QUIET | (config or {}), raise_on_error=False, **how)
