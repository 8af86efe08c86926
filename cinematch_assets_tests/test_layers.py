"""What the import contracts of ``pyproject.toml`` cannot see: who asks the warehouse how."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "cinematch_assets"
ABOVE = [
    str(path.relative_to(PACKAGE))
    for layer in ("cli", "dagster_support", "defs", "pipeline")
    for path in sorted((PACKAGE / layer).rglob("*.py"))
]


def direct_uses(source: str) -> list[str]:
    """Places where a warehouse's URL or connection is taken, or a statement is read."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in {"url", "connect"}:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner == "warehouse":
                found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "statement":
            found.append(f"line {node.lineno}: statement()")
    return found


@pytest.mark.parametrize("name", ABOVE)
def test_above_the_warehouse_there_is_neither_sql_nor_a_connection(name: str) -> None:
    assert direct_uses((PACKAGE / name).read_text(encoding="utf-8")) == []


def test_a_direct_use_is_noticed() -> None:
    source = "with platform.warehouse.connect() as connection:\n    connection.execute(statement('files/lock_name'))\n"
    assert direct_uses(source) == ["line 1: .connect", "line 2: statement()"]
    assert direct_uses("warehouse.url") == ["line 1: .url"]
    assert direct_uses("platform.warehouse.run(read_champion); metadata.url(uri)") == []
