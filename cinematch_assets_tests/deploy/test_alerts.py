"""Alert rules: their thresholds are the platform's limits, their metrics exist, and they fire in the states they name.

The states are made on a real platform and recorded as ``/metrics`` says them; Prometheus' own promtool evaluates the
rules on them.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from cinematch_assets import limits
from cinematch_assets.dagster_support.scrape import read_scrape
from cinematch_assets.messaging.channels import read_channels
from cinematch_assets.pipeline.monitoring.metric_families import exposition
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import Automation, Tick
from cinematch_assets.warehouse.batches import read_stored_batch
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.notification_messages import register_channel
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets.warehouse.warehouse import Warehouse
from cinematch_assets_tests.support.platforms import given_champion, insert_movies, load_table, make_platform
from cinematch_assets_tests.support.servers import Postgres, migrated_template, unavailable

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/alerts.yaml"
ALERTS = {each["alert"]: each for each in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]}
LIMITS = {
    "CinematchDaemonSilent": limits.MAX_SILENCE,
    "CinematchSensorSilent": limits.MAX_SILENCE,
    "CinematchBatchLate": limits.MAX_BATCH_AGE,
    "CinematchListsStale": limits.MAX_STALE_LISTS,
    "CinematchStorageNearlyFull": limits.MAX_STORAGE_SHARE,
    "CinematchOutboxStuck": limits.MAX_OUTBOX_AGE,
    "CinematchChampionStale": limits.MAX_DUE_AGE,
}
HEADER = "userId,movieId,rating,timestamp\n"
State = tuple[str, set[str]]
"""The text of /metrics, and the alerts that fire when it stays so for half an hour."""


def automation_of(now: datetime, *, beat_s: float = 20, tick_s: float = 15, is_off: bool = False) -> Automation:
    tick = Tick("drive_sensor", now - timedelta(seconds=tick_s), is_off)
    return Automation((tick, Tick("notification_sensor", now)), now - timedelta(seconds=beat_s))


def record(platform: Platform, *, later: timedelta = timedelta(0), **automation: float) -> str:
    """What /metrics says of the platform in so much time, while sensors and daemon work as told."""
    now = datetime.now(UTC) + later
    text, _ = exposition(read_scrape(lambda: platform, lambda: automation_of(now, **automation), now=now))  # type: ignore[arg-type]
    return text.decode()


def with_settings(platform: Platform, **changed: object) -> Platform:
    return replace(platform, settings=platform.settings.model_copy(update=changed))


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, postgres18: Postgres) -> Iterator[dict[str, State]]:
    """Each state of the platform by its name, with the alerts that it has to give."""
    with postgres18.database(migrated_template(postgres18)) as url:
        platform = make_platform(tmp_path_factory.mktemp("home"), url, CINEMATCH_NOTIFY="json://127.0.0.1:9/hook")
        yield dict(_record_states(platform))


def _record_states(platform: Platform) -> Iterator[tuple[str, State]]:
    person = {"CinematchNeedsAttention"}
    yield "no answer", ("", {"CinematchNotScraped"})
    down = replace(platform, warehouse=Warehouse("postgresql://127.0.0.1:9/none"))
    yield "warehouse down", (record(down), {"CinematchWarehouseDown"})
    insert_movies(platform, (10, "Heat (1995)"))
    load_table(platform, "ratings", HEADER + "1,10,3.0,5\n2,10,4.0,5\n")
    load_table(platform, "batches/batch_w1", HEADER + "3,10,4.0,5\n")
    _decide(platform, "batch_w1", due=False)
    champion = given_champion(platform)
    yield "healthy", (record(platform), set())
    yield "daemon dead", (record(platform, beat_s=301, tick_s=400), {"CinematchDaemonSilent"} | person)
    yield "daemon slow", (record(platform, beat_s=299), set())
    yield "sensor silent", (record(platform, tick_s=301), {"CinematchSensorSilent"} | person)
    yield "sensor off", (record(platform, tick_s=400, is_off=True), {"CinematchSensorOff"} | person)
    yield "batch late", (record(platform, later=limits.MAX_BATCH_AGE + timedelta(minutes=1)), {"CinematchBatchLate"})
    yield "batch due", (record(platform, later=limits.MAX_BATCH_AGE - timedelta(hours=1)), set())
    used = re.search(r"^cinematch_database_size_bytes (.+)$", record(platform), re.MULTILINE)
    assert used is not None
    for share, alerts in ((0.87, {"CinematchStorageNearlyFull"} | person), (0.80, set())):
        small = with_settings(platform, storage_budget_mb=float(used[1]) / 2**20 / share)
        yield f"disk {share:.0%}", (record(small), alerts)
    (channel,) = read_channels(platform.settings.notify).usable
    with platform.warehouse.connect() as connection:
        register_channel(connection, channel.key, channel.label)
        record_notification(connection, "storage", "a", "b", next_step="c")
    yield "outbox full", (record(platform), set())
    yield (
        "outbox stuck",
        (record(platform, later=limits.MAX_OUTBOX_AGE + timedelta(minutes=1)), {"CinematchOutboxStuck"}),
    )
    silent = with_settings(platform, notify=None)  # its backlog is told above
    load_table(platform, "batches/batch_w2", HEADER + "4,10,1.0,5\n")
    _decide(platform, "batch_w2", due=True)
    yield "retraining due", (record(silent), set())
    stale = record(silent, later=limits.MAX_DUE_AGE + timedelta(minutes=1))
    yield "champion stale", (stale, {"CinematchChampionStale"})
    given_champion(platform, over=champion, published=False)
    late = limits.MAX_STALE_LISTS + timedelta(minutes=1)
    yield "lists stale", (record(silent, later=late), {"CinematchListsStale"})


def _decide(platform: Platform, batch: str, *, due: bool) -> None:
    with platform.warehouse.connect() as connection:
        stored = read_stored_batch(connection, batch)
        assert stored is not None
        write_assessment(connection, batch, stored.md5, [], due=due, reason=f"{batch}: said so", evidence={})


@pytest.mark.parametrize("name", LIMITS)
def test_a_threshold_is_the_platform_s_limit(name: str) -> None:
    limit = LIMITS[name]
    number = limit.total_seconds() if isinstance(limit, timedelta) else limit
    assert {float(each) for each in re.findall(r"> ([\d.]+)", ALERTS[name]["expr"])} == {number}


def test_the_other_thresholds_are_states() -> None:
    others = [rule["expr"] for name, rule in ALERTS.items() if name not in LIMITS]
    assert all(re.fullmatch(r"absent\(\w+\)|\w+ (== 0|> 0)", each) for each in others)


def test_each_rule_has_its_threshold_s_reason_above_it_and_a_next_step() -> None:
    lines = RULES.read_text(encoding="utf-8").splitlines()
    for name, rule in ALERTS.items():
        above = lines[lines.index(f"      - alert: {name}") - 1].strip()
        assert above.startswith("# "), name
        assert name not in LIMITS or "MAX_" in above, name
        assert rule["annotations"]["summary"], name
        assert rule["annotations"]["next_step"], name


def test_each_metric_that_a_rule_reads_is_exported(states: dict[str, State]) -> None:
    texts = [text for text, _ in states.values()]
    exported = {family.name for text in texts for family in text_string_to_metric_families(text) if family.samples}
    for name, rule in ALERTS.items():
        assert set(re.findall(r"cinematch_\w+", rule["expr"])) <= exported, name


@pytest.mark.slow
def test_the_alerts_fire_in_the_states_that_they_name_and_in_no_others(
    states: dict[str, State], tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("promtool", "Debian's package prometheus has it")
    shutil.copy(RULES, tmp_path)
    tests = {"rule_files": [RULES.name], "evaluation_interval": "1m"}
    tests["tests"] = [_rule_test(name, text, alerts) for name, (text, alerts) in states.items()]  # type: ignore[assignment]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    for words in (["check", "rules", RULES.name], ["test", "rules", "tests.yaml"]):
        said = subprocess.run([str(promtool), *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr
    assert {alert for _, alerts in states.values() for alert in alerts} >= set(ALERTS) - {"CinematchDagsterStorageDown"}


@pytest.mark.slow
def test_promtool_finds_nothing_to_say_on_names_and_units(states: dict[str, State]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("promtool", "Debian's package prometheus has it")
    for text, _ in states.values():
        said = subprocess.run(
            [str(promtool), "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def _rule_test(name: str, text: str, alerts: set[str]) -> dict[str, object]:
    """One test of promtool: the state stays as it is recorded for half an hour."""
    series = [
        {"series": f"{sample.name}{{{labels}}}", "values": f"{sample.value}+0x40"}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for labels in [", ".join(f"{key}={json.dumps(each)}" for key, each in _labels(sample.labels))]
    ]
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)]
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    question = {"expr": firing, "eval_time": "30m", "exp_samples": expected}
    return {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": [question]}


def _labels(own: dict[str, str]) -> list[tuple[str, str]]:
    return sorted({"job": "cinematch", "instance": "127.0.0.1:3000", **own}.items())
