"""What training on Spark needs beside this project: the extra and Java here, or an application on EMR Serverless.

Here: whether it is there, and the sentence where it is not. Nothing of Spark is imported. Not here: starting it
(``dagster_support.spark_pipes``), what is sent (``spark_exchange``).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.settings import Settings
from cinematch_assets.storage.s3 import S3_PREFIX

MIN_JAVA = 17
PYSPARK_MAJOR = 4
_JAVA_TIMEOUT_S = 60.0
_JAVA_VERSION = re.compile(r'version "(\d+)([^"]*)"')
INSTALL = (
    "install it with pip install 'cinematch-assets[spark]', in a checkout with .venv/bin/pip install --no-deps "
    "-r requirements/spark.txt"
)


class SparkUnavailableError(SurroundingsError):
    """Something that training on Spark needs is not there; the message says what to install or set."""


@dataclass(frozen=True, slots=True)
class SparkEnvironment:
    """Where a model is trained, in words."""

    where: str


def require_spark(settings: Settings) -> SparkEnvironment:
    """Return where Spark runs as the settings name it.

    Raises:
        SparkUnavailableError: a package, Java or a setting is missing.
    """
    if settings.emr_application:
        return _require_emr(settings)
    pyspark, java = require_pyspark(), require_java()
    return SparkEnvironment(f"pyspark {pyspark}, Java {java}, master {settings.spark_master}")


def require_pyspark() -> str:
    """Return pyspark's version.

    Raises:
        SparkUnavailableError: it is not installed, or is of another major version.
    """
    try:
        found = metadata.version("pyspark")
    except metadata.PackageNotFoundError:
        raise SparkUnavailableError(f"CINEMATCH_TRAINER=spark needs pyspark, the extra spark: {INSTALL}") from None
    if found.partition(".")[0] != str(PYSPARK_MAJOR):
        raise SparkUnavailableError(f"pyspark is {found}, and CINEMATCH_TRAINER=spark needs {PYSPARK_MAJOR}: {INSTALL}")
    return found


def require_java() -> str:
    """Return Java's version, of JAVA_HOME or else of the PATH, as Spark looks for it.

    Raises:
        SparkUnavailableError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=os.path.join(home, "bin")) if home else shutil.which("java")  # noqa: PTH118  a path for which
    todo = f"install a Java runtime, {MIN_JAVA} or later, and name it in JAVA_HOME or put it on the PATH"
    if program is None:
        where = "JAVA_HOME names none" if home else "there is none on the PATH"
        raise SparkUnavailableError(f"CINEMATCH_TRAINER=spark needs Java, and {where}: {todo}")
    try:
        answer = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=_JAVA_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as fault:
        raise SparkUnavailableError(f"{program} does not start ({type(fault).__name__}): {todo}") from fault
    found = _JAVA_VERSION.search(answer.stderr + answer.stdout)
    if found is None or int(found[1]) < MIN_JAVA:
        named = found[1] + found[2] if found else "of an unknown version"
        raise SparkUnavailableError(f"{program} is Java {named}, and Spark {PYSPARK_MAJOR} needs {MIN_JAVA}: {todo}")
    return found[1] + found[2]


def _require_emr(settings: Settings) -> SparkEnvironment:
    if settings.emr_role is None:
        raise SparkUnavailableError("CINEMATCH_EMR_APPLICATION is set: name the role of its jobs in CINEMATCH_EMR_ROLE")
    if not settings.store_url.startswith(S3_PREFIX):
        raise SparkUnavailableError(
            "CINEMATCH_EMR_APPLICATION is set, and its jobs read and write the store: set CINEMATCH_STORE to "
            "s3://bucket/prefix"
        )
    try:
        metadata.version("dagster-aws")
    except metadata.PackageNotFoundError:
        raise SparkUnavailableError(
            "CINEMATCH_EMR_APPLICATION needs dagster-aws, the extra aws: install it with pip install "
            "'cinematch-assets[aws]'"
        ) from None
    return SparkEnvironment(f"EMR Serverless application {settings.emr_application}")
