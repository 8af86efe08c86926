"""What is missing for Spark is a sentence that says what to install or set."""

from importlib import metadata
from pathlib import Path

import pytest

from cinematch_assets.faults import Cause, cause_of
from cinematch_assets.pipeline.deployment_checks import check_trainer
from cinematch_assets.pipeline.models.spark_environment import (
    SparkUnavailableError,
    require_java,
    require_pyspark,
    require_spark,
)
from cinematch_assets.settings import InvalidSettingError, Settings

ROLE = "arn:aws:iam::123456789012:role/cinematch-spark"


def versions(monkeypatch: pytest.MonkeyPatch, **installed: str) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)


def program(folder: Path, text: str) -> Path:
    (folder / "bin").mkdir()
    file = folder / "bin" / "java"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return folder


def test_without_the_extra_the_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch)
    with pytest.raises(SparkUnavailableError, match=r"pip install 'cinematch-assets\[spark\]'") as caught:
        require_spark(Settings.from_env({"CINEMATCH_TRAINER": "spark"}))
    # It is tried again once the extra is there, and no attempt is used up.
    assert cause_of(caught.value) is Cause.SURROUNDINGS


def test_another_major_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, pyspark="3.5.1")
    with pytest.raises(SparkUnavailableError, match=r"pyspark is 3\.5\.1, and .* needs 4"):
        require_pyspark()
    versions(monkeypatch, pyspark="4.3.0")
    assert require_pyspark() == "4.3.0"


def test_without_java_the_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkUnavailableError, match="none on the PATH: install a Java runtime, 17 or later"):
        require_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkUnavailableError, match="JAVA_HOME names none"):
        require_java()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("""echo 'openjdk version "17.0.15" 2025-04-15' >&2""", "17.0.15"),
        ("""echo 'openjdk version "21" 2023-09-19' >&2""", "21"),
        ("""echo 'java version "1.8.0_292"' >&2""", None),
        ("echo nothing", None),
        ("exit 3", None),
    ],
)
def test_java_is_asked_for_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, answer: str | None
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(program(tmp_path, said)))
    if answer is None:
        with pytest.raises(SparkUnavailableError, match="17"):
            require_java()
    else:
        assert require_java() == answer


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "CINEMATCH_EMR_ROLE"),
        ({"CINEMATCH_EMR_ROLE": ROLE}, "CINEMATCH_STORE to s3://bucket/prefix"),
        ({"CINEMATCH_EMR_ROLE": ROLE, "CINEMATCH_STORE": "s3://bucket/prefix"}, r"cinematch-assets\[aws\]"),
    ],
)
def test_what_emr_serverless_needs_is_named(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions(monkeypatch)
    with pytest.raises(SparkUnavailableError, match=said):
        require_spark(Settings.from_env({"CINEMATCH_EMR_APPLICATION": "00abc123", **settings}))


def test_emr_serverless_needs_neither_java_nor_pyspark_here(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, **{"dagster-aws": "0.29.27"})
    settings = {"CINEMATCH_EMR_APPLICATION": "00abc123", "CINEMATCH_EMR_ROLE": ROLE, "CINEMATCH_STORE": "s3://bucket/x"}
    assert require_spark(Settings.from_env(settings)).where == "EMR Serverless application 00abc123"


@pytest.mark.parametrize(
    "wrong",
    [
        {"CINEMATCH_TRAINER": "hadoop"},
        {"CINEMATCH_SPARK_MASTER": "local[2]\nspark.evil true"},
        {"CINEMATCH_EMR_APPLICATION": "../x"},
        {"CINEMATCH_EMR_ROLE": "someone"},
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidSettingError, match=next(iter(wrong))):
        Settings.from_env(wrong)


def test_the_doctor_says_where_models_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = check_trainer(Settings.from_env({}))
    assert (finding.status, finding.message) == ("ok", "this machine")
    versions(monkeypatch)
    with pytest.raises(SparkUnavailableError):
        list(check_trainer(Settings.from_env({"CINEMATCH_TRAINER": "spark"})))
