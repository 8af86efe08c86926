"""Work on many files at once.

Here: the threads, and which errors stop all work. Not here: the work on a file (``drive.landing``).
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from cinematch_assets.drive.folder import FileError, UnreachableError
from cinematch_assets.values import DriveFile

THREADS = 32
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Done(Generic[_T]):
    """The outcome of one file: either ``result`` or ``error``."""

    file: DriveFile
    result: _T | None
    error: FileError | UnreachableError | None


def in_parallel(
    work: Callable[[DriveFile], _T], files: Iterable[DriveFile], *, threads: int = THREADS
) -> Iterator[Done[_T]]:
    """Do ``work`` on each file, ``threads`` at a time, and give the outcomes as they finish, in any order.

    An error of one file is its outcome. Files not yet begun are dropped when the caller stops iterating.

    Raises:
        UnreachableError: As many files in a row as there are threads were unreachable.
        Exception: Whatever else ``work`` raises, at once.
    """
    remaining = iter(files)
    unreachable = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="drive") as pool:
        try:
            running = {pool.submit(work, file): file for file in islice(remaining, 2 * threads)}
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done = _outcome(future, running.pop(future))
                    unreachable = unreachable + 1 if isinstance(done.error, UnreachableError) else 0
                    if done.error is not None and unreachable >= threads:
                        raise done.error
                    yield done
                    running |= {pool.submit(work, file): file for file in islice(remaining, 1)}
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(future: Future[_T], file: DriveFile) -> Done[_T]:
    try:
        return Done(file, future.result(), None)
    except (FileError, UnreachableError) as error:
        return Done(file, None, error)
