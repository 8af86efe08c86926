"""``cinematch features refit``: a new basis of the genre features.

Here: the command. Not here: fitting and projecting (``pipeline.genre_features``).
"""

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import out, print_json
from cinematch_assets.plurals import count

app = typer.Typer(help="Genre features: fit their basis again.", no_args_is_help=True)


@app.callback()
def _features() -> None:
    """Genre features: fit their basis again."""


@app.command()
def refit(json: Json = False) -> None:
    """Fit the genre basis on the catalogue as it is, as a new version, and give each movie its features on it.

    Example: cinematch features refit
    """
    from cinematch_assets.pipeline.genre_features import project_movies
    from cinematch_assets.pipeline.platform import Platform

    projected = project_movies(Platform.open(), refit=True)
    if json:
        print_json(projected.as_metadata())
        return
    version = projected.features.basis_version
    if version == projected.former_basis:
        out.print(f"the basis stays {version}: the catalogue gives the same one")
    else:
        out.print(
            f"basis {version} replaces {projected.former_basis or 'none'}: "
            f"{count(projected.rows_changed, 'movie')} changed"
        )
    if projected.advice:
        out.print(projected.advice)
