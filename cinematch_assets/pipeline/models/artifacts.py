"""Models between the store and the registry: written once under their hash, read back only with the right one.

Here: bytes and rows, and whether a version's format is read. Not here: fitting (``training``), judging (``judging``).
"""

import psycopg

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.artifact import ArtifactRefusedError
from cinematch_assets.recommender.data import Catalogue
from cinematch_assets.recommender.model import FORMAT, Recommender, sha256_of
from cinematch_assets.warehouse.champion import require_champion
from cinematch_assets.warehouse.model_registry import Artifact, ModelVersion, model_versions
from cinematch_assets.warehouse.movies import read_movies


def keep_model(platform: Platform, model: Recommender) -> Artifact:
    """Store a model's bytes under their hash; the same model again is the same object."""
    content = model.to_bytes()
    sha256 = sha256_of(content)
    key = f"models/{sha256}.model"
    if not platform.store.exists(key):
        platform.store.put_bytes(key, content)
    return Artifact(key=key, sha256=sha256, size=len(content), format=FORMAT)


def load_model(platform: Platform, version: ModelVersion) -> Recommender:
    """Read a version's model.

    Raises:
        ArtifactRefusedError: its bytes have another hash than the registered one, or another format than is read here.
    """
    if reason := unreadable(version):
        raise ArtifactRefusedError(reason)
    return Recommender.from_bytes(platform.store.read_bytes(version.artifact_key), version.artifact_sha256)


def load_champion(platform: Platform) -> tuple[ModelVersion, Recommender]:
    """Read the champion and its row.

    Raises:
        NoChampionError: none was promoted yet.
        ArtifactRefusedError: as ``load_model``; another format is named with what to wait for.
    """
    with platform.warehouse.connect() as connection:
        version = require_champion(connection)
        reason = unreadable_champion(connection, version)
    if reason:
        raise ArtifactRefusedError(reason)
    return version, load_model(platform, version)


def unreadable(version: ModelVersion) -> str | None:
    """Say why a version cannot be loaded, by its registered format alone; None where it can."""
    if version.artifact_format == FORMAT:
        return None
    return f"{version.version} has format {version.artifact_format}, and this version of the platform reads {FORMAT}"


def of_a_newer_release(version: ModelVersion) -> str | None:
    """Say why a version must be left alone: a newer release of the platform made it, and this one is the old one."""
    if version.artifact_format <= FORMAT:
        return None
    return (
        f"{unreadable(version)}: a newer release works on this database; upgrade this one, or go back with "
        "cinematch models rollback"
    )


def unreadable_champion(connection: psycopg.Connection, version: ModelVersion) -> str | None:
    """Say what is waited for where the champion is of another format; None where it can be loaded."""
    reason = unreadable(version)
    if reason is None:
        return None
    if newer := of_a_newer_release(version):
        return f"champion {newer}"
    newest = model_versions(connection)[0]
    if newest.state == "rejected" and not unreadable(newest):
        refused = (newest.evidence or {}).get("reason", "rejected")
        return f"champion {reason}: {newest.version} was {refused}; more ratings may change that"
    hint = "the retraining sensor starts a new one, as does launching retrain; until then its lists stay"
    return f"champion {reason}: {hint}"


def read_catalogue(platform: Platform) -> Catalogue:
    """Read every movie with its genre features."""
    with platform.warehouse.connect() as connection:
        movies, features = read_movies(connection)
    return Catalogue.from_frame(movies, features)
