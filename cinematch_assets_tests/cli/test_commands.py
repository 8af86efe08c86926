"""Every command, as a person or a program calls it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.cli.main import main
from cinematch_assets.cli.processes import hold
from cinematch_assets.cli.recommend import print_answer
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.query import Answer, Suggestion
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.inspection import count_rows
from cinematch_assets_tests.support.platforms import drop, drop_history, load_table, make_platform, take_in_history
from cinematch_assets_tests.support.servers import Postgres, migrated_template
from cinematch_assets_tests.support.sinks import web_sink

Command = Callable[..., str]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, postgres18: Postgres) -> Iterator[Platform]:
    with postgres18.database(migrated_template(postgres18)) as url:
        made = make_platform(tmp_path_factory.mktemp("home"), url)
        history = drop_history(made)
        drop(made, "ratings.csv", pd.concat([history, history[:1].assign(rating=7.0)]))
        take_in_history(made)
        gate_candidate(made, train_candidate(made, "abcdef0123").version)
        publish_recommendations(made)
        yield made


@pytest.fixture
def cinematch(platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("CINEMATCH_HOME", str(platform.settings.home))
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", platform.warehouse.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(platform.settings.home)

    def run(*words: str, code: int = 0, printed: bool = False) -> str:
        monkeypatch.setattr(sys, "argv", ["cinematch", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        assert (ended.value.code or 0) == code, output.err
        return output.out if code == 0 or printed else output.err

    return run


@contextmanager
def given_batch(platform: Platform, batch: str, users: int) -> Iterator[None]:
    """A batch that is loaded for the length of the block, and of which no ledger knows afterwards."""
    rows = "".join(f"{user},1,4.0,1800000000\n" for user in range(1, users + 1))
    load_table(platform, f"batches/{batch}", f"userId,movieId,rating,timestamp\n{rows}")
    try:
        yield
    finally:
        Path(platform.folder.spec, "batches", f"{batch}.csv").unlink()
        with platform.warehouse.connect() as connection:
            for table in ("ratings_buffer", "ingestion_metadata", "ops.batches"):
                connection.execute(f"DELETE FROM {table} WHERE batch_id = '{batch}'".encode())
            connection.execute("DELETE FROM ops.files WHERE for_table = %s", [f"batches/{batch}"])


NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
WORDS_OF_THE_PAGE = re.compile(
    r"<(style|head)>.*?</\1>|<[^>]*>|\d+ (?:minute|hour|day)s? ago|Written .*? UTC"
    r"|99 of 100|nDCG@10|of 4 stars|0\.5 stars|5 stars|at most 20|in 8 weeks|newest eight",
    flags=re.DOTALL,
)
"""Markup, ages, and numbers that stand in the page's own sentences."""


def written(value: object) -> set[str]:
    """Every way in which the page writes what ``status --json`` says."""
    if isinstance(value, dict):
        return set().union(*map(written, value.values()))
    if isinstance(value, list):
        return {str(len(value))}.union(*map(written, value))
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int | float):
        forms = (f"{value:,}", f"{value:.0f}", f"{value:.2f}", f"{value:.3f}", f"{value:.4f}")
        return {*forms, f"{100 * value:.0f}", f"{100 * value:.1f}"}
    return set(NUMBER.findall(str(value)))


def test_every_figure_of_the_page_is_one_of_status(cinematch: Command, platform: Platform, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with given_batch(platform, "batch_x9", users=3):
        for _ in range(10):  # the size may change while the server cleans up after a test before
            before = json.loads(cinematch("status", "--json"))["page"]
            said = cinematch("report", "--out", str(page))
            state = json.loads(cinematch("status", "--json"))
            if before["storage"] == state["page"]["storage"]:
                break
    assert state["page"]["headline"] in said
    html = page.read_text(encoding="utf-8")
    figures = NUMBER.findall(WORDS_OF_THE_PAGE.sub(" ", html))
    assert len(figures) > 100
    assert set(figures) - written(state) == set()
    assert state["page"]["champion"]["version"] == state["champion"]["version"]
    assert [each["what"] for each in state["page"]["attention"]] == [each["what"] for each in state["attention"]]
    assert 'href="http://127.0.0.1:3000/"' in html
    assert platform.store.exists("reports/monitoring_report.html")


def test_the_page_leads_to_the_ui_that_runs_on_the_home(cinematch: Command, platform: Platform, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with hold(platform.settings.home, "http://127.0.0.1:4567"):
        said = cinematch("report", "--out", str(page))
    assert "http://127.0.0.1:4567/reports/monitoring_report.html" in said
    assert 'href="http://127.0.0.1:4567/"' in page.read_text(encoding="utf-8")


def test_status_shows_files_champion_storage_and_what_waits(cinematch: Command) -> None:
    output = cinematch("status")
    assert "run_abcdef01_v1" in output
    assert "ratings.csv" in output
    assert "of 512 MB" in output
    facts = json.loads(cinematch("status", "--json"))
    assert facts["champion"]["version"] == "run_abcdef01_v1"


def test_status_for_prometheus_says_what_status_says(cinematch: Command) -> None:
    output = cinematch("status", "--format", "prometheus")
    assert "cinematch_up 1.0\n" in output
    assert "cinematch_champion_info{method=" in output
    assert 'version="run_abcdef01_v1"' in output
    status = json.loads(cinematch("status", "--format", "json"))
    rejected = sum(file["rows_rejected"] or 0 for file in status["files"] if file["path"] == "ratings.csv")
    assert f'cinematch_rows_rejected{{table="ratings"}} {rejected:.1f}\n' in output
    rmse = status["champion"]["metrics"]["rmse"]
    assert f"cinematch_champion_rmse_stars {rmse}\n" in output
    assert "contradict" in cinematch("status", "--json", "--format", "prometheus", code=2)


def test_status_for_prometheus_of_a_database_that_is_down_is_zero_and_fails(
    cinematch: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", "postgresql://someone:secret@127.0.0.1:1/nowhere")
    assert "cinematch_up 0.0\n" in cinematch("status", "--format", "prometheus", code=1, printed=True)
    said = cinematch("status", "--format", "prometheus", code=1)
    assert "127.0.0.1:1/nowhere" in said
    assert "secret" not in said


def test_status_at_300_batches_shows_the_newest_ten_in_80_columns_and_counts_all(
    cinematch: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "rating_mean 0.121 over 0.100 and its null bound 0.034; a long reason that has to be folded somewhere"
    with platform.warehouse.connect() as connection:
        connection.execute(
            "INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status, notes) SELECT "
            "'batch_w' || n, now(), 43000, CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'completed' END, %s "
            "FROM generate_series(1, 300) AS n",
            [reason],
        )
        try:
            monkeypatch.setenv("COLUMNS", "80")
            output = cinematch("status")
        finally:
            connection.execute("DELETE FROM ingestion_metadata WHERE notes = %s", [reason])
    assert "297 completed, 3 failed; the newest 10 of 300" in output
    assert [f"batch_w{n}" in output for n in (290, 291, 300)] == [False, True, True]
    assert max(map(len, output[output.index("Files") :].replace(reason, "").splitlines())) <= 80
    assert len(output.splitlines()) < 80


def test_notify_tries_the_channels_and_lists_what_people_were_told(
    cinematch: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "CINEMATCH_NOTIFY names no channel" in cinematch("notify", "test", code=1)
    with web_sink() as sink:
        monkeypatch.setenv("CINEMATCH_NOTIFY", sink.url)
        assert cinematch("notify", "test") == "sent: JSON (URL 1)\n"
        assert "CineMatch: test" in sink.text
        monkeypatch.setenv("CINEMATCH_NOTIFY", f"{sink.url} nosuch://s3cr3t")
        assert "1 of 2 channels of CINEMATCH_NOTIFY failed" in cinematch("notify", "test", code=1)
    assert "run_abcdef01_v1 promoted" in cinematch("notify", "list")
    told = json.loads(cinematch("notify", "list", "--json"))
    assert "promoted" in [each["kind"] for each in told["notifications"]]


def test_recommend_shows_titles_and_predicted_ratings(cinematch: Command) -> None:
    answer = json.loads(cinematch("recommend", "1", "-k", "3", "--json"))
    assert [len(answer["suggestions"]), answer["version"]] == [3, "run_abcdef01_v1"]
    assert all(
        each["title"].startswith("Film") and 0.5 <= each["predicted_rating"] <= 5 for each in answer["suggestions"]
    )
    assert all(0 < each["std"] < each["half_width"] < 2.5 for each in answer["suggestions"])
    assert [each["rank"] for each in answer["suggestions"]] == [1, 2, 3]
    assert all(1 <= len(each["because"]) <= 3 for each in answer["suggestions"])
    assert all(reason["contribution"] > 0 for each in answer["suggestions"] for reason in each["because"])
    shown = cinematch("recommend", "1", "-k", "3")
    assert "because of" in shown
    assert all(reason["title"].split(" (")[0] in shown for reason in answer["suggestions"][0]["because"])
    assert "predicted rating" in shown
    assert "±: a rating lies within it with a probability of 80 %" in shown
    assert all(f"{each['predicted_rating']:.1f} ± {each['half_width']:.1f}" in shown for each in answer["suggestions"])
    new_user = cinematch("recommend", "987654")
    assert "who has no ratings: cold start" in new_user
    assert "because of" not in new_user
    by_title = json.loads(cinematch("recommend", "--likes", "Film 7", "--json"))
    assert "likes Film 7" in by_title["basis"]
    assert {reason["movie"] for each in by_title["suggestions"] for reason in each["because"]} == {7}
    assert "name a USER" in cinematch("recommend", code=1)


@pytest.mark.parametrize(("stars", "explained"), [((4.5, 4.0), False), ((4.0, 4.5), True)])
def test_recommend_says_why_stars_are_not_in_descending_order(
    stars: tuple[float, float], explained: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    suggestions = (Suggestion(n, n, f"Film {n}", "Drama", 3.0 - n, star) for n, star in enumerate(stars, start=1))
    print_answer(Answer("user 1", "run_1_v1", tuple(suggestions)))
    assert ("The rank follows a score, not the stars alone" in capsys.readouterr().out) == explained


def test_similar_answers_by_title_or_id_and_names_near_titles(cinematch: Command) -> None:
    assert "movies similar to Film 7 (1957)" in cinematch("similar", "7")
    assert "movies similar to Film 7 (1957)" in cinematch("similar", "the film 7")
    assert "did you mean" in cinematch("similar", "Film 7 (1999)", code=1)


def test_sql_reads_as_the_analyst_and_writes_nothing(cinematch: Command) -> None:
    assert json.loads(cinematch("sql", "SELECT current_user AS who, count(*) AS n FROM movies", "--json")) == [
        {"who": "analyst", "n": 150}
    ]
    for forbidden in ("DELETE FROM movies", "CREATE TEMP TABLE t (x int)", "SELECT 1; DELETE FROM movies"):
        assert len(cinematch("sql", forbidden, code=1).strip().splitlines()) == 1
    assert json.loads(cinematch("sql", "SELECT count(*) FROM movies", "--json")) == [{"count": 150}]
    assert cinematch("sql", "SELECT 1").endswith("\n1 row\n")
    assert "no query @nothing" in cinematch("sql", "@nothing", code=1)


def test_sql_streams_json_and_says_when_it_cuts_an_answer(cinematch: Command) -> None:
    query = "SELECT movieid FROM movies ORDER BY 1"
    lines = cinematch("sql", query, "--lines").splitlines()
    assert [json.loads(line) for line in lines] == json.loads(cinematch("sql", query, "--json"))
    assert len(lines) == 150
    assert json.loads(cinematch("sql", f"{query} LIMIT 0", "--json")) == []
    assert "100 rows; there are more than 100 rows: add a LIMIT" in cinematch("sql", query, "--max-rows", "100")
    assert "there are more than 100 rows" in cinematch("sql", query, "--max-rows", "100", "--json", code=1)


def test_models_are_listed_and_the_first_one_cannot_be_rolled_back(cinematch: Command) -> None:
    (version,) = json.loads(cinematch("models", "list", "--json"))
    assert (version["version"], version["champion"], version["state"]) == ("run_abcdef01_v1", True, "promoted")
    assert version["computed_by"].keys() >= {"blas", "numba_cpu", "numpy", "python"}
    assert "first model" in cinematch("models", "list")
    assert "is the first champion" in cinematch("models", "rollback", code=1)
    assert "no model version" in cinematch("models", "promote", "run_zzz_v9", code=1)


def test_models_verify_rebuilds_a_version_or_names_what_differs(cinematch: Command, platform: Platform) -> None:
    answer = json.loads(cinematch("models", "verify", "run_abcdef01_v1", "--json"))
    assert (answer["outcome"], answer["rebuilt_sha256"]) == ("equal", answer["registered_sha256"])
    assert "no model version" in cinematch("models", "verify", "run_zzz_v9", code=1)
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.model_versions SET seed = seed + 1")
        try:
            assert "other settings" in cinematch("models", "verify", "run_abcdef01_v1", code=1)
        finally:
            connection.execute("UPDATE ops.model_versions SET seed = seed - 1")


def test_export_says_where_the_lists_are(cinematch: Command, tmp_path: Path) -> None:
    assert "recommendations for" in cinematch("export", str(tmp_path / "out"))
    exported = json.loads(cinematch("export", str(tmp_path / "out"), "--json"))
    latest = json.loads((tmp_path / "out" / "exports" / "recommendations" / "latest.json").read_text())
    assert latest["folder"] == exported["folder"]
    assert (tmp_path / "out" / latest["folder"] / "recommendations.csv").is_file()


def test_rejected_rows_are_listed_and_released_when_corrected(cinematch: Command, platform: Platform) -> None:
    (rejected,) = json.loads(cinematch("rejects", "list", "--json"))
    assert rejected["path"] == "ratings.csv"
    as_before = ("rejects", "release", str(rejected["id"]))
    assert "0 rows released, 1 still rejected" in cinematch(*as_before, code=1, printed=True)
    corrected, why = ("--correct", "9999,1,4.0,1000000000"), ("--reason", "a typing error")
    assert "1 row released" in cinematch("rejects", "release", str(rejected["id"]), *corrected, *why)
    ratings = platform.warehouse.run(count_rows, "ratings")
    assert f"{ratings:,}" in platform.store.read_bytes("reports/monitoring_report.html").decode()
    (entry,) = json.loads(cinematch("audit", "--action", "correction", "--json"))
    assert (entry["subject"], entry["reason"]) == ("ratings.csv", "a typing error")
    assert entry["details"]["row_numbers"] == [rejected["row_number"]]
    assert "9999" not in json.dumps(entry)
    assert json.loads(cinematch("rejects", "list", "--json")) == []


def test_a_promotion_by_hand_is_in_the_audit_with_who_and_why(
    cinematch: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINEMATCH_ACTOR", "Ada of operations")
    assert "is champion" in cinematch("models", "promote", "run_abcdef01_v1", "--reason", "a drill")
    assert b"a drill" in platform.store.read_bytes("reports/monitoring_report.html")
    newest, *_, first = json.loads(cinematch("audit", "--action", "promotion", "--json"))
    assert (newest["subject"], newest["actor"], newest["reason"]) == ("run_abcdef01_v1", "Ada of operations", "a drill")
    assert "first model" in first["reason"]
    shown = cinematch("audit")
    assert "Ada of operations" in shown
    assert "a drill" in shown
    assert len(json.loads(cinematch("audit", "--limit", "1", "--json"))) == 1


def test_simulate_puts_the_next_batch_into_the_folder(cinematch: Command, platform: Platform) -> None:
    assert "batch_w1" in cinematch("simulate", "--rows", "100")
    assert (Path(platform.folder.spec) / "batches" / "batch_w1.csv").exists()


def test_a_batch_is_listed_removed_after_saying_what_depends_on_it_and_restored(
    cinematch: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINEMATCH_ACTOR", "Ada of operations")
    with given_batch(platform, "batch_x7", users=20):
        assert "batch_x7" in cinematch("batches", "list")
        why = ("--reason", "a test file")
        assert "say --yes" in cinematch("batches", "remove", "batch_x7", *why, code=1)
        shown = cinematch("batches", "remove", "batch_x7", "--dry-run")
        assert "20 ratings of 20 users, in the buffer" in shown
        assert "no model learned from it" in shown
        assert "20 users of it have recommendations" in shown
        assert "batch_x7 is removed: 20 ratings" in cinematch("batches", "remove", "batch_x7", "--yes", *why)
        (row,) = (each for each in json.loads(cinematch("batches", "list", "--json")) if each["batch_id"] == "batch_x7")
        assert row["place"] == "removed"
        assert "removed" in cinematch("status")
        assert "batch_x7 has no rows" in cinematch("batches", "remove", "batch_x7", "--yes", code=1)
        assert "in the buffer again: 20 ratings" in cinematch("batches", "restore", "batch_x7", "--reason", "a mistake")
        entries = json.loads(cinematch("audit", "--limit", "2", "--json"))
        assert [(each["action"], each["actor"], each["reason"]) for each in entries] == [
            ("batch_restore", "Ada of operations", "a mistake"),
            ("batch_removal", "Ada of operations", "a test file"),
        ]


def test_migrate_has_nothing_to_do_twice(cinematch: Command) -> None:
    assert "nothing to do" in cinematch("migrate")


def test_evaluate_measures_on_files_alone(cinematch: Command, tmp_path: Path, platform: Platform) -> None:
    ratings = pd.read_csv(Path(platform.folder.spec) / "ratings.csv")
    ratings = ratings[ratings["rating"] <= 5]
    held_out = ratings.sample(frac=0.3, random_state=1)
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    ratings.drop(held_out.index).to_csv(train, index=False)
    held_out.to_csv(test, index=False)
    movies = str(Path(platform.folder.spec) / "movies.csv")
    output = json.loads(cinematch("evaluate", "--train", str(train), "--test", str(test), "--movies", movies, "--json"))
    agreed = "method rmse mae precision_at_10 catalogue_precision_at_10 catalogue_ndcg_at_10 coverage fit_seconds"
    assert {*agreed.split(), "predict_seconds", "peak_rss_mb"} <= set(output)
    assert 0.5 < output["rmse"] < 0.8
    bare = tmp_path / "bare.csv"
    ratings.drop(columns="timestamp").to_csv(bare, index=False)
    strong = json.loads(cinematch("evaluate", "--train", str(bare), "--protocol", "strong", "--json"))
    assert 0 < strong["recall_at_20"] <= 1
    assert strong["split"] == "users held out"
    assert "--protocol is odd" in cinematch("evaluate", "--train", str(bare), "--protocol", "odd", code=1)
    assert "--test is missing" in cinematch("evaluate", "--train", str(train), code=1)
    assert "no file" in cinematch("evaluate", "--train", str(train), "--test", "nothing.csv", code=1)


def test_a_wrong_setting_is_named_in_one_sentence(cinematch: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_MAX_REJECTED_SHARE", "half")
    output = cinematch("status", code=1)
    assert "CINEMATCH_MAX_REJECTED_SHARE" in output
    assert len(output.strip().splitlines()) == 1


def test_a_database_that_is_down_is_named_in_one_sentence(cinematch: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", "postgresql://someone:secret@127.0.0.1:1/nowhere")
    output = cinematch("status", code=1)
    assert "127.0.0.1:1/nowhere" in output
    assert "secret" not in output
    assert len(output.strip().splitlines()) == 1


def test_a_folder_that_is_not_there_is_named(cinematch: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_DRIVE", "/nowhere/at/all")
    assert "/nowhere/at/all" in cinematch("simulate", code=1)


def test_features_refit_says_which_basis_is_in_force(cinematch: Command) -> None:
    facts = json.loads(cinematch("features", "refit", "--json"))
    assert facts["genre_basis"].startswith("genres_")
    assert f"the basis stays {facts['genre_basis']}" in cinematch("features", "refit")


def test_a_terminal_that_knows_ascii_only_gets_ascii(platform: Platform) -> None:
    known = {"CINEMATCH_HOME": str(platform.settings.home), "CINEMATCH_DATABASE_URL": platform.warehouse.url}
    environment = os.environ | known | {"PYTHONIOENCODING": "ascii"}
    for words in (["recommend", "1", "-k", "3"], ["models", "list"]):
        run = [sys.executable, "-m", "cinematch_assets.cli.main", *words]
        done = subprocess.run(run, env=environment, cwd=platform.settings.home, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"+/-" in done.stdout or b"*" in done.stdout
        assert done.stdout.isascii()
