"""Options that several commands share.

Here: their declarations. Not here: output (``output``).
"""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit.")]
MAX_ROWS = 1_000_000_000
"""Above what any answer has, and within what Postgres takes for a LIMIT."""
MAX_ID = 2**63 - 1
"""The largest id that a row of the platform's own tables can have (BIGINT)."""
MAX_USER = 2**31 - 1
"""The largest userId that a rating can have (INTEGER)."""
HowMany = Annotated[int, typer.Option("-k", min=1, max=MAX_ROWS, help="How many movies.")]
HowManyRows = Annotated[int, typer.Option(min=1, max=MAX_ROWS, help="How many rows, the newest first.")]
