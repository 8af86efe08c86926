"""The page ``docs/data-path.md``: every asset, table and file as the code declares them.

Here: the page made of the definitions and of ``schemas``, beside the page itself. Not here: any fact of its own; what
reads wrong on the page is mended in a docstring, a check's description or a declaration.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dagster as dg

import cinematch_assets.schemas
from cinematch_assets.dagster_support.metadata import column_schema
from cinematch_assets.definitions import defs
from cinematch_assets.schemas.table import Column, Table
from docs.cells import cell

PAGE = Path(__file__).with_name("data-path.md")

_HEAD = """\
# The path of the data

<!-- Generated from the code by `python -m docs`, and compared by a test. Mend the code's words instead. -->

What exists, in the order in which data passes through it. Each asset is a file under `cinematch_assets/defs/`, in the
folder of its group; each table and file format is declared once, in `cinematch_assets/schemas/`.
"""


def page() -> str:
    """The whole page, as Markdown."""
    assets = _assets()
    parts = [_HEAD, _overview(assets), _automation(), "## Assets\n"]
    parts += [_asset_section(spec, checks) for spec, checks in assets]
    shown = {table.name for spec, _ in assets if (table := _table_of(spec))}
    others = [table for table in _declared() if table.name not in shown]
    parts += ["## Tables besides\n", *(_table_section(t) for t in others if not _is_file(t))]
    parts += ["## Files as they arrive\n", *(_table_section(t) for t in others if _is_file(t))]
    return "\n".join(parts)


Assets = list[tuple[dg.AssetSpec, list[dg.AssetCheckSpec]]]


@cache
def _definitions() -> dg.Definitions:
    return defs()


def _assets() -> Assets:
    """Each asset with its checks, none before what it is made from."""
    order = _definitions().resolve_asset_graph().toposorted_asset_keys
    made = _definitions().get_repository_def().assets_defs_by_key
    return [
        (made[key].get_asset_spec(key), sorted((c for c in made[key].check_specs if c.asset_key == key), key=_name))
        for key in order
    ]


def _name(check: dg.AssetCheckSpec) -> str:
    return check.name


def _overview(assets: Assets) -> str:
    lines = ["| asset | group | a partition each | made from |", "|---|---|---|---|"]
    for spec, _ in assets:
        partition = f"`{spec.partitions_def.name}`" if _is_batch(spec) else ""
        key = spec.key.to_user_string()
        lines.append(f"| [{key}](#{key}) | {spec.group_name} | {partition} | {_made_from(spec)} |")
    return "\n".join(lines) + "\n"


def _is_batch(spec: dg.AssetSpec) -> bool:
    return isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)


def _made_from(spec: dg.AssetSpec) -> str:
    keys = sorted(dep.asset_key.to_user_string() for dep in spec.deps)
    return ", ".join(f"`{key}`" for key in keys) or "the folder"


def _automation() -> str:
    """Jobs, sensors and schedules, each with what it says of itself."""
    repository = _definitions().get_repository_def()
    lines = ["## What starts it\n", "| name | is a | does |", "|---|---|---|"]
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    for kind, things in (("job", jobs), ("sensor", repository.sensor_defs), ("schedule", repository.schedule_defs)):
        lines += [f"| `{each.name}` | {kind} | {each.description} |" for each in sorted(things, key=lambda t: t.name)]
    return "\n".join(lines) + "\n"


def _asset_section(spec: dg.AssetSpec, checks: list[dg.AssetCheckSpec]) -> str:
    lines = [f"### {spec.key.to_user_string()}", "", " ".join((spec.description or "").split()), ""]
    lines.append(f"* Group `{spec.group_name}`, made from {_made_from(spec)}.")
    lines += [f"* Check `{check.name}`: {check.description}" for check in checks]
    if isinstance(spec.freshness_policy, dg.FreshnessPolicy):
        lines.append(f"* Freshness: {_freshness(spec.freshness_policy)}")
    if table := _table_of(spec):
        lines += [f"* Writes `{spec.metadata['dagster/table_name']}`: {table.description}", "", _columns(table)]
    return "\n".join(lines) + "\n"


def _freshness(policy: dg.FreshnessPolicy) -> str:
    """The windows in words; only time windows are used."""
    if policy.warn_window is None:
        return f"fails after {policy.fail_window.to_timedelta().days} days without one."
    warn, fail = policy.warn_window.to_timedelta().days, policy.fail_window.to_timedelta().days
    return f"warns after {warn} days without a materialization, fails after {fail}."


@cache
def _declared() -> tuple[Table, ...]:
    """Every declaration of ``schemas``, by name."""
    modules = (
        importlib.import_module(f"cinematch_assets.schemas.{found.name}")
        for found in pkgutil.iter_modules(cinematch_assets.schemas.__path__)
        if found.name not in {"table", "pandera_schema"}  # the words of declarations, and what is made of them
    )
    tables = {table.name + table.description: table for module in modules for table in _tables_in(vars(module))}
    return tuple(tables[name] for name in sorted(tables))


def _tables_in(names: dict[str, object]) -> Iterator[Table]:
    return (thing for thing in names.values() if isinstance(thing, Table))


def _table_of(spec: dg.AssetSpec) -> Table | None:
    """The declaration that the asset's columns in the UI were made from."""
    shown = spec.metadata.get("dagster/column_schema")
    if shown is None:
        return None
    return next(table for table in _declared() if column_schema(table) == shown)


def _is_file(table: Table) -> bool:
    return table.name.endswith(" file")


def _table_section(table: Table) -> str:
    return f"### {table.name}\n\n{table.description}\n\n{_columns(table)}\n"


def _columns(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    lines = [f"Rows are told apart by {key}.", "", "| column | type | meaning | rules |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.sql} | {cell(c.description)} | {cell(_rules(c))} |" for c in table.columns]
    return "\n".join(lines)


def _rules(column: Column) -> str:
    rules = ["unique"] if column.unique else []
    rules += ["may be NULL"] if column.nullable else []
    return "; ".join([*rules, *column.constraints])
