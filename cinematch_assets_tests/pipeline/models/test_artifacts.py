from datetime import UTC, datetime

import pytest

from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.warehouse.model_registry import ModelVersion


def make_version(artifact_format: int) -> ModelVersion:
    return ModelVersion(
        version="run_11111111_v1",
        ordinal=1,
        run_id="11111111",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        state="promoted",
        method="als",
        config={},
        seed=1,
        data_size=100,
        artifact_key="models/x.model",
        artifact_sha256="0" * 64,
        artifact_size=1,
        artifact_format=artifact_format,
        computed_by=None,
        trained_from=None,
        metrics=None,
        evidence=None,
        decided_at=None,
        previous_champion=None,
    )


@pytest.mark.parametrize(
    ("artifact_format", "status"),
    [
        (1, FormatStatus.OLDER),
        (FORMAT - 1, FormatStatus.OLDER),
        (FORMAT, FormatStatus.READABLE),
        (FORMAT + 1, FormatStatus.NEWER),
    ],
)
def test_the_registered_format_alone_decides(artifact_format: int, status: FormatStatus) -> None:
    assert FormatStatus.of(make_version(artifact_format)) is status


def test_another_format_is_named_beside_the_one_that_is_read() -> None:
    message = f"run_11111111_v1 has format 1, and this version of the platform reads {FORMAT}"
    assert format_message(make_version(1)) == message


def test_for_a_newer_release_the_message_names_what_to_do() -> None:
    message = format_message(make_version(FORMAT + 1))
    assert "upgrade this one, or go back with cinematch models rollback" in message
