"""URLs as people paste them: one spelling for databases, and no user information in what is shown.

Here: reading, normalizing, refusing, masking. Not here: connecting (``warehouse.connection``), which variables hold
a URL (``settings``).
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from cinematch_assets.errors import CinematchError

_SCHEME = re.compile(r"^(?:jdbc:)?(?:postgres|postgresql|pgsql)(?:\+\w+)?://", re.IGNORECASE)
_USER_INFO = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*:/{1,2})[^\s/?#'\"]*(?:[^\s'\"]*@)")
_PASSWORD_OPTION = re.compile(r"(?i)\b((?:ssl)?password|passfile|user)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'\"]+)")
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|(?:s3|gdrive|https?):", re.IGNORECASE)
_PATH = re.compile(r"/(?!/)|\.{1,2}/")
_SECRET_IN_NAME = re.compile(r"[^/\\@]:[^/\\@]*@")
EXPECTED = "postgresql://user:password@host:port/database"
NO_USER_INFO = (
    "it holds a user or a password, or one of @?#%: credentials have variables of their own, and the path of a folder "
    "with @ begins with / or ./"
)
ESCAPE = "write special characters of the password as %40 (@), %2F (/), %3F (?) and so on"


class InvalidUrlError(CinematchError):
    """A URL cannot be used; it may hold a password, so the message repeats no part of it."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database URL leads, without user and password."""

    host: str
    port: str
    database: str


def normalize_database_url(url: str) -> str:
    """Return the URL as every library here reads it: ``postgresql://``, whichever dialect it was written in.

    libpq's ``key=value`` form is returned as it is.

    Raises:
        InvalidUrlError: It cannot be one, or a character of the password is not escaped.
    """
    text = url.strip()
    found = _SCHEME.match(text)
    if not found:
        if "://" in text or "=" not in text:
            raise InvalidUrlError(f"not {EXPECTED}; {ESCAPE}")
        return text
    normal = f"postgresql://{text[found.end() :]}"
    address_of(normal)
    return normal


def address_of(url: str) -> DatabaseAddress:
    """Return where a normalized URL leads.

    Raises:
        InvalidUrlError: An ``@``, ``/`` or ``?`` of the user or password is not escaped: what follows it would be taken
            for the host, and shown.
    """
    rest = url.partition("://")[2]
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("?")
    _, _, place = authority.rpartition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    hosts = [options.get("host", ""), *place.split(",")]
    if authority.count("@") > 1 or any("@" in host[1:] for host in hosts) or "@" in path:
        raise InvalidUrlError(f"an @ stands in the user, the password or the host; {ESCAPE}")
    ports = [_port(each) for each in place.split(",")]
    if not all(port.isascii() and (port.isdigit() or not port) for port in ports):
        raise InvalidUrlError(f"not {EXPECTED}; {ESCAPE}")
    host = options.get("host") or place.partition(",")[0].removesuffix(f":{ports[0]}" if ports[0] else "")
    return DatabaseAddress(
        unquote(host).strip("[]").lower(), options.get("port") or ports[0] or "5432", unquote(path.strip("/"))
    )


def hide_user_info(text: str) -> str:
    """Return ``text`` with the user information of every URL in it, and of ``key=value`` forms, replaced by dots."""
    return _PASSWORD_OPTION.sub(r"\1\2…", _USER_INFO.sub(r"\1…@", text))


def has_user_info(address: str) -> bool:
    """Whether an address holds a user or a password, or a sign by which it could: no bucket or folder id needs one.

    Of paths that is one that could be a URL whose scheme was left out or mistyped (``key:secret@bucket``,
    ``//user@host``). A path that begins with one ``/``, or with ``./``, may have an ``@`` in the names of its folders.
    """
    if found := _ADDRESS.match(address):
        return not set("@?#%").isdisjoint(address[found.end() :])
    text = unquote(address.strip())
    return bool(_SECRET_IN_NAME.search(text)) or ("@" in text and _PATH.match(text) is None)


def _port(place: str) -> str:
    """The port of ``host:port``; an IPv6 address stands in brackets."""
    _, bracket, after = place.rpartition("]")
    return (after if bracket else place).partition(":")[2]
