"""The jobs: which assets are materialized in one run.

Here: selections. Not here: what starts them (the sensors and the schedule beside this file).
"""

import dagster as dg

from cinematch_assets.dagster_support.run_tags import JOB_TAGS
from cinematch_assets.defs.drift.drift_report import drift_report
from cinematch_assets.defs.drive.raw_ratings_batch import raw_ratings_batch
from cinematch_assets.defs.features.movie_genre_features import movie_genre_features
from cinematch_assets.defs.model.model_metrics import model_metrics
from cinematch_assets.defs.model.recommendations import recommendations
from cinematch_assets.defs.model.recommendations_export import recommendations_export
from cinematch_assets.defs.model.recommender_model import recommender_model
from cinematch_assets.defs.monitoring.monitoring_report import monitoring_report
from cinematch_assets.defs.tables.netflix_movies import netflix_movies
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import ratings_buffer

NO_DAEMON_RETRY = {"dagster/max_retries": "0"}
"""The sensors count attempts and start the next one; a retry by the daemon would do the work twice."""

load_catalog = dg.define_asset_job(
    "load_catalog",
    tags=JOB_TAGS | NO_DAEMON_RETRY,
    selection=dg.AssetSelection.assets(ratings, movie_genre_features, netflix_movies).upstream(),
    description="Everything that is not a batch, up to the features.",
)

ingest_batch = dg.define_asset_job(
    "ingest_batch",
    tags=JOB_TAGS | NO_DAEMON_RETRY,
    selection=dg.AssetSelection.assets(raw_ratings_batch, ratings_buffer, drift_report, monitoring_report),
    description="One batch: landed, loaded, tested for drift; then the monitoring page.",
)

retrain = dg.define_asset_job(
    "retrain",
    selection=dg.AssetSelection.assets(
        recommender_model, model_metrics, recommendations, recommendations_export, monitoring_report
    ),
    tags=JOB_TAGS | {"cinematch/exclusive": "retrain"} | NO_DAEMON_RETRY,
    description="A candidate, the decision on it, the champion's recommendations; then the monitoring page.",
)
