"""``cinematch drive login`` and ``cinematch drive check``: the token to Google Drive.

Here: options and output. Not here: consent (``drive.login``) and the checks (``drive.diagnose``).
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cinematch_assets.cli.output import out, print_json
from cinematch_assets.drive.folder import GOOGLE_PREFIX, TokenError
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.settings import Settings

app = typer.Typer(
    help="Google Drive: sign in, and check that the folder can be read.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they hold secrets
)
_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@app.command()
def login(
    client_secrets: Annotated[
        Path, typer.Option(help="Client secrets of a desktop app, as downloaded from Google's console.")
    ] = Path("client_secret.json"),
    push: Annotated[
        bool, typer.Option("--push", help="Store it in AWS Secrets Manager too, as GCP_SECRET_NAME.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the browser; otherwise only print the address.")] = True,
    timeout: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds to wait for the consent.")] = 300,
) -> None:
    """Let the platform read the Drive folder with your account.

    Example: cinematch drive login --client-secrets client_secret.json
    """
    from cinematch_assets.drive.login import push_token, sign_in, store_token

    settings = Settings.from_env()
    if push and not settings.token_secret:
        raise TokenError("--push needs GCP_SECRET_NAME, the name of the AWS secret.")
    signed_in = sign_in(
        client_secrets,
        _google_folder_id(settings),
        endpoint=settings.drive_endpoint,
        open_browser=browser,
        timeout_s=timeout,
    )
    out.print(f"Signed in as {signed_in.account}.")
    out.print(f"It can see the folder {signed_in.folder}." if signed_in.folder else "CINEMATCH_DRIVE names no folder.")
    store_token(signed_in.token, settings.token_path)
    out.print(f"The token is in {settings.token_path}, readable by you alone.")
    if push and settings.token_secret:
        outcome = push_token(signed_in.token, settings.token_secret)
        out.print(f"The token is in AWS Secrets Manager: {settings.token_secret} ({outcome}).")


@app.command()
def check(
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: a list of subject, status and message.")
    ] = False,
) -> None:
    """Check that the folder can be read, and how long the access lasts.

    Example: cinematch drive check --json
    """
    from rich.text import Text

    from cinematch_assets.drive.diagnose import check_google, check_local
    from cinematch_assets.drive.token import token_source

    settings = Settings.from_env()
    folder_id = _google_folder_id(settings)
    if folder_id is None:
        findings = check_local(open_folder(settings.folder))
    else:
        source = token_source(settings.token_path, settings.token_secret)
        findings = check_google(folder_id, source, endpoint=settings.drive_endpoint)
    checked = []
    for finding in findings:
        checked.append(finding)
        if not as_json:
            out.print(Text.assemble(_MARKS[finding.status], f" {finding.subject:<9} {finding.message}"))
    if as_json:
        print_json([asdict(finding) for finding in checked])
    if any(finding.status == "failed" for finding in checked):
        raise typer.Exit(1)


def _google_folder_id(settings: Settings) -> str | None:
    if not settings.folder.startswith(GOOGLE_PREFIX):
        return None
    return settings.folder.removeprefix(GOOGLE_PREFIX)
