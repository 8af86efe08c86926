from pathlib import Path

import dagster as dg

from cinematch_assets.pipeline.monitoring.publish_page import KEY
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.values import OutstandingWork
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets.warehouse.outstanding import replace_outstanding
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.sinks import web_sink


def tick(platform: Platform, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=repository(), resources={"platform": platform}
    )
    return repository().get_sensor_def("notification_sensor")(context)


def said(result: dg.SensorResult) -> str:
    return str(result.skip_reason.skip_message)


def test_a_tick_sends_what_is_due_and_one_with_a_channel_that_is_down_does_not_fail(
    tmp_path: Path, database_url_18: str
) -> None:
    with web_sink() as sink, dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=sink.url)
        platform.warehouse.run(record_notification, "drift", "a fact", "why")
        sink.status = 503
        assert "503" in said(tick(platform, instance))
        assert said(tick(platform, instance)) == "nothing to send"  # it waits for its gap
        with platform.warehouse.connect() as connection:
            connection.execute("UPDATE ops.notification_messages SET retry_at = now()")
        sink.status = 200
        assert said(tick(platform, instance)) == "JSON (URL 1): 1 sent"
    assert "a fact" in sink.text


def page(platform: Platform) -> str:
    return platform.store.read_bytes(KEY).decode()


def test_badge_and_page_follow_what_waits_for_a_person_without_a_run(platform: Platform, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        first = tick(platform, instance)
        assert [event.passed for event in first.asset_events] == [True]
        again = tick(platform, instance, first.cursor)
        assert (again.asset_events, again.cursor) == ([], first.cursor)
        work = OutstandingWork("batch", "w1", "a", "given_up", "7 rows do not fit", "correct it")
        platform.warehouse.run(replace_outstanding, {"batch"}, [work])
        worse = tick(platform, instance, again.cursor)
        (badge,) = worse.asset_events
        assert (badge.check_name, badge.passed, badge.severity) == (
            "nothing_needs_attention",
            False,
            dg.AssetCheckSeverity.WARN,
        )
        assert "batch w1, given up: 7 rows do not fit. Next: correct it" in badge.description
        assert "7 rows do not fit" in page(platform)
        platform.warehouse.run(replace_outstanding, {"batch"}, [])
        assert [event.passed for event in tick(platform, instance, worse.cursor).asset_events] == [True]
        assert "7 rows do not fit" not in page(platform)


def test_a_store_that_is_full_keeps_neither_message_nor_badge_back(platform: Platform, tmp_path: Path) -> None:
    assert isinstance(platform.store, LocalStore)
    platform.store.root.mkdir(parents=True, exist_ok=True)
    (platform.store.root / "reports").write_text("no folder")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        result = tick(platform, instance)
    assert ([event.passed for event in result.asset_events], said(result)) == ([True], "nothing to send")
