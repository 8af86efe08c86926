"""The checks of models and features: what is stored of them, against what it must be.

Here: stored facts as outcomes of checks. Not here: fitting and measuring (``pipeline.models``), events
(``asset_checks``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import Check, Outcome
from cinematch_assets.dagster_support.markdown import plain, short
from cinematch_assets.pipeline.platform import Platform

MIN_EXPLAINED_VARIANCE = 0.7
"""Ten of MovieLens' nineteen genre axes keep 0.80 (ML-100K) to 0.85 (ML-latest-small) of the variance."""


def artifact() -> Check:
    """The stored bytes of the newest version and of the champion load, with the registered hash. Blocking."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.pipeline.models.artifacts import find_artifact_fault
        from cinematch_assets.warehouse.champion import read_champion
        from cinematch_assets.warehouse.model_registry import find_newest_version

        with platform.warehouse.session() as session:
            found = {row.version: row for row in (session.run(find_newest_version), session.run(read_champion)) if row}
        faults = {version: find_artifact_fault(platform, row) for version, row in found.items()}
        wrong = [f"`{version}`: {plain(fault, 300)}" for version, fault in faults.items() if fault]
        if wrong:
            next_step = "materialize `recommender_model` for a new one, or restore the object in the store."
            return Outcome(False, f"**{'; '.join(wrong)}.** Next: {next_step}", {"versions": len(found)})
        names = " and ".join(f"`{version}`" for version in found) or "No version yet"
        return Outcome(True, f"{names}: the stored bytes load, with the registered hash.", {"versions": len(found)})

    return Check(
        "artifact",
        "The stored bytes of the newest version and the champion load, with their hash.",
        evaluate,
        blocking=True,
    )


def better_than_baselines() -> Check:
    """The newest measured version predicts better than every baseline, and ranks better than popularity."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.warehouse.model_registry import list_model_versions

        measured = [row for row in platform.warehouse.run(list_model_versions) if row.metrics]
        if not measured:
            return Outcome(True, "No version was measured yet.")
        newest = measured[0]
        figures = newest.metrics or {}
        baselines = figures.get("baselines", {})
        best_rmse = min((each["rmse"] for each in baselines.values()), default=None)
        best_ndcg = max((each.get("catalogue_ndcg_at_10") or 0.0 for each in baselines.values()), default=None)
        rmse, ndcg = figures["rmse"], figures.get("catalogue_ndcg_at_10") or 0.0
        passed = best_rmse is not None and best_ndcg is not None and rmse < best_rmse and ndcg > best_ndcg
        text = (
            f"`{newest.version}`: RMSE {short(rmse)}, the best baseline {short(best_rmse)}; "
            f"nDCG@10 {short(ndcg)}, the best baseline {short(best_ndcg)}."
        )
        return Outcome(
            passed,
            text if passed else f"**Not better than a baseline.** {text} Next: `cinematch models list` has the reason.",
            {
                "rmse": rmse,
                "best_baseline_rmse": best_rmse,
                "catalogue_ndcg_at_10": ndcg,
                "best_baseline_ndcg": best_ndcg,
            },
        )

    return Check(
        "better_than_baselines",
        "The newest measured version predicts better than every baseline, and ranks better than popularity.",
        evaluate,
    )


def explained_variance() -> Check:
    """The ten components keep most of the variance of the genres."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.features.genres import unlikely_genres
        from cinematch_assets.warehouse.movies import read_movies, read_stored_basis

        with platform.warehouse.session() as session:
            stored = session.run(read_stored_basis)
            catalogue, *_features = session.run(read_movies)
        if stored is None:
            return Outcome(False, "**There is no basis yet.** Next: materialize `movie_genre_features`.")
        share = float(sum(stored.content["explained_variance"]))
        text = f"The ten components keep {share:.1%} of the genres' variance; {MIN_EXPLAINED_VARIANCE:.0%} are enough."
        advice = unlikely_genres(catalogue["genres"].tolist())
        passed = share >= MIN_EXPLAINED_VARIANCE and not advice
        text = f"{plain(advice, 400)} {text}" if advice else text
        return Outcome(
            passed, text if passed else f"**{text}**", {"explained_variance": share, "least": MIN_EXPLAINED_VARIANCE}
        )

    return Check(
        "explained_variance",
        "The ten components keep most of the variance of the genres.",
        evaluate,
        severity=dg.AssetCheckSeverity.WARN,
    )


def by_champion() -> Check:
    """The lists in the table are by the champion: after a rollback or an upgrade they may be by another version."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.warehouse.champion import read_champion
        from cinematch_assets.warehouse.recommendations import read_recommended_version

        with platform.warehouse.session() as session:
            champion = session.run(read_champion)
            published = session.run(read_recommended_version)
        expected = champion.version if champion else None
        if expected is None and published is None:
            return Outcome(True, "There is no champion yet, and there are no lists.")
        if published == expected:
            return Outcome(True, f"The lists are by the champion, `{expected}`.")
        text = f"**The lists are by `{published}`, and the champion is `{expected}`.**"
        return Outcome(False, f"{text} Next: materialize `recommendations`.")

    return Check("by_champion", "The lists are by the champion.", evaluate)
