"""Numbers with the noun that they count: "1 row", "2 rows".

Here: English plurals in -s and -es that are given. Not here: formatting of cells (``cli.output``).
"""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``number`` with ``noun``, in the plural (by default ``noun`` with an s) unless it is 1."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
