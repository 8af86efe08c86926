import pytest

from cinematch_assets.movielens import (
    NO_GENRES,
    first_year,
    other_separator,
    release_year,
    split_genres,
    title_without_year,
    with_separator,
)


@pytest.mark.parametrize(
    ("genres", "names"),
    [
        ("Comedy|Drama", ("Comedy", "Drama")),
        ("Comedy| Drama||Comedy", ("Comedy", "Drama")),
        (NO_GENRES, ()),
        ("", ()),
        (None, ()),
        (float("nan"), ()),
    ],
)
def test_genres_are_split_each_once_and_without_blanks(genres: str | None, names: tuple[str, ...]) -> None:
    assert split_genres(genres) == names


@pytest.mark.parametrize(
    ("title", "first", "release", "name"),
    [
        ("Heat (1995)", 1995, 1995, "Heat"),
        (
            "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001) ",
            2001,
            2001,
            "Amélie (Fabuleux destin d'Amélie Poulain, Le)",
        ),
        ("Death Note: Desu nôto (2006–2007)", 2006, None, "Death Note: Desu nôto"),
        ("Big Bang Theory, The (2007-)", 2007, None, "Big Bang Theory, The"),
        ("Babylon 5", None, None, "Babylon 5"),
        ("2001: A Space Odyssey", None, None, "2001: A Space Odyssey"),
        ("Moon (2009) Redux", None, None, "Moon (2009) Redux"),
        ("(1995)", 1995, 1995, ""),
    ],
)
def test_a_title_has_its_year_at_its_end(title: str, first: int | None, release: int | None, name: str) -> None:
    assert (first_year(title), release_year(title), title_without_year(title)) == (first, release, name)


@pytest.mark.parametrize(
    ("file", "table"),
    [
        (["Drama; War", "Comedy"], ["Drama|War", "Comedy"]),
        (["['Drama', 'War']", "['Comedy']", "[]"], ["Drama|War", "Comedy", ""]),
        (['["Drama", "Children\'s"]', None], ["Drama|Children's", None]),
        (["[Drama, Film-Noir]"], ["Drama|Film-Noir"]),
    ],
)
def test_genres_are_read_as_other_programs_list_them(file: list[str | None], table: list[str | None]) -> None:
    other = other_separator(file)
    assert [with_separator(genres, other) for genres in file] == table
