"""``cinematch forget``: erase people, with a certificate.

Here: arguments and output. Not here: the steps (``pipeline.erasure``), the certificate's row (``warehouse.erasures``).
"""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.options import MAX_ID, MAX_USER, Json
from cinematch_assets.cli.output import err, out, print_json, print_table, progress
from cinematch_assets.errors import CinematchError

if TYPE_CHECKING:
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.erasures import Erasure


def forget(
    users: Annotated[
        list[int] | None,
        typer.Argument(metavar="USER...", min=1, max=MAX_USER, help="Numbers of the users (userId)."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit; without the user's number.")] = "asked for",
    certificate: Annotated[bool, typer.Option("--certificate", help="Print a certificate and change nothing.")] = False,
    number: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=MAX_ID, help="With --certificate: of this erasure; by default the newest."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an erasure that was cut off.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
    json: Json = False,
) -> None:
    """Erase users from tables, landed files, models, lists and reports, for good, and print the certificate."""
    from functools import partial

    from cinematch_assets.dagster_support.change_events import buffered_batches, erasure_changes, show_changes
    from cinematch_assets.dagster_support.redaction import redact_rows
    from cinematch_assets.dagster_support.spark_pipes import with_spark_outside_runs
    from cinematch_assets.pipeline.erasure import forget_users, resume_erasures
    from cinematch_assets.pipeline.platform import Platform

    _check(users or [], reason, certificate=certificate, resume=resume)
    platform = with_spark_outside_runs(Platform.open())
    if certificate:
        _print(_find(platform, number), json=json)
        return
    if not yes and err.is_terminal:
        typer.confirm("This deletes data for good. Go on?", abort=True, err=True)
    batches = buffered_batches(platform)
    redact = partial(redact_rows, platform.settings)
    with progress("erasure") as bar:
        if resume:
            done = resume_erasures(platform, redact, progress=bar)
        else:
            done = forget_users(platform, users or [], redact, reason=reason, progress=bar)
    if done is None:
        out.print("nothing to do: no erasure was cut off" if resume else "nothing to do: they were erased before")
        return
    # The step that deletes reports took the page, which is written again here.
    show_changes(platform, erasure_changes(done.id, batches), done.reason)
    _print(done, json=json)
    err.print(
        f"Files in {platform.folder.spec} may still hold their rows: remove them there too; "
        "until then loads leave them out."
    )
    if not done.is_proven:
        raise CinematchError(
            f"erasure {done.id} is complete, and its proof is not: the champion differs from the model that landed "
            "contents give, as it does when a rejected row was corrected by hand"
        )


def _check(users: list[int], reason: str, *, certificate: bool, resume: bool) -> None:
    if (bool(users) + certificate + resume) != 1:
        raise CinematchError("name the USERs to erase, or one of --certificate and --resume")
    named = set(map(int, re.findall(r"\d+", reason)))
    if named & set(users):
        raise CinematchError("the reason names a user, and it is kept for good: say it without the number")


def _find(platform: "Platform", number: int | None) -> "Erasure":
    from cinematch_assets.warehouse.erasures import list_erasures, read_erasure

    if number is not None:
        return platform.warehouse.run(read_erasure, number)
    found = platform.warehouse.run(list_erasures)
    if not found:
        raise CinematchError("no one was erased here: there is no certificate")
    return found[0]


def _print(erasure: "Erasure", *, json: bool) -> None:
    from dataclasses import asdict

    from cinematch_assets.warehouse.erasures import STEPS

    if json:
        print_json(asdict(erasure) | {"proven": erasure.is_proven})
        return
    counts = {
        step: ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.items() if name != "done")
        for step in STEPS
        if (found := erasure.steps.get(step)) is not None
    }
    print_table(
        f"Certificate of erasure {erasure.id}",
        ("", ""),
        [
            ("asked for", erasure.requested_at),
            ("by", erasure.requested_by),
            ("reason", erasure.reason),
            ("people", str(erasure.people)),
            *((step, text or "done") for step, text in counts.items()),
            ("champion", erasure.champion or "none, so no model knew them"),
            ("its sha256", erasure.artifact_sha256),
            ("trained without them", erasure.rebuilt_sha256),
            ("equal", erasure.artifact_sha256 == erasure.rebuilt_sha256 if erasure.champion else None),
            ("complete", erasure.finished_at or "no: run cinematch forget --resume"),
        ],
    )
