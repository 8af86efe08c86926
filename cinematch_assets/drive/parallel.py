"""Many files at a time, each result as it is ready.

Here: the threads, and which faults end all. Not here: what is done with a file, or with its result.
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
    """One file's outcome: either ``result`` or ``error``."""

    file: DriveFile
    result: _T | None
    error: FileError | UnreachableError | None


def in_parallel(
    work: Callable[[DriveFile], _T], files: Iterable[DriveFile], *, threads: int = THREADS
) -> Iterator[Done[_T]]:
    """Do ``work`` on each file, ``threads`` at a time, and give the outcomes as they come, in any order.

    What is wrong with one file is its outcome. As many unreachable files in a row as there are threads, or any other
    fault, is raised, and the files not yet begun are left; so it is when the caller stops taking outcomes.
    """
    left = iter(files)
    unreachable = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="drive") as pool:
        try:
            running = {pool.submit(work, file): file for file in islice(left, 2 * threads)}
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done = _outcome(future, running.pop(future))
                    unreachable = unreachable + 1 if isinstance(done.error, UnreachableError) else 0
                    if done.error is not None and unreachable >= threads:
                        raise done.error
                    yield done
                    running |= {pool.submit(work, file): file for file in islice(left, 1)}
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(future: Future[_T], file: DriveFile) -> Done[_T]:
    try:
        return Done(file, future.result(), None)
    except (FileError, UnreachableError) as error:
        return Done(file, None, error)
