from typing import Any

import pytest

from cinematch_assets.recommender.config import (
    AlsConfig,
    BiasConfig,
    ImplicitAlsConfig,
    RankingConfig,
    RecommenderConfig,
    RecommenderConfigError,
)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (
            RecommenderConfig,
            {"method": "magic"},
            "method is 'magic', and may be 'auto', 'bayesian_fm'",
        ),
        (RecommenderConfig, {"factors": 0}, "factors is 0: input should be greater than 0"),
        (RecommenderConfig, {"rank": -1}, "rank is -1: input should be greater than 0"),
        (RecommenderConfig, {"burn_in": 150}, "burn_in is 150, and must be below sweeps, 150"),
        (RecommenderConfig, {"als": {"sweeps": 0}}, "sweeps is 0: input should be greater than 0"),
        (
            RankingConfig,
            {"implicit_weight": -0.1},
            "implicit_weight is -0.1: input should be greater",
        ),
        (RankingConfig, {"ridge": float("nan")}, "ridge is nan: input should be a finite number"),
        (BiasConfig, {"user_damping": float("nan")}, "user_damping is nan"),
        (ImplicitAlsConfig, {"confidence": "high"}, "confidence is high: input should be a valid number"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_name(
    config: type[RecommenderConfig], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecommenderConfigError) as raised:
        config(**values)
    assert message in str(raised.value)


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecommenderConfigError, match="there is no sweps in AlsConfig; there are factors, sweeps"):
        AlsConfig(sweps=3)


def test_several_faults_are_named_together() -> None:
    with pytest.raises(RecommenderConfigError, match=r"factors is 0.*; sweeps is -1"):
        AlsConfig(factors=0, sweeps=-1)


def test_a_config_does_not_change_and_a_copy_is_validated() -> None:
    config = RankingConfig(ridge=7.0)
    with pytest.raises(RecommenderConfigError, match="ridge"):
        config.with_values(ridge=-1.0)
    with pytest.raises(Exception, match="frozen"):
        config.ridge = 8.0
    assert config.with_values(kept=3) == RankingConfig(ridge=7.0, kept=3)


def test_what_is_stored_with_a_version_gives_the_config_again() -> None:
    config = RecommenderConfig(factors=3, als=AlsConfig(factors=4), ranking=RankingConfig(max_dual_users=0))
    assert RecommenderConfig(**config.model_dump()) == config
