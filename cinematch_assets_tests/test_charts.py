"""Charts are valid SVG, fit into Dagster's metadata, and show what they were given."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from cinematch_assets.charts import (
    GREY,
    INLINE_CHARACTERS,
    ORANGE,
    WIDTH,
    Level,
    as_markdown,
    histogram_beside,
    levels,
    line_over,
)

SVG = "{http://www.w3.org/2000/svg}"
HISTORY = [1370, 2811, 1791, 7551, 5550, 20047, 13136, 26818, 8551, 13211]
BATCH = [10, 14, 20, 50, 75, 120, 400, 1500, 900, 2000]
DRIFT = [
    Level("rating_mean", 0.1319, 0.1, 0.017),
    Level("rating_std", 0.1087, 0.15, 0.02),
    Level("rating_distribution_ks", 0.1755, 0.05, 0.02),
    Level("model_rmse", 0.1299, 0.1, 0.04),
    Level("model_mae", None, 0.1, None),
]


def drawing(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own charts


def paths(svg: str) -> list[ET.Element]:
    return list(drawing(svg).iter(f"{SVG}path"))


def texts(svg: str) -> list[str]:
    return [str(element.text) for element in drawing(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    "svg",
    [
        histogram_beside(HISTORY, BATCH, ("0.5", "5")),
        levels(DRIFT),
        line_over([0.91, 0.9, None, 0.88, 0.885], [0, 3]),
    ],
    ids=["histogram", "levels", "line"],
)
def test_a_picture_is_shown_in_place_by_the_ui(svg: str) -> None:
    markdown = as_markdown(svg, "a chart")
    assert len(markdown) < INLINE_CHARACTERS
    assert unquote(markdown.removeprefix("![a chart](data:image/svg+xml,").removesuffix(")")) == svg
    assert drawing(svg).get("width") == str(WIDTH)


def test_a_histogram_of_ten_bins_and_the_sentence_beside_it_stay_in_place() -> None:
    picture = as_markdown(histogram_beside(HISTORY, BATCH, ("0.5", "5")), "batch beside history")
    assert len(picture) + 150 < INLINE_CHARACTERS


def test_bars_are_shares_so_that_a_small_batch_can_be_compared() -> None:
    svg = histogram_beside([10, 10], [1, 3], ("a", "b"), height=100)
    history, batch = (path.get("d") or "" for path in paths(svg))
    assert re.findall(r"v-(\d+)", history) == ["67", "67"]
    assert re.findall(r"v-(\d+)", batch) == ["33", "100"]


def test_an_empty_batch_draws_nothing() -> None:
    assert [path.get("fill") for path in paths(histogram_beside([1, 2], [0, 0], ("a", "b")))] == [GREY]


def test_a_figure_over_its_limit_has_another_colour() -> None:
    over = levels([Level("rating_mean", 0.2, 0.1)])
    under = levels([Level("rating_mean", 0.05, 0.1)])
    assert ORANGE in over
    assert ORANGE not in under


def test_an_undefined_figure_has_a_name_and_no_bar() -> None:
    svg = levels([Level("model_rmse", None, 0.1)])
    assert texts(svg) == ["model_rmse"]
    assert len(paths(svg)) == 1  # the line of the limit


def test_a_gap_interrupts_the_line() -> None:
    assert (paths(line_over([1.0, 2.0, None, 3.0]))[0].get("d") or "").count("M") == 2


def test_nothing_to_draw_is_said() -> None:
    assert texts(line_over([None, None])) == ["no values yet"]


def test_text_from_outside_is_text() -> None:
    hostile = "</text><script>alert(1)</script>"
    assert texts(levels([Level(hostile, 0.1, 0.1)])) == [hostile]
    assert as_markdown("<svg/>", "a](javascript:x)[b\n") == "![ajavascript:xb](data:image/svg+xml,%3Csvg/%3E)"
