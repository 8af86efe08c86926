import threading
import time

import pytest

from cinematch_assets.drive.folder import FileError, TokenError, UnreachableError
from cinematch_assets.drive.thread_pool import in_parallel
from cinematch_assets.values import DriveFile

FILES = [DriveFile(id=str(n), path=f"{n}.json", name=f"{n}.json", size=1, md5="0" * 32) for n in range(50)]


def test_each_file_has_one_outcome() -> None:
    def work(file: DriveFile) -> int:
        if file.id == "7":
            raise FileError("seven")
        return int(file.id)

    outcomes = {done.file.id: done for done in in_parallel(work, FILES, threads=4)}
    assert len(outcomes) == 50
    assert [str(done.error) for done in outcomes.values() if done.error] == ["seven"]
    assert sum(done.result for done in outcomes.values() if done.result is not None) == sum(range(50)) - 7


def test_as_many_files_run_at_once_as_there_are_threads() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def work(_: DriveFile) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    list(in_parallel(work, FILES, threads=5))
    assert most == [5]


def test_the_first_outcome_comes_before_later_files_begin() -> None:
    begun = []

    def work(file: DriveFile) -> None:
        begun.append(file)

    outcomes = in_parallel(work, FILES, threads=2)
    next(outcomes)
    outcomes.close()
    assert len(begun) <= 5


@pytest.mark.parametrize("fault", [TokenError("sign in"), RuntimeError("a mistake of ours")])
def test_an_error_that_is_not_of_one_file_stops_all_work(fault: Exception) -> None:
    begun = []

    def work(file: DriveFile) -> None:
        begun.append(file)
        raise fault

    with pytest.raises(type(fault), match=str(fault)):
        list(in_parallel(work, FILES, threads=2))
    assert len(begun) <= 6


def test_as_many_unreachable_files_in_a_row_as_threads_stop_all_work() -> None:
    begun = []

    def work(file: DriveFile) -> None:
        begun.append(file)
        raise UnreachableError("down")

    outcomes = []
    with pytest.raises(UnreachableError):
        outcomes.extend(in_parallel(work, FILES, threads=4))
    assert len(begun) <= 16
