"""The same hostile strings as titles, rows, columns, arguments and file names, through each command."""

import json
import sys
from pathlib import Path

import pytest

from cinematch_assets.cli import output
from cinematch_assets.cli.main import main
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.cli.test_commands import Command, cinematch, platform
from cinematch_assets_tests.support.commands import LEAVES, SERVERS, SHOWING
from cinematch_assets_tests.support.hostile import HOSTILE, steering_characters
from cinematch_assets_tests.support.platforms import drop, load_table

pytestmark = pytest.mark.faults("hostile-names")

__all__ = ["cinematch", "platform"]  # fixtures


_TEXTS_IN_TABLES = (
    "INSERT INTO ops.audit (action, subject, actor, reason) VALUES ('release', %(text)s, %(text)s, %(text)s)",
    "INSERT INTO ops.notifications (kind, subject, body, next_step) VALUES ('given up', %(text)s, %(text)s, %(text)s)",
    "INSERT INTO ops.conditions VALUES (%(text)s, 'folder', %(text)s, %(text)s, now()) ON CONFLICT DO NOTHING",
    "INSERT INTO ops.erasures (requested_by, reason, people, finished_at) VALUES (%(text)s, %(text)s, 1, now())",
    """INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status, notes)
    VALUES (left(%(text)s, 50), now(), 1, 'failed', %(text)s) ON CONFLICT DO NOTHING""",
    """INSERT INTO ops.files (path, for_table, md5, size, store_key, note, state)
    VALUES (%(text)s, 'batches/' || %(text)s, md5(%(text)s), 1, %(text)s, %(text)s, 'refused')
    ON CONFLICT DO NOTHING""",
)


@pytest.fixture(autouse=True, scope="module")
def _hostile_rows(platform: Platform) -> None:
    """The first movies have hostile titles and genres; every table that a command shows has hostile texts."""
    with platform.warehouse.connect() as connection:
        for number, text in enumerate(HOSTILE, 1):
            connection.execute("UPDATE movies SET title = %s, genres = %s WHERE movieid = %s", [text, text, number])
            connection.execute(
                "INSERT INTO ops.outstanding_work (kind, work, content, state, reason, next_step) "
                "VALUES ('batch', %s, 'x', 'waiting', %s, %s) ON CONFLICT DO NOTHING",
                [text, text, text],
            )
            for statement in _TEXTS_IN_TABLES:
                connection.execute(statement.encode(), {"text": text})
        connection.execute("DELETE FROM ops.rejected_rows WHERE md5 = 'hostile'")
        for number, text in enumerate(HOSTILE, 1):
            connection.execute(
                "INSERT INTO ops.rejected_rows (path, md5, table_name, row_number, raw_row, reasons) "
                "SELECT path, md5, 'ratings', %s, %s, ARRAY[%s] FROM ops.files WHERE path = 'ratings.csv' LIMIT 1",
                [number, text, text],
            )


LONG = {("doctor",), ("report",), ("simulate",), ("evaluate",), ("migrate",), ("features", "refit")}


@pytest.fixture
def shown(cinematch: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command to whatever end; return what it printed on both streams."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cinematch", *words])
        with pytest.raises(SystemExit):
            main()
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return output.out + output.err

    return run


def test_no_command_is_left_out() -> None:
    assert set(SHOWING) | SERVERS == set(LEAVES)


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=[pytest.mark.slow] if each in LONG else [], id=" ".join(each)) for each in SHOWING],
)
def test_no_command_lets_text_steer_the_terminal(
    shown: Command, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hostile.csv").write_text(",".join(f'"{text}"' for text in HOSTILE) + "\n1,2\n")
    has_json = any("--json" in parameter.opts for parameter in LEAVES[command].params)
    for words in SHOWING[command]:
        for more in ((), ("--json",)) if has_json and "--lines" not in words else ((),):
            assert steering_characters(shown(*command, *words, *more)) == set(), (words, more)


@pytest.mark.slow
@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_no_argument_steers_the_terminal(
    shown: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "".join(HOSTILE[:12]).replace("/", "")
    parameters = LEAVES[command].params
    required = [text for each in parameters if each.required and each.param_type_name == "argument"]
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            continue
        words = [*parameter.opts[:1], text] if parameter.param_type_name == "option" else [text]
        assert steering_characters(shown(*command, *words)) == set(), parameter.name
    for wrong in ([text] * 3, [f"--{text}"], [f"-{text}"]):
        assert steering_characters(shown(*command, *required, *wrong)) == set()


def test_no_command_s_name_steers_the_terminal(shown: Command) -> None:
    text = "".join(HOSTILE)
    assert steering_characters(shown(text)) == set()
    assert steering_characters(shown("models", text)) == set()


def test_markup_is_shown_as_it_was_written(cinematch: Command) -> None:
    shown = cinematch("sql", f"SELECT title FROM movies WHERE movieid <= {len(HOSTILE)} ORDER BY movieid")
    for text in map(str.strip, HOSTILE):
        assert text.encode("unicode_escape").decode() in shown.replace("\\u000d", "\\r").replace("\\u00", "\\x"), text


@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_repeats_an_argument_as_text(cinematch: Command, text: str) -> None:
    for words in (
        ("similar", "--", f"{text} unheard of"),
        ("recommend", "--likes", f"{text} unheard of"),
        ("sql", "@" + text),
        ("sql", f"SELECT nowhere.nothing, {text}"),
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
    printed = cinematch("sql", f"SELECT title FROM movies WHERE movieid <= {len(HOSTILE)} ORDER BY movieid", "--json")
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
