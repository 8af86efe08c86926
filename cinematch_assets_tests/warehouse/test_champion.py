import threading
from collections.abc import Callable

import psycopg
import pytest

from cinematch_assets.warehouse.batches import read_stored_batch
from cinematch_assets.warehouse.champion import (
    NoChampionError,
    find_scorer,
    promote,
    read_champion,
    reject,
    require_champion,
    set_champion,
)
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.drift_alerts import list_waiting_decisions, read_baseline_counts, write_assessment
from cinematch_assets.warehouse.model_registry import (
    RegistryConflictError,
    TrainedBatch,
    find_newest_candidate,
    list_trained_batches,
    read_model_version,
)
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    count,
    load,
    load_file,
    make_artifact,
    make_gate_result,
    make_random_ratings,
    make_ratings,
    make_recommendations,
    md5_of,
    promote_candidate,
    read_row_versions,
    read_rows,
)

W1 = make_ratings((1, 10, 4.0, 100), (1, 20, 3.5, 200))
W2 = make_ratings((2, 10, 1.0, 300))
A, B = md5_of("a"), md5_of("b")


def test_before_the_first_promotion_there_is_no_champion(connection: psycopg.Connection) -> None:
    assert read_champion(connection) is None
    with pytest.raises(NoChampionError, match="cinematch demo"):
        require_champion(connection)


def test_promotion_swaps_the_champion_and_merges_exactly_what_was_learned(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((5, 5, 5.0, 5)))
    load(connection, "w1", W1)
    load(connection, "w2", W2)
    version, moved = promote_candidate(connection, "first", TrainedBatch("w1", A, 2))
    assert moved == ("w1",)
    assert require_champion(connection).version == version
    assert read_rows(connection, "ratings WHERE batch_id = 'w1' AND data_split = 'train'") == [
        (1, 10, 4.0, 100),
        (1, 20, 3.5, 200),
    ]
    assert read_rows(connection, "ratings_buffer", "batch_id") == [("w2",)]
    places = read_rows(connection, "ops.batches", "batch_id, place, merged_by")
    assert places == [("w1", "merged", version), ("w2", "buffer", None)]
    assert sum(read_baseline_counts(connection)) == count(connection, "ratings WHERE data_split = 'train'")
    metrics = read_rows(connection, "model_metrics", "model_version, rmse, mae, precision_at_10, data_size, notes")
    assert metrics == [(version, 0.9, 0.7, 0.8, 3, "notes")]
    row = read_model_version(connection, version)
    assert (row.state, row.previous_champion, row.artifact) == ("promoted", None, make_artifact("final-first"))
    assert row.evidence == {"reason": "better on the newest rows"}
    assert list_trained_batches(connection, version) == [TrainedBatch("w1", A, 2)]


def test_by_setting_the_batches_are_deleted(connection: psycopg.Connection) -> None:
    load(connection, "w1", W1)
    _, moved = promote_candidate(connection, "first", TrainedBatch("w1", A, 2), merge="delete")
    assert moved == ("w1",)
    assert (count(connection, "ratings"), count(connection, "ratings_buffer")) == (0, 0)
    existing = read_stored_batch(connection, "w1")
    assert existing is not None
    assert existing.place == "deleted"


@pytest.mark.faults("batch-beside-promotion")
def test_a_batch_that_changed_during_training_stays(connection: psycopg.Connection) -> None:
    load(connection, "w1", W1, "a")
    version = add_candidate(connection, "first", TrainedBatch("w1", A, 2))
    load(connection, "w1", W2, "b")
    assert (
        promote(connection, version, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge")
        == ()
    )
    assert read_rows(connection, "ratings_buffer") == [(2, 10, 1.0, 300)]
    assert count(connection, "ratings") == 0


@pytest.mark.faults("batch-beside-promotion")
def test_a_batch_that_changes_during_the_promotion_stays(url: str) -> None:
    # The load holds the batch's lock; the promotion waits for it, queries again, and finds another content.
    with connect(url) as connection, connect(url) as loader:
        load(connection, "w1", W1, "a")
        version = add_candidate(connection, "first", TrainedBatch("w1", A, 2))
        moved: list[str] = []

        def swap() -> None:
            moved.extend(
                promote(
                    connection, version, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge"
                )
            )

        with loader.transaction():
            load(loader, "w1", W2, "b")
            promotion = threading.Thread(target=swap)
            promotion.start()
            promotion.join(0.5)
            assert promotion.is_alive()
        promotion.join(20)
        assert moved == []
        assert read_rows(loader, "ratings_buffer") == [(2, 10, 1.0, 300)]
        assert read_rows(loader, "ops.batches", "md5, place") == [(B, "buffer")]


@pytest.mark.faults("batch-beside-promotion")
def test_batches_that_arrive_beside_promotions_are_whole_and_unlearned_rows_are_not_merged(
    url: str, figure: Callable[[str], None]
) -> None:
    """In each round another content of the trained batch, and another batch, load at the time of the promotion."""
    other, rounds, merged = make_random_ratings(300, seed=1, users=50), 6, 0
    with connect(url) as connection:
        over = None
        for number in range(rounds):
            trained, fresh = f"t{number}", f"f{number}"
            load(connection, trained, W1, "a")
            version = add_candidate(connection, f"run{number}", TrainedBatch(trained, A, 2))
            codes = workers.finish(
                workers.start(warehouse_jobs.load_batch_file, url, trained, other, "b"),
                workers.start(warehouse_jobs.promote_version, url, version, over),
                workers.start(warehouse_jobs.load_batch_file, url, fresh, W2, "c"),
                deadline_s=120,
            )
            assert codes == [0, 0, 0]
            assert require_champion(connection).version == version
            over = version
            stored, beside = (read_stored_batch(connection, batch) for batch in (trained, fresh))
            assert stored is not None
            assert beside is not None
            assert (stored.md5, beside.place) == (B, "buffer")
            here, there = ("ratings", "ratings_buffer") if stored.place == "merged" else ("ratings_buffer", "ratings")
            assert count(connection, f"{here} WHERE batch_id = '{trained}'") == len(other)
            assert count(connection, f"{there} WHERE batch_id = '{trained}'") == 0
            assert read_rows(connection, f"ratings_buffer WHERE batch_id = '{fresh}'") == [(2, 10, 1.0, 300)]
            merged += stored.place == "merged"
    figure(
        f"{rounds} promotions beside 2 loads each; the trained batch was replaced after {merged} of them, else before"
    )


@pytest.mark.faults("batch-beside-promotion")
def test_of_two_promotions_at_once_one_wins(url: str) -> None:
    with connect(url) as connection:
        load(connection, "w1", W1)
        contenders = [add_candidate(connection, f"run{n}", TrainedBatch("w1", A, 2)) for n in range(3)]
        codes = workers.finish(
            *[workers.start(warehouse_jobs.promote_version, url, version, None) for version in contenders]
        )
        assert sorted(map(bool, codes)) == [False, True, True]
        winner = contenders[codes.index(0)]
        assert require_champion(connection).version == winner
        assert count(connection, "ratings") == 2
        assert count(connection, "model_metrics") == 1
        assert read_rows(connection, "ops.model_versions WHERE state = 'promoted'", "version") == [(winner,)]


def test_a_promotion_over_another_champion_changes_nothing(connection: psycopg.Connection) -> None:
    load(connection, "w1", W1)
    first, _ = promote_candidate(connection, "first")
    second = add_candidate(connection, "second", TrainedBatch("w1", A, 2))
    with pytest.raises(RegistryConflictError, match=f"the champion is {first}, and was none"):
        promote(connection, second, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge")
    with pytest.raises(RegistryConflictError, match=f"{first} was promoted or rejected before"):
        promote(connection, first, make_artifact("f"), make_gate_result(), over=first, data_size=1, merge="merge")
    assert require_champion(connection).version == first
    assert count(connection, "ratings_buffer") == 2
    assert count(connection, "model_metrics") == 1


@pytest.mark.faults("killed-orders")
def test_a_promotion_killed_at_any_order_is_all_or_nothing(url: str) -> None:
    with connect(url) as connection:
        load(connection, "w1", W1)
        load(connection, "w2", W2)
        version = add_candidate(connection, "first", TrainedBatch("w1", A, 2), TrainedBatch("w2", A, 1))
        kills = 0
        while workers.finish(workers.start(warehouse_jobs.promote_version, url, version, None, kills + 1)) == [-9]:
            kills += 1
            assert read_champion(connection) is None
            assert (count(connection, "ratings_buffer"), count(connection, "ratings")) == (3, 0)
            assert count(connection, "model_metrics") == 0
        assert kills >= 10
        assert require_champion(connection).version == version
        assert (count(connection, "ratings_buffer"), count(connection, "ratings")) == (0, 3)


def test_a_rejected_candidate_leaves_everything_but_its_evidence(connection: psycopg.Connection) -> None:
    load(connection, "w1", W1)
    first, _ = promote_candidate(connection, "first")
    version = add_candidate(connection, "second", TrainedBatch("w1", A, 2))
    before = read_row_versions(connection, "ratings_buffer")
    reject(connection, version, make_gate_result(1.2))
    assert require_champion(connection).version == first
    assert read_row_versions(connection, "ratings_buffer") == before
    row = read_model_version(connection, version)
    assert (row.state, row.metrics, row.artifact) == ("rejected", {"rmse": 1.2}, make_artifact("second"))
    assert count(connection, "model_metrics") == 2
    with pytest.raises(RegistryConflictError):
        find_newest_candidate(connection, "second")


def test_the_database_allows_one_champion(connection: psycopg.Connection) -> None:
    promote_candidate(connection, "first")
    version = add_candidate(connection, "second")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO ops.champion (version) VALUES (%s)", [version])
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO ops.champion (only_one, version) VALUES (false, %s)", [version])


def test_a_rollback_brings_the_former_champion_and_its_lists(connection: psycopg.Connection) -> None:
    first, _ = promote_candidate(connection, "first")
    old = make_recommendations((1, 1, 30, 4.5), (1, 2, 40, 4.25))
    write_recommendations(connection, first, old)
    second, _ = promote_candidate(connection, "second")
    write_recommendations(connection, second, make_recommendations((1, 1, 50, 4.0)))
    assert read_model_version(connection, second).previous_champion == first
    assert set_champion(connection, first, old, "rolled back") == second
    assert require_champion(connection).version == first
    rows = read_rows(connection, "recommendations", "userid, rank, movieid, score, model_version")
    assert rows == [(1, 1, 30, 4.5, first), (1, 2, 40, 4.25, first)]
    changes = read_rows(connection, "ops.champion_changes", "id, version, former")
    assert [change[1:] for change in changes] == [(first, None), (second, first), (first, second)]


def test_a_batch_is_scored_by_a_champion_that_has_not_learned_from_it(connection: psycopg.Connection) -> None:
    assert find_scorer(connection, "w1") is None
    first, _ = promote_candidate(connection, "first")
    load(connection, "w1", W1)
    second, _ = promote_candidate(connection, "second", TrainedBatch("w1", A, 2))
    third, _ = promote_candidate(connection, "third")  # trained on ratings, w1 merged among them

    def scorer(batch: str) -> str | None:
        found = find_scorer(connection, batch)
        return found and found.version

    assert scorer("w1") == first
    assert scorer("w2") == third
    assert second != third


def test_the_outcome_of_a_decision_is_written_with_the_promotion(connection: psycopg.Connection) -> None:
    load(connection, "w1", W1)
    write_assessment(connection, "w1", A, [], due=True, reason="rating_mean over threshold", evidence={})
    assert [(d.batch_id, d.reason) for d in list_waiting_decisions(connection)] == [
        ("w1", "rating_mean over threshold")
    ]
    version, _ = promote_candidate(connection, "first", TrainedBatch("w1", A, 2))
    assert list_waiting_decisions(connection) == []
    assert read_rows(connection, "ops.retraining_decisions", "state, outcome") == [("retrained", f"{version} promoted")]
    write_assessment(connection, "w1", A, [], due=True, reason="again", evidence={})
    assert list_waiting_decisions(connection) == []  # one piece of evidence, one retraining
