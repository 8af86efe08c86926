"""Table ``netflix.movies``, and a movie of the collection as it comes in a file.

A file has the four columns of ``COLLECTION_FILE``; the table adds those that the database fills.
"""

from cinematch_assets.schemas.table import NOT_EMPTY, Column, Rule, Table, at_most

COLLECTION_FILE = Table(
    name="collection file",
    description="A movie of Netflix_Movie_Collection: an object of JSON, or a row of CSV.",
    key=("title", "genre", "rating", "year"),
    columns=(
        Column("title", "str", "VARCHAR(255)", "Movie title", rules=(NOT_EMPTY, at_most(255))),
        Column("genre", "str", "VARCHAR(100)", "Movie genre", rules=(NOT_EMPTY, at_most(100))),
        Column(
            "rating",
            "float64",
            "DECIMAL(3,1)",
            "Movie rating, kept to one decimal",
            nullable=True,
            rules=(Rule("in_range", (0, 10), "from 0 to 10"),),
        ),
        Column(
            "year",
            "Int32",
            "INTEGER",
            "Release year",
            nullable=True,
            rules=(Rule("in_range", (1900, 2100), "from 1900 to 2100"),),
        ),
    ),
)

NETFLIX_MOVIES = Table(
    name="netflix.movies",
    description="The movies of Netflix_Movie_Collection, each once.",
    key=("id",),
    columns=(
        Column("id", "object", "UUID", "Made by the database", unique=True),
        *COLLECTION_FILE.columns,
        Column("created_at", "datetime64[us]", "TIMESTAMP", "When the row was made", nullable=True),
        Column("updated_at", "datetime64[us]", "TIMESTAMP", "When the row last changed", nullable=True),
    ),
)
