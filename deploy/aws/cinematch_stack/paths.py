"""Where the repository is, seen from the stack."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
