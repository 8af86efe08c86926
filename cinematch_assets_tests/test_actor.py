import os
import pwd
import socket

import pytest

from cinematch_assets.actor import Actor


def test_without_a_name_it_is_the_user_of_the_process_whatever_its_variables_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("USER", "another")
    monkeypatch.setenv("LOGNAME", "another")
    assert Actor.of_process().name == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
    assert Actor.of_process("ada").name == "ada"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)
    assert Actor.of_process().name == f"uid 3999999999@{socket.gethostname()}"


def test_in_one_line() -> None:
    assert str(Actor("ada")) == "ada"
    assert str(Actor("ada", "0123456789", "sensor drive_sensor")) == "ada, run 01234567 launched by sensor drive_sensor"
