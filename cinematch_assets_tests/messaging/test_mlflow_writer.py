"""What goes over to the writer's process, and by what a version is known to be written.

Writing itself is tested with a real server (``pipeline/test_export_registry.py``).
"""

from dataclasses import replace

from cinematch_assets.messaging.mlflow_writer import RegisteredVersion, Registry

VERSION = RegisteredVersion(
    "run_1a2b3c4d_v1", "cinematch:/models/x.model", 1_000, None, "not decided on yet", {"seed": "42"}, {"a": 0.1}, {}
)


def test_a_registry_goes_over_as_it_is() -> None:
    registry = Registry("cinematch", (VERSION, replace(VERSION, decided_at=2_000)), VERSION.version)
    assert Registry.from_json(registry.to_json()) == registry


def test_whatever_changes_of_a_version_is_written_again() -> None:
    changed = [
        replace(VERSION, decided_at=2_000),
        replace(VERSION, description="no worse"),
        replace(VERSION, metrics={"a": 0.2}),
        replace(VERSION, params={"seed": "43"}),
        replace(VERSION, tags={"cinematch.state": "rejected"}),
    ]
    assert len({VERSION.written, *(each.written for each in changed)}) == 6
    assert replace(VERSION).written == VERSION.written
