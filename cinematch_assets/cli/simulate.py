"""``cinematch simulate``: put the next weekly batch into the local folder.

Here: arguments and output. Not here: drawing the batch (``samples.simulate``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import MAX_ID, MAX_ROWS
from cinematch_assets.cli.output import notes, out, print_table


def simulate(
    drift: Annotated[float, typer.Option(help="Stars by which the batch's mean is above the history's.")] = 0.0,
    rows: Annotated[
        int | None, typer.Option(min=1, max=MAX_ROWS, help="Number of ratings; by default 4.3 % of the history's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_ID, help="Random seed; by default the number of the batch.")
    ] = None,
) -> None:
    """Put the next weekly batch into the local folder.

    Example: cinematch simulate --drift 0.5
    """
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.pipeline.simulate_batch import simulate_next

    made = simulate_next(Platform.open(), drift=drift, rows=rows, seed=seed)
    print_table(
        "The next batch",
        ("batch", "rows", "mean", "mean so far", "drift requested"),
        [(made.batch_id, made.rows, made.mean, made.baseline_mean, made.drift)],
    )
    out.print(str(made.path))  # on a line of its own, so that a long path stays whole
    for sentence in made.left_out:
        notes.print(f"left out of what was rated before: {sentence}")
