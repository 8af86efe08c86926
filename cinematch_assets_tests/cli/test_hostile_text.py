"""The same hostile strings as titles, rows, columns, arguments and file names, through each command that shows them."""

import json
from pathlib import Path

import pytest

from cinematch_assets.cli import output
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.cli.test_commands import Command, cinematch, platform
from cinematch_assets_tests.support.hostile import HOSTILE, steering_characters
from cinematch_assets_tests.support.platforms import drop, load_table

__all__ = ["cinematch", "platform"]  # fixtures


@pytest.fixture(autouse=True)
def _hostile_rows(platform: Platform) -> None:
    """Movies 1 to 16 have hostile titles and genres, the quarantine hostile rows, and work hostile reasons."""
    with platform.warehouse.connect() as connection:
        for number, text in enumerate(HOSTILE, 1):
            connection.execute("UPDATE movies SET title = %s, genres = %s WHERE movieid = %s", [text, text, number])
            connection.execute(
                "INSERT INTO ops.outstanding_work (kind, work, content, state, reason, next_step) "
                "VALUES ('batch', %s, 'x', 'waiting', %s, %s) ON CONFLICT DO NOTHING",
                [text, text, text],
            )
        connection.execute("DELETE FROM ops.rejected_rows WHERE md5 = 'hostile'")
        for number, text in enumerate(HOSTILE, 1):
            connection.execute(
                "INSERT INTO ops.rejected_rows (path, md5, table_name, row_number, raw_row, reasons) "
                "SELECT path, md5, 'ratings', %s, %s, ARRAY[%s] FROM ops.files WHERE path = 'ratings.csv' LIMIT 1",
                [number, text, text],
            )


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("recommend", "1", "-k", "50"),
        ("recommend", "--likes", "Film 50", "-k", "50"),
        ("similar", "50", "-k", "50"),
        ("rejects", "list", "ratings.csv"),
        ("rejects", "list"),
        ("models", "list"),
        ("drive", "check"),
        ("sql", "SELECT title, genres FROM movies WHERE movieid <= 16 ORDER BY movieid"),
    ],
)
def test_no_command_lets_text_steer_the_terminal(cinematch: Command, words: tuple[str, ...]) -> None:
    shown = cinematch(*words)
    assert steering_characters(shown) == set()


def test_markup_is_shown_as_it_was_written(cinematch: Command) -> None:
    shown = cinematch("sql", "SELECT title FROM movies WHERE movieid <= 16 ORDER BY movieid")
    for text in HOSTILE:
        assert text.encode("unicode_escape").decode() in shown.replace("\\u000d", "\\r").replace("\\u00", "\\x"), text


@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_repeats_an_argument_as_text(cinematch: Command, text: str) -> None:
    for words in (
        ("similar", f"{text} unheard of"),
        ("recommend", "--likes", f"{text} unheard of"),
        ("sql", "@" + text),
        ("sql", f"SELECT {text}"),
    ):
        said = cinematch(*words, code=1)
        assert said.startswith("error: ")
        assert steering_characters(said) == set()


@pytest.mark.parametrize("text", [text for text in HOSTILE if "/" not in text])
def test_names_and_headers_of_files_are_text(cinematch: Command, platform: Platform, tmp_path: Path, text: str) -> None:
    drop(platform, f"batches/{text}.csv", f"{text},movieId,rating,timestamp\n1,1,4.0,1\n")
    assert steering_characters(cinematch("status")) == set()
    (tmp_path / "train.csv").write_text(f"{text},movieId\n1,1\n")
    said = cinematch("evaluate", "--train", str(tmp_path / "train.csv"), "--test", str(tmp_path / "train.csv"), code=1)
    assert steering_characters(said) == set()


def test_a_column_s_name_is_text(cinematch: Command) -> None:
    names = [text for text in HOSTILE if '"' not in text and len(text) < 63]
    query = ", ".join(f'{number} AS "{name}"' for number, name in enumerate(names))
    assert steering_characters(cinematch("sql", f"SELECT {query}")) == set()
    (row,) = json.loads(cinematch("sql", f"SELECT {query}", "--json"))
    assert list(row) == names


def test_json_holds_the_text_itself(cinematch: Command) -> None:
    printed = cinematch("sql", "SELECT title FROM movies WHERE movieid <= 16 ORDER BY movieid", "--json")
    assert steering_characters(printed) == set()
    assert [row["title"] for row in json.loads(printed)] == list(HOSTILE)


def test_the_consoles_send_nothing_of_it_whatever_it_is_part_of(capsys: pytest.CaptureFixture[str]) -> None:
    for text in HOSTILE:
        output.out.print(text, f"{text}:", 1)
        output.print_table(text, [text], [[text]])
        with output.progress(text) as bar:
            bar(text, 0.5)
    assert steering_characters(capsys.readouterr().out) == set()


def test_a_refused_batch_names_its_header_as_text(cinematch: Command, platform: Platform) -> None:
    for number, text in enumerate(HOSTILE):
        header = text.replace('"', "'").replace("\r", "")
        with pytest.raises(Exception, match=r".") as refused:
            load_table(platform, f"batches/hostile_{number}", f'"{header}",movieId,rating\n1,1,4.0\n')
        assert "\n" not in str(refused.value)
