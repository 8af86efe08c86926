"""Whether the token for Google Drive ends soon, which a person has to prevent.

Here: the condition that people are told of. Not here: the token (``drive.token``), its lifetime (``drive.diagnose``),
recording the condition (``pipeline.attention``), a token that cannot be used: then the folder
cannot be listed (``pipeline.ingest.wanted_work``).
"""

from datetime import UTC, datetime
from functools import lru_cache

from cinematch_assets.drive.folder import GOOGLE_PREFIX, TokenError, UnreachableError
from cinematch_assets.limits import TOKEN_NOTICE
from cinematch_assets.settings import Settings
from cinematch_assets.values import Condition

_RENEW = "run cinematch drive login (with --push for a secret on AWS); an app that is published has tokens that last"
NAME = "the Google token ends soon"


def find_token_condition(settings: Settings, now: datetime) -> Condition | None:
    """Return the condition if the folder is in Google Drive and its token ended or ends soon.

    The words stay the same as long as the token does. A secret on AWS is read once an hour, a file each time.
    """
    if not settings.folder.startswith(GOOGLE_PREFIX):
        return None
    try:
        end = _read_end(settings, now)
    except (TokenError, UnreachableError):  # the look at the folder says which
        return None
    if end is None or end[0] - now > TOKEN_NOTICE:
        return None
    time, is_certain = end
    unless = "" if is_certain else ' if the consent screen of the app is in "Testing"'
    return Condition(NAME, "token", f"it ends on {time:%Y-%m-%d %H:%M} UTC{unless}", _RENEW, time - TOKEN_NOTICE)


def _read_end(settings: Settings, now: datetime) -> tuple[datetime, bool] | None:
    from cinematch_assets.drive.diagnose import expected_end  # noqa: PLC0415 - Google's libraries: a third of a second
    from cinematch_assets.drive.token import TokenFile, token_source  # noqa: PLC0415 - see above

    source = token_source(settings.token_path, settings.token_secret)
    if isinstance(source, TokenFile):
        return expected_end(source.read(), now)
    return _read_secret_end(str(settings.token_secret), int(now.timestamp() // 3600))


@lru_cache(maxsize=4)
def _read_secret_end(name: str, hour: int) -> tuple[datetime, bool] | None:
    """Read the secret ``name`` in an hour, counted since 1970; each read costs."""
    from cinematch_assets.drive.diagnose import expected_end  # noqa: PLC0415 - see above
    from cinematch_assets.drive.token import TokenSecret  # noqa: PLC0415 - see above

    return expected_end(TokenSecret(name).read(), datetime.fromtimestamp(hour * 3600, UTC))
