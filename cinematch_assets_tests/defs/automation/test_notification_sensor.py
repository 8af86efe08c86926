from pathlib import Path

import dagster as dg

from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.sinks import web_sink


def test_a_tick_sends_what_is_due_and_one_with_a_channel_that_is_down_does_not_fail(
    tmp_path: Path, database_url_18: str
) -> None:
    with web_sink() as sink, dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=sink.url)

        def tick() -> str:
            context = dg.build_sensor_context(
                instance=instance, repository_def=repository(), resources={"platform": platform}
            )
            return str(repository().get_sensor_def("notification_sensor")(context).skip_message)

        platform.warehouse.run(record_notification, "drift", "a fact", "why")
        sink.status = 503
        assert "503" in tick()
        assert tick() == "nothing to send"  # it waits for its gap
        with platform.warehouse.connect() as connection:
            connection.execute("UPDATE ops.notification_messages SET retry_at = now()")
        sink.status = 200
        assert tick() == "JSON (URL 1): 1 sent"
    assert "a fact" in sink.text
