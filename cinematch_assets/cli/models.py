"""``cinematch models list | promote | reject | rollback | verify | mlflow``: the model registry.

Here: arguments and output. Not here: the registry (``warehouse.model_registry``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import Json, Reason
from cinematch_assets.cli.output import out, print_folded, print_json, print_table, progress
from cinematch_assets.errors import CinematchError

app = typer.Typer(help="Model versions: list them, change the champion.", no_args_is_help=True)


@app.command("list")
def list_versions(json: Json = False) -> None:
    """List all versions, newest first, with the champion marked.

    Example: cinematch models list --json
    """
    from dataclasses import asdict

    from cinematch_assets.cli.status_tables import print_performance
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.batch_performance import list_batch_performance
    from cinematch_assets.warehouse.champion import read_champion
    from cinematch_assets.warehouse.model_registry import list_model_versions

    with Platform.open().warehouse.session() as session:
        versions = session.run(list_model_versions)
        champion = session.run(read_champion)
        performance = session.run(list_batch_performance)
    serving = champion.version if champion else None
    if json:
        measured = {
            each.version: [asdict(row) for row in performance if row.champion == each.version] for each in versions
        }
        print_json(
            [
                asdict(each) | {"champion": each.version == serving, "batches": measured[each.version]}
                for each in versions
            ]
        )
        return
    print_table(
        "Model versions",
        ("version", "", "state", "trained on", "rmse", "nDCG@10"),
        [
            (
                each.version,
                "★" if each.version == serving else "",
                each.state.replace("_", " "),
                each.data_size,
                (each.metrics or {}).get("rmse"),
                (each.metrics or {}).get("catalogue_ndcg_at_10"),
            )
            for each in versions
        ],
    )
    for each in versions:
        print_folded(f"• {each.version}: {(each.evidence or {}).get('reason', 'not evaluated yet')}")
    print_performance(performance)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version that passed the gate.")], reason: Reason = None
) -> None:
    """Make a version champion that awaits approval, or again one that was, with the recommendations it had.

    Example: cinematch models promote run_1a2b3c4d_v3 --reason "the drift was an error of the source"
    """
    from cinematch_assets.dagster_support.change_events import (
        buffered_batches,
        champion_changes,
        merge_changes,
        show_changes,
    )
    from cinematch_assets.pipeline.models.publish import set_champion
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    before = buffered_batches(platform)
    champion = set_champion(platform, version, reason or "promoted by hand")
    out.print(f"{champion} is champion")
    merged = merge_changes(platform, champion, sorted(before - buffered_batches(platform)))
    show_changes(platform, [*champion_changes(f"{champion} was promoted by hand"), *merged], reason)


@app.command()
def reject(
    version: Annotated[str, typer.Argument(help="A version that awaits approval.")], reason: Reason = None
) -> None:
    """Reject a version that awaits approval; the champion stays, and the batches stay in the buffer.

    Example: cinematch models reject run_1a2b3c4d_v3 --reason "the new lists are too much alike"
    """
    from cinematch_assets.dagster_support.change_events import ChangedAsset, show_changes
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.approval import reject_awaiting

    platform = Platform.open()
    why = f"rejected by hand: {reason}" if reason else "rejected by hand"
    platform.warehouse.run(reject_awaiting, version, why, platform.actor)
    out.print(f"{version} is rejected, and the champion stays")
    show_changes(platform, [ChangedAsset("model_metrics", f"{version} was {why}")], reason)


@app.command()
def rollback(reason: Reason = None) -> None:
    """Make the previous champion champion again, with its recommendations.

    Example: cinematch models rollback --reason "users complain"
    """
    from cinematch_assets.dagster_support.change_events import champion_changes, show_changes
    from cinematch_assets.pipeline.models.publish import roll_back
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    champion, previous = roll_back(platform, reason)
    out.print(f"{champion} is champion again, instead of {previous}")
    show_changes(platform, champion_changes(f"rolled back from {previous} to {champion}"), reason)


@app.command()
def verify(
    version: Annotated[str, typer.Argument(help="A version of cinematch models list.")], json: Json = False
) -> None:
    """Rebuild a version from the landed files and compare its hash with the registry; nothing is changed."""
    from cinematch_assets.dagster_support.spark_pipes import with_spark_outside_runs
    from cinematch_assets.pipeline.models.verify_version import verify_version
    from cinematch_assets.pipeline.platform import Platform

    with progress("rebuild") as bar:
        verification = verify_version(with_spark_outside_runs(Platform.open()), version, bar)
    if json:
        print_json(verification.as_metadata())
    elif verification.is_passed:
        out.print(f"{version} {verification.outcome}: {verification.sentence}")
    if not verification.is_passed:
        raise CinematchError(f"{version} {verification.outcome}: {verification.sentence}")


@app.command()
def mlflow() -> None:
    """Bring MLflow up to date with the registry now, rather than at the next look of mlflow_sensor.

    Example: cinematch models mlflow
    """
    from cinematch_assets.pipeline.export_registry import export_registry
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    while True:
        done = export_registry(platform, is_asked=True, limit_s=600)
        if done.written is None:
            raise CinematchError(done.fault)
        out.print(str(done))
        if not done.written.left:
            return
