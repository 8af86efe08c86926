"""The script that runs under Spark: what it needs, and how it names what went wrong."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

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
    spark = SimpleNamespace(sparkContext=SimpleNamespace(_gateway=SimpleNamespace(proc=None)))
    described = describe_fault(RuntimeError(raised), spark)
    assert described["fault"] == fault
    assert said in described["message"]
    assert "\n" not in described["message"]


def test_a_driver_that_is_gone_and_one_that_never_started_are_the_surroundings() -> None:
    ended = SimpleNamespace(poll=lambda: 137)
    spark = SimpleNamespace(sparkContext=SimpleNamespace(_gateway=SimpleNamespace(proc=ended)))
    assert describe_fault(RuntimeError("Answer from Java side is empty"), spark)["fault"] == "surroundings"
    assert describe_fault(RuntimeError("Java gateway process exited"), None)["fault"] == "surroundings"
