"""How often words that the field has other terms for occur: ``python -m docs.terms [REVISION]``.

Here: the words, counting them in a revision or in the working tree. Not here: what the terms mean
(``docs/glossary.md``).
"""

import io
import re
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = (".py", ".sql", ".md")
LEFT_OUT = re.compile(
    r"requirements/|/results/|schema_reference\.md|movie_library\.md|docs/terms\.py|sql/migrations/000[1-6]"
)
"""Pins, measured tables, the documents of others, this list, and migrations that have been applied."""

EXCEPTIONS = re.compile(r"\b(?:judged_at|settled_at)\b|ranker\.(?:likings|nearness)\.")
"""Columns of tables that exist, and arrays of the artifacts of former releases, which a test of upgrades makes."""

TERMS = {
    "films": "movies",
    "film": "movie",
    "likings": "implicit ALS factors",
    "likeness": "item similarity, EASE score",
    "nearness": "item similarity",
    "opinions": "signals",
    "room": "package",
    "rooms": "packages",
    "floors": "layers",
    "strangers": "new users, cold start",
    "stranger": "new user, cold start",
    "nobody": "no one, none",
    "somebody": "a user, the caller",
    "whoever": "the caller, those who",
    "everybody": "all users",
    "knobs": "hyperparameters",
    "crown": "set as champion",
    "crowned": "set as champion",
    "ruling": "champion",
    "verdict": "validation result, drift assessment, gate decision",
    "verdicts": "validation results, drift assessments, gate decisions",
    "judge": "validate, assess, evaluate",
    "judged": "validated, assessed, evaluated",
    "judging": "validating, assessing, evaluating",
    "settled": "processed",
    "troubles": "problems",
    "told": "status, message",
    "novelty": "popularity discount (the metric keeps its name)",
    "held": "stored, rejected, existing, locked",
    "StarTable": "RatingTable",
    "Likings": "ImplicitFactors",
    "Profiles": "UserHistories",
    "Opinion": "Signal",
    "Nearness": "ItemSimilarity",
    "NullSpread": "NullDistribution",
    "Shelf": "Store",
    "Patience": "RetryPolicy",
    "LeftOut": "SkippedEntry",
}
"""Word, and the terms in its place."""

GONE = set(TERMS) - {"films", "film", "room", "novelty", "held", "told", "settled"}
"""Those that must not come back; the others have a good meaning somewhere, such as a title that is called Film 1."""


def files(revision: str | None = None) -> dict[str, str]:
    """Path → text of every file that counts, of a revision or of the working tree."""
    listing = ["git", "ls-tree", "-r", "--name-only", revision] if revision else ["git", "ls-files"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [name for name in names if name.endswith(SUFFIXES) and not LEFT_OUT.search(name)]
    if revision is None:
        return {name: (ROOT / name).read_text(encoding="utf-8") for name in names if (ROOT / name).is_file()}
    show = ["git", "archive", "--format=tar", revision, *names]
    packed = subprocess.run(show, cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {name: (archive.extractfile(name) or io.BytesIO()).read().decode() for name in names}


def places(revision: str | None = None) -> dict[str, dict[str, int]]:
    """Term → path → how often it occurs there; parts of identifiers count (``held_rows``)."""
    pattern = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(TERMS)})(?![a-z])")
    found: dict[str, dict[str, int]] = {}
    for name, text in files(revision).items():
        for term, count in Counter(pattern.findall(EXCEPTIONS.sub("", text))).items():
            found.setdefault(term, {})[name] = count
    return found


def main() -> None:
    """Print a row a term: occurrences and files."""
    found = places(sys.argv[1] if len(sys.argv) > 1 else None)
    for term, instead in TERMS.items():
        counts = found.get(term, {})
        sys.stdout.write(f"{term:12} {sum(counts.values()):5} in {len(counts):3} files   {instead}\n")


if __name__ == "__main__":
    main()
