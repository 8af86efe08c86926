"""The peers' own environment: made once, each peer on its own, so that one that fails does not take the rest along."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

# Torch comes before what would bring it along with gigabytes for graphics cards; a machine without such a wheel, or
# with a newer one, still gets LensKit.
PACKAGES: dict[str, tuple[str, ...]] = {
    "numpy": ("numpy", "scipy", "pandas", "psutil", "threadpoolctl"),
    "implicit": ("implicit",),
    "scikit-surprise": ("scikit-surprise",),
    "torch": ("torch==2.13.0",),
    "lenskit": ("lenskit",),
    "cornac": ("cornac",),
    "pyspark": ("pyspark", "pyarrow"),
}
MODULES = {"scikit-surprise": "surprise"}
PIP_LIMIT_S = 1_200


@dataclass(frozen=True)
class Peers:
    """The interpreter of the environment, and why a package is not in it."""

    python: Path
    missing: dict[str, str]


def ready(folder: Path) -> Peers:
    """The environment, made or completed."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    missing: dict[str, str] = {}
    for package, requirements in PACKAGES.items():
        if _importable(python, package) is None:
            continue
        print(f"installing {package}", file=sys.stderr, flush=True)
        fault = _install(python, requirements) or _importable(python, package)
        if fault:
            missing[package] = fault
    if not _has_java():
        missing.setdefault("pyspark", "no Java on this machine")
    return Peers(python, missing)


def _importable(python: Path, package: str) -> str | None:
    """Why the package cannot be imported; None when it can."""
    order = [python, "-c", f"import {MODULES.get(package, package)}"]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def _install(python: Path, requirements: tuple[str, ...]) -> str | None:
    """Pip's error; None when it was installed."""
    order = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    try:
        done = subprocess.run(order, capture_output=True, text=True, timeout=PIP_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"pip was not done within {PIP_LIMIT_S} s"
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return None if done.returncode == 0 else (errors or ["pip failed"])[0]


def _has_java() -> bool:
    try:
        return subprocess.run(["java", "-version"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
