"""Messages to real receivers on loopback; no secret of a URL gets out."""

import logging

import pytest

from cinematch_assets.messaging.channels import ChannelError, read_channels, without_secrets
from cinematch_assets.messaging.message import Message
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
