from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.pipeline.export_registry import NOT_WANTED
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.servers import free_port


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", NOT_WANTED),
        ("http://u:s3cr3t@127.0.0.1:{port}", "no server listens there"),
        ("databricks://s3cr3t", "is not http://host or https://host"),
    ],
)
def test_a_tick_says_what_it_did_and_never_fails(
    tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance, uri: str, said: str
) -> None:
    platform = make_platform(tmp_path / "home", database_url_18, MLFLOW_TRACKING_URI=uri.format(port=free_port()))
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    result = repository().get_sensor_def("mlflow_sensor")(context)
    assert said in str(result.skip_message)
    assert "s3cr3t" not in str(result.skip_message)
