"""The script that runs under Spark: what it needs, and how it names what went wrong."""

import ast
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cinematch_assets.dagster_support.spark_pipes import SCRIPT
from cinematch_assets.dagster_support.train_on_spark import describe_fault

ROOT = Path(__file__).resolve().parents[2]


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_a_cluster_needs_no_more_than_pyspark_and_pipes_for_it() -> None:
    assert imports(SCRIPT) - set(sys.stdlib_module_names) == {"pyspark", "dagster_pipes", "boto3"}


def test_nothing_else_of_the_package_imports_pyspark() -> None:
    files = (ROOT / "cinematch_assets").rglob("*.py")
    assert [file.name for file in files if "pyspark" in imports(file)] == [SCRIPT.name]


@pytest.mark.parametrize(
    ("raised", "fault", "said"),
    [
        ("Job aborted: ExecutorLostFailure (executor 1 exited)\nat org.apache", "surroundings", "ExecutorLostFailure"),
        ("java.io.IOException: No space left on device", "surroundings", "No space left on device"),
        ("ALS only supports non-null values", "bug", "RuntimeError: ALS only supports"),
    ],
)
def test_an_error_of_machine_or_disk_is_told_from_one_of_the_fit(raised: str, fault: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as java:
        described = describe_fault(RuntimeError(raised), session(java.getsockname()[1]))
    assert described["fault"] == fault
    assert said in described["message"]
    assert "\n" not in described["message"]


def test_a_driver_that_is_gone_and_one_that_never_started_are_the_surroundings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as java:
        port = java.getsockname()[1]
        ended = session(port, process=SimpleNamespace(poll=lambda: 137))
        assert describe_fault(RuntimeError("An error occurred"), ended)["fault"] == "surroundings"
    # Under spark-submit the Java process is no child, and what Python raises names neither it nor a reason.
    assert describe_fault(RuntimeError("An error occurred while calling o45.fit"), session(port)) == {
        "fault": "surroundings",
        "message": "Spark's driver ended in the middle of the work",
    }
    assert describe_fault(RuntimeError("Java gateway process exited"), None)["fault"] == "surroundings"


def session(port: int, process: Any = None) -> Any:
    """A session of Spark whose Java process takes connections at ``port``."""
    at = SimpleNamespace(address="127.0.0.1", port=port)
    return SimpleNamespace(sparkContext=SimpleNamespace(_gateway=SimpleNamespace(proc=process, gateway_parameters=at)))
