"""The Lambda function that measures the platform's health, for CloudWatch's alarms.

Here: one line of JSON for each call, from which metric filters take numbers; what cannot be measured is missing from
it, and the alarms count missing as bad. Not here: the thresholds of the alarms.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from database_setup import read_secret

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.connection import connect

_QUERIES = Path(__file__).with_name("queries")
_MIB = 2**20

Json = dict[str, Any]


def handler(event: Json, context: Any) -> Json:  # noqa: ARG001 - Lambda's signature
    """Measure everything that can be measured; print it, and return it for a call by hand."""
    health: Json = {"cinematch": "health"}
    problems = []
    for measure in (measure_warehouse, measure_dagster, measure_token):
        try:
            health |= {name: value for name, value in measure().items() if value is not None}
        except (CinematchError, psycopg.Error, LookupError) as fault:
            problems.append(f"{measure.__name__}: {' '.join(str(fault).split()) or type(fault).__name__}")
    if problems:
        health["problems"] = problems
    sys.stdout.write(json.dumps(health) + "\n")
    return health


def measure_warehouse() -> Json:
    """Days since the newest batch was loaded, or else since the tables were made; the used share of the budget."""
    with connect(_url("WAREHOUSE_URL", "WAREHOUSE_SECRET"), application="cinematch health") as connection:
        days, used_bytes = _row(connection, "select_warehouse_health")
    return {"days_since_batch": days, "storage_share": used_bytes / (int(os.environ["STORAGE_BUDGET_MB"]) * _MIB)}


def measure_dagster() -> Json:
    """Age of the oldest heartbeat among the daemons, and the runs that failed within the period."""
    values = {"minutes": int(os.environ["PERIOD_MINUTES"])}
    with connect(_url("DAGSTER_URL", "DAGSTER_SECRET"), application="cinematch health") as connection:
        age_s, failed = _row(connection, "select_dagster_health", values)
    return {"heartbeat_age_s": age_s, "failed_runs": failed}


def measure_token() -> Json:
    """Days since the Google token was pushed; its text is not read, and this function may not read it."""
    name = os.environ.get("TOKEN_SECRET")
    if not name:
        return {}
    import boto3  # noqa: PLC0415  Lambda's runtime has it; it is not in the bundle
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        changed = boto3.client("secretsmanager").describe_secret(SecretId=name)["LastChangedDate"]
    except (BotoCoreError, ClientError) as fault:
        raise CinematchError(f"the secret {name} cannot be described ({type(fault).__name__})") from None
    return {"token_age_days": (datetime.now(UTC) - changed).total_seconds() / 86_400}


def _url(url: str, secret: str) -> str:
    """The URL of one variable with the password of the secret that the other names."""
    password = json.loads(read_secret(os.environ[secret]))["password"]
    user, at, rest = os.environ[url].partition("@")
    return f"{user}:{quote(password, safe='')}{at}{rest}"


def _row(connection: psycopg.Connection, name: str, values: Json | None = None) -> tuple[Any, ...]:
    row = connection.execute((_QUERIES / f"{name}.sql").read_bytes(), values).fetchone()
    if row is None:
        raise LookupError(f"{name}.sql returned no row")
    return tuple(float(value) if value is not None else None for value in row)
