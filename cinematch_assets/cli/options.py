"""Options that several commands share.

Here: their declarations. Not here: output (``output``).
"""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit.")]
HowMany = Annotated[int, typer.Option("-k", min=1, help="How many movies.")]
