"""A removed batch is out of every table, says so, and comes back only when a person asks."""

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.batch_drift import assess_batch
from cinematch_assets.pipeline.ingest.remove_batch import find_dependents, remove_batch, restore_batch
from cinematch_assets.pipeline.ingest.wanted_work import find_wanted_work
from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.audit import list_audit_entries
from cinematch_assets.warehouse.batch_removal import NoSuchBatchError
from cinematch_assets.warehouse.drift_alerts import count_unseen_ratings, list_waiting_decisions
from cinematch_assets.warehouse.status import list_batches
from cinematch_assets_tests.support.platforms import drop, insert_movies, load_table, rows_of
from cinematch_assets_tests.support.warehouse_rows import assess, merge_batch

HEADER = "userId,movieId,rating,timestamp\n"
PATH = "batches/batch_w1.csv"


def content(rating: float, users: int = 30) -> str:
    return HEADER + "".join(f"{user},10,{rating},{10**9 + user}\n" for user in range(1, users + 1))


@pytest.fixture
def loaded(platform: Platform) -> Platform:
    """A catalogue, ratings, and a batch that asks for a retraining."""
    insert_movies(platform, (10, "Heat (1995)"), (11, "Alien (1979)"))
    load_table(platform, "ratings", HEADER + "".join(f"{user},11,3.0,5\n" for user in range(1, 41)))
    drop(platform, PATH, content(4.0))
    load_table(platform, "batches/batch_w1")
    with platform.warehouse.connect() as connection:
        assess(connection, "batch_w1", due=True)
    return platform


def stored_rows(platform: Platform) -> list[tuple[object, ...]]:
    return rows_of(
        platform,
        "SELECT 'buffer', count(*) FROM ratings_buffer UNION ALL "
        "SELECT 'ratings', count(*) FROM ratings WHERE batch_id IS NOT NULL",
    )


def wanted(platform: Platform) -> list[tuple[str, str]]:
    return [(work.kind, work.name) for work in find_wanted_work(platform).work if work.kind in {"batch", "assessment"}]


def test_what_depends_on_it_is_known_before(loaded: Platform) -> None:
    found = find_dependents(loaded, "batch_w1")
    assert (found.place, found.rows, found.users, found.versions, found.decision) == ("buffer", 30, 30, [], "waiting")
    with loaded.warehouse.connect() as connection:
        version = merge_batch(connection, "batch_w1")
    merged = find_dependents(loaded, "batch_w1")
    assert (merged.place, merged.merged_by, merged.versions) == ("merged", version, [version])
    assert merged.is_known_to_champion
    with pytest.raises(NoSuchBatchError, match="batch_w9 has no rows in the tables"):
        find_dependents(loaded, "batch_w9")


def test_its_rows_are_gone_and_nothing_waits_for_it(loaded: Platform) -> None:
    assert remove_batch(loaded, "batch_w1", "a test file") == 30
    assert stored_rows(loaded) == [("buffer", 0), ("ratings", 0)]
    assert loaded.warehouse.run(count_unseen_ratings) == 0
    assert loaded.warehouse.run(list_waiting_decisions) == []
    (entry,) = loaded.warehouse.run(list_audit_entries)
    assert (entry.action, entry.subject, entry.reason) == ("batch_removal", "batch_w1", "a test file")
    assert (entry.actor, entry.details["rows"]) == (loaded.actor.name, 30)
    (line,) = loaded.warehouse.run(list_batches)
    assert (line.place, line.record_count) == ("removed", 0)
    assert "a test file; cinematch batches restore batch_w1" in str(line.notes)
    with pytest.raises(NoSuchBatchError):
        remove_batch(loaded, "batch_w1", "twice")
    with pytest.raises(CinematchError, match="no rows in the tables any more"):
        assess_batch(loaded, "batch_w1")


def test_merged_rows_are_removed_and_the_baseline_follows(loaded: Platform) -> None:
    def baseline() -> list[tuple[object, ...]]:
        return rows_of(loaded, "SELECT counts FROM ops.drift_baseline")

    before = baseline()
    with loaded.warehouse.connect() as connection:
        merge_batch(connection, "batch_w1")
    assert stored_rows(loaded) == [("buffer", 0), ("ratings", 30)]
    assert baseline() != before
    assert remove_batch(loaded, "batch_w1", None) == 30
    assert stored_rows(loaded) == [("buffer", 0), ("ratings", 0)]
    assert baseline() == before


def test_its_content_is_not_loaded_again_by_itself_and_another_one_is(loaded: Platform) -> None:
    remove_batch(loaded, "batch_w1", None)
    assert wanted(loaded) == []
    done = load_table(loaded, "batches/batch_w1")
    assert (done.unchanged, done.notes) == (
        True,
        ("this content was removed: cinematch batches restore batch_w1 loads it again",),
    )
    assert stored_rows(loaded)[0] == ("buffer", 0)
    drop(loaded, PATH, content(2.0, users=20))
    assert wanted(loaded) == [("batch", "batch_w1")]
    load_table(loaded, "batches/batch_w1")
    assert stored_rows(loaded)[0] == ("buffer", 20)
    assert wanted(loaded) == [("assessment", "batch_w1")]
    with pytest.raises(NoSuchBatchError, match="another content in the tables"):
        restore_batch(loaded, "batch_w1", None)
    drop(loaded, PATH, content(4.0))
    assert wanted(loaded) == [("assessment", "batch_w1")], "the removed content is known by its md5"


@pytest.mark.parametrize("merged", [False, True])
def test_it_comes_back_from_the_store_and_is_assessed_anew(loaded: Platform, *, merged: bool) -> None:
    if merged:
        with loaded.warehouse.connect() as connection:
            merge_batch(connection, "batch_w1")
    remove_batch(loaded, "batch_w1", None)
    (loaded.settings.home / "drive" / PATH).unlink()
    run_maintenance(loaded, keep_days=1)
    assert restore_batch(loaded, "batch_w1", "it was right").counts.accepted == 30
    assert stored_rows(loaded) == [("buffer", 30), ("ratings", 0)]
    assert wanted(loaded) == [("assessment", "batch_w1")]
    assert loaded.warehouse.run(list_audit_entries)[0].action == "batch_restore"
    assert loaded.warehouse.run(list_batches)[0].place == "buffer"
    with loaded.warehouse.connect() as connection:
        assess(connection, "batch_w1", due=True)
    waiting = [each.batch_id for each in loaded.warehouse.run(list_waiting_decisions)]
    assert waiting == ([] if merged else ["batch_w1"]), "what was trained on once is no reason again"
    with pytest.raises(NoSuchBatchError, match="was not removed"):
        restore_batch(loaded, "batch_w1", None)
