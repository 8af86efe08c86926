"""One unsent message a channel, claimed by one process at a time."""

import psycopg

from cinematch_assets.warehouse.notification_messages import (
    claim_message,
    finish_message,
    list_channel_states,
    postpone_message,
    register_channel,
    release_message,
    request_export,
)
from cinematch_assets.warehouse.notifications import record_notification

CHANNEL = "c" * 32


def given(connection: psycopg.Connection, *subjects: str) -> None:
    register_channel(connection, CHANNEL, "E-Mail (URL 1)")
    for subject in subjects:
        record_notification(connection, "drift", subject, "why")


def test_a_claimed_message_is_not_claimed_again_until_its_lease_ends_and_stays_the_same(
    connection: psycopg.Connection,
) -> None:
    given(connection, "one")
    first = claim_message(connection, CHANNEL, lease_s=0)
    assert first is not None
    given(connection, "two")
    again = claim_message(connection, CHANNEL)
    assert again is not None
    assert (again.id, again.attempts, again.notifications) == (first.id, 2, first.notifications)
    assert claim_message(connection, CHANNEL) is None


def test_what_came_meanwhile_is_in_the_next_message_after_a_pause(connection: psycopg.Connection) -> None:
    given(connection, "one")
    first = claim_message(connection, CHANNEL)
    assert first is not None
    given(connection, "two", "three")
    finish_message(connection, first.id)
    assert claim_message(connection, CHANNEL) is None
    second = claim_message(connection, CHANNEL, pause_s=0)
    assert second is not None
    assert [each.subject for each in second.notifications] == ["two", "three"]


def test_a_message_that_was_not_taken_waits_and_its_fault_is_shown(connection: psycopg.Connection) -> None:
    given(connection, "one")
    claimed = claim_message(connection, CHANNEL)
    assert claimed is not None
    postpone_message(connection, claimed.id, "it is down", 600)
    assert claim_message(connection, CHANNEL) is None
    (state,) = list_channel_states(connection, [CHANNEL, "d" * 32])
    assert (state.label, state.waiting, state.attempts, state.fault) == ("E-Mail (URL 1)", 1, 1, "it is down")
    assert state.failing_since is not None


def test_an_export_is_asked_for_everything_first_and_then_takes_its_kinds_alone(connection: psycopg.Connection) -> None:
    record_notification(connection, "promoted", "one", "why")
    for _ in range(2):
        register_channel(connection, CHANNEL, "MLflow", ["promoted"])
    first = claim_message(connection, CHANNEL)
    assert first is not None
    assert first.notifications == ()
    release_message(connection, first.id)  # a part of it was taken
    again = claim_message(connection, CHANNEL)
    assert again is not None
    assert (again.id, again.attempts) == (first.id, 1)
    finish_message(connection, first.id)
    record_notification(connection, "drift", "two", "why")
    second = claim_message(connection, CHANNEL, pause_s=0)
    assert second is not None
    assert [each.subject for each in second.notifications] == ["one"]
    finish_message(connection, second.id)
    assert claim_message(connection, CHANNEL, pause_s=0) is None
    (state,) = list_channel_states(connection, [CHANNEL])
    assert state.waiting == 0
    for _ in range(2):
        request_export(connection, CHANNEL)
    asked = claim_message(connection, CHANNEL, pause_s=0)
    assert asked is not None
    request_export(connection, CHANNEL)  # while a process sends it: that one keeps it
    assert claim_message(connection, CHANNEL, pause_s=0) is None
