"""The page is one file without network or script, small, and shows text from outside as text."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from cinematch_assets.pipeline.attention import AttentionRow
from cinematch_assets.pipeline.monitoring.facts import (
    Champion,
    Facts,
    FailedRun,
    Histogram,
    Storage,
    VersionLine,
)
from cinematch_assets.pipeline.monitoring.page import STATISTICS, render
from cinematch_assets.warehouse.batch_performance import BatchPerformance
from cinematch_assets.warehouse.monitoring import (
    Arrival,
    ChampionChange,
    DecisionLine,
    DriftScore,
    ListTotals,
    OfferedMovie,
    RatedMovie,
    SampleUser,
    ShownMovie,
)
from cinematch_assets.warehouse.status import RejectedLine

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
MAX_BYTES = 100_000
REASON = "rating_mean 0.132: over the limit of 0.100, and far above the 0.017 that batches without drift reach; due"
NOTES = dict.fromkeys(STATISTICS, "Baseline: 3.540, New: 3.968") | {"rating_distribution_ks": "KS p-value: 0.000000"}
HOSTILE = "</td><script>alert('x')</script>"


def make_facts(batches: int = 60, versions: int = 20, *, text: str = "batch_w") -> Facts:
    """Facts of so many weeks; every third batch has drifted, every fourth version was rejected."""
    names = [f"{text}{number}" for number in range(1, batches + 1)]
    times = [NOW - timedelta(weeks=batches - number) for number in range(batches)]
    arrivals = [
        Arrival(name, f"batches/{name}.csv", "loaded", at, 4_300, 4_290, 10, None, "merged", "retrained", REASON)
        for name, at in zip(names, times, strict=True)
    ]
    drift = [
        DriftScore(name, statistic, 0.02 + 0.12 * (number % 3 == 2), 0.1, number % 3 == 2, 0.03, NOTES[statistic])
        for number, name in enumerate(names)
        for statistic in STATISTICS
    ]
    lines = [
        VersionLine(
            f"run_0a1b2c3d_v{n}",
            n,
            "rejected" if n % 4 == 0 else "promoted",
            NOW,
            0.88 - n / 1000,
            0.25 + n / 1000,
            0.1,
            100_000,
            "no worse: RMSE 0.8904 against 0.8884, +0.23% (+0.12% to +0.32%) on 30,022 test rows of 943 users",
        )
        for n in range(1, versions + 1)
    ]
    users = [
        SampleUser(n, 10 * n, [RatedMovie(f"{text} liked", 5.0)], [OfferedMovie(1, "Heat (1995)", [f"{text} because"])])
        for n in (1, 2, 3)
    ]
    champion = Champion(
        lines[-1].version, versions, NOW, f"{text} {REASON}", 0.86, "bias_only", 0.95, 0.01, lines[0].version
    )
    return Facts(
        written_at=NOW,
        attention=[
            AttentionRow(f"{text}7", None, f"{text} was refused", f"look at {text}", needs_a_person=True),
            AttentionRow("retraining", NOW, "the disk is full", "it is tried again", needs_a_person=False),
        ],
        champion=champion,
        ratings=123_456,
        unseen_ratings=4_300,
        arrivals=arrivals[::-1],
        older_arrivals=3,
        drift=drift,
        histogram=Histogram(names[-1], tuple(range(10, 20)), tuple(range(10))),
        versions=lines,
        champion_changes=[ChampionChange(each.version, None, NOW, REASON) for each in lines],
        rejected=[RejectedLine(f"{text}.csv", f"{text}: rating is not from 0.5 to 5.0", 3, 17)],
        decisions=[
            DecisionLine(name, NOW, due=True, reason=REASON, state="retrained", outcome=text) for name in names[:20]
        ],
        lists=ListTotals(943, 9_430, 413, 1_682, 1_500),
        most_shown=[ShownMovie(f"{text} shown", 207)],
        sample_users=users,
        performance=[
            BatchPerformance(
                name,
                "0" * 32,
                NOW,
                4_300,
                lines[-1].version,
                0.87,
                0.68,
                lines[-2].version,
                0.88,
                0.69,
                -0.01,
                -0.02,
                0.001,
                lines[-1].version,
                120,
                84,
                4_180,
                1_672,
            )
            for name in names[:20]
        ]
        if versions > 1
        else [],
        storage=Storage(25 * 2**20, 512, 4_300, 100.0),
        newest_batch_at=NOW - timedelta(days=3),
        failed_runs=[FailedRun("0a1b2c3d-9f", "ingest_batch", NOW, names[-1], f"{text} 10 of 20 rows do not fit")],
    )


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def test_a_page_of_sixty_batches_is_small() -> None:
    assert 40_000 < len(render(make_facts(60)).encode()) <= MAX_BYTES


def test_it_needs_no_network_and_no_script() -> None:
    page = Page(render(make_facts(12)))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "form", "object"}
    assert page.values("src") == []
    assert all(href.startswith(("/", "#")) for href in page.values("href"))
    assert "url(" not in render(make_facts(3))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_text_from_outside_is_text_wherever_it_stands() -> None:
    html = render(make_facts(12, text=HOSTILE))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 30
    assert Page(html).text.count(HOSTILE) > 30


def test_it_begins_with_the_state_and_what_to_do() -> None:
    text = re.sub(r"\s+", " ", Page(render(make_facts(12))).text)
    assert "CineMatch: 1 thing needs attention; v20 serves 943 users" in text
    order = [
        "What to do",
        "At a glance",
        "What arrived",
        "Drift",
        "Models",
        "Rejected rows",
        "Decisions to retrain",
        "Recommendations",
        "Freshness and size",
        "Failed runs",
    ]
    places = [text.index(f" {heading} ") for heading in order]
    assert places == sorted(places)
    assert "batch_w7: batch_w was refused Next: look at batch_w" in text
    assert "1 more goes on by itself" in text


def test_every_figure_of_the_tiles_is_there() -> None:
    text = re.sub(r"\s+", " ", Page(render(make_facts(12))).text)
    for figure in ("123,456", "4,300 more wait", "0.860", "bias_only: 0.950", "413 of 1,682", "25 of 512 MB", "5 %"):
        assert figure in text, figure
    assert "28 MB in 8 weeks" in text
    assert "1.0 % over that of the best version so far, v1" in text
    assert "16 % of them go to the ten most shown movies" in text


def test_hit_rates_of_the_lists_and_the_champion_s_error_are_shown_by_batch() -> None:
    text = re.sub(r"\s+", " ", Page(render(make_facts(12))).text)
    assert "batch_w1v200.87000.880070 %12040 %" in text


def test_alerts_are_counted_and_the_table_says_the_scores() -> None:
    text = Page(render(make_facts(12))).text
    assert text.count("4 of 12 over 0.10") == len(STATISTICS)
    assert text.count("▲ 0.1400") == 4 * len(STATISTICS)
    assert text.count("3.540 → 3.968") == 12 * (len(STATISTICS) - 1), "what was compared, but of the KS distance"


def test_each_chart_has_a_name_and_each_wide_table_can_be_scrolled_by_keyboard() -> None:
    page = Page(render(make_facts(12)))
    figures = [attributes for tag, attributes in page.tags if tag == "figure"]
    assert len(figures) == len(STATISTICS) + 1 + 2 + 1
    assert all(each["role"] == "img" and each["aria-label"] for each in figures)
    wide = [attributes for _, attributes in page.tags if attributes.get("class") == "scroll"]
    assert all(each["tabindex"] == "0" and each["role"] == "region" and each["aria-label"] for each in wide)


def test_links_lead_to_the_ui_also_from_a_file() -> None:
    facts = make_facts(3)
    assert {"/", "/runs/0a1b2c3d-9f"} <= set(Page(render(facts)).values("href"))
    beside = Page(render(facts, ui="http://127.0.0.1:3000")).values("href")
    assert {"http://127.0.0.1:3000/", "http://127.0.0.1:3000/runs/0a1b2c3d-9f"} <= set(beside)


@pytest.mark.parametrize("what", ["champion", "histogram", "failed_runs", "newest_batch_at"])
def test_what_is_not_there_is_said(what: str) -> None:
    assert Page(render(replace(make_facts(3), **{what: None}))).text


def test_nothing_at_all_is_a_page() -> None:
    empty = replace(
        make_facts(1),
        attention=[],
        champion=None,
        arrivals=[],
        older_arrivals=0,
        drift=[],
        histogram=None,
        versions=[],
        champion_changes=[],
        rejected=[],
        decisions=[],
        lists=ListTotals(0, 0, 0, 0, 0),
        most_shown=[],
        sample_users=[],
        performance=[],
        failed_runs=[],
        newest_batch_at=None,
    )
    text = Page(render(empty)).text
    for sentence in (
        "Nothing: the platform goes on",
        "No batch yet",
        "No model was trained yet",
        "No lists are published",
    ):
        assert sentence in text
