"""Table ``recommendations``: the champion's top movies for each user."""

from cinematch_assets.schemas.table import NOT_EMPTY, POSITIVE, Column, Table, at_most

RECOMMENDATIONS = Table(
    name="recommendations",
    description="Top movies for each user by the champion, none of which the user has rated.",
    key=("userId", "rank"),
    columns=(
        Column("userId", "int32", "INTEGER", "User identifier"),
        Column("rank", "int32", "SMALLINT", "Position in the user's list, from 1", rules=(POSITIVE,)),
        Column("movieId", "int32", "INTEGER", "The movie recommended"),
        Column("score", "float32", "REAL", "Score that the model ranks by; higher is better"),
        Column(
            "model_version",
            "str",
            "VARCHAR(50)",
            "The model that made the recommendation",
            rules=(NOT_EMPTY, at_most(50)),
        ),
        Column(
            "because",
            "object",
            "INTEGER[]",
            "Up to three movies of the user's history that contributed most to the score, the first the most",
        ),
    ),
)
