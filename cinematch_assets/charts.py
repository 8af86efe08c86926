"""Small charts as SVG, for the metadata of assets and for pages: two colours that colour-blind people can tell apart.

Dagster's UI shows a picture in Markdown from a ``data:`` address, and Markdown in place only below 1,000 characters. So
coordinates are whole pixels, a series is one path, and colours are mid-tones that can be read on light and dark ground.

Here: drawing. Not here: which figures are drawn (``dagster_support.metadata``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

WIDTH = 360
"""Pixels; Dagster's overview cuts what is wider than 380."""
INLINE_CHARACTERS = 1_000
GREY, BLUE, ORANGE = "#767676", "#3b7ea8", "#d9772b"
_SAFE = "/:;,.=-'()!*&?@$"
"""Characters that neither a ``data:`` address nor Markdown's target of a picture needs escaped."""


@dataclass(frozen=True, slots=True)
class Level:
    """A figure beside its limit, and how far it gets by chance; all in the figure's unit, None where undefined."""

    name: str
    score: float | None
    limit: float
    usual: float | None = None


def as_markdown(svg: str, description: str) -> str:
    """A picture for ``MetadataValue.md``; the description is read out instead of it."""
    plain = "".join(character for character in description if character not in "[]()\\\n")
    return f"![{plain}](data:image/svg+xml,{quote(svg, safe=_SAFE).replace('(', '%28').replace(')', '%29')})"


def histogram_beside(
    history: Sequence[float], batch: Sequence[float], ends: tuple[str, str], *, height: int = 70
) -> str:
    """Two histograms over the same bins, each scaled to shares: history in grey, the batch in orange beside it.

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
    """A bar for each figure as a share of its limit, which is the line; the grey part is what chance alone reaches.

    Bars end at twice the limit.
    """
    line, name_width = 18, 150
    scale = (WIDTH - name_width) / 2
    drawn, grey, blue, orange = "", "", "", ""
    for row, level in enumerate(rows):
        middle = row * line + 12
        drawn += _text(0, middle, level.name)
        if level.usual is not None:
            grey += _bar(name_width, middle - 9, round(min(level.usual / level.limit, 2) * scale), 10)
        if level.score is not None:
            bar = _bar(name_width, middle - 6, round(min(max(level.score, 0) / level.limit, 2) * scale), 4)
            if level.score > level.limit:
                orange += bar
            else:
                blue += bar
    limit = f"<path d='M{name_width + round(scale)} 0v{line * len(rows)}' stroke='{GREY}'/>"
    bars = f"<g opacity='.35'>{_path(grey, GREY)}</g>" if grey else ""
    return _svg(line * len(rows), bars + _path(blue, BLUE) + _path(orange, ORANGE) + limit + drawn)


def line_over(values: Sequence[float | None], marked: Sequence[int] = (), *, height: int = 60) -> str:
    """A line over versions or batches, with the last value written and ``marked`` positions as dots.

    Args:
        values: in order of time; None leaves a gap.
        marked: positions of ``values``.
        height: pixels between the lowest and the highest value.
    """
    known = [value for value in values if value is not None]
    if not known:
        return _svg(height, _text(0, 12, "no values yet"))
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    step = (WIDTH - 70) / max(1, len(values) - 1)
    points = [
        None if value is None else (4 + round(position * step), 4 + round((high - value) / span * height))
        for position, value in enumerate(values)
    ]
    path, pen = "", "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path += f"{pen}{point[0]} {point[1]}"
        pen = "L"
    dots = "".join(f"<circle cx='{at[0]}' cy='{at[1]}' r='3'/>" for i in marked if (at := points[i]) is not None)
    last_x, last_y = next(point for point in reversed(points) if point is not None)
    return _svg(
        height + 8,
        f"<path d='{path}' fill='none' stroke='{BLUE}' stroke-width='2'/><g fill='{ORANGE}'>{dots}</g>"
        + _text(last_x + 6, last_y + 4, _short(known[-1])),
    )


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
    return f"{value:.3f}".removeprefix("0") if abs(value) < 10 else f"{value:,.0f}"


def _svg(height: int, body: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' font-size='11' "
        f"font-family='sans-serif' fill='{GREY}'>{body}</svg>"
    )
