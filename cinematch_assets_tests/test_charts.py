"""Charts are valid SVG, fit into Dagster's metadata, and show what they were given."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from cinematch_assets.charts import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    Level,
    Point,
    as_markdown,
    bars,
    histogram_beside,
    levels,
    over_time,
)
from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS

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
        over_time([Point(v) for v in (0.91, 0.9, None, 0.88, 0.885)], limit=0.95, ends=("v1", "v5")),
        bars([(f"component {number}", 0.2 / number) for number in range(1, 6)]),
    ],
    ids=["histogram", "levels", "over time", "bars"],
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
    svg = over_time([Point(1.0), Point(2.0), Point(None), Point(3.0)])
    line = next(path for path in paths(svg) if path.get("stroke") == BLUE)
    assert (line.get("d") or "").count("M") == 2


def test_an_alert_is_a_triangle_and_a_rejection_a_ring_not_only_another_colour() -> None:
    plain = over_time([Point(1.0), Point(2.0)])
    shapes = {path.get("d") for path in paths(over_time([Point(1.0, is_marked=True), Point(2.0, is_hollow=True)]))}
    assert len(paths(plain)) == 2  # the line, and the squares
    assert any("l-5-9z" in (d or "") for d in shapes)
    assert len(shapes) == 3


def test_a_limit_is_in_view_and_named() -> None:
    svg = over_time([Point(0.01)], limit=0.1, ends=("batch_w1", "batch_w1"))
    assert texts(svg) == ["limit 0.100", "0.010", "batch_w1"]


def test_what_happens_by_chance_is_shaded_from_zero() -> None:
    svg = over_time([Point(0.05, usual=0.02), Point(0.06, usual=0.03)], limit=0.1)
    shade = next(path for path in paths(svg) if path.get("opacity"))
    assert (shade.get("d") or "").endswith("V68z")  # zero is the lowest value in view


def test_nothing_to_draw_is_said() -> None:
    assert texts(over_time([Point(None), Point(None)])) == ["no values yet"]


def test_a_bar_says_its_value() -> None:
    assert texts(bars([("a", 0.25), ("b", 0.5)])) == ["a", "0.250", "b", "0.500"]
    assert bars([]).startswith("<svg")


def test_text_from_outside_is_text() -> None:
    hostile = "</text><script>alert(1)</script>"
    assert texts(levels([Level(hostile, 0.1, 0.1)])) == [hostile]
    assert texts(over_time([Point(1.0)], ends=(hostile, ""))) == ["1.000", hostile]
    assert as_markdown("<svg/>", "a](javascript:x)[b\n") == "![ajavascript:xb](data:image/svg+xml,%3Csvg/%3E)"
