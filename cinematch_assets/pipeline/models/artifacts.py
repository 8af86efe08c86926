"""Models between the store and the registry: written once under their hash, read back only with the right one.

Here: bytes and rows, and whether a version's format can be read. Not here: fitting (``train_candidate``), the gate
(``gate_candidate``).
"""

from enum import Enum, auto

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.artifact import ArtifactRefusedError
from cinematch_assets.recommender.data import Catalogue
from cinematch_assets.recommender.environment import computed_by
from cinematch_assets.recommender.model import FORMAT, Recommender, sha256_of
from cinematch_assets.storage.base import MissingObjectError
from cinematch_assets.warehouse.champion import require_champion
from cinematch_assets.warehouse.model_registry import Artifact, ModelVersion, find_newest_version
from cinematch_assets.warehouse.movies import read_stored_movies


class FormatStatus(Enum):
    """Whether this release reads the format of a version's artifact."""

    READABLE = auto()
    OLDER = auto()
    """An older release wrote it: a new model replaces it."""
    NEWER = auto()
    """A newer release wrote it: this release leaves it alone, or the two would replace each other's champions."""

    @classmethod
    def of(cls, version: ModelVersion) -> "FormatStatus":
        """Return the status of a version, by its registered format alone."""
        if version.artifact_format == FORMAT:
            return cls.READABLE
        return cls.OLDER if version.artifact_format < FORMAT else cls.NEWER


def keep_model(platform: Platform, model: Recommender) -> Artifact:
    """Store the bytes of a model that this process fitted under their hash; the same model again is the same object."""
    content = model.to_bytes()
    sha256 = sha256_of(content)
    key = f"models/{sha256}.model"
    if not platform.store.exists(key):
        platform.store.put_bytes(key, content)
    return Artifact(
        key=key, sha256=sha256, size=len(content), format=FORMAT, computed_by=computed_by() | dict(model.computed_by)
    )


def load_model(platform: Platform, version: ModelVersion) -> Recommender:
    """Read a version's model.

    Raises:
        ArtifactRefusedError: its bytes have another hash than the registered one, or another format than is read here.
    """
    if FormatStatus.of(version) is not FormatStatus.READABLE:
        raise ArtifactRefusedError(format_message(version))
    return Recommender.from_bytes(platform.store.read_bytes(version.artifact_key), version.artifact_sha256)


def find_artifact_fault(platform: Platform, version: ModelVersion) -> str | None:
    """Read a version's stored bytes and say what is wrong with them; None when they load, with the registered hash.

    A version of another release's format cannot be read here, which is no fault of its bytes: None.
    """
    if FormatStatus.of(version) is not FormatStatus.READABLE:
        return None
    try:
        load_model(platform, version)
    except (ArtifactRefusedError, MissingObjectError) as fault:
        return str(fault)
    return None


def load_champion(platform: Platform) -> tuple[ModelVersion, Recommender]:
    """Read the champion and its row.

    Raises:
        NoChampionError: none was promoted yet.
        ArtifactRefusedError: as ``load_model``; for another format the message says what has to happen first.
    """
    version = platform.warehouse.run(require_champion)
    if FormatStatus.of(version) is not FormatStatus.READABLE:
        raise ArtifactRefusedError(champion_format_message(platform, version))
    return version, load_model(platform, version)


def format_message(version: ModelVersion) -> str:
    """Say that a version has another format, and for a newer one what the operator can do."""
    message = f"{version.version} has format {version.artifact_format}, and this version of the platform reads {FORMAT}"
    if FormatStatus.of(version) is not FormatStatus.NEWER:
        return message
    return (
        f"{message}: a newer release works on this database; upgrade this one, or go back with "
        "cinematch models rollback"
    )


def champion_format_message(platform: Platform, champion: ModelVersion) -> str:
    """Say that the champion has another format, and what happens next; ``champion`` is not readable."""
    message = f"champion {format_message(champion)}"
    if FormatStatus.of(champion) is FormatStatus.NEWER:
        return message
    newest = platform.warehouse.run(find_newest_version)
    if newest is not None and newest.state == "rejected" and FormatStatus.of(newest) is FormatStatus.READABLE:
        rejected = (newest.evidence or {}).get("reason", "rejected")
        return f"{message}: {newest.version} was {rejected}; more ratings may change that"
    return (
        f"{message}: the retraining sensor starts a new one, as does launching retrain; until then its recommendations "
        "stay"
    )


def read_catalogue(platform: Platform) -> Catalogue:
    """Read every movie with its genre features."""
    return read_loaded_catalogue(platform)[0]


def read_loaded_catalogue(platform: Platform) -> tuple[Catalogue, int | None]:
    """Read every movie with its genre features, and the recorded load of movies that they are from."""
    stored = platform.warehouse.run(read_stored_movies)
    return Catalogue.from_frame(stored.frame, stored.features), stored.load
