"""From tables to drift alerts: ten counts by SQL, beside reading both sides and running Evidently.

    python -m benchmarks.drift [--baseline 700_000] [--batch 43_000] [--rounds 5]

The server is the embedded one, in a folder of its own. Ours counts the batch, reads the stored counts of the baseline
and computes the three rating statistics. The peers read both sides' ratings, by the fastest way we know (ADBC) and by
the usual one (``pandas.read_sql``), and run Evidently's ``ValueDrift`` with ``method="ks"``. The time to import
Evidently and scipy is not included. Exit code 1 if ours is less than 100 times as fast, or if the p-values differ.
"""

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import sqlalchemy

from benchmarks.measuring import ratio, report, rounds
from cinematch_assets.drift.alerts import drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.null_distribution import rating_null_distribution
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic
from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse.copy import copy_columns, read_frame
from cinematch_assets.warehouse.drift_alerts import (
    read_baseline_counts,
    read_batch_counts,
    read_batch_rows,
    read_user_histograms,
)
from cinematch_assets.warehouse.embedded import embedded_url, stop_server
from cinematch_assets.warehouse.migrations import migrate
from cinematch_assets.warehouse.ratings import write_ratings
from cinematch_assets.warehouse.statements import statement

MIN_RATIO = 100.0
BATCH = "batch_w1"
BASELINE_QUERY = "SELECT rating FROM ratings WHERE data_split = 'train'"
BATCH_QUERY = "SELECT rating FROM ratings_buffer WHERE batch_id = 'batch_w1'"
OURS, BY_ADBC, BY_PANDAS = "ten counts", "ADBC, then Evidently", "pandas.read_sql, then Evidently"
NULL_DISTRIBUTION = "the null distribution, reading included"


def main() -> int:
    options = _options()
    with open_bench(options.baseline, options.batch) as here:
        agree = same_p_value(here)
        contestants = {
            OURS: time_alerts,
            BY_ADBC: time_adbc,
            BY_PANDAS: time_pandas,
            NULL_DISTRIBUTION: time_null_distribution,
        }
        seconds = rounds({name: partial(run, here) for name, run in contestants.items()}, options.rounds)
    rows = [
        (name, f"{statistics.median(times) * 1e3:,.1f}", f"{ratio(times, seconds[OURS]):,.0f}")
        for name, times in seconds.items()
    ]
    factor = ratio(seconds[BY_ADBC], seconds[OURS])
    notes = [
        f"{options.baseline:,} ratings against {options.batch:,}; {options.rounds} rounds in turns, medians; a ratio",
        f"is the median of the rounds' own; ADBC: at least {MIN_RATIO:.0f}. Same p-value: {'yes' if agree else 'no'}.",
        "Imports are not included. A decision needs the null distribution too; the peers have none.",
    ]
    report("drift", "From tables to drift alerts", ("", "ms", "times ours"), rows, notes)
    return int(factor < MIN_RATIO or not agree)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", type=int, default=700_000)
    parser.add_argument("--batch", type=int, default=43_000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Bench:
    """A warehouse that holds a train split and one batch, and an open connection to it."""

    url: str
    connection: psycopg.Connection
    engine: sqlalchemy.Engine


def compute_alerts(here: Bench) -> tuple[DriftAlert, ...]:
    baseline = RatingHistogram(read_baseline_counts(here.connection))
    return drift_alerts(baseline, RatingHistogram(read_batch_counts(here.connection, BATCH)))


def time_alerts(here: Bench) -> float:
    """Seconds of one computation: the median of nine, because one is too short to be timed well."""
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        compute_alerts(here)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_adbc(here: Bench) -> float:
    start = time.perf_counter()
    evidently_p_value(*(read_frame(here.url, query) for query in (BASELINE_QUERY, BATCH_QUERY)))
    return time.perf_counter() - start


def time_pandas(here: Bench) -> float:
    start = time.perf_counter()
    evidently_p_value(*(pd.read_sql(query, here.engine) for query in (BASELINE_QUERY, BATCH_QUERY)))
    return time.perf_counter() - start


def time_null_distribution(here: Bench) -> float:
    start = time.perf_counter()
    users = np.unique(read_batch_rows(here.connection, BATCH)["userId"].to_numpy(), return_counts=True)[1]
    rating_null_distribution(read_user_histograms(here.url), users)
    return time.perf_counter() - start


def same_p_value(here: Bench) -> bool:
    theirs = evidently_p_value(*(read_frame(here.url, query) for query in (BASELINE_QUERY, BATCH_QUERY)))
    return f"KS test p-value: {theirs:.4f}" == compute_alerts(here)[2].notes


def evidently_p_value(baseline: pd.DataFrame, batch: pd.DataFrame) -> float:
    """Evidently's KS p-value for the only column, ``rating``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift

        kinds = DataDefinition(numerical_columns=["rating"])
        sides = [Dataset.from_pandas(side, data_definition=kinds) for side in (batch, baseline)]
        result = Report([ValueDrift(column="rating", method="ks")]).run(*sides)
        return float(result.dict()["metrics"][0]["value"])


@contextmanager
def open_bench(baseline: int, batch: int) -> Iterator[Bench]:
    """Synthetic ratings on an embedded server: some whole users are the batch, the others the train split."""
    ratings, _, _ = make_synthetic(SyntheticSpec.of_size(baseline + batch))
    first = np.arange(len(ratings)) < batch
    with tempfile.TemporaryDirectory(prefix="cm-bench-") as home:
        Path(home).chmod(0o755)  # the server's user has to pass
        url = embedded_url(Path(home))
        migrate(url)
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                train = ratings[~first]
                write_ratings(connection, train, np.zeros(len(train), dtype=np.bool_))
                connection.execute(statement("drift/refresh_drift_baseline"))
                rows = {name: ratings[first][name].to_numpy() for name in ("userId", "movieId", "timestamp")}
                values = ratings[first]["rating"].to_numpy(dtype=np.float64)
                table = psycopg.sql.Identifier("ratings_buffer")
                copy_columns(connection, table, {**rows, "rating": values}, {"batch_id": BATCH})
                connection.execute("VACUUM ANALYZE")
                yield Bench(url, connection, engine)
        finally:
            engine.dispose()
            stop_server(Path(home))


if __name__ == "__main__":
    sys.exit(main())
