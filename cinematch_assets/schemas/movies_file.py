"""A file of movies as it arrives, MovieLens' ``movies.csv``: three columns, others are ignored."""

from cinematch_assets.schemas.table import NOT_EMPTY, POSITIVE, Column, Table, at_most

MOVIES_FILE = Table(
    name="movies file",
    description="The catalogue as it arrives: one row per movie; of two, the last counts.",
    key=("movieId",),
    columns=(
        Column("movieId", "int32", "INTEGER", "Movie identifier", unique=True, rules=(POSITIVE,)),
        Column("title", "str", "VARCHAR(500)", "Title with year, 'Toy Story (1995)'", rules=(NOT_EMPTY, at_most(500))),
        Column(
            "genres",
            "str",
            "VARCHAR(200)",
            "Pipe-separated genres as the file writes them; '(no genres listed)' stays, an empty cell is NULL",
            nullable=True,
            rules=(at_most(200),),
        ),
    ),
)
