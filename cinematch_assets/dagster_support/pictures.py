"""Pictures and a sample list in the metadata of assets, each short enough that Dagster's UI shows it in place.

Here: which figures are drawn, and their descriptions. Not here: drawing (``charts``), the monitoring page's charts
(``pipeline.monitoring.page``).
"""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import dagster as dg

from cinematch_assets import charts
from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS, plain, short, table
from cinematch_assets.plurals import count
from cinematch_assets.values import DriftAlert

if TYPE_CHECKING:
    from cinematch_assets.warehouse.model_registry import ModelVersion
    from cinematch_assets.warehouse.monitoring import SampleUser

MAX_VERSIONS = 12
"""Model versions in a picture: those of many more would be over ``INLINE_CHARACTERS``."""
TITLE_CHARACTERS = 30


def drift_scores(alerts: Sequence[DriftAlert], bounds: Mapping[str, float]) -> dg.MetadataValue:
    """Each score as a share of its threshold, and in grey what it reaches by chance."""
    rows = [
        charts.Level(each.feature_name, each.drift_score, each.threshold, bounds.get(each.feature_name))
        for each in alerts
    ]
    over = sum(each.alert_triggered for each in alerts)
    return _picture(charts.levels(rows), f"{over} of {len(alerts)} over the threshold, the line; grey is chance")


def ratings_beside_history(history: Sequence[int], batch: Sequence[int]) -> dg.MetadataValue:
    """The batch's ratings beside those of the history, as shares of either."""
    description = f"{count(sum(batch), 'rating')} of the batch in orange, {sum(history):,} of the history in grey"
    return _picture(charts.histogram_beside(history, batch, ("0.5 stars", "5 stars")), description)


def explained_variance(shares: Sequence[float]) -> dg.MetadataValue:
    """The share of the genres' variance that each of the features keeps."""
    drawn = charts.over_time([charts.Point(share) for share in shares], ends=("feature 1", f"feature {len(shares)}"))
    return _picture(
        drawn, f"{sum(shares):.1%} of the genres' variance in {len(shares)} features, each one's share above"
    )


def figures_over_versions(versions: Sequence["ModelVersion"], champion: str | None) -> dict[str, Any]:
    """RMSE and nDCG of the newest versions, ``versions`` newest first: the champion a triangle, rejected ones rings."""
    shown = [each for each in reversed(versions) if each.metrics][-MAX_VERSIONS:]
    if not shown:
        return {}
    ends = (f"v{shown[0].ordinal}", f"v{shown[-1].ordinal}")
    drawn: dict[str, Any] = {}
    for name, figure, shown_name, better in (
        ("rmse_over_versions", "rmse", "RMSE", "lower"),
        ("ndcg_over_versions", "catalogue_ndcg_at_10", "nDCG@10", "higher"),
    ):
        points = [
            charts.Point(
                (each.metrics or {}).get(figure),
                is_marked=each.version == champion,
                is_hollow=each.state != "promoted",
            )
            for each in shown
        ]
        last = short(points[-1].value)
        description = (
            f"{shown_name} on the test split over {count(len(points), 'version')}, {last} now; {better} is better"
        )
        drawn[name] = _picture(charts.over_time(points, ends=ends), description)
    return drawn


def concentration(shares: Sequence[float], movies: int) -> dg.MetadataValue:
    """The shares of all places in lists that tenths of the listed movies take, the most listed ones first."""
    points = [charts.Point(share) for share in shares]
    drawn = charts.over_time(points, limit=1 / len(shares), limit_name="even", ends=("most listed", "least"))
    return _picture(drawn, f"{shares[0]:.0%} of all places go to a tenth of the {count(movies, 'movie')} in lists")


def sample_lists(users: Sequence["SampleUser"]) -> dg.MetadataValue:
    """The first places of some users' lists with their reasons, user by user, as many as are shown in place.

    Users have no numbers here: Dagster keeps what an asset said, also of a person who is erased later.
    """
    places = [
        (place.rank, letter, plain(place.title, TITLE_CHARACTERS), _because(place.because))
        for letter, user in zip(ascii_uppercase, users, strict=False)
        for place in user.offered
    ]
    columns = ("user", "is offered", "because of")
    shown: list[tuple[str, str, str]] = []
    for rank, letter, title, because in sorted(places, key=lambda place: place[0]):
        row = (letter, f"{rank}. {title}", because)
        if len(table(columns, [*shown, row])) >= INLINE_CHARACTERS:
            break
        shown.append(row)
    shown.sort(key=lambda row: row[0])
    return dg.MetadataValue.md(table(columns, shown) if shown else "no lists yet")


def _because(titles: Sequence[str]) -> str:
    return plain(titles[0], TITLE_CHARACTERS) if titles else "its popularity"


def _picture(svg: str, description: str) -> dg.MetadataValue:
    """The picture, and below it the description, for those who see the picture and those who do not."""
    return dg.MetadataValue.md(f"{charts.as_markdown(svg, 'chart')}\n\n{description}")
