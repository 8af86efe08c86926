"""People are told that the token for Google Drive ends, two days before it does and once for each token."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cinematch_assets.drive.token import Token
from cinematch_assets.pipeline.attention import attention, watch
from cinematch_assets.pipeline.token_watch import NAME, find_token_condition
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.notifications import list_notifications
from cinematch_assets_tests.support.platforms import make_platform

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GRANT: Token = {
    "client_id": "c",
    "client_secret": "s3cr3t",
    "refresh_token": "r3fr3sh",
    "token_uri": "https://oauth2.googleapis.com/token",
}


def write_token(path: Path, **times: datetime) -> None:
    path.write_text(json.dumps(GRANT | {name: time.isoformat() for name, time in times.items()}), encoding="utf-8")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "token.json"


@pytest.fixture
def google(token_file: Path) -> Settings:
    return Settings.model_validate({"CINEMATCH_DRIVE": "gdrive:folder", "GOOGLE_TOKEN_FILE": str(token_file)})


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"ends_at": NOW + timedelta(days=2, minutes=1)}, None),
        ({"ends_at": NOW + timedelta(days=2)}, "it ends on 2026-11-29 12:00 UTC"),
        ({"ends_at": NOW - timedelta(days=1)}, "it ends on 2026-11-26 12:00 UTC"),
        ({"granted_at": NOW - timedelta(days=4)}, None),
        (
            {"granted_at": NOW - timedelta(days=6)},
            "it ends on 2026-11-28 12:00 UTC if the consent screen of the app is",
        ),
        ({"granted_at": NOW - timedelta(days=8)}, None),
        ({}, None),
    ],
    ids=["later", "soon", "ended", "young", "old in testing", "outlived testing", "unknown"],
)
def test_a_token_is_told_of_two_days_before_it_ends(
    google: Settings, token_file: Path, times: dict[str, datetime], said: str | None
) -> None:
    write_token(token_file, **times)
    found = find_token_condition(google, NOW)
    assert (found and found.reason.startswith(str(said))) is (None if said is None else True)


@pytest.mark.parametrize("content", [None, "{}"], ids=["missing", "incomplete"])
def test_a_token_that_cannot_be_used_is_left_to_the_look_at_the_folder(
    google: Settings, token_file: Path, content: str | None
) -> None:
    if content is not None:
        token_file.write_text(content)
    assert find_token_condition(google, NOW) is None


def test_a_local_folder_needs_no_token() -> None:
    assert find_token_condition(Settings.model_validate({}), NOW) is None


def test_it_is_told_once_shown_in_status_and_ends_with_a_new_token(
    tmp_path: Path, token_file: Path, database_url_18: str
) -> None:
    platform = make_platform(
        tmp_path / "home", database_url_18, CINEMATCH_DRIVE="gdrive:folder", GOOGLE_TOKEN_FILE=str(token_file)
    )
    now = datetime.now(UTC)
    write_token(token_file, ends_at=now + timedelta(hours=30))
    watch(platform, None)
    watch(platform, None)
    (told,) = platform.warehouse.run(list_notifications)
    assert (told.kind, told.subject) == ("token", NAME)
    assert "cinematch drive login" in told.next_step
    assert not {"s3cr3t", "r3fr3sh"} & set(f"{told.body} {told.next_step}".split())
    assert [row.what for row in attention(platform)] == [NAME]
    write_token(token_file, ends_at=now + timedelta(days=7))
    watch(platform, None)
    assert attention(platform) == []
