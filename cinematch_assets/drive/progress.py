"""A bar on a terminal while files come in; nothing where nobody looks."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from cinematch_assets.drive.parallel import Done

_T = TypeVar("_T")


def with_bar(outcomes: Iterable[Done[_T]], files: int, *, what: str = "Fetching") -> Iterator[Done[_T]]:
    """Hand the outcomes on, showing how many of ``files`` are there, how many failed, and how long it will take."""
    if not sys.stderr.isatty():
        yield from outcomes
        return
    # Drawing is needed on terminals only.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task, failed = progress.add_task(what, total=files), 0
        for outcome in outcomes:
            failed += outcome.error is not None
            progress.update(task, advance=1, description=f"{what} ({failed:,} failed)" if failed else what)
            yield outcome
