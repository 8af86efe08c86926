import datetime as dt
import io
import json
from decimal import Decimal

import numpy as np
import pytest

from cinematch_assets.cli import output


def test_text_in_brackets_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table("of [bold]x[/]", ["[red]title"], [["[/] Heat [1995]"], ["[link=file:///etc]here[/link]"]])
    output.out.print("[bold]batch[/]: done")
    printed = capsys.readouterr().out
    for text in ("of [bold]x[/]", "[red]title", "[/] Heat [1995]", "[link=file:///etc]here[/link]", "[bold]batch[/]"):
        assert text in printed


def test_cells_are_formatted_by_their_type(capsys: pytest.CaptureFixture[str]) -> None:
    row = [1_234_567, 0.5, True, None, dt.datetime(2026, 1, 2, 3, 4, 5)]  # noqa: DTZ001
    output.print_table("", [*"abcde"], [row])
    printed = capsys.readouterr().out
    for text in ("1,234,567", "0.5000", "yes", "2026-01-02 03:04:05"):
        assert text in printed
    assert "None" not in printed


def test_json_is_printed_for_programs_on_one_value_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"when": dt.date(2026, 1, 2), "rating": Decimal("4.5"), "n": np.int64(3), "long": "x" * 500, "text": "[b]"}
    output.print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value | {"when": "2026-01-02", "rating": 4.5, "n": 3}
    assert len(printed.splitlines()) == len(value) + 2


def test_a_progress_bar_prints_nothing_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("reading") as bar:
        bar("fitting", 0.5)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "encoding", "written"),
    [
        ("★ 4.0 ± 0.5 → • …", "utf-8", "★ 4.0 ± 0.5 → • …"),
        ("★ 4.0 ± 0.5 → • …", "ascii", "* 4.0 +/- 0.5 -> * ..."),
        ("★ 4.0 ± 0.5", "latin-1", "* 4.0 ± 0.5"),
        ("Amélie", "ascii", "Amelie"),
        ("Amélie", "latin-1", "Amélie"),
        ("七人の侍", "ascii", "\\u4e03\\u4eba\\u306e\\u4f8d"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(text: str, encoding: str, written: str) -> None:
    assert output.encodable(text, encoding) == written


def test_a_table_stays_straight_on_a_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)
    output.print_table("★", ["±", "title"], [["4.0 ± 0.5", "Amélie"], ["4.0", "七人"]])
    output.print_json({"title": "七人"})
    terminal.seek(0)
    table, _, rest = terminal.read().partition("{")
    rows = [line for line in table.splitlines() if "|" in line or "+--" in line or "--+" in line]
    assert len(rows) == 4
    assert len({line.replace("-+-", "-|-").index("|") for line in rows}) == 1
    assert json.loads("{" + rest) == {"title": "七人"}


@pytest.mark.parametrize("width", [40, 80, 200])
def test_words_are_whole_at_any_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    words = ["batch_w3", "rating_distribution_ks", "2026-11-27", "completed", "run_1a2b3c4d_v12"]
    output.print_table("Widths", words, [words, ["a few words that can be folded", 1_000_000, None, 0.5, True]])
    lines = terminal.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert all(terminal.getvalue().count(word) >= 2 for word in words)


def test_numbers_in_text_are_right_aligned_and_an_empty_table_says_its_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stdout", terminal)
    output.print_table("Sizes", ["table", "MB"], [["ratings", "12.5"], ["movies", "0.7"]])
    output.print_table("None", ["table", "MB"], [])
    lines = [line.rstrip() for line in terminal.getvalue().splitlines()]
    assert lines[4].endswith("12.5")
    assert lines[5].endswith(" 0.7")
    assert "table" in lines[-1] or "table" in lines[-2]


def test_quiet_leaves_out_notes_and_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output.notes, "quiet", True)
    output.notes.print("a step")
    output.out.print("a result")
    assert capsys.readouterr().out == "a result\n"
