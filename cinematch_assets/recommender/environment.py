"""What a model is computed by: this release, versions of libraries, BLAS kernel, numba's CPU target.

Here: reading it from the running process. Not here: storing it with a version (``warehouse.model_registry``).

The same rows, config and seed give the same bytes as long as all of this is the same: matrix products and compiled
kernels round differently on another processor or in another version.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SHARED = ("ids.py", "metrics.py", "movielens.py", "pairs.py")
"""Modules beside this package that compute something for it."""


def computed_by() -> dict[str, Any]:
    """Return names and versions as JSON values; ``blas`` has one entry for each BLAS that is loaded.

    ``code`` tells two states of one release apart, such as a checkout before and after a change.

    Numpy and scipy each bring a BLAS of their own, and its ``kernel`` is chosen by the processor.
    """
    # Imported here: numba takes a second, and definitions do not need it.
    import numba  # noqa: PLC0415
    import scipy.linalg  # noqa: PLC0415
    from llvmlite import binding  # type: ignore[import-untyped]  # noqa: PLC0415  ships no types
    from threadpoolctl import threadpool_info  # noqa: PLC0415

    blas = {
        (str(each["internal_api"]), str(each["version"]), str(each.get("architecture", "unknown")))
        for each in threadpool_info()
        if each["user_api"] == "blas"
    }
    return {
        "release": version("cinematch-assets"),
        "code": _hash_of_code(),
        "blas": [
            {"library": library, "version": version, "kernel": kernel} for library, version, kernel in sorted(blas)
        ],
        "numba_cpu": str(numba.config.CPU_NAME or binding.get_host_cpu_name()),
        "numba": numba.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


@cache
def _hash_of_code() -> str:
    """Hash the sources that decide what a model's bytes are for given rows: of this package, and ``SHARED``."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in (*sorted(folder.rglob("*.py")), *(folder.parent / name for name in SHARED)):
        digest.update(str(path.relative_to(folder.parent)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]
