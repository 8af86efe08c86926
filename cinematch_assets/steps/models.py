"""Models between the store and the registry: written once under their hash, read back only with the right one.

Here: bytes and rows. Not here: fitting (``training``), judging (``judging``).
"""

from cinematch_assets.recommender.data import Catalogue
from cinematch_assets.recommender.model import Recommender, sha256_of
from cinematch_assets.steps.platform import Platform
from cinematch_assets.warehouse.movies import read_movies
from cinematch_assets.warehouse.registry import Artifact, ModelVersion, require_champion


def keep_model(platform: Platform, model: Recommender) -> Artifact:
    """Store a model's bytes under their hash; the same model again is the same object."""
    content = model.to_bytes()
    sha256 = sha256_of(content)
    key = f"models/{sha256}.model"
    if not platform.store.exists(key):
        platform.store.put_bytes(key, content)
    return Artifact(key=key, sha256=sha256, size=len(content))


def load_model(platform: Platform, version: ModelVersion) -> Recommender:
    """Read a version's model; refused unless its bytes have the registered hash."""
    return Recommender.from_bytes(platform.store.read_bytes(version.artifact_key), version.artifact_sha256)


def load_champion(platform: Platform) -> tuple[ModelVersion, Recommender]:
    """Read the champion and its row."""
    with platform.warehouse.connect() as connection:
        version = require_champion(connection)
    return version, load_model(platform, version)


def read_catalogue(platform: Platform) -> Catalogue:
    """Read every movie with its genre features."""
    with platform.warehouse.connect() as connection:
        movies, features = read_movies(connection)
    return Catalogue.from_frame(movies, features)
