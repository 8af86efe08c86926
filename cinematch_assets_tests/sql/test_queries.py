"""The files of ``sql/queries``: each is named where it is used, and says what it is for."""

import re
from pathlib import Path

import pytest

from cinematch_assets.warehouse.statements import statement, statement_names

PACKAGE = Path(__file__).resolve().parents[2] / "cinematch_assets"
FOR_PEOPLE = ("analytics/", "reference/")
"""Folders whose statements a person runs by ``cinematch sql @name`` or psql; no code has to name them."""
NAMES = set(statement_names())


def named_in_code() -> set[str]:
    """Every string in the package that is the name of a statement or looks like one of a statement's folder."""
    folders = "|".join(sorted({name.partition("/")[0] for name in NAMES}))
    pattern = re.compile(rf'"((?:{folders})/[a-z0-9_]+)"')
    return {found for path in PACKAGE.rglob("*.py") for found in pattern.findall(path.read_text(encoding="utf-8"))}


def test_each_statement_that_code_names_is_there() -> None:
    assert named_in_code() - NAMES == set()


def test_each_statement_is_used_or_is_for_people() -> None:
    assert {name for name in NAMES - named_in_code() if not name.startswith(FOR_PEOPLE)} == set()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_statement_says_first_what_it_is_for(name: str) -> None:
    assert statement(name).startswith("-- ")
