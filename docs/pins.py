"""The pinned distributions of a requirement file, with their hashes.

Here: reading ``requirements/runtime.txt`` and its like. Not here: what is pinned and why (``pyproject.toml``).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of a distribution, where it is installed (a marker, or nothing), and the sha256 of its files."""

    name: str
    version: str
    marker: str
    sha256: tuple[str, ...]


def read_pins(name: str) -> list[Pin]:
    """The pins of ``requirements/<name>.txt``, in its order."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    return [_pin(line) for line in text.splitlines() if re.match(r"[a-z0-9]", line)]


def shipped() -> list[Pin]:
    """What is installed with the platform, and in the image for AWS."""
    return [*read_pins("runtime"), *read_pins("aws")]


def _pin(line: str) -> Pin:
    words, *hashes = re.split(r"\s--hash=sha256:", line)
    requirement = Requirement(words.strip())
    (version,) = requirement.specifier
    marker = "" if requirement.marker is None else str(requirement.marker)
    return Pin(requirement.name, version.version, marker, tuple(each.strip() for each in hashes))
