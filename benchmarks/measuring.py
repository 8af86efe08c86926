"""How a benchmark times, what it says about the machine, and where its table goes.

Here: rounds of several contestants, the table, the description of the machine. Not here: what is measured.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


def rounds(contestants: Mapping[str, Callable[[], float | None]], count: int) -> dict[str, list[float]]:
    """Let each contestant run ``count`` times, in turns, so that a noisy minute hits all of them alike.

    A contestant that returns seconds has timed itself (without its preparation); else its call is timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(count):
        for name, run in contestants.items():
            start = time.perf_counter()
            own = run()
            seconds[name].append(time.perf_counter() - start if own is None else own)
            print(f"round {number + 1} of {count}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
    return seconds


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load {load}"
    )


def report(name: str, title: str, header: tuple[str, ...], rows: list[tuple[str, ...]], notes: list[str]) -> None:
    """Print the table as Markdown and keep it as ``results/<name>.md``."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [header, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    about = [f"{date.today().isoformat()}, commit {_commit()}. {machine()}.", *notes]  # noqa: DTZ011 - the local day
    text = "\n".join([f"# {title}", "", *lines, "", *about, ""])
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


def _processor() -> str:
    models = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _commit() -> str:
    order = ["git", "rev-parse", "--short", "HEAD"]
    answer = subprocess.run(order, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
