"""``cinematch evaluate``: fit and measure the recommender on files.

Here: arguments and output. Not here: reading the files (``evaluate_inputs``).
"""

from pathlib import Path
from typing import Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import print_json, print_table, progress
from cinematch_assets.errors import CinematchError


def evaluate(
    train: Annotated[Path, typer.Option(help="Ratings to train on: CSV or Parquet, MovieLens' columns.")],
    test: Annotated[
        Path | None,
        typer.Option(help="Ratings to measure on; may be left out with --split temporal and --protocol strong."),
    ] = None,
    movies: Annotated[Path | None, typer.Option(help="The catalogue; without it there are no genres.")] = None,
    split: Annotated[
        str, typer.Option(help="given: measure on --test; temporal: pool all rows and measure on the newest.")
    ] = "given",
    protocol: Annotated[
        str,
        typer.Option(help="weak: test rows of trained users; strong: whole users held out, 80 % of each folded in."),
    ] = "weak",
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Also train on all before a slice of time, measure on it, and go on.")
    ] = False,
    json: Json = False,
) -> None:
    """Fit and measure the recommender on files, with no database.

    Example: cinematch evaluate --train train.csv --test test.csv --movies movies.csv
    """
    from cinematch_assets.cli.evaluate_inputs import evaluate_files, evaluate_unseen, walk_files

    if split not in {"given", "temporal"}:
        raise CinematchError(f"--split is {split}, and may be given or temporal")
    if protocol not in {"weak", "strong"}:
        raise CinematchError(f"--protocol is {protocol}, and may be weak or strong")
    if protocol == "strong" and (split != "given" or backtest):
        raise CinematchError("--protocol strong pools all rows and holds out users: leave out --split and --backtest")
    with progress("reading") as bar:
        if protocol == "strong":
            result = evaluate_unseen(train, test, movies, progress=bar)
        else:
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
