import pytest

from cinematch_assets.dagster_support.markdown import command, plain, short, table


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[a](javascript:x)",
        "![x](http://host/p.png)",
        "a | b",
        "`code`",
        "**bold** _i_",
        "# h",
    ],
)
def test_text_from_outside_has_no_syntax(hostile: str) -> None:
    escaped = plain(hostile)
    assert not set("<>[]()|`*_!") & set(escaped)
    assert "&#" in escaped


def test_invisible_characters_are_shown_and_lines_end_nowhere() -> None:
    assert plain("a\nb\u202ec\0") == "a b&#92;u202ec&#92;u0000"
    assert "\n" not in plain("a\r\nb")
    assert "\u202e" not in plain("\u202e")


def test_long_text_is_cut() -> None:
    assert plain("x" * 300, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("batches/batch_w1.csv", "`cinematch rejects list batches/batch_w1.csv`"),
        ("batches/batch w1 & 2.csv", "`cinematch rejects list 'batches/batch w1 & 2.csv'`"),
        ("a`b``c\n.csv", "``` cinematch rejects list 'a`b``c .csv' ```"),
    ],
)
def test_a_command_can_be_copied_as_it_is_shown(path: str, shown: str) -> None:
    assert command("cinematch", "rejects", "list", path) == shown


def test_a_table_and_a_figure() -> None:
    assert table(("a", "b"), [(1, 2)]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert (short(None), short(0.123456)) == ("undefined", "0.1235")
