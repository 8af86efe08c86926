"""Every hyperparameter of the recommender, with its default and the reason for it.

Here: numbers and their bounds. Not here: what they do to a model (``rating_prediction``, ``ranking``).
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from cinematch_assets.errors import CinematchError

WORK_PER_S = 50_000_000
"""Units of work that a processor does in a second: 20 ns each (docs/decisions/0051)."""
Method = Literal["auto", "bayesian_fm", "als", "bias", "spark_als"]


class RecommenderConfigError(CinematchError):
    """A hyperparameter is unknown or outside what the methods can do; the message names it."""


class _Config(BaseModel):
    """A frozen set of hyperparameters.

    Raises:
        RecommenderConfigError: a name is unknown, or a value is out of its bounds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_field(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            raise RecommenderConfigError("; ".join(_message(cls, each) for each in error.errors())) from error

    def with_values(self, **changes: Any) -> Self:
        """A validated copy with other values; ``model_copy`` would not validate."""
        return type(self)(**dict(self) | changes)


class BiasConfig(_Config):
    """Hyperparameters of biases: prior pseudo-counts of average ratings, of each user and of each movie."""

    model_config = ConfigDict(allow_inf_nan=True)  # with infinity there is no bias

    user_damping: PositiveFloat = 5.0
    movie_damping: PositiveFloat = 5.0


class AlsConfig(_Config):
    """Hyperparameters of ALS; the defaults were chosen on a validation part of training rows (docs/decisions/0061)."""

    factors: PositiveInt = 64
    sweeps: PositiveInt = 8
    steps: PositiveInt = 1
    """Conjugate gradient steps per row and sweep: two and three cost half as much again each, and RMSE is no better."""
    ridge: PositiveFloat = 5.0
    """λ₀, on the factors of every row."""
    ridge_per_rating: PositiveFloat = 0.06
    """λ₁, for each rating of the row."""
    bias_damping: PositiveFloat = 5.0
    """Average ratings that a bias is damped with."""


class SparkAlsConfig(_Config):
    """Hyperparameters of Spark's ALS on the residuals of biases (docs/decisions/0065)."""

    factors: PositiveInt = 32
    sweeps: PositiveInt = 10
    holdout_sweeps: PositiveInt = 7
    """Of the fit without held-out ratings, whose errors tell the predictive variance."""
    ridge_per_rating: PositiveFloat = 0.1
    """λ, for each rating of the row: Spark's regParam."""
    min_blocks: PositiveInt = 4
    max_blocks: PositiveInt = 128
    """A row's factors go to each block that it has a rating in: more blocks are more to shuffle."""
    rows_per_block: PositiveInt = 2_000_000
    """Blocks of users and of movies follow from the rows alone and never from the cluster: other blocks are another
    model, in its last digits and in the numbers it starts from."""
    max_ordered_rows: NonNegativeInt = 100_000_000
    """Up to this number Spark adds each row's ratings up in a fixed order, and the model is the same byte for byte:
    one task regroups them all. Above it they are added in the order in which they arrive."""

    def is_ordered(self, rows: int) -> bool:
        """Return whether Spark adds each row's ratings up in a fixed order."""
        return rows <= self.max_ordered_rows

    def blocks(self, rows: int) -> int:
        """Return the number of blocks of either side for this number of ratings."""
        return min(self.max_blocks, max(self.min_blocks, -(-rows // self.rows_per_block)))


class ImplicitAlsConfig(_Config):
    """Hyperparameters of implicit ALS, chosen on a validation part of training rows (docs/decisions/0060)."""

    factors: PositiveInt = 32
    ridge: PositiveFloat = 5.0
    """λ; scaled per row by (n + N / α)^½, where the row has n of N ratings."""
    confidence: PositiveFloat = 15.0
    """α: how much more a rated movie counts than one without a rating."""
    sweeps: PositiveInt = 10
    steps: PositiveInt = 3
    """Conjugate gradient steps per row and sweep."""


class RankingConfig(_Config):
    """Hyperparameters of a ranker; the defaults were chosen on a validation part of training rows (decision 60)."""

    ridge: PositiveFloat = 150.0
    """λ: how many shared ratings a pair of movies needs before it counts."""
    dropout: NonNegativeFloat = 1.0
    """p / (1 − p) of Steck (2020): the share of a movie's own co-ratings added to its λ; less of what is popular."""
    user_exponent: NonNegativeFloat = 0.4
    """Users weigh (their ratings / mean)^-this."""
    popularity_discount: NonNegativeFloat = 0.2
    """EASE scores are multiplied by (share of users who rated the movie)^-this: a third more movies listed, no loss."""
    implicit_weight: NonNegativeFloat = 0.7
    """What the implicit-ALS score weighs in the order of a list, the EASE score being 1."""
    rating_weight: NonNegativeFloat = 0.5
    """What the predicted rating weighs in it."""
    genre_weight: NonNegativeFloat = 0.2
    """What the match of a movie's genres with the user's history weighs in it."""
    max_dual_users: NonNegativeInt = 3_000
    """Up to this number of users ``ranking.ease_dual`` is taken, exact: one matrix of users², at most 36 MB."""
    head_items: PositiveInt = 6_000
    """Movies of the exact inverse of ``ranking.ease_sparse``: 144 MB and some seconds; it grows with the cube."""
    neighbours: PositiveInt = 20
    """Head movies that each movie outside the exact inverse depends on."""
    kept: PositiveInt = 10
    """Of these, how many are stored: the others cost time in every list, and nDCG@10 is no better with them."""
    implicit_als: ImplicitAlsConfig = Field(default_factory=ImplicitAlsConfig)


class RecommenderConfig(_Config):
    """How to fit; the defaults were chosen on a validation part of training rows (docs/decisions/0050)."""

    method: Method = "auto"
    factors: PositiveInt = 23
    """Factors of one sample; with the bias 24 numbers. 11 and 15 were worse on all three real sets, 31 no better."""
    few_rows: NonNegativeInt = 20_000
    few_rows_factors: PositiveInt = 11
    """Up to ``few_rows`` ratings a sample has no more factors than these: as good there, in half the time."""
    chains: PositiveInt = 4
    """Independent chains: more of them say more than longer ones, and each can have a processor of its own."""
    sweeps: PositiveInt = 150
    """At most: on validation rows 200 gained .0003 more."""
    burn_in: NonNegativeInt = 30
    thinning: PositiveInt = 2
    """Consecutive samples are nearly the same; every second one is kept, for half the memory."""
    rank: PositiveInt = 64
    """Factors of the stored average; with 64 the RMSE is within 0.0001 of the average itself."""
    max_work: PositiveInt = 100 * WORK_PER_S
    """Ratings × (factors + 1) × sweeps × chains that a fit may cost: 100 s of one processor, 50 s on two cores."""
    min_sweeps: PositiveInt = 60
    """Sweeps of each of two chains, below which least squares is taken instead."""
    als: AlsConfig = Field(default_factory=AlsConfig)
    spark_als: SparkAlsConfig = Field(default_factory=SparkAlsConfig)
    ranking: RankingConfig = Field(default_factory=RankingConfig)

    def within(self, time_budget_s: float) -> Self:
        """Return the same settings with the work that a processor does in ``time_budget_s``.

        No clock is read: the bytes of the model stay the same on a slower machine, which takes longer.
        """
        return self.model_copy(update={"max_work": max(1, round(time_budget_s * WORK_PER_S))})

    @model_validator(mode="after")
    def _burn_in_below_sweeps(self) -> Self:
        if self.burn_in >= self.sweeps:
            raise RecommenderConfigError(f"burn_in is {self.burn_in}, and must be below sweeps, {self.sweeps}")
        return self


def _message(config: type[BaseModel], fault: Any) -> str:
    """One plain clause that names the field of a fault which pydantic found."""
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"there is no {name} in {config.__name__}; there are {', '.join(config.model_fields)}"
    if fault["type"] == "literal_error":
        return f"{name} is '{fault['input']}', and may be {fault['ctx']['expected']}"
    return f"{name} is {fault['input']}: {fault['msg'].lower()}"
