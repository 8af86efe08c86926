"""A scrape reads the figures of the page and of ``cinematch status``."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cinematch_assets.messaging.channels import read_channels
from cinematch_assets.pipeline.monitoring.facts import read_facts
from cinematch_assets.pipeline.monitoring.scrape_facts import NEWEST_BATCHES, read_scrape_facts
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.notification_messages import register_channel
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets_tests.pipeline.monitoring.test_facts import HEADER, given_batch, given_refused, given_version
from cinematch_assets_tests.support.platforms import given_champion, insert_movies, load_table, make_platform


@pytest.fixture
def loaded(platform: Platform) -> Platform:
    insert_movies(platform, (10, "Heat (1995)"))
    load_table(platform, "ratings", HEADER + "".join(f"{user},10,3.0,5\n" for user in range(1, 41)))
    for number in range(1, NEWEST_BATCHES + 2):
        given_batch(platform, f"batch_w{number}", 20 + number, 0.05 * number)
    given_refused(platform, "batch_bad")
    return platform


def test_the_figures_are_those_of_the_page(loaded: Platform) -> None:
    given_version(loaded, 0.9, promoted=True)
    page, scrape = read_facts(loaded), read_scrape_facts(loaded)
    assert scrape.champion == page.champion
    assert scrape.newest == page.arrivals[:NEWEST_BATCHES]
    assert scrape.drift == [each for each in page.drift if each.batch_id in {new.batch_id for new in scrape.newest}]
    assert scrape.drift, "or the line above says nothing"
    assert scrape.freshness.used_bytes == pytest.approx(page.storage.used_bytes, rel=0.01)
    assert scrape.freshness.newest_batch_at == page.newest_batch_at
    assert scrape.unseen_ratings == page.unseen_ratings == sum(range(21, 21 + NEWEST_BATCHES + 1))
    assert (scrape.needs_a_person, scrape.waiting) == (
        len(page.needs_a_person),
        len(page.attention) - len(page.needs_a_person),
    )
    assert scrape.needs_a_person


def test_rows_and_batches_are_counted_by_kind_and_state(loaded: Platform) -> None:
    facts = read_scrape_facts(loaded)
    batches = sum(range(21, 21 + NEWEST_BATCHES + 1))
    assert (facts.row_counts["ratings"].read, facts.row_counts["ratings"].rejected) == (40, 0)
    assert (facts.row_counts["batches"].read, facts.row_counts["batches"].rejected) == (batches + 2, 1)
    assert facts.row_counts["batches"].accepted == batches + 1, "one row of the refused file would have been"
    assert sum(facts.batches.values()) == NEWEST_BATCHES + 2


def test_a_retraining_is_due_since_the_oldest_decision_without_an_outcome(loaded: Platform) -> None:
    with loaded.warehouse.connect() as connection:
        connection.execute("UPDATE ops.retraining_decisions SET decided_at = decided_at - interval '1 day' WHERE due")
    since = read_scrape_facts(loaded).retraining_due_since
    assert since is not None
    assert timedelta(hours=23) < datetime.now(UTC) - since < timedelta(hours=25)


def test_lists_are_as_old_as_their_publication(platform: Platform) -> None:
    assert read_scrape_facts(platform).freshness.lists_published_at is None
    first = given_champion(platform)
    before = read_scrape_facts(platform).freshness.lists_published_at
    assert before is not None
    given_champion(platform, over=first, published=False)
    after = read_scrape_facts(platform).freshness
    assert after.lists_published_at == before, "a promotion alone publishes nothing"
    assert after.lists_stale_since is not None


def test_a_channel_s_backlog_is_as_old_as_its_oldest_notification(tmp_path: Path, database_url_18: str) -> None:
    told = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY="json://127.0.0.1:9/hook")
    (channel,) = read_channels(told.settings.notify).usable
    with told.warehouse.connect() as connection:
        register_channel(connection, channel.key, channel.label)
        assert [(each.waiting, each.waiting_since) for each in read_scrape_facts(told).channels] == [(0, None)]
        record_notification(connection, "storage", "a", "b", next_step="c")
        record_notification(connection, "storage", "d", "e", next_step="f")
        connection.execute(
            "UPDATE ops.notifications SET recorded_at = recorded_at - interval '1 hour' WHERE subject = 'a'"
        )
    (state,) = read_scrape_facts(told).channels
    assert state.waiting == 2
    assert state.waiting_since is not None
    assert datetime.now(UTC) - state.waiting_since > timedelta(minutes=59)
