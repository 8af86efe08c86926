from datetime import UTC, datetime

from cinematch_assets.messaging.message import MAX_SHOWN, compose
from cinematch_assets.values import Notification
from cinematch_assets_tests.support.hostile import HOSTILE, foreign_markup, steering_characters


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


def test_hostile_text_neither_steers_nor_draws_nor_calls_anyone() -> None:
    for text in HOSTILE:
        for message in (compose("abc", [given(subject=text, body=text, next_step=text)]), compose("a", [given()] * 2)):
            shown = f"{message.title}\n{message.body}"
            assert steering_characters(shown) == set(), text
            assert foreign_markup(shown) == [], text
            assert "<!channel>" not in shown
            assert "<@U024BE7LH>" not in shown


def test_an_address_stays_one() -> None:
    assert "mail me@cinematch.example" in compose("abc", [given(body="mail me@cinematch.example")]).body
