"""The check ``nothing_needs_attention``: the rows of ``cinematch status``, as a badge in Dagster's UI.

Here: the check, and its evaluation between runs. Not here: what needs attention (``pipeline.attention``), how checks
become definitions (``asset_checks``).
"""

import hashlib
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import Check, Outcome, check_evaluation
from cinematch_assets.dagster_support.markdown import plain
from cinematch_assets.dagster_support.monitoring_page import ASSET
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.visible_text import visible

if TYPE_CHECKING:
    from cinematch_assets.pipeline.attention import AttentionRow

NAME = "nothing_needs_attention"
MAX_SHOWN = 20
SHOWN_IN_A_LOG = 3


def nothing_needs_attention() -> Check:
    """Nothing waits for a person: no refused file, no work that was given up, no condition that lasts."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.pipeline.attention import attention

        rows = [row for row in attention(platform) if row.needs_a_person]
        told = _in_a_log(rows) | _newest_rejected(platform)
        if not rows:
            return Outcome(True, "Nothing needs attention.", {"needs_attention": 0, **told})
        lines = [f"- {plain(row.what)}: {plain(row.sentence)} Next: {plain(row.next_step)}" for row in rows[:MAX_SHOWN]]
        if len(rows) > MAX_SHOWN:
            lines.append(f"- {len(rows) - MAX_SHOWN:,} more: `cinematch status`")
        needs = "needs" if len(rows) == 1 else "need"
        text = "\n".join((f"**{count(len(rows), 'thing')} {needs} attention.**", "", *lines))
        return Outcome(False, text, {"needs_attention": len(rows), **told})

    return Check(
        NAME,
        "Nothing waits for a person; the rows are those of `cinematch status`.",
        evaluate,
        severity=dg.AssetCheckSeverity.WARN,
    )


def _in_a_log(rows: Sequence["AttentionRow"]) -> dict[str, str]:
    """The first rows as figures of the check, which the page of a run shows at its end; descriptions it does not."""
    return {visible(row.what): visible(f"{row.sentence} Next: {row.next_step}") for row in rows[:SHOWN_IN_A_LOG]}


def _newest_rejected(platform: Platform) -> dict[str, str]:
    """The newest batches of which some rows are in quarantine, each with its reasons, a row, and what to do."""
    from cinematch_assets.warehouse.monitoring import list_arrivals
    from cinematch_assets.warehouse.status import list_rejected_reasons

    with platform.warehouse.session() as session:
        arrivals, lines = session.run(list_arrivals), session.run(list_rejected_reasons)
    reasons = {
        each.path: "; ".join(
            f"{line.reason} ({line.rows:,}, first in row {line.first_row})" for line in lines if line.path == each.path
        )
        for each in arrivals
        if each.state == "loaded"
    }
    return {
        f"rejected rows of {path}": f"{why}. Next: cinematch rejects list {shlex.quote(path)}"
        for path, why in list({path: why for path, why in reasons.items() if why}.items())[:SHOWN_IN_A_LOG]
    }


def evaluate_between_runs(platform: Platform, known: str | None) -> tuple[dg.AssetCheckEvaluation | None, str]:
    """Evaluate the check for a sensor; return an evaluation if what it says is new, and a mark of what it says.

    Args:
        platform: whose state is looked at.
        known: the mark of the look before, None at the first one.
    """
    check = nothing_needs_attention()
    outcome = check.evaluate(platform, None)
    mark = hashlib.sha256(outcome.description.encode()).hexdigest()[:16]
    if mark == known:
        return None, mark
    return check_evaluation(dg.AssetCheckKey(ASSET, NAME), check, outcome), mark
