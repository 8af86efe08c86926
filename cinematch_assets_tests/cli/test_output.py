import datetime as dt
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
