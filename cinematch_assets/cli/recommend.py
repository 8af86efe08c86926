"""``cinematch recommend``: a top-N list with titles.

Here: arguments and output. Not here: answers (``pipeline.models.query``).
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.options import HowMany, Json
from cinematch_assets.cli.output import notes, out, print_json, print_table
from cinematch_assets.errors import CinematchError

if TYPE_CHECKING:
    from cinematch_assets.pipeline.models.query import Answer, Suggestion

_MIN_WIDTH_OF_GENRES = 110
"""Columns; in a narrower terminal the titles need the place."""


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
    """Recommend movies to a user, or to a new user by movies that they like.

    Example: cinematch recommend --likes "the godfather" --likes "Heat (1995)" -k 5
    """
    from cinematch_assets.pipeline.models.query import recommend_for_likes, recommend_for_user
    from cinematch_assets.pipeline.platform import Platform

    if likes:
        answer = recommend_for_likes(Platform.open(), likes, k, available=available)
    elif user is not None:
        answer = recommend_for_user(Platform.open(), user, k, available=available)
    else:
        raise CinematchError('name a USER, or a movie with --likes "Heat (1995)"')
    print_answer(answer, json=json)


def print_answer(answer: "Answer", *, json: bool = False) -> None:
    """Print suggestions with their titles, and what they are based on."""
    if json:
        print_json(asdict(answer))
        return
    predicted = any(each.predicted_rating is not None for each in answer.suggestions)
    because = any(each.because for each in answer.suggestions)
    genres = out.width >= _MIN_WIDTH_OF_GENRES
    columns = (
        "rank",
        "movieId",
        "title",
        *(("genres",) if genres else ()),
        "predicted rating" if predicted else "similarity",
    )
    print_table(
        f"For {answer.basis} (model {answer.version})",
        (*columns, "because of") if because else columns,
        [
            (
                each.rank,
                str(each.movie),
                each.title,
                *((each.genres.replace("|", ", "),) if genres else ()),
                _rating_text(each) if predicted else each.score,
                *((", ".join(reason.title for reason in each.because),) if because else ()),
            )
            for each in answer.suggestions
        ],
    )
    for note in _notes(answer):
        notes.print(note, soft_wrap=not notes.is_terminal)


def _notes(answer: "Answer") -> list[str]:
    """What the columns mean, and why stars are not in descending order where they are not."""
    notes = []
    ratings = [each.predicted_rating for each in answer.suggestions if each.predicted_rating is not None]
    if any(each.half_width is not None for each in answer.suggestions):
        notes.append("±: a rating lies within it with a probability of 80 %")
    if ratings != sorted(ratings, reverse=True):
        notes.append(
            "The rank follows a score, not the stars alone: how well a movie fits what was watched before counts most, "
            "the predicted rating less. Stars say how much a movie would be liked once it is watched."
        )
    if any(each.because for each in answer.suggestions):
        notes.append("because of: the movies in the user's history without which the score would fall most")
    return notes


def _rating_text(suggestion: "Suggestion") -> str:
    rating, half_width = suggestion.predicted_rating, suggestion.half_width
    if rating is None:
        return ""
    return f"{rating:.1f}" if half_width is None else f"{rating:.1f} ± {half_width:.1f}"
