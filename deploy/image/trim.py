"""Take out of the image's virtual environment what nothing there runs, and byte-compile the rest.

``python trim.py /opt/cinematch``, once, while the image is built. Here: what goes. Not here: what is installed
(``deploy/Dockerfile``). Standard library only.
"""

import compileall
import re
import shutil
import sys
from pathlib import Path

GONE_FOLDERS = ("tests", "__pycache__", "jupyterlab_plotly", "include")
GONE_FILES = re.compile(r"\.(pyi|pyx|pxd|c|cc|cpp|h|hpp|f|f90|a)$")
KEPT_DISCOVERY = "drive.v3.json"
"""Of Google's 560 descriptions of interfaces, 111 MB, the one that is used."""
GONE_PACKAGES = ("pip", "setuptools", "_distutils_hack")


def main(environment: Path) -> int:
    """Trim the environment's packages, compile them, and say what was saved."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    before = size(packages)
    trim(packages)
    # Hashes that are not checked: with times the layers of an image would differ from build to build.
    if not compileall.compile_dir(
        packages, quiet=1, workers=0, invalidation_mode=compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH
    ):
        sys.stdout.write("some files are written for other versions of Python and stay uncompiled\n")
    sys.stdout.write(f"{before / 1e6:,.0f} MB of packages, {size(packages) / 1e6:,.0f} MB trimmed and compiled\n")
    return 0


def trim(packages: Path) -> None:
    """Remove tests, headers, stubs, installers and unused descriptions below a folder of packages."""
    for name in GONE_PACKAGES:
        for found in (packages / name, *packages.glob(f"{name}-*.dist-info")):
            shutil.rmtree(found, ignore_errors=True)
    for folder in sorted(packages.rglob("*")):
        if folder.is_dir() and folder.name in GONE_FOLDERS:
            shutil.rmtree(folder)
    for file in packages.rglob("*"):
        if file.is_file() and GONE_FILES.search(file.name):
            file.unlink()
    for file in (packages / "googleapiclient" / "discovery_cache" / "documents").glob("*.json"):
        if file.name != KEPT_DISCOVERY:
            file.unlink()


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
