"""Erase people: their rows in every table, landed file, list, report and model, with a proof.

Here: the steps and their order. Each can be repeated, and what it did is counted in the erasure's row, so that one that
was killed goes on where it stopped. Not here: the rows of a file (``reading.people``), the tables
(``warehouse.erasures``), Dagster's storage (``dagster_support.redaction``), who is kept out (``pipeline.suppression``).
"""

import io
import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.drive.landing import LANDED_PREFIX
from cinematch_assets.errors import CinematchError
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.ingest.land_tables import clean_object
from cinematch_assets.pipeline.ingest.release_rejects import RELEASED_PREFIX, keep_released_rows
from cinematch_assets.pipeline.models.artifacts import keep_model, read_loaded_catalogue
from cinematch_assets.pipeline.models.export_recommendations import keys_in_use, renew_export
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.rebuild import rebuild_sha256
from cinematch_assets.pipeline.models.spark_exchange import remove_exchanged
from cinematch_assets.pipeline.models.train_candidate import chosen_config, split_rows
from cinematch_assets.pipeline.models.trained_from import describe_training
from cinematch_assets.pipeline.models.training_lease import hold_training_lease
from cinematch_assets.pipeline.monitoring.publish_page import OPENED_PAGE
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.suppression import Suppression, ensure_key, fingerprint, hash_users, read_suppression
from cinematch_assets.private_files import make_private_folder
from cinematch_assets.reading.people import find_rows_of_people
from cinematch_assets.reading.released import unpack_released_rows
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.recommender.artifact import ArtifactRefusedError, unpack
from cinematch_assets.recommender.baselines import bias_only, global_mean, popularity
from cinematch_assets.recommender.evaluation import evaluate
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.splitting import is_test
from cinematch_assets.warehouse import erasures as rows
from cinematch_assets.warehouse.champion import promote, read_champion
from cinematch_assets.warehouse.erasures import Erasure, RatingFile
from cinematch_assets.warehouse.model_registry import GateResult, register_candidate
from cinematch_assets.warehouse.suppressed_users import list_suppressed_users
from cinematch_assets.warehouse.table_loads import MOVIES, list_loads, replace_content
from cinematch_assets.warehouse.table_sizes import vacuum
from cinematch_assets.warehouse.training_data import read_data_key

_MIN_UNFINISHED_AGE = timedelta(hours=1)
_RECOMMENDATIONS = "recommendations/"
_LOG = logging.getLogger(__name__)

Redact = Callable[[Iterable[str]], int]
"""Takes raw rows out of Dagster's storage; returns how many of its rows changed."""


class UnfinishedErasureError(CinematchError):
    """An erasure was cut off; it goes first."""


def forget_users(
    platform: Platform, users: Sequence[int], redact: Redact, *, reason: str, progress: Progress = no_progress
) -> Erasure | None:
    """Erase users and keep them out; return the certificate, None when all of them were erased before.

    Raises:
        UnfinishedErasureError: other people's erasure was cut off.
        LeaseHeldError: a retraining is under way; they are kept out already, and the same call goes on with the rest.
    """
    key = ensure_key(platform)
    hashes = hash_users(key, users)
    unfinished = platform.warehouse.run(rows.list_erasures, unfinished=True)
    if hashes <= platform.warehouse.run(list_suppressed_users).keys():
        return resume_erasures(platform, redact, progress=progress) if unfinished else None
    if unfinished:
        raise UnfinishedErasureError(f"erasure {unfinished[-1].id} was cut off: run cinematch forget --resume first")
    erasure = platform.warehouse.run(rows.begin_erasure, hashes, fingerprint(key), reason, platform.actor)
    return _carry_out(platform, erasure, redact, progress)


def resume_erasures(platform: Platform, redact: Redact, *, progress: Progress = no_progress) -> Erasure | None:
    """Go on with erasures that were cut off, oldest first; return the last certificate, None without one."""
    done = None
    for each in reversed(platform.warehouse.run(rows.list_erasures, unfinished=True)):
        done = _carry_out(platform, each.id, redact, progress)
    return done


def _carry_out(platform: Platform, erasure: int, redact: Redact, progress: Progress) -> Erasure:
    """Do the steps that are not done, while no other model is trained."""
    suppression = read_suppression(platform)
    steps: dict[str, Callable[[], None]] = {
        "dagster": lambda: _redact(platform, erasure, suppression, redact),
        "files": lambda: _clean_files(platform, erasure, suppression),
        "tables": lambda: _delete_rows(platform, erasure, suppression),
        "model": lambda: _replace_champion(platform, erasure, progress),
        "versions": lambda: _purge_versions(platform, erasure, suppression),
        "exports": lambda: _renew_exports(platform, erasure),
        "reports": lambda: _delete_reports(platform, erasure),
        "vacuum": lambda: platform.warehouse.run(vacuum),
    }
    with hold_training_lease(platform, f"erasure-{erasure}"):
        for number, name in enumerate(rows.STEPS):
            progress(f"erasure {erasure}: {name}", number / len(rows.STEPS))
            if "done" in platform.warehouse.run(rows.read_erasure, erasure).steps.get(name, {}):
                continue
            with log_phase(_LOG, f"erasure {erasure}: {name}"):
                steps[name]()
            platform.warehouse.run(rows.finish_step, erasure, name)
        platform.warehouse.run(rows.finish_erasure, erasure, platform.actor)
    return platform.warehouse.run(rows.read_erasure, erasure)


def _find_quarantined(platform: Platform, file: RatingFile, suppression: Suppression) -> list[tuple[int, str]]:
    """Return id and text of each rejected row of a content that is a person's."""
    rejected = platform.warehouse.run(rows.read_quarantined_rows, file.path, file.md5)
    theirs = find_rows_of_people([raw for _, raw in rejected], file.columns or [], suppression.of_people)
    return [row for row, is_theirs in zip(rejected, theirs.tolist(), strict=True) if is_theirs]


def _redact(platform: Platform, erasure: int, suppression: Suppression, redact: Redact) -> None:
    """Dagster's history shows rejected rows; it goes first, because the quarantine tells which to look for."""
    files = platform.warehouse.run(rows.list_rating_files)
    texts = [raw for file in files for _, raw in _find_quarantined(platform, file, suppression)]
    changed = redact(texts)
    platform.warehouse.run(rows.add_counts, erasure, "dagster", {"events": changed})


def _clean_files(platform: Platform, erasure: int, suppression: Suppression) -> None:
    """Replace landed contents by new ones without the people; then delete every object that the ledger has left."""
    staging = make_private_folder(platform.settings.home.resolve() / "staging")
    for file in platform.warehouse.run(rows.list_rating_files):
        theirs = [number for number, _ in _find_quarantined(platform, file, suppression)]
        cleaned = None
        if platform.store.exists(file.store_key):
            try:
                with platform.store.path(file.store_key) as local:
                    cleaned = clean_object(platform.store, local, file.path, file.store_key, suppression, staging)
            except FileRefused as refused:  # nothing of it is in a table, and its rows cannot be told apart
                _LOG.warning("%s: deleted from the store, because it cannot be read", refused)
                platform.store.delete(file.store_key)
        platform.warehouse.run(
            rows.clean_file, erasure, file.path, file.md5, suppression.known, cleaned, rejected_ids=theirs
        )
    kept = {file.store_key for file in platform.warehouse.run(rows.list_rating_files)}
    for folder in sorted({key.rpartition("/")[0] for key in kept}):
        for key in list(platform.store.keys(f"{folder}/")):
            if key not in kept and key.startswith(LANDED_PREFIX):
                platform.store.delete(key)
    _clean_released_rows(platform, suppression)
    remove_exchanged(platform.store)  # a killed training left its rows there; now there is no other one
    platform.store.remove_abandoned(_MIN_UNFINISHED_AGE)


def _clean_released_rows(platform: Platform, suppression: Suppression) -> None:
    """Replace the texts of released rows by those without the people, and delete objects that no load has."""
    of_table = {str(load.store_key): load.for_table for load in platform.warehouse.run(list_loads)}
    for key in list(platform.store.keys(RELEASED_PREFIX)):
        if of_table.get(key) == MOVIES:
            continue
        if key in of_table:
            texts, columns = unpack_released_rows(platform.store.read_bytes(key))
            theirs = find_rows_of_people(texts, columns, suppression.of_people)
            if not theirs.any():
                continue
            others = [text for text, is_theirs in zip(texts, theirs.tolist(), strict=True) if not is_theirs]
            kept = keep_released_rows(platform.store, others, columns) if others else None
            platform.warehouse.run(replace_content, key, kept)
        platform.store.delete(key)


def _delete_rows(platform: Platform, erasure: int, suppression: Suppression) -> None:
    """Under the temporal split the cut depends on every row, and is made again."""

    def cut_again(ratings: pd.DataFrame) -> NDArray[np.bool_]:
        return is_test(ratings, platform.settings.split)

    depends = platform.settings.split == "temporal"
    platform.warehouse.run(rows.delete_people, erasure, suppression.of_people, cut_again if depends else None)


def _delete_reports(platform: Platform, erasure: int) -> None:
    """Delete each report, which show rows of the baseline too, and the monitoring page, which shows three users.

    Late, so that what runs had read before the tables were cleaned is stored by now. The sensor has the reports of
    batches drawn again.
    """
    for key in list(platform.store.keys("reports/")):
        platform.store.delete(key)
        platform.warehouse.run(rows.add_counts, erasure, "reports", {"deleted": 1})
    (platform.settings.home / OPENED_PAGE).unlink(missing_ok=True)
    platform.warehouse.run(rows.clear_reports)


def _renew_exports(platform: Platform, erasure: int) -> None:
    """Export the new lists, where lists were exported, and delete every former export."""
    renew_export(platform)
    kept = keys_in_use(platform.store)
    for key in list(platform.store.keys("exports/")):
        if key not in kept:
            platform.store.delete(key)
            platform.warehouse.run(rows.add_counts, erasure, "exports", {"deleted": 1})


def _replace_champion(platform: Platform, erasure: int, progress: Progress) -> None:
    """Train on the rows of ``ratings`` that are left, without the gate: the former champion may not stay.

    Waiting batches are left to the next retraining. Before the first champion there is nothing to replace.
    """
    champion = platform.warehouse.run(read_champion)
    if champion is None:
        return
    if (champion.evidence or {}).get("erasure") != erasure:  # otherwise it was cut off after the promotion
        _promote_retrained(platform, erasure, champion.version, progress)
        champion = platform.warehouse.run(read_champion)
    if champion is not None:
        publish_recommendations(platform)
        rebuilt = rebuild_sha256(platform, progress)
        platform.warehouse.run(rows.record_proof, erasure, champion.version, champion.artifact_sha256, rebuilt)


def _promote_retrained(platform: Platform, erasure: int, over: str, progress: Progress) -> None:
    trained_on = platform.warehouse.run(read_data_key)
    data = platform.warehouse.read_training_data()
    fitted = split_rows(data, batches=())
    catalogue, movies_load = read_loaded_catalogue(platform)
    config, seed = chosen_config(platform.settings), platform.settings.seed
    model = fit_recommender(
        fitted.train,
        catalogue,
        config=config,
        seed=seed,
        progress=progress,
        residual_trainer=platform.residual_trainer,
    )
    artifact = keep_model(platform, model)
    trained_from = describe_training(
        data, (), fitted.train, catalogue, movies_load=movies_load, config=config, seed=seed, is_held_out=False
    )
    version = platform.warehouse.run(
        register_candidate,
        platform.actor.run_id or uuid.uuid4().hex,
        artifact,
        method=model.method,
        config=config.model_dump(),
        seed=seed,
        data_size=len(fitted.train),
        batches=(),
        trained_on=trained_on,
        trained_from=trained_from.to_dict(),
    )
    evaluation = evaluate(model, fitted.train, fitted.test, catalogue)
    baselines = [make(fitted.train, catalogue) for make in (global_mean, bias_only, popularity)]
    measured = {each.method: evaluate(each, fitted.train, fitted.test, catalogue).summary() for each in baselines}
    reason = f"trained again without erased people (erasure {erasure}); the gate was not asked"
    result = GateResult(
        rmse=evaluation.rmse,
        mae=evaluation.mae,
        precision_at_10=evaluation.precision_at_10,
        notes=f"{model.method}; {reason}",
        metrics={**evaluation.summary(), "baselines": measured},
        evidence={"reason": reason, "erasure": erasure, "promoted": True},
    )
    size, merge = len(fitted.train), platform.settings.merge
    platform.warehouse.run(
        promote, version, artifact, result, over=over, data_size=size, merge=merge, by=platform.actor
    )


def _purge_versions(platform: Platform, erasure: int, suppression: Suppression) -> None:
    """Delete artifacts and lists of the versions that knew a person; of the others' lists the people's rows."""
    champion = platform.warehouse.run(read_champion)
    versions = platform.warehouse.run(rows.list_erasable_versions)
    gone = {
        version
        for version, key, sha256, _ in versions
        if (champion is None or version != champion.version) and _knew(platform, key, sha256, suppression)
    }
    kept = {key for version, key, _, _ in versions if version not in gone}
    for version, key, _, _ in versions:
        if version in gone:
            platform.store.delete(_lists(version))
            if key not in kept:
                platform.store.delete(key)
            platform.warehouse.run(rows.mark_version_erased, version, erasure)
        else:
            _clean_lists(platform, _lists(version), suppression)
    _delete_others(platform, "models/", kept)
    _delete_others(platform, _RECOMMENDATIONS, {_lists(version) for version, *_ in versions if version not in gone})


def _delete_others(platform: Platform, prefix: str, kept: set[str]) -> None:
    """Delete what killed runs left without a row."""
    for key in list(platform.store.keys(prefix)):
        if key not in kept:
            platform.store.delete(key)


def _knew(platform: Platform, key: str, sha256: str, suppression: Suppression) -> bool:
    """Return whether an artifact has a person among its users; one that cannot be read counts as one that has."""
    if not platform.store.exists(key):
        return False
    try:
        arrays, _ = unpack(platform.store.read_bytes(key), sha256)
    except ArtifactRefusedError:
        return True
    users = [values for name, values in arrays.items() if name.rpartition(".")[2] == "users"]
    return not users or any(bool(suppression.of_people(each.astype(np.int64)).any()) for each in users)


def _lists(version: str) -> str:
    return f"{_RECOMMENDATIONS}{version}.parquet"


def _clean_lists(platform: Platform, key: str, suppression: Suppression) -> None:
    if not platform.store.exists(key):
        return
    lists = pd.read_parquet(io.BytesIO(platform.store.read_bytes(key)))
    theirs = suppression.of_people(lists["userId"].to_numpy(np.int64))
    if theirs.any():
        out = io.BytesIO()
        lists[~theirs].to_parquet(out, index=False)
        platform.store.put_bytes(key, out.getvalue())
