"""A job in Spark's place as a process of its own: what it is told, and tells, goes through Pipes.

Here: the script, for both ways of Pipes; its last argument says how it ends. Not here: the numbers (``exchanged_als``).
"""

import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_pipes import PipesContext, PipesS3ContextLoader, PipesS3MessageWriter, open_dagster_pipes

from cinematch_assets.pipeline.models.spark_exchange import SparkJob
from cinematch_assets.recommender.config import SparkAlsConfig
from cinematch_assets.recommender.progress import no_progress
from cinematch_assets_tests.support.exchanged_als import fit_in_numpy


@dataclass(frozen=True)
class Addresses:
    """The store of a job that knows its folders alone."""

    def uri(self, key: str) -> str:
        return key


def main(end: str, *, on_s3: bool) -> None:
    """Fit, or end as asked: ``killed``, ``bug``, ``surroundings``."""
    if end == "killed unheard":
        os.kill(os.getpid(), signal.SIGKILL)
    if on_s3:
        import boto3

        s3 = boto3.client("s3")
        session = open_dagster_pipes(
            context_loader=PipesS3ContextLoader(s3), message_writer=PipesS3MessageWriter(s3, interval=0.1)
        )
    else:
        s3, session = None, open_dagster_pipes()
    with session as pipes:
        pipes.log.info("the job has begun")
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if end != "well":
            pipes.report_custom_message({"fault": end, "message": f"it ended by a {end}"})
            raise RuntimeError(end)
        with tempfile.TemporaryDirectory() as folder:
            _fit(pipes, s3, Path(folder))
        pipes.report_custom_message({"computed_by": {"spark": "numpy's"}})
        pipes.report_custom_message({"figures": {"workers": 2, "workers_lost": 0}})


def _fit(pipes: PipesContext, s3: Any, folder: Path) -> None:
    names = {"ratings": "ratings", "factors": "factors", "holdout_factors": "holdout_factors"}
    places = {name: pipes.get_extra(name) for name in names}
    if s3 is not None:
        for file in _keys(s3, places["ratings"]):
            target = folder / "ratings" / file.rpartition("/")[2]
            target.parent.mkdir(exist_ok=True)
            s3.download_file(_bucket(places["ratings"]), file, str(target))
        places = {name: str(folder / name) for name in names}
    config = SparkAlsConfig(
        factors=pipes.get_extra("factors_per_row"),
        sweeps=pipes.get_extra("sweeps"),
        holdout_sweeps=pipes.get_extra("holdout_sweeps"),
        ridge_per_rating=pipes.get_extra("ridge_per_rating"),
        min_blocks=pipes.get_extra("blocks"),
    )
    key = places["ratings"].rpartition("/")[0]
    job = SparkJob(Addresses(), key, 1, pipes.get_extra("has_holdout"), config, pipes.get_extra("seed"))  # type: ignore[arg-type]
    fit_in_numpy(job, no_progress)
    if s3 is not None:
        for name in ("factors", "holdout_factors"):
            to = pipes.get_extra(name)
            for part in (folder / name).rglob("*.parquet"):
                path = to.partition(_bucket(to) + "/")[2]
                s3.upload_file(str(part), _bucket(to), f"{path}/{part.relative_to(folder / name)}")


def _bucket(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[0]


def _keys(s3: Any, uri: str) -> list[str]:
    prefix = uri.removeprefix(f"s3://{_bucket(uri)}/")
    return [each["Key"] for each in s3.list_objects_v2(Bucket=_bucket(uri), Prefix=f"{prefix}/")["Contents"]]


if __name__ == "__main__":
    main(os.environ["EXCHANGED_JOB_END"], on_s3="s3" in sys.argv)
