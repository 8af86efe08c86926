"""What Prometheus reads: figures with units, of the tables, in text that a hostile name cannot break."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from cinematch_assets.pipeline.monitoring.metric_families import Scrape, exposition
from cinematch_assets.pipeline.monitoring.scrape_facts import NEWEST_BATCHES, ScrapeFacts
from cinematch_assets.values import Automation, Tick
from cinematch_assets.visible_text import visible
from cinematch_assets.warehouse.conditions import Freshness
from cinematch_assets.warehouse.monitoring import Arrival, DriftScore
from cinematch_assets.warehouse.notification_messages import ChannelState
from cinematch_assets_tests.support.hostile import HOSTILE, steering_characters

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BREAKING = 'a"} 1\n# HELP x \\ \u202e'

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def given_facts(**changed: Any) -> ScrapeFacts:
    facts = ScrapeFacts(
        read_at=NOW,
        needs_a_person=2,
        waiting=1,
        row_counts={},
        batches={"completed": 3},
        newest=[],
        drift=[],
        champion=None,
        version=None,
        freshness=Freshness(NOW - timedelta(days=2), None, 600 * 2**20, NOW - timedelta(hours=1)),
        budget_bytes=1000 * 2**20,
        unseen_ratings=7,
        retraining_due_since=None,
    )
    return replace(facts, **changed)


def given_scrape(facts: ScrapeFacts | None, automation: Automation | None = None) -> Scrape:
    return Scrape(NOW, facts, automation, None if automation is None else True, 0.1)


def series_of(scrape: Scrape) -> Series:
    """Every series of the text with its value, as a reader of the format sees it."""
    text = exposition(scrape)[0].decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(scrape: Scrape, name: str, **labels: str) -> float | None:
    return series_of(scrape).get((f"cinematch_{name}", tuple(sorted(labels.items()))))


def test_sizes_are_bytes_shares_are_ratios_and_ages_are_seconds() -> None:
    scrape = given_scrape(given_facts())
    assert value(scrape, "up") == 1
    assert value(scrape, "database_size_bytes") == 600 * 2**20
    assert value(scrape, "storage_used_ratio") == 0.6
    assert value(scrape, "newest_batch_age_seconds") == 2 * 86_400
    assert value(scrape, "lists_age_seconds") == 3600
    assert value(scrape, "needs_attention") == 2


def test_each_state_of_a_batch_has_a_series_from_the_first_scrape_on() -> None:
    scrape = given_scrape(given_facts())
    states = [value(scrape, "batches", state=state) for state in ("completed", "in_progress", "failed")]
    assert states == [3, 0, 0]


def test_what_is_not_known_has_no_series_rather_than_a_zero() -> None:
    scrape = given_scrape(given_facts(freshness=Freshness(None, None, 1)))
    for name in ("newest_batch_age_seconds", "lists_age_seconds", "lists_stale_seconds", "dagster_up"):
        assert value(scrape, name) is None
    names = {name for name, _ in series_of(scrape)}
    assert not {name for name in names if "champion" in name or "daemon" in name}


def test_a_warehouse_that_is_down_leaves_what_dagster_says() -> None:
    beat = NOW - timedelta(seconds=20)
    scrape = given_scrape(None, Automation((Tick("drive_sensor", beat), Tick("b", None, is_off=True)), beat))
    assert (value(scrape, "up"), value(scrape, "dagster_up")) == (0, 1)
    assert value(scrape, "daemon_heartbeat_age_seconds") == 20
    assert value(scrape, "sensor_tick_age_seconds", sensor="drive_sensor") == 20
    assert value(scrape, "sensor_tick_age_seconds", sensor="b") is None
    assert value(scrape, "sensor_enabled", sensor="b") == 0
    assert value(scrape, "database_size_bytes") is None


def test_a_clock_that_is_behind_gives_no_negative_age() -> None:
    facts = given_facts(freshness=Freshness(NOW + timedelta(seconds=3), None, 1))
    assert value(given_scrape(facts), "newest_batch_age_seconds") == 0


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_a_name_from_outside_stays_a_label(accept: str) -> None:
    names = (BREAKING, *HOSTILE)
    arrivals = [Arrival(name, "p", "loaded", NOW, 5, 4, 1, None, None, None, None) for name in names]
    scores = [DriftScore(name, name, 0.2, 0.1, True, None, "") for name in names]
    channels = [ChannelState("k", name, 3, NOW - timedelta(hours=1), None, None, None) for name in names]
    text, _ = exposition(given_scrape(given_facts(newest=arrivals, drift=scores, channels=channels)), accept)
    assert steering_characters(text.decode()) == set()
    plain = text_string_to_metric_families(text.decode())
    families = openmetrics.text_string_to_metric_families(text.decode()) if accept else plain
    found = {sample.labels["batch"] for family in families for sample in family.samples if "batch" in sample.labels}
    assert found == {visible(name) for name in names}


def test_channels_of_one_label_are_one_series_that_hides_neither() -> None:
    channels = [
        ChannelState("a", "Discord (URL 1)", 3, NOW - timedelta(hours=5), None, None, None),
        ChannelState("b", "Discord (URL 1)", 4, NOW - timedelta(hours=1), None, None, None),
        ChannelState("c", "Slack (URL 2)", 0, None, None, None, None),
    ]
    scrape = given_scrape(given_facts(channels=channels))
    assert value(scrape, "outbox_notifications", channel="Discord (URL 1)") == 7
    assert value(scrape, "outbox_oldest_age_seconds", channel="Discord (URL 1)") == 5 * 3600
    assert value(scrape, "outbox_oldest_age_seconds", channel="Slack (URL 2)") == 0


def test_the_number_of_series_does_not_grow_with_the_number_of_batches() -> None:
    arrivals = [Arrival(f"w{n}", "p", "loaded", NOW, 5, 4, 1, None, None, None, None) for n in range(NEWEST_BATCHES)]
    scores = [DriftScore(a.batch_id, f"s{n}", 0.1, 0.1, False, 0.05, "") for a in arrivals for n in range(5)]
    assert len(series_of(given_scrape(given_facts(newest=arrivals, drift=scores)))) < 100


def test_a_statistic_has_its_newest_limit() -> None:
    scores = [
        DriftScore("w1", "rating_mean", 0.2, 0.1, True, 0.05, ""),
        DriftScore("w2", "rating_mean", 0.2, 0.3, False, None, ""),
    ]
    scrape = given_scrape(given_facts(drift=scores))
    assert value(scrape, "drift_limit_ratio", statistic="rating_mean") == 0.3
    assert value(scrape, "drift_score_ratio", statistic="rating_mean", batch="w1") == 0.2
    assert value(scrape, "drift_null_bound_ratio", statistic="rating_mean", batch="w2") is None
