"""Small charts as SVG, for the metadata of assets and for pages; colours that colour-blind people can tell apart.

Dagster's UI shows a picture in Markdown from a ``data:`` address, and Markdown in place only below 1,000 characters. So
coordinates are whole pixels, a series is one path, and colours are mid-tones that can be read on light and dark ground.
What a colour says, a shape or a text says too.

Here: drawing. Not here: which figures are drawn (``pipeline.monitoring``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

WIDTH = 360
"""Pixels; Dagster's overview cuts what is wider than 380."""
GREY, BLUE, ORANGE = "#767676", "#3b7ea8", "#d9772b"
_SAFE = "/:;,.=-'!*&?@$"
"""Characters that neither a ``data:`` address nor Markdown's target of a picture needs escaped."""
_NAME_WIDTH = 150
_BESIDE = 82
"""Pixels right of a line, for its name and value: ``limit 0.100`` in the widest of the usual fonts."""


@dataclass(frozen=True, slots=True)
class Level:
    """A figure beside its limit, and how far it gets by chance; all in the figure's unit, None where undefined."""

    name: str
    score: float | None
    limit: float
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one batch or version; ``is_marked`` draws it as a triangle, ``is_hollow`` as a ring."""

    value: float | None
    usual: float | None = None
    is_marked: bool = False
    is_hollow: bool = False


def as_markdown(svg: str, description: str) -> str:
    """Return a picture for ``MetadataValue.md``; the description is read out instead of it."""
    plain = "".join(character for character in description if character not in "[]()\\\n")
    return f"![{plain}](data:image/svg+xml,{quote(svg, safe=_SAFE)})"


def histogram_beside(
    history: Sequence[float], batch: Sequence[float], ends: tuple[str, str], *, height: int = 70
) -> str:
    """Draw two histograms over the same bins, each scaled to shares: history in grey, the batch in orange beside it.

    Args:
        history: counts, (bins,).
        batch: counts, (bins,).
        ends: labels of the first and the last bin.
        height: pixels of the tallest bar.
    """
    step = WIDTH // len(history)
    shares = [_shares(history), _shares(batch)]
    top = max(*shares[0], *shares[1], 1e-9)
    width = max(1, step // 2 - 1)
    paths = "".join(
        _path(
            "".join(
                f"M{bin_ * step + series * width} {height}v-{round(share / top * height)}h{width}V{height}"
                for bin_, share in enumerate(bars)
                if round(share / top * height)
            ),
            colour,
        )
        for series, (bars, colour) in enumerate(zip(shares, (GREY, ORANGE), strict=True))
    )
    below = height + 12
    labels = _text(0, below, ends[0]) + _text(step * len(history), below, ends[1], anchor="end")
    return _svg(height + 15, paths + labels)


def levels(rows: Sequence[Level]) -> str:
    """Draw a bar for each figure as a share of its limit, the line; the grey part is what chance alone reaches.

    Bars end at twice the limit; one over its limit is orange, and its name is marked with a triangle.
    """
    line = 18
    scale = (WIDTH - _NAME_WIDTH) / 2
    drawn, grey, blue, orange = "", "", "", ""
    for row, level in enumerate(rows):
        middle = row * line + 12
        is_over = level.score is not None and level.score > level.limit
        drawn += _text(0, middle, f"▲ {level.name}" if is_over else level.name)
        if level.usual is not None:
            grey += _bar(_NAME_WIDTH, middle - 9, round(min(level.usual / level.limit, 2) * scale), 10)
        if level.score is not None:
            bar = _bar(_NAME_WIDTH, middle - 6, round(min(max(level.score, 0) / level.limit, 2) * scale), 4)
            if is_over:
                orange += bar
            else:
                blue += bar
    limit = f"<path d='M{_NAME_WIDTH + round(scale)} 0v{line * len(rows)}' stroke='{GREY}'/>"
    bars = f"<g opacity='.35'>{_path(grey, GREY)}</g>" if grey else ""
    return _svg(line * len(rows), bars + _path(blue, BLUE) + _path(orange, ORANGE) + limit + drawn)


def bars(rows: Sequence[tuple[str, float]]) -> str:
    """Draw a bar with its name and value for each figure, as a share of the largest."""
    line, right = 18, 50
    top = max((value for _, value in rows), default=0) or 1
    drawn = blue = ""
    for row, (name, value) in enumerate(rows):
        middle = row * line + 12
        width = round(max(value, 0) / top * (WIDTH - _NAME_WIDTH - right))
        drawn += _text(0, middle, name) + _text(_NAME_WIDTH + width + 5, middle, _short(value))
        blue += _bar(_NAME_WIDTH, middle - 8, width, 8)
    return _svg(line * max(1, len(rows)), _path(blue, BLUE) + drawn)


def over_time(
    points: Sequence[Point],
    *,
    limit: float | None = None,
    limit_name: str = "limit",
    ends: tuple[str, str] = ("", ""),
    height: int = 60,
) -> str:
    """Draw figures over batches or versions, oldest first, joined by a line, the last one's value beside it.

    Args:
        points: a value of None leaves a gap; ``usual`` is shaded from zero.
        limit: a dashed line.
        limit_name: what the line is called.
        ends: names of the first and the last point, below the chart.
        height: pixels between the lowest and the highest value.
    """
    known = [point.value for point in points if point.value is not None]
    if not known:
        return _svg(height, _text(0, 12, "no values yet"))
    usual = [point.usual for point in points if point.usual is not None]
    in_view = [*known, *([limit] if limit is not None else []), *([0.0, *usual] if usual else [])]
    low, high = min(in_view), max(in_view)
    span = (high - low) or 1.0
    step = (WIDTH - _BESIDE - 6) / max(1, len(points) - 1)
    top = 8

    def y(value: float) -> int:
        return top + round((high - value) / span * height)

    at = [(6 + round(position * step), point) for position, point in enumerate(points)]
    line, pen = "", "M"
    for x, point in at:
        line += "" if point.value is None else f"{pen}{x} {y(point.value)}"
        pen = "M" if point.value is None else "L"
    drawn = ""
    if usual:
        outline = "".join(f"L{x} {y(point.usual or 0)}" for x, point in at)
        drawn += f"<path d='M6 {y(0)}{outline}V{y(0)}z' fill='{GREY}' opacity='.3'/>"
    if limit is not None:
        drawn += f"<path d='M6 {y(limit)}H{WIDTH - _BESIDE}' stroke='{GREY}' stroke-dasharray='5 3'/>"
        drawn += _text(WIDTH - _BESIDE + 4, y(limit) + 4, f"{limit_name} {_short(limit)}")
    drawn += f"<path d='{line}' fill='none' stroke='{BLUE}'/>"
    drawn += _dots(at, y)
    last_x, last = next((x, point.value) for x, point in reversed(at) if point.value is not None)
    if limit is None or abs(y(last) - y(limit)) > 11:
        drawn += _text(last_x + 8, y(last) + 4, _short(last))
    below = top + height + 16
    if ends != ("", ""):
        drawn += _text(0, below, ends[0])
        drawn += _text(WIDTH - _BESIDE, below, ends[1], anchor="end") if len(points) > 1 else ""
    return _svg(below + (4 if ends != ("", "") else -8), drawn)


def _dots(at: Sequence[tuple[int, Point]], y: Callable[[float], int]) -> str:
    """Small squares, triangles for marked points, rings for hollow ones; a path each."""
    squares = triangles = rings = ""
    for x, point in at:
        if point.value is None:
            continue
        middle = y(point.value)
        if point.is_marked:
            triangles += f"M{x - 5} {middle + 4}h10l-5-9z"
        elif point.is_hollow:
            rings += f"M{x - 3} {middle - 3}h6v6h-6z"
        else:
            squares += f"M{x - 2} {middle - 2}h4v4h-4z"
    hollow = f"<path d='{rings}' fill='none' stroke='{GREY}' stroke-width='2'/>" if rings else ""
    return _path(squares, BLUE) + hollow + _path(triangles, ORANGE)


def _shares(counts: Sequence[float]) -> list[float]:
    total = float(sum(counts))
    return [count / total if total else 0.0 for count in counts]


def _bar(x: int, y: int, width: int, height: int) -> str:
    return f"M{x} {y}h{width}v{height}h-{width}z" if width else ""


def _path(d: str, colour: str) -> str:
    return f"<path d='{d}' fill='{colour}'/>" if d else ""


def _text(x: int, y: int, text: str, *, anchor: str = "") -> str:
    where = f" text-anchor='{anchor}'" if anchor else ""
    return f"<text x='{x}' y='{y}'{where}>{escape(text)}</text>"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"


def _svg(height: int, body: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}' "
        f"font-size='11' font-family='sans-serif' fill='{GREY}'>{body}</svg>"
    )
