"""Check everything that a deployment needs, and say what to do where something is missing.

Here: a check for each requirement; a failed one stops no other. Not here: the checks of a Google folder and its token
(``drive.diagnose``), mending what is wrong, the state of the data (``warehouse.status``).
"""

import re
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from cinematch_assets.drive.diagnose import Finding, check_google, check_local
from cinematch_assets.drive.folder import GOOGLE_PREFIX
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.token import token_source
from cinematch_assets.errors import CinematchError
from cinematch_assets.limits import MAX_STORAGE_SHARE
from cinematch_assets.messaging.channels import ChannelError, read_channels
from cinematch_assets.messaging.mlflow_server import EXTRA_MISSING, MlflowServer, has_extra
from cinematch_assets.pipeline.models.spark_environment import require_spark
from cinematch_assets.plurals import count
from cinematch_assets.private_files import make_home, make_private_folder
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.distinct_databases import require_distinct_databases
from cinematch_assets.warehouse.embedded import DAGSTER, embedded_url
from cinematch_assets.warehouse.server_state import read_server_state

DISTRIBUTION = "cinematch-assets"
POSTGRES_VERSIONS = range(15, 19)
MIN_FREE_MB = 500
"""Below it a retraining of a full warehouse may not find the place for its files."""
WARN_FREE_MB = 2_000
_EXACT = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([\w.*]+)$")
_NAME = re.compile(r"^[\w.-]+")
_AT_LEAST = re.compile(r">=(\d+)\.(\d+)")


def check_deployment(settings: Settings, port: int) -> Iterator[Finding]:
    """Give each finding as soon as it is known; the embedded server is started where the settings name no other.

    Args:
        settings: what is checked.
        port: the port of 127.0.0.1 that the UI is to have.
    """
    for subject, check in (
        ("python", check_python),
        ("versions", check_versions),
        ("port", lambda: check_port(port)),
        ("disk", lambda: check_disk(settings)),
        ("database", lambda: check_database(settings)),
        ("dagster", lambda: check_dagster(settings)),
        ("folder", lambda: check_folder(settings)),
        ("store", lambda: check_store(settings)),
        ("trainer", lambda: check_trainer(settings)),
        ("channels", lambda: check_channels(settings)),
        ("mlflow", lambda: check_mlflow(settings)),
    ):
        yield from _findings(subject, check)


def _findings(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Give what a check finds; an error meant for people is a finding too, so that the next check follows."""
    try:
        yield from check()
    except (CinematchError, OSError) as fault:
        yield Finding(subject, "failed", str(fault))


def check_python(required: str | None = None) -> Iterator[Finding]:
    """Compare the interpreter with the version that the distribution requires (``required`` in tests)."""
    required = required or metadata.metadata(DISTRIBUTION)["Requires-Python"]
    found = ".".join(map(str, sys.version_info[:3]))
    least = _AT_LEAST.search(required)
    if least and sys.version_info[:2] < (int(least[1]), int(least[2])):
        yield Finding("python", "failed", f"{found}, and {required} is required: install with another interpreter")
    else:
        yield Finding("python", "ok", f"{found} at {sys.executable}")


def check_versions(requirements: list[str] | None = None) -> Iterator[Finding]:
    """Compare what is installed with the distribution's own requirements (``requirements`` in tests)."""
    stated = metadata.requires(DISTRIBUTION) or [] if requirements is None else requirements
    needed = [text for text in (line.replace(" ", "") for line in stated) if ";" not in text]
    faults = [fault for text in needed if (fault := _fault_of(text))]
    if faults:
        yield Finding("versions", "failed", f"{'; '.join(faults)}: install again with make, or pip install the wheel")
    else:
        dagster = metadata.version("dagster")
        yield Finding("versions", "ok", f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}, dagster {dagster}")


def _fault_of(requirement: str) -> str | None:
    name = _NAME.match(requirement)
    if name is None:
        return None
    try:
        found = metadata.version(name[0])
    except metadata.PackageNotFoundError:
        return f"{name[0]} is not installed"
    pin = _EXACT.match(requirement)
    if pin is None or _is_pinned_version(found, pin[2]):
        return None
    return f"{name[0]} is {found} and has to be {pin[2]}"


def _is_pinned_version(found: str, pin: str) -> bool:
    return found == pin or (pin.endswith(".*") and f"{found}.".startswith(pin[:-1]))


def check_port(port: int) -> Iterator[Finding]:
    """Look whether the UI's port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as taken:
            message = f"{port} of 127.0.0.1: {taken.strerror}: cinematch dev runs there, or start it with --port"
            yield Finding("port", "warning", message)
        else:
            yield Finding("port", "ok", f"{port} of 127.0.0.1 is free")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Make CINEMATCH_HOME as every command does, and compare the space below it with what the platform needs."""
    home = make_home(settings.home).resolve()
    free_mb = shutil.disk_usage(home).free / 1e6
    message = f"{free_mb:,.0f} MB free at {home}"
    if free_mb < MIN_FREE_MB:
        yield Finding("disk", "failed", f"{message}: make room for {MIN_FREE_MB:,} MB, or set CINEMATCH_HOME elsewhere")
    elif free_mb < WARN_FREE_MB:
        yield Finding("disk", "warning", f"{message}: {WARN_FREE_MB:,} MB are comfortable")
    else:
        yield Finding("disk", "ok", message)


def check_database(settings: Settings) -> Iterator[Finding]:
    """Reach the warehouse; compare its version, schema and size with what the platform needs."""
    is_embedded = settings.warehouse_url is None
    state = read_server_state(settings.warehouse_url or embedded_url(settings.home))
    where = "embedded server" if is_embedded else state.address
    supported = f"{POSTGRES_VERSIONS[0]} to {POSTGRES_VERSIONS[-1]}"
    if state.version < POSTGRES_VERSIONS[0]:
        yield Finding("database", "failed", f"{where}: Postgres {state.version}, and {supported} are supported")
    elif state.version not in POSTGRES_VERSIONS:
        yield Finding("database", "warning", f"{where}: Postgres {state.version}, and {supported} are tested")
    else:
        yield Finding("database", "ok", f"{where}: Postgres {state.version}")
    missing = state.missing_migrations
    if not missing:
        yield Finding("schema", "ok", "the newest")
    elif is_embedded:
        yield Finding("schema", "ok", f"{count(len(missing), 'migration')} to apply, which the next command does")
    else:
        yield Finding("schema", "failed", f"misses {', '.join(missing)}: run cinematch migrate")
    share = state.size_mb / settings.storage_budget_mb
    size = f"{state.size_mb:,.0f} of {settings.storage_budget_mb:,} MB ({share:.0%})"
    if share > MAX_STORAGE_SHARE:
        yield Finding("size", "warning", f"{size}: lower CINEMATCH_KEEP_DAYS, or raise CINEMATCH_STORAGE_BUDGET_MB")
    else:
        yield Finding("size", "ok", size)


def check_dagster(settings: Settings) -> Iterator[Finding]:
    """Reach Dagster's database, and compare it with the warehouse, which has to be another one."""
    url = settings.dagster_postgres_url or embedded_url(settings.home, DAGSTER)
    require_distinct_databases(settings.warehouse_url or embedded_url(settings.home), url)
    where = "DAGSTER_POSTGRES_URL" if settings.dagster_postgres_url else "embedded server"
    yield Finding("dagster", "ok", f"{where}: a database of its own")


def check_folder(settings: Settings) -> Iterator[Finding]:
    """List the folder that files come from; of a Google folder check the token too."""
    if settings.drive is None:
        make_private_folder(settings.home / "drive")
    if settings.folder.startswith(GOOGLE_PREFIX):
        source = token_source(settings.token_path, settings.token_secret)
        folder_id = settings.folder.removeprefix(GOOGLE_PREFIX)
        yield from check_google(folder_id, source, endpoint=settings.drive_endpoint)
    else:
        yield from check_local(open_folder(settings.folder))


def check_trainer(settings: Settings) -> Iterator[Finding]:
    """Look for what training on Spark needs; training on this machine needs nothing more."""
    if settings.trainer == "local":
        yield Finding("trainer", "ok", "this machine")
    else:
        yield Finding("trainer", "ok", require_spark(settings).where)


def check_store(settings: Settings) -> Iterator[Finding]:
    """Write, read and delete an object."""
    store = open_store(settings.store_url, scratch=settings.home.resolve() / "staging")
    key, content = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    store.put_bytes(key, content)
    try:
        unchanged = store.read_bytes(key) == content
    finally:
        store.delete(key)
    where = settings.store or Path(settings.store_url)
    if not unchanged:
        yield Finding("store", "failed", f"{where} gave back other bytes than it was given: check CINEMATCH_STORE")
    elif store.exists(key):
        yield Finding("store", "failed", f"{where} still has {key} after it was deleted: allow deleting there")
    else:
        yield Finding("store", "ok", f"{where}: written, read and deleted")


def check_channels(settings: Settings) -> Iterator[Finding]:
    """Read the channels for notifications; nothing is sent."""
    channels = read_channels(settings.notify)
    for fault in channels.faults:
        yield Finding("channels", "failed", fault)
    labels = ", ".join(channel.label for channel in channels.usable)
    if labels:
        yield Finding("channels", "ok", f"{labels}; cinematch notify test sends a message")
    elif not channels.faults:
        yield Finding("channels", "warning", "no one is notified: set CINEMATCH_NOTIFY to apprise URLs")


def check_mlflow(settings: Settings) -> Iterator[Finding]:
    """Ask the MLflow server, where one is named; nothing is written."""
    server = MlflowServer.of(settings.mlflow_tracking_uri, settings.mlflow_name)
    if server is None:
        return
    if not has_extra():
        yield Finding("mlflow", "failed", EXTRA_MISSING)
        return
    try:
        server.ask()
    except ChannelError as fault:
        yield Finding("mlflow", "warning", f"{fault}; nothing waits for it, and it catches up when it is back")
    else:
        yield Finding("mlflow", "ok", f"{server.place}: answers; cinematch models mlflow brings it up to date")
