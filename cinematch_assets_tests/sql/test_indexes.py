"""The indexes that a statement's comment names are those that Postgres can use for it."""

import re

import psycopg
import pytest

from cinematch_assets.warehouse.statements import statement, statement_names

NAMED = {
    name: match[1].split(", ")
    for name in statement_names()
    if (match := re.search(r"^-- Index: ([\w, ]+)\.$", statement(name), re.MULTILINE))
}


def test_some_statements_name_an_index() -> None:
    assert len(NAMED) >= 14


@pytest.mark.parametrize("name", NAMED)
def test_the_index_serves_the_statement(database_url_18: str, name: str) -> None:
    parameters: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in parameters:
            parameters.append(match[1])
        return f"${parameters.index(match[1]) + 1}"

    order = re.sub(r"%\((\w+)\)s", number, statement(name))
    with psycopg.connect(database_url_18) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(f"EXPLAIN (GENERIC_PLAN) {order}".encode()).fetchall()
    used = set(re.findall(r"(?:using|Scan on) (\w+)", "\n".join(line for (line,) in plan)))
    assert set(NAMED[name]) <= used
