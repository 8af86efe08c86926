"""Each notification reaches each channel once, whatever is killed or down.

The receivers are real: a web server and a mail server on loopback.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cinematch_assets.messaging.channels import read_channels
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.send_notifications import gap_s, send_notifications, try_channels
from cinematch_assets.warehouse.notification_messages import claim_message, list_channel_states, register_channel
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets_tests.support import notification_jobs, workers
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.sinks import WebSink, mail_sink, web_sink


def record(platform: Platform, *subjects: str) -> None:
    for subject in subjects:
        platform.warehouse.run(record_notification, "given up", subject, "why")


def expire_claims(platform: Platform) -> None:
    """Let the lease of a sender that was killed run out."""
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.notification_messages SET claimed_until = now() WHERE claimed_until IS NOT NULL")


@pytest.fixture
def sending(tmp_path: Path, database_url_18: str) -> Iterator[tuple[Platform, WebSink]]:
    with web_sink() as sink:
        yield make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=sink.url), sink


def test_each_channel_is_sent_everything_once(tmp_path: Path, database_url_18: str) -> None:
    with web_sink() as web, mail_sink() as mail:
        platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=f"{web.url} {mail.url}")
        record(platform, "one", "two")
        first = send_notifications(platform, pause_s=0)
        assert first.sent == {"JSON (URL 1)": 2, "E-Mail (URL 2)": 2}
        assert send_notifications(platform, pause_s=0).sent == {}
        assert [len(web.ids), len(mail.mails)] == [1, 1]
    assert "• one" in web.text
    assert "• two" in web.text


def test_what_comes_at_once_is_one_message_and_what_comes_soon_after_the_next(
    sending: tuple[Platform, WebSink],
) -> None:
    platform, sink = sending
    record(platform, "first")
    send_notifications(platform)
    record(platform, *(f"burst {n}" for n in range(40)))
    assert send_notifications(platform).sent == {}
    assert send_notifications(platform, pause_s=0).sent == {"JSON (URL 1)": 40}
    assert len(sink.ids) == 2


def test_while_a_channel_is_down_nothing_is_lost_and_the_others_go_on(tmp_path: Path, database_url_18: str) -> None:
    with web_sink() as down, web_sink() as up:
        platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=f"{down.url} {up.url}")
        down.status = 503
        for n in range(4):
            record(platform, f"fact {n}")
            done = send_notifications(platform, pause_s=0, first_gap_s=0)
            assert done.sent == {"JSON (URL 2)": 1}
            assert "503" in done.faults[0]
        states = platform.warehouse.run(
            list_channel_states, [channel.key for channel in read_channels(platform.settings.notify).usable]
        )
        assert [(state.waiting, state.attempts) for state in states] == [(4, 4), (0, None)]
        down.status = 200
        assert [send_notifications(platform, pause_s=0).sent for _ in range(3)] == [
            {"JSON (URL 1)": 1},
            {"JSON (URL 1)": 3},
            {},
        ]
        assert all(down.text.count(f"fact {n}") == 1 for n in range(4))
        assert len(up.ids) == 4


@pytest.mark.faults("clock")
def test_a_message_that_waits_for_a_time_before_the_clock_was_set_back_is_sent(
    sending: tuple[Platform, WebSink],
) -> None:
    platform, sink = sending
    sink.status = 503
    record(platform, "one")
    send_notifications(platform)
    with platform.warehouse.connect() as connection:
        later = "UPDATE ops.notification_messages SET retry_at = retry_at + interval '1 hour' WHERE sent_at IS NULL"
        assert connection.execute(later).rowcount == 1
    sink.status = 200
    assert send_notifications(platform, pause_s=0).sent == {"JSON (URL 1)": 1}


def test_gaps_grow_to_a_quarter_of_an_hour_so_that_an_hour_costs_few_attempts() -> None:
    gaps = [gap_s(attempt) for attempt in range(1, 20)]
    assert gaps[:3] == [30, 60, 120]
    assert max(gaps) == 900
    assert next(n for n in range(20) if sum(gaps[:n]) > 3600) < 10


def test_a_message_that_another_process_sends_is_not_sent_here(sending: tuple[Platform, WebSink]) -> None:
    platform, sink = sending
    (channel,) = read_channels(platform.settings.notify).usable
    record(platform, "fact")
    platform.warehouse.run(register_channel, channel.key, channel.label)
    assert platform.warehouse.run(claim_message, channel.key) is not None
    assert send_notifications(platform).sent == {}
    assert sink.ids == []


def test_without_a_channel_nothing_is_sent_and_a_new_one_is_told_of_the_last_day(
    tmp_path: Path, database_url_18: str
) -> None:
    with web_sink() as sink:
        platform = make_platform(tmp_path / "without", database_url_18)
        record(platform, "old", "new")
        assert str(send_notifications(platform)) == "nothing to send"
        with platform.warehouse.connect() as connection:
            connection.execute(
                "UPDATE ops.notifications SET recorded_at = now() - interval '25 hours' WHERE subject = 'old'"
            )
        platform = make_platform(tmp_path / "with", database_url_18, CINEMATCH_NOTIFY=sink.url)
        assert send_notifications(platform).sent == {"JSON (URL 1)": 1}
        assert "new" in sink.text


@pytest.mark.faults("killed-orders")
def test_killed_anywhere_each_message_arrives_once_and_only_one_that_was_sent_already_comes_again_with_its_id(
    sending: tuple[Platform, WebSink], tmp_path: Path
) -> None:
    """Twenty kills: before each order to Postgres, right before the message is sent and right after it."""
    platform, sink = sending
    record(platform, "warm")
    orders = workers.count_orders(lambda: send_notifications(platform, pause_s=0, first_gap_s=0))
    points: list[tuple[int | None, str]] = [(order, "") for order in range(1, orders + 1)] + [(None, "after")] * 3
    points += [(None, "before")] * (20 - len(points))
    for number, (order, place) in enumerate(points):
        subject = f"fact {number} of the matrix."
        record(platform, subject)
        home = str(tmp_path / f"home{number}")
        job = workers.start(notification_jobs.send, home, platform.settings.warehouse_url, sink.url, order, place)
        assert workers.finish(job) == [-9], (order, place)
        sent_before = sum(subject in text for _, text in sink.messages)
        expire_claims(platform)
        send_notifications(platform, pause_s=0, first_gap_s=0)
        send_notifications(platform, pause_s=0, first_gap_s=0)
        ids = [id_ for id_, text in sink.messages if subject in text]
        assert len(ids) == 1 + sent_before, (order, place)
        assert len(set(ids)) == 1, (order, place)
        # Only recording that it was sent can be lost after it was sent.
        assert sent_before == (place == "after" or order == orders), (order, place)


def test_a_test_message_names_the_channel_that_does_not_take_it(sending: tuple[Platform, WebSink]) -> None:
    platform, sink = sending
    channels = read_channels(platform.settings.notify).usable
    assert try_channels(channels) == {"JSON (URL 1)": ""}
    sink.status = 500
    assert "500" in try_channels(channels)["JSON (URL 1)"]
