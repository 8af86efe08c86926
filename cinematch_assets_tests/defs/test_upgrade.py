"""An upgrade to a release that reads another artifact format: nothing gets stuck and nothing is lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from cinematch_assets.cli.status_tables import read_status
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.batch_drift import BatchDrift, assess_batch
from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_batch_file
from cinematch_assets.pipeline.models import train_candidate as training_module
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations, roll_back, set_champion
from cinematch_assets.pipeline.models.query import recommend_for_likes, recommend_for_user, similar_movies
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack, unpack
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.model import FORMAT, Recommender, sha256_of
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.migrations import FOLDER
from cinematch_assets.warehouse.training_data import read_data_key
from cinematch_assets_tests.support.definitions import repository, run_job
from cinematch_assets_tests.support.platforms import drop_history, make_platform, rows_of, take_in_history
from cinematch_assets_tests.support.servers import Postgres, migrated_template

pytestmark = pytest.mark.faults("upgrade")

FIRST = "run_11111111_v1"
LISTS = "SELECT userid, rank, movieid, score, model_version FROM recommendations ORDER BY 1, 2"
STORED = "SELECT artifact_key, artifact_sha256 FROM ops.model_versions"

FORMER = 3
"""The format of the release before this one."""

FORMER_NAMES = {
    "rating_table.": "stars.",
    "ranker.implicit_als.": "ranker.likings.",
    "ranker.similar_items.": "ranker.nearness.",
    "ranker.histories.": "ranker.profiles.",
}
"""How arrays' names began in format 3, by how they begin now."""


@pytest.fixture(scope="module")
def given_platform(tmp_path_factory: pytest.TempPathFactory, postgres18: Postgres) -> Iterator[Platform]:
    """A champion with its recommendations, and a drifted batch in the folder that has not been listed yet."""
    with postgres18.database(migrated_template(postgres18)) as url:
        made = make_platform(tmp_path_factory.mktemp("platform"), url)
        drop_history(made)
        take_in_history(made)
        assert gate_candidate(made, train_candidate(made, "11111111").version).decision.promoted
        publish_recommendations(made)
        simulate_next(made, rows=1_100, drift=0.7)
        yield made


@pytest.fixture
def current(given_platform: Platform, tmp_path: Path, postgres18: Postgres) -> Iterator[Platform]:
    """A copy of it for one test."""
    with postgres18.database(given_platform.warehouse.url.split("?")[0].rsplit("/", 1)[1]) as url:
        made = make_platform(
            tmp_path / "home", url, CINEMATCH_RETRAIN_MAX_ATTEMPTS="1", CINEMATCH_RETRAIN_COOLDOWN_S="0"
        )
        shutil.copytree(given_platform.settings.home, made.settings.home, dirs_exist_ok=True)
        yield made


@pytest.fixture
def former(request: pytest.FixtureRequest) -> int:
    """The format that the database is upgraded from."""
    return getattr(request, "param", FORMER)


@pytest.fixture
def upgraded(current: Platform, former: int) -> Platform:
    """The copy as a release of the former format left it, and then migrated; format 1 was not registered."""
    ((key, sha256),) = rows_of(current, STORED)
    arrays, facts = unpack(current.store.read_bytes(str(key)), str(sha256))
    content = pack({former_name(name): array for name, array in arrays.items()}, facts | {"format": former})
    with pytest.raises(ArtifactRefusedError, match=f"has format {former}"):
        Recommender.from_bytes(content, sha256_of(content))
    move_artifact(current, f"models/{sha256_of(content)}.model", content)
    undone = ["0008.outstanding-work", "0007.computed-by", *(["0006.artifact-format"] if former == 1 else [])]
    with current.warehouse.connect() as connection:
        connection.execute("UPDATE ops.model_versions SET artifact_format = %s", [former])
        for name in undone:
            connection.execute((FOLDER / f"{name}.rollback.sql").read_bytes())
        for name in reversed(undone):
            connection.execute((FOLDER / f"{name}.sql").read_bytes())
    return current


def former_name(name: str) -> str:
    for now, before in FORMER_NAMES.items():
        if name.startswith(now):
            return before + name.removeprefix(now)
    return name


def move_artifact(platform: Platform, key: str, content: bytes) -> None:
    """Replace the champion's bytes, in the store and in the registry."""
    platform.store.put_bytes(key, content)
    values = [key, sha256_of(content), len(content)]
    order = "UPDATE ops.model_versions SET artifact_key = %s, artifact_sha256 = %s, artifact_size = %s"
    with platform.warehouse.connect() as connection:
        connection.execute(order, values)


def ingest(platform: Platform) -> BatchDrift:
    land_table(platform, "batches/batch_w1")
    load_batch_file(platform, "batch_w1")
    return assess_batch(platform, "batch_w1")


def evaluate_sensor(platform: Platform, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("retraining_sensor")(context)


def run_request(platform: Platform, instance: dg.DagsterInstance, request: dg.RunRequest) -> str | None:
    """Run what the sensor requested; return the error that ended it, None when it succeeded."""
    result = run_job("retrain", platform, instance, tags=dict(request.tags))
    failed = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return str((failed[0].cause or failed[0]).message) if failed else None


@pytest.mark.parametrize("former", [1, FORMER], indirect=True)
def test_migrations_keep_the_former_format_and_new_versions_register_format_and_environment(
    given_platform: Platform, upgraded: Platform, former: int
) -> None:
    registered = "SELECT version, artifact_format, computed_by ->> 'numpy' FROM ops.model_versions"
    assert rows_of(given_platform, registered) == [(FIRST, FORMAT, np.__version__)]
    assert rows_of(upgraded, registered) == [(FIRST, former, None)]


@pytest.mark.parametrize("former", [1, pytest.param(2, marks=pytest.mark.slow), FORMER], indirect=True)
def test_an_upgraded_platform_trains_a_new_champion_by_itself_and_loses_no_row(
    upgraded: Platform, former: int, instance: dg.DagsterInstance
) -> None:
    lists = rows_of(upgraded, LISTS)
    ((before,),) = rows_of(upgraded, "SELECT count(*) FROM ratings")
    assessed = ingest(upgraded)
    assert (assessed.scored_by, len(assessed.alerts)) == (None, 3)
    scored = "SELECT evidence ->> 'scored_by', evidence ->> 'unscored' FROM ops.retraining_decisions"
    assert rows_of(upgraded, scored) == [
        (None, f"{FIRST} has format {former}, and this version of the platform reads {FORMAT}")
    ]
    requests = [evaluate_sensor(upgraded, instance) for _ in range(100)]
    data = upgraded.warehouse.run(read_data_key)
    assert {request.run_key for request in requests} == {f"model:{FIRST}:format{FORMAT}:{data}:1"}
    assert rows_of(upgraded, LISTS) == lists
    assert run_request(upgraded, instance, requests[0]) is None
    champion, _ = load_champion(upgraded)
    assert (champion.previous_champion, champion.artifact_format) == (FIRST, FORMAT)
    reason = f"the champion, {FIRST}, has format {former}, which this version cannot compare with: test RMSE"
    assert champion.evidence["reason"].startswith(reason)
    assert champion.evidence["test"] is None
    assert rows_of(upgraded, "SELECT former, left(reason, 12) FROM ops.champion_changes ORDER BY id") == [
        (None, "first model:"),
        (FIRST, "the champion"),
    ]
    assert rows_of(upgraded, "SELECT state FROM ops.retraining_decisions") == [("retrained",)]
    assert rows_of(upgraded, "SELECT count(*) FROM ratings") == [(before + 1_100,)]
    assert rows_of(upgraded, "SELECT count(*) FROM ratings_buffer") == [(0,)]
    assert {row[-1] for row in rows_of(upgraded, LISTS)} == {champion.version}
    assert isinstance(evaluate_sensor(upgraded, instance), dg.SkipReason)


def test_an_older_release_leaves_a_champion_of_a_newer_one_alone(
    current: Platform, instance: dg.DagsterInstance
) -> None:
    """Two releases on one database: without this, each would replace the other's champion again and again."""
    with current.warehouse.connect() as connection:
        connection.execute("UPDATE ops.model_versions SET artifact_format = %s", [FORMAT + 1])
    message = f"{FIRST} has format {FORMAT + 1}, and this version of the platform reads {FORMAT}: a newer release works"
    skipped = evaluate_sensor(current, instance)
    assert isinstance(skipped, dg.SkipReason)
    assert message in skipped.skip_message
    candidate = train_candidate(current, "33333333").version
    with pytest.raises(CinematchError, match=f"{candidate} cannot replace the champion: {message}"):
        gate_candidate(current, candidate)
    with pytest.raises(ArtifactRefusedError, match="upgrade this one"):
        load_champion(current)
    assert rows_of(current, "SELECT count(*) FROM ops.champion_changes") == [(1,)]


def test_after_a_downgrade_the_former_champion_can_be_rolled_back_to(
    upgraded: Platform, instance: dg.DagsterInstance
) -> None:
    newer = gate_candidate(upgraded, train_candidate(upgraded, "22222222").version).version
    publish_recommendations(upgraded)
    with upgraded.warehouse.connect() as connection:  # as the former release sees both
        for version, its_format in ((newer, FORMAT + 1), (FIRST, FORMAT)):
            order = "UPDATE ops.model_versions SET artifact_format = %s WHERE version = %s"
            connection.execute(order, [its_format, version])
    assert "models rollback" in evaluate_sensor(upgraded, instance).skip_message
    assert roll_back(upgraded) == (FIRST, newer)
    assert {row[-1] for row in rows_of(upgraded, LISTS)} == {FIRST}
    assert "a newer release" not in evaluate_sensor(upgraded, instance).skip_message


def test_a_version_of_another_format_cannot_become_champion_again(upgraded: Platform) -> None:
    gate_candidate(upgraded, train_candidate(upgraded, "22222222").version)
    publish_recommendations(upgraded)
    lists = rows_of(upgraded, LISTS)
    for attempt in (roll_back, lambda platform: set_champion(platform, FIRST, "by hand")):
        with pytest.raises(CinematchError, match=f"{FIRST} has format {FORMER}, .* cannot become champion again"):
            attempt(upgraded)
    assert load_champion(upgraded)[0].version == "run_22222222_v2"
    assert rows_of(upgraded, LISTS) == lists


@pytest.mark.parametrize(
    "question",
    [
        lambda platform: recommend_for_user(platform, 1),
        lambda platform: recommend_for_likes(platform, ["Film 7"]),
        lambda platform: similar_movies(platform, "Film 7"),
        simulate_next,
        publish_recommendations,
    ],
    ids=["recommend", "likes", "similar", "simulate", "publish"],
)
def test_until_then_questions_fail_with_what_has_to_happen_first(
    upgraded: Platform, question: Callable[[Platform], object]
) -> None:
    lists = rows_of(upgraded, LISTS)
    with pytest.raises(CinematchError) as raised:
        question(upgraded)
    message = f"champion {FIRST} has format {FORMER}, and this version of the platform reads {FORMAT}: the retraining"
    assert str(raised.value).startswith(message)
    assert str(raised.value) in [each.why for each in read_status(upgraded).attention]
    assert rows_of(upgraded, LISTS) == lists


def test_a_candidate_of_the_former_release_is_not_gated(upgraded: Platform) -> None:
    with upgraded.warehouse.connect() as connection:
        former = model_registry.read_model_version(connection, FIRST).artifact
        version = model_registry.register_candidate(
            connection, "left0000", former, method="m", config={}, seed=0, data_size=1, batches=[]
        )
    with pytest.raises(CinematchError, match=rf"has format {FORMER}.*materialize recommender_model"):
        gate_candidate(upgraded, version)


def test_a_rejected_candidate_is_not_retried_without_end_and_a_later_batch_allows_another(
    upgraded: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = training_module.fit_recommender

    def fit_on_shuffled(train: Ratings, catalogue: object, **how: object) -> object:
        shuffled = np.random.default_rng(0).permutation(train.ratings)
        return fit(Ratings.of(train.users, train.movies, shuffled, train.timestamps), catalogue, **how)

    lists = rows_of(upgraded, LISTS)
    with monkeypatch.context() as patch:
        patch.setattr(training_module, "fit_recommender", fit_on_shuffled)
        request = evaluate_sensor(upgraded, instance)
        assert isinstance(request, dg.RunRequest)
        assert "was rejected: test RMSE" in (run_request(upgraded, instance, request) or "")
    given_up = evaluate_sensor(upgraded, instance)
    assert isinstance(given_up, dg.SkipReason)
    assert "was rejected: test RMSE" in given_up.skip_message
    assert any(
        "was rejected: test RMSE" in each and f"format {FORMER}" in each
        for each in (row.why for row in read_status(upgraded).attention)
    )
    assert rows_of(upgraded, LISTS) == lists
    assert ingest(upgraded).decision.due
    request = evaluate_sensor(upgraded, instance)
    assert request.run_key.startswith(f"model:{FIRST}:")
    assert run_request(upgraded, instance, request) is None
    assert load_champion(upgraded)[0].previous_champion == FIRST


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def lacking(content: bytes) -> bytes:
    arrays, facts = unpack(content, sha256_of(content))
    return pack({name: array for name, array in arrays.items() if name != "movies"}, facts)


def of_former_format(content: bytes) -> bytes:
    arrays, facts = unpack(content, sha256_of(content))
    return pack(arrays, facts | {"format": FORMER})


@pytest.mark.parametrize(
    ("damage", "registered", "reason"),
    [
        (flip, False, "was registered"),
        (lambda _: b"\x80\x04N.", True, "pickles are never loaded"),
        (lacking, True, "lacks 'movies'"),
        (of_former_format, True, f"has format {FORMER}"),
    ],
    ids=["another hash", "a pickle", "an array less", "another format than the registry says"],
)
def test_a_damaged_artifact_of_this_format_still_fails_loudly(
    current: Platform,
    instance: dg.DagsterInstance,
    damage: Callable[[bytes], bytes],
    registered: bool,
    reason: str,
) -> None:
    with current.warehouse.connect() as connection:
        sound = model_registry.read_model_version(connection, FIRST).artifact
    content = damage(current.store.read_bytes(sound.key))
    if registered:
        move_artifact(current, "models/damaged.model", content)
    else:
        current.store.put_bytes(sound.key, content)
    with current.warehouse.connect() as connection:
        damaged = model_registry.read_model_version(connection, FIRST).artifact
    with pytest.raises(ArtifactRefusedError, match=reason):
        ingest(current)
    with pytest.raises(ArtifactRefusedError, match=reason):
        recommend_for_user(current, 1)
    with current.warehouse.connect() as connection:
        version = model_registry.register_candidate(
            connection, "same0000", damaged, method="m", config={}, seed=0, data_size=1, batches=[]
        )
    with pytest.raises(ArtifactRefusedError, match=reason):
        gate_candidate(current, version)
    assert evaluate_sensor(current, instance).skip_message == "no decision waits"
    assert rows_of(current, "SELECT version FROM ops.champion") == [(FIRST,)]
