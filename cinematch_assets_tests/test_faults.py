"""Which failures are the content's, which the surroundings', and which are bugs."""

import errno
import socket

import botocore.exceptions
import psycopg
import pytest
import requests
from psycopg import errors

from cinematch_assets.drive.folder import TokenError, UnreachableError
from cinematch_assets.errors import CinematchError
from cinematch_assets.faults import Cause, cause_of
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.storage.atomic_file import WriteError
from cinematch_assets.warehouse.connection import WarehouseUnavailableError


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "no space left"),
        PermissionError(errno.EACCES, "denied"),
        OSError(errno.EROFS, "read-only file system"),
        ConnectionResetError("reset"),
        TimeoutError(),
        socket.gaierror(-3, "temporary failure in name resolution"),
        MemoryError(),
        errors.DiskFull(),
        errors.ReadOnlySqlTransaction(),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.TooManyConnections(),
        errors.DeadlockDetected(),
        errors.InsufficientPrivilege(),
        errors.LockNotAvailable(),
        psycopg.OperationalError("connection lost"),
        requests.ConnectionError("refused"),
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        UnreachableError("Google Drive does not answer."),
        TokenError("sign in"),
        WriteError("the disk is full"),
        WarehouseUnavailableError("the server is down"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_these_are_of_the_surroundings(error: Exception) -> None:
    assert cause_of(error) is Cause.SURROUNDINGS


@pytest.mark.parametrize("error", [FileRefused("ratings.csv", "too many bad rows"), CinematchError("no such movie")])
def test_a_fault_that_we_foresaw_is_the_content_s(error: Exception) -> None:
    assert cause_of(error) is Cause.CONTENT


@pytest.mark.parametrize(
    "error", [TypeError(), errors.UndefinedColumn(), errors.SyntaxError(), FileNotFoundError(2, "x")]
)
def test_anything_else_is_a_bug(error: Exception) -> None:
    assert cause_of(error) is Cause.BUG


def raised_from(cause: Exception | None, *, hidden: bool = False) -> Exception:
    """An error of ours that was raised while ``cause`` was handled."""
    error = CinematchError("the batch could not be written")
    error.__context__ = cause
    error.__suppress_context__ = hidden
    return error


def test_what_an_error_was_raised_from_counts() -> None:
    assert cause_of(raised_from(errors.DiskFull())) is Cause.SURROUNDINGS


def test_a_cause_that_was_hidden_on_purpose_does_not() -> None:
    assert cause_of(raised_from(OSError(errno.ENOSPC, "full"), hidden=True)) is Cause.CONTENT
