"""Train a version once more from landed contents, without reading or writing any table of ratings or movies.

Here: repeating recorded loads in memory, and fitting on their rows. Not here: the record (``trained_from``,
``warehouse.table_loads``), comparing the result with the registry (``verify_version``).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.features.genres import GenreBasis, project_genres
from cinematch_assets.movielens import FEATURES
from cinematch_assets.pairs import pair_keys
from cinematch_assets.pipeline.models.train_candidate import split_rows
from cinematch_assets.pipeline.models.trained_from import RATINGS, TrainedFrom, batch_table
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.reading.movies import read_movies
from cinematch_assets.reading.ratings import read_ratings
from cinematch_assets.reading.released import NO_LIMIT, reread_movies, reread_ratings, unpack_released_rows
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ids, Ratings
from cinematch_assets.recommender.model import Recommender, fit_recommender, sha256_of
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.rating_prediction.residual_als import ResidualTrainer
from cinematch_assets.splitting import is_test
from cinematch_assets.table_names import BATCHES
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.movies import stored_numbers
from cinematch_assets.warehouse.ratings import RATING_COLUMNS
from cinematch_assets.warehouse.table_loads import MOVIES, RecordedLoad, list_loads, read_genre_basis
from cinematch_assets.warehouse.training_data import TrainingData


class CannotRebuildError(CinematchError):
    """A content or a record that the training needs is not there; the message says which."""


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """Rows and catalogue of a training, and the rows that each table gave."""

    train: Ratings
    catalogue: Catalogue
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A model that was trained once more, and the hash of its artifact."""

    model: Recommender
    sha256: str


def collect_inputs(platform: Platform, trained: TrainedFrom) -> TrainingInputs:
    """Repeat the loads that a version was trained from, on the contents that the store has now.

    Raises:
        CannotRebuildError: a load is not on record any more, a content is missing or is another one.
    """
    needed = needed_loads(platform.warehouse.run(list_loads), trained.loads)
    missing = [table for table, rows in trained.rows.items() if rows and table not in trained.loads]
    if missing or MOVIES not in trained.loads:
        raise CannotRebuildError(f"no load of {', '.join(missing) or MOVIES} was recorded when it was trained")
    catalogues = _repeat_movies(platform, needed)
    data = _repeat_ratings(platform, needed, trained, catalogues)
    held_out = [batch for batch in data.waiting_batches() if batch_table(batch.batch_id) in trained.held_out]
    return TrainingInputs(
        train=split_rows(data, tuple(held_out)).train,
        catalogue=catalogues.newest(),
        rows={
            RATINGS: len(data.file),
            **{batch_table(batch.batch_id): batch.rows for batch in (*_batches(data.merged), *held_out)},
        },
    )


def fit_inputs(
    inputs: TrainingInputs,
    config: Mapping[str, Any],
    seed: int,
    progress: Progress | None = None,
    residual_trainer: ResidualTrainer | None = None,
) -> Rebuilt:
    """Fit a model on collected rows; nothing is stored.

    Raises:
        RecommenderConfigError: this release has other settings.
    """
    chosen = RecommenderConfig.model_validate(dict(config))
    model = fit_recommender(
        inputs.train,
        inputs.catalogue,
        config=chosen,
        seed=seed,
        progress=progress,
        residual_trainer=residual_trainer,
    )
    return Rebuilt(model, sha256_of(model.to_bytes()))


def rebuild(
    platform: Platform,
    trained: TrainedFrom,
    *,
    config: Mapping[str, Any],
    seed: int,
    progress: Progress | None = None,
) -> Rebuilt:
    """Train on landed contents alone and return the model with its artifact's hash; nothing is stored.

    Raises:
        CannotRebuildError: as ``collect_inputs``.
        RecommenderConfigError: as ``fit_inputs``.
    """
    return fit_inputs(collect_inputs(platform, trained), config, seed, progress, platform.residual_trainer)


def needed_loads(loads: Sequence[RecordedLoad], last: Mapping[str, int]) -> list[RecordedLoad]:
    """Return the loads that training needs which knew ``last`` (table → load), in order.

    Of ratings and batches these are the last content and what was released since. Movies accumulate: needed are
    the last file that had every movie of the table, unless features were written before it alone, and what followed.

    Raises:
        CannotRebuildError: a load of ``last`` is not on record.
    """
    known = {load.id for load in loads}
    if missing := [table for table, load in last.items() if load not in known]:
        raise CannotRebuildError(
            f"the record of {missing[0]} that it was trained from has been deleted: it left retention"
        )
    needed: list[RecordedLoad] = []
    for table, end in last.items():
        if table != MOVIES:
            history = [load for load in loads if load.for_table == table and load.id <= end]
            first = max((load.id for load in history if load.kind == "content"), default=end)
            needed += [load for load in history if load.id >= first]
    movies_end = last.get(MOVIES, 0)
    ends = [movies_end, *(_known_movies(load) for load in needed)]
    movies = [load for load in loads if load.for_table == MOVIES and load.id <= max(ends)]
    first = _first_needed(movies, min(ends), movies_end)
    return sorted([*(load for load in movies if load.id >= first), *needed], key=lambda load: load.id)


def _first_needed(movies: Sequence[RecordedLoad], earliest: int, end: int) -> int:
    """Return the last load of movies up to ``earliest`` on which nothing before it has an effect at ``end``."""
    for load in reversed(movies):
        features = [each for each in movies if each.kind == "features" and each.id <= end]
        later = [each for each in features if each.id > load.id]
        is_whole = load.kind == "content" and load.kept == 0 and load.id <= earliest
        if is_whole and bool(later) >= bool(features) and all(_known_movies(each) >= load.id for each in later):
            return load.id
    return 0


def _known_movies(load: RecordedLoad) -> int:
    """Return the load of movies that rows were checked against; of former releases' loads, the last one before."""
    return load.id if load.known_movies is None else load.known_movies


@dataclass(slots=True)
class _Catalogues:
    """The catalogue while loads of movies are repeated: movieId → title and genres, features, and earlier states."""

    movies: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    features: dict[int, list[float] | None] = field(default_factory=dict)
    states: dict[int, pd.DataFrame] = field(default_factory=dict)
    """Load → movieId and genres after it."""

    def upsert(self, movies: pd.DataFrame) -> None:
        """Insert or replace movies; one whose genres changed has no features until they are written again."""
        genres = movies["genres"].astype(object).where(movies["genres"].notna(), None)
        for movie, title, names in zip(movies["movieId"].tolist(), movies["title"].tolist(), genres, strict=True):
            if movie in self.movies and self.movies[movie][1] != names:
                self.features[movie] = None
            self.movies[movie] = (title, names)

    def project(self, basis: GenreBasis, known: int) -> None:
        """Write the features of the movies that there were after load ``known``."""
        for movie, numbers in project_genres(self.at(known), basis).rows():
            self.features[movie] = None if numbers is None else stored_numbers(numbers)

    def remember(self, load: int) -> None:
        """Keep the state after a load."""
        ids = sorted(self.movies)
        genres = [self.movies[movie][1] for movie in ids]
        self.states[load] = pd.DataFrame({"movieId": np.array(ids, np.int32), "genres": genres})

    def at(self, load: int) -> pd.DataFrame:
        """Return movieId and genres after a load, or after the last one before it."""
        before = [each for each in self.states if each <= load]
        if not before:
            raise CannotRebuildError("the first loads of movies are not on record any more")
        return self.states[max(before)]

    def newest(self) -> Catalogue:
        """Return the catalogue as it is now."""
        ids = sorted(self.movies)
        features = np.full((len(ids), FEATURES), np.nan, np.float32)
        for row, movie in enumerate(ids):
            numbers = self.features.get(movie)
            if numbers is not None:
                features[row] = numbers
        frame = pd.DataFrame([(movie, *self.movies[movie]) for movie in ids], columns=["movieId", "title", "genres"])
        return Catalogue.from_frame(frame.astype({"movieId": np.int32}), features)


def _repeat_movies(platform: Platform, loads: Sequence[RecordedLoad]) -> _Catalogues:
    catalogues = _Catalogues()
    for load in loads:
        if load.for_table != MOVIES:
            continue
        if load.genre_basis is not None:
            basis = GenreBasis.from_dict(platform.warehouse.run(read_genre_basis, load.genre_basis))
            catalogues.project(basis, _known_movies(load))
        elif load.kind == "content":
            with _content(platform, load) as path:
                catalogues.upsert(read_movies(path, limit=NO_LIMIT, name=str(load.path)).accepted)
        else:
            catalogues.upsert(reread_movies(*_released_rows(platform, load)).accepted)
        catalogues.remember(load.id)
    return catalogues


def _repeat_ratings(
    platform: Platform, loads: Sequence[RecordedLoad], trained: TrainedFrom, catalogues: _Catalogues
) -> TrainingData:
    """Repeat the loads of ratings and batches; as in ``ops.training_ratings``, pairs of the test split are left out."""
    empty = pd.DataFrame({name: [] for name in RATING_COLUMNS}).astype(
        {"userId": np.int32, "movieId": np.int32, "rating": np.float32, "timestamp": np.int64}
    )
    train, test = [empty], [empty]
    batches = {True: [empty.assign(batch_id="", md5="")], False: [empty.assign(batch_id="", md5="")]}
    contents = {load.for_table: str(load.md5) for load in loads if load.kind == "content"}
    for load in loads:
        if load.for_table == MOVIES:
            continue
        rows = _read_ratings(platform, load, catalogues.at(_known_movies(load))["movieId"].to_numpy(np.int32))
        if load.for_table == RATINGS:
            is_of_test = is_test(rows, load.split or platform.settings.split)
            train.append(rows[~is_of_test])
            test.append(rows[is_of_test])
        else:
            batch_id = load.for_table.removeprefix(f"{BATCHES}/")
            rows = rows.assign(batch_id=batch_id, md5=contents[load.for_table])
            batches[load.for_table in trained.held_out].append(rows)
    of_test = pd.concat(test)
    tested = pair_keys(of_test["userId"].to_numpy(), of_test["movieId"].to_numpy())
    file, merged, waiting = (
        frame[~np.isin(pair_keys(frame["userId"].to_numpy(), frame["movieId"].to_numpy()), tested)]
        for frame in (pd.concat(train), pd.concat(batches[False]), pd.concat(batches[True]))
    )
    return TrainingData(file=file, merged=merged, waiting=waiting, test=of_test)


def _read_ratings(platform: Platform, load: RecordedLoad, known_movies: Ids) -> pd.DataFrame:
    if load.kind == "released":
        accepted = reread_ratings(*_released_rows(platform, load), known_movies=known_movies).accepted
    else:
        with _content(platform, load) as path:
            accepted = read_ratings(path, known_movies=known_movies, limit=NO_LIMIT, name=str(load.path)).accepted
    return accepted[list(RATING_COLUMNS)]


def _batches(rows: pd.DataFrame) -> list[TrainedBatch]:
    counts = rows.groupby(["batch_id", "md5"], sort=True).size().reset_index(name="rows")
    return [TrainedBatch(str(batch), str(md5), int(count)) for batch, md5, count in counts.itertuples(index=False)]


def _released_rows(platform: Platform, load: RecordedLoad) -> tuple[list[str], list[str]]:
    with _content(platform, load) as path:
        return unpack_released_rows(path.read_bytes())


@contextmanager
def _content(platform: Platform, load: RecordedLoad) -> Iterator[Path]:
    """Give a load's content as a local file, after its md5 was compared with the recorded one.

    Raises:
        CannotRebuildError: it is not in the store, or is another one.
    """
    key, name = str(load.store_key), _name(load)
    if not platform.store.exists(key):
        raise CannotRebuildError(
            f"the content of {name} is missing: it is not in the store as {key}, where contents that no recent "
            f"champion needs are kept for {count(platform.settings.keep_days, 'day')}"
        )
    with platform.store.path(key) as path:
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != load.md5:
            raise CannotRebuildError(f"the content of {name} was changed in the store: {key} has md5 {md5}")
        yield path


def _name(load: RecordedLoad) -> str:
    released = "released rows of " if load.kind == "released" else ""
    return f"{released}{load.path} (md5 {load.md5})"
