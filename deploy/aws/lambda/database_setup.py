"""Roles, databases and migrations, as the owner of the server; can be repeated, also from two places at once.

Here: what one process does between reading its request and printing its result. Not here: CloudFormation
(``database``), migrations (``cinematch_assets.warehouse.migrations``). No password is in a message, an argument
or a log.
"""

import json
import logging
import sys
import traceback
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.migrations import migrate

SETUP_APPLICATION = "cinematch database setup"
_SECRETS_TIMEOUT_S = 5
_EXISTS = (psycopg.errors.DuplicateObject, psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)

Json = dict[str, Any]


class SecretError(CinematchError):
    """A secret cannot be read, or does not hold what is needed."""


def main() -> None:
    """Read the resource's properties from standard input; print the result, or the reason of a failure, as JSON."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    try:
        result = set_up(json.load(sys.stdin))
    except CinematchError as fault:
        result = {"failed": str(fault)}
    except psycopg.Error as fault:
        traceback.print_exc()
        cause = str(fault).strip().splitlines() or [type(fault).__name__]
        result = {"failed": f"Postgres refused to initialise the database: {cause[0]} (sqlstate {fault.sqlstate})"}
    sys.stdout.write(json.dumps(result) + "\n")


def set_up(properties: Json) -> Json:
    """Bring roles, databases and schema to what the properties say.

    ``OwnerSecret``: who owns the server, and where it is. ``Roles``: role → the secret with its password.
    ``Databases``: further database → its owner. ``PlaintextPasswords``: for Neon, which hashes passwords itself.
    """
    owner = owner_url(read_secret(properties["OwnerSecret"]))
    passwords = {role: _password(arn) for role, arn in properties.get("Roles", {}).items()}
    is_plaintext = properties.get("PlaintextPasswords") == "true"
    with connect(owner, application=SETUP_APPLICATION) as guard, guard.transaction():
        lock(guard, "database setup")  # CREATE DATABASE runs in no transaction: the lock is held by another connection
        with connect(owner, application=SETUP_APPLICATION) as connection:
            for role, password in passwords.items():
                _set_role(connection, role, password, is_plaintext=is_plaintext)
            for database, role in properties.get("Databases", {}).items():
                _create_database(connection, database, role)
        migrated = migrate(owner)
    return {"applied": migrated.applied, "schema": migrated.schema}


def owner_url(secret: str) -> str:
    """Return the owner's URL from a secret: RDS' JSON with host, username and password, or a URL as Neon shows it.

    Raises:
        SecretError: It is neither.
    """
    if secret.startswith(("postgresql://", "postgres://")):
        return secret.strip()
    try:
        values = json.loads(secret)
        user, password = (quote(values[key], safe="") for key in ("username", "password"))
        address = f"{values['host']}:{int(values['port'])}/{quote(values['dbname'], safe='')}"
    except (ValueError, TypeError, KeyError):
        raise SecretError(
            "The owner's secret is neither a postgresql:// URL nor JSON with username, password, host, port and dbname"
        ) from None
    return f"postgresql://{user}:{password}@{address}?sslmode=require"


def read_secret(name: str) -> str:
    """Return a secret's text.

    Raises:
        SecretError: Secrets Manager does not answer, or refuses; the message names the secret.
    """
    import boto3  # noqa: PLC0415  Lambda's runtime has it; it is not in the bundle
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    config = Config(
        connect_timeout=_SECRETS_TIMEOUT_S, read_timeout=_SECRETS_TIMEOUT_S, retries={"total_max_attempts": 3}
    )
    try:
        text: str = boto3.client("secretsmanager", config=config).get_secret_value(SecretId=name)["SecretString"]
    except ClientError as fault:
        code = fault.response.get("Error", {}).get("Code", "")
        raise SecretError(f"The secret {name} cannot be read ({code})") from None
    except BotoCoreError as fault:
        raise SecretError(f"Secrets Manager cannot be reached for {name} ({type(fault).__name__})") from None
    except KeyError:
        raise SecretError(f"The secret {name} holds no text") from None
    return text


def _password(name: str) -> str:
    try:
        password = json.loads(read_secret(name))["password"]
    except (ValueError, TypeError, KeyError):
        raise SecretError(f'The secret {name} is not JSON with a "password"') from None
    if not isinstance(password, str) or not password:
        raise SecretError(f"The secret {name} holds an empty password")
    return password


def _set_role(connection: psycopg.Connection, role: str, password: str, *, is_plaintext: bool) -> None:
    """Make the role if it is missing, and give it the password; the server's log sees a hash where it accepts one."""
    name = sql.Identifier(role)
    secret = (
        password
        if is_plaintext
        else connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    )
    try:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(secret)))
    except _EXISTS:
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(secret)))


def _create_database(connection: psycopg.Connection, database: str, role: str) -> None:
    """Make the database if it is missing; the owner has to belong to the role that it gives the database to."""
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
    try:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(role))
        )
    except _EXISTS:
        return
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
