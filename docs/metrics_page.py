"""The page ``docs/reference/metrics.md``: what ``cinematch evaluate --json`` prints.

Here: the page. Not here: the figures' meaning, which stands at their declaration
(``cinematch_assets.recommender.evaluate_files``), how they are computed (``cinematch_assets.recommender.evaluation``).
"""

import types
from pathlib import Path
from typing import get_args, get_type_hints

from cinematch_assets.recommender.evaluate_files import FileEvaluation
from docs.cells import cell

PAGE = Path(__file__).parent / "reference" / "metrics.md"

_HEAD = """\
# Figures of an evaluation

<!-- Generated from `cinematch_assets/recommender/evaluate_files.py` by `python -m docs`, and compared by a test. -->

`cinematch evaluate --json` prints one object with these keys; without `--json` those that are not null, as a table. A
movie is *liked* when its test rating is 4 or more. Lists are made over the whole catalogue without what the user
rated in training. With `--backtest` the key `backtest` holds an array with an object for each slice of time. What the
platform stores of each model is in table [model_metrics](../data-path.md#model_metrics).

| key | type | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page, as Markdown."""
    hints = get_type_hints(FileEvaluation, include_extras=True)
    return _HEAD + "".join(
        f"| `{name}` | {_kind(hint)} | {cell(hint.__metadata__[0])} |\n" for name, hint in hints.items()
    )


def _kind(hint: object) -> str:
    kind = get_args(hint)[0]
    if isinstance(kind, types.UnionType):
        return " or ".join("null" if each is type(None) else each.__name__ for each in get_args(kind))
    return str(kind.__name__)
