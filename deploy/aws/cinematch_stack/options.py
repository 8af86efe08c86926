"""The switches of the stack.

Here: names, defaults, what is refused. Not here: what they change (``stack``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


class OptionError(Exception):
    """A switch has a value that cannot be deployed."""


@dataclass(frozen=True)
class Options:
    """What a person decides before the first deployment; each field is a context value of the CDK app."""

    database: str = "rds"
    """``rds``: Postgres 17 in this account; ``neon``: a server elsewhere, whose owner's URL is in a secret."""
    neon_host: str = ""
    """Host of the Neon project, without which tasks have no address."""
    neon_database: str = "cinematch"
    neon_owner_secret: str = "cinematch/neon-owner"  # noqa: S105 - the secret's name
    """Secret with the owner's postgresql:// URL, made by hand before the deployment."""
    drive: str = "bucket"
    """``bucket``: files are put under drive/ of the stack's bucket; ``gdrive:<folder id>``: a folder in Drive."""
    image: str = ""
    """The image by name and tag; empty: CDK builds deploy/Dockerfile and pushes it."""
    mlflow_tracking_uri: str = ""
    """An MLflow server that is given every model version; CDK then builds the image with its client. Empty: none."""
    mlflow_secret: str = ""
    """Secret with a token for that server, made by hand before the deployment; empty: it asks for none."""
    notify_secret: str = ""
    """Secret with the apprise URLs where people are told, made by hand before the deployment; empty: nowhere."""
    alarm_email: str = ""
    """Address that alarms are sent to; empty: the topic has no subscriber."""
    storage_budget_mb: int = 20_000
    """Bytes that the warehouse may use; 512 for Neon's free plan. The alarm is at 85 % of it."""
    token_days: int = 7
    """Days that a Google token lives: 7 while the OAuth app is in testing. The alarm is a day before."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All switches."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_context(cls, context: Mapping[str, str | None]) -> Self:
        """Read the switches; what is not given has its default.

        Raises:
            OptionError: naming the switch.
        """
        given = {name: value for name, value in context.items() if value not in (None, "")}
        for name in ("storage_budget_mb", "token_days"):
            if name in given:
                given[name] = int(str(given[name]))  # type: ignore[assignment]
        options = cls(**given)  # type: ignore[arg-type]
        if options.database not in {"rds", "neon"}:
            raise OptionError(f"database={options.database} is neither rds nor neon")
        if options.database == "neon" and not options.neon_host:
            raise OptionError("database=neon needs neon_host, the host in the URL that Neon's console shows")
        if options.drive != "bucket" and not options.drive.startswith("gdrive:"):
            raise OptionError(f"drive={options.drive} is neither bucket nor gdrive:<folder id>")
        if options.mlflow_secret and not options.mlflow_tracking_uri:
            raise OptionError("mlflow_secret needs mlflow_tracking_uri, the server that asks for the token")
        if options.token_days < 2:
            raise OptionError(f"token_days={options.token_days} leaves no day for the alarm before")
        return options

    @property
    def has_token(self) -> bool:
        """Whether files come from Google Drive."""
        return self.drive.startswith("gdrive:")
