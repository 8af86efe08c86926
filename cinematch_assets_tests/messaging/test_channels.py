"""Messages to real receivers on loopback; no secret of a URL gets out."""

import json
import logging
from datetime import UTC, datetime

import pytest

from cinematch_assets.messaging.channels import ChannelError, read_channels, without_secrets
from cinematch_assets.messaging.message import Message, compose
from cinematch_assets.values import Notification
from cinematch_assets_tests.support.hostile import HOSTILE, steering_characters
from cinematch_assets_tests.support.sinks import mail_sink, web_sink

MESSAGE = Message("id-1", "CineMatch: <b>w1</b> is refused", "7 of 9 rows & <script>alert(1)</script>")


def test_urls_are_separated_by_white_space_or_commas_and_a_wrong_one_stops_no_other() -> None:
    channels = read_channels(
        "json://127.0.0.1:9/a, nosuch://s3cr3t\nmailto://127.0.0.1:9/?from=a@b.example&to=c@d.example,e@f.example"
    )
    assert [channel.label for channel in channels.usable] == ["JSON (URL 1)", "E-Mail (URL 3)"]
    assert channels.faults == ("CINEMATCH_NOTIFY: URL 2 of 3 is none that apprise knows",)
    assert read_channels(None).usable == ()


def test_a_channel_is_known_by_its_url_and_does_not_show_it() -> None:
    first, second = read_channels("json://127.0.0.1:9/s3cr3t json://127.0.0.1:9/other json://127.0.0.1:9/s3cr3t").usable
    assert first.key != second.key
    assert first.key == read_channels("json://127.0.0.1:9/s3cr3t").usable[0].key
    assert "s3cr3t" not in f"{first!r} {first.key} {first.label}"


def test_a_webhook_gets_the_text_and_the_id() -> None:
    with web_sink() as sink:
        (channel,) = read_channels(sink.url).usable
        channel.send(MESSAGE)
    assert sink.ids == ["id-1"]
    assert MESSAGE.body in sink.text


def test_a_mail_is_plain_text_with_the_id() -> None:
    with mail_sink() as sink:
        (channel,) = read_channels(sink.url).usable
        channel.send(MESSAGE)
    (mail,) = sink.mails
    assert mail["X-Cinematch-Message"] == "id-1"
    assert "w1" in mail["Subject"]
    assert mail.get_content_type() == "text/plain"
    assert MESSAGE.body in mail.get_content()


def test_a_chat_that_draws_markup_gets_none_of_a_file_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's and Discord's own classes, sent to a receiver on loopback."""
    from apprise.plugins.discord import NotifyDiscord
    from apprise.plugins.slack import NotifySlack

    recorded = datetime(2026, 1, 2, tzinfo=UTC)
    text = " ".join(HOSTILE)
    message = compose(
        "id-1", [Notification(id=1, kind="given up", subject=text, body=text, next_step=text, recorded_at=recorded)]
    )
    urls = (
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general?format=markdown&blocks=yes",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        f"discord://123456789012345678/{'a' * 68}",
        f"discord://123456789012345678/{'a' * 68}?format=markdown",
    )
    with web_sink() as sink:
        here = f"http://127.0.0.1:{sink.port}"
        monkeypatch.setattr(NotifySlack, "webhook_url", here)
        monkeypatch.setattr(NotifyDiscord, "notify_url", here)
        for channel in read_channels(" ".join(urls)).usable:
            channel.send(message)
    assert len(sink.requests) == len(urls)
    for _, body in sink.requests:
        sent = json.dumps(body, ensure_ascii=False)
        assert not any(
            call in sent for call in ("<!channel", "<@U024", "@everyone", "<https://evil", "](http", "](java")
        )
        assert '"parse": ["' not in sent, "Discord is asked to call someone"
        assert steering_characters(json.loads(json.dumps(sent)).replace("\\n", "")) == set()


def test_a_mail_in_html_shows_tags_as_text() -> None:
    with mail_sink() as sink:
        (channel,) = read_channels(f"{sink.url}&format=html").usable
        channel.send(MESSAGE)
    html = sink.mails[0].get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


def test_a_refusal_is_one_sentence_without_the_secrets_and_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with web_sink() as sink, caplog.at_level(logging.DEBUG):
        sink.status = 403
        (channel,) = read_channels(sink.url.replace("127.0.0.1", "someone:hunter22@127.0.0.1")).usable
        with pytest.raises(ChannelError, match=r"^JSON \(URL 1\): .*403") as refused:
            channel.send(MESSAGE)
    assert not any(secret in str(refused.value) + caplog.text for secret in ("s3cr3t", "hunter22", "someone"))


def test_parts_of_a_url_are_removed_from_a_text_whether_quoted_or_not() -> None:
    url = "slack://bot@TAAAAAAA/B%2FBBBB/cccccc/?key=dddd"
    assert without_secrets("TAAAAAAA failed for B/BBBB, cccccc and dddd at bot", url) == "… failed for …, … and … at …"
    assert without_secrets("mail.example failed", "mailto://me:hunter22@mail.example/") == "mail.example failed"
