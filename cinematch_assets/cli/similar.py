"""``cinematch similar``: movies similar to a given one.

Here: arguments. Not here: answers (``pipeline.models.query``), how they are printed (``recommend.print_answer``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import HowMany, Json
from cinematch_assets.cli.recommend import print_answer


def similar(
    movie: Annotated[str, typer.Argument(help="A title, with or without its year, or a movieId.")],
    k: HowMany = 10,
    json: Json = False,
) -> None:
    """List the movies most similar to one.

    Example: cinematch similar "the godfather"
    """
    from cinematch_assets.pipeline.models.query import similar_movies
    from cinematch_assets.pipeline.platform import Platform

    print_answer(similar_movies(Platform.open(), movie, k), json=json)
