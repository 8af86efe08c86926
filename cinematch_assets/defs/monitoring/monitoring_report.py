"""``monitoring_report``: one HTML page on the state of the platform, in the store.

Here: the asset and its check. ``maintain`` and the commands that change the champion or release rows write the page
too. Not here: what it says (``pipeline.monitoring``), its metadata (``dagster_support.monitoring_page``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks
from cinematch_assets.dagster_support.attention_check import nothing_needs_attention
from cinematch_assets.dagster_support.monitoring_page import materialize_page
from cinematch_assets.defs.drift.drift_report import drift_report
from cinematch_assets.defs.features.movie_genre_features import movie_genre_features
from cinematch_assets.defs.model.model_metrics import model_metrics
from cinematch_assets.defs.model.recommendations import recommendations
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import all_batches
from cinematch_assets.pipeline.platform import Platform

CHECKS = (nothing_needs_attention(),)


@dg.asset(
    group_name="monitoring",
    kinds={"html"},
    owners=OWNERS,
    deps=[
        movies,
        ratings,
        all_batches,
        dg.AssetDep(drift_report, partition_mapping=dg.AllPartitionMapping()),
        movie_genre_features,
        model_metrics,
        recommendations,
    ],
)
def monitoring_report(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """One page on the state of the platform: what to do, what arrived, drift, models, lists, storage."""
    return dg.MaterializeResult(metadata=materialize_page(platform, context.instance))


monitoring_report_checks = build_checks(monitoring_report, CHECKS)
