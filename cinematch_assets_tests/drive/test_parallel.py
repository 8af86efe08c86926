import threading
import time

import pytest

from cinematch_assets.drive.folder import FileError, TokenError, UnreachableError
from cinematch_assets.drive.parallel import in_parallel
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


def test_so_many_run_at_once_and_no_more() -> None:
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


def test_outcomes_come_before_all_is_done() -> None:
    begun = []

    def work(file: DriveFile) -> None:
        begun.append(file)

    outcomes = in_parallel(work, FILES, threads=2)
    next(outcomes)
    outcomes.close()
    assert len(begun) <= 5


@pytest.mark.parametrize("fault", [TokenError("sign in"), RuntimeError("a mistake of ours")])
def test_what_concerns_all_ends_all(fault: Exception) -> None:
    begun = []

    def work(file: DriveFile) -> None:
        begun.append(file)
        raise fault

    with pytest.raises(type(fault), match=str(fault)):
        list(in_parallel(work, FILES, threads=2))
    assert len(begun) <= 6


def test_nothing_but_unreachable_files_ends_all() -> None:
    begun = []

    def work(file: DriveFile) -> None:
        begun.append(file)
        raise UnreachableError("down")

    outcomes = []
    with pytest.raises(UnreachableError):
        outcomes.extend(in_parallel(work, FILES, threads=4))
    assert len(begun) <= 16
