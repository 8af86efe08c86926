"""Every environment variable the platform reads, with its default and the reason for it.

Here: names, defaults, bounds. Nothing is read at import: commands and definitions call ``Settings.from_env()`` when
they run. AWS' and Google's clients also read their own variables. Not here: opening what they name
(``pipeline.platform``).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cinematch_assets.errors import CinematchError
from cinematch_assets.urls import NO_USER_INFO, InvalidUrlError, address_of, has_user_info, normalize_database_url

_DATABASE_URLS = {"CINEMATCH_DATABASE_URL", "NEON_CONNECTION_STRING", "CINEMATCH_ANALYST_URL", "DAGSTER_POSTGRES_URL"}
_ADDRESSES = {
    "CINEMATCH_HOME", "CINEMATCH_STORE", "CINEMATCH_DRIVE", "CINEMATCH_BACKUP", "GOOGLE_DRIVE_ENDPOINT",
    "GOOGLE_TOKEN_FILE",
}  # fmt: skip
ONE_DATABASE = (
    "CINEMATCH_DATABASE_URL (or NEON_CONNECTION_STRING) and DAGSTER_POSTGRES_URL name one database, and Dagster's "
    "event log would use up the warehouse's budget: give Dagster a database of its own"
)


class InvalidSettingError(CinematchError):
    """An environment variable has a value that cannot be used."""


class Settings(BaseModel):
    """The platform's settings; each field's alias is its environment variable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = Field(
        default=Path(".cinematch"),
        alias="CINEMATCH_HOME",
        description="Everything the embedded default writes: servers, landed files, models, reports, logs.",
    )
    database_url: str | None = Field(
        default=None,
        alias="CINEMATCH_DATABASE_URL",
        description="The warehouse, Postgres 15 to 18. Unset: an embedded server under CINEMATCH_HOME.",
        repr=False,
    )
    neon_connection_string: str | None = Field(
        default=None,
        alias="NEON_CONNECTION_STRING",
        description="Another name for CINEMATCH_DATABASE_URL, as Neon's console writes it.",
        repr=False,
    )
    analyst_url: str | None = Field(
        default=None,
        alias="CINEMATCH_ANALYST_URL",
        description="The warehouse again, signed in as role analyst, for cinematch sql. Unset: the platform's user.",
        repr=False,
    )
    dagster_postgres_url: str | None = Field(
        default=None,
        alias="DAGSTER_POSTGRES_URL",
        description="Dagster's own storage, in a database of its own. Unset: one on the embedded server.",
        repr=False,
    )
    drive: str | None = Field(
        default=None,
        alias="CINEMATCH_DRIVE",
        description="Where files come from: a path, gdrive:<id> or s3://bucket/prefix. Unset: CINEMATCH_HOME/drive.",
    )
    drive_endpoint: str | None = Field(
        default=None,
        alias="GOOGLE_DRIVE_ENDPOINT",
        description="Address of the Drive API. Unset: Google's.",
    )
    token_secret: str | None = Field(
        default=None,
        alias="GCP_SECRET_NAME",
        description="The AWS Secrets Manager secret that holds the Google token.",
    )
    token_file: Path | None = Field(
        default=None,
        alias="GOOGLE_TOKEN_FILE",
        description="The Google token as a file. Unset, and no secret named: CINEMATCH_HOME/token.json.",
    )
    store: str | None = Field(
        default=None,
        alias="CINEMATCH_STORE",
        description="Landed files, models and reports: a path or s3://bucket/prefix. Unset: CINEMATCH_HOME/store.",
    )
    max_rejected_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        alias="CINEMATCH_MAX_REJECTED_SHARE",
        description="A file with a larger share of rejected rows is refused: nothing of it is loaded.",
    )
    split: Literal["hash", "temporal"] = Field(
        default="hash",
        alias="CINEMATCH_SPLIT",
        description="How data_split is decided: by a hash of (userId, movieId), or by a cut in time.",
    )
    storage_budget_mb: int = Field(
        default=512,
        gt=0,
        alias="CINEMATCH_STORAGE_BUDGET_MB",
        description="The warehouse's budget in MB; Neon's free tier has 512. A check warns at 85 %.",
    )
    seed: int = Field(
        default=42,
        ge=0,
        alias="CINEMATCH_SEED",
        description="Seed of all random numbers: same data, seed, versions and kind of processor give the same model.",
    )
    trainer: Literal["local", "spark"] = Field(
        default="local",
        alias="CINEMATCH_TRAINER",
        description="What fits predicted ratings: this machine's kernels, or pyspark.ml ALS on Spark (extra spark).",
    )
    spark_master: str = Field(
        default="local-cluster[2,1,1024]",
        pattern=r"^[\x21-\x7e]{1,500}$",
        alias="CINEMATCH_SPARK_MASTER",
        description="Spark's master: by default two workers here, a processor and 1,024 MB each. Unused with EMR.",
    )
    emr_application: str | None = Field(
        default=None,
        pattern=r"^[0-9a-z]{1,64}$",
        alias="CINEMATCH_EMR_APPLICATION",
        description="The id of an EMR Serverless application that trains instead; CINEMATCH_STORE is then on S3.",
    )
    emr_role: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$",
        alias="CINEMATCH_EMR_ROLE",
        description="The ARN of the role that the job on EMR Serverless has; it reads and writes CINEMATCH_STORE.",
    )
    emr_parameters: str | None = Field(
        default=None,
        alias="CINEMATCH_EMR_PARAMETERS",
        description="More of spark-submit's parameters on EMR Serverless, such as --conf spark.executor.memory=14g.",
    )
    retrain_cooldown_s: float = Field(
        default=60.0,
        ge=0,
        alias="CINEMATCH_RETRAIN_COOLDOWN_S",
        description="Seconds between the end of one retraining and the start of the next.",
    )
    retrain_min_rows: int = Field(
        default=1_000,
        ge=0,
        alias="CINEMATCH_RETRAIN_MIN_ROWS",
        description="A batch with fewer rows never makes retraining due, because its statistics are too uncertain.",
    )
    retrain_unseen_share: float = Field(
        default=0.15,
        gt=0,
        alias="CINEMATCH_RETRAIN_UNSEEN_SHARE",
        description="Ratings unseen by the champion that make retraining due, as a share of its training rows.",
    )
    retrain_max_attempts: int = Field(
        default=3,
        ge=1,
        alias="CINEMATCH_RETRAIN_MAX_ATTEMPTS",
        description="Retrainings that may end with an unforeseen error before a decision is given up.",
    )
    batch_max_attempts: int = Field(
        default=3,
        ge=1,
        alias="CINEMATCH_BATCH_MAX_ATTEMPTS",
        description="Runs for one content that may end with an unforeseen error before it is given up.",
    )
    retry_gap_s: float = Field(
        default=15.0,
        ge=0,
        alias="CINEMATCH_RETRY_GAP_S",
        description="Seconds after a first failed run; the pause doubles with each further one, up to 15 minutes.",
    )
    max_test_rmse_loss: float = Field(
        default=0.02,
        ge=0,
        alias="CINEMATCH_MAX_TEST_RMSE_LOSS",
        description="How much worse, as a share, a challenger may be on the test split and still be promoted.",
    )
    max_test_ndcg_loss: float = Field(
        default=0.03,
        ge=0,
        alias="CINEMATCH_MAX_TEST_NDCG_LOSS",
        description="How much worse, as a share, a challenger may rank the test split (nDCG@10), where that is shown.",
    )
    max_total_loss: float = Field(
        default=0.03,
        ge=0,
        alias="CINEMATCH_MAX_TOTAL_LOSS",
        description="How much worse, as a share, a challenger may be on the test split than the best champion so far.",
    )
    promotion: Literal["auto", "approve"] = Field(
        default="auto",
        alias="CINEMATCH_PROMOTION",
        description="approve: what passes the gate waits for cinematch models promote; not where nothing is replaced.",
    )
    approval_days: int = Field(
        default=7,
        ge=1,
        alias="CINEMATCH_APPROVAL_DAYS",
        description="Days until a version that awaits approval is rejected: newer data make a newer version better.",
    )
    auto_rollback: Literal["off", "on"] = Field(
        default="off",
        alias="CINEMATCH_AUTO_ROLLBACK",
        description="Go back to the previous champion when the champion is shown worse on two batches running.",
    )
    merge: Literal["merge", "delete"] = Field(
        default="merge",
        alias="CINEMATCH_MERGE",
        description="What promotion does with the batches of the training data: move them into ratings, or delete.",
    )
    keep_days: int = Field(
        default=30,
        ge=1,
        alias="CINEMATCH_KEEP_DAYS",
        description="Days until unreferenced files and reports are deleted and drift alerts are archived.",
    )

    backup: str | None = Field(
        default=None,
        alias="CINEMATCH_BACKUP",
        description="Where weekly_backup writes: a folder or s3://bucket/prefix. Unset: no backups by themselves.",
    )
    notify: str | None = Field(
        default=None,
        alias="CINEMATCH_NOTIFY",
        description="Where people are told: apprise URLs (mail, chat, webhook), separated by spaces. Unset: nowhere.",
        repr=False,
    )
    mlflow_tracking_uri: str | None = Field(
        default=None,
        alias="MLFLOW_TRACKING_URI",
        description="An MLflow server (http or https) that is given every model version. Unset: none is.",
        repr=False,
    )
    mlflow_name: str = Field(
        default="cinematch",
        pattern=r"^[\w .-]{1,100}$",
        alias="CINEMATCH_MLFLOW_NAME",
        description="The experiment and the registered model in MLflow; each platform on one server needs its own.",
    )
    actor: str | None = Field(
        default=None,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,100}$",
        alias="CINEMATCH_ACTOR",
        description="Who acts, as ops.audit names them. Unset: the operating system's user and host.",
    )
    ui_hosts: str | None = Field(
        default=None,
        alias="CINEMATCH_UI_HOSTS",
        description="Host names, separated by commas, under which the UI may be reached besides this machine's own.",
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the environment (``os.environ`` unless given); an empty variable counts as unset.

        Raises:
            InvalidSettingError: naming the variable, never its value.
        """
        environment = os.environ if environment is None else environment
        names = {field.alias for field in cls.model_fields.values() if field.alias}
        values = {name: environment[name] for name in names if environment.get(name)}
        for name in _DATABASE_URLS & set(values):
            try:
                values[name] = normalize_database_url(values[name])
            except InvalidUrlError as invalid:
                raise InvalidSettingError(f"{name}: {invalid}") from None
        for name in _ADDRESSES & set(values):
            if has_user_info(values[name]):
                raise InvalidSettingError(f"{name}: {NO_USER_INFO}")
        try:
            settings = cls.model_validate(values)
        except ValidationError as invalid:
            first = invalid.errors()[0]
            raise InvalidSettingError(f"{first['loc'][0]}: {first['msg']}") from None
        settings.require_two_databases()
        return settings

    def require_two_databases(self) -> None:
        """Refuse one database for both, where the URLs show it; what they do not show the servers are asked for."""
        urls = (self.warehouse_url, self.dagster_postgres_url)
        warehouse, dagster = (address_of(url) if url and "://" in url else None for url in urls)
        if warehouse and warehouse == dagster:
            raise InvalidSettingError(ONE_DATABASE)

    @property
    def warehouse_url(self) -> str | None:
        """The warehouse's URL, or None for the embedded server."""
        return self.database_url or self.neon_connection_string

    @property
    def uses_embedded_server(self) -> bool:
        """Whether the warehouse or Dagster's storage is on the embedded server."""
        return self.warehouse_url is None or self.dagster_postgres_url is None

    @property
    def folder(self) -> str:
        """The folder of dropped files: a path, ``gdrive:<id>`` or ``s3://bucket/prefix``."""
        return self.drive or str(self.home.resolve() / "drive")

    @property
    def store_url(self) -> str:
        """The object store: a path or ``s3://…``."""
        return self.store or str(self.home.resolve() / "store")

    @property
    def token_path(self) -> Path:
        """The file of the Google token, used when no secret is named."""
        return self.token_file or self.home.resolve() / "token.json"

    @property
    def ui_host_names(self) -> tuple[str, ...]:
        """The names in ``CINEMATCH_UI_HOSTS``."""
        return tuple(name.strip() for name in (self.ui_hosts or "").split(",") if name.strip())
