"""Genres into ten numbers a movie, on a basis that is fitted once.

Here: reading, projecting, writing. Not here: the projection (``features``).
"""

from cinematch_assets.features.genres import GenreBasis, GenreFeatures, fit_genre_basis, project_genres
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.movies import read_movies, stored_basis, write_features


def project_movies(platform: Platform) -> tuple[GenreFeatures, int]:
    """Write each movie's features; return them and the number of rows that changed."""
    with platform.warehouse.connect() as connection:
        movies, _ = read_movies(connection)
        stored = stored_basis(connection)
        basis = GenreBasis.from_dict(stored) if stored else fit_genre_basis(movies["genres"].tolist())
        if basis.is_empty:
            basis = fit_genre_basis(movies["genres"].tolist())
        features = project_genres(movies, basis)
        changed = write_features(connection, basis.to_dict(), features.explained_variance, features.rows())
    return features, changed
