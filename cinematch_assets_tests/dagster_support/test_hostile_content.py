"""Hostile strings as titles, genres, rows, headers and names of files, through every job: what Dagster then shows."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import logging_instance, repository, run_job
from cinematch_assets_tests.support.hostile import HOSTILE, foreign_markup, steering_characters
from cinematch_assets_tests.support.platforms import drop, drop_history, make_platform

pytestmark = [pytest.mark.faults("hostile-names"), pytest.mark.slow, pytest.mark.timeout(1_500)]
Ran = tuple[Platform, dg.DagsterInstance]
SUCCEEDING = (("load_catalog", None), ("ingest_batch", "batch_w1"), ("retrain", None), ("maintain", None))
FAILING = (("ingest_batch", "bad_header"), ("ingest_batch", "bad_rows"), ("load_catalog", None))


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[Ran]:
    """Each job on files whose every text is hostile, then those that are refused."""
    folder = tmp_path_factory.mktemp("hostile")
    with migrated_database() as url, logging_instance(folder / "instance") as instance:
        platform = make_platform(folder / "home", url)
        drop_hostile(platform)
        instance.add_dynamic_partitions("batch_id", ["batch_w1", "bad_header", "bad_rows"])
        for job, batch in SUCCEEDING:
            assert run_job(job, platform, instance, **_partition(batch)).success, job
        drop(platform, "movies.csv", f"movieId,title,{HOSTILE[4]}\n1,a,b\n")
        for job, batch in FAILING:
            assert not run_job(job, platform, instance, **_partition(batch)).success, job
        yield platform, instance


def _partition(batch: str | None) -> dict[str, str]:
    return {"partition_key": batch} if batch else {}


def drop_hostile(platform: Platform) -> None:
    """Put a catalogue, a history, batches and a collection into the folder, with hostile texts wherever text can be."""
    history = drop_history(platform)
    movies = pd.read_csv(f"{platform.folder.spec}/movies.csv")
    movies.loc[: len(HOSTILE) - 1, "title"] = [f"{text} (1999)" for text in HOSTILE]
    movies.loc[: len(HOSTILE) - 1, "genres"] = HOSTILE
    drop(platform, "movies.csv", movies)
    wrong = pd.DataFrame({"userId": HOSTILE, "movieId": 1, "rating": HOSTILE, "timestamp": HOSTILE})
    drop(platform, "ratings.csv", pd.concat([history.astype(object), wrong]))
    week = history.sample(1_500, random_state=1).assign(timestamp=2_000_000_000)
    drop(platform, "batches/batch_w1.csv", pd.concat([week.astype(object), wrong]))
    drop(platform, "batches/bad_header.csv", ",".join(f'"{text}"' for text in HOSTILE) + "\n1,2\n")
    drop(platform, "batches/bad_rows.csv", wrong)
    for text in HOSTILE:
        name = text.replace("/", "_")
        (platform.settings.home / "drive" / name).mkdir()
        drop(platform, f"batches/{name}.csv", "userId\n")
        movie = {"title": text, "genre": text, "rating": "5", "year": 1999}
        for prefix, content in (("", [movie]), ("bad ", [{**movie, "rating": text, "year": text}]), ("worse ", text)):
            drop(platform, f"Netflix_Movie_Collection/{prefix}{name}.json", json.dumps(content))


def shown(instance: dg.DagsterInstance) -> Iterator[tuple[str, str, bool]]:
    """Yield each text that the UI or a log shows: where it is, the text, whether it is drawn as Markdown."""
    for run in instance.get_runs():
        yield from ((f"tag {name}", value, False) for name, value in run.tags.items())
        for record in instance.all_logs(run.run_id):
            event = record.dagster_event
            kind = event.event_type_value if event else "log"
            yield f"{kind} message", record.user_message, False
            if event is None:
                continue
            data: Any = event.event_specific_data
            if error := getattr(data, "error", None):
                yield f"{kind} error", error.to_string(), False
            for holder in (data, getattr(data, "materialization", None)):
                yield f"{kind} description", getattr(holder, "description", None) or "", True
                for key, value in (getattr(holder, "metadata", None) or {}).items():
                    is_markdown = isinstance(value, dg.MarkdownMetadataValue)
                    yield from ((f"{kind} {key}", text, is_markdown) for text in _strings(value.value))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (*_strings(key), *_strings(each))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


def test_no_message_metadata_tag_or_error_steers_a_terminal_or_reorders_itself(ran: Ran) -> None:
    texts = list(shown(ran[1]))
    assert any("\\u001b" in text for _, text, _ in texts), "the texts got here"
    assert {(where, text[:300]) for where, text, _ in texts if steering_characters(text)} == set()


def test_what_is_drawn_as_markdown_holds_no_tag_link_or_picture_from_a_file(ran: Ran) -> None:
    drawn = [(where, text) for where, text, is_markdown in shown(ran[1]) if is_markdown and text]
    assert any("script" in text for _, text in drawn), "the texts got here"
    assert {(where, str(found)) for where, text in drawn if (found := foreign_markup(text))} == set()


def test_the_sensor_s_reasons_are_text(ran: Ran) -> None:
    platform, instance = ran
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    result = repository().get_sensor_def("drive_sensor")(context)
    with platform.warehouse.connect() as connection:
        assert connection.execute("SELECT 1 FROM ops.outstanding_work WHERE work LIKE '%<img%'").fetchall()
    skipped = result.skip_reason.skip_message if result.skip_reason else ""
    tags = "".join(value for request in result.run_requests for value in request.tags.values())
    assert steering_characters(skipped + tags) == set()


def test_the_pages_hold_them_as_text(ran: Ran) -> None:
    pages = {path.name: path.read_text() for path in ran[0].settings.home.rglob("*.html")}
    monitoring = pages.pop("monitoring_report.html")
    assert steering_characters(monitoring) == set()
    assert pages, "Evidently's"
    for page in (monitoring, *pages.values()):
        assert "<script>alert(1)" not in page
        assert "<img src=x" not in page
