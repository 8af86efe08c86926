from datetime import UTC, datetime

from cinematch_assets.messaging.message import MAX_SHOWN, compose
from cinematch_assets.values import Notification


def given(number: int = 1, **changes: str) -> Notification:
    texts = {"kind": "given up", "subject": f"batch w{number}", "body": "why", "next_step": "correct it", **changes}
    return Notification(id=number, recorded_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), **texts)


def test_one_notification_is_its_subject_its_reason_and_what_to_do() -> None:
    message = compose("abc", [given()])
    assert message.title == "CineMatch: batch w1"
    assert message.body.startswith("why\nNext: correct it\n2026-01-02 03:04 UTC")
    assert "Message abc." in message.body


def test_many_are_one_message_that_counts_them_and_shows_the_first() -> None:
    message = compose("abc", [given(n) for n in range(30)] + [given(30, kind="drift")])
    assert message.title == "CineMatch: 31 messages: 30 × given up, 1 × drift"
    assert message.body.count("•") == MAX_SHOWN
    assert f"and {31 - MAX_SHOWN} more" in message.body
    assert len(compose("abc", [given(n, body="x" * 2_000) for n in range(500)]).body) < 10_000


def test_a_name_from_outside_neither_hides_text_nor_calls_everyone() -> None:
    message = compose("abc", [given(subject="a\x1b[31m\u202egpj.exe", body="@everyone @Here a@here.example\r\nb")])
    assert not {"\x1b", "\u202e", "\r"} & set(message.title + message.body)
    assert "@everyone" not in message.body
    assert "@Here" not in message.body
