"""The pages as a site: ``python -m docs.site [--serve]`` makes ``build/site``, and with ``--serve`` shows it.

Here: copying the pages as they are laid out in the repository, so that their links hold, and building them with every
warning an error. Not here: the site's contents and looks (``docs/zensical.toml``), pages made from the code
(``docs.generated``).
"""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Path("docs/zensical.toml")
PORT = 8000
_PATTERNS = ("*.md", "LICENSE", ".env.example", "docs/**/*.md", "docs/pictures/*", "docs/theme/*", "benchmarks/**/*.md")


def sources(root: Path = ROOT) -> list[Path]:
    """The files of which the site is made, as paths from the repository's root."""
    found = {path.relative_to(root) for pattern in _PATTERNS for path in root.glob(pattern) if path.is_file()}
    return sorted(path for path in found if not any(part.startswith(".venv") for part in path.parts))


def navigation(root: Path = ROOT) -> list[str]:
    """The pages that the navigation names, in its order."""
    return list(_names(tomllib.loads((root / CONFIG).read_text(encoding="utf-8"))["project"]["nav"]))


def _names(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, (dict, list)):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _names(part)


def build_site(folder: Path, root: Path = ROOT) -> Path:
    """Build the site of the pages of ``root`` below ``folder`` and return the site's own folder.

    Raises:
        subprocess.CalledProcessError: a link leads nowhere, or the builder warned of something else; see its output.
    """
    source = folder / "site-source"
    shutil.rmtree(source, ignore_errors=True)
    for path in sources(root):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, source / path)
    shutil.copy(root / CONFIG, folder / CONFIG.name)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", CONFIG.name]
    environment = {"NO_COLOR": "1"} | os.environ
    subprocess.run(
        command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return folder / "site"


def main() -> int:
    """Build into ``build``, say where; serve it on this machine when asked to."""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    try:
        site = build_site(folder)
    except subprocess.CalledProcessError as failed:
        sys.stdout.write(failed.output)
        return 1
    sys.stdout.write(f"The site is {site.relative_to(ROOT)}/index.html: open it in a browser.\n")
    sys.stdout.flush()
    if "--serve" in sys.argv[1:]:
        serve(site)
    return 0


def serve(site: Path) -> None:
    """Serve the site on 127.0.0.1 until it is interrupted."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", PORT), handler) as server:
        sys.stdout.write(f"http://127.0.0.1:{PORT} (Ctrl-C ends it)\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


if __name__ == "__main__":
    sys.exit(main())
