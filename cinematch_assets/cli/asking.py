"""Commands that ask: ``recommend``, ``similar``, ``evaluate``, ``sql``.

Here: arguments and output. Not here: answers (``steps.answering``, ``recommender``, ``warehouse``).
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.output import out, print_json, print_table, progress
from cinematch_assets.errors import CinematchError
from cinematch_assets.settings import Settings

if TYPE_CHECKING:
    from cinematch_assets.pipeline.models.query import Answer, Suggestion

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
HowMany = Annotated[int, typer.Option("-k", min=1, help="How many movies.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (recommend, similar, evaluate, sql):
        app.command()(command)


def recommend(
    user: Annotated[
        int | None, typer.Argument(help="A userId; one without ratings gets the movies most users like.")
    ] = None,
    k: HowMany = 10,
    likes: Annotated[
        list[str] | None, typer.Option(help="Instead of a user: a movie by title or movieId; may be repeated.")
    ] = None,
    available: Annotated[bool, typer.Option("--available", help="Only movies that the collection has.")] = False,
    json: Json = False,
) -> None:
    """Recommend movies to a user, or to a new user by movies that they like."""
    from cinematch_assets.pipeline.models.query import recommend_for_likes, recommend_for_user
    from cinematch_assets.pipeline.platform import Platform

    if likes:
        answer = recommend_for_likes(Platform.open(), likes, k, available=available)
    elif user is not None:
        answer = recommend_for_user(Platform.open(), user, k, available=available)
    else:
        raise CinematchError('name a USER, or a movie with --likes "Heat (1995)"')
    print_answer(answer, json=json)


def similar(
    movie: Annotated[str, typer.Argument(help="A title, with or without its year, or a movieId.")],
    k: HowMany = 10,
    json: Json = False,
) -> None:
    """List the movies most similar to one."""
    from cinematch_assets.pipeline.models.query import similar_movies
    from cinematch_assets.pipeline.platform import Platform

    print_answer(similar_movies(Platform.open(), movie, k), json=json)


def print_answer(answer: "Answer", *, json: bool = False) -> None:
    """Print suggestions with their titles, and what they are based on."""
    if json:
        print_json(asdict(answer))
        return
    predicted = any(each.predicted_rating is not None for each in answer.suggestions)
    has_interval = any(each.half_width is not None for each in answer.suggestions)
    measure = ("predicted rating, 80 % within ±" if has_interval else "predicted rating") if predicted else "similarity"
    print_table(
        f"For {answer.basis} (model {answer.version})",
        ("movieId", "title", "genres", measure),
        [
            (str(each.movie), each.title, each.genres, _rating_text(each) if predicted else each.score)
            for each in answer.suggestions
        ],
    )


def _rating_text(suggestion: "Suggestion") -> str:
    rating, half_width = suggestion.predicted_rating, suggestion.half_width
    if rating is None:
        return ""
    return f"{rating:.1f}" if half_width is None else f"{rating:.1f} ± {half_width:.1f}"


def evaluate(
    train: Annotated[Path, typer.Option(help="Ratings to train on: CSV or Parquet, MovieLens' columns.")],
    test: Annotated[
        Path | None, typer.Option(help="Ratings to measure on; may be left out with --split temporal.")
    ] = None,
    movies: Annotated[Path | None, typer.Option(help="The catalogue; without it there are no genres.")] = None,
    split: Annotated[
        str, typer.Option(help="given: measure on --test; temporal: pool all rows and measure on the newest.")
    ] = "given",
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Also train on all before a slice of time, measure on it, and go on.")
    ] = False,
    json: Json = False,
) -> None:
    """Fit and measure the recommender on files, with no database."""
    from cinematch_assets.cli.evaluating import evaluate_files, walk_files

    if split not in {"given", "temporal"}:
        raise CinematchError(f"--split is {split}, and may be given or temporal")
    with progress("reading") as bar:
        result = evaluate_files(train, test, movies, temporal=split == "temporal", progress=bar)
        walked = [(each, found.summary()) for each, found in walk_files(train, test, movies, bar)] if backtest else []
    if json:
        steps = [{"train_rows": len(each.train), "test_rows": len(each.test), **found} for each, found in walked]
        print_json(result.as_json() | ({"backtest": steps} if backtest else {}))
        return
    rows = [(name, value) for name, value in result.as_json().items() if value is not None]
    print_table(f"{result.method} on {result.test_rows:,} test ratings", ("figure", "value"), rows)
    if walked:
        names = ("rmse", "mae", "precision_at_10", "catalogue_ndcg_at_10", "coverage")
        lines = [(len(each.train), len(each.test), *(found[name] for name in names)) for each, found in walked]
        print_table("Backtest through time", ("trained on", "tested on", *names), lines)


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; or @name, a query of sql/queries/analytics.")],
    json: Json = False,
) -> None:
    """Ask the warehouse, read-only, as role analyst."""
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.readonly_query import ask
    from cinematch_assets.warehouse.statements import statement, statement_names

    platform = Platform.open()
    if query.startswith("@"):
        name = f"analytics/{query[1:]}"
        if name not in statement_names():
            shipped = [each.removeprefix("analytics/") for each in statement_names() if each.startswith("analytics/")]
            raise CinematchError(f"no query @{query[1:]}; there are {', '.join(shipped)}")
        query = statement(name)
    columns, rows = ask(platform.warehouse.url, query, embedded=Settings.from_env().warehouse_url is None)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif columns:
        print_table("", columns, rows)
    out.print(f"{len(rows):,} rows", highlight=False) if not json else None
