"""The project's own Python files, for tests that read them. Not here: what is expected of them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python_files(*folders: str) -> list[Path]:
    """The files below folders of the repository, sorted; hidden folders hold environments, which are no part of it."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )
