import json

import pytest

from cinematch_assets.reading.collection import CollectionFile, read_collection
from cinematch_assets.reading.results import FileRefused

HEAT = {"title": "Heat", "genre": "Crime", "rating": 8.3, "year": 1995}


def files(folder, *contents, name="a.json"):
    made = []
    for number, content in enumerate(contents):
        path = folder / f"landed{number}"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        made.append(CollectionFile(f"id{number}", path, name))
    return made


def movies(reading):
    known = reading.accepted.astype(object).where(reading.accepted.notna(), None)
    return list(known[["title", "genre", "rating", "year"]].itertuples(index=False, name=None))


def reasons_of(reading):
    assert reading.rows_read == len(reading.accepted) + len(reading.rejected)
    return [rejected.row.reasons for rejected in reading.rejected]


def test_a_file_holds_one_movie_or_a_list_of_them(tmp_path):
    reading = read_collection(files(tmp_path, HEAT, [HEAT, HEAT | {"title": "Ran"}]))
    assert movies(reading) == [("Heat", "Crime", 8.3, 1995), ("Heat", "Crime", 8.3, 1995), ("Ran", "Crime", 8.3, 1995)]
    assert reading.accepted[["file_id", "row_number"]].to_numpy().tolist() == [["id0", 1], ["id1", 1], ["id1", 2]]
    assert [str(reading.accepted[name].dtype) for name in ("rating", "year")] == ["float64", "Int32"]


def test_rating_and_year_may_be_empty_or_left_out(tmp_path):
    reading = read_collection(files(tmp_path, HEAT | {"rating": None}, {"title": "Ran", "genre": "War", "cast": ["x"]}))
    assert movies(reading) == [("Heat", "Crime", None, 1995), ("Ran", "War", None, None)]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"title": None}, ("title is missing",)),
        ({"title": " "}, ("title is empty",)),
        ({"title": "x" * 256}, ("title is not at most 255 characters long",)),
        ({"title": ["Heat"]}, ("title is not text",)),
        ({"title": 1917}, ("title is not text",)),
        ({"title": "a\0b"}, ("title holds a NUL byte",)),
        ({"title": "a\ud800"}, ("title holds an unpaired surrogate",)),
        ({"genre": None}, ("genre is missing",)),
        ({"genre": "x" * 101}, ("genre is not at most 100 characters long",)),
        ({"rating": "8.5"}, ("rating is not a number",)),
        ({"rating": True}, ("rating is not a number",)),
        ({"rating": [8.5]}, ("rating is not a number",)),
        ({"rating": float("nan")}, ("rating is not a number",)),
        ({"rating": 10.1}, ("rating is not from 0 to 10",)),
        ({"rating": -1}, ("rating is not from 0 to 10",)),
        ({"year": 1899}, ("year is not from 1900 to 2100",)),
        ({"year": 1999.5}, ("year is not a whole number",)),
        ({"year": "1999"}, ("year is not a number",)),
        ({"year": 10**30}, ("year is not from 1900 to 2100",)),
        (
            {"title": None, "rating": "good", "year": 2101},
            ("title is missing", "rating is not a number", "year is not from 1900 to 2100"),
        ),
    ],
)
def test_an_invalid_movie_is_rejected_with_every_reason(tmp_path, change, reasons):
    reading = read_collection(files(tmp_path, HEAT | change, HEAT))
    assert (reasons_of(reading), len(reading.accepted)) == ([reasons], 1)
    assert reading.rejected[0].file_id == "id0"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON: "),
        (b'{"title": "caf\xe9", "genre": "Drama"}', "is not UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[]", "is an empty list"),
        (b'"Heat"', "is not a JSON object"),
        (b"1" * 5_000, "is not JSON: "),
        (b" " * (4 * 2**20 + 1), "is larger than 4 MB: split it, or send it as CSV"),
        (b'{"title": "A", "title": "B", "genre": "Drama"}', "names title more than once"),
        (b'{"movie": {"title": "A", "genre": "Drama"}}', "title is missing"),
    ],
)
def test_a_file_that_is_not_a_movie_is_one_rejected_row(tmp_path, content, reason):
    reading = read_collection(files(tmp_path, content, name="Dramas/bad.json"))
    assert [rejected.name for rejected in reading.rejected] == ["Dramas/bad.json"]
    assert reading.rejected[0].row.reasons[0].startswith(reason)
    assert reasons_of(reading)


def test_one_bad_movie_of_a_list_leaves_the_others(tmp_path):
    reading = read_collection(files(tmp_path, [HEAT, 7, {"title": "Ran"}, HEAT]))
    assert reasons_of(reading) == [("is not a JSON object",), ("genre is missing",)]
    assert [(r.row.row_number, r.row.raw_row) for r in reading.rejected] == [(2, "7"), (3, '{"title": "Ran"}')]


def test_raw_text_of_a_rejected_file_is_kept_up_to_a_limit(tmp_path):
    reading = read_collection(files(tmp_path, HEAT | {"year": 1, "plot": "x" * 5_000, "cut\0": ""}))
    assert len(reading.rejected[0].row.raw_row) == 2_000


def test_a_byte_order_mark_is_ignored(tmp_path):
    assert movies(read_collection(files(tmp_path, b"\xef\xbb\xbf" + json.dumps(HEAT).encode()))) == [
        tuple(HEAT.values())
    ]


def test_a_csv_holds_many_movies(tmp_path):
    content = b'title,genre,rating,year\n"First Love, Last Rites",Drama,6.9,1998\nSlam,Drama,,\nX,Drama,good,1899\n'
    reading = read_collection(files(tmp_path, content, name="all.csv"))
    assert movies(reading) == [("First Love, Last Rites", "Drama", 6.9, 1998), ("Slam", "Drama", None, None)]
    assert (reading.accepted["row_number"].tolist(), reading.accepted["row_number"].dtype) == ([1, 2], "int64")
    assert [(r.row.row_number, r.row.raw_row, r.row.reasons) for r in reading.rejected] == [
        (3, "X,Drama,good,1899", ("rating is not a number", "year is not from 1900 to 2100"))
    ]


def test_a_csv_without_the_columns_is_one_rejected_row(tmp_path):
    reading = read_collection(files(tmp_path, b"name,year\nHeat,1995\n", name="all.csv"))
    assert reasons_of(reading) == [("no column title, genre, rating in its header (found: name, year)",)]


def test_no_files_are_no_movies():
    reading = read_collection([])
    assert (reading.rows_read, list(reading.accepted)) == (
        0, ["title", "genre", "rating", "year", "file_id", "row_number"],
    )  # fmt: skip


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(FileRefused, match=r"^a\.json: there is no file "):
        read_collection([CollectionFile("id", tmp_path / "nowhere", "a.json")])
