"""Dagster's instance on AWS: what its configuration asks for, and that it agrees with the local one elsewhere."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


LOCAL, AWS = read("dagster.yaml"), read("deploy/aws/dagster.yaml")
DIFFERENT = {"storage", "run_monitoring", "run_launcher", "run_coordinator", "compute_logs", "code_servers"}


def test_runs_are_tasks_that_are_resumed_when_they_die() -> None:
    assert (AWS["run_launcher"]["module"], AWS["run_launcher"]["class"]) == ("dagster_aws.ecs", "EcsRunLauncher")
    assert AWS["run_launcher"]["config"]["secrets_tag"] is None, "or secrets would be given to runs by their tags"
    assert AWS["run_monitoring"]["enabled"] is True
    assert AWS["run_monitoring"]["max_resume_run_attempts"] >= 1


def test_logs_of_steps_are_objects() -> None:
    assert AWS["compute_logs"]["class"] == "S3ComputeLogManager"


def test_limits_retries_and_retention_are_those_of_the_local_instance() -> None:
    assert {k: v for k, v in AWS.items() if k not in DIFFERENT} == {
        k: v for k, v in LOCAL.items() if k not in DIFFERENT
    }
